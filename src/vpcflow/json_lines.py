"""
JSON lines out of parts, each byte copied once: by compiled code, or by Arrow.

For Arrow the piece numbers of all parts of a row are laid side by side in a table; one ``take`` of them, over the
pieces of all parts, leaves whole documents one after the other in a buffer. Joining the columns as text would copy
everything twice.
"""

from __future__ import annotations

from itertools import starmap
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vpcflow import native
from vpcflow.fragments import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vpcflow.fragments import Codes

    Encode = Callable[[pa.RecordBatch], Iterator[pa.Buffer]]
    """From flows to JSON lines, in order; each buffer holds whole lines."""

_ROOM = 1 << 20  # bytes of a buffer of compiled code
_ROWS = 8192  # of a buffer of Arrow's: some 3 MB of documents stay in the cache, and their memory is used again
_FEW = 1024  # making so many pieces anew costs less than a copy in each row
_END = "}\n"
_START = _END + "{"  # the end of the document before; the very first is cut off


def lines(parts: Sequence[Part], rows: int) -> Iterator[pa.Buffer]:
    """
    Give the documents of all rows, in order, one a line, as buffers of whole lines.

    A row without any member is ``{}``. The text does not depend on how rows are cut into batches.
    """
    if rows == 0:
        return
    ready = _opened(_folded(parts, rows), rows)
    pieces, firsts = _one_dictionary(ready)
    placed = [(np.ascontiguousarray(part.codes), first) for part, first in zip(ready, firsts)]
    joined = native.join_pieces(pieces, placed, rows, room=_ROOM)
    yield from _taken(pieces, placed, rows) if joined is None else starmap(_closed, joined)


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


def _closed(text: npt.NDArray[np.uint8], size: int) -> pa.Buffer:
    """Move the end of a document, with which the text begins, behind the last one."""
    text[size : size + len(_END)] = text[: len(_END)]
    return pa.py_buffer(text[len(_END) : size + len(_END)])


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


def _opened(parts: list[Part], rows: int) -> list[Part]:
    """Let the first member a row has open the document instead of writing a comma."""
    opened = list(parts)
    unopened = np.ones(rows, np.bool_)
    for place, part in enumerate(parts):
        if not part.leads:
            continue
        openers = pc.binary_replace_slice(part.pieces, 0, 1, _START)
        if not part.nullable:
            if unopened.all():
                opened[place] = part._replace(pieces=openers)
            else:
                opened[place] = _with_openers(part, openers, unopened)
            return opened
        opened[place] = _with_openers(part, openers, unopened & (part.codes > 0))
        unopened &= part.codes == 0
    empty = pa.array(["", _START], pa.string())
    return [*opened, Part(empty, unopened.astype(np.int32))]


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
