"""
When versions of rules, prefix lists and the rest were in force, as far as snapshots tell.

A snapshot that covers an object's account and region says that it was there, or that it was not. What was in force
between two snapshots is what the nearer one says, of two equally near the earlier; before the first and after the last
it is what that one says. So every version has a window of time, and a wider one in which it may have been in force: up
to the snapshots that say it was not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from vpcflow.inventory.timeline import Entries, Run, Timeline, runs_of, timeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from vpcflow.inventory import Snapshot
    from vpcflow.inventory.model import Scope

ALWAYS_SINCE = int(np.iinfo(np.int64).min)
ALWAYS_UNTIL = int(np.iinfo(np.int64).max)


class _Scoped(Protocol):
    @property
    def scope(self) -> Scope: ...


T = TypeVar("T", bound=_Scoped)


class Window(NamedTuple):
    """From when to when a version was in force, and may have been: Unix seconds, all included."""

    since: int = ALWAYS_SINCE
    until: int = ALWAYS_UNTIL
    maybe_since: int = ALWAYS_SINCE
    maybe_until: int = ALWAYS_UNTIL

    def within(self, other: Window) -> Window:
        """Give when both were in force; empty where they never were, ``since`` being after ``until``."""
        return Window(
            max(self.since, other.since),
            min(self.until, other.until),
            max(self.maybe_since, other.maybe_since),
            min(self.maybe_until, other.maybe_until),
        )

    @property
    def is_empty(self) -> bool:
        return self.since > self.until and self.maybe_since > self.maybe_until


ALWAYS = Window()


class InForce(NamedTuple, Generic[T]):
    """A version of an object with a window; one that came back has several."""

    key: str
    value: T
    window: Window


def in_force(
    snapshots: Iterable[Snapshot],
    kind: str,
    objects: Callable[[Snapshot], Iterable[T]],
    key: Callable[[T], str],
) -> list[InForce[T]]:
    """Find the windows of all objects of a kind; a snapshot that covers one and lacks it says that it was not there."""
    asked = [snapshot for snapshot in snapshots if kind in snapshot.kinds]
    line, runs = _runs(asked, kind, objects, key)
    times = line.times.tolist()
    return [
        InForce(k, run.value, _window(times, *_around(line, of_one, place), run))
        for k, of_one in runs.items()
        for place, run in enumerate(of_one)
    ]


def last_known(
    snapshots: Iterable[Snapshot],
    kind: str,
    objects: Callable[[Snapshot], Iterable[T]],
    key: Callable[[T], str],
) -> list[InForce[T]]:
    """
    Find the windows of objects known to have been there at all times, as what a rule names was.

    The nearest snapshot that shows an object tells which version of it was in force.
    """
    asked = [snapshot for snapshot in snapshots if kind in snapshot.kinds]
    line, runs = _runs(asked, kind, objects, key)
    times = line.times.tolist()
    found = []
    for k, of_one in runs.items():
        for place, run in enumerate(of_one):
            before = of_one[place - 1].last if place else -1
            after = of_one[place + 1].first if place + 1 < len(of_one) else len(times)
            found.append(InForce(k, run.value, _window(times, before, after, run)))
    return found


def _runs(
    asked: Sequence[Snapshot],
    kind: str,
    objects: Callable[[Snapshot], Iterable[T]],
    key: Callable[[T], str],
) -> tuple[Timeline, dict[str, list[Run[T]]]]:
    entries: Entries[T, T] = Entries(lambda one: (key(one), one.scope, one))
    seen = [entries.of(objects(snapshot)) for snapshot in asked]
    line = timeline(asked, kind, entries.scopes)
    return line, runs_of(line, seen)


def _around(line: Timeline, runs: Sequence[Run[T]], place: int) -> tuple[int, int]:
    """Give the last snapshot before the run and the first after it that tell of another version, or of none."""
    run = runs[place]
    before, after = -1, len(line.times)
    if run.first:
        before = int(line.covered_until[run.scope, run.first - 1])
    if run.last + 1 < after:
        after = int(line.covered_from[run.scope, run.last + 1])
    if place:
        before = max(before, runs[place - 1].last)
    if place + 1 < len(runs):
        after = min(after, runs[place + 1].first)
    return before, after


def _window(times: Sequence[int], before: int, after: int, run: Run[T]) -> Window:
    if before < 0 and after >= len(times):
        return ALWAYS
    first, last = times[run.first], times[run.last]
    since = maybe_since = ALWAYS_SINCE
    until = maybe_until = ALWAYS_UNTIL
    if before >= 0:
        # Of two equally near the earlier tells: the window begins past the middle.
        since, maybe_since = (times[before] + first) // 2 + 1, times[before] + 1
    if after < len(times):
        until, maybe_until = (last + times[after]) // 2, times[after] - 1
    return Window(since, until, min(since, maybe_since), max(until, maybe_until))
