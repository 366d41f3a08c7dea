"""
Columns as pieces of JSON text: the distinct values of a column, each as ``,"name":value``, and a number for each row.

Everything that costs per value (escaping, shortest floats, digits) is done once per distinct value; ``json_lines`` lays
the pieces of a row side by side.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from vpcflow import native
from vpcflow.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    _Tree = dict[str, "_Tree | list[AnyPart]"]

Codes = npt.NDArray[np.int32]
"""A number for each row: which piece is the row's."""

_LEAST = -(2**63)  # there is no number before it to stand for null
_GROUP = 10_000  # long numbers are written in groups of four digits


class Part(NamedTuple):
    """
    A piece of text for each row: ``pieces[codes[row]]``.

    ``leads``: the pieces begin a member of the object, with its comma. ``nullable``: piece 0 is empty and means null.
    """

    pieces: pa.Array
    codes: Codes
    leads: bool = True
    nullable: bool = False


class Member(NamedTuple):
    """
    The text around the values of a column: ``,"name":`` before and nothing after, if it is a plain member.

    ``null`` is written instead of the whole where the value is null; empty leaves the member out.
    """

    before: str
    after: str = ""
    null: str = ""


class Column(NamedTuple):
    """A column of texts, numbers, lists of text or tags, not yet in pieces, and the text around its values."""

    around: Member
    values: pa.Array


class Open(NamedTuple):
    """
    The start of an object or array within a document, ``,"source":{`` or ``,"ip":[``, or of an object in an array.

    Up to its ``Close`` follow its members; they begin with a comma like all others, which is not written before the
    first. A row without any member has nothing of it.
    """

    text: str


class Close(NamedTuple):
    """The end of what was opened last: its bracket."""

    text: str


AnyPart: TypeAlias = Part | Column | Open | Close
"""What documents are made of, one after the other."""


@lru_cache(maxsize=1024)
def member(name: str, *, null: str = "") -> Member:
    """
    Name a plain member of the object.

    >>> member("srcaddr").before
    ',"srcaddr":'
    """
    return Member(f",{orjson.dumps(name).decode()}:", null=null)


def column_parts(around: Member, column: pa.Array) -> list[Part | Column]:
    """
    Give the parts of a column by its type: text, whole numbers, floats, lists of text, tags (an object).

    Compiled code takes them as they are: see ``pieces_of``. Raises ``FormatError`` for other types.
    """
    kind = column.type
    if column.null_count == len(column):
        return [*constant_parts(around.null, len(column))]
    if any(is_one(kind) for is_one in _WRITTEN):
        return [Column(around, column)]
    raise FormatError(f"column {around.before.strip(',:')} is {kind}, which has no JSON form here")


def nested(members: Iterable[tuple[str, Sequence[AnyPart] | pa.Array]]) -> list[AnyPart]:
    """
    Lay columns into objects by their dotted paths: all of an object together, in the order of first appearance.

    Parts have their name already. Raises ``ValueError`` where a path is there twice, or leads into a value.

    >>> rows = pa.array(["a", None])
    >>> [part for part in nested([("x.y", rows), ("x.z", rows)]) if not isinstance(part, Column)]
    [Open(text=',"x":{'), Close(text='}')]
    """
    tree: _Tree = {}
    for path, values in members:
        *names, last = path.split(".")
        inside = tree
        for name in names:
            found = inside.setdefault(name, {})
            if not isinstance(found, dict):
                raise ValueError(f"{path!r} leads into a value")
            inside = found
        if last in inside:
            raise ValueError(f"{path!r} is there twice")
        is_column = isinstance(values, pa.Array)
        inside[last] = [*(column_parts(member(last), values) if is_column else values)]
    return list(_laid(tree))


def _laid(tree: _Tree) -> Iterator[AnyPart]:
    for name, found in tree.items():
        if isinstance(found, dict):
            yield Open(f"{member(name).before}{{")
            yield from _laid(found)
            yield Close("}")
        else:
            yield from found


