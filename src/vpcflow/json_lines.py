"""
JSON lines out of columns, each byte copied once: by compiled code, or by Arrow.

Compiled code writes a row's members one after the other, most from the column as it is. For Arrow, columns are brought
to pieces, and the piece numbers of all parts of a row laid side by side in a table; one ``take`` of them, over the
pieces of all parts, leaves whole documents one after the other in a buffer. Joining the columns as text would copy
everything twice.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vpcflow import native
from vpcflow.fragments import (
    Close,
    Open,
    Part,
    constant_parts,
    escaped,
    list_parts,
    pieces_of,
    spelled_floats,
    used_texts,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vpcflow.fragments import AnyPart, Codes, Column

    Encode = Callable[[pa.RecordBatch], Iterator[pa.Buffer]]
    """From flows to JSON lines, in order; each buffer holds whole lines."""

_ROOM = 1 << 20  # bytes of a buffer of compiled code
_ROWS = 8192  # of a buffer of Arrow's: some 3 MB of documents stay in the cache, and their memory is used again
_FEW = 1024  # making so many pieces anew costs less than a copy in each row
_END = "}\n"
_OPENING = {"}": "{", "]": "["}
_START = _END + "{"  # the end of the document before; the very first is cut off


def lines(parts: Sequence[AnyPart], rows: int) -> Iterator[pa.Buffer]:
    """
    Give the documents of all rows, in order, one a line, as buffers of whole lines.

    A row without any member is ``{}``. The text does not depend on how rows are cut into batches. Raises ``ValueError``
    where what is opened is not closed, or too many objects lie in each other.
    """
    _check_nesting(parts)
    if rows == 0:
        return
    written = native.write_rows([_written(part) for part in parts], rows, room=_ROOM)
    yield from lines_in_pieces(parts, rows) if written is None else map(pa.py_buffer, written)


def lines_in_pieces(parts: Sequence[AnyPart], rows: int) -> Iterator[pa.Buffer]:
    """Give what ``lines`` gives, without compiled code; at least one row."""
    ready = _document(_flattened(parts, rows), rows)
    pieces, firsts = _one_dictionary(ready)
    placed = [(np.ascontiguousarray(part.codes), first) for part, first in zip(ready, firsts)]
    yield from _taken(pieces, placed, rows)


def _check_nesting(parts: Sequence[AnyPart]) -> None:
    depths = [*accumulate(isinstance(part, Open) - isinstance(part, Close) for part in parts)]
    if depths and not (depths[-1] == 0 <= min(depths) <= max(depths) <= native.DEPTH):
        raise ValueError(f"objects are not nested: {max(depths)} deep, {depths[-1]} left open")


def _written(part: AnyPart) -> native.Written | native.Opened | native.Closed:
    """Say how compiled code is to write a part: texts within quotes, escaped where they have to be."""
    if isinstance(part, Open):
        return native.Opened(part.text[:-1])
    if isinstance(part, Close):
        return native.Closed(_OPENING[part.text], part.text)
    if isinstance(part, Part):
        return native.Written("", "", "", part.pieces, part.codes)
    (before, after, null), values = part
    if pa.types.is_list(values.type):
        return _written_lists(part)
    if pa.types.is_integer(values.type):
        return native.Written(before, after, null, numbers=_wide(values))
    if pa.types.is_floating(values.type):
        return native.Written(before, after, null, *spelled_floats(values))
    before, after = f'{before}"', f'"{after}'
    if values.type == pa.string() and not native.needs_escape(values):
        return native.Written(before, after, null, values)
    if not pa.types.is_dictionary(values.type):
        values = values.dictionary_encode()
    texts, codes = values.dictionary, values.indices
    if texts.type != pa.string() or codes.type != pa.int32() or native.needs_escape(texts):
        texts, codes = used_texts(values)
        texts = escaped(texts).cast(pa.string())
    return native.Written(before, after, null, texts, codes)


def _written_lists(part: Column) -> native.Written:
    """Hand lists on where their texts are dictionaries that need no escaping, without nulls; else make pieces."""
    (before, after, null), lists = part
    elements = lists.values
    is_tags = pa.types.is_struct(elements.type)
    if all(map(_is_ready, elements.flatten() if is_tags else [elements])):
        brackets = "{}" if is_tags else "[]"
        before, after = before + brackets[0], brackets[1] + after
        return native.Written(before, after, null, lists=lists)
    (only,) = list_parts(*part)
    return native.Written("", "", "", only.pieces, only.codes)


def _is_ready(texts: pa.Array) -> bool:
    kind = texts.type
    return (
        pa.types.is_dictionary(kind)
        and kind.value_type == pa.string()
        and kind.index_type == pa.int32()
        and not texts.null_count
        and not native.needs_escape(texts.dictionary)
    )


def _wide(values: pa.Array) -> pa.Array:
    return values if values.type in (pa.int32(), pa.int64()) else values.cast(pa.int64())


def _taken(
    pieces: pa.StringArray, parts: Sequence[tuple[Codes, int]], rows: int
) -> Iterator[pa.Buffer]:
    numbers = np.empty(min(rows, _ROWS) * len(parts) + 1, np.int32)
    for start in range(0, rows, _ROWS):
        stop = min(start + _ROWS, rows)
        last = (stop - start) * len(parts)
        table = numbers[:last].reshape(stop - start, len(parts))
        for place, (codes, first) in enumerate(parts):
            np.add(codes[start:stop], np.int32(first), out=table[:, place])
        numbers[last] = len(pieces) - 1
        taken = pc.take(pieces, pa.array(numbers[: last + 1]), boundscheck=False)
        yield _text_of(taken)


def _folded(parts: Sequence[Part], rows: int) -> list[Part]:
    """Write what is the same in all rows together with its neighbour, if that has few pieces: one copy a row less."""
    few = max(_FEW, rows // 16)
    folded: list[Part] = []
    for part in parts:
        before = folded[-1] if folded else None
        if before is None or not (before.leads and part.leads):
            folded.append(part)
        elif len(part.pieces) == 1 and len(before.pieces) <= few:
            folded[-1] = Part(_joined(before.pieces, part.pieces[0]), before.codes)
        elif len(before.pieces) == 1 and len(part.pieces) <= few:
            folded[-1] = Part(_joined(before.pieces[0], part.pieces), part.codes)
        else:
            folded.append(part)
    return folded


def _joined(left: pa.Array | pa.Scalar, right: pa.Array | pa.Scalar) -> pa.Array:
    return pc.binary_join_element_wise(left, right, "")


def _document(parts: Sequence[Part], rows: int) -> list[Part]:
    opened, empty = _opened(parts, _START, rows)
    if not empty.any():
        return opened
    return [*opened, Part(pa.array(["", _START], pa.string()), empty.astype(np.int32))]


def _flattened(parts: Sequence[AnyPart], rows: int) -> list[Part]:
    """Bring columns to pieces, and what is opened and closed into the pieces of its members."""
    open_: list[tuple[str, list[Part]]] = [("", [])]
    for part in parts:
        if isinstance(part, Open):
            open_.append((part.text, []))
        elif isinstance(part, Close):
            text, inside = open_.pop()
            open_[-1][1].extend(_object(inside, text, part.text, rows))
        else:
            open_[-1][1].extend([part] if isinstance(part, Part) else pieces_of(part))
    ((_, flat),) = open_
    return flat


def _object(parts: Sequence[Part], start: str, end: str, rows: int) -> list[Part]:
    opened, empty = _opened(parts, start, rows)
    if empty.all():
        return []
    if not empty.any():
        return [*opened, *(part._replace(leads=False) for part in constant_parts(end, rows))]
    closing = (~empty).astype(np.int32)
    return [*opened, Part(pa.array(["", end], pa.string()), closing, leads=False, nullable=True)]


def _opened(
    parts: Sequence[Part], start: str, rows: int
) -> tuple[list[Part], npt.NDArray[np.bool_]]:
    """Let the first member a row has begin with ``start`` instead of a comma; also tell which rows have none."""
    opened = _folded(parts, rows)
    unopened = np.ones(rows, np.bool_)
    for place, part in enumerate(opened):
        if not part.leads:
            continue
        openers = pc.binary_replace_slice(part.pieces, 0, 1, start)
        if not part.nullable:
            if unopened.all():
                opened[place] = part._replace(pieces=openers)
            else:
                opened[place] = _with_openers(part, openers, unopened)
            return opened, np.zeros(rows, np.bool_)
        opened[place] = _with_openers(part, openers, unopened & (part.codes > 0))
        unopened &= part.codes == 0
    return opened, unopened


def _with_openers(part: Part, openers: pa.Array, where: npt.NDArray[np.bool_]) -> Part:
    codes = part.codes + where * np.int32(len(part.pieces))
    return part._replace(pieces=pa.concat_arrays([part.pieces, openers]), codes=codes)


def _one_dictionary(parts: Sequence[Part]) -> tuple[pa.Array, list[int]]:
    """Lay the pieces of all parts end to end, the same ones once; also tell where those of each part begin."""
    places: dict[int, int] = {}
    arrays: list[pa.Array] = []
    size = 0
    for part in parts:
        if id(part.pieces) not in places:
            places[id(part.pieces)] = size
            arrays.append(part.pieces)
            size += len(part.pieces)
    return pa.concat_arrays([*arrays, pa.array([_END])]), [places[id(p.pieces)] for p in parts]


def _text_of(texts: pa.Array) -> pa.Buffer:
    """The characters of all texts without the end of the document before the first."""
    _, offsets, characters = texts.buffers()
    length = int(np.frombuffer(offsets, np.int32)[len(texts)])
    return characters.slice(len(_END), length - len(_END))
