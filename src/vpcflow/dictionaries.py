"""Text columns as they are in memory, dictionaries of distinct values: from rows to values and back, without a text."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa


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
    validity = None if known.all() else pa.py_buffer(np.packbits(known, bitorder="little"))
    return pa.Array.from_buffers(pa.int32(), len(rows), [validity, pa.py_buffer(rows)])


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
    # Code -1 takes the item added at the end.
    return np.append(numbers, np.int32(-1)).take(codes)
