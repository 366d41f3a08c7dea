"""Columns to JSON objects, one a line: ``write_rows.c``."""

from __future__ import annotations

import ctypes
import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow.native.library import address_of, compiled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Codes = npt.NDArray[np.int32]

PADDING = 32
"""How many bytes are read and written at once."""

DEPTH = 32
"""How many objects and arrays may lie in each other."""

_CODES, _TEXTS, _INT32, _INT64, _LISTS, _OPEN, _CLOSE = range(7)


class Written(NamedTuple):
    """
    A column to write, and the text around its values; ``null`` stands instead of all of it where there is none.

    ``texts`` are those of all rows, or where there are ``codes`` those that these are the places of, negative for null.
    Without ``texts`` the values are ``numbers``, of 32 or 64 bits, or ``lists``: of dictionary-encoded texts, or of
    structs of two such, key and value. What is written begins with a comma, if anything is.
    """

    before: str
    after: str
    null: str
    texts: pa.StringArray | None = None
    codes: Codes | pa.Int32Array | None = None
    numbers: pa.Array | None = None
    lists: pa.ListArray | None = None


class Opened(NamedTuple):
    """An object or array within the row's: the text before its bracket, with the comma. It is left out when empty."""

    before: str


class Closed(NamedTuple):
    """Where that ends: its two brackets."""

    first: str
    last: str


class Texts(ctypes.Structure):
    """``struct texts`` of write_rows.c."""

    _fields_ = (
        ("offsets", ctypes.c_void_p),
        ("text", ctypes.c_void_p),
        ("size", ctypes.c_int64),
    )


class Column(ctypes.Structure):
    """``struct column`` of write_rows.c."""

    _fields_ = (
        ("values", ctypes.c_void_p),
        ("valid", ctypes.c_void_p),
        ("first_bit", ctypes.c_int64),
        ("texts", Texts),
        ("bounds", ctypes.c_void_p),
        ("others", ctypes.c_void_p),
        ("other_texts", Texts),
        ("before", ctypes.c_char_p),
        ("after", ctypes.c_char_p),
        ("null", ctypes.c_char_p),
        ("before_size", ctypes.c_int64),
        ("after_size", ctypes.c_int64),
        ("null_size", ctypes.c_int64),
        ("kind", ctypes.c_int64),
    )


def write_rows(
    columns: Sequence[Written | Opened | Closed], rows: int, *, room: int
) -> Iterator[npt.NDArray[np.uint8]] | None:
    """
    Give the objects of all rows, one a line, in buffers of whole lines of about ``room`` bytes.

    The caller sees to it that all that is opened is closed, and that no more than ``DEPTH`` lie in each other.
    """
    functions = compiled()
    if functions is None:
        return None
    return _rows_written(functions.write_rows, columns, rows, room)


def needs_escape(texts: pa.StringArray) -> bool | None:
    """Tell whether JSON has to escape any of the texts; None where there is no library."""
    functions = compiled()
    if functions is None:
        return None
    _, offsets_buffer, data = texts.buffers()
    if data is None or not len(texts):
        return False
    offsets = np.frombuffer(offsets_buffer, np.int32)
    first, last = int(offsets[texts.offset]), int(offsets[texts.offset + len(texts)])
    return bool(functions.needs_escape(data.address + first, last - first))


def _rows_written(
    write: Callable[..., int],
    columns: Sequence[Written | Opened | Closed],
    rows: int,
    room: int,
) -> Iterator[npt.NDArray[np.uint8]]:
    # What the library is given the addresses of is held here, as long as it may be called: ``columns`` and ``held``.
    held: list[object] = []
    laid_out = (Column * len(columns))(*[_laid_out(column, held) for column in columns])
    row, size = 0, ctypes.c_int64()
    while row < rows:
        out = np.empty(room, np.uint8)
        where = (address_of(out), room, ctypes.byref(size))
        row = write(laid_out, len(columns), row, rows, *where)
        if size.value:
            yield out[: size.value]
        else:
            room *= 2


def _laid_out(column: Written | Opened | Closed, held: list[object]) -> Column:
    if isinstance(column, Opened):
        return _with_texts(held, _OPEN, column.before)
    if isinstance(column, Closed):
        return _with_texts(held, _CLOSE, column.first, column.last)
    laid_out = _with_texts(held, _CODES, column.before, column.after, column.null)
    if column.lists is not None:
        _lay_lists(laid_out, column.lists, held)
    elif column.texts is None:
        _lay_numbers(laid_out, column.numbers, held)
    else:
        laid_out.texts = _texts(column.texts, held)
        _lay_codes(laid_out, column, held)
    return laid_out


def _with_texts(held: list[object], kind: int, *texts: str) -> Column:
    model = _model(kind, *texts)
    held.append(model)
    return Column.from_buffer_copy(model)


@functools.lru_cache(maxsize=1024)
def _model(kind: int, before: str, after: str = "", null: str = "") -> Column:
    """Lay out what is the same in all batches. What is copied of it is good as long as it is held itself."""
    laid_out = Column(kind=kind)
    for name, text in (("before", before), ("after", after), ("null", null)):
        encoded = text.encode()
        setattr(laid_out, name, encoded + bytes(PADDING))
        setattr(laid_out, f"{name}_size", len(encoded))
    return laid_out


def _lay_codes(laid_out: Column, column: Written, held: list[object]) -> None:
    laid_out.kind = _TEXTS if column.codes is None else _CODES
    if isinstance(column.codes, np.ndarray):
        codes = np.ascontiguousarray(column.codes, np.int32)
        held.append(codes)
        laid_out.values = address_of(codes)
    elif column.codes is not None:
        laid_out.values = _address(column.codes, held)
        _lay_nulls(laid_out, column.codes)
    else:
        _lay_nulls(laid_out, column.texts)


def _lay_numbers(laid_out: Column, numbers: pa.Array, held: list[object]) -> None:
    laid_out.kind = _INT32 if numbers.type.bit_width == 32 else _INT64
    laid_out.values = _address(numbers, held)
    _lay_nulls(laid_out, numbers)


def _lay_lists(laid_out: Column, lists: pa.ListArray, held: list[object]) -> None:
    laid_out.kind = _LISTS
    buffers = lists.buffers()
    held.append(buffers)
    laid_out.bounds = buffers[1].address + 4 * lists.offset
    _lay_nulls(laid_out, lists)
    keys = lists.values
    if pa.types.is_struct(keys.type):
        values = keys.field(1)
        keys = keys.field(0)
        laid_out.others = _address(values.indices, held)
        laid_out.other_texts = _texts(values.dictionary, held)
    laid_out.values = _address(keys.indices, held)
    laid_out.texts = _texts(keys.dictionary, held)


def _lay_nulls(laid_out: Column, array: pa.Array) -> None:
    """Say where null is; the buffers are held already."""
    if array.null_count:
        laid_out.valid = array.buffers()[0].address
        laid_out.first_bit = array.offset


def _address(array: pa.Array, held: list[object]) -> int:
    data = array.buffers()[1]
    held.append((array, data))
    return int(data.address + array.type.bit_width // 8 * array.offset)


def _texts(texts: pa.StringArray, held: list[object]) -> Texts:
    _, offsets, data = texts.buffers()
    held.append((texts, offsets, data))
    start = offsets.address + 4 * texts.offset
    return Texts(start, None if data is None else data.address, 0 if data is None else data.size)
