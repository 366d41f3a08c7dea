"""
A recording: all flow records of a run, judged together once all are there.

What one record means another may tell: the SYN an hour before, the record of the other network interface, how many
others talk to the same socket. So records wait, on disk where they are many, parted by connection, and each part is
judged in memory: what is held is bounded by the largest part, not by the input.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow.dictionaries import codes_of
from vpcflow.rules.aliases import aliases_of
from vpcflow.rules.judge import Judge
from vpcflow.rules.listeners import ListenerBook, Listeners, Sockets, sockets_of
from vpcflow.rules.memory import (
    Memory,
    listener_table,
    listeners_in,
    sighting_table,
    sightings_in,
    watched_table,
)
from vpcflow.rules.sessions import TCP
from vpcflow.rules.sightings import SIGHTINGS, Sightings, Texts, keys_of, sightings_of
from vpcflow.rules.spill import Spill
from vpcflow.rules.table import connection_rows, record_answers, settled_sessions
from vpcflow.rules.watch import Minutes, Watch
from vpcflow.rules.workers import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from vpcflow.admission import RuleBook
    from vpcflow.enrich import Reference
    from vpcflow.rules.judge import Judged
    from vpcflow.rules.table import RecordAnswers

Bools = npt.NDArray[np.bool_]
T = TypeVar("T")

_PART_BITS = 6
_TOGETHER = 1 << 17
"""How many sightings are judged together: fewer cost more, each, and more take more memory."""

LATE_S = 86_400
"""How late a record may come, after newer ones, and still be joined to its connection in an incremental run."""


class Recording:
    """
    Flow records to be judged together; a context that removes its temporary files.

    ``reference`` has the inventory, which is needed. ``folder`` is where temporary files go, None for the system's.
    """

    def __init__(self, reference: Reference, *, folder: str | None = None) -> None:
        self.rows = 0
        """How many flow records were added, sightings or not."""
        self.newest_s = 0
        """The latest end of any record, Unix seconds."""
        self.interfaces = Texts()
        self.reasons = Texts()
        self.watch = Watch()
        self._known_listeners: Listeners | None = None
        self._reference = reference
        self._folder = folder
        self._aliases = aliases_of(reference.inventory)
        self._stack = ExitStack()
        self._spill = self._stack.enter_context(Spill(SIGHTINGS, _PART_BITS, folder))

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def add(self, flows: pa.RecordBatch) -> None:
        """Add a batch of flows as the parser made them."""
        found = sightings_of(flows, self._reference, self._aliases, self.interfaces, self.reasons)
        self._watch_all(flows)
        self.add_sightings(found._replace(row=found.row + self.rows))
        self.rows += flows.num_rows

    def add_sightings(self, found: Sightings) -> None:
        """Add sightings whose interfaces and reasons are numbered as here."""
        if len(found.end):
            self.newest_s = max(self.newest_s, int(found.end.max()))
            self._spill.add(keys_of(found), found._asdict())

    def memory(self, kept: Unsettled) -> Memory:
        """Give what the next recording must `remember`, once ``kept`` was given all that is not settled."""
        listeners = kept.listeners
        if self._known_listeners is not None:
            listeners = listeners.joined(self._known_listeners)
        interfaces = self.interfaces.values
        return Memory(
            sighting_table(kept.sightings, interfaces, self.reasons.values),
            watched_table(*self.watch.runs(), interfaces),
            listener_table(listeners),
            self.newest_s,
        )

    def remember(self, memory: Memory) -> None:
        """Add what an earlier recording gave as its memory."""
        for batch in memory.sightings.to_batches():
            self.add_sightings(sightings_in(batch, self.interfaces, self.reasons))
        watched = memory.watched.unify_dictionaries().combine_chunks()
        for batch in watched.to_batches():
            interface = self.interfaces.number(batch.column("interface_id"))
            first, last = (batch.column(name).to_numpy() for name in ("first", "last"))
            skipped = batch.column("skipped").to_numpy(zero_copy_only=False)
            self.watch.add_runs(
                *(Minutes(interface[m], first[m], last[m]) for m in (~skipped, skipped))
            )
        if memory.listeners.num_rows:
            self._known_listeners = listeners_in(memory.listeners)
        self.newest_s = max(self.newest_s, memory.newest_s)

    def judge(self, book: RuleBook) -> Judge:
        """Make the judge of what was added."""
        inventory = self._reference.inventory
        assert inventory is not None
        return Judge(
            inventory, book, self.interfaces.values, self.watch,
            max_age_s=self._reference.max_age_s, max_stale_s=self._reference.max_stale_s,
        )  # fmt: skip

    def connections(
        self,
        book: RuleBook,
        *,
        late_s: int = LATE_S,
        unsettled: Unsettled | None = None,
        jobs: int = 1,
    ) -> Iterator[pa.RecordBatch]:
        """
        Yield batches of ``CONNECTIONS``, in no order.

        ``unsettled`` is given what is not settled. ``jobs`` is how many processes judge.
        """
        judge = self.judge(book)
        reasons = self.reasons.values

        def finish(judged: Judged, kept: Bools) -> tuple[pa.RecordBatch, Left | None]:
            sessions = judged.opened.sessions
            settled = settled_sessions(sessions, judge.idle_s(sessions), self.newest_s, late_s)
            left = None if unsettled is None else _left(judged, kept, settled)
            return connection_rows(judged, judge, kept, settled, reasons), left

        for batch, left in self._judge_all(judge, finish, jobs):
            if unsettled is not None and left is not None:
                unsettled.add(left)
            if batch.num_rows:
                yield batch

    def answers(self, judge: Judge) -> Iterator[RecordAnswers]:
        """Yield what is known of each flow record that is a sighting, in no order."""
        # In this process: what numbers sets of rules must be one.
        yield from self._judge_all(judge, record_answers, 1)

    def _judge_all(
        self, judge: Judge, finish: Callable[[Judged, Bools], T], jobs: int
    ) -> Iterator[T]:
        """
        Judge all parts; ``finish`` is given each, and which of its connections count.

        TCP connections whose opener only their ports may tell come last: that needs the sockets of all.
        """

        def first(parts: range) -> tuple[T, Sightings | None, Sockets]:
            opened = judge.open(Sightings(**self._spill.read(parts)))
            sessions = opened.sessions
            is_tcp = sessions.columns.protocol[sessions.firsts] == TCP
            waits = opened.openers.is_open & is_tcp
            held = waits[sessions.session]
            later = sessions.columns.take(held) if waits.any() else None
            done = finish(judge.conclude(opened, None), ~waits)
            every = np.ones(len(waits), np.bool_)
            return done, later, sockets_of(sessions, opened.openers, every)

        def last(parts: range) -> T:
            judged = judge.conclude(judge.open(Sightings(**waiting.read(parts))), listeners)
            return finish(judged, np.ones(len(judged.openers.opener), np.bool_))

        with (
            ListenerBook(self._folder) as book,
            Spill(SIGHTINGS, _PART_BITS, self._folder) as waiting,
        ):
            self._spill.settle()
            for done, later, sockets in in_order(first, self._spill.groups(_TOGETHER), jobs):
                if later is not None:
                    waiting.add(keys_of(later), later._asdict())
                book.add(sockets)
                yield done
            listeners = book.listeners()
            if self._known_listeners is not None:
                listeners = listeners.joined(self._known_listeners)
            waiting.settle()
            yield from in_order(last, waiting.groups(_TOGETHER), jobs)

    def _watch_all(self, flows: pa.RecordBatch) -> None:
        if "start" not in flows.schema.names or "interface_id" not in flows.schema.names:
            return
        interface = self.interfaces.number(flows.column("interface_id"))
        start, end = (_seconds(flows, *names) for names in (("start", "end"), ("end", "start")))
        known = (interface >= 0) & (start >= 0) & (end >= 0)
        skipped = np.zeros(flows.num_rows, np.bool_)
        if "log_status" in flows.schema.names:
            status = flows.column("log_status")
            is_skip = [text == "SKIPDATA" for text in status.dictionary.to_pylist()]
            skipped = np.array([*is_skip, False])[codes_of(status)]
        seen = known & ~skipped
        self.watch.add(interface[seen], start[seen], end[seen])
        lost = known & skipped
        if lost.any():
            self.watch.skip(interface[lost], start[lost], end[lost])


class Left(NamedTuple):
    """Of a part: the sightings of connections that are not settled, and the sockets of those that are."""

    sightings: Sightings
    sockets: Sockets


class Unsettled:
    """Gathers what an incremental run must see again: the sightings of connections that are not settled; a context."""

    def __init__(self) -> None:
        self.sightings: list[Sightings] = []
        self._book = ListenerBook()

    def __enter__(self) -> Unsettled:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._book.__exit__(exc_type, exc, traceback)

    def add(self, left: Left) -> None:
        """Add what a part left."""
        if len(left.sightings.row):
            self.sightings.append(left.sightings)
        self._book.add(left.sockets)

    @property
    def listeners(self) -> Listeners:
        """The listeners among the sockets of settled connections."""
        return self._book.listeners()


def _left(judged: Judged, kept: Bools, settled: Bools) -> Left:
    """Give what a part leaves of the connections that count; a record that is there twice, once."""
    sessions = judged.opened.sessions
    wanted = (kept & ~settled)[sessions.session] & ~sessions.again
    return Left(sessions.columns.take(wanted), sockets_of(sessions, judged.openers, kept & settled))


def _seconds(flows: pa.RecordBatch, name: str, other: str) -> npt.NDArray[np.int64]:
    for column in (name, other):
        if column in flows.schema.names:
            return np.asarray(flows.column(column).fill_null(-1).to_numpy(), np.int64)
    return np.full(flows.num_rows, -1, np.int64)
