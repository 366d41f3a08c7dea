"""
How much of the time of each network interface the logs cover.

An aggregation window is covered where a record of it says OK or NODATA, and none says SKIPDATA: then records are
missing. A window without any record is not covered.
"""

from __future__ import annotations

import tempfile
import weakref
from typing import IO, TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow.rules.flow_logs import FlowLogsOf
from vpcflow.rules.watched_day import DAY_S, LONG_S, SHORT_S, Intervals, WatchedDay, merged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from vpcflow.inventory import Inventory

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

NEEDED = (
    "interface_id",
    "srcaddr",
    "dstaddr",
    "srcport",
    "dstport",
    "protocol",
    "start",
    "end",
    "action",
    "log_status",
)
"""The fields without which a log does not tell which rules its traffic needs."""

_OPEN_DAYS = 8
_FAR = np.int64(1 << 60)


class Seen(NamedTuple):
    """
    What the records of an interface tell of its log: first and last second, whether traffic was accepted and rejected.

    ``missing`` are the fields of `NEEDED` that some of its records lack. ``skipped`` counts SKIPDATA records.
    """

    first: int
    last: int
    accepts: bool
    rejects: bool
    skipped: int = 0
    missing: frozenset[str] = frozenset()

    def united(self, other: Seen | None) -> Seen:
        """Put together what two parts of the records tell."""
        if other is None:
            return self
        return Seen(
            min(self.first, other.first),
            max(self.last, other.last),
            self.accepts or other.accepts,
            self.rejects or other.rejects,
            self.skipped + other.skipped,
            self.missing | other.missing,
        )


class Coverage(NamedTuple):
    """
    What the logs cover: ``times`` has for each interface id the (since, until) in Unix seconds, ascending and apart.

    ``since`` and ``until`` are those of the recording, None where there is none: the first second of a record, and the
    one after the last. ``missing`` are fields of `NEEDED` that records of no known interface lack.
    """

    times: Mapping[str, tuple[tuple[int, int], ...]]
    seen: Mapping[str, Seen]
    since: int | None
    until: int | None
    missing: frozenset[str] = frozenset()


