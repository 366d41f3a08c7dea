"""
The inventory of a function that lives on between invocations: loaded at first use, refreshed when due, completed.

It never raises. What cannot be loaded is unknown, counted and tried again: a flow whose interface is unknown is worth
more than none.
"""

from __future__ import annotations

import contextlib
import gc
import random
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vpcflow.aws.clients import IN_A_FUNCTION, Patience, client
from vpcflow.aws.ec2 import Ec2, Target, open_ec2
from vpcflow.aws.look_ups import PAUSE_S, LookUps
from vpcflow.aws.origins import FromEc2, FromFiles, FromObjects
from vpcflow.aws.s3 import S3
from vpcflow.errors import AwsError, InventoryError, VpcflowError
from vpcflow.inventory import Inventory
from vpcflow.object_store import is_object_url
from vpcflow.pipeline import Layouts, layouts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from vpcflow.aws.origins import Origin
    from vpcflow.inventory import Instance, Snapshot
    from vpcflow.layout import Layout

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

_MOST_LOOK_UPS_KEPT = 30
_RETRY_S = 60

# A batch waits for these, and has two minutes in all: a page of a thousand interfaces may take seconds, a snapshot not.
_FOR_PAGES = Patience(1, 12, 3)
_FOR_SNAPSHOTS = Patience(1, 5, 2)


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
            lambda: open_ec2(Target(), patience=_FOR_PAGES), every_s,
            history_s=history_s, clock=clock, monotonic=monotonic, sleep=sleep, warn=warn,
        )  # fmt: skip
    elif is_object_url(settings.inventory):
        origin = FromObjects(
            lambda: S3(patience=_FOR_SNAPSHOTS), settings.inventory, settings.inventory_refresh_s,
            history_s=history_s, clock=clock, monotonic=monotonic, counts=counts, warn=warn,
        )  # fmt: skip
    else:
        origin = FromFiles(settings.inventory, warn)
    look_ups = LookUps(
        lambda: Ec2(client("ec2", patience=IN_A_FUNCTION), (None, None)),
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
            inventory = Inventory(snapshots)
            # Now, not amid the first batch, where an exception would fail all its flows.
            inventory.prepare()
            return inventory
    except (TypeError, ValueError, AttributeError, InventoryError) as error:
        raise InventoryError(f"{snapshots[-1].origin}: makes no inventory: {error}") from error


def _with_instances(found: Snapshot, captures: Sequence[Snapshot]) -> Snapshot:
    """Add what the newest capture knows of the interfaces' instances: a look-up does not ask for them."""
    known: dict[str, Instance] = {}
    for one in captures[-1:]:
        known = {instance.instance_id: instance for instance in one.instances}
    instances = {i: known[i] for e in found.interfaces if (i := e.instance_id or "") in known}
    gaps = (*(("instances", scope) for scope in found.scopes), *found.gaps)
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
