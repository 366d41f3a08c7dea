"""Packets the kernel logged: their headers, what became of them, and which rules let them pass."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, NamedTuple

from lab.firewall import ACCEPT, REJECT, RULE
from lab.vpc import TCP, UDP

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lab.kernel_log import Logged

Tuple5 = tuple[str, int, str, int, int]
"""Source address and port, destination address and port, protocol; ports are 0 where there are none."""


class Packet(NamedTuple):
    """
    A packet at an interface.

    ``known`` is how the kernel's connection tracking knows it: ``original`` where it goes the way of the packet that
    opened the connection, ``reply``, ``untracked``; ``in`` or ``out`` at a NAT gateway, empty where it was rejected.
    ``rules`` are the ids of those that matched; a packet of a tracked connection is asked none.
    """

    time_s: int
    interface: str
    is_egress: bool
    action: str
    known: str
    rules: tuple[str, ...]
    source: str
    source_port: int
    destination: str
    destination_port: int
    protocol: int
    tcp_flags: int
    bytes: int

    @property
    def tuple5(self) -> Tuple5:
        return (
            self.source, self.source_port, self.destination, self.destination_port, self.protocol,
        )  # fmt: skip

    @property
    def reverse(self) -> Tuple5:
        return (
            self.destination, self.destination_port, self.source, self.source_port, self.protocol,
        )  # fmt: skip


def packets_of(
    logged: Iterable[Logged], interface: str, own: frozenset[str], time_s: int
) -> Iterator[Packet]:
    """Yield the packets of log messages: what rules say of a packet comes before what became of it."""
    rules: dict[bytes, set[str]] = {}
    for words, packet in logged:
        what, _, more = words.partition(" ")
        if what == RULE:
            rules.setdefault(packet, set()).add(more)
            continue
        action = {ACCEPT: "ACCEPT", REJECT: "REJECT"}[what]
        found = _headers(packet)
        is_egress = more == "out" if more in ("in", "out") else found[0] in own
        matched = tuple(sorted(rules.pop(packet, ())))
        yield Packet(time_s, interface, is_egress, action, more, matched, *found)
    if rules:
        raise ValueError(f"{interface}: rules matched a packet of which the kernel says no more")


def _headers(packet: bytes) -> tuple[str, int, str, int, int, int, int]:
    if packet[0] >> 4 == 4:
        length, protocol = struct.unpack_from(">2xH5xB", packet)
        source, destination = (str(IPv4Address(packet[at : at + 4])) for at in (12, 16))
        behind = (packet[0] & 15) * 4
    else:
        payload, protocol = struct.unpack_from(">4xHB", packet)
        length, behind = payload + 40, 40
        source, destination = (str(IPv6Address(packet[at : at + 16])) for at in (8, 24))
    source_port, destination_port = 0, 0
    if protocol in (TCP, UDP):
        source_port, destination_port = struct.unpack_from(">HH", packet, behind)
    flags = packet[behind + 13] if protocol == TCP else 0
    return source, source_port, destination, destination_port, protocol, flags, length