def pieces_of(column: Column) -> list[Part]:
    """Give the parts of a column."""
    if pa.types.is_list(column.values.type):
        return list_parts(*column)
    if pa.types.is_integer(column.values.type):
        return integer_parts(*column)
    if pa.types.is_floating(column.values.type):
        return float_parts(*column)
    return text_parts(*column)


def constant_parts(text: str, rows: int) -> list[Part]:
    """Give the same piece to all rows; an empty text gives no part."""
    return [Part(pa.array([text], pa.string()), np.zeros(rows, np.int32))] if text else []


def text_parts(around: Member, column: pa.Array) -> list[Part]:
    """Write text, plain or dictionary encoded, as JSON strings."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    values, codes = _used(column.dictionary, _indices(column))
    if 2 * len(values) > len(codes):
        return _unshared_text_parts(around, values, codes)
    return [
        _part(Member(around.before + '"', '"' + around.after, around.null), escaped(values), codes)
    ]


def integer_parts(around: Member, column: pa.Array) -> list[Part]:
    """
    Write whole numbers: a narrow range by a table of it, wider ones by a table of what precedes the last four digits.

    Hashing the values instead costs three times as much where most are distinct, as byte counts and ports are.
    """
    bounds = pc.min_max(column)
    lowest, highest = bounds["min"].as_py(), bounds["max"].as_py()
    if lowest > _LEAST and highest - lowest < _table_limit(len(column)):
        return [_ranged_integers(around, column, lowest, highest)]
    if lowest < 0 or around.after:
        return [_distinct_integers(around, column)]
    return _grouped_integers(around, column, highest)


def float_parts(around: Member, column: pa.Array) -> list[Part]:
    """Write floats as ``spelled_floats`` gives them."""
    return [_part(around, *spelled_floats(column))]


def spelled_floats(column: pa.Array) -> tuple[pa.StringArray, Codes]:
    """
    Give the distinct floats of a column in their shortest form, and each row's place among them, -1 for null.

    NaN and infinities have no form in JSON and are null.
    """
    distinct = column.dictionary_encode()
    values = distinct.dictionary.to_numpy(zero_copy_only=False).astype(np.float64)
    finite = np.isfinite(values)
    places = np.append(np.where(finite, np.cumsum(finite) - 1, -1), -1).astype(np.int32)
    texts = pa.array(_spelled(values[finite].tolist()), pa.string())
    return texts, places[_indices(distinct)]


def _spelled(numbers: list[float]) -> list[str]:
    """Spell numbers in one call: no comma is in a number."""
    return orjson.dumps(numbers)[1:-1].decode().split(",") if numbers else []


def list_parts(around: Member, column: pa.Array) -> list[Part]:
    """Write lists of text as JSON arrays, lists of (key, value) as objects."""
    elements = column.flatten()
    if pa.types.is_struct(elements.type):
        texts, numbers = _tag_texts(elements)
        brackets = "{", "}"
    else:
        texts, numbers = _element_texts(elements)
        brackets = "[", "]"
    lengths = pc.list_value_length(column)
    if column.null_count:
        lengths = lengths.fill_null(0)
    ends = np.append(np.int32(0), np.cumsum(lengths.to_numpy(), dtype=np.int32))
    lists, codes = _distinct_lists(pa.ListArray.from_arrays(pa.array(ends), pa.array(numbers)))
    spelled = pa.ListArray.from_arrays(lists.offsets, texts.take(lists.values))
    inside = Member(around.before + brackets[0], brackets[1] + around.after, around.null)
    valid = _valid(column) if column.null_count else None
    return [_part(inside, pc.binary_join(spelled, ","), _with_nulls(codes, valid))]


def json_texts(column: pa.Array) -> pa.DictionaryArray:
    """
    Give the lists or tags of a column as JSON text, each distinct one once; null stays null.

    >>> json_texts(pa.array([["a", "b"], None, []])).to_pylist()
    ['["a","b"]', None, '[]']
    """
    if column.null_count == len(column):
        return pa.nulls(len(column), pa.dictionary(pa.int32(), pa.string()))
    (part,) = list_parts(Member(""), column)
    null = part.codes == 0 if part.nullable else None
    return pa.DictionaryArray.from_arrays(pa.array(part.codes, mask=null), part.pieces)


def escaped(texts: pa.Array) -> pa.Array:
    """
    Escape texts for use within JSON's quotes; the common case is to see that none needs it.

    >>> escaped(pa.array(['a"b'])).to_pylist()
    ['a\\\\"b']
    """
    special = native.needs_escape(texts) if _is_text(texts.type) else None
    if special is None:
        characters = _characters(texts)
        special = bool(((characters < 0x20) | (characters == 0x22) | (characters == 0x5C)).any())
    if not special:
        return texts
    return pa.array([orjson.dumps(text)[1:-1].decode() for text in texts.to_pylist()], pa.string())


@cache
def digits() -> pa.Array:
    """Nothing, 0000 to 9999, and 0 to 9999: the last group of a number."""
    padded = [f"{number:04d}" for number in range(_GROUP)]
    return pa.array(["", *padded, *map(str, range(_GROUP))], pa.string())


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


_WRITTEN = (
    pa.types.is_dictionary,
    _is_text,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_list,
)


def _table_limit(rows: int) -> int:
    # Building an entry costs as much as looking some eight rows up.
    return max(256, rows // 8)


def _valid(column: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(column.is_valid().to_numpy(zero_copy_only=False))


def _indices(column: pa.DictionaryArray) -> Codes:
    """The dictionary index of each row, -1 for null."""
    indices = column.indices
    if indices.null_count:
        indices = indices.fill_null(-1)
    return np.asarray(indices.to_numpy()).astype(np.int32, copy=False)


def _with_nulls(codes: Codes, valid: npt.NDArray[np.bool_] | None) -> Codes:
    return codes if valid is None else np.where(valid, codes, np.int32(-1))


def _used(values: pa.Array, codes: Codes) -> tuple[pa.Array, Codes]:
    """Leave out values no row has, where the dictionary is that of a much longer batch."""
    if len(values) <= len(codes):
        return values, codes
    used, places = np.unique(codes, return_inverse=True)
    missing = int(used[0] == -1) if len(used) else 0
    return values.take(pa.array(used[missing:])), (places - missing).astype(np.int32)


def used_texts(column: pa.DictionaryArray) -> tuple[pa.Array, Codes]:
    """Give the texts that a column has, and each row's place among them, -1 for null."""
    return _used(column.dictionary, _indices(column))


