"""Work on parts in several processes, where the system can fork; in this one where it cannot, or one is enough."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")

_AHEAD = 2

# What forked processes work with: they see it as it was when they were made.
_work: Callable[[range], object] | None = None


def default_jobs() -> int:
    """Give how many processes are of use: one for each processor this one may use, at most eight."""
    if not sys.platform.startswith("linux"):
        # Elsewhere a forked process may not use what the libraries have begun.
        return 1
    return min(len(os.sched_getaffinity(0)), 8)


def in_order(work: Callable[[range], T], items: Sequence[range], jobs: int) -> Iterator[T]:
    """
    Yield what ``work`` gives for each item, in order, done by so many processes, a few ahead of what is taken.

    With several jobs ``work`` runs in copies of this process: what it changes stays there, and what it gives is copied.
    """
    global _work  # the only way to hand what cannot be pickled to forked processes
    if jobs <= 1 or len(items) <= 1:
        yield from map(work, items)
        return
    _work = work
    try:
        with ProcessPoolExecutor(jobs, multiprocessing.get_context("fork")) as pool:
            left = iter(items)
            waiting = deque(pool.submit(_do, item) for item in islice(left, jobs * _AHEAD))
            while waiting:
                done = waiting.popleft().result()
                waiting.extend(pool.submit(_do, item) for item in islice(left, 1))
                yield cast("T", done)
    finally:
        _work = None


def _do(item: range) -> object:
    assert _work is not None
    return _work(item)
