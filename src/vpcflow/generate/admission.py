"""
What becomes of a connection, by security group rules and network ACLs: the truth the traffic is made by.

https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from vpcflow.generate.acls import Acls

if TYPE_CHECKING:
    from vpcflow.generate.endpoints import Endpoints
    from vpcflow.generate.network import Network, Rule

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58

ACCEPTED, REJECTED_EGRESS, REJECTED_INGRESS, REPLY_REJECTED_EGRESS, REPLY_REJECTED_INGRESS = range(
    5
)
"""
Verdicts: where a connection is stopped, if it is.

Its first packet where it leaves the initiator or reaches the responder, by groups or network ACLs; else the reply where
it leaves the responder or reaches the initiator, by network ACLs alone.
"""

_NUMBERS = {"icmp": ICMP, "tcp": TCP, "udp": UDP, "icmpv6": ICMPV6}
_ECHO_REQUEST = {ICMP: 8, ICMPV6: 128}

_Block = ipaddress.IPv4Network | ipaddress.IPv6Network


class Admission:
    """Answers for one network; remembers rules by group and parsed addresses, not answers: those never end."""

    def __init__(self, network: Network, endpoints: Endpoints) -> None:
        self._network = network
        self._endpoints = endpoints
        self._lists = {
            pl.id: [ipaddress.ip_network(cidr) for cidr, _ in pl.entries]
            for pl in network.prefix_lists
        }
        self._blocks: dict[str, list[_Block]] = {}
        self._rules: dict[tuple[str, bool], list[Rule]] = {}
        for rule in network.rules:
            self._rules.setdefault((rule.group_id, rule.egress), []).append(rule)
        self._fitting: dict[tuple[tuple[str, ...], bool, int, int], list[Rule]] = {}
        self._addresses: dict[int, ipaddress.IPv4Address | ipaddress.IPv6Address] = {}
        self._acls = Acls(network, endpoints)

    def rules(
        self, eni: int, peer: int, *, egress: bool, protocol: int, port: int
    ) -> tuple[str, ...]:
        """
        Give the ids of all rules of the ENI's groups that admit a connection, sorted; none means it is rejected.

        ``eni`` and ``peer`` are rows of the network's ENIs and of the endpoints. ``port`` is the responder's port; an
        ICMP connection is an echo request.
        """
        peer_groups = self._referable(eni, int(self._endpoints.eni[peer]))
        found = []
        for rule in self._rules_for(eni, egress, protocol, port):
            blocks = self._blocks_of(rule.peer)
            if rule.peer in peer_groups or (blocks and self._is_in(peer, blocks)):
                found.append(rule.id)
        return tuple(found)

    def verdict(self, initiator: int, responder: int, *, protocol: int, port: int) -> int:
        """Tell what becomes of the first packet: ``ACCEPTED``, ``REJECTED_EGRESS`` or ``REJECTED_INGRESS``."""
        own, far = (int(self._endpoints.eni[row]) for row in (initiator, responder))
        for eni, peer, egress, stopped in (
            (own, responder, True, REJECTED_EGRESS),
            (far, initiator, False, REJECTED_INGRESS),
        ):
            if eni < 0:
                continue
            allowed = self._acls.allow(
                eni, peer, egress=egress, protocol=protocol, port=port, is_reply=False
            )
            rules = self.rules(eni, peer, egress=egress, protocol=protocol, port=port)
            if not allowed or not rules:
                return stopped
        return ACCEPTED

    def reply_verdicts(
        self, initiator: int, responder: int, *, protocol: int
    ) -> tuple[tuple[int, int], ...]:
        """
        Tell what becomes of the replies to a first packet that was accepted: the verdict from each port on.

        The ports are the initiator's, ascending, the first is 0. Network ACLs alone decide: groups keep state.
        """
        own, far = (int(self._endpoints.eni[row]) for row in (initiator, responder))
        found: list[tuple[int, int]] = []
        for port in self._acls.port_steps(eni for eni in (own, far) if eni >= 0):
            verdict = ACCEPTED
            for eni, peer, egress, stopped in (
                (own, responder, False, REPLY_REJECTED_INGRESS),
                (far, initiator, True, REPLY_REJECTED_EGRESS),
            ):
                if eni >= 0 and not self._acls.allow(
                    eni, peer, egress=egress, protocol=protocol, port=port, is_reply=True
                ):
                    verdict = stopped
            if not found or found[-1][1] != verdict:
                found.append((port, verdict))
        return tuple(found)

    def _referable(self, eni: int, peer_eni: int) -> tuple[str, ...]:
        """Give the groups of a peer that rules of an ENI can refer to: those in its VPC, or in one peered with."""
        if peer_eni < 0:
            return ()
        own, peer = self._network.enis[eni], self._network.enis[peer_eni]
        reached = own.vpc_id == peer.vpc_id or self._network.are_peered(own.vpc_id, peer.vpc_id)
        return peer.group_ids if reached else ()

    def _is_in(self, peer: int, blocks: list[_Block]) -> bool:
        if peer not in self._addresses:
            self._addresses[peer] = ipaddress.ip_address(self._endpoints.texts[peer])
        return any(self._addresses[peer] in block for block in blocks)

    def _rules_for(self, eni: int, egress: bool, protocol: int, port: int) -> list[Rule]:
        """Give the rules of an ENI's groups that fit but for the peer, sorted by id."""
        key = (self._network.enis[eni].group_ids, egress, protocol, port)
        if key not in self._fitting:
            rules = (r for group_id in key[0] for r in self._rules.get((group_id, egress), ()))
            fitting = [rule for rule in rules if _allows(rule, protocol, port)]
            self._fitting[key] = sorted(fitting, key=lambda rule: rule.id)
        return self._fitting[key]

    def _blocks_of(self, peer: str) -> list[_Block]:
        """Give the CIDRs a rule's peer stands for; a group stands for none."""
        if peer not in self._blocks:
            if peer.startswith("sg-"):
                self._blocks[peer] = []
            else:
                self._blocks[peer] = self._lists.get(peer) or [ipaddress.ip_network(peer)]
        return self._blocks[peer]


def _allows(rule: Rule, protocol: int, port: int) -> bool:
    if rule.protocol == "-1":
        return True
    if _NUMBERS[rule.protocol] != protocol:
        return False
    if protocol in _ECHO_REQUEST:
        return rule.from_port in (-1, _ECHO_REQUEST[protocol])
    return rule.from_port <= port <= rule.to_port
