"""
Community ids: one name for a connection, whichever tool saw it and from whichever end.

Version 1 with seed 0 of https://github.com/corelight/community-id-spec: the SHA-1 of both ends, the smaller first, and
the protocol.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import struct
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow import native
from vpcflow.addresses import parse_addresses
from vpcflow.dictionaries import codes_of

if TYPE_CHECKING:
    Codes = npt.NDArray[np.int32]
    Mask = npt.NDArray[np.bool_]

_ICMP = (1, 58)
_WITH_PORTS = (6, 17, 132)
_ID_BYTES = 30


def community_ids(
    source: pa.DictionaryArray,
    destination: pa.DictionaryArray,
    source_port: pa.Array,
    destination_port: pa.Array,
    protocol: pa.Array,
) -> pa.StringArray:
    """
    Give the id of each row, null where it cannot be told.

    That is where an address, the protocol or a port it has is null or out of its range, where the addresses are of two
    families, and for ICMP, whose ids need type and code.
    """
    (one, has_one), (other, has_other) = (
        _end(source, source_port),
        _end(destination, destination_port),
    )
    protocols = _numbers(protocol)
    has_ports = np.isin(protocols, _WITH_PORTS)
    wanted = has_one & has_other & (one.is_ipv4[one.places] == other.is_ipv4[other.places])
    wanted &= (protocols >= 0) & (protocols <= 255) & ~np.isin(protocols, _ICMP)
    wanted &= ~has_ports | (_is_port(one.ports) & _is_port(other.ports))
    text = native.community_ids(one, other, protocols, wanted)
    if text is None:
        text = ids_plainly(one, other, protocols, wanted)
    rows = len(wanted)
    offsets = np.arange(0, _ID_BYTES * rows + 1, _ID_BYTES, dtype=np.int32)
    valid = None if wanted.all() else pa.py_buffer(np.packbits(wanted, bitorder="little"))
    return pa.Array.from_buffers(
        pa.string(), rows, [valid, pa.py_buffer(offsets), pa.py_buffer(text)]
    )


def _end(column: pa.DictionaryArray, ports: pa.Array) -> tuple[native.End, Mask]:
    """Lay one end out, and tell in which rows there is an address; elsewhere the place is that of one added."""
    found = parse_addresses(column.dictionary)
    codes = codes_of(column)
    places = np.where(codes < 0, np.int32(len(found.valid)), codes)
    high, low = (np.append(half, np.uint64(0)) for half in (found.high, found.low))
    is_ipv4, valid = (np.append(mask, False) for mask in (found.is_ipv4, found.valid))
    return native.End(places, high, low, is_ipv4, _numbers(ports)), valid[places]


def _numbers(column: pa.Array) -> Codes:
    """Give the numbers, -1 for null."""
    if column.null_count:
        column = column.fill_null(-1)
    return np.asarray(column.to_numpy(zero_copy_only=False), np.int32)


def _is_port(numbers: Codes) -> Mask:
    return (numbers >= 0) & (numbers < 1 << 16)


def ids_plainly(
    one: native.End, other: native.End, protocols: Codes, wanted: Mask
) -> npt.NDArray[np.uint8]:
    """Do what ``native.community_ids`` does, once for each two ends."""
    text = np.full((len(wanted), _ID_BYTES), ord(" "), np.uint8)
    rows = np.flatnonzero(wanted)
    columns = [
        values.tolist()
        for end in (one, other)
        for values in (end.high[end.places[rows]], end.low[end.places[rows]], end.ports[rows])
    ]
    is_ipv4 = one.is_ipv4[one.places[rows]].tolist()
    found = map(_id, is_ipv4, protocols[rows].tolist(), *columns)
    text[rows] = np.frombuffer(b"".join(found), np.uint8).reshape(len(rows), _ID_BYTES)
    return text.ravel()


@functools.lru_cache(maxsize=1 << 16)
def _id(
    is_ipv4: bool,
    protocol: int,
    high: int,
    low: int,
    port: int,
    high_2: int,
    low_2: int,
    port_2: int,
) -> bytes:
    has_ports = protocol in _WITH_PORTS
    ends = [(high, low, port if has_ports else 0), (high_2, low_2, port_2 if has_ports else 0)]
    ends.sort()
    message = bytes(2)
    for above, below, _ in ends:
        message += struct.pack("!I", below) if is_ipv4 else struct.pack("!QQ", above, below)
    message += struct.pack("!BB", protocol, 0)
    if has_ports:
        message += struct.pack("!HH", ends[0][2], ends[1][2])
    return b"1:" + base64.b64encode(hashlib.sha1(message, usedforsecurity=False).digest())
