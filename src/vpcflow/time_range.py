"""A range of time, half-open; and which flows lie in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from vpcflow.errors import FormatError

if TYPE_CHECKING:
    from datetime import datetime


class TimeRange(NamedTuple):
    """
    From ``since`` on and before ``until``, in Unix seconds; None is open on that side.

    >>> ALWAYS.is_open, TimeRange(0, 60).meets(59.5, 90), TimeRange(0, 60).meets(60, 90)
    (True, True, False)
    >>> TimeRange(0, 60).meets(-9, 0), TimeRange(0, 60).meets(0, 0)
    (False, True)
    """

    since: float | None = None
    until: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether it has no bound at all."""
        return self.since is None and self.until is None

    def meets(self, first: float, end: float) -> bool:
        """Tell whether some time from ``first`` on and before ``end``, or ``first`` itself, is in the range."""
        starts_in_time = self.until is None or first < self.until
        return starts_in_time and (self.since is None or end > self.since or first >= self.since)

    def of(self, flows: pa.RecordBatch) -> pa.RecordBatch:
        """
        Choose the flows whose ``end`` (where that is missing, ``start``) lies in the range, in their order.

        Flows that have neither stay: nothing says that they lie outside.
        """
        times = [flows.column(name) for name in ("end", "start") if name in flows.schema.names]
        if self.is_open or not times:
            return flows
        time = pc.coalesce(*times)
        kept = [
            compare(time, pa.scalar(bound))
            for compare, bound in ((pc.greater_equal, self.since), (pc.less, self.until))
            if bound is not None
        ]
        chosen = pc.fill_null(kept[0] if len(kept) == 1 else pc.and_(*kept), True)
        return flows if pc.all(chosen).as_py() is not False else flows.filter(chosen)


ALWAYS = TimeRange()


def time_range(since: float | datetime | None, until: float | datetime | None) -> TimeRange:
    """Make a range of times as a program has them; raises ``FormatError`` where nothing can lie in it."""
    first, end = (
        None if t is None else t if isinstance(t, int | float) else t.timestamp()
        for t in (since, until)
    )
    if first is not None and end is not None and first >= end:
        raise FormatError(f"the time range from {since} to {until} is empty: its end is excluded")
    return TimeRange(first, end)
