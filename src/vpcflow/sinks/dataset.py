"""
A folder of Parquet files by day and hour, as Hive, DuckDB, Polars, pandas, Spark and Athena read them.

``day=2026-01-31/hour=07/part-RUN-00000.parquet``; the hour is that of the flow's end, in UTC.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa

from vpcflow.errors import FormatError, SinkError
from vpcflow.file_schema import TYPES, schema_of
from vpcflow.partitions import Partitions, flow_times
from vpcflow.pending_file import Pending, PendingFile, leave
from vpcflow.row_groups import open_writer, write_row_group

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    import numpy.typing as npt

    from vpcflow.pending_file import Take

_HOUR_S = 3600
_NO_HOUR = -1
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Writer(Protocol):
    """A file that is being written."""

    def write(self, table: pa.Table, /) -> None:
        """Write flows of the file's schema in memory, as ``row_groups.row_group`` gives them."""
        ...

    def close(self) -> None: ...


class Form(Protocol):
    """What divides the flows of a dataset, and what its files are."""

    def numbers(self, flows: pa.RecordBatch, /) -> npt.NDArray[np.int64]:
        """Number each flow's partition."""
        ...

    def folder(self, number: int, /) -> str:
        """Name a partition's folder."""
        ...

    def writer(self, path: Path, schema: pa.Schema, /) -> Writer:
        """Open a file of a partition."""
        ...


class Hours:
    """Flows as they are, by the hour of their end."""

    def numbers(self, flows: pa.RecordBatch) -> npt.NDArray[np.int64]:
        """A time of -1 is of hour -1."""
        return flow_times(flows) // _HOUR_S

    def folder(self, number: int) -> str:
        """Name day and hour."""
        if number == _NO_HOUR:
            return "day=__HIVE_DEFAULT_PARTITION__/hour=__HIVE_DEFAULT_PARTITION__"
        return f"day={np.datetime64(number // 24, 'D')}/hour={number % 24:02d}"

    def writer(self, path: Path, schema: pa.Schema) -> Writer:
        """Open a file of row groups, with an index of its pages."""
        return _RowGroups(path, schema)


class _RowGroups:
    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._writer = open_writer(path, schema, page_index=True)

    def write(self, table: pa.Table) -> None:
        write_row_group(self._writer, table)

    def close(self) -> None:
        self._writer.close()


class _File:
    """A file of a partition, handed on when it is finished."""

    def __init__(
        self,
        pending: PendingFile,
        schema: pa.Schema,
        writer: Writer,
        finished: Callable[[PendingFile], None],
    ) -> None:
        self.schema = schema
        self._pending = pending
        self._finished = finished
        self._writer = writer

    def write(self, table: pa.Table) -> None:
        self._writer.write(table)

    def size_bytes(self) -> int:
        return self._pending.writable.stat().st_size

    def finish(self) -> None:
        self._writer.close()
        self._finished(self._pending)

    def discard(self) -> None:
        with suppress(OSError, pa.ArrowException):
            self._writer.close()
        self._pending.discard()


class DatasetSink:
    """
    Write flows to a folder of Parquet files, which all appear at ``close``; after ``abort`` none does.

    Every file has all known columns (or ``columns``), in one order, and such unknown ones as were found until then, so
    that files of all layouts unite. The hour is that of ``end``, else of ``start``, else Hive's partition for nulls.
    In a row group flows are in order of ``interface_id``, then ``start``. ``run_id`` is part of the file names: give
    each run its own, or it replaces the files of the other. ``take`` is handed each file as soon as it is finished, and
    gives what stands for it until the end. ``form`` is what else divides the flows and what else files are, if not
    ``Hours``. Raises ``FormatError`` where the run id is no part of a file name.
    """

    def __init__(
        self,
        folder: Path,
        run_id: str,
        columns: Sequence[str] | None = None,
        take: Take = lambda file: file,
        form: Form | None = None,
    ) -> None:
        if not _RUN_ID.fullmatch(run_id):
            raise FormatError(f"run id {run_id!r} is to be letters, digits, '.', '_' and '-'")
        self._folder = folder
        self._run_id = run_id
        self._columns = columns
        self._take = take
        self._form = form or Hours()
        self._parts = Partitions(schema_of(TYPES if columns is None else columns), self._open)
        self._finished: list[Pending] = []
        self._folders: list[Path] = []
        self._numbers: dict[int, int] = {}
        self._make_folder(folder)

    def write(self, flows: pa.RecordBatch) -> int:
        """Take the flows; they are delivered when ``close`` has returned."""
        if self._columns is None:
            self._parts.schema = schema_of([*self._parts.schema.names, *flows.schema.names])
        names = set(self._parts.schema.names)
        wanted = flows.select([name for name in flows.schema.names if name in names])
        self._parts.take(wanted, self._form.numbers(flows))
        return int(flows.num_rows)

    def close(self) -> None:
        """Finish all files and let them appear."""
        self._parts.finish()
        for pending in self._finished:
            pending.commit()
        self._finished.clear()

    def abort(self) -> None:
        """Leave no file, and no folder that was made for one."""
        self._parts.discard()
        for pending in self._finished:
            pending.discard()
        self._finished.clear()
        for folder in reversed(self._folders):
            with suppress(OSError):
                folder.rmdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        leave(self, failed=kind is not None)

    def _open(self, partition: int, schema: pa.Schema) -> _File:
        folder = self._folder / self._form.folder(partition)
        self._make_folder(folder)
        number = self._numbers.get(partition, 0)
        self._numbers[partition] = number + 1
        pending = PendingFile(folder / f"part-{self._run_id}-{number:05d}.parquet")
        pending.open().close()
        return _File(pending, schema, self._form.writer(pending.writable, schema), self._finish)

    def _finish(self, pending: PendingFile) -> None:
        self._finished.append(self._take(pending))

    def _make_folder(self, folder: Path) -> None:
        if folder.is_dir():
            return
        if folder != self._folder:
            self._make_folder(folder.parent)
        try:
            folder.mkdir(parents=folder == self._folder)
        except OSError as error:
            raise SinkError(f"cannot make folder {str(folder)!r}: {error.strerror}") from error
        self._folders.append(folder)
