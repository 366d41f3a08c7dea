"""A series of snapshots in S3: the newest and as much of what came before as is wanted, read as they come."""

from __future__ import annotations

import time as clocks
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from vpcflow.errors import AwsError, InventoryError
from vpcflow.inventory.load import snapshot_of_bytes
from vpcflow.inventory.snapshots import SnapshotReader, file_name, time_of_name

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    from vpcflow.inventory import Snapshot
    from vpcflow.object_store import ObjectStore, ObjectUrl

    Warn = Callable[[str], None]

DENSE_S = 1200
"""Of this long every snapshot is kept: nearly all flow records arrive within it."""

SLOT_S = 600
"""Of what is older, one snapshot for each so many seconds."""

READ_S = 30
"""How long snapshots are read at a time: what is older is read with the next batch."""

_HOUR_S = 3600
_AT_ONCE = 8
_LATE_S = 900
"""How much later than a newer one a snapshot may appear: its capture took longer."""


class SnapshotSeries:
    """
    The snapshots in a folder in S3, which are named after their capture times.

    A look for newer ones is one listing that starts where the last ended; each snapshot is fetched once. A damaged one
    is left out, said to ``warn``, and counted as ``snapshots_damaged``: then the one before is the newest. What
    there is no time for is read with the next refresh.
    """

    def __init__(
        self,
        store: ObjectStore,
        folder: ObjectUrl,
        *,
        history_s: int,
        clock: Callable[[], float],
        counts: Counter[str],
        monotonic: Callable[[], float] = clocks.monotonic,
        warn: Warn = lambda _: None,
    ) -> None:
        self._store = store
        self._folder = folder
        self._history_s = history_s
        self._clock = clock
        self._counts = counts
        self._monotonic = monotonic
        self._warn = warn
        self._reader = SnapshotReader()
        self._times: set[int] = set()
        self._read: dict[int, Snapshot] = {}
        self._damaged: set[int] = set()

    @property
    def is_empty(self) -> bool:
        """Whether no snapshot was found so far, readable or not."""
        return not self._times and not self._damaged

    def refresh(self) -> Sequence[Snapshot] | None:
        """Give the snapshots of the history, by time; None where they are those of last time. Raises ``AwsError``."""
        now = self._clock()
        self._times.update(self._listed(now))
        before = set(self._read)
        wanted = self._fetch_wanted(now)
        self._forget(wanted, now)
        if before == self._read.keys():
            return None
        return [self._read[time] for time in sorted(self._read)]

    def _listed(self, now: float) -> list[int]:
        """Give the capture times of what lies in the bucket, as far back as is needed to find some."""
        if self._read:
            return _times_after(self._store, self._folder, max(self._read) - _LATE_S)
        for back_s in (self._history_s, 16 * self._history_s, now):
            if found := _times_after(self._store, self._folder, int(now - back_s)):
                return found
        return []

    def _fetch_wanted(self, now: float) -> set[int]:
        """Read what is wanted, newest first; what turns out to be damaged gives way to the one before."""
        failed: dict[int, AwsError] = {}
        until = self._monotonic() + READ_S
        while True:
            usable = sorted(self._times - self._damaged - failed.keys())
            wanted = _thinned(usable, now, self._history_s)
            new = [time for time in reversed(wanted) if time not in self._read]
            if not new or self._monotonic() >= until:
                break
            failed.update(self._fetch(new, until))
        for failure in failed.values():
            self._counts["snapshots_not_read"] += 1
            self._warn(str(failure))
        if failed and not self._read:
            raise failed[max(failed)]
        return {*wanted, *failed}

    def _fetch(self, times: Sequence[int], until: float) -> dict[int, AwsError]:
        """Read these, one at least, as far as time allows; gives what could not be fetched, and why."""
        failed = {}
        some = False

        def fetch(time: int) -> bytes | AwsError | None:
            return self._bytes(time) if self._monotonic() < until else None

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for time, data in zip(times, pool.map(fetch, times), strict=True):
                if data is None or (some and self._monotonic() >= until):
                    continue
                some = True
                if isinstance(data, AwsError):
                    failed[time] = data
                    continue
                try:
                    origin = str(self._object(time))
                    self._read[time] = snapshot_of_bytes(data, origin, self._reader)
                except InventoryError as error:
                    self._damaged.add(time)
                    self._counts["snapshots_damaged"] += 1
                    self._warn(str(error))
        return failed

    def _bytes(self, time: int) -> bytes | AwsError:
        try:
            return self._store.read(*self._object(time))
        except AwsError as error:
            return error

    def _object(self, time: int) -> ObjectUrl:
        return self._folder._replace(key=self._folder.folder + file_name(time))

    def _forget(self, wanted: set[int], now: float) -> None:
        self._times = {t for t in self._times if t in wanted or t >= now - self._history_s}
        if old := self._read.keys() - wanted:
            for time in old:
                del self._read[time]
            self._reader.forget_all_but(self._read.values())


def newest_time(store: ObjectStore, folder: ObjectUrl, now: float) -> int | None:
    """Give the capture time of the newest snapshot in a folder; None where there is none. Raises ``AwsError``."""
    for back_s in (_HOUR_S, 24 * _HOUR_S, now):
        if found := _times_after(store, folder, int(now - back_s)):
            return max(found)
    return None


def newest_snapshot(store: ObjectStore, folder: ObjectUrl, now: float) -> Snapshot | None:
    """Read it; None where there is none. Raises ``VpcflowError`` where it cannot be read, or is damaged."""
    time = newest_time(store, folder, now)
    if time is None:
        return None
    where = folder._replace(key=folder.folder + file_name(time))
    return snapshot_of_bytes(store.read(where.bucket, where.key), str(where), SnapshotReader())


def _times_after(store: ObjectStore, folder: ObjectUrl, after_s: int) -> list[int]:
    """Give the capture times of the snapshots in a folder that are later."""
    after = folder.folder + file_name(max(after_s, 0))
    found = store.objects(folder.bucket, folder.folder, after)
    times = (time_of_name(one.key.removeprefix(folder.folder)) for one in found)
    return [time for time in times if time is not None]


def _thinned(times: Sequence[int], now: float, history_s: int) -> list[int]:
    """
    Choose the snapshots of a history: all of the last minutes, of each slot before the last, and always the newest.

    Slots are fixed in time, so that every reader chooses the same, whenever it began.
    """
    last_of: dict[int, int] = {}
    for time in times:
        if time >= now - history_s:
            last_of[time if time >= now - DENSE_S else time // SLOT_S] = time
    return sorted({*last_of.values(), *times[-1:]})
