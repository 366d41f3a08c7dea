"""Traffic and rules agree: what is accepted is admitted at both ends, what is rejected is not."""

from __future__ import annotations

from typing import Any

import pytest
from simulated import NetworkAcls, Rules, answer, records_of, truth_of

from vpcflow.generate import SimulationReport

SYN, SYN_ACK = 2, 18


@pytest.fixture(params=["company", "scale"])
def report(request: pytest.FixtureRequest) -> SimulationReport:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, SimulationReport)
    return found


def test_an_opening_tcp_record_is_accepted_exactly_where_a_rule_and_the_network_acl_admit_it(
    report: SimulationReport,
) -> None:
    rules = Rules(report)
    acls = NetworkAcls(report)
    opening = [
        r
        for r in records_of(report)
        if r["tcp-flags"] != "-"
        and int(r["tcp-flags"]) & SYN_ACK == SYN
        and rules.interfaces[r["interface-id"]]["InterfaceType"] != "nat_gateway"
    ]

    wrong = []
    for r in opening:
        egress = r["flow-direction"] == "egress"
        packet = (
            r["pkt-dstaddr" if egress else "pkt-srcaddr"],
            int(r["protocol"]),
            int(r["dstport"]),
            egress,
        )
        admitted = rules.admitting(r["interface-id"], *packet)
        allowed = acls.allow(rules.interfaces[r["interface-id"]], *packet, reply=False)
        if (r["action"] == "ACCEPT") != (bool(admitted) and allowed):
            wrong.append(r)

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
        left = (t["rejected"], t["rejected_direction"]) != ("request", "egress")
        if t["egress_rule_ids"] != egress or t["ingress_rule_ids"] != (ingress if left else None):
            wrong.append(t)

    assert wrong == []
    assert len(truth) == report.connections


def test_the_truth_says_what_stopped_a_connection_and_where(report: SimulationReport) -> None:
    rules = Rules(report)
    acls = NetworkAcls(report)

    wrong = []
    for t in truth_of(report):
        stopped = _first_stop(t, rules, acls) or (None, None, None, None)
        named = ("rejected_interface_id", "rejected", "rejected_direction", "reject_cause")
        told = tuple(t[name] for name in named)
        if told != stopped or (t["action"] == "ACCEPT") != (stopped[0] is None):
            wrong.append((t, stopped))

    assert wrong == []


def _first_stop(
    t: dict[str, Any], rules: Rules, acls: NetworkAcls
) -> tuple[str, str, str, str] | None:
    """Follow a connection's request and reply past both ends; give where it ends and why, None where it does not."""
    own, far = t["initiator_interface_id"], t["responder_interface_id"]
    request, reply = (t["protocol"], t["responder_port"]), (t["protocol"], t["initiator_port"])
    for eni, peer, packet, kind, egress in (
        (own, t["responder_addr"], request, "request", True),
        (far, t["initiator_addr"], request, "request", False),
        (far, t["initiator_addr"], reply, "reply", True),
        (own, t["responder_addr"], reply, "reply", False),
    ):
        if eni is None:
            continue
        direction = "egress" if egress else "ingress"
        if kind == "request" and not rules.admitting(eni, peer, *packet, egress):
            return eni, kind, direction, "security_group"
        if not acls.allow(rules.interfaces[eni], peer, *packet, egress, reply=kind == "reply"):
            return eni, kind, direction, "network_acl"
    return None


def test_network_acls_stop_some_requests_and_some_replies_in_each_direction(
    company: SimulationReport,
) -> None:
    by_acl = [t for t in truth_of(company) if t["reject_cause"] == "network_acl"]

    assert {(t["rejected"], t["rejected_direction"]) for t in by_acl} == {
        (kind, direction) for kind in ("request", "reply") for direction in ("egress", "ingress")
    }


def test_a_reply_is_let_out_or_not_by_the_port_of_the_one_who_asked(
    company: SimulationReport,
) -> None:
    to_exchange = [t for t in truth_of(company) if t["pattern"] == "partner to exchange"]

    low = {t["action"] for t in to_exchange if t["initiator_port"] < 32_768}
    high = {t["action"] for t in to_exchange if t["initiator_port"] >= 32_768}

    assert (low, high) == ({"REJECT"}, {"ACCEPT"})


def test_groups_of_the_peered_vpc_admit_in_both_directions_and_those_behind_a_deleted_peering_none(
    company: SimulationReport,
) -> None:
    rules = answer(company, "describe-security-group-rules")["SecurityGroupRules"]
    across = {
        r["SecurityGroupRuleId"]
        for r in rules
        if r.get("ReferencedGroupInfo", {}).get("PeeringStatus") == "active"
    }
    groups = {
        g["GroupId"]: g["VpcId"]
        for g in answer(company, "describe-security-groups")["SecurityGroups"]
    }
    owners = {groups[r["GroupId"]] for r in rules if r["SecurityGroupRuleId"] in across}

    used = {rule for t in truth_of(company) for rule in t["ingress_rule_ids"] or ()} & across

    assert {groups[r["GroupId"]] for r in rules if r["SecurityGroupRuleId"] in used} == owners
    assert len(owners) == 2


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
    actions: dict[tuple[str, ...], set[str]] = {}
    for r in records:
        ends = (r["pkt-srcaddr"], r["srcport"], r["pkt-dstaddr"], r["dstport"], r["protocol"])
        if r["log-status"] == "OK":
            sums = found.setdefault((r["interface-id"], r["flow-direction"], *ends), [0, 0])
            actions.setdefault((r["interface-id"], r["flow-direction"], *ends), set()).add(
                r["action"]
            )
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
            never_left = (t["rejected"], t["rejected_direction"]) == ("request", "egress")
            if eni is None or (eni == t["responder_interface_id"] and never_left):
                continue
            assert found[(eni, away, *out)] == sent, t
            if _is_answered_at(t, eni):
                assert found[(eni, toward, *back)] == answered, t
            else:
                assert (eni, toward, *back) not in found, t
            checked += 1
            for key in ((eni, away, *out), (eni, toward, *back)):
                is_reply = key[2:] == back
                rejects_here = (t["rejected_interface_id"], t["rejected_direction"]) == key[:2]
                rejected = rejects_here and is_reply == (t["rejected"] == "reply")
                assert actions.get(key, set()) <= {"REJECT" if rejected else "ACCEPT"}, t

    assert checked > 1_000


def _is_answered_at(t: dict[str, Any], interface_id: str) -> bool:
    """Tell whether an end's records show replies, accepted or not."""
    if t["rejected"] == "reply" and t["rejected_direction"] == "egress":
        return interface_id == str(t["responder_interface_id"])
    return t["rejected"] != "request"


def _ends(t: dict[str, object], *, back: bool = False) -> tuple[str, ...]:
    ends = [(str(t[f"{end}_addr"]), str(t[f"{end}_port"])) for end in ("initiator", "responder")]
    if t["protocol"] in (1, 58):
        ends = [(address, "0") for address, _ in ends]
    first, second = reversed(ends) if back else ends
    return (*first, *second, str(t["protocol"]))
