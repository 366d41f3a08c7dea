"""Sets of rules, numbered: few are distinct, however many flows they admit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow.dictionaries import row_indices
from vpcflow.inventory import distinct_numbers
from vpcflow.rules.sightings import mixed

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]


class RuleSets:
    """Numbers distinct sets of rules, given as lists of ascending indices; the empty set is 0."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._members: list[Int32s] = []
        self._lists: pa.ListArray | None = None
        self.number(np.zeros(2, np.int64), np.zeros(0, np.int32))

    def number(self, offsets: Int64s, rules: Int32s) -> Int32s:
        """Number each list."""
        length = np.diff(offsets)
        hashed = np.zeros(len(length), np.uint64)
        held = np.flatnonzero(length > 0)
        if len(held):
            hashed[held] = np.add.reduceat(mixed(rules.astype(np.uint64) + 1), offsets[held])
        hashed = mixed(hashed + length.astype(np.uint64))
        distinct, number = distinct_numbers(hashed.view(np.int64))
        at = np.zeros(len(distinct), np.int64)
        at[number] = np.arange(len(number))
        numbers = [self._numbers.get(key, -1) for key in distinct.tolist()]
        for place, known in enumerate(numbers):
            if known < 0:
                first = at[place]
                numbers[place] = self._numbers[int(distinct[place])] = len(self._members)
                self._members.append(rules[offsets[first] : offsets[first + 1]])
        return np.array(numbers, np.int32)[number]

    def lists(self, numbers: Int32s) -> pa.ListArray:
        """Make a column of the rules of these sets, as lists of indices; -1 is null."""
        if self._lists is None or len(self._lists) < len(self._members):
            offsets = np.cumsum([0, *map(len, self._members)]).astype(np.int32)
            values = np.concatenate(self._members)
            self._lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))
        return self._lists.take(row_indices(numbers))

    @property
    def members(self) -> list[list[int]]:
        """The sets, by number."""
        return [one.tolist() for one in self._members]
