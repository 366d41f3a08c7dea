"""Longest-prefix lookup for many addresses at once: a table of CIDR blocks, each with a number of its own."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vpcflow.addresses import Addresses

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class PrefixTable(NamedTuple):
    """
    CIDR blocks flattened to sorted intervals: the one that holds an address begins at the last start not above it.

    IPv6 starts are 16 bytes, big-endian: numpy compares them as 128-bit numbers.
    """

    ipv4_starts: npt.NDArray[np.uint64]
    ipv4_values: npt.NDArray[np.int32]
    ipv6_starts: npt.NDArray[np.bytes_]
    ipv6_values: npt.NDArray[np.int32]

    def lookup(self, addresses: Addresses) -> npt.NDArray[np.int32]:
        """Give the value of the longest block that holds each address; -1 where none does, or it is no address."""
        found = np.full(len(addresses.valid), -1, np.int32)
        ipv4 = np.flatnonzero(addresses.is_ipv4)
        found[ipv4] = _in_force(self.ipv4_starts, self.ipv4_values, addresses.low[ipv4])
        ipv6 = np.flatnonzero(addresses.valid & ~addresses.is_ipv4)
        if len(ipv6):
            keys = ipv6_keys(addresses.high[ipv6], addresses.low[ipv6])
            found[ipv6] = _in_force(self.ipv6_starts, self.ipv6_values, keys)
        return found


def prefix_table(blocks: Iterable[tuple[str, int]]) -> PrefixTable:
    """
    Build the table from pairs of CIDR block and value (0 or more); of equal blocks the last one counts.

    Raises ValueError where a block is none, or has host bits set.
    """
    values = {ipaddress.ip_network(cidr): value for cidr, value in blocks}
    ipv4_starts, ipv4_values = _flatten([(n, v) for n, v in values.items() if n.version == 4])
    ipv6_starts, ipv6_values = _flatten([(n, v) for n, v in values.items() if n.version == 6])
    return PrefixTable(
        np.array(ipv4_starts, np.uint64),
        np.array(ipv4_values, np.int32),
        np.array([start.to_bytes(16) for start in ipv6_starts], "S16"),
        np.array(ipv6_values, np.int32),
    )


def overlay(upper: PrefixTable, lower: PrefixTable) -> PrefixTable:
    """Give the table with the upper one's values, and the lower one's where the upper has none."""
    ipv4_starts = np.union1d(upper.ipv4_starts, lower.ipv4_starts)
    ipv6_starts = np.union1d(upper.ipv6_starts, lower.ipv6_starts)
    return PrefixTable(
        ipv4_starts,
        _over(
            _in_force(upper.ipv4_starts, upper.ipv4_values, ipv4_starts),
            _in_force(lower.ipv4_starts, lower.ipv4_values, ipv4_starts),
        ),
        ipv6_starts,
        _over(
            _in_force(upper.ipv6_starts, upper.ipv6_values, ipv6_starts),
            _in_force(lower.ipv6_starts, lower.ipv6_values, ipv6_starts),
        ),
    )


def ipv6_keys(high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64]) -> npt.NDArray[np.bytes_]:
    """Join the halves of 128-bit numbers to 16 bytes each, which sort and compare as the numbers do."""
    return np.stack([high, low], axis=1).astype(">u8").view("S16").ravel()


def _flatten(blocks: list[tuple[_Network, int]]) -> tuple[list[int], list[int]]:
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

    top = 0
    for network, value in sorted(blocks, key=lambda b: (int(b[0].network_address), b[0].prefixlen)):
        first, top = int(network.network_address), (1 << network.max_prefixlen)
        close_before(first)
        begin(first, value)
        open_blocks.append((first + network.num_addresses - 1, value))
    close_before(top)
    if starts[-1] >= top > 0:
        starts.pop()
        values.pop()
    return starts, values


def _in_force(
    starts: npt.NDArray[np.uint64] | npt.NDArray[np.bytes_],
    values: npt.NDArray[np.int32],
    keys: npt.NDArray[np.uint64] | npt.NDArray[np.bytes_],
) -> npt.NDArray[np.int32]:
    return values[np.searchsorted(starts, keys, side="right") - 1]


def _over(upper: npt.NDArray[np.int32], lower: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    return np.where(upper < 0, lower, upper)
