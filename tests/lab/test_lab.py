"""The kernel as a judge: what it let through, by which rules, and what vpcflow makes of the flow records of that."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import orjson
import pyarrow as pa
import pytest
from lab.calls import CALLS
from lab.changes import CHANGES
from lab.connections import connections_of
from lab.judged import LAYOUTS, Lab, Verdict, told_by
from lab.records import INTERVAL_S, LENGTH_S, T0, V2, V5, records_of
from lab.run import why_not
from lab.vpc import LAB, TCP, UDP, rule

from vpcflow.addresses import parse_addresses
from vpcflow.admission import Packets, RuleBook
from vpcflow.inventory import load_inventory

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lab.connections import Connection
pytestmark = pytest.mark.integration

_COUNTS = ("connections", "unique_connections", "packets", "bytes")
_ENIS = {one.id: one for one in LAB.interfaces}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    if reason := why_not():
        pytest.skip(f"there is no lab here: {reason}")
    return Lab(tmp_path_factory.mktemp("lab"))


def test_a_packet_is_accepted_iff_rules_match_and_those_are_the_kernels(lab: Lab) -> None:
    connections = _guarded(connections_of(lab.run.packets))

    ours = _admitted(lab.inventory(), connections)

    assert {one.action for one in connections} == {"ACCEPT", "REJECT"}
    assert ours == [one.rules for one in connections]
    assert [bool(rules) for rules in ours] == [one.action == "ACCEPT" for one in connections]


def test_version_5_tells_all_but_what_nothing_tells(lab: Lab) -> None:
    verdicts = lab.verdicts(V5)

    assert _wrong(verdicts) == []
    assert all(_told_by(one) == "nothing" for one in _null(verdicts))
    assert _shares(verdicts, TCP) == (1.0, 0.0)


def test_version_2_is_never_wrong_and_tells_nearly_all(lab: Lab) -> None:
    verdicts = lab.verdicts(V2)

    assert _wrong(verdicts) == []
    assert all(_told_by(one) != "more" for one in _null(verdicts))
    assert _shares(verdicts, TCP)[0] >= 0.98


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("how", ["skipped", "missing"])
def test_lost_intervals_make_nothing_wrong(lab: Lab, how: str, layout: str) -> None:
    intervals = [(o.name, n) for o in LAB.interfaces for n in range(LENGTH_S // INTERVAL_S)]
    lost = [one for number, one in enumerate(intervals) if number * 7 % 5 == 0]

    verdicts = lab.verdicts(LAYOUTS[layout], **{how: lost})

    assert _wrong(verdicts) == []
    assert _shares(verdicts, TCP)[0] > 0.9


def test_both_legs_at_a_nat_gateway_have_their_opener(lab: Lab) -> None:
    verdicts = [v for v in lab.verdicts(V5) if not v.has_groups]

    assert Counter(one.opener_is for one in verdicts) == {"right": len(verdicts)}
    assert {one.row["rule_note"] for one in verdicts} == {"no_security_groups"}
    assert len({one.row["srcaddr"] for one in verdicts}) == 5


def test_usage_counts_what_the_kernel_counted(lab: Lab) -> None:
    expected = _kernel_usage(lab)

    log = lab.log(records_of(lab.run.packets, LAB))
    usage = orjson.loads(lab.rules("usage", log, "--format", "json", "--geo", "off"))

    counted = {one["rule_id"]: Counter({n: one[n] for n in _COUNTS}) for one in usage["rules"]}
    assert counted == expected
    assert sum(one["connections"] == 0 for one in usage["rules"]) < len(LAB.rules) / 4


@pytest.mark.parametrize("name", CHANGES)
def test_a_replay_foretells_what_a_change_does(lab: Lab, name: str) -> None:
    change = lab.new("change.json")
    change.write_bytes(orjson.dumps(CHANGES[name].document))
    before, after = (
        {
            one.place: one.action
            for one in _guarded(connections_of(run.packets))
            if told_by(one.tuple5) != "nothing"
        }
        for run in (lab.run, lab.runs[name])
    )
    moved = {place: (before[place], after[place]) for place in before.keys() & after.keys()}
    refused = {place for place, seen in moved.items() if seen == ("ACCEPT", "REJECT")}
    admitted = {place for place, seen in moved.items() if seen == ("REJECT", "ACCEPT")}

    log = lab.log(records_of(lab.run.packets, LAB))
    replay = orjson.loads(lab.rules("replay", log, "--change", change, "--format", "json"))

    ours = {kind: {_place(entry) for entry in replay[kind]} for kind in ("refused", "admitted")}
    assert (ours["refused"] & after.keys(), ours["admitted"] & after.keys()) == (refused, admitted)
    # Where the one end refuses a packet, the other is not asked; between them addresses may be translated.
    never_came = ours["refused"] - after.keys()
    assert {_ports(tuple5) for _, tuple5 in never_came} <= {_ports(t) for _, t in refused}
    assert replay["incomplete"] == []


def test_calls_that_arrive_are_those_the_changes_leave(lab: Lab) -> None:
    arrived = {name: sum(run.arrived) for name, run in lab.runs.items()}

    assert arrived["closed"] == 0
    assert arrived["tracked"] == arrived["unchanged"]
    assert 0 < arrived["narrower"] < arrived["unchanged"] < len(CALLS)


@pytest.mark.parametrize("left_out", ["sgr-0fffffffffffff010", "sgr-0fffffffffffff020"])
def test_an_inventory_that_lacks_a_rule_is_noticed(lab: Lab, left_out: str) -> None:
    verdicts = lab.verdicts(V5, vpc=LAB.changed(remove=[left_out]))

    noticed = [one for one in verdicts if one.rules_are != "right" and one.truth.rules]
    assert any(left_out in (one.truth.rules or ()) for one in noticed)


def test_an_inventory_with_a_rule_too_many_is_noticed(lab: Lab) -> None:
    extra = rule(99, LAB.rules[0].group_id, "ingress", TCP, (443, 443), "192.0.2.0/24")

    verdicts = lab.verdicts(V5, vpc=LAB.changed(add=(extra,)))

    assert {rule_id for one in _wrong(verdicts) for rule_id in one.row["rule_ids"]} > {extra.id}


def test_an_inventory_that_knows_another_member_of_a_group_is_noticed(lab: Lab) -> None:
    interfaces = tuple(
        replace(one, group_ids=one.group_ids[:1]) if one.name == "ops" else one
        for one in LAB.interfaces
    )

    ours = _admitted(
        lab.inventory(replace(LAB, interfaces=interfaces)),
        connections := _guarded(connections_of(lab.run.packets)),
    )

    differing = [one for one, rules in zip(connections, ours) if rules != one.rules]
    assert {one.interface for one in differing} > {"app1", "database"}


def _kernel_usage(lab: Lab) -> dict[str, Counter[str]]:
    """Count for each rule what it admitted, of all connections whose opener flow records tell."""
    expected = {one.id: Counter(dict.fromkeys(_COUNTS, 0)) for one in LAB.rules}
    connections = _guarded(connections_of(lab.run.packets))
    for one in connections:
        if one.action != "ACCEPT" or told_by(one.tuple5) == "nothing":
            continue
        # Without ports all that two hosts say is one connection to flow records: what was rejected of it counts too.
        turned_away = [
            other
            for other in connections
            if other.action == "REJECT" and other.is_between(one) and TCP != one.tuple5[4] != UDP
        ]
        for rules in (one.rules, one.reply_rules):
            for rule_id in rules:
                for name, count in (
                    ("connections", 1),
                    ("unique_connections", len(rules) == 1),
                    ("packets", sum(o.packets for o in (one, *turned_away))),
                    ("bytes", sum(o.bytes for o in (one, *turned_away))),
                ):
                    expected[rule_id][name] += int(count)
    return expected


def _guarded(connections: Iterable[Connection]) -> list[Connection]:
    return [one for one in connections if LAB.interface(one.interface).group_ids]


def _admitted(folder: Path, connections: list[Connection]) -> list[tuple[str, ...]]:
    """Ask our rule book for the rules that admit the packets that opened connections."""
    inventory = load_inventory(folder, warn=print)
    book = RuleBook(inventory)
    rows = {version.eni.interface_id: row for row, version in enumerate(inventory.versions)}
    ends = [one.tuple5[2:4] if one.is_egress else one.tuple5[:2] for one in connections]
    found = book.admit(
        Packets(
            np.array([rows[LAB.interface(o.interface).id] for o in connections], np.int32),
            np.array([one.is_egress for one in connections], np.bool_),
            np.array([one.tuple5[4] for one in connections], np.int32),
            np.array([one.tuple5[3] for one in connections], np.int32),
            parse_addresses(pa.array([address for address, _ in ends])),
            np.full(len(connections), T0, np.int64),
        )
    )
    return [
        tuple(sorted(book.rules[number].key for number in found.rules[first:last]))
        for first, last in zip(found.offsets[:-1], found.offsets[1:])
    ]


def _place(entry: dict[str, object]) -> tuple[str, tuple[object, ...]]:
    names = "initiator_addr initiator_port responder_addr responder_port protocol".split()
    return _ENIS[str(entry["interface_id"])].name, tuple(entry[name] for name in names)


def _ports(tuple5: tuple[object, ...]) -> tuple[object, ...]:
    return tuple5[1], *tuple5[3:]


def _wrong(verdicts: list[Verdict]) -> list[Verdict]:
    return [one for one in verdicts if "wrong" in (one.opener_is, one.rules_are)]


def _null(verdicts: list[Verdict]) -> list[Verdict]:
    return [one for one in verdicts if "null" in (one.opener_is, one.rules_are)]


def _told_by(verdict: Verdict) -> str:
    values = verdict.record.values
    names = ("pkt-srcaddr", "srcport", "pkt-dstaddr", "dstport", "protocol")
    return told_by(tuple(values[name] for name in names))  # type: ignore[arg-type]


def _shares(verdicts: list[Verdict], protocol: int) -> tuple[float, float]:
    """Give the shares of records of a protocol of which all is right, and something is wrong."""
    some = [one for one in verdicts if one.row["protocol"] == protocol]
    right = [one for one in some if (one.opener_is, one.rules_are) == ("right", "right")]
    return len(right) / len(some), len(_wrong(some)) / len(some)
