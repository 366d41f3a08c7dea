"""Which rules admitted a record, and why one was rejected, as far as it and the rules alone tell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.inventories import eni
from tests.rules.recordings import (
    DATABASE,
    LONER,
    RULES,
    T0,
    WEB,
    batches,
    quiet,
    record,
    rule,
    small_vpc,
)
from tests.simulated import simulated
from vpcflow.admission import RuleBook
from vpcflow.enrich import Reference, enrich
from vpcflow.generate import LAYOUTS
from vpcflow.inventory import Inventory, Snapshot, load_inventory
from vpcflow.pipeline import read_flows
from vpcflow.rules.attribution import attribute
from vpcflow.sources.files import find_inputs, read_input
from vpcflow.stats import Books

if TYPE_CHECKING:
    from pathlib import Path

CLIENT, SERVER = "198.51.100.7:50000", "10.0.1.10:443"
COLUMNS = ("initiator", "initiator_basis", "rule_ids", "rule_match", "rule_note", "reject_cause")


def told(*lines: str, vpc: Snapshot | None = None) -> list[dict[str, Any]]:
    reference = Reference(inventory=Inventory([vpc or small_vpc()]))
    return [
        row
        for batch in batches(lines)
        for row in enrich(batch, reference, columns=COLUMNS).select(COLUMNS).to_pylist()
    ]


def test_all_rules_that_admit_the_opening_side_are_named() -> None:
    (row,) = told(record(WEB, CLIENT, SERVER, out=False, flags=3))

    assert (row["rule_ids"], row["rule_match"]) == (["sgr-https", "sgr-office"], "ambiguous")


def test_an_answer_needs_no_rule() -> None:
    (row,) = told(record(WEB, SERVER, CLIENT, out=True, flags=19))

    assert (row["initiator"], row["rule_ids"], row["rule_match"]) == ("dst", None, "response")


def test_an_answer_of_a_connection_that_is_not_tracked_needs_its_rule() -> None:
    out = rule("sgr-out", "sg-web", protocol=-1, ipv4_cidr="0.0.0.0/0", is_egress=True)

    (row,) = told(
        record(WEB, SERVER, CLIENT, out=True, flags=19), vpc=small_vpc(rules=(*RULES, out))
    )

    assert (row["rule_ids"], row["rule_note"]) == (["sgr-out"], "untracked_reply")


def test_rules_that_leave_one_way_only_tell_who_opened_it() -> None:
    (row,) = told(record(WEB, "10.0.1.10:33333", "10.0.0.2:53", out=True, protocol=17))

    assert (row["initiator"], row["initiator_basis"]) == ("src", "rules")
    assert (row["rule_ids"], row["rule_match"]) == (["sgr-dns"], "unique")


def test_where_rules_leave_both_ways_nothing_is_guessed() -> None:
    (row,) = told(record(LONER, "10.0.1.30:7000", "10.0.9.9:7000", out=True, protocol=17))

    assert (row["initiator"], row["rule_match"], row["rule_note"]) == (
        None,
        "unknown",
        "no_initiator",
    )


def test_an_accepted_record_that_no_rule_admits_says_so() -> None:
    (row,) = told(record(WEB, CLIENT, "10.0.1.10:22", out=False, flags=3))

    assert (row["rule_ids"], row["rule_match"], row["rule_note"]) == ([], "none", "unexplained")


def test_a_match_by_an_icmp_type_is_marked() -> None:
    (row,) = told(record(DATABASE, "10.0.9.9", "10.0.1.20", out=False, protocol=1))

    assert (row["rule_ids"], row["rule_note"]) == (["sgr-ping"], "icmp_type_not_logged")


def test_an_interface_without_groups_has_no_match() -> None:
    vpc = small_vpc()
    bare = replace(vpc, interfaces=(*vpc.interfaces, eni(4, "10.0.1.40", groups="")))

    (row,) = told(record("eni-4", CLIENT, "10.0.1.40:443", out=False, flags=3), vpc=bare)

    assert (row["rule_match"], row["rule_note"]) == (None, "no_security_groups")


def test_an_interface_that_is_not_known_makes_it_unknown() -> None:
    (row,) = told(record("eni-9", CLIENT, "10.0.1.90:443", out=False, flags=3))

    assert (row["rule_match"], row["rule_note"]) == ("unknown", "inventory_gap")


@pytest.mark.parametrize(
    ("port", "cause"), [(22, "security_group"), (443, "network_acl_or_late_packet")]
)
def test_a_reject_is_put_down_to_groups_or_not(port: int, cause: str) -> None:
    line = record(WEB, CLIENT, f"10.0.1.10:{port}", out=False, flags=2, action="REJECT")

    (row,) = told(line)

    assert (row["reject_cause"], row["rule_match"], row["rule_ids"]) == (cause, None, None)


@pytest.mark.parametrize("reason", ["BPA", "EC"])
def test_the_reason_aws_gives_comes_first(reason: str) -> None:
    line = record(WEB, CLIENT, SERVER, out=False, flags=2, action="REJECT", reason=reason)

    assert told(line)[0]["reject_cause"] == reason


def test_without_rules_in_the_inventory_flags_alone_tell() -> None:
    vpc = small_vpc(rules=())
    without = replace(vpc, kinds=vpc.kinds - {"security_group_rules"})

    (row,) = told(record(WEB, CLIENT, SERVER, out=False, flags=3), vpc=without)

    assert row == {
        "initiator": "src",
        "initiator_basis": "flags",
        "rule_ids": None,
        "rule_match": None,
        "rule_note": None,
        "reject_cause": None,
    }


def test_records_without_traffic_are_told_nothing_of() -> None:
    rows = told(quiet(WEB, "NODATA", 0), quiet(WEB, "SKIPDATA", 60))

    assert {tuple(row.values()) for row in rows} == {(None,) * 6}


def test_a_rule_of_another_time_explains_an_accepted_record() -> None:
    gone = [r for r in RULES if r.ipv4_cidr != "0.0.0.0/0"]
    history = Inventory([small_vpc(captured_at=T0 - 3600), small_vpc(rules=gone)])
    (batch,) = batches([record(WEB, "203.0.113.9:50000", SERVER, out=False, flags=3, at=600)])

    found = enrich(batch, Reference(inventory=history), columns={"rule_match", "rule_note"})

    assert found["rule_match"].to_pylist() == ["none"]
    assert found["rule_note"].to_pylist() == ["rule_removed"]


@pytest.mark.parametrize("layout", ["v2", "v5"])
def test_the_whole_recording_contradicts_no_initiator_and_no_rule_that_one_record_tells(
    layout: str, tmp_path: Path
) -> None:
    report = simulated(tmp_path, minutes=2, layout=LAYOUTS[layout])
    inventory = load_inventory(
        report.inventory, captured_at=report.scenario.capture_s, warn=lambda _: None
    )
    reference = Reference(inventory=inventory)
    flows = [
        batch
        for source in find_inputs([str(report.logs)])
        for batch in read_flows(read_input(source), Books())
    ]

    alone = [row for b in flows for row in enrich(b, reference, columns=COLUMNS).to_pylist()]
    together = [
        row
        for b in attribute(flows, reference, RuleBook(inventory), columns=COLUMNS)
        for row in b.to_pylist()
    ]

    told_alone = 0
    for one, whole in zip(alone, together, strict=True):
        if one["initiator"] is not None:
            assert whole["initiator"] == one["initiator"]
            told_alone += 1
        if one["rule_match"] in ("unique", "ambiguous", "response"):
            assert (whole["rule_match"], whole["rule_ids"]) == (one["rule_match"], one["rule_ids"])
        if one["reject_cause"] == "network_acl":
            assert whole["reject_cause"] == "network_acl"
        if one["reject_cause"] == "security_group":
            # Without its request an answer that an ACL rejected looks like one that asked.
            assert whole["reject_cause"] in ("security_group", "network_acl")
    assert told_alone > len(alone) / 2