class CoverageBuilder:
    """
    Takes flows as they are parsed, in any order, and tells what they cover.

    Days that were not touched lately are kept on disk.
    """

    def __init__(self) -> None:
        self.interface_ids: dict[str, int] = {}
        """The interfaces and their numbers, from 0."""
        self._days: dict[int, WatchedDay] = {}
        self._resting: dict[int, int] = {}
        self._file: IO[bytes] | None = None
        self._end = 0
        self._first = np.zeros(0, np.int64)
        self._last = np.zeros(0, np.int64)
        self._accepts = np.zeros(0, np.bool_)
        self._rejects = np.zeros(0, np.bool_)
        self._skipped = np.zeros(0, np.int64)
        self._lacks: dict[str, Bools] = {}
        self._missing: set[str] = set()

    def add(self, flows: pa.RecordBatch) -> None:
        """Note the records of a batch; those of Transit Gateways, and of no interface, cover nothing."""
        if "tgw_id" in flows.schema.names:
            return
        missing = [name for name in NEEDED if name not in flows.schema.names]
        if "interface_id" in missing or "start" in missing or "end" in missing:
            self._missing.update(missing)
            return
        of_row = self._numbers(flows.column("interface_id"))
        start, end = (
            flows.column(name).fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
            for name in ("start", "end")
        )
        is_kept, is_skipped = _statuses(flows)
        rows = np.flatnonzero((of_row >= 0) & (start >= 0) & (end >= 0) & (is_kept | is_skipped))
        if not len(rows):
            return
        eni = of_row[rows]
        first, last = np.minimum(start, end)[rows], np.maximum(start, end)[rows]
        np.minimum.at(self._first, eni, first)
        np.maximum.at(self._last, eni, last)
        self._note_actions(flows, rows, eni)
        self._skipped += np.bincount(eni[is_skipped[rows]], minlength=len(self._skipped))
        for name in missing:
            self._lacking(name)[eni] = True
        self._add_to_days(eni, first, last, is_skipped[rows])

    def coverage(self, inventory: Inventory | None = None) -> Coverage:
        """Tell what is covered; windows may last ten minutes unless the inventory's flow logs say less."""
        ids = list(self.interface_ids)
        may_be_long = long_windows(ids, inventory)
        parts = [
            Intervals(found.eni, found.since + day * DAY_S, found.until + day * DAY_S)
            for day, watched in self.days()
            for found in [watched.covered(may_be_long)]
        ]
        found = merged(*(np.concatenate(c) for c in zip(*parts, strict=True))) if parts else None
        seen = self.seen()
        return Coverage(
            times={} if found is None else _by_interface(ids, found),
            seen=seen,
            since=min((one.first for one in seen.values()), default=None),
            until=max((one.last + 1 for one in seen.values()), default=None),
            missing=frozenset(self._missing),
        )

    def seen(self) -> dict[str, Seen]:
        """Give what the records of each interface tell of its log."""
        return {
            name: Seen(
                int(self._first[number]),
                int(self._last[number]),
                bool(self._accepts[number]),
                bool(self._rejects[number]),
                int(self._skipped[number]),
                frozenset(field for field, lacks in self._lacks.items() if lacks[number]),
            )
            for name, number in self.interface_ids.items()
            if self._first[number] < _FAR
        }

    def remember(self, interface_id: str, seen: Seen) -> None:
        """Add what records of an earlier run told of an interface's log."""
        at = self.number(interface_id)
        self._first[at] = min(self._first[at], seen.first)
        self._last[at] = max(self._last[at], seen.last)
        self._accepts[at] |= seen.accepts
        self._rejects[at] |= seen.rejects
        self._skipped[at] += seen.skipped
        for name in seen.missing:
            self._lacking(name)[at] = True

    def days(self) -> Iterator[tuple[int, WatchedDay]]:
        """Give the days (since 1970) with records, in order."""
        for day in sorted({*self._days, *self._resting}):
            yield day, self.day(day)

    def day(self, day: int) -> WatchedDay:
        """Give a day to be filled; it is put to rest when many others were asked for since."""
        watched = self._days.pop(day, None) or self._woken(day) or WatchedDay()
        self._days[day] = watched
        while len(self._days) > _OPEN_DAYS:
            self._rest(next(iter(self._days)))
        return watched

    def number(self, interface_id: str) -> int:
        """Give the number of an interface, a new one where it has none."""
        number = self.interface_ids.setdefault(interface_id, len(self.interface_ids))
        self._make_room(len(self.interface_ids))
        return number

    def _numbers(self, column: pa.Array) -> Int64s:
        encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        of_value = [
            -1 if name is None else self.interface_ids.setdefault(name, len(self.interface_ids))
            for name in encoded.dictionary.to_pylist()
        ]
        self._make_room(len(self.interface_ids))
        index = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        numbers: Int64s = np.array([*of_value, -1], np.int64)[index]
        return numbers

    def _make_room(self, count: int) -> None:
        more = max(count, 2 * len(self._first)) - len(self._first)
        if count <= len(self._first):
            return
        self._first = np.concatenate([self._first, np.full(more, _FAR)])
        self._last = np.concatenate([self._last, np.full(more, -_FAR)])
        nothing = np.zeros(more, np.bool_)
        self._accepts = np.concatenate([self._accepts, nothing])
        self._rejects = np.concatenate([self._rejects, nothing])
        self._skipped = np.concatenate([self._skipped, np.zeros(more, np.int64)])
        self._lacks = {k: np.concatenate([v, nothing]) for k, v in self._lacks.items()}

    def _lacking(self, name: str) -> Bools:
        return self._lacks.setdefault(name, np.zeros(len(self._first), np.bool_))

    def _note_actions(self, flows: pa.RecordBatch, rows: Int64s, eni: Int64s) -> None:
        if "action" in flows.schema.names:
            code = _codes(flows.column("action"), ("ACCEPT", "REJECT"))[rows]
            self._accepts[eni[code == 0]] = True
            self._rejects[eni[code == 1]] = True

    def _add_to_days(self, eni: Int64s, first: Int64s, last: Int64s, is_skipped: Bools) -> None:
        while len(eni):
            day, second = np.divmod(first, DAY_S)
            # What goes on after midnight is of the next day too.
            until = np.minimum(last, (day + 1) * DAY_S - 1)
            for one in np.unique(day).tolist():
                of = day == one
                self.day(one).add(eni[of], second[of], (until - first)[of], is_skipped[of])
            on = (last > until) & (last - first < LONG_S)
            eni, first, last, is_skipped = eni[on], until[on] + 1, last[on], is_skipped[on]

    def _rest(self, day: int) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="vpcflow-")  # noqa: SIM115  # lives as long as this
            weakref.finalize(self, self._file.close)
        rows = self._days.pop(day).rows()
        self._file.seek(self._end)
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.ipc.new_stream(self._file, rows.schema, options=options) as stream:
            stream.write_batch(rows)
        self._resting[day] = self._end
        self._end = self._file.tell()

    def _woken(self, day: int) -> WatchedDay | None:
        if day not in self._resting or self._file is None:
            return None
        self._file.seek(self._resting.pop(day))
        with pa.ipc.open_stream(self._file) as stream:
            rows = stream.read_next_batch()
        watched = WatchedDay()
        watched.add_rows(rows, rows.column("eni").to_numpy().astype(np.int64))
        return watched


def long_windows(interface_ids: Sequence[str], inventory: Inventory | None) -> Bools:
    """Tell for each interface whether its windows may last ten minutes: not if its flow logs all ask for one."""
    if inventory is None or not inventory.flow_logs:
        return np.ones(len(interface_ids), np.bool_)
    of = FlowLogsOf(inventory)
    return np.array(
        [
            any(log.max_aggregation_interval_s != SHORT_S for log in logs) or not logs
            for logs in map(of.interface, interface_ids)
        ],
        np.bool_,
    )


def _statuses(flows: pa.RecordBatch) -> tuple[Bools, Bools]:
    """Tell which records say OK or NODATA, and which SKIPDATA; one that says nothing is OK where it has traffic."""
    count = flows.num_rows
    code = np.full(count, -1)
    if "log_status" in flows.schema.names:
        code = _codes(flows.column("log_status"), ("OK", "NODATA", "SKIPDATA"))
    is_kept = (code == 0) | (code == 1)
    if (code < 0).any() and "srcaddr" in flows.schema.names:
        has_traffic = flows.column("srcaddr").is_valid().to_numpy(zero_copy_only=False)
        is_kept |= (code < 0) & has_traffic
    return is_kept, code == 2


def _codes(column: pa.Array, values: tuple[str, ...]) -> Int64s:
    """Give the place of each value among these, -1 where it is none of them."""
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    place = {value: number for number, value in enumerate(values)}
    of_value = [place.get(value, -1) for value in encoded.dictionary.to_pylist()]
    index = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    codes: Int64s = np.array([*of_value, -1], np.int64)[index]
    return codes


def _by_interface(ids: Sequence[str], found: Intervals) -> dict[str, tuple[tuple[int, int], ...]]:
    times: dict[str, list[tuple[int, int]]] = {}
    for eni, since, until in zip(*(column.tolist() for column in found), strict=True):
        times.setdefault(ids[eni], []).append((since, until))
    return {name: tuple(of_one) for name, of_one in times.items()}
