"""What each rule admitted, and when it may be called unused."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

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
    watched,
)
from vpcflow.admission import RuleBook
from vpcflow.enrich import Reference
from vpcflow.errors import FormatError
from vpcflow.inventory import FlowLog, Inventory, Snapshot
from vpcflow.rules.coverage import CoverageBuilder
from vpcflow.rules.covered import covered_of
from vpcflow.rules.recording import Recording, Unsettled
from vpcflow.rules.state import State, read_state, write_state
from vpcflow.rules.tally import Tally
from vpcflow.rules.usage import Demands, Usage, usage_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ALWAYS = [line for eni in (WEB, DATABASE, LONER) for line in watched(eni)]
VISITS = [
    record(WEB, "203.0.113.9:50000", "10.0.1.10:443", out=False, flags=3, packets=5, size=500),
    record(WEB, "10.0.1.10:443", "203.0.113.9:50000", out=True, flags=19, packets=4, size=400),
    record(WEB, "198.51.100.7:50001", "10.0.1.10:443", out=False, flags=3),
    record(WEB, "10.0.1.10:40000", "10.0.1.20:5432", out=True, flags=3),
    record(DATABASE, "10.0.1.10:40000", "10.0.1.20:5432", out=False, flags=3),
]


def usage(
    lines: Sequence[str], *snapshots: Snapshot, min_days: float = 0, min_coverage: float = 0.9
) -> Usage:
    inventory = Inventory(snapshots or (small_vpc(),))
    coverage, tally = CoverageBuilder(), Tally(RuleBook(inventory))
    with Recording(Reference(inventory=inventory)) as recording:
        for batch in batches(lines):
            recording.add(batch)
            coverage.add(batch)
        for batch in recording.connections(RuleBook(inventory)):
            tally.add(batch)
    covered = covered_of(inventory, coverage.coverage(inventory))
    return usage_of(inventory, tally.tables(), covered, demands=Demands(min_coverage, min_days))


def of(found: Usage, rule_id: str) -> dict[str, Any]:
    (row,) = [row for row in found.rules if row["rule_id"] == rule_id]
    return row


def test_a_rule_counts_the_connections_it_admits_and_those_that_it_alone_does() -> None:
    found = of(usage([*VISITS, *ALWAYS]), "sgr-https")

    assert (found["connections"], found["unique_connections"]) == (2, 1)
    assert (found["bytes"], found["packets"]) == (1900, 19)
    assert (found["first_seen"], found["last_seen"]) == (T0, T0 + 10)
    assert found["peers"] == 2
    assert found["verdict"] == "used"


def test_peers_are_told_by_group_and_by_block_and_ports_by_number() -> None:
    found = of(usage([*VISITS, *ALWAYS]), "sgr-from-web")

    assert found["peers_by_group"] == [{"group_id": "sg-web", "connections": 1}]
    assert found["peers_by_cidr"] == [{"cidr": "10.0.1.0/24", "connections": 1}]
    assert found["ports"] == [{"port": 5432, "connections": 1}]


def test_a_rule_whose_connections_others_admit_too_is_redundant() -> None:
    assert of(usage([*VISITS, *ALWAYS]), "sgr-office")["verdict"] == "redundant"


def test_a_rule_that_admitted_nothing_is_unused_where_the_logs_would_have_shown_it() -> None:
    found = of(usage([*VISITS, *ALWAYS]), "sgr-all")

    assert (found["verdict"], found["reasons"]) == ("unused", [])


def test_all_rules_are_listed_each_with_one_of_four_verdicts() -> None:
    found = usage([*VISITS, *ALWAYS])

    assert {row["rule_id"] for row in found.rules} == {r.rule_id for r in RULES}
    assert {row["verdict"] for row in found.rules} <= {"used", "redundant", "unused", "unproven"}


def reasons(lines: Sequence[str], *snapshots: Snapshot, **demands: float) -> list[str]:
    found = of(usage(lines, *snapshots, **demands), "sgr-all")
    assert found["verdict"] == "unproven"
    return found["reasons"]


def test_nothing_is_unused_without_records() -> None:
    assert reasons([]) == ["no_records"]


def test_nothing_is_unused_after_too_few_days() -> None:
    assert reasons(ALWAYS, min_days=30) == ["recording_too_short"]


def test_nothing_is_unused_where_intervals_are_missing() -> None:
    lines = [*watched(WEB), *watched(LONER)[::2]]

    assert reasons(lines) == ["coverage_too_low"]


def test_skipped_records_are_no_coverage() -> None:
    lines = [
        *watched(WEB),
        *watched(LONER, last=0),
        *(quiet(LONER, "SKIPDATA", at) for at in range(0, 600, 60)),
    ]

    assert reasons(lines) == ["records_skipped", "coverage_too_low"]


def test_nothing_is_unused_where_an_interface_of_the_group_has_no_records() -> None:
    vpc = small_vpc()
    silent = replace(
        vpc.interfaces[2], interface_id="eni-4", private_addresses=(), attachment_id="eni-attach-4"
    )

    found = reasons(ALWAYS, replace(vpc, interfaces=(*vpc.interfaces, silent)))

    assert found == ["interfaces_not_covered", "coverage_too_low"]


def test_nothing_is_unused_where_only_rejects_are_logged() -> None:
    logs = (FlowLog("fl-1", resource_id="vpc-a", traffic_type="REJECT"),)
    vpc = small_vpc()

    found = reasons(ALWAYS, replace(vpc, kinds=vpc.kinds | {"flow_logs"}, flow_logs=logs))

    assert found == ["rejects_only"]


def test_nothing_is_unused_while_connections_it_may_have_admitted_are_not_understood() -> None:
    ends = "10.0.1.30:7000", "10.0.9.9:7000"
    there = record(LONER, *ends, out=True, protocol=17)
    back = record(LONER, *ends[::-1], out=False, protocol=17)
    lines = [there, back, *ALWAYS]

    assert reasons(lines) == ["initiator_unknown"]


def test_nothing_is_unused_by_a_snapshot_of_another_time() -> None:
    assert reasons(ALWAYS, small_vpc(captured_at=T0 + 30 * 86_400)) == ["inventory_old"]


def test_a_rule_older_than_the_log_is_not_unused() -> None:
    before, now = small_vpc(captured_at=T0 - 30 * 86_400), small_vpc()

    assert reasons(ALWAYS, before, now) == ["coverage_too_low", "log_started_after_rule"]


def test_a_rule_for_what_aws_does_not_log_is_not_unused() -> None:
    time = rule("sgr-time", "sg-db", protocol=17, port=123, ipv4_cidr="10.0.0.0/8", is_egress=True)

    found = of(usage(ALWAYS, small_vpc(rules=(*RULES, time))), "sgr-time")

    assert (found["verdict"], found["reasons"]) == ("unproven", ["traffic_not_logged"])


def test_a_rule_within_another_says_so() -> None:
    assert of(usage([*VISITS, *ALWAYS]), "sgr-office")["reasons"] == ["contained"]


def test_replies_of_untracked_connections_use_their_rule() -> None:
    out = rule("sgr-out", "sg-web", protocol=-1, ipv4_cidr="0.0.0.0/0", is_egress=True)

    found = of(usage([*VISITS, *ALWAYS], small_vpc(rules=(*RULES, out))), "sgr-out")

    assert found["verdict"] == "used"
    assert found["reply_connections"] == 2


def test_groups_tell_what_they_are_attached_to_and_who_refers_to_them() -> None:
    found = {row["group_id"]: row for row in usage([*VISITS, *ALWAYS]).groups}

    assert {g: row["status"] for g, row in found.items()} == {
        "sg-db": "in use",
        "sg-loner": "idle",
        "sg-web": "in use",
    }
    assert found["sg-db"]["referenced_by"] == ["sgr-to-db"]


@pytest.mark.parametrize("seed", range(3))
def test_two_runs_that_share_a_state_give_the_usage_of_one(seed: int, tmp_path: Path) -> None:
    chosen = random.Random(seed)
    lines = [*VISITS, *ALWAYS, quiet(WEB, "SKIPDATA", 60)]
    parts: tuple[list[str], list[str]] = ([], [])
    for line in lines:
        parts[chosen.random() < 0.5].append(line)
    inventory = Inventory([small_vpc()])
    book = RuleBook(inventory)

    for part in parts:
        coverage, settled, every = CoverageBuilder(), Tally(book), Tally(book)
        known = read_state(tmp_path / "state", coverage)
        with Recording(Reference(inventory=inventory)) as recording, Unsettled() as left:
            if known is not None:
                settled.add_tables(known.tally)
                recording.remember(known.memory)
            for batch in batches(part):
                recording.add(batch)
                coverage.add(batch)
            for batch in recording.connections(book, unsettled=left):
                (settled if batch.column("settled")[0].as_py() else every).add(batch)
            state = State(settled.tables(), recording.memory(left))
            write_state(tmp_path / "state", state, coverage)
            every.add_tables(settled.tables())
    found = usage_of(
        inventory,
        every.tables(),
        covered_of(inventory, coverage.coverage(inventory)),
        demands=Demands(0.9, 0),
    )

    assert found == usage(lines)


def test_a_folder_of_something_else_is_no_state(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")

    with pytest.raises(FormatError, match="holds something else"):
        read_state(tmp_path, CoverageBuilder())
