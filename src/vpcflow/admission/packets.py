"""The packets that ask to be let in or out, and what is answered: columns of one length."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vpcflow.addresses import Addresses
from vpcflow.admission.lists import Lists

Int8s = npt.NDArray[np.int8]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

TCP, UDP = 6, 17
ICMP, ICMPV6 = 1, 58


class Packets(NamedTuple):
    """
    *n* packets that open a connection, each seen at a network interface.

    ``row`` is the interface's version, a row of ``Inventory.interfaces``, -1 where unknown; ``is_egress`` is seen from
    the interface. ``protocol`` is the IANA number, ``port`` the packet's destination port, 0 for protocols without.
    ``peer`` is the other end's address as in the packet; ``time_s`` is Unix seconds.
    """

    row: Int32s
    is_egress: Bools
    protocol: Int32s
    port: Int32s
    peer: Addresses
    time_s: Int64s

    def take(self, at: npt.NDArray[np.integer]) -> Packets:
        """Give those at these places, in this order."""
        return Packets(
            self.row[at], self.is_egress[at], self.protocol[at], self.port[at],
            self.peer.take(at), self.time_s[at],
        )  # fmt: skip

    def part(self, first: int, last: int) -> Packets:
        """Give those from ``first`` up to ``last``, without copying."""
        here = slice(first, last)
        valid, is_ipv4, high, low = self.peer
        peer = Addresses(valid[here], is_ipv4[here], high[here], low[here])
        return Packets(
            self.row[here], self.is_egress[here], self.protocol[here], self.port[here],
            peer, self.time_s[here],
        )  # fmt: skip


class Admitted(NamedTuple):
    """
    The rules that admit each of *n* packets.

    Packet *i* has ``rules[offsets[i]:offsets[i + 1]]``, places in ``RuleBook.rules``, ascending. ``approximate``: one
    of them names an ICMP type or code, which flow logs do not tell. ``uncertain``: rules the inventory does not know,
    or whose counterpart it does not, might admit it too. ``peer_row`` is the interface version that holds the peer's
    address where references to groups reach it, -1 where there is none.
    """

    offsets: Int64s
    rules: Int32s
    approximate: Bools
    uncertain: Bools
    peer_row: Int32s

    @property
    def counts(self) -> Int64s:
        """How many rules admit each packet."""
        return np.diff(self.offsets)

    def take(self, at: npt.NDArray[np.integer]) -> Admitted:
        """Give the answers for the packets at these places, in this order."""
        lists = Lists(self.offsets, self.rules).take(at)
        return Admitted(
            lists.offsets, lists.values, self.approximate[at], self.uncertain[at], self.peer_row[at]
        )

    def part(self, first: int, last: int) -> Admitted:
        """Give the answers for the packets from ``first`` up to ``last``, without copying the rules."""
        here = slice(first, last)
        start, end = int(self.offsets[first]), int(self.offsets[last])
        return Admitted(
            self.offsets[first : last + 1] - start, self.rules[start:end],
            self.approximate[here], self.uncertain[here], self.peer_row[here],
        )  # fmt: skip


def joined(parts: list[Admitted]) -> Admitted:
    """Put the answers for consecutive packets together."""
    if len(parts) == 1:
        return parts[0]
    counts = np.concatenate([np.zeros(1, np.int64), *(part.counts for part in parts)])
    return Admitted(
        np.cumsum(counts),
        np.concatenate([np.zeros(0, np.int32), *(part.rules for part in parts)]),
        np.concatenate([np.zeros(0, np.bool_), *(part.approximate for part in parts)]),
        np.concatenate([np.zeros(0, np.bool_), *(part.uncertain for part in parts)]),
        np.concatenate([np.zeros(0, np.int32), *(part.peer_row for part in parts)]),
    )
