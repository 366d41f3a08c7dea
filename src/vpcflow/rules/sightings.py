"""
Sightings: what a flow record tells about a connection, as compact columns that can wait on disk.

The two ends of a connection are sockets: an address, the VPC it is in, and a port, hashed to 64 bits. Both directions
of a connection, and the records of both its network interfaces, have the same two sockets, and so the same key.
"""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow.addresses import Addresses
from vpcflow.codes import DIRECTIONS
from vpcflow.dictionaries import codes_of, spread, with_last
from vpcflow.enrich.answers import Answers
from vpcflow.enrich.direction import add_direction
from vpcflow.inventory import NO_TIME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpcflow.enrich import Reference
    from vpcflow.inventory import Inventory
    from vpcflow.rules.aliases import Aliases

Bools = npt.NDArray[np.bool_]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

EGRESS, INGRESS, NO_DIRECTION = DIRECTIONS.index("egress"), DIRECTIONS.index("ingress"), -1
ACCEPT, REJECT, NO_ACTION = 0, 1, -1
_ACTIONS = {"ACCEPT": ACCEPT, "REJECT": REJECT}

SIGHTINGS = pa.schema(
    [
        ("row", pa.int64()),
        ("local_socket", pa.uint64()),
        ("peer_socket", pa.uint64()),
        ("interface", pa.int32()),
        ("reason", pa.int32()),
        ("egress", pa.int8()),
        ("action", pa.int8()),
        ("protocol", pa.int16()),
        ("flags", pa.int16()),
        ("is_ipv4", pa.uint8()),
        ("local_high", pa.uint64()),
        ("local_low", pa.uint64()),
        ("peer_high", pa.uint64()),
        ("peer_low", pa.uint64()),
        ("local_port", pa.int32()),
        ("peer_port", pa.int32()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("packets", pa.int64()),
        ("bytes", pa.int64()),
    ]
)
"""
A row a flow record with traffic, of one network interface.

``row`` is the record's place in the recording, -1 where it is not wanted. ``interface`` and ``reason`` (AWS's reject
reason) are numbers of texts that the recording keeps, -1 for none. The local end is the interface's own: the source of
an egress record, the destination of an ingress one, and the source where the direction (``egress``: as in
``codes.DIRECTIONS``) is -1, not known. ``flags`` is -1 where not logged. Addresses are as in the packet, where logged.
"""


class Sightings(NamedTuple):
    """The columns of `SIGHTINGS`, as numpy has them."""

    row: Int64s
    local_socket: Words
    peer_socket: Words
    interface: Int32s
    reason: Int32s
    egress: npt.NDArray[np.int8]
    action: npt.NDArray[np.int8]
    protocol: npt.NDArray[np.int16]
    flags: npt.NDArray[np.int16]
    is_ipv4: npt.NDArray[np.uint8]
    local_high: Words
    local_low: Words
    peer_high: Words
    peer_low: Words
    local_port: Int32s
    peer_port: Int32s
    start: Int64s
    end: Int64s
    packets: Int64s
    bytes: Int64s

    def take(self, at: npt.NDArray[np.integer | np.bool_]) -> Sightings:
        """Give those at these places, or where the mask is true."""
        return Sightings(*(values[at] for values in self))

    def ends(self) -> tuple[Addresses, Addresses]:
        """Give the local addresses and the peers'."""
        every, is_ipv4 = np.ones(len(self.row), np.bool_), self.is_ipv4.astype(np.bool_)
        return (
            Addresses(every, is_ipv4, self.local_high, self.local_low),
            Addresses(every, is_ipv4, self.peer_high, self.peer_low),
        )


_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_ODD = tuple(np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xD6E8FEB86659FD93))
_LATEST_S = np.int64(1 << 33)


class Texts:
    """Numbers texts in the order of their appearance."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, column: pa.DictionaryArray) -> Int32s:
        """Give each row's number, -1 where null."""
        numbers = [
            self._numbers.setdefault(text, len(self._numbers))
            for text in column.dictionary.to_pylist()
        ]
        return spread(np.array(numbers, np.int32), codes_of(column))

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def values(self) -> list[str]:
        """The texts, by number."""
        return list(self._numbers)


