"""The exceptions file: rules and groups that no proposal touches."""

from __future__ import annotations

from datetime import date

import pytest

from vpcflow.errors import ReferenceDataError
from vpcflow.rules.exceptions import Exemption, in_force, read_exemptions

AUDIT = Exemption("sgr-1", None, "yearly audit", date(2027, 1, 31), "line 2")
FAILOVER = Exemption(None, "sg-a", "failover", None, "line 3")

CSV = b"rule,group,reason,expires\nsgr-1,,yearly audit,2027-01-31\n,sg-a,failover,\n"
TOML = b"""# kept
[[keep]]
rule = "sgr-1"
reason = "yearly audit"
expires = 2027-01-31

[[keep]]
group = "sg-a"
reason = '''fail
over'''
"""
JSON = b"""[
  {"rule": "sgr-1", "reason": "yearly audit", "expires": "2027-01-31"},
  {"group": "sg-a", "reason": "failover"}
]"""


@pytest.mark.parametrize(
    ("text", "second"),
    [
        (CSV, FAILOVER),
        (TOML, FAILOVER._replace(place="line 7", reason="fail\nover")),
        (JSON, FAILOVER),
        (b'{"keep": %s}' % JSON, FAILOVER),
        (b"\xef\xbb\xbf" + CSV.replace(b"\n", b"\r\n"), FAILOVER),
    ],
)
def test_exceptions_are_read_from_each_format(text: bytes, second: Exemption) -> None:
    assert read_exemptions(text, "keep") == (AUDIT, second)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (CSV + b"sgr-2,,,\n", "line 4: gives no reason"),
        (CSV + b"sgr-2,sg-a,why,\n", "line 4: names both a rule and a group"),
        (CSV + b",,why,\n", "line 4: names no rule and no group"),
        (CSV + b"sgr-2,,why,soon\n", "line 4: expires is no day: 'soon'"),
        (CSV + b"sgr-2,,why,,,\n", "line 4: 6 values, not 4"),
        (b"rule,why\nsgr-1,x\n", "line 1: unknown columns why"),
        (TOML + b'[[keep]]\nrule = 7\nreason = "x"\n', "line 11: rule is no text: 7"),
        (TOML + b"[[keep]]\nrule = \n", "line 12"),
        (b'keep = 3\nrule = "x"', "line 1: unknown rule"),
        (b"keep = 3", "line 1: keep is no list of tables"),
        (JSON.replace(b'"reason": "failover"', b'"why": "x"'), "line 3: unknown why"),
        (JSON.replace(b"},", b"}"), "line 3: a comma or ] is missing"),
        (JSON.replace(b"failover", b"fail\nover"), "line 3: Invalid control character"),
        (b'{"rules": []}', "line 1: no {\"keep\""),
        (b"[\n3]", "line 2: 3 is no exception"),
        (b"rule\n\xff", "is no UTF-8"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_line(text: bytes, fault: str) -> None:
    with pytest.raises(ReferenceDataError) as raised:
        read_exemptions(text, "keep")

    assert fault in str(raised.value)


def test_all_faulty_entries_are_told_at_once() -> None:
    with pytest.raises(ReferenceDataError, match=r"line 4: .*; line 5: "):
        read_exemptions(CSV + b"sgr-2,,,\n,,x,\n", "keep")


def test_an_empty_file_keeps_nothing() -> None:
    assert read_exemptions(b"", "keep") == read_exemptions(b"[]", "keep") == ()


def test_an_exception_holds_up_to_its_last_day_and_is_said_once_it_expired() -> None:
    last_day, after = date(2027, 1, 31), date(2027, 2, 1)

    held = in_force([AUDIT, FAILOVER], last_day, {"sgr-1"}, {"sg-a"})
    expired = in_force([AUDIT, FAILOVER], after, {"sgr-1"}, {"sg-a"})

    assert (held.rules, held.groups, held.words) == ({"sgr-1": AUDIT}, {"sg-a": FAILOVER}, ())
    assert (expired.rules, expired.groups) == ({}, {"sg-a": FAILOVER})
    assert expired.words == (
        "the exception for sgr-1 (line 2: yearly audit) expired on 2027-01-31",
    )


def test_an_exception_for_what_there_is_not_is_said() -> None:
    found = in_force([AUDIT, FAILOVER], date(2026, 1, 1), set(), set())

    assert found.words == (
        "the inventory has no rule 'sgr-1', an exception (line 2)",
        "the inventory has no group 'sg-a', an exception (line 3)",
    )
