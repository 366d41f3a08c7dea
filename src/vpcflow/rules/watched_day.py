"""
Which aggregation windows of a day have records, at all interfaces at once.

A record never goes over the end of a window, so all that a day's records tell of its windows are the second in which
each begins, and the seconds inside it, at which no window can begin. Of the beginnings the first and the last in a
minute are enough: windows last at least a minute, so that one that holds another beginning of that minute holds one of
these.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Int64s = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]

DAY_S = 86_400
SHORT_S, LONG_S = 60, 600
"""The two lengths a window may have."""

EVIDENCE_S = 120
"""A record that is longer than this tells that windows are long: those of short windows are never off by so much."""

WATCHED = pa.schema(
    [
        pa.field("eni", pa.int32(), nullable=False),
        pa.field("first", pa.binary(), nullable=False),
        pa.field("after", pa.binary(), nullable=False),
        pa.field("skipped_first", pa.binary()),
        pa.field("skipped_after", pa.binary()),
        pa.field("short", pa.binary(), nullable=False),
        pa.field("long", pa.binary()),
        pa.field("has_long", pa.bool_(), nullable=False),
    ]
)
"""A day as rows: bytes for each minute (see `Starts`), and for each second of a window, which is 1 inside records."""

_MINUTES = DAY_S // 60
_NONE = np.uint8(255)
_FIRST_ROOM = 16


class Intervals(NamedTuple):
    """Seconds from ``since`` on and before ``until``, each of an interface: its number in ``eni``."""

    eni: Int32s
    since: Int64s
    until: Int64s


class Starts:
    """In each minute of a day, the first and the last second in which a record began, for each interface."""

    def __init__(self, room: int) -> None:
        self.first = np.full((room, _MINUTES), _NONE, np.uint8)
        """The second of the minute; 255 where none began."""
        self.after = np.zeros((room, _MINUTES), np.uint8)
        """The second of the minute after the last one that began; 0 where none did."""

    def add(self, eni: Int64s, second: Int64s) -> None:
        """Note records that began in these seconds of the day."""
        # Division of 32-bit numbers is compiled to multiplication: ten times as fast as that of 64-bit ones.
        second = second.astype(np.int32)
        minute = second // 60
        place = eni * _MINUTES + minute
        second = (second - minute * 60).astype(np.uint8)
        np.minimum.at(self.first.reshape(-1), place, second)
        np.maximum.at(self.after.reshape(-1), place, second + np.uint8(1))

    def grow(self, room: int) -> None:
        """Make room for more interfaces."""
        new = Starts(room)
        new.first[: len(self.first)] = self.first
        new.after[: len(self.after)] = self.after
        self.first, self.after = new.first, new.after

    def add_rows(self, enis: Int64s, first: Bytes, after: Bytes) -> None:
        """Note what was known before of these interfaces."""
        self.first[enis] = np.minimum(self.first[enis], first)
        self.after[enis] = np.maximum(self.after[enis], after)


class Inside:
    """Which seconds, counted modulo the length of a window, lie inside a record of an interface."""

    def __init__(self, room: int, length_s: int) -> None:
        self._length_s = length_s
        self._change = np.zeros((room, length_s + 1), np.int32)

    def add(self, eni: Int64s, start: Int64s, span: Int64s) -> None:
        """Note records that begin in these seconds and go on for less than a window."""
        width = self._length_s + 1
        first = start.astype(np.int32) + 1
        first -= first // self._length_s * self._length_s
        beyond = first + span
        goes_round = beyond > self._length_s
        beyond = np.where(goes_round, beyond - self._length_s, beyond)
        change = self._change.reshape(-1)
        one = np.ones(len(eni), np.int32)
        np.add.at(change, eni * width + first, one)
        np.add.at(change, eni * width + beyond, -one)
        np.add.at(change, (eni * width)[goes_round], one[goes_round])

    def grow(self, room: int) -> None:
        """Make room for more interfaces."""
        new = np.zeros((room, self._length_s + 1), np.int32)
        new[: len(self._change)] = self._change
        self._change = new

    def possible(self) -> Bools:
        """Tell for each interface and second whether windows may begin in it; where none is left, all."""
        possible: Bools = np.cumsum(self._change[:, :-1], axis=1) == 0
        possible[~possible.any(axis=1)] = True
        return possible

    def rows(self, enis: Int64s) -> Bools:
        """Tell for each of these interfaces and each second whether it is inside a record."""
        inside: Bools = np.cumsum(self._change[enis, :-1], axis=1) > 0
        return inside

    def add_rows(self, enis: Int64s, inside: Bools) -> None:
        """Take over what ``rows`` gave."""
        edges = np.zeros((len(enis), self._length_s + 1), np.int32)
        edges[:, :-1] += inside
        edges[:, 1:] -= inside
        self._change[enis] += edges


class WatchedDay:
    """
    The records of a UTC day, in little room: ``room`` interfaces, numbered from 0.

    ``kept`` are of the log status OK or NODATA, ``skipped`` of SKIPDATA.
    """

    def __init__(self, room: int = _FIRST_ROOM) -> None:
        self.room = max(room, _FIRST_ROOM)
        self.kept = Starts(self.room)
        self.skipped: Starts | None = None
        self.short = Inside(self.room, SHORT_S)
        self.long: Inside | None = None
        self.has_long = np.zeros(self.room, np.bool_)

    def add(self, eni: Int64s, second: Int64s, span: Int64s, is_skipped: Bools) -> None:
        """Note records by interface, second of the day, length less a second, and whether they are SKIPDATA."""
        if not len(eni):
            return
        self._grow(int(eni.max()) + 1)
        is_kept = ~is_skipped
        self.kept.add(eni[is_kept], second[is_kept])
        if is_skipped.any():
            self.skipped = self.skipped or Starts(self.room)
            self.skipped.add(eni[is_skipped], second[is_skipped])
        fits = (span > 0) & (span < SHORT_S)
        self.short.add(eni[fits], second[fits], span[fits])
        is_long = (span >= SHORT_S) & (span < LONG_S)
        if is_long.any():
            self.long = self.long or Inside(self.room, LONG_S)
            self.long.add(eni[is_long], second[is_long], span[is_long])
            self.has_long[eni[span > EVIDENCE_S]] = True

    def covered(self, may_be_long: Bools) -> Intervals:
        """
        Give the seconds of the day in windows with a record kept and none skipped, in order of interface and time.

        Where windows begin is not known: of all seconds in which they may, that is taken with which least is covered.
        ``may_be_long`` tells for each interface whether its windows may last ten minutes.
        """
        is_long = np.zeros(self.room, np.bool_)
        is_long[: len(may_be_long)] = may_be_long[: self.room]
        is_long &= self.has_long
        there = (self.kept.after > 0).any(axis=1)
        found = [self._covered(np.flatnonzero(there & ~is_long), SHORT_S, self.short)]
        if self.long is not None:
            found.append(self._covered(np.flatnonzero(there & is_long), LONG_S, self.long))
        return merged(*(np.concatenate(column) for column in zip(*found, strict=True)))

    def rows(self) -> pa.RecordBatch:
        """Give what is known, a row for each interface of which there is a record, as `WATCHED`."""
        there = (self.kept.after > 0).any(axis=1)
        has_skipped: Bools = np.zeros(self.room, np.bool_)
        if self.skipped is not None:
            has_skipped |= (self.skipped.after > 0).any(axis=1)
        enis = np.flatnonzero(there | has_skipped)
        skipped = self.skipped if has_skipped.any() else None
        return pa.RecordBatch.from_arrays(
            [
                pa.array(enis, pa.int32()),
                _binary(self.kept.first[enis]),
                _binary(self.kept.after[enis]),
                _binary(None if skipped is None else skipped.first[enis], has_skipped[enis]),
                _binary(None if skipped is None else skipped.after[enis], has_skipped[enis]),
                _binary(self.short.rows(enis)),
                _binary(None if self.long is None else self.long.rows(enis), self.has_long[enis]),
                pa.array(self.has_long[enis]),
            ],
            schema=WATCHED,
        )

    def add_rows(self, rows: pa.RecordBatch, enis: Int64s) -> None:
        """Take over what ``rows`` gave, of interfaces that now have these numbers."""
        if not len(enis):
            return
        self._grow(int(enis.max()) + 1)
        self.kept.add_rows(enis, _bytes(rows, "first"), _bytes(rows, "after"))
        at = np.flatnonzero(rows.column("skipped_after").is_valid().to_numpy(zero_copy_only=False))
        if len(at):
            of = rows.take(pa.array(at))
            self.skipped = self.skipped or Starts(self.room)
            self.skipped.add_rows(
                enis[at], _bytes(of, "skipped_first"), _bytes(of, "skipped_after")
            )
        self.short.add_rows(enis, _bytes(rows, "short").astype(np.bool_))
        at = np.flatnonzero(rows.column("long").is_valid().to_numpy(zero_copy_only=False))
        if len(at):
            self.long = self.long or Inside(self.room, LONG_S)
            inside = _bytes(rows.take(pa.array(at)), "long").astype(np.bool_)
            self.long.add_rows(enis[at], inside)
        self.has_long[enis] |= rows.column("has_long").to_numpy(zero_copy_only=False)

    def _covered(self, rows: Int64s, length_s: int, inside: Inside) -> Intervals:
        possible = inside.possible()[rows]
        if length_s == SHORT_S:
            seconds = self._seconds(rows)
            phase = np.where(possible, seconds, DAY_S + 1).argmin(axis=1)
        else:
            phase = self._phases(rows, possible, length_s)
        parts = [
            _runs(rows[of_one], self._windows(rows[of_one], length_s, candidate), candidate)
            for candidate in np.unique(phase).tolist()
            for of_one in [np.flatnonzero(phase == candidate)]
        ]
        if not parts:
            return Intervals(np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.int64))
        return Intervals(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def _phases(self, rows: Int64s, possible: Bools, length_s: int) -> Int64s:
        """Find for each interface the second that windows may begin in with which least is covered."""
        least = np.full(len(rows), DAY_S + 1, np.int64)
        phase = np.zeros(len(rows), np.int64)
        for candidate in range(length_s):
            places = np.flatnonzero(possible[:, candidate])
            if not len(places):
                continue
            windows = self._windows(rows[places], length_s, candidate)
            seconds = windows @ _lengths(length_s, candidate)
            better = seconds < least[places]
            least[places[better]] = seconds[better]
            phase[places[better]] = candidate
        return phase

    def _seconds(self, rows: Int64s) -> Int64s:
        """Count for each interface how many seconds are covered, for every second that short windows may begin in."""
        if self.skipped is None:
            first, after = self.kept.first[rows], self.kept.after[rows]
            return DAY_S - _uncovered(first, after)
        both_first = np.minimum(self.kept.first[rows], self.skipped.first[rows])
        both_after = np.maximum(self.kept.after[rows], self.skipped.after[rows])
        skipped = _uncovered(self.skipped.first[rows], self.skipped.after[rows])
        return skipped - _uncovered(both_first, both_after)

    def _windows(self, rows: Int64s, length_s: int, phase: int) -> Bools:
        """Tell which windows are covered: the first ends with second ``phase`` of the day, the last is cut off too."""
        touched = _touched(self.kept, rows, length_s, phase)
        if self.skipped is not None:
            touched &= ~_touched(self.skipped, rows, length_s, phase)
        return touched

    def _grow(self, room: int) -> None:
        if room <= self.room:
            return
        self.room = max(room, 2 * self.room)
        for part in (self.kept, self.skipped, self.short, self.long):
            if part is not None:
                part.grow(self.room)
        self.has_long = np.concatenate(
            [self.has_long, np.zeros(self.room - len(self.has_long), np.bool_)]
        )


def merged(eni: Int32s, since: Int64s, until: Int64s) -> Intervals:
    """Unite what overlaps or meets, in order of interface and time."""
    order = np.lexsort((since, eni))
    eni, since, until = eni[order], since[order], until[order]
    if not len(eni):
        return Intervals(eni.astype(np.int32), since, until)
    # Each interface's times lie beyond those of all before it, so that one running maximum serves all.
    stride = int(until.max() - since.min()) + 2
    base = eni.astype(np.int64) * stride - since.min()
    reach = np.maximum.accumulate(until + base)
    is_new = np.ones(len(eni), np.bool_)
    is_new[1:] = since[1:] + base[1:] > reach[:-1]
    is_new[1:] |= eni[1:] != eni[:-1]
    first = np.flatnonzero(is_new)
    last = np.append(first[1:], len(eni)) - 1
    return Intervals(eni[first].astype(np.int32), since[first], reach[last] - base[last])


def _binary(rows: npt.NDArray[np.generic] | None, is_there: Bools | None = None) -> pa.Array:
    """Give each row as bytes; null where ``is_there`` is false."""
    if rows is None:
        return pa.nulls(0 if is_there is None else len(is_there), pa.binary())
    texts = [row.tobytes() for row in rows.astype(np.uint8)]
    return pa.array(texts, pa.binary(), mask=None if is_there is None else ~is_there)


def _bytes(rows: pa.RecordBatch, name: str) -> Bytes:
    texts = rows.column(name).to_pylist()
    return np.frombuffer(b"".join(texts), np.uint8).reshape(len(texts), -1)


def _lengths(length_s: int, phase: int) -> Int64s:
    """Give how many seconds of the day each window has."""
    lengths = np.full(DAY_S // length_s + 1, length_s, np.int64)
    lengths[0], lengths[-1] = phase, length_s - phase
    return lengths


def _touched(starts: Starts, rows: Int64s, length_s: int, phase: int) -> Bools:
    minutes = length_s // 60
    minute, second = divmod(phase, 60)
    first, after = starts.first[rows], starts.after[rows]
    touched = np.zeros((len(rows), DAY_S // length_s + 1), np.bool_)
    # The minute in which a window begins belongs to it from ``second`` on, and before that to the window before.
    touched[:, 1:] = after[:, minute::minutes] > second
    touched[:, :-1] |= first[:, minute::minutes] < second
    if minutes > 1:
        count = np.zeros((len(rows), _MINUTES + 1), np.int32)
        np.cumsum(after > 0, axis=1, out=count[:, 1:])
        begin = np.arange(minute, _MINUTES, minutes)
        low = np.concatenate([[0], begin + 1])
        high = np.concatenate([begin, [_MINUTES]])
        touched |= count[:, high] > count[:, low]
    return touched


def _uncovered(first: Bytes, after: Bytes) -> Int64s:
    """Count the seconds in short windows without a record that begins there, for every second they may begin in."""
    # A window that begins in a minute has none if it begins after the last one of that minute and before, or with, the
    # first one of the next: two corners for each minute, whose sums give all counts.
    count = len(first)
    since = np.minimum(after[:, :-1], SHORT_S).astype(np.int32)
    beyond = np.minimum(first[:, 1:], SHORT_S - 1).astype(np.int32) + 1
    base = (np.arange(count, dtype=np.int32) * (SHORT_S + 1))[:, np.newaxis]
    is_one = since < beyond
    size = count * (SHORT_S + 1)
    change = np.bincount((since + base)[is_one], minlength=size)
    change -= np.bincount((beyond + base)[is_one], minlength=size)
    windows = np.cumsum(change.reshape(count, SHORT_S + 1)[:, :SHORT_S], axis=1)
    second = np.arange(SHORT_S)
    # What is before the first window of the day and in the last is of windows that are cut off.
    opening = np.where(first[:, :1] < second, 0, second)
    closing = np.where(after[:, -1:] > second, 0, SHORT_S - second)
    seconds: Int64s = windows * SHORT_S + opening + closing
    return seconds


def _runs(rows: Int64s, windows: Bools, phase: int) -> Intervals:
    """Put windows one after the other together."""
    length_s = DAY_S // (windows.shape[1] - 1)
    edges = np.zeros((len(rows), windows.shape[1] + 1), np.int8)
    edges[:, :-1] = windows
    edges[:, 1:] -= windows.astype(np.int8)
    at, first = np.nonzero(edges == 1)
    _, end = np.nonzero(edges == -1)
    since = np.maximum((first.astype(np.int64) - 1) * length_s + phase, 0)
    until = np.minimum((end.astype(np.int64) - 1) * length_s + phase, DAY_S)
    return Intervals(rows[at].astype(np.int32), since, until)