def sightings_of(
    flows: pa.RecordBatch,
    reference: Reference,
    aliases: Aliases,
    interfaces: Texts,
    reasons: Texts,
) -> Sightings:
    """
    Give the rows of a batch that are sightings; ``row`` is the place in the batch.

    None are records without traffic (NODATA, SKIPDATA), without both addresses, protocol and a time, and those of a
    transit gateway, which no security group guards.
    """
    answers = Answers(flows, reference, ())
    direction = codes_of(add_direction(flows, answers)["direction"])
    ends = {name: answers.packet_codes(name) for name in ("srcaddr", "dstaddr")}
    protocol = _numbers(flows, "protocol", -1)
    rows = np.flatnonzero(
        (ends["srcaddr"] >= 0)
        & (ends["dstaddr"] >= 0)
        & (protocol >= 0)
        & (answers.start_s != NO_TIME)
        & ~answers.at_gateway
    )
    is_ingress = (direction == INGRESS)[rows]
    source, destination = ends["srcaddr"][rows], ends["dstaddr"][rows]
    local = np.where(is_ingress, destination, source)
    peer = np.where(is_ingress, source, destination)
    ports = [np.maximum(_numbers(flows, name, 0)[rows], 0) for name in ("srcport", "dstport")]
    local_port = np.where(is_ingress, ports[1], ports[0])
    peer_port = np.where(is_ingress, ports[0], ports[1])
    found = answers.end_addresses
    places = _Places(answers, rows)
    local_main, peer_main = aliases.resolve(answers, rows, local, peer, is_ingress)
    start = np.clip(answers.start_s[rows], 0, _LATEST_S)
    end = np.clip(answers.end_s[rows], 0, _LATEST_S)
    columns: dict[str, npt.NDArray[Any]] = {
        "row": rows.astype(np.int64),
        "local_socket": _sockets(local_main, places.of(local), local_port),
        "peer_socket": _sockets(peer_main, places.of(peer), peer_port),
        "interface": interfaces.number(answers.column("interface_id"))[rows],
        "reason": reasons.number(answers.column("reject_reason"))[rows],
        "egress": direction[rows],
        "action": _actions(answers.column("action"))[rows],
        "protocol": protocol[rows],
        "flags": _numbers(flows, "tcp_flags", -1)[rows],
        "is_ipv4": found.is_ipv4[local],
        "local_high": found.high[local],
        "local_low": found.low[local],
        "peer_high": found.high[peer],
        "peer_low": found.low[peer],
        "local_port": local_port,
        "peer_port": peer_port,
        "start": np.minimum(start, end),
        "end": np.maximum(start, end),
        "packets": _numbers(flows, "packets", 0)[rows],
        "bytes": _numbers(flows, "bytes", 0)[rows],
    }
    return Sightings(
        *(columns[field.name].astype(field.type.to_pandas_dtype()) for field in SIGHTINGS)
    )


def keys_of(columns: Sightings) -> Words:
    """Hash the two sockets and the protocol of each sighting: the same for both directions and both ends."""
    local, peer = columns.local_socket, columns.peer_socket
    both = local + peer ^ local * peer
    return mixed(both + columns.protocol.astype(np.uint64) * _ODD[0])


def mixed(values: Words) -> Words:
    """Mix 64-bit words so that each bit depends on all (splitmix64's last step)."""
    values = values ^ values >> np.uint64(30)
    values *= _MIX[0]
    values ^= values >> np.uint64(27)
    values *= _MIX[1]
    values ^= values >> np.uint64(31)
    return values


class _Places:
    """The VPC in which an address of a batch is, seen from the row's interface, as a hash; 0 where it is not known."""

    def __init__(self, answers: Answers, rows: npt.NDArray[np.intp]) -> None:
        vpc_ids = answers.own_vpc_ids
        self._own = codes_of(vpc_ids)[rows]
        names = vpc_ids.dictionary.to_pylist()
        inventory = answers.reference.inventory
        if inventory is None:
            self._set_of = np.zeros(len(answers.ends.texts), np.int32)
            self._hashes = np.zeros((1, len(names) + 1), np.uint64)
            return
        self._set_of = inventory.vpc_sets.of(answers.end_addresses)
        self._hashes = _place_hashes(inventory, self._set_of, names)

    def of(self, addresses: Int32s) -> Words:
        hashes: Words = self._hashes[self._set_of[addresses], self._own]
        return hashes


def _place_hashes(inventory: Inventory, set_of: Int32s, own: Sequence[str]) -> Words:
    """Give the hash of the VPC for each (set of VPCs that hold an address, own VPC); the last column is none."""
    sets = inventory.vpc_sets.members
    hashes = np.zeros((len(sets), len(own) + 1), np.uint64)
    for number in np.flatnonzero(np.bincount(set_of)).tolist():
        members = sets[number]
        if len(members) == 1:
            hashes[number] = _hash(members[0])
        for column, vpc_id in enumerate(own):
            if vpc_id in members:
                hashes[number, column] = _hash(vpc_id)
    return hashes


@functools.cache
def _hash(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()))


def _sockets(addresses: Addresses, places: Words, ports: Int32s) -> Words:
    hashed = mixed(addresses.low * _ODD[0] ^ places)
    hashed ^= addresses.high * _ODD[1] + addresses.is_ipv4.astype(np.uint64)
    return mixed(hashed + ports.astype(np.uint64) * _ODD[2])


def _numbers(flows: pa.RecordBatch, name: str, absent: int) -> npt.NDArray[np.int64]:
    if name not in flows.schema.names:
        return np.full(flows.num_rows, absent, np.int64)
    column = flows.column(name)
    if column.null_count:
        column = column.fill_null(absent)
    return np.asarray(column.to_numpy(zero_copy_only=False), np.int64)


def _actions(column: pa.DictionaryArray) -> Int32s:
    known = [_ACTIONS.get(text, NO_ACTION) for text in column.dictionary.to_pylist()]
    return with_last(np.array(known, np.int32), NO_ACTION).take(codes_of(column))
