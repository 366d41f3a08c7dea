"""
Classes of addresses that no rule tells apart.

All CIDRs of rules and prefix lists cut the addresses into intervals. Those of an interval are in the same CIDRs, and
every CIDR is a run of intervals: whether it holds an address is two comparisons of small numbers, IPv4 and IPv6 alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow.addresses import Addresses
from vpcflow.admission.lists import FEW
from vpcflow.inventory import distinct_numbers
from vpcflow.inventory.networks import network
from vpcflow.prefixes import ipv6_keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vpcflow.inventory.networks import Network

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]

NO_CLASS = 0
"""The class of what is no address."""

NOTHING = (1, 0)
"""A run of classes that holds none."""


class AddressClasses:
    """Classes from 1 on: the intervals of IPv4 in order, then those of IPv6."""

    def __init__(self, cidrs: Iterable[str], others: Iterable[Network] = ()) -> None:
        self._networks = {text: network(text) for text in cidrs}
        networks = [one for one in (*self._networks.values(), *others) if one is not None]
        ipv4, ipv6 = (_starts(networks, is_ipv4=is_ipv4) for is_ipv4 in (True, False))
        self._class_of = {
            True: {start: number for number, start in enumerate(ipv4, 1)},
            False: {start: number for number, start in enumerate(ipv6, 1 + len(ipv4))},
        }
        self._ipv4 = np.array(ipv4, np.uint64)
        halves = [divmod(start, 1 << 64) for start in ipv6]
        self._ipv6_halves = np.array(halves, np.uint64).reshape(-1, 2)
        self._ipv6 = ipv6_keys(self._ipv6_halves[:, 0], self._ipv6_halves[:, 1])
        self._ends = {True: len(ipv4) + 1, False: len(ipv4) + len(ipv6) + 1}

    @property
    def count(self) -> int:
        return self._ends[False]

    def firsts(self) -> Addresses:
        """Give the first address of each class, in their order; `NO_CLASS` has none that is valid."""
        no, zero = np.zeros(1, np.bool_), np.zeros(1, np.uint64)
        ipv4, ipv6 = _ipv4_addresses(self._ipv4), _ipv6_addresses(self._ipv6_halves)
        return _concatenated(Addresses(no, no, zero, zero), ipv4, ipv6)

    def of(self, addresses: Addresses) -> Int32s:
        """Give the class of each address."""
        found = np.zeros(len(addresses.valid), np.int32)
        if addresses.is_ipv4.all():
            found[:] = np.searchsorted(self._ipv4, addresses.low, "right")
            return found
        ipv4 = np.flatnonzero(addresses.is_ipv4)
        found[ipv4] = np.searchsorted(self._ipv4, addresses.low[ipv4], "right")
        ipv6 = np.flatnonzero(addresses.valid & ~addresses.is_ipv4)
        keys = ipv6_keys(addresses.high[ipv6], addresses.low[ipv6])
        found[ipv6] = len(self._ipv4) + np.searchsorted(self._ipv6, keys, "right")
        return found

    def within(self, cidr: str) -> tuple[int, int]:
        """Give the first and the last class in a CIDR, one of those the classes were made of."""
        one = self._networks[cidr]
        if one is None:
            return NOTHING
        of = self._class_of[one.is_ipv4]
        return of[one.number], of.get(_end(one), self._ends[one.is_ipv4]) - 1


def _starts(networks: Iterable[Network], *, is_ipv4: bool) -> list[int]:
    here = [one for one in networks if one.is_ipv4 == is_ipv4]
    width = 32 if is_ipv4 else 128
    ends = {_end(one) for one in here} - {1 << width}
    return sorted({0, *(one.number for one in here), *ends})


def _end(one: Network) -> int:
    return one.number + (1 << ((32 if one.is_ipv4 else 128) - one.bits))


class DistinctAddresses(NamedTuple):
    """Distinct addresses, or all of few, and which of them each row has, -1 where it has none."""

    addresses: Addresses
    of_row: Int64s


def distinct_addresses(addresses: Addresses) -> DistinctAddresses:
    """Find the distinct addresses of many."""
    if len(addresses.valid) < FEW:
        of_row = np.where(addresses.valid, np.arange(len(addresses.valid)), -1)
        return DistinctAddresses(addresses, of_row)
    if addresses.is_ipv4.all():
        low, of_row = distinct_numbers(addresses.low.astype(np.int64))
        return DistinctAddresses(_ipv4_addresses(low), of_row)
    of_row = np.full(len(addresses.valid), -1, np.int64)
    ipv4 = np.flatnonzero(addresses.is_ipv4)
    low, of_row[ipv4] = distinct_numbers(addresses.low[ipv4].astype(np.int64))
    ipv6 = np.flatnonzero(addresses.valid & ~addresses.is_ipv4)
    halves, code = _distinct_halves(addresses.high[ipv6], addresses.low[ipv6])
    of_row[ipv6] = code + len(low)
    both = _concatenated(_ipv4_addresses(low), _ipv6_addresses(halves))
    return DistinctAddresses(both, of_row)


def _distinct_halves(
    high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64]
) -> tuple[npt.NDArray[np.uint64], Int64s]:
    data = np.stack([high, low], axis=1)
    texts = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(16), len(high), [None, pa.py_buffer(data)]
    )
    encoded = texts.dictionary_encode()
    distinct = encoded.dictionary
    values = np.frombuffer(distinct.buffers()[1], np.uint64, 2 * len(distinct)).reshape(-1, 2)
    return values, encoded.indices.to_numpy().astype(np.int64)


def _concatenated(*parts: Addresses) -> Addresses:
    return Addresses(*(np.concatenate(columns) for columns in zip(*parts)))


def _ipv4_addresses(low: npt.NDArray[np.integer]) -> Addresses:
    count = len(low)
    return Addresses(
        np.ones(count, np.bool_),
        np.ones(count, np.bool_),
        np.zeros(count, np.uint64),
        low.astype(np.uint64),
    )


def _ipv6_addresses(halves: npt.NDArray[np.uint64]) -> Addresses:
    count = len(halves)
    return Addresses(
        np.ones(count, np.bool_), np.zeros(count, np.bool_), halves[:, 0], halves[:, 1]
    )
