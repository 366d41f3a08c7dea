"""
A geolocation database as ranges of addresses, for peers that have no MMDB reader.

The search tree is walked a level at a time in numpy; neighbours with the same place are one range. It shares no code
with the look-ups that are measured, so that the comparison of the outputs means something.
"""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING, NamedTuple

import maxminddb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vpcflow.geo.place import Place, read_place

if TYPE_CHECKING:
    from pathlib import Path

PLACE_COLUMNS = Place._fields[:7]

# Nobody's on the internet, as `vpcflow.special_ranges` has it: such addresses have no place.
_NOT_GLOBAL = (
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24"
    " 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3"
)

# Below 2000::/3 is IPv4 within IPv6, and so is 2002::/16: the whole IPv4 tree again.
_NOT_GLOBAL6 = "::/3 2001::/23 2001:db8::/32 2002::/16 3fff::/20 4000::/2 8000::/1"


class _Leaves(NamedTuple):
    """Where the tree ends: the first address of each, as two halves, and the number of its record (0: none)."""

    high: np.ndarray
    low: np.ndarray
    record: np.ndarray


def write_ranges(database: Path, folder: Path) -> None:
    """
    Write ``ranges4.parquet`` (start, place), ``ranges6.parquet`` (high, low, place) and ``places.parquet``.

    A range ends where the next one starts; place 0 is none. An IPv6 start is in two halves, ``high`` and ``low``.

    ``region_codes.json`` has the codes that the database lacks, by country and region name.
    """
    reader = maxminddb.open_database(database)
    tree = _children(database, reader.metadata())
    root4 = 0
    for _ in range(96 if reader.metadata().ip_version == 6 else 0):
        root4 = int(tree[root4, 0])
    ipv4 = _leaves(tree, root4, 32)
    ipv6 = _leaves(tree, 0, 128) if reader.metadata().ip_version == 6 else None
    places: dict[Place, int] = {Place(): 0}
    place_of: dict[int, int] = {0: 0}
    _read_places(reader, ipv4, 4, places, place_of)
    rows = _merged(*_without_special(ipv4.low.astype(np.int64), _numbers(ipv4, place_of)))
    _write(folder / "ranges4.parquet", {"start": pa.array(rows[0]), "place": pa.array(rows[1])})
    if ipv6 is not None:
        ipv6 = _without_special6(ipv6)
        _read_places(reader, ipv6, 6, places, place_of)
        numbers = _numbers(ipv6, place_of)
        kept = np.flatnonzero(np.append(True, numbers[1:] != numbers[:-1]))
        columns = {"high": ipv6.high[kept], "low": ipv6.low[kept], "place": numbers[kept]}
        _write(folder / "ranges6.parquet", {name: pa.array(a) for name, a in columns.items()})
    _write_places(folder, list(places))


def _write_places(folder: Path, places: list[Place]) -> None:
    columns = {f"src_geo_{name}": [getattr(p, name) for p in places] for name in PLACE_COLUMNS}
    _write(
        folder / "places.parquet", {"place": pa.array(range(len(places)), pa.int32()), **columns}
    )
    codes = {f"{p.country_code}/{p.region_name}": p.region_code for p in places if p.region_code}
    (folder / "region_codes.json").write_text(json.dumps(codes, sort_keys=True))


def _write(path: Path, columns: dict[str, pa.Array]) -> None:
    pq.write_table(pa.table(columns), path, compression="zstd")


def _children(database: Path, metadata: maxminddb.reader.Metadata) -> np.ndarray:
    """Read the tree: the left and the right child of each node."""
    count, size = metadata.node_count, metadata.record_size // 4
    raw = np.fromfile(database, np.uint8, count * size).reshape(count, size).astype(np.int64)
    if size == 6:
        left, right = raw[:, :3], raw[:, 3:]
        heads = np.zeros((2, count), np.int64)
    elif size == 7:
        left, right = raw[:, :3], raw[:, 4:]
        heads = np.stack([raw[:, 3] >> 4, raw[:, 3] & 15])
    else:
        left, right = raw[:, 1:4], raw[:, 5:]
        heads = np.stack([raw[:, 0], raw[:, 4]])
    sides = [
        head << 24 | side[:, 0] << 16 | side[:, 1] << 8 | side[:, 2]
        for head, side in zip(heads, (left, right), strict=True)
    ]
    return np.stack(sides, axis=1)


def _leaves(tree: np.ndarray, root: int, bits: int) -> _Leaves:
    """Go down all branches at once; what comes back is in the order of the addresses."""
    node = np.array([root])
    high, low = np.zeros(1, np.uint64), np.zeros(1, np.uint64)
    found = []
    for depth in range(bits):
        bit = np.uint64(1) << np.uint64((bits - 1 - depth) % 64)
        is_high = bits - depth > 64
        node = tree[node].T.ravel()
        high = np.concatenate([high, high | bit if is_high else high])
        low = np.concatenate([low, low if is_high else low | bit])
        ended = node >= len(tree)
        found.append((high[ended], low[ended], node[ended] - len(tree)))
        node, high, low = node[~ended], high[~ended], low[~ended]
    leaves = _Leaves(*(np.concatenate(column) for column in zip(*found, strict=True)))
    order = np.lexsort([leaves.low, leaves.high])
    return _Leaves(*(column[order] for column in leaves))


def _read_places(
    reader: maxminddb.Reader,
    leaves: _Leaves,
    version: int,
    places: dict[Place, int],
    place_of: dict[int, int],
) -> None:
    records, rows = np.unique(leaves.record, return_index=True)
    for record, row in zip(records.tolist(), rows.tolist(), strict=True):
        if record not in place_of:
            number = int(leaves.high[row]) << 64 | int(leaves.low[row])
            address = (
                ipaddress.IPv4Address(number) if version == 4 else ipaddress.IPv6Address(number)
            )
            place = Place(*read_place(reader.get(address))[:7])
            place_of[record] = places.setdefault(place, len(places))


def _numbers(leaves: _Leaves, place_of: dict[int, int]) -> np.ndarray:
    records, inverse = np.unique(leaves.record, return_inverse=True)
    return np.array([place_of[record] for record in records.tolist()], np.int32)[inverse]


def _without_special(starts: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut the special blocks out of IPv4 ranges."""
    for text in _NOT_GLOBAL.split():
        block = ipaddress.IPv4Network(text)
        first, after = int(block.network_address), int(block.broadcast_address) + 1
        resumed = places[np.searchsorted(starts, after, "right") - 1]
        before, rest = starts < first, starts > after
        starts = np.concatenate([starts[before], [first, after], starts[rest]])
        places = np.concatenate([places[before], [0, resumed], places[rest]]).astype(np.int32)
    return starts, places


def _without_special6(leaves: _Leaves) -> _Leaves:
    """Give all leaves within special blocks no record, and leave out all but the first of those in a row."""
    record = leaves.record.copy()
    for text in _NOT_GLOBAL6.split():
        block = ipaddress.IPv6Network(text)
        first, last = int(block.network_address) >> 64, int(block.broadcast_address) >> 64
        record[(leaves.high >= np.uint64(first)) & (leaves.high <= np.uint64(last))] = 0
    kept = np.append(True, (record[1:] != 0) | (record[:-1] != 0))
    return _Leaves(leaves.high[kept], leaves.low[kept], record[kept])


def _merged(starts: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    kept = np.flatnonzero(np.append(True, places[1:] != places[:-1]))
    return starts[kept], places[kept]
