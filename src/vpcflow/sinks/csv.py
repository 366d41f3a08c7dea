"""
CSV to a file or a stream, by RFC 4180: text in quotes, null as nothing, lists and tags as JSON text.

Text is written as it is. A spreadsheet may take text that begins with ``=``, ``+``, ``-`` or ``@``, as tags may, for a
formula: have it read the columns as text.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa
import pyarrow.csv

from vpcflow.errors import SinkError
from vpcflow.file_schema import TEXT, aligned, schema_of
from vpcflow.fragments import json_texts
from vpcflow.pending_file import PendingFile, Writable, compressed, leave

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

_COMPRESSION = {".gz": "gzip", ".zst": "zstd"}
_UNNAMED = ("source_object", "source_line")  # as in documents, only where they are asked for


class CsvSink:
    """
    Write rows to a stream that stays open; the columns are those of the first batch, or ``columns``.

    Raises ``SinkError`` for a later batch with other columns: the header has been written.
    """

    def __init__(self, stream: BinaryIO, columns: Sequence[str] | None = None) -> None:
        self._stream = stream
        self._columns = columns
        self._schema: pa.Schema | None = None

    def write(self, flows: pa.RecordBatch) -> int:
        """Write the flows; the stream has them all when this returns."""
        found = _schema(flows, self._columns)
        if self._schema is None:
            self._schema = found if self._columns is None else schema_of(self._columns)
            self._stream.write(_header(self._schema))
        new = [name for name in found.names if name not in self._schema.names]
        if new:
            raise SinkError(
                f"the CSV header is written, and a batch has new columns: {', '.join(new)} "
                "(write to a file, or name the columns wanted)"
            )
        _write_rows(aligned(flows, self._schema), self._stream)
        self._stream.flush()
        return int(flows.num_rows)

    def close(self) -> None:
        """Do nothing: the stream is the caller's."""

    def abort(self) -> None:
        """Do nothing: what has been written cannot be taken back."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self.close()


class CsvFileSink:
    """
    Write rows to a file that appears at ``close``; after ``abort`` what was there before is untouched.

    The header has the columns of all batches, or of ``columns`` those that were found: when a batch brings new ones,
    what was written so far is copied once, at ``close``. Compressed by the path's suffix: ``.gz``, ``.zst``.
    """

    def __init__(self, path: Path, columns: Sequence[str] | None = None) -> None:
        self._file = PendingFile(path)
        self._suffix = path.suffix
        self._columns = columns
        # Of each segment; there is one, if all batches have the same columns.
        self._schemas: list[pa.Schema] = []
        self._segments = [self._file.writable]
        self._stack = ExitStack()
        self._stream: Writable = self._open(self._file.writable)

    def write(self, flows: pa.RecordBatch) -> int:
        """Write the flows; they are delivered when ``close`` has returned."""
        known = self._schemas[-1].names if self._schemas else []
        wider = schema_of([*known, *_schema(flows, self._columns).names])
        if not self._schemas or not wider.equals(self._schemas[-1]):
            self._start_segment(wider)
        _write_rows(aligned(flows, wider), self._stream)
        return int(flows.num_rows)

    def close(self) -> None:
        """Finish the file and let it appear."""
        self._stack.close()
        if len(self._schemas) > 1:
            self._unite()
        self._file.commit()

    def abort(self) -> None:
        """Leave no file."""
        with suppress(OSError):
            self._stack.close()
        self._file.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        leave(self, failed=kind is not None)

    def _start_segment(self, schema: pa.Schema) -> None:
        if self._schemas and self._file.direct:
            raise SinkError(
                f"a batch has new columns, and {str(self._file.path)!r} cannot be written twice: "
                "name an ordinary file, or the columns wanted"
            )
        if self._schemas:
            self._stack.close()
            self._segments.append(self._file.beside(str(len(self._schemas))))
            self._stream = self._open(self._segments[-1])
        self._schemas.append(schema)
        self._stream.write(_header(schema))

    def _open(self, path: Path) -> Writable:
        stream = self._file.open() if path == self._file.writable else path.open("wb")
        return compressed(self._stack.enter_context(stream), self._suffix, self._stack)

    def _unite(self) -> None:
        united = self._file.beside("united")
        union = self._schemas[-1]
        with ExitStack() as stack:
            stream = compressed(stack.enter_context(united.open("wb")), self._suffix, stack)
            stream.write(_header(union))
            for segment, schema in zip(self._segments, self._schemas, strict=True):
                for batch in _read_rows(segment, schema, _COMPRESSION.get(self._suffix)):
                    _write_rows(_with_columns(batch, union.names), stream)
        united.replace(self._file.writable)


def _schema(flows: pa.RecordBatch, columns: Sequence[str] | None) -> pa.Schema:
    if columns is None:
        return schema_of(name for name in flows.schema.names if name not in _UNNAMED)
    return schema_of(name for name in columns if name in flows.schema.names)


def _header(schema: pa.Schema) -> bytes:
    names = [name.replace('"', '""') for name in schema.names]
    return (",".join(f'"{name}"' for name in names) + "\n").encode()


def _write_rows(flows: pa.RecordBatch, stream: Writable) -> None:
    columns = [
        json_texts(column) if pa.types.is_list(column.type) else column for column in flows.columns
    ]
    ready = pa.RecordBatch.from_arrays(columns, names=flows.schema.names)
    packed = pa.BufferOutputStream()
    pyarrow.csv.write_csv(ready, packed, pyarrow.csv.WriteOptions(include_header=False))
    stream.write(packed.getvalue())


def _read_rows(path: Path, schema: pa.Schema, compression: str | None) -> Iterator[pa.RecordBatch]:
    """Read rows written here; text keeps its quotes, so that an empty one is not null."""
    types = {
        field.name: field.type if pa.types.is_primitive(field.type) else pa.string()
        for field in schema
    }
    with pa.input_stream(str(path), compression=compression) as stream:
        yield from pyarrow.csv.open_csv(
            stream,
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=types,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )


def _with_columns(rows: pa.RecordBatch, names: Sequence[str]) -> pa.RecordBatch:
    missing = pa.nulls(rows.num_rows, TEXT)
    columns = [rows.column(name) if name in rows.schema.names else missing for name in names]
    return pa.RecordBatch.from_arrays(columns, names=list(names))
