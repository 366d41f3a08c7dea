"""Text columns as they are in memory, dictionaries of distinct values: from rows to values and back, without a text."""

from __future__ import annotations

import functools
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_T = TypeVar("_T", bound=np.generic)


def codes_of(column: pa.DictionaryArray) -> npt.NDArray[np.int32]:
    """Give the dictionary index of each row, -1 for null."""
    indices = column.indices
    if indices.null_count == len(indices):
        return np.full(len(indices), -1, np.int32)
    if indices.null_count:
        indices = indices.fill_null(-1)
    return np.asarray(indices.to_numpy(zero_copy_only=False), np.int32)


def dictionary_array(codes: npt.NDArray[np.int32], values: pa.Array) -> pa.DictionaryArray:
    """Make a column of the values with these indices, null where the index is negative. The reverse of ``codes_of``."""
    return pa.DictionaryArray.from_arrays(row_indices(codes), values, safe=False)


def row_indices(rows: npt.NDArray[np.int32]) -> pa.Int32Array:
    """Make indices for ``take``: null, and so a null taken, where the row is negative. The memory is shared."""
    rows = np.ascontiguousarray(rows, np.int32)
    known = rows >= 0
    # Of the ways to ask whether all are, numpy counts by far the fastest.
    nulls = len(rows) - np.count_nonzero(known)
    validity = pa.py_buffer(np.packbits(known, bitorder="little")) if nulls else None
    return pa.Array.from_buffers(pa.int32(), len(rows), [validity, pa.py_buffer(rows)], nulls)


def coalesce(first: pa.DictionaryArray, second: pa.DictionaryArray) -> pa.DictionaryArray:
    """Give the first column's values, and where they are null the second's."""
    if first.null_count == 0 or second.null_count == len(second):
        return first
    if first.null_count == len(first):
        return second
    merged = pa.chunked_array([first.dictionary, second.dictionary]).combine_chunks()
    encoded = merged.dictionary_encode()
    numbers = encoded.indices.to_numpy(zero_copy_only=False)
    own = spread(numbers[: len(first.dictionary)], codes_of(first))
    other = spread(numbers[len(first.dictionary) :], codes_of(second))
    return dictionary_array(np.where(own < 0, other, own), encoded.dictionary)


def spread(numbers: npt.NDArray[np.int32], codes: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Give the number of each row's code; -1 where the code is."""
    return with_last(numbers, -1).take(codes)


def with_last(values: npt.NDArray[_T], last: object) -> npt.NDArray[_T]:
    """Add an item, which index -1 takes: null's. numpy's ``append`` takes five times as long."""
    longer = np.empty(len(values) + 1, values.dtype)
    longer[:-1] = values
    longer[-1] = last
    return longer


@functools.cache
def texts_of(values: tuple[str, ...]) -> pa.StringArray:
    """Give the values of a column that are the same in all batches, as codes of a closed set are."""
    return pa.array(values, pa.string())


def numbered(column: pa.Array | pa.ChunkedArray) -> tuple[pa.Array, npt.NDArray[np.int64]]:
    """Give the distinct values of a column, and the place of each row's among them; null's is after all."""
    if isinstance(column, pa.ChunkedArray):
        column = column.unify_dictionaries().combine_chunks()
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    values, codes = encoded.dictionary, codes_of(encoded).astype(np.int64)
    return values, np.where(codes < 0, len(values), codes)


def ordered(values: pa.Array, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Give the place of each number's value among the values in ascending order; what is null stays after all."""
    order = pc.sort_indices(values).to_numpy()
    rank = np.empty(len(order) + 1, np.int64)
    rank[order] = np.arange(len(order))
    rank[-1] = len(order)
    return rank[numbers]
