"""Columns to a hash of each row: ``mix_rows.c``."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vpcflow.native.library import address_of, compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    Words = npt.NDArray[np.uint64]

_INT32, _INT64, _CODES = range(3)


class Source(NamedTuple):
    """
    A column to mix: its numbers, or, where there are ``hashes``, places in these, which have a row for each lane.

    What stands at nulls, those rows that are not ``valid`` (None: there are none), is any value of the column.
    """

    values: npt.NDArray[np.integer]
    hashes: Words | None
    seed: np.uint64
    valid: npt.NDArray[np.bool_] | None


class _Source(ctypes.Structure):
    """``struct source`` of mix_rows.c."""

    _fields_ = (
        ("values", ctypes.c_void_p),
        ("first", ctypes.c_void_p),
        ("second", ctypes.c_void_p),
        ("valid", ctypes.c_void_p),
        ("seed", ctypes.c_uint64),
        ("kind", ctypes.c_int64),
    )


def mix_rows(
    sources: Sequence[Source], rows: int, constants: Words
) -> npt.NDArray[np.uint8] | None:
    """Give 32 hexadecimal digits for each row; ``constants`` are those of the two lanes, then the two of the mixing."""
    functions = compiled()
    if functions is None:
        return None
    # What the library is given the addresses of is held here until it is done.
    held: list[object] = []
    laid_out = (_Source * len(sources))(*[_laid_out(source, held) for source in sources])
    text = np.empty(32 * rows, np.uint8)
    functions.mix_rows(laid_out, len(sources), rows, address_of(constants), address_of(text))
    return text


def hash_texts(
    texts: pa.StringArray, seeds: Words, constants: Words, *, most: int
) -> tuple[Words, bool] | None:
    """
    Hash the first ``most`` bytes of each text, with a seed for each of the two lanes: a row of hashes for each.

    Also tell whether any text is longer. ``constants`` are those of ``mix_rows``.
    """
    functions = compiled()
    if functions is None:
        return None
    count = len(texts)
    _, offsets, data = texts.buffers()
    hashes = np.empty((2, count), np.uint64)
    longer = functions.hash_texts(
        None if data is None else data.address,
        offsets.address + 4 * texts.offset,
        count,
        most,
        address_of(seeds),
        address_of(constants),
        address_of(hashes),
    )
    return hashes, longer > 0


def _laid_out(source: Source, held: list[object]) -> _Source:
    values, hashes, seed, valid = source
    kind, first, second, is_valid = _INT64, None, None, None
    if hashes is not None:
        hashes = np.ascontiguousarray(hashes)
        kind, first = _CODES, address_of(hashes)
        second = first + hashes.strides[0]
    elif values.dtype == np.int32:
        kind = _INT32
    values = np.ascontiguousarray(values, np.int64 if kind == _INT64 else np.int32)
    if valid is not None:
        valid = np.ascontiguousarray(valid)
        is_valid = address_of(valid)
    held.append((values, hashes, valid))
    return _Source(address_of(values), first, second, is_valid, int(seed), kind)
