"""
Who held an address: single addresses and delegated prefixes as numbers, found for many addresses at once.

A single address is a network of 32 or 128 bits, so that both are found the same way: longest prefix first.
"""

from __future__ import annotations

import ipaddress
import socket
from collections import defaultdict
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vpcflow.addresses import ipv6_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vpcflow.addresses import Addresses

Int32s = npt.NDArray[np.int32]
_Ipv4 = tuple[int, npt.NDArray[np.uint64], Int32s]


class Network(NamedTuple):
    """A network: its first address as a number, how many of its bits are fixed, and whether it is IPv4."""

    number: int
    bits: int
    is_ipv4: bool


def network(text: str) -> Network | None:
    """Read an address or CIDR; None where the text is neither. Host bits are dropped, as AWS does."""
    # The system reads the common case, a plain address, ten times as fast, by the same rule.
    if (number := _ipv4_number(text)) is not None:
        return Network(number, 32, True)
    if (number := ipv6_number(text)) is not None:
        return Network(number, 128, False)
    try:
        if "/" not in text:
            address = ipaddress.ip_address(text)
            return Network(int(address), address.max_prefixlen, address.version == 4)
        parsed = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    return Network(int(parsed.network_address), parsed.prefixlen, parsed.version == 4)


def _ipv4_number(text: str) -> int | None:
    try:
        return int.from_bytes(socket.inet_pton(socket.AF_INET, text))
    except (OSError, ValueError):
        return None


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
    ipv4: tuple[_Ipv4, ...]
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
        halves = zip(addresses.high[places].tolist(), addresses.low[places].tolist())
        ipv6 = [high << 64 | low for high, low in halves]
        for level, (bits, by_leading) in enumerate(self.ipv6):
            levels[level][places] = [by_leading.get(number >> (128 - bits), -1) for number in ipv6]
        return Located(addresses, levels)

    def nested(self) -> dict[int, list[int]]:
        """Give for each network that lies in others the numbers of these, the longest first."""
        found: dict[int, list[int]] = defaultdict(list)
        for inner, outer in combinations(self.ipv4, 2):
            for number, around in _nested_ipv4(inner, outer):
                found[number].append(around)
        for (bits, numbers), (outer_bits, outer_numbers) in combinations(self.ipv6, 2):
            for leading, number in numbers.items():
                if (around6 := outer_numbers.get(leading >> (bits - outer_bits))) is not None:
                    found[number].append(around6)
        return found


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


def _nested_ipv4(inner: _Ipv4, outer: _Ipv4) -> Iterator[tuple[int, int]]:
    """Give the numbers of networks of one length with those of the shorter length they lie in."""
    bits, leading, numbers = inner
    outer_bits, outer_leading, outer_numbers = outer
    wanted = leading >> np.uint64(bits - outer_bits)
    found = np.minimum(np.searchsorted(outer_leading, wanted), len(outer_leading) - 1)
    is_in = outer_leading[found] == wanted
    return zip(numbers[is_in].tolist(), outer_numbers[found[is_in]].tolist())


def _sorted(by_leading: dict[int, int]) -> tuple[npt.NDArray[np.uint64], Int32s]:
    leading = np.array(list(by_leading), np.uint64)
    order = np.argsort(leading)
    return leading[order], np.array(list(by_leading.values()), np.int32)[order]
