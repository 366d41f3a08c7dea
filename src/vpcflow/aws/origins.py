"""Where a function's inventory comes from: files, objects in S3, or EC2 itself; each gives all its snapshots."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from vpcflow.aws.describe import WHAT_FLOWS_NEED, capture_by_steps
from vpcflow.aws.pace import TokenBucket
from vpcflow.aws.snapshot_series import SnapshotSeries
from vpcflow.errors import VpcflowError
from vpcflow.fetched import fetched
from vpcflow.inventory.load import load_snapshots
from vpcflow.inventory.merge import share
from vpcflow.object_store import parse_object_url
from vpcflow.sources.objects import stored_objects

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Generator, Sequence

    from vpcflow.aws.ec2 import Ec2
    from vpcflow.inventory import Snapshot
    from vpcflow.object_store import ObjectStore, StoredObject

    Clock = Callable[[], float]
    Warn = Callable[[str], None]

CALLS_AT_ONCE, CALLS_PER_S = 24, 0.3
"""As many calls as an account with 20,000 interfaces takes; larger ones take turns with all else that asks EC2."""

BATCH_WAITS_S = 45
"""How long a batch may wait for a capture: a function that is ended meanwhile would begin anew, again and again."""

# What was seen at the start of a capture and what at its end would be too far apart.
_TOO_LONG_S = 600


class Origin(Protocol):
    """Where snapshots come from."""

    @property
    def every_s(self) -> float:
        """How soon to look again."""
        ...

    def refresh(self) -> Sequence[Snapshot] | None:
        """Give all snapshots to use, by time; None where they are the same as last time. Raises ``VpcflowError``."""
        ...


class FromFiles:
    """Snapshots, or what the AWS CLI printed, in files that came with the function: read once."""

    every_s = float("inf")

    def __init__(self, path: str, warn: Warn) -> None:
        self._path = path
        self._warn = warn

    def refresh(self) -> Sequence[Snapshot]:
        return load_snapshots([Path(self._path)], warn=self._warn)


class FromEc2:
    """
    Captures of the function's own account and region, made here; those of before stay, as a history.

    A capture that would keep a batch waiting for longer than `BATCH_WAITS_S` goes on with the next.
    """

    def __init__(
        self,
        open_: Callable[[], Ec2],
        every_s: float,
        *,
        history_s: int,
        clock: Clock,
        monotonic: Clock,
        sleep: Callable[[float], None],
        warn: Warn,
    ) -> None:
        self._open = open_
        self._every_s = every_s
        self._history_s = history_s
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        self._warn = warn
        self._ec2: Ec2 | None = None
        self._steps: Generator[None, None, Snapshot] | None = None
        self._begun_at = 0.0
        self._bucket = TokenBucket(CALLS_AT_ONCE, CALLS_PER_S, monotonic)
        self._captures: list[Snapshot] = []

    @property
    def every_s(self) -> float:
        return self._every_s if self._steps is None else 0.0

    def refresh(self) -> Sequence[Snapshot] | None:
        deadline = self._monotonic() + BATCH_WAITS_S
        steps = self._begun()
        try:
            while self._may_call(deadline):
                next(steps)
        except StopIteration as done:
            self._steps = None
            return self._with_history(done.value)
        except VpcflowError:
            self._steps = None
            raise
        return None

    def _begun(self) -> Generator[None, None, Snapshot]:
        """Give the capture that is under way, or a new one, up to its first call."""
        if self._steps is None or self._clock() - self._begun_at > _TOO_LONG_S:
            self._ec2 = self._ec2 or self._open()
            self._begun_at = self._clock()
            self._steps = capture_by_steps(
                self._ec2, clock=self._clock, warn=self._warn, questions=WHAT_FLOWS_NEED
            )
            next(self._steps)
        return self._steps

    def _may_call(self, deadline: float) -> bool:
        """Wait until a call may be made, and tell whether that is before the deadline."""
        wait_s = self._bucket.wait_s()
        if self._monotonic() + wait_s >= deadline:
            return False
        self._sleep(wait_s)
        return self._bucket.take()

    def _with_history(self, new: Snapshot) -> Sequence[Snapshot]:
        if self._captures:
            new = share(new, self._captures[-1])
        since = new.captured_at - self._history_s
        self._captures = [*(one for one in self._captures if one.captured_at >= since), new]
        return self._captures


class FromObjects:
    """
    What lies at an address in S3: a folder of snapshots as the inventory function writes them, read as a series.

    Anything else there (a file, what the AWS CLI printed, snapshots in folders of their own) is fetched whole, and
    again where the objects are others.
    """

    def __init__(
        self,
        open_: Callable[[], ObjectStore],
        url: str,
        every_s: float,
        *,
        history_s: int,
        clock: Clock,
        monotonic: Clock,
        counts: Counter[str],
        warn: Warn,
    ) -> None:
        self.every_s = every_s
        self._open = open_
        self._url = url
        self._make_series = functools.partial(
            SnapshotSeries,
            folder=parse_object_url(url), history_s=history_s, clock=clock, monotonic=monotonic,
            counts=counts, warn=warn,
        )  # fmt: skip
        self._warn = warn
        self._store: ObjectStore | None = None
        self._series: SnapshotSeries | None = None
        self._fetched: list[StoredObject] | None = None

    def refresh(self) -> Sequence[Snapshot] | None:
        if self._store is None:
            self._store = self._open()
        if self._fetched is None:
            if self._series is None:
                self._series = self._make_series(self._store)
            found = self._series.refresh()
            if not self._series.is_empty:
                return found
        return self._refresh_files(self._store)

    def _refresh_files(self, store: ObjectStore) -> Sequence[Snapshot] | None:
        found = stored_objects(store, self._url)
        if found == self._fetched:
            return None
        with fetched(store, self._url) as local:
            snapshots = load_snapshots(
                [local.path], warn=lambda text: self._warn(local.named(text))
            )
        self._fetched = found
        return snapshots
