"""Columns of numbers that wait on disk, parted so that what belongs together is read together."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

if TYPE_CHECKING:
    from types import TracebackType

Columns = dict[str, npt.NDArray[Any]]

_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")
_HELD_BYTES = 64 * 1024 * 1024


class Spill:
    """
    Rows in ``2**bits`` parts, by the leading bits of a 64-bit word of each row; a context that removes its files.

    Up to 64 MiB are held in memory, the rest is in temporary files. A part comes back as it was added, in order.
    """

    def __init__(self, schema: pa.Schema, bits: int, folder: str | None = None) -> None:
        self._schema = schema
        self._bits = bits
        self._folder = tempfile.TemporaryDirectory(prefix="vpcflow-", dir=folder)
        self._held: list[list[pa.RecordBatch]] = [[] for _ in range(1 << bits)]
        self._held_bytes = 0
        self._rows = [0] * (1 << bits)
        self._writers: dict[int, pa.ipc.RecordBatchFileWriter] = {}

    def groups(self, most_rows: int) -> list[range]:
        """Give neighbouring parts together, up to so many rows unless one alone has more; none where nothing is."""
        found: list[range] = []
        rows = 0
        for number, own in enumerate(self._rows):
            if found and rows + own <= most_rows:
                found[-1] = range(found[-1].start, number + 1)
                rows += own
            else:
                found.append(range(number, number + 1))
                rows = own
        return found if any(self._rows) else []

    def __enter__(self) -> Spill:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()
        self._folder.cleanup()

    def add(self, words: npt.NDArray[np.uint64], columns: Columns) -> None:
        """Add rows, each to the part its word says."""
        part = (words >> np.uint64(64 - self._bits)).astype(np.uint8)
        order = np.argsort(part, kind="stable")
        ends = np.cumsum(np.bincount(part, minlength=len(self._rows)))
        batch = pa.RecordBatch.from_arrays(
            [pa.array(columns[name][order]) for name in self._schema.names], schema=self._schema
        )
        start = 0
        for number, end in enumerate(ends.tolist()):
            if end > start:
                self._held[number].append(batch.slice(start, end - start))
                self._rows[number] += end - start
            start = end
        self._held_bytes += batch.nbytes
        if self._held_bytes >= _HELD_BYTES:
            self._write()

    def settle(self) -> None:
        """Write what is still in memory, where any is on disk; after this nothing is added."""
        if self._writers:
            self._write()
            self._close()

    def read(self, parts: range) -> Columns:
        """Give all rows of these parts, once all are `settle`d."""
        batches = [
            batch
            for number in parts
            for batch in (self._read(number) if self._writers else self._held[number])
        ]
        table = pa.Table.from_batches(batches, self._schema).combine_chunks()
        return {name: _numpy(table.column(name)) for name in self._schema.names}

    def _write(self) -> None:
        for number, batches in enumerate(self._held):
            if not batches:
                continue
            if number not in self._writers:
                self._writers[number] = pa.ipc.new_file(
                    self._path(number).as_posix(), self._schema, options=_OPTIONS
                )
            whole = pa.Table.from_batches(batches, self._schema).combine_chunks()
            self._writers[number].write_table(whole)
            batches.clear()
        self._held_bytes = 0

    def _close(self) -> None:
        for writer in self._writers.values():
            writer.close()

    def _read(self, number: int) -> list[pa.RecordBatch]:
        path = self._path(number)
        if not path.exists():
            return []
        with pa.OSFile(path.as_posix()) as file:
            reader = pa.ipc.open_file(file)
            return [reader.get_batch(i) for i in range(reader.num_record_batches)]

    def _path(self, number: int) -> Path:
        return Path(self._folder.name, f"{number}.arrow")


def _numpy(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    if column.num_chunks == 0:
        return np.zeros(0, column.type.to_pandas_dtype())
    return np.asarray(column.chunk(0).to_numpy(zero_copy_only=False))
