"""Lists of numbers in two arrays: where each begins, and the items of all."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vpcflow.inventory import distinct_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]


FEW = 2048
"""Of fewer rows than this the distinct ones are not sought: that takes longer than to do a few twice."""


def cases_of(numbers: Int64s) -> tuple[Int64s, Int64s]:
    """Give the distinct numbers, or all of few, and which of them each row has."""
    if len(numbers) < FEW:
        return numbers, np.arange(len(numbers))
    return distinct_numbers(numbers)


class Lists(NamedTuple):
    """List *i* is ``values[offsets[i]:offsets[i + 1]]``."""

    offsets: Int64s
    values: Int32s

    def expand(self, lists: npt.NDArray[np.integer]) -> tuple[Int64s, Int64s]:
        """Give for each item of each of these lists the place of its list among them, and its place in ``values``."""
        starts = self.offsets[lists]
        counts = self.offsets[1:][lists] - starts
        which = np.repeat(np.arange(len(lists)), counts)
        ends = np.cumsum(counts)
        at = np.arange(int(ends[-1]) if len(ends) else 0)
        at += np.repeat(starts - ends + counts, counts)
        return which, at

    def take(self, lists: npt.NDArray[np.integer]) -> Lists:
        """Give these lists, in this order."""
        counts = self.offsets[1:][lists] - self.offsets[lists]
        return Lists(offsets_of(counts), self.values[self.expand(lists)[1]])


def lists_of(items: Sequence[Sequence[int]]) -> Lists:
    """Lay lists out in arrays."""
    offsets = np.array([0, *accumulate(map(len, items))], np.int64)
    return Lists(offsets, np.array([one for some in items for one in some], np.int32))


def offsets_of(counts: npt.NDArray[np.integer]) -> Int64s:
    """Give where lists of these lengths begin, and where the last ends."""
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets
