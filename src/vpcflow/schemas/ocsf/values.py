"""Columns of flows as OCSF events are worked out of them: texts by number, masks of rows, constants."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vpcflow.dictionaries import codes_of, dictionary_array, row_indices, spread
from vpcflow.schemas.ocsf.words import OTHER_ID, Coded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Rows = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int32]


class Constant(NamedTuple):
    """A value that all rows share."""

    value: str | int | bool | tuple[str, ...]


class Enumerated(NamedTuple):
    """Two members, ``…_id`` and beside it the caption: each row's place in the meanings, -1 for null."""

    numbers: Codes
    meanings: tuple[Coded, ...]

    @property
    def ids(self) -> pa.Array:
        """The column of ids."""
        ids = np.array([*(meaning.id for meaning in self.meanings), -1])[self.numbers]
        return pa.array(ids, pa.int32(), mask=self.numbers < 0)


class Account(NamedTuple):
    """An object: the number of an AWS account, and that it is one."""

    uid: pa.DictionaryArray


Value: TypeAlias = "pa.Array | Constant | Enumerated | Account"
Member: TypeAlias = "tuple[str, Value | None]"
"""The dotted path of a value in the event, and its column; None where no row has one."""


class Texts(NamedTuple):
    """A column of text: the distinct values, and each row's number among them, -1 for null."""

    values: pa.StringArray
    codes: Codes

    @property
    def valid(self) -> Rows:
        """Mark the rows that have a text."""
        return self.codes >= 0

    def where(self, rows: Rows) -> Texts:
        """Leave the text to the marked rows alone."""
        return Texts(self.values, np.where(rows, self.codes, np.int32(-1)))

    def or_else(self, other: Texts) -> Texts:
        """Take the other's text where there is none."""
        if not (self.codes < 0).any() or not other.valid.any():
            return self
        if not self.valid.any():
            return other
        shifted = np.where(other.codes < 0, np.int32(-1), other.codes + np.int32(len(self.values)))
        values = pa.concat_arrays([self.values, other.values])
        return Texts(values, np.where(self.codes < 0, shifted, self.codes))

    def differs(self, other: Texts) -> Rows:
        """Mark the rows where both have a text, and not the same."""
        numbers = pa.concat_arrays([self.values, other.values]).dictionary_encode().indices
        own = spread(numbers.to_numpy()[: len(self.values)], self.codes)
        others = spread(numbers.to_numpy()[len(self.values) :], other.codes)
        return np.asarray((own >= 0) & (others >= 0) & (own != others), np.bool_)

    def numbered(self, meanings: Mapping[str, int], *, other: int, null: int) -> Codes:
        """Give each row's number by its text."""
        numbers = [meanings.get(text, other) for text in self.values.to_pylist()]
        return np.array([*numbers, null], np.int32).take(self.codes)

    def array(self) -> pa.DictionaryArray | None:
        """Give the column, None where no row has a text."""
        return dictionary_array(self.codes, self.values) if self.valid.any() else None


class Values:
    """The columns of a batch; one that it lacks counts as null."""

    def __init__(self, flows: pa.RecordBatch) -> None:
        self._columns = dict(zip(flows.schema.names, flows.columns))
        self._texts: dict[str, Texts] = {}
        self.rows: int = flows.num_rows

    def has(self, name: str) -> bool:
        """Tell whether any row has a value."""
        return name in self._columns and self._columns[name].null_count < self.rows

    def valid(self, name: str) -> Rows:
        """Mark the rows that have a value."""
        if not self.has(name):
            return np.zeros(self.rows, np.bool_)
        column = self._columns[name]
        if not column.null_count:
            return np.ones(self.rows, np.bool_)
        return np.asarray(column.is_valid().to_numpy(zero_copy_only=False), np.bool_)

    def array(self, name: str) -> pa.Array | None:
        """Give a column as it is, None where no row has a value."""
        return self._columns[name] if self.has(name) else None

    def texts(self, name: str) -> Texts:
        """Give a column of text by number."""
        if name not in self._texts:
            self._texts[name] = self._numbered(name)
        return self._texts[name]

    def _numbered(self, name: str) -> Texts:
        if not self.has(name):
            return nothing(self.rows)
        column = self._columns[name]
        if not pa.types.is_dictionary(column.type):
            column = column.cast(pa.string()).dictionary_encode()
        return Texts(column.dictionary.cast(pa.string()), codes_of(column))

    def numbers(self, name: str) -> npt.NDArray[np.int64]:
        """Give a column of whole numbers, -1 for null."""
        if not self.has(name):
            return np.full(self.rows, -1, np.int64)
        column = self._columns[name].cast(pa.int64())
        return np.asarray(column.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)


def nothing(rows: int) -> Texts:
    """Give a column of nulls."""
    return Texts(pa.array([], pa.string()), np.full(rows, -1, np.int32))


def texts(codes: Codes, values: Sequence[str]) -> Texts:
    """Give a column of a few known texts, by number."""
    return Texts(pa.array(values, pa.string()), codes.astype(np.int32, copy=False))


def kept(array: pa.Array | None, rows: Rows) -> pa.Array | None:
    """Leave the values of a column to the marked rows alone."""
    if array is None or rows.all():
        return array
    if not rows.any():
        return None
    if pa.types.is_dictionary(array.type):
        codes = np.where(rows, codes_of(array), np.int32(-1))
        return dictionary_array(codes, array.dictionary)
    if pa.types.is_list(array.type):
        return array.take(row_indices(np.where(rows, np.arange(len(array), dtype=np.int32), -1)))
    return pc.if_else(pa.array(rows), array, pa.scalar(None, array.type))


def present(values: Iterable[Value | None], rows: int) -> Rows:
    """Mark the rows in which any of the columns has a value."""
    marked = np.zeros(rows, np.bool_)
    for value in values:
        if isinstance(value, Enumerated):
            marked |= value.numbers >= 0
        elif value is not None and not isinstance(value, Constant):
            array = value.uid if isinstance(value, Account) else value
            marked |= np.asarray(array.is_valid().to_numpy(zero_copy_only=False), np.bool_)
    return marked


def lists_of_one(texts: Texts) -> pa.ListArray | None:
    """Give a list of the one text to each row that has one."""
    if not texts.valid.any():
        return None
    ends = np.append(np.int32(0), np.cumsum(texts.valid, dtype=np.int32))
    elements = dictionary_array(texts.codes[texts.valid], texts.values)
    return pa.ListArray.from_arrays(pa.array(ends), elements, mask=pa.array(~texts.valid))


def number_column(numbers: npt.NDArray[np.int64], rows: Rows, kind: pa.DataType) -> pa.Array | None:
    """Give the numbers of the marked rows as a column."""
    return pa.array(numbers, kind, mask=~rows) if rows.any() else None


def coded(
    numbers: Codes, meanings: Sequence[Coded], other: Texts | None = None
) -> Enumerated | None:
    """
    Give an enumerated value; a row that has an ``other`` text is of no meaning known, and the text its caption.

    ``numbers`` are places in the meanings, -1 for null.
    """
    if other is not None and other.valid.any():
        numbers = np.where(other.valid, other.codes + np.int32(len(meanings)), numbers)
        meanings = [*meanings, *(Coded(OTHER_ID, text) for text in other.values.to_pylist())]
    return Enumerated(numbers, tuple(meanings)) if (numbers >= 0).any() else None


def account(uid: Texts) -> Account | None:
    """Give the accounts of the rows that have one."""
    array = uid.array()
    return None if array is None else Account(array)
