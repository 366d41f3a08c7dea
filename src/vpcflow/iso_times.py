"""Times as ISO 8601 writes them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

_YEAR_10000_S = 253_402_300_800


def iso_times(seconds: pa.Array) -> pa.DictionaryArray:
    """
    Write Unix seconds with milliseconds, in UTC; null where null, or where no date is: before 1970, after 9999.

    >>> iso_times(pa.array([1700000058, -1])).to_pylist()
    ['2023-11-14T22:14:18.000Z', None]
    """
    distinct = seconds.dictionary_encode()
    values = distinct.dictionary.to_numpy()
    # ISO 8601 ends with the year 9999; nothing keeps a log from holding a larger number.
    known = (values >= 0) & (values < _YEAR_10000_S)
    texts = np.datetime_as_string(np.where(known, values, 0).astype("M8[s]"), "ms", timezone="UTC")
    places = pa.array(np.arange(len(values), dtype=np.int32), mask=~known)
    return pa.DictionaryArray.from_arrays(
        places.take(distinct.indices), pa.array(texts, pa.string())
    )
