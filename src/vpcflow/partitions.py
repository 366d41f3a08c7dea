"""
Flows on their way to the Parquet files of partitions: held until they fill a row group, in order, few files open.

A partition has a number, whatever it stands for; what a file is, and where, its owner knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vpcflow.file_schema import aligned, compact, narrowed
from vpcflow.row_groups import ROWS, row_group, widened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

YEAR_10000_S = 253_402_300_800
"""ISO 8601 has no date from here on, and none before 1970 is a flow's."""

_FILE_ROWS = 2_000_000
_FILE_BYTES = 128 << 20
# A wide row takes some 400 bytes: 160 MB, beside what is being sorted and written.
_HELD_ROWS = 4 * ROWS
_OPEN_FILES = 24


class PartFile(Protocol):
    """A file of one partition that takes row groups of a schema."""

    @property
    def schema(self) -> pa.Schema: ...

    def write(self, table: pa.Table) -> None: ...

    def size_bytes(self) -> int:
        """Say what has been written so far."""
        ...

    def finish(self) -> None:
        """End the file; it takes no more, and its owner keeps it for the end of the run."""
        ...

    def discard(self) -> None:
        """Leave nothing of it; never raises for a file half written."""
        ...


class _Part:
    """The flows of a partition that wait for a row group, and the file they go to."""

    def __init__(self) -> None:
        self.held: list[pa.RecordBatch] = []
        self.held_rows = 0
        self.file: PartFile | None = None
        self.file_rows = 0


class Partitions:
    """
    Hold flows by partition, and write them to files as row groups in order of ``interface_id``, then ``start``.

    ``open_file`` opens the next file of a partition for a schema in memory. ``schema`` is that of files opened from now
    on; its owner widens it when a batch brings new columns.
    """

    def __init__(self, schema: pa.Schema, open_file: Callable[[int, pa.Schema], PartFile]) -> None:
        self.schema = schema
        self._open_file = open_file
        self._parts: dict[int, _Part] = {}  # the one used last at the end

    @property
    def open_parts(self) -> int:
        """How many partitions have flows that wait, or a file that is open."""
        return len(self._parts)

    def take(self, flows: pa.RecordBatch, numbers: npt.NDArray[np.int64]) -> None:
        """Take flows, each of the partition of that number."""
        for number, rows in _by_number(flows, numbers):
            self._hold(number, rows)

    def finish(self) -> None:
        """Write what waits, and finish all files."""
        for number in sorted(self._parts):
            self._write_held(self._parts[number], number)
            _finish(self._parts[number])
        self._parts.clear()

    def discard(self) -> None:
        """Leave nothing of the files that are not finished."""
        for part in self._parts.values():
            if part.file is not None:
                part.file.discard()
        self._parts.clear()

    def _hold(self, number: int, rows: pa.RecordBatch) -> None:
        part = self._parts.pop(number, None) or _Part()
        self._parts[number] = part
        part.held.append(rows)
        part.held_rows += rows.num_rows
        if part.held_rows >= ROWS:
            self._write_held(part, number)
        while sum(p.held_rows for p in self._parts.values()) > _HELD_ROWS:
            largest = max(self._parts, key=lambda n: self._parts[n].held_rows)
            self._write_held(self._parts[largest], largest)
        while len(self._parts) > _OPEN_FILES:
            oldest = next(iter(self._parts))
            self._write_held(self._parts[oldest], oldest)
            _finish(self._parts.pop(oldest))

    def _write_held(self, part: _Part, number: int) -> None:
        if not part.held:
            return
        if part.file is not None and not part.file.schema.equals(self.schema):
            _finish(part)
        if part.file is None:
            part.file = self._open_file(number, self.schema)
            part.file_rows = 0
        table = _ready(part.held, self.schema)
        part.file_rows += part.held_rows
        part.held.clear()
        part.held_rows = 0
        part.file.write(widened(table, part.file.schema))
        if part.file_rows >= _FILE_ROWS or part.file.size_bytes() >= _FILE_BYTES:
            _finish(part)


def flow_times(flows: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """
    Give the time that puts each flow into a partition, in Unix seconds: its end, else its start.

    -1 where neither is known, or ISO 8601 has no date for it.
    """
    times = [flows.column(name) for name in ("end", "start") if name in flows.schema.names]
    if not times:
        return np.full(flows.num_rows, -1)
    seconds = pc.fill_null(pc.coalesce(*times), -1).to_numpy()
    return np.where((seconds >= 0) & (seconds < YEAR_10000_S), seconds, -1)


def _finish(part: _Part) -> None:
    if part.file is not None:
        part.file.finish()
        part.file = None


def _by_number(
    flows: pa.RecordBatch, numbers: npt.NDArray[np.int64]
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Cut by partition, in order; the parts keep no memory of the whole alive."""
    if len(numbers) == 0:
        return
    if (numbers == numbers[0]).all():
        yield int(numbers[0]), flows
        return
    order = np.argsort(numbers, kind="stable")
    found, starts = np.unique(numbers[order], return_index=True)
    for number, rows in zip(found.tolist(), np.split(order, starts[1:]), strict=True):
        yield number, compact(flows.take(pa.array(rows)))


def _ready(held: Sequence[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    """Put the batches together and in order: those columns they have, for the others cost as much to sort."""
    found = narrowed(schema, {name for batch in held for name in batch.schema.names})
    table = row_group([aligned(batch, found) for batch in held], found)
    order = _order(table)
    return table if order is None else table.take(pa.array(order))


def _order(table: pa.Table) -> npt.NDArray[np.int64] | None:
    """Order by interface id, null first, then start, then place; None where it is so already."""
    rows = table.num_rows
    interfaces, starts = _ranks(table, "interface_id"), _numbers(table, "start")
    starts = starts - (int(starts.min()) if rows else 0)
    place_bits = max(rows - 1, 1).bit_length()
    start_bits = int(starts.max()).bit_length() if rows else 0
    if int(interfaces.max(initial=0)).bit_length() + start_bits + place_bits >= 63:
        return np.lexsort((starts, interfaces))
    # Sorting one number that holds all three is five times as fast as sorting by two.
    keys = np.sort((interfaces << start_bits | starts) << place_bits | np.arange(rows))
    order: npt.NDArray[np.int64] = keys & np.int64((1 << place_bits) - 1)
    return None if (order[1:] > order[:-1]).all() else order


def _ranks(table: pa.Table, name: str) -> npt.NDArray[np.int64]:
    """The place of each text in alphabetical order; 0 for null or where there is no such column."""
    if name not in table.schema.names:
        return np.zeros(table.num_rows, np.int64)
    column = table.column(name).combine_chunks()
    column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    ranks = np.zeros(len(column.dictionary) + 1, np.int64)
    ranks[pc.sort_indices(column.dictionary).to_numpy()] = np.arange(1, len(column.dictionary) + 1)
    taken: npt.NDArray[np.int64] = ranks[column.indices.fill_null(-1).to_numpy()]
    return taken


def _numbers(table: pa.Table, name: str) -> npt.NDArray[np.int64]:
    if name not in table.schema.names:
        return np.zeros(table.num_rows, np.int64)
    return np.asarray(pc.fill_null(table.column(name), 0).to_numpy()).astype(np.int64)
