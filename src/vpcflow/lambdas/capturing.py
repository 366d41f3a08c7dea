"""
What the inventory function does: capture when it has to, and write a snapshot.

A change is covered once a snapshot began after it. Changes come one by one or in batches from a queue; where the newest
snapshot is younger than ``SNAPSHOT_MIN_INTERVAL_S`` the function waits until that is over, and one capture then covers
all that came meanwhile. An event is done with when it is covered, else the invocation fails and the event comes again:
so none is lost. Invocations at the same time write snapshots of their own, each the truth of its time; nothing is
read, changed and written back.
"""

from __future__ import annotations

import functools
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from vpcflow.aws.captures import Captures, capture_all, targets
from vpcflow.aws.snapshot_series import newest_snapshot, newest_time
from vpcflow.errors import VpcflowError
from vpcflow.inventory import merge_snapshots, snapshot_file_name
from vpcflow.inventory.snapshots import snapshot_bytes
from vpcflow.lambdas.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vpcflow.aws.ec2 import Ec2, Target
    from vpcflow.inventory import PrefixList
    from vpcflow.lambdas.settings import Settings
    from vpcflow.lambdas.telemetry import Batch
    from vpcflow.object_store import ObjectStore, ObjectUrl

SETTLE_S = 5
"""EC2's answers may lag behind its changes: a snapshot covers what was changed this long before it began."""

_CAPTURE_S = 120
"""What is left of an invocation for the capture itself, however long it would have to wait."""


class Changes(NamedTuple):
    """What an event tells: how many changes, and when the last was (Unix seconds); none for a schedule."""

    number: int
    last_at: float | None


class Capturing:
    """The function, over a store and EC2s that are given; it remembers what the last capture knew of prefix lists."""

    def __init__(
        self,
        settings: Settings,
        store: ObjectStore,
        open_: Callable[[Target], Ec2],
        *,
        write: Callable[[str], object] = print,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._folder: ObjectUrl = settings.snapshots
        self._interval_s: int = settings.snapshot_min_interval_s
        roles = (None, *settings.role_arns)
        self._targets = targets(settings.regions, roles, settings.role_external_id)
        self._store = store
        self._open = functools.cache(open_)
        self._clock = clock
        self._sleep = sleep
        self._known: Sequence[PrefixList] | None = None
        self._telemetry = Telemetry(
            "inventory", settings, write=write, clock=clock, monotonic=monotonic
        )

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        """Give the snapshot written, or None where the changes are covered; raises where nothing could be captured."""
        with self._telemetry.batch(context) as batch:
            changes = changes_of(event)
            batch.count("changes", changes.number)
            if changes.last_at is not None and self._is_covered(changes.last_at, context):
                batch.count("changes_covered", changes.number)
                return {"snapshot": None}
            return {"snapshot": self._capture(batch, context)}

    def _is_covered(self, changed_at: float, context: Any) -> bool:
        """Tell whether a snapshot covers the change, after waiting until one may be taken."""
        # A clock ahead of ours makes nobody wait for it.
        due = min(changed_at, self._clock()) + SETTLE_S
        while True:
            newest = newest_time(self._store, self._folder, self._clock())
            if newest is not None and newest >= due:
                return True
            may = due if newest is None else max(due, newest + self._interval_s)
            wait_s = may - self._clock()
            if wait_s <= 0 or wait_s > _spare_s(context):
                return False
            self._sleep(wait_s)

    def _capture(self, batch: Batch, context: Any) -> str:
        """Capture all; what failed for the moment is asked once more, if that cannot cost what the others gave."""
        captures = self._ask(self._targets)
        again = [one.target for one in captures.failures if not one.error.permanent]
        if again and _spare_s(context) > 0:
            more = self._ask(again)
            lost = [one for one in captures.failures if one.error.permanent]
            captures = Captures(
                [*captures.snapshots, *more.snapshots],
                [*lost, *more.failures],
                captures.calls + more.calls,
            )
        self._count(captures, batch)
        if not captures.snapshots:
            raise captures.failures[0].error
        snapshot = merge_snapshots(captures.snapshots, origin=str(self._folder))
        self._known = snapshot.prefix_lists
        name = snapshot_file_name(snapshot.captured_at)
        data = snapshot_bytes(snapshot, name)
        self._store.put(self._folder.bucket, self._folder.folder + name, data)
        batch.count("interfaces", len(snapshot.interfaces))
        batch.count("snapshots_written")
        batch.count("output_bytes", len(data))
        return name

    def _ask(self, wanted: Sequence[Target]) -> Captures:
        return capture_all(
            wanted,
            clock=self._clock,
            warn=self._telemetry.warn,
            open_=self._open,
            known=self._prefix_lists(),
        )

    def _prefix_lists(self) -> Sequence[PrefixList]:
        """Give what is known of prefix lists, at first from the newest snapshot; nothing where that cannot be read."""
        if self._known is None:
            self._known = ()
            try:
                newest = newest_snapshot(self._store, self._folder, self._clock())
            except VpcflowError as error:
                self._telemetry.warn(str(error))
            else:
                self._known = newest.prefix_lists if newest else ()
        return self._known

    def _count(self, captures: Captures, batch: Batch) -> None:
        batch.count("ec2_calls", captures.calls)
        batch.count("scopes_captured", len(captures.snapshots))
        batch.count("scopes_failed", len(captures.failures))
        for failure in captures.failures:
            batch.note(failure.error.code)
            self._telemetry.warn(f"{failure.target} is not in this snapshot: {failure.error}")


def changes_of(event: Any) -> Changes:
    """
    Read an event of EventBridge, or a batch of them in SQS messages; what is not a change of CloudTrail is a schedule.

    A batch that holds a schedule's event is one.
    """
    records = event.get("Records") if isinstance(event, dict) else None
    events = [_body(record) for record in records] if isinstance(records, list) else [event]
    times = [_changed_at(one) for one in events]
    known = [at for at in times if at is not None]
    return Changes(len(known), max(known) if known and len(known) == len(times) else None)


def _spare_s(context: Any) -> float:
    """Give the seconds that a capture would not need."""
    left_s: float = context.get_remaining_time_in_millis() / 1000
    return left_s - _CAPTURE_S


def _body(record: Any) -> Any:
    try:
        return orjson.loads(record["body"])
    except (KeyError, TypeError, ValueError):
        return None


def _changed_at(event: Any) -> float | None:
    """Give when a change was made, as CloudTrail says; None where it does not."""
    detail = event.get("detail") if isinstance(event, dict) else None
    text = detail.get("eventTime") if isinstance(detail, dict) else None
    try:
        return datetime.fromisoformat(text).timestamp() if isinstance(text, str) else None
    except ValueError:
        return None
