"""Geohashes: coordinates as one text, which search engines take for a point. https://en.wikipedia.org/wiki/Geohash"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow.dictionaries import codes_of

LENGTH = 12
"""Characters: a cell of some centimetres, far less than any database knows."""

_ALPHABET = np.frombuffer(b"0123456789bcdefghjkmnpqrstuvwxyz", np.uint8)
_BITS = 5 * LENGTH // 2  # of either coordinate
_POLE, _DATE_LINE = 90, 180

Degrees = npt.NDArray[np.float64]


def geohashes(
    latitude: pa.DoubleArray | None, longitude: pa.DoubleArray | None
) -> pa.DictionaryArray | None:
    """
    Give the geohash of each row's coordinates, null where they are no place on Earth; each distinct place once.

    >>> geohashes(pa.array([57.64911]), pa.array([10.40744])).to_pylist()
    ['u4pruydqqvj8']
    """
    if latitude is None or longitude is None:
        return None
    north, east = (
        np.asarray(column.fill_null(np.nan).to_numpy(zero_copy_only=False))
        for column in (latitude, longitude)
    )
    known = (np.abs(north) <= _POLE) & (np.abs(east) <= _DATE_LINE)
    if not known.any():
        return None
    norths, easts = (pa.array(one).dictionary_encode() for one in (north, east))
    keys = codes_of(norths).astype(np.int64) * len(easts.dictionary) + codes_of(easts)
    distinct = pa.array(keys, mask=~known).dictionary_encode()
    one, other = np.divmod(distinct.dictionary.to_numpy(), len(easts.dictionary))
    texts = _spelled(norths.dictionary.to_numpy()[one], easts.dictionary.to_numpy()[other])
    return pa.DictionaryArray.from_arrays(distinct.indices, texts)


def _spelled(north: Degrees, east: Degrees) -> pa.StringArray:
    bits = np.empty((len(north), _BITS * 2), np.uint8)
    for first, degrees, most in ((0, east, _DATE_LINE), (1, north, _POLE)):
        steps = np.floor((degrees + most) / (2 * most) * (1 << _BITS)).astype(np.int64)
        steps = np.minimum(steps, (1 << _BITS) - 1)
        bits[:, first::2] = (steps[:, None] >> np.arange(_BITS - 1, -1, -1)) & 1
    letters = bits.reshape(len(north), LENGTH, 5) @ np.array([16, 8, 4, 2, 1], np.uint8)
    texts = _ALPHABET[letters].view(f"S{LENGTH}").ravel()
    return pa.array(texts.astype(str).tolist(), pa.string())
