"""
Lookups at a time: which version of a network interface was in force during a flow, and how sure that is.

The states are those of ``codes.INVENTORY_STATES``. All rows of a batch are answered at once: rows that lie in the
same way between the snapshots share one key with their interface, and only distinct keys are looked up.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow.codes import INVENTORY_STATES
from vpcflow.inventory.timeline import Timeline

Int64s = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]

NO_TIME = np.int64(np.iinfo(np.int64).min)
"""Stands for a null ``start`` or ``end`` in the arrays of seconds."""

TOLERANCE_S = 60
"""How far off AWS says ``start`` and ``end`` may be."""

EXACT, NEAREST, STALE, UNKNOWN = (
    INVENTORY_STATES.index(s) for s in ("exact", "nearest", "stale", "unknown")
)
_LONG_AGO = np.int64(-(1 << 61))
_FAR_AHEAD = np.int64(1 << 61)


class Interfaces(NamedTuple):
    """
    The answers of a lookup, one for each of *n* rows.

    ``rows`` are rows of ``Inventory.interfaces``, -1 where unknown. ``state`` indexes ``codes.INVENTORY_STATES``.
    ``age_s`` are seconds from the snapshot used to the flow: positive where the snapshot is the earlier, negative where
    it is the later, 0 within the flow and where unknown.
    """

    rows: Int32s
    state: npt.NDArray[np.int8]
    age_s: Int64s


class RunTable(NamedTuple):
    """
    The runs of all subjects (an ENI, or an address in a VPC), sorted by subject and first snapshot; never overlapping.

    ``row`` is the interface version of the run, -1 where two interfaces claimed the address. ``key`` is
    ``subject * (snapshots + 1) + first``. Where there is but one snapshot ``only_row`` has the row of each subject, and
    -1 at the end.
    """

    subject: Int32s
    first: Int32s
    last: Int32s
    row: Int32s
    scope: Int32s
    key: Int64s
    only_row: Int32s


class _Neighbours(NamedTuple):
    """
    The observations of a subject before and from a moment on; time far away and row -1 where there is none.

    ``state_if_far`` is ``exact`` where they enclose the flow and agree, else ``stale``.
    """

    earlier_time: Int64s
    earlier_row: Int32s
    later_time: Int64s
    later_row: Int32s
    state_if_far: npt.NDArray[np.int8]


def run_table(runs: list[tuple[int, int, int, int, int]], snapshots: int) -> RunTable:
    """Make a table of (subject, first, last, row, scope)."""
    columns = np.array(sorted(runs), np.int32).reshape(-1, 5).T
    subject, first, last, row, scope = (np.ascontiguousarray(c) for c in columns)
    key = subject.astype(np.int64) * (snapshots + 1) + first
    only_row = np.full(int(subject[-1]) + 2 if snapshots == 1 and len(runs) else 0, -1, np.int32)
    if len(only_row):
        only_row[subject] = row
    return RunTable(subject, first, last, row, scope, key, only_row)


def look_up(
    line: Timeline,
    runs: RunTable,
    subjects: Int32s,
    start_s: Int64s,
    end_s: Int64s,
    *,
    max_age_s: int,
    max_stale_s: int | None,
) -> Interfaces:
    """
    Find for each row the version of its subject in force from ``start_s`` to ``end_s``; subject -1 is unknown.

    ``exact``: the last snapshot at least 60 s before the start and the first at least 60 s after the end show the
    same version, as does each between. Else the snapshot nearest to the flow that shows the subject is taken, of two
    equally near the earlier: ``nearest`` up to ``max_age_s`` away, else ``stale``; ``unknown`` beyond
    ``max_stale_s``. Where a time is ``NO_TIME``, a single snapshot still answers (``stale``, age 0), several do not.
    A start after the end counts as the other way round.
    """
    count = len(subjects)
    if count == 0 or len(runs.key) == 0:
        return _unknown(count)
    early, late = np.minimum(start_s, end_s), np.maximum(start_s, end_s)
    if len(line.times) == 1:
        found = _by_only_snapshot(
            line.times[0], runs, subjects, early, late, max_age_s, max_stale_s
        )
    else:
        found = _by_nearest(line, runs, subjects, early, late, max_age_s, max_stale_s)
    if (unknown := found.rows < 0).any():
        found.state[unknown] = UNKNOWN
        found.age_s[unknown] = 0
    return found


def _unknown(count: int) -> Interfaces:
    return Interfaces(
        np.full(count, -1, np.int32), np.full(count, UNKNOWN, np.int8), np.zeros(count, np.int64)
    )


def _by_only_snapshot(
    time_s: np.int64,
    runs: RunTable,
    subjects: Int32s,
    early: Int64s,
    late: Int64s,
    max_age_s: int,
    max_stale_s: int | None,
) -> Interfaces:
    """Answer by the one snapshot there is, never ``exact``. Without an interface, state and age are arbitrary."""
    rows = runs.only_row.take(subjects)
    # In place, using up ``late``: a new array of all rows costs more than the arithmetic on it.
    age_s = early - time_s
    np.maximum(age_s, 0, out=age_s)
    later_by = np.subtract(time_s, late, out=late)
    age_s -= np.maximum(later_by, 0, out=later_by)
    distance = np.abs(age_s, out=later_by)
    state = np.where(distance <= max_age_s, np.int8(NEAREST), np.int8(STALE))
    timeless = np.flatnonzero(early == NO_TIME)
    state[timeless], age_s[timeless], distance[timeless] = STALE, 0, 0
    if max_stale_s is not None:
        rows[distance > max_stale_s] = -1
    return Interfaces(rows, state, age_s)


def _by_nearest(
    line: Timeline,
    runs: RunTable,
    subjects: Int32s,
    early: Int64s,
    late: Int64s,
    max_age_s: int,
    max_stale_s: int | None,
) -> Interfaces:
    """Answer by the snapshots around each flow. Without an interface, state and age are arbitrary."""
    places, code = _distinct_places(line, runs, subjects, early, late)
    near = _neighbours(line, runs, *places)
    earlier_by = early - near.earlier_time.take(code)
    later_by = near.later_time.take(code)
    later_by -= late
    np.maximum(later_by, 0, out=later_by)
    is_earlier = earlier_by <= later_by
    distance = np.minimum(earlier_by, later_by)
    rows = np.where(is_earlier, near.earlier_row.take(code), near.later_row.take(code))
    state = near.state_if_far.take(code)
    np.minimum(state, np.where(distance <= max_age_s, np.int8(NEAREST), np.int8(STALE)), out=state)
    if max_stale_s is not None:
        rows[(distance > max_stale_s) & (state != EXACT)] = -1
    age_s = np.negative(distance, out=distance, where=~is_earlier)
    rows[early == NO_TIME] = -1
    return Interfaces(rows, state, age_s)


def _distinct_places(
    line: Timeline, runs: RunTable, subjects: Int32s, early: Int64s, late: Int64s
) -> tuple[tuple[Int64s, Int64s, Int64s, Int64s], Int64s]:
    """
    Reduce rows to distinct (subject, last snapshot before the tolerance, first from the start on, first after the
    tolerance), and give the number of each row's.
    """
    width = len(line.times) + 1
    # The tolerance moves the few snapshots rather than the many flows, whose times might overflow.
    before = _positions(line.times + TOLERANCE_S, early, "right")
    at = _positions(line.times, early, "left")
    after = _positions(line.times - TOLERANCE_S, late, "left")
    moments, moment = distinct_numbers((before * width + at) * width + after)
    keys, code = distinct_numbers(subjects.astype(np.int64) * len(moments) + moment)
    subject, moment_of_key = np.divmod(keys, len(moments))
    times, after_of_key = np.divmod(moments[moment_of_key], width)
    before_of_key, at_of_key = np.divmod(times, width)
    return (subject, before_of_key - 1, at_of_key, after_of_key), code


def _positions(times: Int64s, moments: Int64s, side: Literal["left", "right"]) -> Int64s:
    """Search the times for each moment; one answer where it is the same for all, as it mostly is."""
    lowest, highest = np.searchsorted(times, (moments.min(), moments.max()), side)
    if lowest == highest:
        return np.array([lowest])
    return np.searchsorted(times, moments, side)


def distinct_numbers(numbers: Int64s) -> tuple[Int64s, Int64s]:
    """Give the distinct numbers and, for each row, which it has; several times as fast as sorting."""
    if not len(numbers):
        return numbers, numbers
    low = int(numbers.min())
    span = int(numbers.max()) - low + 1
    if span > 4 * len(numbers) + 1024:
        encoded = pa.array(numbers).dictionary_encode()
        return encoded.dictionary.to_numpy(), encoded.indices.to_numpy().astype(np.int64)
    # Numbers so close together are ticked off in a table, faster than they could be hashed.
    shifted = numbers - low
    seen = np.zeros(span, np.bool_)
    seen[shifted] = True
    return np.flatnonzero(seen) + low, (np.cumsum(seen) - 1).take(shifted)


def _neighbours(
    line: Timeline, runs: RunTable, subject: Int64s, before: Int64s, at: Int64s, after: Int64s
) -> _Neighbours:
    """Find each subject's observations next to snapshot ``at``, which is the first not before the flow."""
    snapshots = len(line.times)
    # The run in which, or after which, the snapshot before the flow lies; and the one after that.
    run = np.searchsorted(runs.key, subject * (snapshots + 1) + at, "left") - 1
    has_run = (run >= 0) & (runs.subject[run] == subject)
    following = np.minimum(run + 1, len(runs.key) - 1)
    has_following = (run + 1 < len(runs.key)) & (runs.subject[following] == subject)
    goes_on = has_run & (runs.last[run] >= at)

    last_before = np.clip(np.minimum(at - 1, runs.last[run]), 0, None)
    # The ends of a run may lie in snapshots that do not cover it: no farther than these is it known to have been seen.
    seen = np.maximum(line.covered_until[runs.scope[run], last_before], runs.first[run])
    inside = line.covered_from[runs.scope[run], np.minimum(at, snapshots - 1)]
    inside = np.minimum(inside, runs.last[run])
    next_seen = np.where(goes_on, inside, runs.first[following])
    has_next = goes_on | has_following
    next_seen = np.where(has_next, next_seen, 0)
    is_exact = goes_on & (runs.first[run] <= before) & (runs.last[run] >= after)
    return _Neighbours(
        earlier_time=np.where(has_run, line.times[seen], _LONG_AGO),
        earlier_row=np.where(has_run, runs.row[run], -1).astype(np.int32),
        later_time=np.where(has_next, line.times[next_seen], _FAR_AHEAD),
        later_row=np.where(has_next, runs.row[np.where(goes_on, run, following)], -1).astype(
            np.int32
        ),
        state_if_far=np.where(is_exact, np.int8(EXACT), np.int8(STALE)),
    )
