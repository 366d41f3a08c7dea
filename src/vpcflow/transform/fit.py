"""Fit the documents of a batch into the response: whole, else shed as far as need be, else some records not at all."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vpcflow.transform.answer import base64_size
from vpcflow.transform.shed import Documents, Step, count_shed, documents, last_step

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt
    import pyarrow as pa

    from vpcflow.schemas import Schema

    Sizes = npt.NDArray[np.int64]


class Rows(NamedTuple):
    """Enriched flows, and the number of the Firehose record each is of, ascending."""

    flows: pa.RecordBatch
    records: npt.NDArray[np.int64]


class Fitted(NamedTuple):
    """
    The documents of all records, in order, end to end, each ended by a line feed and shed as far as it had to be.

    ``sizes`` are the bytes of each record's, ``counts`` how many they are. ``left_out`` are the records that do not fit
    all the same: theirs are in ``text`` too. ``shed`` counts the documents that lost something, by what.
    """

    text: bytes
    sizes: Sizes
    counts: Sizes
    left_out: tuple[int, ...]
    shed: Counter[str]
    shed_documents: int
    step: int


class Room(NamedTuple):
    """
    How much room there is: bytes for all records in the response, and what each costs beside its documents.

    ``fixed`` is what a record that is answered with documents costs without them, ``failed`` what it costs in all where
    it is answered with the data it came with, asked for only where it has to be. ``others`` is what the frame and the
    records without documents cost.
    """

    limit: int
    fixed: Sizes
    failed: Callable[[], Sizes]
    others: int


def fit(
    rows: Sequence[Rows],
    ready: dict[int, list[bytes]],
    schema: Schema,
    room: Room,
    *,
    hint: int = 0,
) -> Fitted:
    """
    Write the documents so that the response has room for them; ``ready`` are documents that cannot be shed.

    Documents are shed from the last record on, only as many as need be, one step after the other; records that do not
    fit when all that may go is gone are left out from the last on. ``hint`` is the step of the batch before: where
    this one needs the same it is found at once.
    """
    sheet = _Sheet(rows, ready, schema, len(room.fixed))
    step = _first_that_fits(sheet, room, hint)
    count = len(room.fixed)
    if step == 0:
        whole = sheet.at(0)
        text = sheet.gathered([(whole, 0, count)])
        return Fitted(text, whole.sizes, sheet.counts, (), Counter(), 0, step)
    before, after = sheet.at(step - 1), sheet.at(step)
    first = _first_shed(before.sizes, after.sizes, sheet.has, room)
    text = sheet.gathered([(before, 0, first), (after, first, count)])
    sizes = np.concatenate([before.sizes[:first], after.sizes[first:]])
    left_out = _left_out(after.sizes, sheet.has, room) if first == 0 else ()
    gone = np.zeros(count, np.bool_)
    gone[list(left_out)] = True
    shed, shed_documents = sheet.counted(step, first, gone)
    return Fitted(text, sizes, sheet.counts, left_out, shed, shed_documents, step)


class _Written(NamedTuple):
    """The documents of all rows, by batch, at a step, and the bytes of each record's."""

    documents: list[Documents]
    sizes: Sizes


