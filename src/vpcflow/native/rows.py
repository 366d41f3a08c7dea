"""Columns to a hash of each row: ``mix_rows.c``."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vpcflow.native.library import compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

    Words = npt.NDArray[np.uint64]

_INT32, _INT64, _CODES = range(3)


class Source(NamedTuple):
    """
    A column to mix: its numbers, or, where there are ``hashes``, indices into these, one array a lane.

    What stands at nulls, those rows that are not ``valid`` (None: there are none), is any value of the column.
    """

    values: npt.NDArray[np.integer]
    hashes: tuple[Words, Words] | None
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
    held = [_contiguous(source) for source in sources]
    laid_out = (_Source * len(held))(*map(_laid_out, held))
    text = np.empty(32 * rows, np.uint8)
    functions.mix_rows(laid_out, len(held), rows, constants.ctypes.data, text.ctypes.data)
    return text


def _contiguous(source: Source) -> Source:
    narrow = source.hashes is not None or source.values.dtype == np.int32
    valid = None if source.valid is None else np.ascontiguousarray(source.valid)
    values: npt.NDArray[np.integer] = source.values.astype(
        np.int32 if narrow else np.int64, "C", copy=False
    )
    return source._replace(values=values, valid=valid)


def _laid_out(source: Source) -> _Source:
    first, second = source.hashes or (None, None)
    kind = _INT32 if source.values.dtype == np.int32 else _INT64
    places = [
        None if array is None else array.ctypes.data
        for array in (source.values, first, second, source.valid)
    ]
    return _Source(*places, int(source.seed), kind if source.hashes is None else _CODES)
