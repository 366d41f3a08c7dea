"""Pieces of text to rows of them: ``join_pieces.c``."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow.native.library import compiled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Codes = npt.NDArray[np.int32]

PADDING = 32
"""How many bytes are read and written at once."""


class _Part(ctypes.Structure):
    """``struct part`` of join_pieces.c."""

    _fields_ = (("codes", ctypes.c_void_p), ("first", ctypes.c_int64))


def join_pieces(
    pieces: pa.StringArray, parts: Sequence[tuple[Codes, int]], rows: int, *, room: int
) -> Iterator[tuple[npt.NDArray[np.uint8], int]] | None:
    """
    Give the text of all rows, one after the other, as buffers of about ``room`` bytes.

    Each comes with the size of what is in it, whole rows; ``PADDING`` bytes more are free.

    A part is a number for each row, contiguous, and where its pieces begin: row *i* has piece ``first + codes[i]``.
    """
    functions = compiled()
    if functions is None:
        return None
    # What is behind the last piece is read with it.
    padded = pa.concat_arrays([pieces, pa.array(["\0" * PADDING])])
    return _rows_joined(functions.join_pieces, padded, parts, rows, room)


def _rows_joined(
    join: Callable[..., int],
    padded: pa.StringArray,
    parts: Sequence[tuple[Codes, int]],
    rows: int,
    room: int,
) -> Iterator[tuple[npt.NDArray[np.uint8], int]]:
    # What the library is given the addresses of is held here, as long as it may be called.
    _, offsets_buffer, text = padded.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)
    lengths = np.diff(offsets)
    longest = sum(int(lengths[first : first + codes.max() + 1].max()) for codes, first in parts)
    laid_out = (_Part * len(parts))(*[_Part(codes.ctypes.data, first) for codes, first in parts])
    given = (text.address, offsets.ctypes.data, laid_out, len(parts))
    row, size = 0, ctypes.c_int64()
    while row < rows:
        out = np.empty(max(room, longest + PADDING), np.uint8)
        where = (out.ctypes.data, len(out), ctypes.byref(size))
        row = join(*given, row, rows, longest, *where)
        yield out, size.value
