"""One Parquet file."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pyarrow as pa

from vpcflow.errors import SinkError
from vpcflow.fields import DEFAULT_LAYOUT, FIELD_BY_NAME
from vpcflow.file_schema import aligned, schema_of
from vpcflow.pending_file import PendingFile, leave
from vpcflow.row_groups import ROWS, open_writer, read_row_groups, row_group, write_row_group

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    import pyarrow.parquet as pq


class ParquetSink:
    """
    Write flows to a Parquet file, in order, that appears at ``close``; after ``abort`` what was there is untouched.

    The file has all columns of all batches, or of ``columns`` those that were found. Some row groups are held in
    memory, never the file: when a batch brings new columns, what was written so far is copied once, at ``close``.
    """

    def __init__(self, path: Path, columns: Sequence[str] | None = None) -> None:
        self._file = PendingFile(path)
        self._columns = columns
        self._schema = schema_of(())
        self._segments: list[Path] = []
        self._writer: pq.ParquetWriter | None = None
        self._held: list[pa.RecordBatch] = []
        self._file.open().close()

    def write(self, flows: pa.RecordBatch) -> int:
        """Take the flows; they are delivered when ``close`` has returned."""
        names = [n for n in flows.schema.names if self._columns is None or n in self._columns]
        wider = schema_of([*self._schema.names, *names])
        if not wider.equals(self._schema):
            self._end_segment()
            self._schema = wider
        self._held.append(aligned(flows, self._schema))
        if sum(batch.num_rows for batch in self._held) >= ROWS:
            self._write_held()
        return int(flows.num_rows)

    def close(self) -> None:
        """Finish the file and let it appear."""
        if not self._schema.names:
            self._schema = schema_of(FIELD_BY_NAME[name].column for name in DEFAULT_LAYOUT)
        self._end_segment()
        if not self._segments:
            self._start_segment()
            self._end_segment()
        if len(self._segments) > 1:
            self._unite()
        self._file.commit()

    def abort(self) -> None:
        """Leave no file."""
        self._held.clear()
        with suppress(OSError, pa.ArrowException):
            self._end_segment()
        self._file.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        leave(self, failed=kind is not None)

    def _write_held(self) -> None:
        if not self._held:
            return
        if self._writer is None:
            self._start_segment()
        assert self._writer is not None
        write_row_group(self._writer, row_group(self._held, self._schema))
        self._held.clear()

    def _start_segment(self) -> None:
        """Start to write: the file itself, or beside it, once that has been written with fewer columns."""
        if self._segments and self._file.direct:
            raise SinkError(
                f"a batch has new columns, and {str(self._file.path)!r} cannot be written twice: "
                "name an ordinary file, or the columns wanted"
            )
        place = len(self._segments)
        path = self._file.beside(str(place)) if place else self._file.writable
        self._segments.append(path)
        self._writer = open_writer(path, self._schema)

    def _end_segment(self) -> None:
        self._write_held()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _unite(self) -> None:
        """Copy all that was written, row group by row group, to one file that has all columns."""
        united = self._file.beside("united")
        with open_writer(united, self._schema) as writer:
            for segment in self._segments:
                for batch in read_row_groups(segment, self._schema):
                    write_row_group(writer, row_group([batch], self._schema))
        united.replace(self._file.writable)
