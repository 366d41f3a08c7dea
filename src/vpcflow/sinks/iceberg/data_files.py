"""Data files of a table: written straight to where they stay, and described as Iceberg wants them for a commit."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pyarrow as pa
from pyiceberg.conversions import to_bytes
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.typedef import Record

from vpcflow.errors import SinkError
from vpcflow.row_groups import open_writer, write_row_group
from vpcflow.sinks.iceberg.faults import told
from vpcflow.sinks.iceberg.schema import BOUNDED, field_ids

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow.parquet as pq
    from pyiceberg.io import FileIO
    from pyiceberg.partitioning import PartitionKey
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table
    from pyiceberg.types import PrimitiveType

_LONGEST_BOUND = 64


class Place(NamedTuple):
    """Where a data file goes: its location, and its partition, None in a table that has none."""

    location: str
    key: PartitionKey | None


class OpenDataFile:
    """A data file that takes row groups; once finished, ``finished`` is given what a commit says of it."""

    def __init__(
        self,
        table: Table,
        place: Place,
        schema: pa.Schema,
        finished: Callable[[DataFile], None],
    ) -> None:
        self.schema = schema
        self._io = table.io
        self._place = place
        self._table_schema = table.schema()
        self._spec_id = table.spec().spec_id
        self._finished = finished
        self._ids = field_ids(self._table_schema)
        self._nulls: Counter[str] = Counter()
        try:
            # A file as Python knows it, of which pyiceberg promises less.
            self._stream: Any = cast(
                "Any", table.io.new_output(place.location).create(overwrite=True)
            )
        except OSError as error:
            raise SinkError(f"cannot write {place.location!r}: {told(error)}") from error
        self._writer = open_writer(self._stream, schema, page_index=True, field_ids=self._ids)

    def write(self, table: pa.Table) -> None:
        required = [field.name for field in self._table_schema.fields if field.required]
        for name, column in zip(table.column_names, table.columns, strict=True):
            self._nulls[name] += column.null_count
            if name in required and column.null_count:
                raise SinkError(f"column {name!r}, which is null in some flows, is required there")
        try:
            write_row_group(self._writer, table)
        except OSError as error:
            raise SinkError(f"cannot write {self._place.location!r}: {told(error)}") from error

    def size_bytes(self) -> int:
        return int(self._stream.tell())

    def finish(self) -> None:
        try:
            self._writer.close()
            size = self.size_bytes()
            self._stream.close()
        except OSError as error:
            raise SinkError(f"cannot write {self._place.location!r}: {told(error)}") from error
        metadata = self._writer.writer.metadata
        self._finished(self._described(metadata, size))

    def discard(self) -> None:
        with suppress(OSError, pa.ArrowException):
            self._writer.close()
        with suppress(OSError, ValueError):
            self._stream.close()
        remove(self._io, self._place.location)

    def _described(self, metadata: pq.FileMetaData, size_bytes: int) -> DataFile:
        flat = [f.name for f in self.schema if not pa.types.is_nested(f.type)]
        lower, upper = _bounds(metadata, self._table_schema)
        return DataFile.from_args(
            content=DataFileContent.DATA,
            file_path=self._place.location,
            file_format=FileFormat.PARQUET,
            partition=Record() if self._place.key is None else self._place.key.partition,
            spec_id=self._spec_id,
            record_count=metadata.num_rows,
            file_size_in_bytes=size_bytes,
            column_sizes=_column_sizes(metadata, self._ids),
            value_counts={self._ids[name]: metadata.num_rows for name in flat},
            null_value_counts={self._ids[name]: self._nulls[name] for name in flat},
            nan_value_counts={},
            lower_bounds=lower,
            upper_bounds=upper,
            split_offsets=_offsets(metadata),
            # In order within each row group alone.
            sort_order_id=None,
            equality_ids=None,
            key_metadata=None,
        )


def remove(io: FileIO, location: str) -> None:
    """Remove a file that no snapshot names; one that cannot be removed is an orphan, and costs only its space."""
    with suppress(OSError):
        io.delete(location)


def _column_sizes(metadata: pq.FileMetaData, ids: dict[str, int]) -> dict[int, int]:
    sizes: Counter[int] = Counter()
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        for place in range(row_group.num_columns):
            column = row_group.column(place)
            sizes[ids[column.path_in_schema]] += column.total_compressed_size
    return dict(sizes)


def _bounds(metadata: pq.FileMetaData, schema: Schema) -> tuple[dict[int, bytes], dict[int, bytes]]:
    """Give the least and the greatest value of each column that has them, as Iceberg writes them."""
    places = {metadata.schema.column(i).path: i for i in range(metadata.num_columns)}
    lower: dict[int, bytes] = {}
    upper: dict[int, bytes] = {}
    for name in BOUNDED.intersection(places):
        field = schema.find_field(name)
        found = [
            metadata.row_group(group).column(places[name]).statistics
            for group in range(metadata.num_row_groups)
        ]
        known = [one for one in found if one is not None and one.has_min_max]
        # A row group of nulls has none, and leaves the others' true; one that has values and no bounds does not.
        if not known or any(
            one is None or (not one.has_min_max and one.num_values) for one in found
        ):
            continue
        least, greatest = (
            raw
            if isinstance(raw, bytes)
            else to_bytes(cast("PrimitiveType", field.field_type), raw)
            for raw in (min(one.min_raw for one in known), max(one.max_raw for one in known))
        )
        if max(len(least), len(greatest)) <= _LONGEST_BOUND:
            lower[field.field_id], upper[field.field_id] = least, greatest
    return lower, upper


def _offsets(metadata: pq.FileMetaData) -> list[int]:
    """Say where each row group begins, so that engines can share a file."""
    offsets = []
    for group in range(metadata.num_row_groups):
        first = metadata.row_group(group).column(0)
        offsets.append(first.dictionary_page_offset or first.data_page_offset)
    return sorted(offsets)
