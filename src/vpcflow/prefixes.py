"""Longest-prefix lookup for many addresses at once: a table of CIDR blocks, each with a number of its own."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vpcflow.addresses import Addresses

# No value of a block, nor -1, which is none's.
_CUT = np.int32(-2)


class _Block(NamedTuple):
    """A CIDR block: its first address as a number, the length of its prefix, the length of its addresses."""

    first: int
    bits: int
    width: int


class Intervals(NamedTuple):
    """Intervals without gaps, the first from 0, each with a value: -1 where no block is."""

    starts: npt.NDArray[np.uint64] | npt.NDArray[np.bytes_]
    values: npt.NDArray[np.int32]

    def at(self, keys: npt.NDArray[np.uint64] | npt.NDArray[np.bytes_]) -> npt.NDArray[np.int32]:
        """Give the value of the interval each key is in."""
        return self.values[np.searchsorted(self.starts, keys, side="right") - 1]


class PrefixTable(NamedTuple):
    """
    CIDR blocks flattened to intervals.

    ``ipv4_whole`` has the value of each IPv4 /16 that is within one interval, and ``_CUT`` for the others: most
    addresses are found so without a search. IPv6 starts are 16 bytes, big-endian.
    """

    ipv4: Intervals
    ipv6: Intervals
    ipv4_whole: npt.NDArray[np.int32]

    def lookup(self, addresses: Addresses) -> npt.NDArray[np.int32]:
        """Give the value of the longest block that holds each address; -1 where none does, or it is no address."""
        # Where there is no IPv4 address the number may be any: what is found for it is replaced.
        found: npt.NDArray[np.int32] = self.ipv4_whole[
            (addresses.low >> np.uint64(16)) & np.uint64(0xFFFF)
        ]
        found[~addresses.is_ipv4] = -1
        cut = np.flatnonzero(found == _CUT)
        found[cut] = self.ipv4.at(addresses.low[cut])
        ipv6 = np.flatnonzero(addresses.valid & ~addresses.is_ipv4)
        if len(ipv6):
            found[ipv6] = self.ipv6.at(ipv6_keys(addresses.high[ipv6], addresses.low[ipv6]))
        return found


def prefix_table(blocks: Iterable[tuple[str, int]]) -> PrefixTable:
    """
    Build the table from pairs of CIDR block and value (0 or more); of equal blocks the last one counts.

    Raises ValueError where a block is none, or has host bits set.
    """
    values = {_block(cidr): value for cidr, value in blocks}
    ipv4_starts, ipv4_values = _flatten([(b, v) for b, v in values.items() if b.width == 32], 32)
    ipv6_starts, ipv6_values = _flatten([(b, v) for b, v in values.items() if b.width == 128], 128)
    return _table(
        Intervals(np.array(ipv4_starts, np.uint64), np.array(ipv4_values, np.int32)),
        Intervals(
            np.array([start.to_bytes(16) for start in ipv6_starts], "S16"),
            np.array(ipv6_values, np.int32),
        ),
    )


def overlay(upper: PrefixTable, lower: PrefixTable) -> PrefixTable:
    """Give the table with the upper one's values, and the lower one's where the upper has none."""
    return _table(_overlay(upper.ipv4, lower.ipv4), _overlay(upper.ipv6, lower.ipv6))


def ipv6_keys(high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64]) -> npt.NDArray[np.bytes_]:
    """Join the halves of 128-bit numbers to 16 bytes each, which sort and compare as the numbers do."""
    return np.stack([high, low], axis=1).astype(">u8").view("S16").ravel()


def _block(cidr: str) -> _Block:
    """Read a block: what is spelt as usual by the system's function, ten times as fast as ``ipaddress``."""
    text, _, length = cidr.partition("/")
    family, width = (socket.AF_INET6, 128) if ":" in text else (socket.AF_INET, 32)
    if length.isascii() and length.isdigit() and int(length) <= width and "%" not in text:
        with contextlib.suppress(OSError, ValueError):
            first, bits = int.from_bytes(socket.inet_pton(family, text)), int(length)
            if not first & ((1 << (width - bits)) - 1):
                return _Block(first, bits, width)
    network = ipaddress.ip_network(cidr)
    return _Block(int(network.network_address), network.prefixlen, network.max_prefixlen)


def _flatten(blocks: list[tuple[_Block, int]], width: int) -> tuple[list[int], list[int]]:
    """Cut nested blocks into intervals without gaps: each start has the value in force from there on (-1: none)."""
    starts, values = [0], [-1]
    open_blocks: list[tuple[int, int]] = []

    def begin(start: int, value: int) -> None:
        if starts[-1] == start:
            values[-1] = value
        else:
            starts.append(start)
            values.append(value)

    def close_before(start: int) -> None:
        while open_blocks and open_blocks[-1][0] < start:
            end, _ = open_blocks.pop()
            begin(end + 1, open_blocks[-1][1] if open_blocks else -1)

    top = 1 << width
    for block, value in sorted(blocks):
        close_before(block.first)
        begin(block.first, value)
        open_blocks.append((block.first + (1 << (width - block.bits)) - 1, value))
    close_before(top)
    if starts[-1] >= top:
        starts.pop()
        values.pop()
    return starts, values


def _overlay(upper: Intervals, lower: Intervals) -> Intervals:
    starts = np.union1d(upper.starts, lower.starts)
    over, under = upper.at(starts), lower.at(starts)
    return Intervals(starts, np.where(over < 0, under, over))


def _table(ipv4: Intervals, ipv6: Intervals) -> PrefixTable:
    firsts = np.arange(1 << 16, dtype=np.uint64) << np.uint64(16)
    at_first = np.searchsorted(ipv4.starts, firsts, side="right") - 1
    at_last = np.searchsorted(ipv4.starts, firsts | np.uint64(0xFFFF), side="right") - 1
    whole = np.where(at_first == at_last, ipv4.values[at_first], _CUT)
    return PrefixTable(ipv4, ipv6, whole)
