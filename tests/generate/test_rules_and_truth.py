"""Traffic and rules agree: what is accepted is admitted at both ends, what is rejected is not."""

from __future__ import annotations

import pytest
from simulated import Rules, records_of, truth_of

from vpcflow.generate import SimulationReport

SYN, SYN_ACK = 2, 18


@pytest.fixture(params=["company", "scale"])
def report(request: pytest.FixtureRequest) -> SimulationReport:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, SimulationReport)
    return found


def test_an_opening_tcp_record_is_accepted_exactly_where_a_rule_admits_it(
    report: SimulationReport,
) -> None:
    rules = Rules(report)
    opening = [
        r
        for r in records_of(report)
        if r["tcp-flags"] != "-"
        and int(r["tcp-flags"]) & SYN_ACK == SYN
        and rules.interfaces[r["interface-id"]]["InterfaceType"] != "nat_gateway"
    ]

    wrong = [
        r
        for r in opening
        if (r["action"] == "ACCEPT")
        != bool(
            rules.admitting(
                r["interface-id"],
                r["pkt-dstaddr" if r["flow-direction"] == "egress" else "pkt-srcaddr"],
                int(r["protocol"]),
                int(r["dstport"]),
                r["flow-direction"] == "egress",
            )
        )
    ]

    assert wrong == []
    assert {r["action"] for r in opening} == {"ACCEPT", "REJECT"}


def test_the_truth_names_all_rules_that_admit_a_connection_at_each_end(
    report: SimulationReport,
) -> None:
    rules = Rules(report)
    truth = truth_of(report)

    wrong = []
    for t in truth:
        here = (t["protocol"], t["responder_port"])
        own, far = t["initiator_interface_id"], t["responder_interface_id"]
        egress = own and list(rules.admitting(own, t["responder_addr"], *here, True))
        ingress = far and list(rules.admitting(far, t["initiator_addr"], *here, False))
        admitted = egress != [] and ingress != []
        stopped_before = egress == []
        if (
            t["egress_rule_ids"] != egress
            or t["ingress_rule_ids"] != (None if stopped_before else ingress)
            or (t["action"] == "ACCEPT") != admitted
        ):
            wrong.append(t)

    assert wrong == []
    assert len(truth) == report.connections


def test_some_connections_are_admitted_by_several_rules_and_some_stopped_at_egress(
    company: SimulationReport,
) -> None:
    truth = truth_of(company)

    several = [t for t in truth if len(t["ingress_rule_ids"] or ()) > 1]
    stopped = [t for t in truth if t["egress_rule_ids"] == []]

    assert several
    assert stopped


def test_each_end_records_every_packet_of_a_connection_in_both_directions(
    report: SimulationReport,
) -> None:
    records = records_of(report)
    skipped = {r["interface-id"] for r in records if r["log-status"] == "SKIPDATA"}
    found: dict[tuple[str, ...], list[int]] = {}
    for r in records:
        ends = (r["pkt-srcaddr"], r["srcport"], r["pkt-dstaddr"], r["dstport"], r["protocol"])
        if r["log-status"] == "OK":
            sums = found.setdefault((r["interface-id"], r["flow-direction"], *ends), [0, 0])
            sums[0] += int(r["packets"])
            sums[1] += int(r["bytes"])
    whole = [
        t
        for t in truth_of(report)
        if t["start"] >= report.scenario.start_s
        and t["end"] < report.last_s - 120
        and not skipped & {t["initiator_interface_id"], t["responder_interface_id"]}
    ]
    seen: dict[tuple[str, ...], int] = {}
    for t in truth_of(report):
        seen[_ends(t)] = seen.get(_ends(t), 0) + 1

    checked = 0
    for t in whole:
        if seen[_ends(t)] > 1:
            continue
        out, back = _ends(t), _ends(t, back=True)
        sent, answered = [t["packets_out"], t["bytes_out"]], [t["packets_in"], t["bytes_in"]]
        for eni, toward, away in (
            (t["initiator_interface_id"], "ingress", "egress"),
            (t["responder_interface_id"], "egress", "ingress"),
        ):
            if eni is None or (eni == t["responder_interface_id"] and t["egress_rule_ids"] == []):
                continue
            assert found[(eni, away, *out)] == sent, t
            if t["action"] == "ACCEPT":
                assert found[(eni, toward, *back)] == answered, t
            else:
                assert (eni, toward, *back) not in found, t
            checked += 1

    assert checked > 1_000


def _ends(t: dict[str, object], *, back: bool = False) -> tuple[str, ...]:
    ends = [(str(t[f"{end}_addr"]), str(t[f"{end}_port"])) for end in ("initiator", "responder")]
    if t["protocol"] in (1, 58):
        ends = [(address, "0") for address, _ in ends]
    first, second = reversed(ends) if back else ends
    return (*first, *second, str(t["protocol"]))
