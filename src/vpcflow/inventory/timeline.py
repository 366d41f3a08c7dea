"""
From a series of snapshots to runs: how long each version of an object was seen without a break.

A run goes from the first to the last snapshot that showed the same version. Between them lies no snapshot that should
have shown it (it covers the object's account and region, and has objects of its kind) and did not. A snapshot may show
objects that it does not cover, as the answer to a question for a few interfaces does: then it ends no other's run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from vpcflow.inventory.model import Scope, Snapshot

T = TypeVar("T")
V = TypeVar("V")

Entry = tuple[str, "Scope", V]
"""An object's id, its scope, and its version."""


class Run(NamedTuple, Generic[V]):
    """A version, and the indices of the first and last snapshot of a `Timeline` in which it was seen unbroken."""

    value: V
    scope: int
    first: int
    last: int


class Timeline(NamedTuple):
    """
    The snapshots of one kind of object, by capture time, and which of them covers what.

    ``times`` is Unix seconds, ascending. ``covered_until[scope, i]`` is the last snapshot up to *i* that covers the
    scope, -1 if none; ``covered_from[scope, i]`` the first from *i* on, ``len(times)`` if none.
    """

    times: npt.NDArray[np.int64]
    scopes: dict[Scope, int]
    covered_until: npt.NDArray[np.int32]
    covered_from: npt.NDArray[np.int32]


def timeline(snapshots: Sequence[Snapshot], kind: str, scopes: Iterable[Scope]) -> Timeline:
    """Lay out the snapshots, all of which have captured ``kind``, for objects of these scopes."""
    count = len(snapshots)
    codes = {scope: code for code, scope in enumerate(dict.fromkeys(scopes))}
    covers = np.zeros((len(codes), count), np.bool_)
    for scope, code in codes.items():
        covers[code] = [snapshot.covers(kind, scope) for snapshot in snapshots]
    index = np.arange(count, dtype=np.int32)
    until = np.maximum.accumulate(np.where(covers, index, -1), axis=1)
    backwards = np.where(covers, index, count)[:, ::-1]
    since = np.minimum.accumulate(backwards, axis=1)[:, ::-1]
    times = np.array([snapshot.captured_at for snapshot in snapshots], np.int64)
    return Timeline(times, codes, until.astype(np.int32), since.astype(np.int32))


class Entries(Generic[T, V]):
    """
    Makes (id, scope, version) of objects, each once.

    Snapshots of a history share the objects that did not change, so most are known by their identity.
    """

    def __init__(self, make: Callable[[T], Entry[V]]) -> None:
        self._make = make
        self._made: dict[int, tuple[T, Entry[V]]] = {}

    def of(self, objects: Iterable[T]) -> list[Entry[V]]:
        made = self._made
        found = []
        for one in objects:
            known = made.get(id(one))
            if known is None:
                # The object is kept too, so that no other can take over its identity.
                known = made[id(one)] = one, self._make(one)
            found.append(known[1])
        return found

    @property
    def scopes(self) -> dict[Scope, None]:
        """The distinct scopes of all objects so far, in order of appearance."""
        return dict.fromkeys(entry[1] for _, entry in self._made.values())


def runs_of(line: Timeline, seen: Iterable[Iterable[Entry[V]]]) -> dict[str, list[Run[V]]]:
    """
    Find the runs of every object, by its id.

    ``seen`` has for each snapshot of the timeline the entries of its objects; an id is there once.
    """
    found: dict[str, list[_Open[V]]] = {}
    newest: dict[str, _Open[V]] = {}
    for k, entries in enumerate(seen):
        # The covering snapshot before this one, for each scope: a run that ends there goes on.
        before = line.covered_until[:, k - 1].tolist() if k else [-1] * len(line.scopes)
        for key, scope, value in entries:
            run = newest.get(key)
            if (
                run is not None
                and run.last >= before[run.scope]
                and (run.value is value or run.value == value)
            ):
                run.last = k
            else:
                newest[key] = run = _Open(value, line.scopes[scope], k)
                found.setdefault(key, []).append(run)
    return {
        key: [Run(r.value, r.scope, r.first, r.last) for r in runs] for key, runs in found.items()
    }


class _Open(Generic[V]):
    """A run that may still grow."""

    __slots__ = ("first", "last", "scope", "value")

    def __init__(self, value: V, scope: int, first: int) -> None:
        self.value = value
        self.scope = scope
        self.first = self.last = first
