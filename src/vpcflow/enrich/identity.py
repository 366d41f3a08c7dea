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
from vpcflow.native import Source, hash_texts, mix_rows

if TYPE_CHECKING:
    from vpcflow.enrich.answers import Answers

    Words = npt.NDArray[np.uint64]
    Mask = npt.NDArray[np.bool_]

# Odd constants of the SplitMix64 and MurmurHash3 finalisers; the two lanes differ in all of them.
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_LANES = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))
CONSTANTS = np.array([*_LANES, *_MIX])
"""Both lanes' constants and the two of the mixing, as ``native.mix_rows`` takes them."""

_SHORT_BYTES = 128
_WINDOW_ROWS = 32_768
_KEPT = np.array([(1 << 8 * count) - 1 for count in range(9)], np.uint64)


def add_identity(flows: pa.RecordBatch, answers: Answers) -> dict[str, pa.Array]:
    """
    Write ``event_id`` and ``duration_s``.

    The id hashes all AWS fields that are not null, by name: the order of the layout does not count, nor whether a field
    is absent or null. Where the layout lacks one of the fields that tell flows apart (interface id, addresses, ports,
    protocol, start, end, action) the hash takes in CloudWatch's event id, else the source object and line; in a batch
    of several layouts ``linewise.BY_PLACE`` says of which rows that is so.
    """
    names = sorted(answers.columns.keys() - {*ADDED_BY_COLUMN, BY_PLACE})
    columns = [(name, answers.columns[name]) for name in names]
    by_place = _by_place(flows)
    if by_place.any():
        columns += _place(flows, by_place)
    hashed = [_hashed(name, c) for name, c in columns if c.null_count < len(c)]
    return {"event_id": _ids(hashed, flows.num_rows), "duration_s": _duration(flows)}


def _duration(flows: pa.RecordBatch) -> pa.Array:
    if not {"start", "end"} <= set(flows.schema.names):
        return pa.nulls(flows.num_rows, pa.int64())
    return pc.subtract(flows.column("end"), flows.column("start"))


def _by_place(flows: pa.RecordBatch) -> Mask:
    if BY_PLACE in flows.schema.names:
        return np.asarray(flows.column(BY_PLACE).to_numpy(zero_copy_only=False), np.bool_)
    return np.full(flows.num_rows, bool(identity_gaps(flows.schema.names)))


def _place(flows: pa.RecordBatch, by_place: Mask) -> list[tuple[str, pa.Array]]:
    """Give the columns that tell rows apart by where they were read, null in all other rows."""
    names = set(flows.schema.names)
    found, left = [], by_place
    if "cloudwatch_event_id" in names:
        ids = flows.column("cloudwatch_event_id")
        found.append(("cloudwatch_event_id", _only(ids, by_place)))
        left = by_place & ids.is_null().to_numpy(zero_copy_only=False)
    for name in sorted({"source_object", "source_line"} & names):
        found.append((name, _only(flows.column(name), left)))
    return found


def _only(column: pa.Array, rows: Mask) -> pa.Array:
    """Give the column with null in all other rows."""
    return (
        column if rows.all() else pc.if_else(pa.array(rows), column, pa.scalar(None, column.type))
    )


def _hashed(name: str, column: pa.Array) -> Source:
    """Make a column ready to be hashed, seeded by its name."""
    valid = column.is_valid().to_numpy(zero_copy_only=False) if column.null_count else None
    seeds = _seeds(name)
    if pa.types.is_integer(column.type):
        return Source(_filled(column), None, seeds[0], valid)
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    texts = column.dictionary
    if texts.type != pa.string():
        texts = texts.cast(pa.string())
    return Source(_filled(column.indices), _hash_texts(texts, seeds), seeds[0], valid)


def _filled(numbers: pa.Array) -> npt.NDArray[np.integer]:
    filled = numbers.fill_null(0) if numbers.null_count else numbers
    return np.asarray(filled.to_numpy(zero_copy_only=False))


def _ids(columns: list[Source], count: int) -> pa.Array:
    """Mix the columns of each row and write the result."""
    text = mix_rows(columns, count, CONSTANTS)
    if text is None:
        text = mix_plainly(columns, count)
    offsets = np.arange(0, 32 * count + 1, 32, dtype=np.int32)
    return pa.Array.from_buffers(
        pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(text)]
    )


