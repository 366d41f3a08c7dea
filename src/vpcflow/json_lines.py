"""
JSON lines out of parts, each byte copied once.

The piece numbers of all parts of a row are laid side by side in a table; one ``take`` of them, over the pieces of all
parts, leaves whole documents one after the other in a buffer. Joining the columns as text would copy everything twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vpcflow.fragments import Part

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ROWS = 8192  # of one buffer: some 3 MB of documents stay in the processor's cache, and their memory is used again
_END = "}\n"
_START = _END + "{"  # the end of the document before; the very first is cut off


def lines(parts: Sequence[Part], rows: int) -> Iterator[pa.Buffer]:
    """
    Give the documents of all rows, in order, one a line, as buffers of whole lines.

    A row without any member is ``{}``. The text does not depend on how rows are cut into batches.
    """
    if rows == 0:
        return
    ready = _opened(_folded(parts, rows // 16), rows)
    pieces, firsts = _one_dictionary(ready)
    for start in range(0, rows, _ROWS):
        stop = min(start + _ROWS, rows)
        numbers = np.empty((stop - start) * len(ready) + 1, np.int32)
        table = numbers[:-1].reshape(stop - start, len(ready))
        for place, (part, first) in enumerate(zip(ready, firsts, strict=True)):
            np.add(part.codes[start:stop], np.int32(first), out=table[:, place])
        numbers[-1] = len(pieces) - 1
        yield _text_of(pc.take(pieces, pa.array(numbers), boundscheck=False))


def _folded(parts: Sequence[Part], limit: int) -> list[Part]:
    """Make one part of neighbours that have few combinations: fewer numbers a row, fewer copies."""
    folded: list[Part] = []
    for part in parts:
        if folded and folded[-1].leads and part.leads:
            if len(folded[-1].pieces) * len(part.pieces) <= limit:
                folded[-1] = _product(folded[-1], part)
                continue
        folded.append(part)
    return folded


def _product(left: Part, right: Part) -> Part:
    count = np.int32(len(right.pieces))
    of_left = np.repeat(np.arange(len(left.pieces)), len(right.pieces))
    of_right = np.tile(np.arange(len(right.pieces)), len(left.pieces))
    pieces = pc.binary_join_element_wise(
        left.pieces.take(pa.array(of_left)), right.pieces.take(pa.array(of_right)), ""
    )
    return Part(pieces, left.codes * count + right.codes, nullable=left.nullable and right.nullable)


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
