"""When interfaces were watched: where their records begin, and where some are missing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_MINUTE_S = 60
_WIDTH = np.int64(1 << 28)
_MOST_LOOSE = 1 << 20


class Minutes(NamedTuple):
    """Runs of minutes since 1970 of interfaces, by number, both ends included."""

    interface: Int32s
    first: Int64s
    last: Int64s


class Watch:
    """
    Collects when each interface has records, and when AWS skipped some, as runs of minutes without a gap.

    A minute that no record of an interface touches counts as not watched: too often so where an interface has little
    traffic, but a lost interval is no longer taken for silence.
    """

    def __init__(self) -> None:
        self._seen = _Runs()
        self._skipped = _Runs()

    def add(self, interface: Int32s, start_s: Int64s, end_s: Int64s) -> None:
        """Add the time spans of records, OK or NODATA; interface -1 is none."""
        self._seen.add(*_spans(interface, start_s, end_s))

    def skip(self, interface: Int32s, start_s: Int64s, end_s: Int64s) -> None:
        """Add the time spans of SKIPDATA records: something is missing there, whatever else was recorded."""
        self._skipped.add(*_spans(interface, start_s, end_s))

    def runs(self) -> tuple[Minutes, Minutes]:
        """Give the minutes with records, and those that were skipped."""
        return self._seen.minutes(), self._skipped.minutes()

    def add_runs(self, seen: Minutes, skipped: Minutes) -> None:
        """Add what `runs` of another watch gave, with the interfaces' numbers here."""
        for runs, minutes in ((self._seen, seen), (self._skipped, skipped)):
            base = minutes.interface.astype(np.int64) * _WIDTH
            runs.add(base + minutes.first, base + minutes.last)

    def held(self, interface: Int32s, until_s: Int64s, for_s: Int64s) -> Bools:
        """Tell whether an interface was watched without a gap for so many seconds until a time."""
        last = _keys(interface, until_s)
        first = _keys(interface, np.maximum(until_s - for_s, 0))
        return (interface >= 0) & self._seen.cover(first, last) & ~self._skipped.touch(first, last)


class _Runs:
    """Runs of integers, both ends included, ascending and apart."""

    def __init__(self) -> None:
        self._first = np.zeros(0, np.int64)
        self._last = np.zeros(0, np.int64)
        self._loose: list[tuple[Int64s, Int64s]] = []
        self._loose_count = 0

    def add(self, first: Int64s, last: Int64s) -> None:
        self._loose.append((first, last))
        self._loose_count += len(first)
        if self._loose_count > _MOST_LOOSE:
            self._join()

    def cover(self, first: Int64s, last: Int64s) -> Bools:
        """Tell whether one run holds all from first to last."""
        at = self._at(last)
        if not len(self._first):
            return np.zeros(len(first), np.bool_)
        return np.asarray((at >= 0) & (self._first[at] <= first) & (self._last[at] >= last))

    def touch(self, first: Int64s, last: Int64s) -> Bools:
        """Tell whether any run has something in common with first to last."""
        at = self._at(last)
        if not len(self._first):
            return np.zeros(len(first), np.bool_)
        return np.asarray((at >= 0) & (self._last[at] >= first))

    def minutes(self) -> Minutes:
        self._join()
        interface, first = np.divmod(self._first, _WIDTH)
        return Minutes(interface.astype(np.int32), first, self._last % _WIDTH)

    def _at(self, keys: Int64s) -> npt.NDArray[np.intp]:
        self._join()
        return np.searchsorted(self._first, keys, "right") - 1

    def _join(self) -> None:
        if not self._loose:
            return
        first = np.concatenate([self._first, *(f for f, _ in self._loose)])
        last = np.concatenate([self._last, *(end for _, end in self._loose)])
        self._loose, self._loose_count = [], 0
        order = np.argsort(first, kind="stable")
        first, last = first[order], np.maximum.accumulate(last[order])
        begins = np.ones(len(first), np.bool_)
        begins[1:] = first[1:] > last[:-1] + 1
        starts = np.flatnonzero(begins)
        ends = np.append(starts[1:], len(first)) - 1
        self._first, self._last = first[starts], last[ends[: len(starts)]]


def _spans(interface: Int32s, start_s: Int64s, end_s: Int64s) -> tuple[Int64s, Int64s]:
    """Give the distinct spans of minutes, as keys."""
    known = interface >= 0
    first = _keys(interface[known], start_s[known])
    length = np.clip(_keys(interface[known], end_s[known]) - first, 0, 255)
    spans = np.unique(first << 8 | length)
    return spans >> 8, (spans >> 8) + (spans & 255)


def _keys(interface: Int32s, time_s: Int64s) -> Int64s:
    return interface.astype(np.int64) * _WIDTH + np.clip(time_s, 0, None) // _MINUTE_S % _WIDTH
