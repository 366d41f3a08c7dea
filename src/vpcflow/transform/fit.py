"""Fit the documents of a batch into the response: whole, else shed as far as need be, else some records not at all."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from itertools import compress
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vpcflow.transform.shed import Step, count_shed, documents, last_step

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
    The documents of each record, each ended by a line feed, shed as far as it had to be; None where it has none.

    ``counts`` is how many each record has. ``left_out`` are the records that do not fit all the same, and ``shed`` the
    documents that lost something, by what.
    """

    documents: list[bytes | None]
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


def base64_size(sizes: Sizes) -> Sizes:
    """Give the characters that so many bytes are in base64."""
    return (sizes + 2) // 3 * 4


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
    if step == 0:
        found = sheet.gathered([(sheet.at(0), 0, None)])
        return Fitted(found, sheet.counts, (), Counter(), 0, step)
    before, after = sheet.at(step - 1), sheet.at(step)
    first = _first_shed(before.sizes, after.sizes, sheet.has, room)
    found = sheet.gathered([(before, 0, first), (after, first, None)])
    left_out = _left_out(after.sizes, sheet.has, room) if first == 0 else ()
    for record in left_out:
        found[record] = None
    gone = np.zeros(len(room.fixed), np.bool_)
    gone[list(left_out)] = True
    return Fitted(found, sheet.counts, left_out, *sheet.counted(step, first, gone), step)


class _Written(NamedTuple):
    """The documents of all rows, by batch, at a step, and the bytes of each record's."""

    documents: list[list[bytes]]
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

    def gathered(self, parts: Sequence[tuple[_Written, int, int | None]]) -> list[bytes | None]:
        """Gather the documents of each record, of several ways to write them each for some records."""
        found: list[Any] = [None] * len(self.counts)
        several: dict[int, list[bytes]] = {}
        for written, first, end in parts:
            for some, lines in zip(self._rows, written.documents):
                numbers = some.records.tolist()
                if first or end is not None:
                    last = len(found) if end is None else end
                    chosen = [first <= number < last for number in numbers]
                    numbers = list(compress(numbers, chosen))
                    lines = list(compress(lines, chosen))
                for record, line in zip(numbers, lines):
                    if found[record] is None:
                        found[record] = line
                    else:
                        several.setdefault(record, [found[record]]).append(line)
        for record, lines in self._ready.items():
            several.setdefault(record, [found[record] or b""]).extend(lines)
        for record, lines in several.items():
            found[record] = b"".join(lines)
        return found

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
            lines = documents(some.flows, self._schema, one)
            written.append(lines)
            lengths = np.fromiter(map(len, lines), np.int64, len(lines))
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
