"""
MMDB files: the search tree walked for many addresses at once.

The format: https://maxmind.github.io/MaxMind-DB/. Compiled code reads it; without that, ``maxminddb`` reads the
metadata and decodes the data, and the walk is numpy on the mapped file, a level of the tree for all addresses in one
step.
"""

from __future__ import annotations

import mmap
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vpcflow import native
from vpcflow.errors import ReferenceDataError
from vpcflow.geo.mmdb_metadata import metadata_of, read_metadata

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Address, IPv6Address
    from pathlib import Path

    from maxminddb import Reader

    from vpcflow.addresses import Addresses

_Nodes = npt.NDArray[np.int64]

# Levels of the tree that are walked once for all prefixes: 65,536 start nodes save each address half of its way.
_START_BITS = 16
_SEPARATOR_BYTES = 16
# From the left record of a node to the right one, such that both are within 4 bytes from there.
_RIGHT_OFFSETS = {24: 2, 28: 3, 32: 4}


class Mmdb:
    """
    An open MMDB file.

    Raises ReferenceDataError where it is none, cannot be read, or turns out to be corrupt on a lookup.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._data = _mapped(path)
        self.metadata = read_metadata(self._data) or metadata_of(self._reader.metadata())
        self._node_count = self.metadata.node_count
        self._record_bits = self.metadata.record_size
        if self._node_count * self._record_bits // 4 + _SEPARATOR_BYTES > len(self._data):
            raise self._corrupt("it ends within its search tree")
        self._tree = self._as_nodes()
        self.section = self._data[self._node_count * self._record_bits // 4 + _SEPARATOR_BYTES :]
        """The data section of the file, where the records are."""

    def records(self, addresses: Addresses) -> _Nodes:
        """
        Give the number of the data record of each address, to be told from others by; 0 where it has none.

        IPv6 addresses have none in a database of IPv4 addresses.
        """
        found = np.full(len(addresses.valid), self._node_count, np.int64)
        ipv4 = np.flatnonzero(addresses.is_ipv4)
        if len(ipv4):
            found[ipv4] = self._walk_ipv4(addresses.low[ipv4])
        ipv6 = np.flatnonzero(addresses.valid & ~addresses.is_ipv4)
        if len(ipv6) and self.metadata.ip_version == 6:
            found[ipv6] = self._walk_ipv6(addresses.high[ipv6], addresses.low[ipv6])
        if (found < self._node_count).any():
            raise self._corrupt("its search tree is deeper than an address is long")
        return np.where(found == self._node_count, 0, found)

    def decode(self, address: IPv4Address | IPv6Address) -> object:
        """Read the data record of an address."""
        import maxminddb

        try:
            return self._reader.get(address)
        except (maxminddb.InvalidDatabaseError, ValueError) as error:
            raise self._corrupt(str(error)) from error

    def values(self, records: _Nodes, paths: Sequence[str]) -> native.Values | None:
        """Find values in data records, by the numbers ``records`` gives; None where there is no compiled code."""
        return native.find_values(
            self.section, records - (self._node_count + _SEPARATOR_BYTES), paths
        )

    def _walk_ipv4(self, numbers: npt.NDArray[np.uint64]) -> _Nodes:
        found = self._walk_at_once(self._ipv4_root, 32, numbers << np.uint64(32), numbers)
        if found is not None:
            return found
        nodes = self._ipv4_starts[numbers >> np.uint64(32 - _START_BITS)]
        return self._walk(nodes, numbers, 32 - _START_BITS)

    def _walk_ipv6(self, high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64]) -> _Nodes:
        found = self._walk_at_once(0, 128, high, low)
        if found is not None:
            return found
        nodes = self._ipv6_starts[high >> np.uint64(64 - _START_BITS)]
        return self._walk(self._walk(nodes, high, 64 - _START_BITS), low, 64)

    def _walk_at_once(
        self, root: int, bits: int, high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64]
    ) -> _Nodes | None:
        """Go down from the root along the first bits of each number; None where there is no compiled code."""
        return native.walk_tree(
            self._data, self._record_bits, self._node_count, root, bits, high, low
        )

    def _walk(self, nodes: _Nodes, numbers: npt.NDArray[np.uint64], bits: int) -> _Nodes:
        """Go down from each node along the last bits of its number, until there is no node further down."""
        found = nodes.copy()
        at = np.flatnonzero(nodes < self._node_count)
        nodes, numbers = nodes[at], numbers[at]
        for shift in range(bits - 1, -1, -1):
            if not len(at):
                break
            nodes = self._children(nodes, (numbers >> np.uint64(shift)) & np.uint64(1))
            ended = nodes >= self._node_count
            if ended.any():
                found[at[ended]] = nodes[ended]
                at, nodes, numbers = at[~ended], nodes[~ended], numbers[~ended]
        found[at] = nodes
        return found

    def _children(self, nodes: _Nodes, bits: npt.NDArray[np.uint64]) -> _Nodes:
        packed = self._tree[nodes, bits.astype(np.intp)].astype(np.int64)
        if self._record_bits == 32:
            return packed
        if self._record_bits == 24:
            return np.where(bits == 0, packed >> 8, packed & 0xFFFFFF)
        left = packed >> 8 | (packed & 0xF0) << 20
        return np.where(bits == 0, left, packed & 0xFFFFFFF)

    @cached_property
    def _ipv4_root(self) -> int:
        if self.metadata.ip_version == 4:
            return 0
        return int(self._walk(np.zeros(1, np.int64), np.zeros(1, np.uint64), 96)[0])

    @cached_property
    def _ipv4_starts(self) -> _Nodes:
        return self._starts(self._ipv4_root)

    @cached_property
    def _ipv6_starts(self) -> _Nodes:
        return self._starts(0)

    def _starts(self, root: int) -> _Nodes:
        prefixes = np.arange(1 << _START_BITS, dtype=np.uint64)
        return self._walk(np.full(len(prefixes), root), prefixes, _START_BITS)

    @cached_property
    def _reader(self) -> Reader:
        return _open(self.path)

    def _as_nodes(self) -> npt.NDArray[np.uint32]:
        """See the search tree as an array of nodes by side (left, right), the 4 bytes each record is in."""
        return np.ndarray(
            (self._node_count, 2),
            np.dtype(">u4"),
            self._data,
            strides=(self._record_bits // 4, _RIGHT_OFFSETS[self._record_bits]),
        )

    def _corrupt(self, why: str) -> ReferenceDataError:
        return ReferenceDataError(
            f"the geolocation database {str(self.path)!r} is corrupt: {why}; get the file again"
        )


def _mapped(path: Path) -> npt.NDArray[np.uint8]:
    try:
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise _refusal(path, error) from error
    return np.frombuffer(data, np.uint8)


def _open(path: Path) -> Reader:
    # Few runs need it, and it takes as long to import as a small file to read.
    import maxminddb

    try:
        return maxminddb.open_database(path)
    except (maxminddb.InvalidDatabaseError, OSError, ValueError, TypeError) as error:
        raise _refusal(path, error) from error


def _refusal(path: Path, error: Exception) -> ReferenceDataError:
    if isinstance(error, FileNotFoundError):
        return ReferenceDataError(
            f"no geolocation database at {str(path)!r}: check the path, or run `vpcflow geo fetch`"
        )
    if isinstance(error, OSError):
        return ReferenceDataError(
            f"cannot read the geolocation database {str(path)!r}: {error.strerror or error}"
        )
    return ReferenceDataError(
        f"{str(path)!r} is no MMDB file, or a damaged one: give the unpacked .mmdb itself, or get it again"
    )
