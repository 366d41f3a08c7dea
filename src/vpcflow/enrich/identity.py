"""Identity: an id that is the same wherever, whenever and in whatever pieces a record is read."""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vpcflow.fields import ADDED_BY_COLUMN
from vpcflow.linewise import BY_PLACE, identity_gaps

if TYPE_CHECKING:
    from vpcflow.enrich.answers import Answers

    Words = npt.NDArray[np.uint64]
    Mask = npt.NDArray[np.bool_]

# Odd constants of the SplitMix64 and MurmurHash3 finalisers; the two lanes differ in all of them.
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_LANES = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))
_SHORT_BYTES = 128
_WINDOW_ROWS = 8192
_KEPT = np.array([(1 << 8 * count) - 1 for count in range(9)], np.uint64)
_HEX = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), np.uint16)


def add_identity(flows: pa.RecordBatch, answers: Answers) -> dict[str, pa.Array]:
    """
    Write ``event_id`` and ``duration_s``.

    The id hashes all AWS fields that are not null, by name: the order of the layout does not count, nor whether a field
    is absent or null. Where the layout lacks one of the fields that tell flows apart (interface id, addresses, ports,
    protocol, start, end, action) the hash takes in CloudWatch's event id, else the source object and line; in a batch
    of several layouts ``linewise.BY_PLACE`` says of which rows that is so.
    """
    names = sorted({*flows.schema.names} - {*ADDED_BY_COLUMN, BY_PLACE})
    lanes = [np.full(flows.num_rows, lane, np.uint64) for lane in _LANES]
    for name in names:
        _absorb(lanes, name, flows.column(name))
    by_place = _by_place(flows)
    if by_place.any():
        _absorb_place(lanes, flows, by_place)
    return {"event_id": _hex(lanes), "duration_s": _duration(flows)}


def _duration(flows: pa.RecordBatch) -> pa.Array:
    if not {"start", "end"} <= set(flows.schema.names):
        return pa.nulls(flows.num_rows, pa.int64())
    return pc.subtract(flows.column("end"), flows.column("start"))


def _by_place(flows: pa.RecordBatch) -> Mask:
    if BY_PLACE in flows.schema.names:
        return np.asarray(flows.column(BY_PLACE).to_numpy(zero_copy_only=False), np.bool_)
    return np.full(flows.num_rows, bool(identity_gaps(flows.schema.names)))


def _absorb_place(lanes: list[Words], flows: pa.RecordBatch, by_place: Mask) -> None:
    names = set(flows.schema.names)
    left = by_place
    if "cloudwatch_event_id" in names:
        ids = flows.column("cloudwatch_event_id")
        _absorb(lanes, "cloudwatch_event_id", _only(ids, by_place))
        left = by_place & ids.is_null().to_numpy(zero_copy_only=False)
    for name in sorted({"source_object", "source_line"} & names):
        _absorb(lanes, name, _only(flows.column(name), left))


def _only(column: pa.Array, rows: Mask) -> pa.Array:
    """Give the column with null in all other rows."""
    return (
        column if rows.all() else pc.if_else(pa.array(rows), column, pa.scalar(None, column.type))
    )


def _absorb(lanes: list[Words], name: str, column: pa.Array) -> None:
    """Mix a column into both lanes, where it is not null."""
    if column.null_count == len(column):
        return
    hashes = _hashes(name, column)
    valid = column.is_valid().to_numpy(zero_copy_only=False) if column.null_count else None
    for lane, here in enumerate(hashes):
        mixed = lanes[lane] ^ here
        mixed *= _LANES[lane]
        mixed ^= mixed >> np.uint64(29 + 2 * lane)
        lanes[lane] = mixed if valid is None else np.where(valid, mixed, lanes[lane])


def _hashes(name: str, column: pa.Array) -> tuple[Words, Words]:
    """Hash the values of a column, seeded by its name; what stands at nulls is arbitrary."""
    if pa.types.is_integer(column.type):
        values = column.fill_null(0).to_numpy(zero_copy_only=False).astype(np.uint64)
        # The mixing is a bijection of 64 bits: two numbers of a column never collide, in either lane.
        mixed = _mix(values * _LANES[0] + _seed(name, 0))
        return mixed, mixed
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    codes = column.indices.fill_null(0).to_numpy(zero_copy_only=False)
    distinct = column.dictionary.cast(pa.string())
    first, second = (_hash_texts(distinct, _seed(name, lane), lane) for lane in (0, 1))
    return first[codes], second[codes]


def _hash_texts(texts: pa.Array, seed: np.uint64, lane: int) -> Words:
    """Hash distinct texts, eight bytes at a time over all of them; the few long ones by the standard library."""
    count = len(texts)
    _, offsets_buffer, data_buffer = texts.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)[texts.offset : texts.offset + count + 1]
    starts, lengths = offsets[:-1].astype(np.int64), np.diff(offsets).astype(np.int64)
    state = _mix(lengths.astype(np.uint64) * _LANES[lane] + seed)
    if not data_buffer or not len(data_buffer):
        return state
    # Eight bytes from anywhere: a view of overlapping words, with room for those that begin in the last word.
    padded = np.concatenate([np.frombuffer(data_buffer, np.uint8), np.zeros(8, np.uint8)])
    words = np.ndarray((len(padded) - 7,), "<u8", padded, strides=(1,))
    for word in range((min(int(lengths.max()), _SHORT_BYTES) + 7) // 8):
        more = np.flatnonzero(lengths > word * 8)
        left = np.minimum(lengths[more] - word * 8, 8)
        eight = words[starts[more] + word * 8] & _KEPT[left]
        state[more] = _mix((state[more] ^ eight) * _LANES[lane])
    for i in np.flatnonzero(lengths > _SHORT_BYTES).tolist():
        state[i] ^= _digest(texts[i].as_py(), lane)
    return state


def _mix(values: Words) -> Words:
    values = values ^ (values >> np.uint64(30))
    values *= _MIX[0]
    values ^= values >> np.uint64(27)
    values *= _MIX[1]
    values ^= values >> np.uint64(31)
    return values


@functools.cache
def _seed(name: str, lane: int) -> np.uint64:
    return _digest(name, lane)


def _digest(text: str, lane: int) -> np.uint64:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return np.uint64(int.from_bytes(digest[lane * 8 : lane * 8 + 8], "little"))


def _hex(lanes: list[Words]) -> pa.Array:
    count = len(lanes[0])
    text = np.empty((count, 16), np.uint16)
    for start in range(0, count, _WINDOW_ROWS):
        rows = slice(start, start + _WINDOW_ROWS)
        ids = np.stack([_mix(lane[rows]).astype(">u8") for lane in lanes], axis=1)
        np.take(_HEX, ids.view(np.uint8).reshape(-1, 16), out=text[rows], mode="clip")
    offsets = np.arange(0, 32 * count + 1, 32, dtype=np.int32)
    return pa.Array.from_buffers(
        pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(text)]
    )
