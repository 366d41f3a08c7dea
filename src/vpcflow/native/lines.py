"""Plain lines to columns: ``read_columns.c``."""

from __future__ import annotations

import ctypes
import mmap
import os
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow.native.library import Compiled, address_of, compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

MISFITS_ONE_IN = 8
"""Where more than one line in this many does not fit, the layout is probably another one: reading ends."""

_INT32, _INT64, _TEXT = range(3)
_KINDS = {"int32": _INT32, "int64": _INT64, "time": _INT64}
_MAX_BYTES = (1 << 31) - 1
_NO_TEXTS = (np.empty(0, np.int32), np.empty(0, np.uint8))
_SEED = int.from_bytes(os.urandom(8))


class _Column(ctypes.Structure):
    """``struct column`` of read_columns.c."""

    _fields_ = (
        ("values", ctypes.c_void_p),
        ("nulls", ctypes.c_void_p),
        ("offsets", ctypes.c_void_p),
        ("data", ctypes.c_void_p),
        ("null_count", ctypes.c_int64),
        ("distinct", ctypes.c_int32),
        ("kind", ctypes.c_int32),
    )


class _Room(NamedTuple):
    """The memory a column is read into; of numbers ``offsets`` and ``data`` are empty."""

    kind: int
    values: pa.Buffer
    nulls: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int32]
    data: npt.NDArray[np.uint8]


class Read(NamedTuple):
    """
    What fits of some lines, in their order.

    ``arrays`` are int32, int64 or ``dictionary<int32, string>`` of distinct values in order of appearance; ``-`` is
    null. ``misfits`` are the places of the lines left out, ascending: whether they are records is not known.
    """

    arrays: list[pa.Array]
    misfits: npt.NDArray[np.int32]


def read_columns(plain: bytes, lines: int, kinds: Sequence[str]) -> Read | None:
    """
    Read plain text of that many lines as columns of these kinds, of which int32, int64 and time are numbers.

    None where there is no compiled reader, the text has not that many lines, or most do not fit.
    """
    functions = compiled()
    if functions is None or len(plain) > _MAX_BYTES:
        return None
    return read_at(functions, pa.py_buffer(plain).address, len(plain), lines, kinds)


def read_at(
    functions: Compiled, at: int, size: int, lines: int, kinds: Sequence[str]
) -> Read | None:
    """Do the work of ``read_columns`` on text anywhere in memory: ``at`` is its address."""
    rooms, columns = _rooms([_KINDS.get(kind, _TEXT) for kind in kinds], lines, size)
    misfits, count = np.empty(lines // MISFITS_ONE_IN + 1, np.int32), ctypes.c_int64()
    rows = functions.read_columns(
        at,
        size,
        lines,
        columns,
        len(rooms),
        address_of(misfits),
        ctypes.byref(count),
        len(misfits),
        _SEED,
    )
    if rows < 0 or rows + count.value != lines:
        return None
    arrays = [_array(room, column, rows) for room, column in zip(rooms, columns)]
    return Read(arrays, np.sort(misfits[: count.value]))


def _rooms(
    kinds: Sequence[int], lines: int, size: int
) -> tuple[list[_Room], ctypes.Array[_Column]]:
    # Memory from the system itself is taken page by page, as it is written to, and goes back as soon as it is let go:
    # so there may be room for distinct values of any number and length.
    texts = kinds.count(_TEXT)
    memory = mmap.mmap(-1, texts * (4 * (lines + 1) + size) + 1)
    offsets = np.frombuffer(memory, np.int32, texts * (lines + 1)).reshape(texts, lines + 1)
    data = np.frombuffer(memory, np.uint8, texts * size, offsets.nbytes).reshape(texts, size)
    nulls = np.zeros((len(kinds), lines // 8 + 1), np.uint8)
    offsets_at, data_at, nulls_at = address_of(offsets), address_of(data), address_of(nulls)
    rooms, columns = [], (_Column * len(kinds))()
    text = 0
    for place, kind in enumerate(kinds):
        values = pa.py_buffer(np.empty(lines, np.int64 if kind == _INT64 else np.int32))
        own = (offsets[text], data[text]) if kind == _TEXT else _NO_TEXTS
        rooms.append(_Room(kind, values, nulls[place], *own))
        columns[place] = _Column(
            values.address,
            nulls_at + place * nulls.shape[1],
            offsets_at + text * 4 * (lines + 1),
            data_at + text * size,
            kind=kind,
        )
        text += kind == _TEXT
    return rooms, columns


def _array(room: _Room, column: _Column, rows: int) -> pa.Array:
    valid = pa.py_buffer(~room.nulls) if column.null_count else None
    type_ = pa.int64() if room.kind == _INT64 else pa.int32()
    numbers = pa.Array.from_buffers(type_, rows, [valid, room.values], column.null_count)
    if room.kind != _TEXT:
        return numbers
    offsets = room.offsets[: column.distinct + 1].copy()
    data = room.data[: offsets[-1]].copy()
    texts = pa.StringArray.from_buffers(column.distinct, pa.py_buffer(offsets), pa.py_buffer(data))
    return pa.DictionaryArray.from_arrays(numbers, texts, safe=False)