def mix_plainly(columns: list[Source], count: int) -> npt.NDArray[np.uint8]:
    """Do what ``native.mix_rows`` does, a few rows at a time: they stay in the processor's cache."""
    text = np.empty((count, 8), np.uint32)
    for start in range(0, count, _WINDOW_ROWS):
        rows = slice(start, min(start + _WINDOW_ROWS, count))
        lanes = [np.full(rows.stop - start, lane, np.uint64) for lane in _LANES]
        for column in columns:
            _absorb(lanes, column, rows)
        ids = np.stack([_mix(lane).astype(">u8") for lane in lanes], axis=1)
        np.take(_hex(), ids.view(">u2").astype(np.intp), out=text[rows], mode="clip")
    return text.view(np.uint8).ravel()


def _absorb(lanes: list[Words], column: Source, rows: slice) -> None:
    """Mix these rows of a column into both lanes, where it is not null."""
    valid = None if column.valid is None else column.valid[rows]
    values = column.values[rows]
    if column.hashes is None:
        # The mixing is a bijection of 64 bits: two numbers of a column never collide, in either lane.
        mixed = values.astype(np.uint64)
        mixed *= _LANES[0]
        mixed += column.seed
        here = [_mixed_in_place(mixed)] * 2
    else:
        here = [hashes.take(values) for hashes in column.hashes]
    for place, hashes in enumerate(here):
        lane = lanes[place] if valid is None else lanes[place].copy()
        lane ^= hashes
        lane *= _LANES[place]
        lane ^= lane >> np.uint64(29 + 2 * place)
        if valid is not None:
            np.copyto(lanes[place], lane, where=valid)


def _hash_texts(texts: pa.StringArray, seeds: Words) -> Words:
    """Hash distinct texts, with a row of hashes for each lane; the few long ones by the standard library too."""
    found = hash_texts(texts, seeds, CONSTANTS, most=_SHORT_BYTES)
    hashes, has_longer = hash_plainly(texts, seeds) if found is None else found
    if has_longer:
        lengths = pc.binary_length(texts).to_numpy()
        for i in np.flatnonzero(lengths > _SHORT_BYTES).tolist():
            hashes[:, i] ^= _digest(texts[i].as_py())
    return hashes


def hash_plainly(texts: pa.StringArray, seeds: Words) -> tuple[Words, bool]:
    """Do what ``native.hash_texts`` does, eight bytes at a time over all texts."""
    count = len(texts)
    _, offsets_buffer, data_buffer = texts.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)[texts.offset : texts.offset + count + 1]
    starts, lengths = offsets[:-1].astype(np.int64), np.diff(offsets).astype(np.int64)
    longest = int(lengths.max(initial=0))
    hashes = np.stack(
        [
            _mixed_in_place(lengths.astype(np.uint64) * lane + seed)
            for lane, seed in zip(_LANES, seeds)
        ]
    )
    # Eight bytes from anywhere: a view of overlapping words, with room for those that begin in the last word.
    data = np.frombuffer(data_buffer or b"", np.uint8)
    padded = np.concatenate([data, np.zeros(8, np.uint8)])
    words = np.ndarray((len(padded) - 7,), "<u8", padded, strides=(1,))
    for word in range((min(longest, _SHORT_BYTES) + 7) // 8):
        is_longer = lengths > word * 8
        more = slice(None) if is_longer.all() else np.flatnonzero(is_longer)
        left = np.minimum(lengths[more] - word * 8, 8)
        eight = words[starts[more] + word * 8] & _KEPT[left]
        for state, lane in zip(hashes, _LANES):
            mixed = state[more] ^ eight
            mixed *= lane
            state[more] = _mixed_in_place(mixed)
    return hashes, longest > _SHORT_BYTES


def _mix(values: Words) -> Words:
    return _mixed_in_place(values.copy())


def _mixed_in_place(values: Words) -> Words:
    values ^= values >> np.uint64(30)
    values *= _MIX[0]
    values ^= values >> np.uint64(27)
    values *= _MIX[1]
    values ^= values >> np.uint64(31)
    return values


@functools.cache
def _seeds(name: str) -> Words:
    """Give a column's seed for each lane."""
    return _digest(name)


def _digest(text: str) -> Words:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return np.frombuffer(digest, "<u8")


@functools.cache
def _hex() -> npt.NDArray[np.uint32]:
    """Give the four digits of each 16-bit number, as they lie in memory."""
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    numbers = np.arange(1 << 16)
    text = np.stack([digits[numbers >> shift & 15] for shift in (12, 8, 4, 0)], axis=1)
    return text.view(np.uint32).ravel()