def _part(around: Member, texts: pa.Array, codes: Codes) -> Part:
    """Put the text around each value; code -1, null, becomes piece 0 where there is any."""
    texts = texts.cast(pa.string())
    pieces = (
        pc.binary_join_element_wise(around.before, texts, around.after, "") if len(texts) else texts
    )
    if len(codes) == 0 or codes.min() >= 0:
        return Part(pieces, codes)
    return Part(
        pa.concat_arrays([pa.array([around.null]), pieces]), codes + 1, nullable=not around.null
    )


def _unshared_text_parts(around: Member, values: pa.Array, codes: Codes) -> list[Part]:
    """Write quotes and value apart: where hardly a value repeats, making a piece of each would cost more."""
    missing = codes < 0
    before = _part(
        Member(around.before + '"', null=around.null), pa.array([""]), -missing.astype(np.int32)
    )
    after = _part(Member('"' + around.after), pa.array([""]), -missing.astype(np.int32))
    pieces = pa.concat_arrays([pa.array([""], pa.string()), escaped(values).cast(pa.string())])
    return [
        before,
        Part(pieces, codes + 1, leads=False, nullable=True),
        after._replace(leads=False),
    ]


def _ranged_integers(around: Member, column: pa.Array, lowest: int, highest: int) -> Part:
    """Write numbers by a table of their range; null is the number before the lowest."""
    values = column.cast(pa.int64())
    if values.null_count:
        values = values.fill_null(lowest - 1)
    codes = (values.to_numpy() - np.int64(lowest)).astype(np.int32)
    texts = pa.array(np.arange(lowest, highest + 1)).cast(pa.string())
    return _part(around, texts, codes)


