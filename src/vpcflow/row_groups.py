"""
Parquet as query engines like it: row groups of some 130,000 flows, each column encoded by what it holds.

Measured with 150,000 rows of 64 columns, nanoseconds a value: text by dictionary 20, as plain text 60 to 160; byte
counts as differences 20, as they are 40, by dictionary 49; ports as they are 22, as differences 27 and a quarter more
space, by dictionary 36; unique ids by length 80, by dictionary 320. Least and greatest values cost 1 to 2 for numbers,
4 for text with few values, 20 to 40 with many, which has them only where pages are looked up by it. zstd at level 1
takes 3 % more time than snappy and 20 % less space.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import IO, TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vpcflow.file_schema import TEXT, aligned

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

ROWS = 98_304
"""
A row group is written as soon as so many rows have come.

A block of 16 MiB of text has 106,000 to 144,000 flows of version 2, which need not be put together with others then:
that costs 200 ns a flow of 67 columns.
"""

_NO_IDS: Mapping[str, int] = MappingProxyType({})
_MOST_ROWS = 262_144  # of one row group
_UNIQUE = frozenset({"event_id", "cloudwatch_event_id"})
_FEW_VALUES = frozenset(
    "version protocol tcp_flags traffic_path encryption_status src_as_number dst_as_number".split()
)
_PORTS = frozenset("srcport dstport peer_port local_port".split())
_TEXT_WITH_BOUNDS = frozenset("account_id vpc_id eni_vpc_id action".split())
# In every row group nearly all interfaces are found, in a page of an ordered one few.
_TEXT_WITH_BOUNDS_OF_PAGES = _TEXT_WITH_BOUNDS | {"interface_id"}
# Bounds are worked out per written batch, from the distinct values of the batch: 1,024 rows cost twice as much.
_ROWS_AT_ONCE = 65_536


def stored(schema: pa.Schema) -> pa.Schema:
    """Give the schema of the file: as in memory, but unique text without the dictionary that would not help."""
    return pa.schema(
        [(field.name, pa.string() if field.name in _UNIQUE else field.type) for field in schema]
    )


def open_writer(
    where: Path | IO[bytes],
    schema: pa.Schema,
    *,
    page_index: bool = False,
    field_ids: Mapping[str, int] = _NO_IDS,
) -> pq.ParquetWriter:
    """
    Open a Parquet file for flows of that schema in memory; write what ``row_group`` gives.

    Every engine sees plain strings and lists: no Arrow schema is stored beside Parquet's own. ``page_index`` is for
    flows in order of their interface. ``field_ids`` are written beside the columns' names, for a table that goes by
    them: by path, also those of elements (``tags.list.element.key``).
    """
    numbers = [f.name for f in schema if _is_number(f.type) and f.name not in _FEW_VALUES]
    unique = [name for name in schema.names if name in _UNIQUE]
    others = [path for path, name in _leaves(schema) if name not in _UNIQUE and name not in numbers]
    bounded_text = _TEXT_WITH_BOUNDS_OF_PAGES if page_index else _TEXT_WITH_BOUNDS
    bounded = [f.name for f in schema if pa.types.is_primitive(f.type) or f.name in bounded_text]
    return pq.ParquetWriter(
        where,
        pa.schema([_with_id(field, field.name, field_ids) for field in stored(schema)]),
        compression="zstd",
        compression_level=1,
        store_schema=False,
        use_dictionary=others or False,
        column_encoding={
            **{n: "PLAIN" if n in _PORTS else "DELTA_BINARY_PACKED" for n in numbers},
            **dict.fromkeys(unique, "DELTA_LENGTH_BYTE_ARRAY"),
        },
        write_statistics=bounded or False,
        write_batch_size=_ROWS_AT_ONCE,
        write_page_index=page_index,
    )


def row_group(batches: Sequence[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    """
    Put batches of that schema in memory together for the writer, with one dictionary a column.

    Left apart, the writer would meet a second dictionary within the row group, and write plain text from there.
    """
    kept = stored(schema)
    ready = [
        pa.RecordBatch.from_arrays(
            [
                _plain(column) if field.name in _UNIQUE else column
                for column, field in zip(batch.columns, schema, strict=True)
            ],
            schema=kept,
        )
        for batch in batches
    ]
    table = pa.Table.from_batches(ready, kept)
    return table if len(ready) == 1 else table.combine_chunks()


def widened(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Add, as nulls, the columns the table lacks of a schema in memory; one array serves all of a type."""
    kept, found = stored(schema), set(table.schema.names)
    nulls = {f.type: pa.nulls(table.num_rows, f.type) for f in kept if f.name not in found}
    return pa.Table.from_arrays(
        [table.column(f.name) if f.name in found else nulls[f.type] for f in kept], schema=kept
    )


def write_row_group(writer: pq.ParquetWriter, table: pa.Table) -> None:
    """Write what ``row_group`` gave as one row group, or as several where it is very long."""
    writer.write_table(table, row_group_size=_MOST_ROWS)


def read_row_groups(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Read a file written here, a row group at a time, brought to a schema in memory that has its columns."""
    there = set(pq.read_schema(path).names)
    there -= _UNIQUE  # Arrow cannot read their encoding into a dictionary
    text = [field.name for field in schema if field.type.equals(TEXT) and field.name in there]
    with pq.ParquetFile(path, read_dictionary=text) as file:
        for place in range(file.num_row_groups):
            for batch in file.read_row_group(place).combine_chunks().to_batches():
                yield aligned(batch, schema)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_timestamp(kind))


def _with_id(field: pa.Field, path: str, ids: Mapping[str, int]) -> pa.Field:
    kind = field.type
    if pa.types.is_list(kind):
        kind = pa.list_(_with_id(kind.value_field, f"{path}.list.element", ids))
    elif pa.types.is_struct(kind):
        kind = pa.struct([_with_id(inner, f"{path}.{inner.name}", ids) for inner in kind])
    metadata = {"PARQUET:field_id": str(ids[path])} if path in ids else None
    return pa.field(field.name, kind, metadata=metadata)


def _leaves(schema: pa.Schema) -> Iterator[tuple[str, str]]:
    """Give the paths of Parquet's leaf columns, each with the name of its column."""
    for field in schema:
        if not pa.types.is_list(field.type):
            yield field.name, field.name
        elif pa.types.is_struct(field.type.value_type):
            for inner in field.type.value_type:
                yield f"{field.name}.list.element.{inner.name}", field.name
        else:
            yield f"{field.name}.list.element", field.name


def _plain(column: pa.Array) -> pa.Array:
    """Decode a dictionary column; where no value repeats it is its own dictionary."""
    if not column.type.equals(TEXT):
        return column
    if len(column.dictionary) == len(column) and column.null_count == 0:
        in_order = np.arange(len(column), dtype=np.int32)
        if np.array_equal(column.indices.to_numpy(), in_order):
            return column.dictionary
    return column.cast(pa.string())
