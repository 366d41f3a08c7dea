"""A growing table of places, in columns. Its row 0 is no place: all its fields are null."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow.dictionaries import with_last
from vpcflow.geo.place import Place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NO_PLACE = 0

_NUMBER_TYPES = {"latitude": pa.float64(), "longitude": pa.float64(), "as_number": pa.int64()}
_TEXTS = tuple(name for name in Place._fields if name not in _NUMBER_TYPES)

# A shorter dictionary is the same array in all batches. A writer writes dictionaries down whole, so from a longer one
# (cities) the values are left out that a batch does not have.
_MAX_SHARED_VALUES = 1024


class Texts(NamedTuple):
    """A column of texts: an index into distinct values for each row, -1 for null."""

    codes: npt.NDArray[np.int32]
    values: pa.StringArray


class PlaceTable(NamedTuple):
    """The columns of ``Place``: a table that grows is a new one, with the old rows first. NaN is no number."""

    texts: Mapping[str, Texts]
    numbers: Mapping[str, npt.NDArray[np.float64]]


class PlaceColumns(NamedTuple):
    """The fields of some places, in columns; NaN is no number."""

    texts: Mapping[str, Sequence[str | None]]
    numbers: Mapping[str, npt.NDArray[np.float64]]


class Places(NamedTuple):
    """
    The places of some addresses, or of some flows: ``rows`` of the table.

    ``used`` has all rows that ``rows`` can have: what the addresses had that were spread to flows.
    """

    rows: npt.NDArray[np.intp]
    used: npt.NDArray[np.intp]
    table: PlaceTable

    def spread(self, codes: npt.NDArray[np.int32]) -> Places:
        """Give the places of flows by the index of each flow's address; -1 where a flow has none."""
        rows = with_last(self.rows, NO_PLACE)
        return Places(rows.take(codes), self.rows, self.table)

    def column(self, name: str) -> pa.Array:
        """Give a field of ``Place``, null where not known; texts are dictionary arrays of distinct values."""
        if name in self.table.numbers:
            numbers = self.table.numbers[name].take(self.rows)
            return _nullable(numbers, ~np.isnan(numbers), _NUMBER_TYPES[name])
        texts = self.table.texts[name]
        if len(texts.values) > _MAX_SHARED_VALUES:
            texts = _only_used(texts, self.used)
        codes = texts.codes.take(self.rows)
        indices = _nullable(codes, codes >= 0, pa.int32())
        return pa.DictionaryArray.from_arrays(indices, texts.values, safe=False)


class PlaceTableBuilder:
    """Places in the order they were found."""

    def __init__(self) -> None:
        self._length = 0
        self._begin()
        self._code_of: Mapping[str, dict[str, int]] = {name: {} for name in _TEXTS}
        self._table = PlaceTable(
            {name: Texts(np.empty(0, np.int32), pa.array([], pa.string())) for name in _TEXTS},
            {name: np.empty(0) for name in _NUMBER_TYPES},
        )
        self.add([Place()])

    def __len__(self) -> int:
        return self._length

    def add(self, places: Sequence[Place]) -> npt.NDArray[np.int32]:
        """Append places and give their rows."""
        texts = {name: [getattr(place, name) for place in places] for name in _TEXTS}
        numbers = {
            name: np.array([getattr(place, name) for place in places], np.float64)
            for name in _NUMBER_TYPES
        }
        return self.add_columns(PlaceColumns(texts, numbers), len(places))

    def add_columns(self, columns: PlaceColumns, count: int) -> npt.NDArray[np.int32]:
        """Append so many places and give their rows."""
        first, self._length = self._length, self._length + count
        for name, texts in columns.texts.items():
            self._added_texts[name] += texts
        for name, numbers in columns.numbers.items():
            self._added_numbers[name] += numbers.tolist()
        return np.arange(first, self._length, dtype=np.int32)

    def _begin(self) -> None:
        self._added_texts: dict[str, list[str | None]] = {name: [] for name in _TEXTS}
        self._added_numbers: dict[str, list[float]] = {name: [] for name in _NUMBER_TYPES}

    def table(self) -> PlaceTable:
        """Give all places added so far."""
        if len(next(iter(self._table.numbers.values()))) < self._length:
            texts = {
                name: _extended(old, self._added_texts[name], self._code_of[name])
                for name, old in self._table.texts.items()
            }
            numbers = {
                name: np.concatenate([old, np.array(self._added_numbers[name], np.float64)])
                for name, old in self._table.numbers.items()
            }
            self._table = PlaceTable(texts, numbers)
            self._begin()
        return self._table


def _extended(texts: Texts, added: Sequence[str | None], code_of: dict[str, int]) -> Texts:
    codes = [-1 if text is None else code_of.setdefault(text, len(code_of)) for text in added]
    new_values = list(code_of)[len(texts.values) :]
    return Texts(
        np.concatenate([texts.codes, np.array(codes, np.int32)]),
        pa.concat_arrays([texts.values, pa.array(new_values, pa.string())]),
    )


def _only_used(texts: Texts, rows: npt.NDArray[np.intp]) -> Texts:
    """Leave out the values that none of these rows has, and number the others anew."""
    # The place after the last value is -1's: null is no value.
    is_used = np.zeros(len(texts.values) + 1, np.bool_)
    is_used[texts.codes[rows]] = True
    is_used[-1] = False
    used = np.flatnonzero(is_used)
    new_code_of = np.full(len(is_used), -1, np.int32)
    new_code_of[used] = np.arange(len(used), dtype=np.int32)
    return Texts(new_code_of[texts.codes], texts.values.take(pa.array(used)))


def _nullable(
    values: npt.NDArray[np.generic], known: npt.NDArray[np.bool_], type_: pa.DataType
) -> pa.Array:
    """Make an Arrow array of the values, null where not known: the fast way, as this is done for every row."""
    data = (
        values
        if type_ == pa.from_numpy_dtype(values.dtype)
        else np.where(known, values, 0).astype(np.int64)
    )
    validity = None if known.all() else pa.py_buffer(np.packbits(known, bitorder="little"))
    return pa.Array.from_buffers(type_, len(data), [validity, pa.py_buffer(data)])