def _distinct_integers(around: Member, column: pa.Array) -> Part:
    distinct = column.dictionary_encode()
    return _part(around, distinct.dictionary.cast(pa.string()), _indices(distinct))


def _grouped_integers(around: Member, column: pa.Array, highest: int) -> list[Part]:
    """Write numbers in two parts: what precedes the last four digits (nothing for 0), and these."""
    # Dividing 32-bit numbers is three times as fast.
    kind = np.dtype(np.uint32 if highest < 1 << 32 else np.int64)
    filled = column.fill_null(0) if column.null_count else column
    values = filled.to_numpy().astype(kind)
    heads = values // kind.type(_GROUP)
    tails = np.subtract(values, heads * kind.type(_GROUP), dtype=np.int32, casting="unsafe")
    tails += 1
    tails += (heads == 0) * np.int32(_GROUP)
    valid = None
    if column.null_count:
        valid = _valid(column)
        tails *= valid
    most = int(heads.max())
    if most < _table_limit(len(values)):
        texts = pa.array(np.arange(most + 1)).cast(pa.string())
        codes = heads.astype(np.int32)
    else:
        distinct = pa.array(heads).dictionary_encode()
        texts, codes = distinct.dictionary.cast(pa.string()), _indices(distinct)
    texts = pc.if_else(pc.equal(texts, "0"), "", texts)
    return [
        _part(around, texts, _with_nulls(codes, valid)),
        Part(digits(), tails, leads=False, nullable=True),
    ]


def _element_texts(elements: pa.Array) -> tuple[pa.Array, Codes]:
    """Quote the distinct elements of lists; the last text is null's."""
    if not pa.types.is_dictionary(elements.type):
        elements = elements.dictionary_encode()
    values, codes = _used(elements.dictionary, _indices(elements))
    quoted = pc.binary_join_element_wise('"', escaped(values).cast(pa.string()), '"', "")
    return _null_last(quoted, codes)


def _tag_texts(elements: pa.StructArray) -> tuple[pa.Array, Codes]:
    """Write the distinct (key, value) pairs as members without a leading comma."""
    keys, key_codes = _element_texts(elements.field("key"))
    values, value_codes = _element_texts(elements.field("value"))
    pairs = key_codes.astype(np.int64) * len(values) + value_codes
    distinct = pa.array(pairs).dictionary_encode()
    key_of, value_of = np.divmod(distinct.dictionary.to_numpy(), len(values))
    texts = pc.binary_join_element_wise(keys.take(key_of), values.take(value_of), ":")
    return texts, _indices(distinct)


def _null_last(texts: pa.Array, codes: Codes) -> tuple[pa.Array, Codes]:
    texts = pa.concat_arrays([texts, pa.array(["null"], pa.string())])
    return texts, np.where(codes < 0, np.int32(len(texts) - 1), codes)


def _distinct_lists(lists: pa.ListArray) -> tuple[pa.ListArray, Codes]:
    """Encode lists of 32-bit numbers as a dictionary would, which Arrow has not for lists but for their bytes."""
    width = 4
    bounds = lists.offsets.to_numpy().astype(np.int64) * width
    buffers = [None, pa.py_buffer(bounds), lists.values.buffers()[1]]
    encoded = pa.Array.from_buffers(pa.large_binary(), len(lists), buffers).dictionary_encode()
    _, ends, numbers = encoded.dictionary.buffers()
    offsets = np.frombuffer(ends, np.int64)[: len(encoded.dictionary) + 1] // width
    count = int(offsets[-1])
    values = pa.Array.from_buffers(pa.int32(), count, [None, numbers])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values), _indices(encoded)


def _characters(texts: pa.Array) -> npt.NDArray[np.uint8]:
    """The bytes of all texts of an array, or more: those around a slice."""
    data = texts.buffers()[2]
    return np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
