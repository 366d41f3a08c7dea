"""Fit the documents of a batch into the response: whole, else shed as far as need be, else some records not at all."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

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
    The documents of each record (a row each, ended by a line feed), shed as far as it had to be.

    ``left_out`` are the records that do not fit all the same, and ``shed`` the documents that lost something, by what.
    """

    documents: dict[int, list[bytes]]
    left_out: tuple[int, ...]
    shed: Counter[str]
    shed_documents: int


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


def fit(rows: Sequence[Rows], ready: dict[int, list[bytes]], schema: Schema, room: Room) -> Fitted:
    """
    Write the documents so that the response has room for them; ``ready`` are documents that cannot be shed.

    Documents are shed from the last record on, only as many as need be, one step after the other; records that do not
    fit when all that may go is gone are left out from the last on.
    """
    sheet = _Sheet(rows, ready, schema, len(room.fixed))
    whole = sheet.at(0)
    if _total(whole, sheet.has, room) <= room.limit:
        return Fitted(sheet.gathered([(whole, 0, None)]), (), Counter(), 0)
    step = _first_that_fits(sheet, room)
    before, after = sheet.at(step - 1), sheet.at(step)
    first = _first_shed(before.sizes, after.sizes, sheet.has, room)
    found = sheet.gathered([(before, 0, first), (after, first, None)])
    left_out = _left_out(after.sizes, sheet.has, room) if first == 0 else ()
    for record in left_out:
        del found[record]
    gone = np.zeros(len(room.fixed), np.bool_)
    gone[list(left_out)] = True
    return Fitted(found, left_out, *sheet.counted(step, first, gone))


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
        self._count = count
        self._last = [last_step(some.flows, schema) for some in rows]
        self._written: dict[int, _Written] = {}
        self.steps = max((step.number for step in self._last), default=1)
        self.has = np.zeros(count, np.bool_)
        for some in rows:
            self.has[some.records] = True
        self.has[list(ready)] = True

    def at(self, step: int) -> _Written:
        """Write all documents at a step, once."""
        if step not in self._written:
            self._written[step] = self._write(step)
        return self._written[step]

    def gathered(self, parts: Sequence[tuple[_Written, int, int | None]]) -> dict[int, list[bytes]]:
        """Gather the documents of each record, of several ways to write them each for some records."""
        found: dict[int, list[bytes]] = {}
        for written, first, end in parts:
            for some, lines in zip(self._rows, written.documents):
                for record, line in zip(some.records.tolist(), lines):
                    if record >= first and (end is None or record < end):
                        found.setdefault(record, []).append(line)
        for record, lines in self._ready.items():
            found.setdefault(record, []).extend(lines)
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
        sizes = np.zeros(self._count, np.int64)
        written = []
        for some, last in zip(self._rows, self._last):
            lines = documents(some.flows, self._schema, _at_most(last, step))
            written.append(lines)
            lengths = np.fromiter(map(len, lines), np.int64, len(lines))
            sizes += np.bincount(some.records, lengths, self._count).astype(np.int64)
        for record, lines in self._ready.items():
            sizes[record] += sum(map(len, lines))
        return _Written(written, sizes)


def _at_most(last: Step, step: int) -> Step:
    return last._replace(number=min(step, last.number))


def _costs(sizes: Sizes, room: Room) -> Sizes:
    return room.fixed + base64_size(sizes)


def _total(written: _Written, has: npt.NDArray[np.bool_], room: Room) -> int:
    return int(_costs(written.sizes, room)[has].sum()) + room.others


def _first_that_fits(sheet: _Sheet, room: Room) -> int:
    """Find the first step at which all documents fit, the last where they never do, by halving."""
    low, high = 1, sheet.steps
    while low < high:
        middle = (low + high) // 2
        if _total(sheet.at(middle), sheet.has, room) <= room.limit:
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
    """Leave records out, from the last on, until the rest fits; only those that cost less when they fail."""
    gains = np.where(has, _costs(sizes, room) - room.failed(), 0)
    too_much = int(_costs(sizes, room)[has].sum()) + room.others - room.limit
    left_out = []
    for record in np.flatnonzero(gains > 0)[::-1].tolist():
        if too_much <= 0:
            break
        too_much -= int(gains[record])
        left_out.append(record)
    return tuple(sorted(left_out))