class _Sheet:
    def __init__(
        self, rows: Sequence[Rows], ready: dict[int, list[bytes]], schema: Schema, count: int
    ) -> None:
        self._rows = rows
        self._ready = ready
        self._schema = schema
        self._written: dict[int, _Written] = {}
        self.counts = np.zeros(count, np.int64)
        for some in rows:
            self.counts += np.bincount(some.records, minlength=count)
        for record, lines in ready.items():
            self.counts[record] += len(lines)
        self.has = self.counts > 0

    @cached_property
    def steps(self) -> int:
        """The number of the last step there is."""
        return max((step.number for step in self._last), default=1)

    @cached_property
    def _last(self) -> list[Step]:
        return [last_step(some.flows, self._schema) for some in self._rows]

    def at(self, step: int) -> _Written:
        """Write all documents at a step, once."""
        if step not in self._written:
            self._written[step] = self._write(step)
        return self._written[step]

    def gathered(self, parts: Sequence[tuple[_Written, int, int]]) -> bytes:
        """Gather the documents of all records, in order, of several ways to write them each for some records."""
        if len(self._rows) == 1 and not self._ready:
            # Rows are in the order of their records.
            records = self._rows[0].records
            bounds = [np.searchsorted(records, (first, end)) for _, first, end in parts]
            pieces = [part[0].documents[0].between(*rows) for part, rows in zip(parts, bounds)]
            return b"".join(pieces)
        found: list[list[bytes]] = [[] for _ in self.counts]
        for written, first, end in parts:
            for some, lines in zip(self._rows, written.documents):
                for record, line in zip(some.records.tolist(), lines.singly()):
                    if first <= record < end:
                        found[record].append(line)
        for record, made_before in self._ready.items():
            found[record].extend(made_before)
        return b"".join(chain.from_iterable(found))

    def counted(
        self, step: int, first: int, gone: npt.NDArray[np.bool_]
    ) -> tuple[Counter[str], int]:
        """Count what was shed: up to a step from a record on, up to the step before until then."""
        shed: Counter[str] = Counter()
        count = 0
        for some, last in zip(self._rows, self._last):
            here = ~gone[some.records]
            for one, chosen in (
                (step - 1, here & (some.records < first)),
                (step, here & (some.records >= first)),
            ):
                counts = count_shed(some.flows.filter(chosen), _at_most(last, one), self._schema)
                shed += counts
                count += int(chosen.sum()) if counts else 0
        return shed, count

    def _write(self, step: int) -> _Written:
        sizes = np.zeros(len(self.counts), np.int64)
        written = []
        steps = [_at_most(last, step) for last in self._last] if step else [None] * len(self._rows)
        for some, one in zip(self._rows, steps):
            written.append(documents(some.flows, self._schema, one))
            lengths = np.diff(written[-1].ends, prepend=0)
            sizes += np.bincount(some.records, lengths, len(self.counts)).astype(np.int64)
        for record, lines in self._ready.items():
            sizes[record] += sum(map(len, lines))
        return _Written(written, sizes)


def _at_most(last: Step, step: int) -> Step:
    return last._replace(number=min(step, last.number))


def _costs(sizes: Sizes, room: Room) -> Sizes:
    return room.fixed + base64_size(sizes)


def _total(written: _Written, has: npt.NDArray[np.bool_], room: Room) -> int:
    return int(_costs(written.sizes, room)[has].sum()) + room.others


def _first_that_fits(sheet: _Sheet, room: Room, hint: int) -> int:
    """Find the first step at which all documents fit, the last where they never do: at the hint, or by halving."""

    def fits(step: int) -> bool:
        return _total(sheet.at(step), sheet.has, room) <= room.limit

    if hint == 0 and fits(0):
        return 0
    low, high = 0, sheet.steps
    hint = min(hint, high)
    if not fits(hint):
        low = min(hint + 1, high)
    elif hint and not fits(hint - 1):
        low = high = hint
    else:
        high = max(hint - 1, 0)
    while low < high:
        middle = (low + high) // 2
        if fits(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _first_shed(before: Sizes, after: Sizes, has: npt.NDArray[np.bool_], room: Room) -> int:
    """Find the record from which on documents have to be shed to the later step; 0: all."""
    saved = np.where(has, base64_size(before) - base64_size(after), 0)
    too_much = int(_costs(before, room)[has].sum()) + room.others - room.limit
    enough = np.flatnonzero(np.cumsum(saved[::-1])[::-1] >= too_much)
    return int(enough[-1]) if len(enough) else 0


def _left_out(sizes: Sizes, has: npt.NDArray[np.bool_], room: Room) -> tuple[int, ...]:
    """
    Leave records out, from the last on, until the rest fits: first those that cost less when they fail.

    Where that is not enough others follow, which cost next to nothing if they can go back, and else lose their data.
    """
    costs = np.where(has, _costs(sizes, room), 0)
    too_much = int(costs.sum()) + room.others - room.limit
    left_out: set[int] = set()
    for gains in (costs - np.where(has, room.failed(), 0), costs - np.where(has, room.fixed, 0)):
        for record in np.flatnonzero(gains > 0)[::-1].tolist():
            if too_much <= 0:
                break
            if record not in left_out:
                too_much -= int(gains[record])
                left_out.add(record)
    return tuple(sorted(left_out))
