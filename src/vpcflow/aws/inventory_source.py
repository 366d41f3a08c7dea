"""
The inventory of a function that lives on between invocations: loaded at first use, refreshed when due, completed.

It never raises. What cannot be loaded is unknown, counted and tried again: a flow whose interface is unknown is worth
more than none.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import random
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vpcflow.aws.clients import IN_A_FUNCTION as SHORT
from vpcflow.aws.clients import client
from vpcflow.aws.describe import WHAT_FLOWS_NEED, capture_by_steps
from vpcflow.aws.ec2 import IN_A_FUNCTION, Ec2, Target, open_ec2
from vpcflow.aws.look_ups import PAUSE_S, LookUps
from vpcflow.aws.pace import TokenBucket
from vpcflow.aws.s3 import S3
from vpcflow.aws.snapshot_series import SnapshotSeries
from vpcflow.errors import AwsError, InventoryError, VpcflowError
from vpcflow.fetched import fetched
from vpcflow.inventory import Inventory
from vpcflow.inventory.load import load_snapshots
from vpcflow.inventory.merge import share
from vpcflow.object_store import is_object_url, parse_object_url
from vpcflow.pipeline import Layouts, layouts_of
from vpcflow.sources.objects import stored_objects

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator, Sequence

    from vpcflow.inventory import Instance, Snapshot
    from vpcflow.layout import Layout
    from vpcflow.object_store import ObjectStore, StoredObject

    Clock = Callable[[], float]
    Warn = Callable[[str], None]

COUNTS = (
    "refresh_failed",
    "snapshots_damaged",
    "snapshots_not_read",
    "look_ups",
    "look_ups_limited",
    "look_ups_resting",
    "look_ups_failed",
    "enis_unknown",
    "enis_found",
)
"""All names that ``InventorySource.counts`` may have."""

CALLS_AT_ONCE, CALLS_PER_S = 24, 0.3
"""As many calls as an account with 20,000 interfaces takes; larger ones take turns with all else that asks EC2."""

BATCH_WAITS_S = 45
"""How long a batch may wait for a capture: a function that is ended meanwhile would begin anew, again and again."""

# What was seen at the start of a capture and what at its end would be too far apart.
_TOO_LONG_S = 600
_MOST_LOOK_UPS_KEPT = 30
_RETRY_S = 60


class Origin(Protocol):
    """Where snapshots come from."""

    @property
    def every_s(self) -> float:
        """How soon to look again."""
        ...

    def refresh(self) -> Sequence[Snapshot] | None:
        """Give all snapshots to use, by time; None where they are the same as last time. Raises ``VpcflowError``."""
        ...


class InventorySource:
    """
    The inventory, kept up to date. ``counts`` are of events since the start, by the names in ``COUNTS``.

    ``failure`` is why the last refresh failed, None where it did not. Use from one thread.
    """

    def __init__(
        self,
        origin: Origin,
        look_ups: LookUps | None,
        counts: Counter[str],
        *,
        history_s: int,
        stated: Sequence[Layout] = (),
        clock: Clock = time.time,
        monotonic: Clock = time.monotonic,
        warn: Warn = lambda _: None,
    ) -> None:
        self.counts = counts
        self.failure: str | None = None
        self._origin = origin
        self._look_ups = look_ups
        self._history_s = history_s
        self._stated = tuple(stated)
        self._clock = clock
        self._monotonic = monotonic
        self._warn = warn
        self._due = float("-inf")
        self._snapshots: Sequence[Snapshot] = ()
        self._looked_up: list[Snapshot] = []
        self._inventory = Inventory(())
        self._layouts: dict[str | None, Layouts] = {}

    def current(self) -> Inventory:
        """Give the inventory, loaded or refreshed where that is due; of nothing where none could be loaded yet."""
        if self._monotonic() >= self._due:
            self._refresh()
        return self._inventory

    def look_up(self, interface_ids: Collection[str]) -> Inventory:
        """
        Ask EC2 for those of the interfaces that the inventory lacks, in one call at most, as far as limits allow.

        Gives the inventory, which now knows what was found: as of now, which is after the flows.
        """
        inventory = self.current()
        missing = [one for one in dict.fromkeys(interface_ids) if not inventory.knows(one)]
        found = self._look_ups.find(missing) if self._look_ups and missing else None
        if found is not None:
            self._looked_up.append(_with_instances(found, self._snapshots))
            self._take(_inventory_of((*self._snapshots, *self._looked_up)))
        self.counts["enis_unknown"] += sum(not self._inventory.knows(one) for one in missing)
        return self._inventory

    def layouts(self, stream_arn: str | None = None) -> Layouts:
        """
        Give the layouts that lines without a header may have: LOG_FORMAT, else what the account's flow logs say.

        Where some of these go straight to the stream named, lines of no log group have one of their layouts.
        """
        flow_logs = self.current().flow_logs
        if stream_arn not in self._layouts:
            direct = [one for one in flow_logs if stream_arn and one.log_destination == stream_arn]
            self._layouts[stream_arn] = layouts_of(
                self._stated, flow_logs, self._warn, others=direct or None
            )
        return self._layouts[stream_arn]

    @property
    def age_s(self) -> float | None:
        """Seconds since the newest capture; None where there is none."""
        newest = max((one.captured_at for one in self._snapshots), default=None)
        return None if newest is None else max(self._clock() - newest, 0.0)

    def _refresh(self) -> None:
        now = self._monotonic()
        try:
            found = self._origin.refresh()
            if found is not None:
                looked_up = self._still_needed(found)
                self._take(_inventory_of((*found, *looked_up)))
                self._snapshots, self._looked_up = found, looked_up
        except VpcflowError as error:
            self.failure = str(error)
            self._warn(self.failure)
            self.counts["refresh_failed"] += 1
            stays = not isinstance(error, AwsError) or error.permanent
            self._due = now + (PAUSE_S if stays else min(self._origin.every_s, _RETRY_S))
            return
        self.failure = None
        self._due = now + self._origin.every_s

    def _take(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._layouts.clear()

    def _still_needed(self, found: Sequence[Snapshot]) -> list[Snapshot]:
        """Give the look-ups whose interfaces are in no capture: ones that came and went between two."""
        known = {one.interface_id for s in found for one in s.interfaces}
        after_s = self._clock() - self._history_s
        return [
            one
            for one in self._looked_up
            if one.captured_at >= after_s
            and any(e.interface_id not in known for e in one.interfaces)
        ][-_MOST_LOOK_UPS_KEPT:]


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
        counts: Counter[str],
        warn: Warn,
    ) -> None:
        self.every_s = every_s
        self._open = open_
        self._url = url
        self._make_series = functools.partial(
            SnapshotSeries,
            folder=parse_object_url(url), history_s=history_s, clock=clock, counts=counts, warn=warn,
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


def open_inventory_source(
    settings: Any,
    *,
    clock: Clock = time.time,
    monotonic: Clock = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    jitter: Callable[[], float] = random.random,
    warn: Warn = lambda _: None,
) -> InventorySource:
    """
    Make the source that ``INVENTORY`` and the settings beside it name; no client is made and nothing asked yet.

    ``settings`` are those of a function that enriches. ``warn`` takes what a log should say once. Instances of a
    function that began together ask EC2 at different times: up to a tenth of ``INVENTORY_MAX_AGE_S`` earlier.
    """
    counts: Counter[str] = Counter()
    history_s: int = settings.inventory_history_s

    origin: Origin
    if settings.inventory == "aws":
        every_s = settings.inventory_max_age_s * (1 - 0.1 * jitter())
        origin = FromEc2(
            lambda: open_ec2(Target(), patience=IN_A_FUNCTION), every_s,
            history_s=history_s, clock=clock, monotonic=monotonic, sleep=sleep, warn=warn,
        )  # fmt: skip
    elif is_object_url(settings.inventory):
        origin = FromObjects(
            lambda: S3(patience=IN_A_FUNCTION), settings.inventory, settings.inventory_refresh_s,
            history_s=history_s, clock=clock, counts=counts, warn=warn,
        )  # fmt: skip
    else:
        origin = FromFiles(settings.inventory, warn)
    look_ups = LookUps(
        lambda: Ec2(client("ec2", patience=SHORT), (None, None)),
        per_minute=settings.inventory_look_ups_per_minute,
        clock=clock, monotonic=monotonic, counts=counts, warn=warn,
    )  # fmt: skip
    return InventorySource(
        origin, look_ups if settings.inventory_look_ups else None, counts,
        history_s=history_s, stated=settings.log_format,
        clock=clock, monotonic=monotonic, warn=warn,
    )  # fmt: skip


def _inventory_of(snapshots: Sequence[Snapshot]) -> Inventory:
    """Make an inventory; raises InventoryError where what a hand has written is not of the types it should be."""
    try:
        with _collector_at_rest():
            return Inventory(snapshots)
    except (TypeError, ValueError) as error:
        raise InventoryError(f"{snapshots[-1].origin}: makes no inventory: {error}") from error


def _with_instances(found: Snapshot, captures: Sequence[Snapshot]) -> Snapshot:
    """Add what the newest capture knows of the interfaces' instances: a look-up does not ask for them."""
    known: dict[str, Instance] = {}
    for one in captures[-1:]:
        known = {instance.instance_id: instance for instance in one.instances}
    instances = {i: known[i] for e in found.interfaces if (i := e.instance_id or "") in known}
    gaps = tuple((kind, s) for kind in ("instances", "interfaces") for s in found.scopes)
    return replace(
        found,
        instances=tuple(instances[i] for i in sorted(instances)),
        kinds=frozenset({"instances", "interfaces"}),
        gaps=gaps,
    )


@contextlib.contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Keep the garbage collector from looking through millions of new objects, of which none is garbage."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
