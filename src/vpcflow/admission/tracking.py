"""
Which connections security groups do not track, so that their replies need a rule of their own.

"If a security group rule permits TCP or UDP flows for all traffic (0.0.0.0/0 or ::/0) and there is a corresponding rule
in the other direction that permits all response traffic for any port (0-65535), then that flow of traffic is not
tracked, unless it is part of an automatically tracked connection."
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vpcflow import special_ranges
from vpcflow.admission.packets import TCP, UDP
from vpcflow.dictionaries import with_last
from vpcflow.inventory.networks import network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpcflow.admission.packets import Admitted, Int32s, Packets
    from vpcflow.inventory import Inventory, SecurityGroupRule

Bools = npt.NDArray[np.bool_]

_LAST_PORT = (1 << 16) - 1

_TRACKED_TYPES = frozenset(
    "gateway_load_balancer_endpoint global_accelerator_managed lambda nat_gateway natGateway network_load_balancer"
    " regional_nat_gateway vpc_endpoint".split()
)
"""
Interfaces through which every connection is tracked: Network Firewall's, Global Accelerator's, Lambda's, NAT gateways',
Network Load Balancers' and PrivateLink's. Of AWS's list, egress-only internet gateways and DynamoDB's gateway endpoints
have no interface and are not told apart.
"""


class Tracking:
    """What untracked connections are told by: open rules, and interfaces that track always."""

    def __init__(self, inventory: Inventory, rules: Sequence[SecurityGroupRule]) -> None:
        self._is_open = np.array([_is_open(rule) for rule in rules], np.bool_)
        self._opens_all_ports = self._is_open & np.array(
            [_has_all_ports(rule) for rule in rules], np.bool_
        )
        enis = [version.eni for version in inventory.versions]
        types = np.array([eni.interface_type in _TRACKED_TYPES for eni in enis], np.bool_)
        self._tracks = with_last(types, False)
        self._is_public = with_last(
            np.array([bool(e.public_addresses) for e in enis], np.bool_), True
        )

    def may_be_untracked(self, packets: Packets, admitted: Admitted) -> Bools:
        """Tell which packets an open rule admits, nothing in between making the connection a tracked one."""
        has_ports = (packets.protocol == TCP) | (packets.protocol == UDP)
        tracked = self._tracks[packets.row] | self._tracks[admitted.peer_row]
        tracked |= self._goes_between(packets, admitted.peer_row)
        untracked: Bools = _any(self._is_open, admitted) & has_ports & ~tracked
        return untracked

    def lets_all_replies_through(self, replies: Admitted) -> Bools:
        """Tell which replies an open rule for all ports admits."""
        return _any(self._opens_all_ports, replies)

    def _goes_between(self, packets: Packets, peer_row: Int32s) -> Bools:
        """
        Tell which connections a NAT gateway must be between.

        That is so where an interface without a public address has opened one to the internet, by IPv4. What comes in
        from there is taken as not tracked: a reply rule then looks needed that may not be, the safe way to be wrong.
        """
        far = np.flatnonzero(
            packets.is_egress
            & packets.peer.is_ipv4
            & ~self._is_public[packets.row]
            & (peer_row < 0)
        )
        found = np.zeros(len(packets.row), np.bool_)
        # Documentation addresses stand for public ones wherever they are used.
        internet = (special_ranges.GLOBAL, special_ranges.DOCUMENTATION)
        found[far] = np.isin(special_ranges.classify(packets.peer.take(far)), internet)
        return found


def _any(marked: Bools, admitted: Admitted) -> Bools:
    """Tell which packets a marked rule admits."""
    counts = np.zeros(len(admitted.rules) + 1, np.int64)
    np.cumsum(marked[admitted.rules], out=counts[1:])
    of_packet: Bools = np.diff(counts[admitted.offsets]) > 0
    return of_packet


def _is_open(rule: SecurityGroupRule) -> bool:
    cidr = rule.ipv4_cidr or rule.ipv6_cidr
    block = network(cidr) if cidr else None
    return block is not None and block.bits == 0


def _has_all_ports(rule: SecurityGroupRule) -> bool:
    if rule.protocol not in (TCP, UDP):
        return rule.protocol == -1
    return (rule.from_port or 0) <= 0 and rule.to_port in (None, -1, _LAST_PORT)
