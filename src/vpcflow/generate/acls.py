"""
Which packets network ACLs let through: they keep no state, so replies need entries of their own.

https://docs.aws.amazon.com/vpc/latest/userguide/nacl-basics.html
"""

from __future__ import annotations

import ipaddress
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vpcflow.generate.endpoints import Endpoints
    from vpcflow.generate.network import Network, NetworkAcl, NetworkAclEntry

_NUMBERS = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58}
_ICMP_TYPES = {1: (8, 0), 58: (128, 129)}
"""Types of an echo request and its reply."""


class Acls:
    """Answers for one network, packet by packet."""

    def __init__(self, network: Network, endpoints: Endpoints) -> None:
        self._network = network
        self._endpoints = endpoints
        self._acls = {
            subnet_id: acl for acl in network.network_acls for subnet_id in acl.subnet_ids
        }

    def allow(
        self, eni: int, peer: int, *, egress: bool, protocol: int, port: int, is_reply: bool
    ) -> bool:
        """
        Tell whether a packet passes the ACL of an ENI's subnet; inside a subnet none is asked.

        ``eni`` and ``peer`` are rows of the network's ENIs and of the endpoints, ``port`` is the packet's destination
        port. ICMP packets are echo requests and their replies.
        """
        subnet_id = self._network.enis[eni].subnet_id
        peer_eni = int(self._endpoints.eni[peer])
        if peer_eni >= 0 and self._network.enis[peer_eni].subnet_id == subnet_id:
            return True
        address = _address(self._endpoints.texts[peer])
        number = _ICMP_TYPES[protocol][is_reply] if protocol in _ICMP_TYPES else port
        return next(
            (
                entry.allow
                for entry in self._acls[subnet_id].entries
                if entry.egress is egress
                and _fits(entry, protocol, number)
                and address in _block(entry.cidr)
            ),
            False,
        )

    def port_steps(self, enis: Iterable[int]) -> list[int]:
        """Give the ports from which on the ACLs of these ENIs may answer otherwise, ascending, 0 first."""
        acls = (self._acls[self._network.enis[eni].subnet_id] for eni in enis)
        steps = {0} | {step for acl in acls for step in _steps(acl)}
        return sorted(step for step in steps if 0 <= step <= 65_535)


def _steps(acl: NetworkAcl) -> set[int]:
    with_ports = [e for e in acl.entries if e.protocol in ("tcp", "udp")]
    return {step for e in with_ports for step in (e.from_port, e.to_port + 1)}


def _fits(entry: NetworkAclEntry, protocol: int, number: int) -> bool:
    """Tell whether protocol and port, or ICMP type, are the entry's."""
    if entry.protocol == "-1":
        return True
    if _NUMBERS[entry.protocol] != protocol:
        return False
    if protocol in _ICMP_TYPES:
        return entry.from_port in (-1, number)
    return entry.from_port <= number <= entry.to_port


@cache
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(text)


@cache
def _block(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text)
