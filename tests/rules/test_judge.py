"""What the rules say of accepted records, and why others were rejected."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.inventories import eni
from tests.rules.recordings import (
    DATABASE,
    LONER,
    RULES,
    T0,
    WEB,
    judge,
    quiet,
    record,
    rule,
    small_vpc,
)

CLIENT, SERVER = "198.51.100.7:50000", "10.0.1.10:443"


def test_all_rules_of_all_groups_that_match_are_named() -> None:
    (answer,) = judge([record(WEB, CLIENT, SERVER, out=False, flags=3)])

    assert answer.match == "ambiguous"
    assert answer.rules == ["sgr-https", "sgr-office"]


def test_a_connection_is_admitted_by_egress_rules_here_and_ingress_rules_there() -> None:
    ends = "10.0.1.10:40000", "10.0.1.20:5432"
    lines = [
        record(WEB, *ends, out=True, flags=3),
        record(DATABASE, *ends, out=False, flags=3),
        record(DATABASE, *ends[::-1], out=True, flags=19),
        record(WEB, *ends[::-1], out=False, flags=19),
    ]

    answers = judge(lines)

    assert [a.rules for a in answers] == [["sgr-to-db"], ["sgr-from-web"], None, None]
    assert [a.match for a in answers] == ["unique", "unique", "response", "response"]


def test_a_match_by_an_icmp_type_is_marked() -> None:
    (answer,) = judge([record(DATABASE, "10.0.9.9", "10.0.1.20", out=False, protocol=1)])

    assert answer.rules == ["sgr-ping"]
    assert answer.note == "icmp_type_not_logged"


def test_answers_of_a_connection_that_is_not_tracked_need_their_rule() -> None:
    open_out = rule("sgr-out", "sg-web", protocol=-1, ipv4_cidr="0.0.0.0/0", is_egress=True)
    lines = [
        record(WEB, CLIENT, SERVER, out=False, flags=3),
        record(WEB, SERVER, CLIENT, out=True, flags=19),
    ]

    answers = judge(lines, small_vpc(rules=(*RULES, open_out)))

    assert answers[1].rules == ["sgr-out"]
    assert answers[1].match == "unique"
    assert answers[1].note == "untracked_reply"


def test_an_interface_without_groups_has_no_rules() -> None:
    vpc = small_vpc()
    bare = replace(vpc, interfaces=(*vpc.interfaces, eni(4, "10.0.1.40", groups="")))

    (answer,) = judge([record("eni-4", CLIENT, "10.0.1.40:443", out=False, flags=3)], bare)

    assert answer.match is None
    assert answer.note == "no_security_groups"


def test_an_interface_the_inventory_lacks_makes_the_answer_unknown() -> None:
    (answer,) = judge([record("eni-9", CLIENT, "10.0.1.90:443", out=False, flags=3)])

    assert (answer.initiator, answer.match, answer.note) == ("src", "unknown", "inventory_gap")


def test_a_connection_older_than_the_removal_of_its_rule_is_explained() -> None:
    before = small_vpc(captured_at=T0 - 3600)
    after = small_vpc(captured_at=T0, rules=[r for r in RULES if r.ipv4_cidr != "0.0.0.0/0"])
    client = "203.0.113.9:50000"
    lines = [
        record(WEB, client, SERVER, out=False, flags=2, at=-3600),
        record(WEB, client, SERVER, out=False, flags=0, at=600),
    ]

    answers = judge(lines, before, after)

    assert answers[0].rules == ["sgr-https"]
    assert (answers[1].match, answers[1].rules, answers[1].note) == ("none", [], "rule_removed")


def test_an_accepted_connection_that_nothing_explains_is_none_and_says_so() -> None:
    (answer,) = judge([record(WEB, "198.51.100.7:50000", "10.0.1.10:22", out=False, flags=3)])

    assert (answer.match, answer.rules, answer.note) == ("none", [], "unexplained")


def test_an_inferred_opening_before_the_recording_is_unknown_where_nothing_admits_it() -> None:
    lines = [record(WEB, "198.51.100.7:50000", "10.0.1.10:22", out=False, flags=0)]

    (answer,) = judge(lines)

    assert (answer.basis, answer.match, answer.note) == ("port", "unknown", "edge_of_recording")


def test_records_without_traffic_have_no_answer() -> None:
    answers = judge([quiet(WEB, "NODATA", 0), quiet(WEB, "SKIPDATA", 60)])

    assert {tuple(answer) for answer in answers} == {(None,) * 7}


def test_a_rejected_packet_that_no_rule_admits_met_the_group() -> None:
    (answer,) = judge([record(WEB, CLIENT, "10.0.1.10:22", out=False, flags=2, action="REJECT")])

    assert answer.cause == "security_group"
    assert (answer.match, answer.rules) == (None, None)


def test_a_rejected_packet_that_rules_admit_met_an_acl_or_came_late() -> None:
    (answer,) = judge([record(WEB, CLIENT, SERVER, out=False, flags=2, action="REJECT")])

    assert answer.cause == "network_acl_or_late_packet"


def test_a_rejected_answer_to_an_accepted_ping_met_an_acl() -> None:
    lines = [
        record(LONER, "10.0.9.9", "10.0.1.30", out=False, protocol=1),
        record(LONER, "10.0.1.30", "10.0.9.9", out=True, protocol=1, action="REJECT"),
    ]

    answers = judge(lines)

    assert [a.cause for a in answers] == [None, "network_acl"]


def test_a_rejected_ping_is_no_answer_where_answers_pass() -> None:
    lines = [
        record(DATABASE, "10.0.9.9", "10.0.1.20", out=False, protocol=1),
        record(DATABASE, "10.0.1.20", "10.0.9.9", out=True, protocol=1),
        record(DATABASE, "10.0.1.20", "10.0.9.9", out=True, protocol=1, at=60, action="REJECT"),
    ]

    answers = judge(lines)

    assert [a.initiator for a in answers] == ["src", "dst", "src"]
    assert answers[2].cause == "security_group"


def test_a_packet_rejected_after_the_end_of_its_connection_may_be_late() -> None:
    lines = [
        record(WEB, CLIENT, SERVER, out=False, flags=3),
        record(WEB, SERVER, CLIENT, out=True, flags=19),
        record(WEB, SERVER, CLIENT, out=True, flags=4, at=30, action="REJECT"),
    ]

    assert judge(lines)[2].cause == "network_acl_or_late_packet"


@pytest.mark.parametrize("reason", ["BPA", "EC"])
def test_the_reason_aws_gives_comes_first(reason: str) -> None:
    line = record(WEB, CLIENT, SERVER, out=False, flags=2, action="REJECT", reason=reason)

    assert judge([line])[0].cause == reason


def test_a_rejected_packet_at_an_interface_the_inventory_lacks_has_no_known_cause() -> None:
    line = record("eni-9", CLIENT, "10.0.1.90:443", out=False, flags=2, action="REJECT")

    assert judge([line])[0].cause == "unknown"


def test_two_versions_of_a_rule_are_one_rule() -> None:
    described = [replace(r, description="known by now") for r in RULES]
    before, after = small_vpc(captured_at=T0 - 3600), small_vpc(captured_at=T0, rules=described)
    ends = "10.0.1.10:40000", "10.0.1.20:5432"

    answers = judge(
        [record(DATABASE, *ends, out=False, flags=3, at=at) for at in (-3600, -1800, 0)],
        before,
        after,
    )

    assert {a.match for a in answers} == {"unique"}
    assert all(set(a.rules or ()) == {"sgr-from-web"} for a in answers)
