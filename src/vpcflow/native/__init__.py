"""
The compiled reader of lines, where the installed vpcflow has it: the plain way's answers, several times as fast.

``columns.py`` calls it, and goes the plain way where there is none: on a platform without a wheel of its own.
"""

from __future__ import annotations

import ctypes
import functools
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vpcflow.fields import Kind

    Reader = Callable[..., int]

LIBRARY = Path(__file__).with_name("vpcflow.so")
"""Where the build puts it, whatever such a file is called on the platform."""

MISFITS_ONE_IN = 8
"""Where more than one line in this many does not fit, the layout is probably another one: reading ends."""

_INT32, _INT64, _TEXT = range(3)
_KINDS: dict[Kind, int] = {"int32": _INT32, "int64": _INT64, "time": _INT64}
_MAX_BYTES = (1 << 31) - 1
_SEED = secrets.randbits(64)
_ARGUMENTS = (
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.c_int64,
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.c_uint64,
)


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
    values: npt.NDArray[np.int32] | npt.NDArray[np.int64]
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


def is_available() -> bool:
    """Tell whether there is a compiled reader."""
    return _reader() is not None


def read_columns(plain: bytes, lines: int, kinds: Sequence[Kind]) -> Read | None:
    """
    Read plain text of that many lines as columns of these kinds.

    None where there is no compiled reader, the text has not that many lines, or most do not fit.
    """
    reader = _reader()
    if reader is None or len(plain) > _MAX_BYTES:
        return None
    at = np.frombuffer(plain, np.uint8).ctypes.data
    return read_at(reader, at, len(plain), lines, kinds)


def read_at(reader: Reader, at: int, size: int, lines: int, kinds: Sequence[Kind]) -> Read | None:
    """Do the work of ``read_columns`` on text anywhere in memory: ``at`` is its address."""
    rooms = [_room(_KINDS.get(kind, _TEXT), lines, size) for kind in kinds]
    columns = (_Column * len(rooms))(*map(_column, rooms))
    misfits, count = np.empty(lines // MISFITS_ONE_IN + 1, np.int32), ctypes.c_int64()
    rows = reader(
        at,
        size,
        lines,
        columns,
        len(rooms),
        misfits.ctypes.data,
        ctypes.byref(count),
        len(misfits),
        _SEED,
    )
    if rows < 0 or rows + count.value != lines:
        return None
    arrays = [_array(room, column, rows) for room, column in zip(rooms, columns)]
    return Read(arrays, np.sort(misfits[: count.value]))


def load(library: Path) -> Reader:
    """Load a compiled reader."""
    reader: Reader = ctypes.CDLL(str(library)).vpcflow_read_columns
    reader.restype = ctypes.c_int64  # type: ignore[attr-defined]
    reader.argtypes = _ARGUMENTS  # type: ignore[attr-defined]
    return reader


@functools.cache
def _reader() -> Reader | None:
    return load(LIBRARY) if LIBRARY.exists() else None


def _room(kind: int, lines: int, size: int) -> _Room:
    texts = kind == _TEXT
    # Memory not written to is not taken, so there may be room for texts of any length.
    return _Room(
        kind,
        np.empty(lines, np.int64) if kind == _INT64 else np.empty(lines, np.int32),
        np.zeros(lines // 8 + 1, np.uint8),
        np.empty(lines + 1 if texts else 0, np.int32),
        np.empty(size if texts else 0, np.uint8),
    )


def _column(room: _Room) -> _Column:
    places = (room.values, room.nulls, room.offsets, room.data)
    return _Column(*(place.ctypes.data for place in places), 0, 0, room.kind)


def _array(room: _Room, column: _Column, rows: int) -> pa.Array:
    valid = pa.py_buffer(~room.nulls) if column.null_count else None
    values = [valid, pa.py_buffer(room.values[:rows])]
    type_ = pa.int64() if room.kind == _INT64 else pa.int32()
    numbers = pa.Array.from_buffers(type_, rows, values, column.null_count)
    if room.kind != _TEXT:
        return numbers
    offsets = room.offsets[: column.distinct + 1]
    texts = pa.StringArray.from_buffers(
        column.distinct, pa.py_buffer(offsets), pa.py_buffer(room.data[: offsets[-1]])
    )
    return pa.DictionaryArray.from_arrays(numbers, texts, safe=False)
