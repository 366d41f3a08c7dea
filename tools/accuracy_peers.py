"""
What others make of the same records, to compare with.

``Sample`` is the algorithm of AWS's stale-securitygroup-rule-analysis-with-serverless-architecture, written anew after
reading it: rules are hit by destination port, those of the interface's last group, whatever became of the packet;
protocol 17 is no UDP to it. Its faults at run time (rules it cannot read) are not repeated. ``Original`` takes the
direction that aws-vpc-flow-log-appender infers for who opened the connection.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from accuracy_truth import NULL, RIGHT, WRONG, Expected

from vpcflow.inventory import Eni, Inventory
from vpcflow.inventory.model import SecurityGroupRule

# The rule's protocol by the record's: what it takes for UDP is protocol 27.
_PROTOCOLS = {6: 6, 27: 17, 1: 1}
_ALL = -1


class Sample:
    """AWS's sample: which rules a record hits."""

    def __init__(self, inventory: Inventory) -> None:
        (snapshot,) = inventory.snapshots
        self._enis: Mapping[str, Eni] = {eni.interface_id: eni for eni in snapshot.interfaces}
        self._rules: dict[tuple[str, bool], list[SecurityGroupRule]] = defaultdict(list)
        for rule in snapshot.security_group_rules:
            self._rules[rule.group_id, rule.is_egress].append(rule)

    def hits(self, record: dict[str, Any]) -> frozenset[str]:
        """Give the rules a record counts for; ``direction`` stands in where the log has no flow-direction."""
        eni = self._enis.get(record["interface_id"])
        if eni is None or not eni.groups:
            return frozenset()
        rules = self._rules[eni.groups[-1].group_id, record["direction"] == "egress"]
        if len(rules) == 1:
            return frozenset(rule.key for rule in rules)
        return frozenset(
            rule.key for rule in rules if _hits(rule, record["protocol"], record["dstport"])
        )

    def judge(self, record: dict[str, Any], expected: Expected) -> str | None:
        """
        Compare the hits of a record at an interface with groups.

        In favour of the sample some of the rules that admitted the record are enough, and none for replies and
        rejected records; any other rule is wrong.
        """
        if not expected.legs[0].has_groups:
            return None
        hits = self.hits(record)
        if any(hits <= rules if hits else not rules for rules in expected.rule_sets):
            return RIGHT
        return WRONG if hits else NULL


class Original:
    """The original: ``inbound`` where a record goes to the interface's primary address, else ``outbound``."""

    def __init__(self, inventory: Inventory) -> None:
        (snapshot,) = inventory.snapshots
        self._primary = {
            eni.interface_id: next((a.address for a in eni.private_addresses if a.is_primary), None)
            for eni in snapshot.interfaces
        }
        self._own = {
            eni.interface_id: {a.address for a in eni.private_addresses} | {*eni.ipv6_addresses}
            for eni in snapshot.interfaces
        }

    def initiator(self, record: dict[str, Any]) -> str | None:
        """Take who sends inbound packets for the opener, and the interface itself for outbound ones."""
        interface = record["interface_id"]
        if interface not in self._primary:
            return None
        if record["dstaddr"] == self._primary[interface]:
            return "src"
        return "src" if record["srcaddr"] in self._own[interface] else "dst"

    def judge(self, record: dict[str, Any], expected: Expected) -> str:
        """Compare who it takes for the opener."""
        given = self.initiator(record)
        return NULL if given is None else RIGHT if given in expected.initiators else WRONG


def _hits(rule: SecurityGroupRule, protocol: int, port: int) -> bool:
    if rule.protocol not in (_ALL, _PROTOCOLS.get(protocol)):
        return False
    first, last = rule.from_port, rule.to_port
    if first is None or last is None or first == -1:
        return True
    return first <= port <= last
