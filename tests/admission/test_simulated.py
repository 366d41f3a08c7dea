"""The rules and network ACLs of a simulated account admit what its own truth says they do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from simulated import simulated, truth_of

from vpcflow.addresses import parse_addresses
from vpcflow.admission import NetworkAcls, Packets, RuleBook
from vpcflow.generate import SimulationReport
from vpcflow.inventory import Inventory, load_inventory

ALLOWED, DENIED = 1, 0
SCENARIOS: dict[str, dict[str, Any]] = {
    "company": {"minutes": 4, "rate_scale": 0.3},
    "scale": {"name": "scale", "records": 10_000, "enis": 200, "groups": 40, "public_addresses": 500},
}  # fmt: skip


@pytest.fixture(scope="module", params=list(SCENARIOS))
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    to: Path = tmp_path_factory.mktemp(request.param)
    return simulated(to, truth=True, **SCENARIOS[request.param])


@pytest.fixture
def inventory(report: SimulationReport) -> Inventory:
    return load_inventory(
        report.inventory, captured_at=report.scenario.capture_s, warn=lambda _: None
    )


def seen_at(
    inventory: Inventory, connections: list[dict[str, Any]], end: str, port: str, *, is_egress: bool
) -> Packets:
    """Give a packet of each connection as the interface at one end sees it, to the port at the end named."""
    other = "responder" if end == "initiator" else "initiator"
    row_of = {one.eni.interface_id: row for row, one in enumerate(inventory.versions)}
    count = len(connections)
    return Packets(
        row=np.array([row_of[t[f"{end}_interface_id"]] for t in connections], np.int32),
        is_egress=np.full(count, is_egress),
        protocol=np.array([t["protocol"] for t in connections], np.int32),
        port=np.array([t[f"{port}_port"] for t in connections], np.int32),
        peer=parse_addresses(pa.array([t[f"{other}_addr"] for t in connections])),
        time_s=np.array([t["start"] for t in connections]).astype(np.int64),
    )


@pytest.mark.parametrize(
    ("end", "rules", "is_egress"),
    [("initiator", "egress_rule_ids", True), ("responder", "ingress_rule_ids", False)],
)
def test_the_rules_that_admit_a_connection_are_those_of_the_truth(
    report: SimulationReport, inventory: Inventory, end: str, rules: str, is_egress: bool
) -> None:
    connections = [t for t in truth_of(report) if t[rules] is not None]
    book = RuleBook(inventory)

    admitted = book.admit(seen_at(inventory, connections, end, "responder", is_egress=is_egress))

    keys = book.keys.to_pylist()
    found = [
        sorted(keys[rule] for rule in admitted.rules[first:last])
        for first, last in zip(admitted.offsets[:-1], admitted.offsets[1:], strict=True)
    ]
    wrong = [
        (t["pattern"], t[rules], by_us)
        for t, by_us in zip(connections, found, strict=True)
        if t[rules] != by_us
    ]
    assert wrong == []
    assert not admitted.uncertain.any()


@pytest.mark.parametrize(
    ("kind", "end", "port", "is_egress"),
    [
        ("request", "initiator", "responder", True),
        ("request", "responder", "responder", False),
        ("reply", "responder", "initiator", True),
        ("reply", "initiator", "initiator", False),
    ],
)
def test_network_acls_deny_what_the_truth_says_they_stopped_and_nothing_that_came_through(
    report: SimulationReport, inventory: Inventory, kind: str, end: str, port: str, is_egress: bool
) -> None:
    connections = [t for t in truth_of(report) if t[f"{end}_interface_id"] is not None]
    direction = "egress" if is_egress else "ingress"
    expected = {"ACCEPT": ALLOWED, "network_acl": DENIED}
    stopped_here = [
        (t["rejected"], t["rejected_direction"]) == (kind, direction) for t in connections
    ]
    told = [
        (t, expected[t["reject_cause"] if here else "ACCEPT"])
        for t, here in zip(connections, stopped_here, strict=True)
        if t["action"] == "ACCEPT" or (here and t["reject_cause"] == "network_acl")
    ]
    packets = seen_at(inventory, [t for t, _ in told], end, port, is_egress=is_egress)

    verdicts = NetworkAcls(inventory).verdict(*packets)

    wrong = [
        (t["pattern"], wanted, verdict)
        for (t, wanted), verdict in zip(told, verdicts.tolist(), strict=True)
        if verdict != wanted
    ]
    assert wrong == []
    assert len(told) > 1_000
