"""Connections at interfaces, as the kernel's log tells of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.packets import Packet, Tuple5


@dataclass
class Connection:
    """
    A connection at an interface, by the packet that opened it; ``packets`` and ``bytes`` count both ways.

    ``reply_rules`` are those that let replies through where the kernel was told not to track it.
    """

    interface: str
    tuple5: Tuple5
    is_egress: bool
    action: str
    rules: tuple[str, ...]
    time_s: int
    reply_rules: tuple[str, ...] = ()
    is_answered: bool = False
    packets: int = 0
    bytes: int = 0

    @property
    def place(self) -> tuple[str, Tuple5]:
        return self.interface, self.tuple5

    def is_between(self, other: Connection) -> bool:
        """Tell whether it has the same ends, seen at the same interface."""
        ends, other_ends = ({one.tuple5[:2], one.tuple5[2:4]} for one in (self, other))
        return (
            self.interface == other.interface
            and ends == other_ends
            and self.tuple5[4] == other.tuple5[4]
        )


def with_connections(packets: Iterable[Packet]) -> list[tuple[Packet, Connection]]:
    """Find each packet's connection; raises ValueError where the kernel calls one a reply that opened it."""
    current: dict[tuple[str, frozenset[object]], Connection] = {}
    found = []
    for packet in packets:
        key = packet.interface, frozenset([packet.tuple5, packet.reverse])
        connection = current.get(key)
        if connection is None or _opens_another(packet, connection):
            connection = current[key] = Connection(
                packet.interface, packet.tuple5, packet.is_egress, packet.action, packet.rules,
                packet.time_s,
            )  # fmt: skip
        is_reply = packet.tuple5 != connection.tuple5
        if packet.known in ("original", "reply") and is_reply != (packet.known == "reply"):
            raise ValueError(f"the kernel knows another opener of {connection}: {packet}")
        connection.is_answered |= is_reply
        if is_reply and packet.known == "untracked":
            connection.reply_rules = packet.rules
        connection.packets += 1
        connection.bytes += packet.bytes
        found.append((packet, connection))
    return found


def connections_of(packets: Iterable[Packet]) -> list[Connection]:
    """Give all connections, accepted and rejected."""
    return list({id(one): one for _, one in with_connections(packets)}.values())


def _opens_another(packet: Packet, connection: Connection) -> bool:
    """Tell whether a packet that was judged by rules is not of the connection its ends had."""
    if packet.action == "REJECT":
        return packet.tuple5 != connection.tuple5 or connection.action != "REJECT"
    # The kernel asks rules of what opens a connection alone, and of all that follows until there is an answer.
    is_new = packet.known == "original" and bool(packet.rules)
    return is_new and (connection.is_answered or packet.tuple5 != connection.tuple5)
