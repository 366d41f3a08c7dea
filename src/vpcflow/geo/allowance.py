"""How much may be asked of a service: requests in a month, and time in a batch."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LEAST_AT_ONCE = 50


class MonthlyBudget:
    """
    Requests in a calendar month (UTC), given out as the month goes by.

    An instance of a function knows what it has asked itself, not what others did, and lives for hours. Were each to
    have the month's budget at once, a month's instances would spend it hundreds of times. So each earns the budget at
    the pace of the month, with a hundredth of it (at least 50) at once: one instance at a time keeps to the budget but
    for what each new one starts with.
    """

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._at_once = min(limit, max(_LEAST_AT_ONCE, limit // 100))
        self._clock = clock
        self._begin(clock())

    def take(self, wanted: int) -> int:
        """Take so many requests, or as many as there are: 0 where none is left for now."""
        now_s = self._clock()
        if now_s >= self._ends_s:
            self._begin(now_s)
        share = max(0.0, now_s - self._began_s) / (self._ends_s - self._month_s)
        earned = min(self._limit, self._at_once + int(self._limit * share))
        taken = max(0, min(wanted, earned - self._used))
        self._used += taken
        return taken

    def give_back(self, count: int) -> None:
        """Return requests that were taken and not made."""
        self._used -= count

    def _begin(self, now_s: float) -> None:
        self._month_s, self._ends_s = month_of(now_s)
        self._began_s = now_s
        self._used = 0


class TimeAllowance:
    """
    Seconds that may be spent: at most ``capacity_s`` at once, earned again at ``share`` of the time that goes by.

    Whoever asks at every batch, however often batches come, thus spends no more than that share of all time.
    """

    def __init__(self, capacity_s: float, share: float, monotonic: Callable[[], float]) -> None:
        self._capacity_s = capacity_s
        self._share = share
        self._monotonic = monotonic
        self._left_s = capacity_s
        self._counted_s = monotonic()

    def left_s(self) -> float:
        """Give the seconds that may be spent from now on."""
        now_s = self._monotonic()
        earned_s = (now_s - self._counted_s) * self._share
        self._left_s = min(self._capacity_s, self._left_s + earned_s)
        self._counted_s = now_s
        return max(0.0, self._left_s)

    def spend(self, seconds: float) -> None:
        """Note that so many seconds were spent."""
        self._left_s -= seconds


def month_of(now_s: float) -> tuple[float, float]:
    """
    Give the beginnings of the calendar month (UTC) of a time and of the next month, all Unix seconds.

    >>> [datetime.fromtimestamp(s, UTC).isoformat() for s in month_of(1767225600)]
    ['2026-01-01T00:00:00+00:00', '2026-02-01T00:00:00+00:00']
    """
    now = datetime.fromtimestamp(now_s, UTC)
    first = datetime(now.year, now.month, 1, tzinfo=UTC)
    after = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
    return first.timestamp(), after.timestamp()
