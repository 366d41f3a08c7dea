"""
Who held an address: single addresses and delegated prefixes as numbers, found for many addresses at once.

A single address is a network of 32 or 128 bits, so that both are found the same way: longest prefix first.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vpcflow.addresses import Addresses

Int32s = npt.NDArray[np.int32]


class Network(NamedTuple):
    """A network: its first address as a number, how many of its bits are fixed, and whether it is IPv4."""

    number: int
    bits: int
    is_ipv4: bool


def network(text: str) -> Network | None:
    """Read an address or CIDR; None where the text is neither. Host bits are dropped, as AWS does."""
    # The system reads the common case, an IPv4 address, ten times as fast, by the same rule.
    with contextlib.suppress(OSError, ValueError):
        return Network(int.from_bytes(socket.inet_pton(socket.AF_INET, text)), 32, True)
    try:
        if "/" not in text:
            address = ipaddress.ip_address(text)
            return Network(int(address), address.max_prefixlen, address.version == 4)
        parsed = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    return Network(int(parsed.network_address), parsed.prefixlen, parsed.version == 4)


class Located(NamedTuple):
    """
    Distinct addresses and the networks that hold each: columns of numbers, the longest prefix first, -1 for none.

    The columns are levels, not lengths: a level of IPv4 and one of IPv6 share a column.
    """

    addresses: Addresses
    levels: list[Int32s]

    def take(self, at: npt.NDArray[np.int32]) -> Located:
        """Give those at these places, in this order."""
        return Located(self.addresses.take(at), [level[at] for level in self.levels])


class NetworkBook(NamedTuple):
    """
    Distinct networks, numbered from 0, to be found by an address in them.

    ``ipv4`` has for each prefix length, longest first, the sorted leading bits and the numbers of their networks;
    ``ipv6`` the same as a dict.
    """

    numbers: dict[Network, int]
    ipv4: tuple[tuple[int, npt.NDArray[np.uint64], Int32s], ...]
    ipv6: tuple[tuple[int, dict[int, int]], ...]

    def locate(self, addresses: Addresses) -> Located:
        """Find the networks that hold each address."""
        count = len(addresses.valid)
        levels = [
            np.full(count, -1, np.int32) for _ in range(max(len(self.ipv4), len(self.ipv6), 1))
        ]
        places = np.flatnonzero(addresses.is_ipv4)
        low = addresses.low[places]
        for level, (bits, leading, numbers) in enumerate(self.ipv4):
            wanted = low >> np.uint64(32 - bits)
            found = np.minimum(np.searchsorted(leading, wanted), len(leading) - 1)
            levels[level][places] = np.where(leading[found] == wanted, numbers[found], -1)
        places = np.flatnonzero(addresses.valid & ~addresses.is_ipv4) if self.ipv6 else places[:0]
        for i in places.tolist():
            number = (int(addresses.high[i]) << 64) | int(addresses.low[i])
            for level, (bits, by_leading) in enumerate(self.ipv6):
                levels[level][i] = by_leading.get(number >> (128 - bits), -1)
        return Located(addresses, levels)

    def above(self, one: Network) -> list[int]:
        """Give the numbers of the networks in the book that hold this one and more, the longest first."""
        if one.is_ipv4:
            shorter = [b for b, _, _ in self.ipv4 if b < one.bits]
        else:
            shorter = [b for b, _ in self.ipv6 if b < one.bits]
        width = 32 if one.is_ipv4 else 128
        outer = (Network(one.number >> (width - b) << (width - b), b, one.is_ipv4) for b in shorter)
        return [self.numbers[n] for n in outer if n in self.numbers]


def network_book(networks: Iterable[Network]) -> NetworkBook:
    """Number the distinct networks, in order of appearance."""
    numbers = {one: number for number, one in enumerate(dict.fromkeys(networks))}
    by_bits: dict[tuple[bool, int], dict[int, int]] = defaultdict(dict)
    for one, number in numbers.items():
        width = 32 if one.is_ipv4 else 128
        by_bits[one.is_ipv4, one.bits][one.number >> (width - one.bits)] = number
    lengths = sorted(by_bits, reverse=True)
    ipv4 = tuple((bits, *_sorted(by_bits[True, bits])) for is_ipv4, bits in lengths if is_ipv4)
    ipv6 = tuple((bits, by_bits[False, bits]) for is_ipv4, bits in lengths if not is_ipv4)
    return NetworkBook(numbers, ipv4, ipv6)


def _sorted(by_leading: dict[int, int]) -> tuple[npt.NDArray[np.uint64], Int32s]:
    leading = np.array(list(by_leading), np.uint64)
    order = np.argsort(leading)
    return leading[order], np.array(list(by_leading.values()), np.int32)[order]
