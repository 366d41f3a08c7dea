"""
The schema of a table of flows, from the tables of fields; and an older table brought to it.

Field ids are the table's own: given once, when the table is made or a column added, and never again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.sorting import NullOrder, SortDirection, SortField, SortOrder
from pyiceberg.transforms import DayTransform, IdentityTransform
from pyiceberg.types import (
    DoubleType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    NestedField,
    StringType,
    StructType,
    TimestamptzType,
)

from vpcflow.errors import SinkError
from vpcflow.fields import ADDED, FIELDS
from vpcflow.file_schema import TEXT, TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

FLOW_TIME = "flow_time"
"""The column a table is partitioned by: ``end``, else ``start``, as a time with zone; null where neither is a time."""

_FLOW_TIME_TYPE = pa.timestamp("us", tz="UTC")
_DOCS: Mapping[str, str] = {
    **{field.column: field.description for field in FIELDS},
    **{added.column: added.description for added in ADDED},
    FLOW_TIME: "When the flow ended, or began where its end is not known; the table's partitions are days of it",
}
_TYPES: Mapping[str, pa.DataType] = {
    **{field.column: field.type for field in FIELDS},
    **{added.column: added.type for added in ADDED},
    FLOW_TIME: _FLOW_TIME_TYPE,
}
# Bounds of others cost more than they leave out: in every file nearly all their values are found.
BOUNDED = frozenset(
    f"{FLOW_TIME} start end account_id vpc_id eni_vpc_id action protocol srcport dstport packets bytes".split()
)
"""The columns of whose values each data file's least and greatest are in the table's metadata."""

PROPERTIES: Mapping[str, str] = {
    "format-version": "2",
    "write.parquet.compression-codec": "zstd",
    "write.parquet.compression-level": "1",
    "write.target-file-size-bytes": str(128 << 20),
    "write.metadata.metrics.default": "counts",
    **{f"write.metadata.metrics.column.{name}": "truncate(32)" for name in sorted(BOUNDED)},
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "100",
    "commit.manifest-merge.enabled": "true",
}
"""What a new table is made with; whoever owns it may change any of it."""


def known_columns(columns: Iterable[str] | None) -> list[str]:
    """Give the columns of a table: those wanted or all, after the time it is partitioned by."""
    wanted = TYPES if columns is None else set(columns)
    return [FLOW_TIME, *(name for name in TYPES if name in wanted)]


def new_schema(columns: Iterable[str]) -> Schema:
    """Give the schema of a new table of these columns; its catalog gives the fields their ids."""
    ids = iter(range(1, 10_000))
    return Schema(
        *(
            NestedField(next(ids), name, _iceberg_type(type_of(name), ids), doc=_DOCS.get(name))
            for name in columns
        )
    )


def new_partition_spec(schema: Schema) -> PartitionSpec:
    """Give the partitions of a new table: days of the flow's end, in UTC."""
    source = schema.find_field(FLOW_TIME).field_id
    return PartitionSpec(PartitionField(source, 1000, DayTransform(), f"{FLOW_TIME}_day"))


def new_sort_order(schema: Schema) -> SortOrder:
    """Give the order in which engines shall rewrite files: that of our row groups."""
    return SortOrder(
        *(
            SortField(
                schema.find_field(name).field_id,
                IdentityTransform(),
                SortDirection.ASC,
                NullOrder.NULLS_FIRST,
            )
            for name in ("interface_id", "start")
            if name in schema.column_names
        )
    )


def type_of(column: str) -> pa.DataType:
    """Give the type of a column's values; of one that no table of fields knows, text."""
    return _TYPES.get(column, pa.string())


def missing_columns(schema: Schema, columns: Iterable[str]) -> list[str]:
    """
    Give the columns that a table has to be given before flows with these columns fit.

    Raises ``SinkError``, naming all that is wrong, where a column there is of another type, or one is required that no
    flow has.
    """
    there = {field.name: field for field in schema.fields}
    lower = {name.lower(): name for name in there}
    wanted = list(columns)
    faults, missing = [], []
    for name in wanted:
        if name in there:
            ours = _iceberg_type(type_of(name), iter(range(1, 100)))
            theirs = there[name].field_type
            if not _holds(theirs, ours):
                faults.append(f"column {name!r} is {theirs} there and {ours} here")
        elif name.lower() in lower:
            faults.append(
                f"column {lower[name.lower()]!r} there differs from {name!r} in case alone"
            )
        else:
            missing.append(name)
    faults += [
        f"column {field.name!r}, which no flow has, is required there"
        for field in schema.fields
        if field.required and field.name not in wanted
    ]
    if faults:
        raise SinkError(f"the table does not fit: {'; '.join(faults)}")
    return missing


def memory_schema(schema: Schema, columns: Iterable[str]) -> pa.Schema:
    """Give the schema in memory of a data file with these of the table's columns, in its order."""
    wanted = set(columns)
    return pa.schema(
        [(field.name, _memory_type(field)) for field in schema.fields if field.name in wanted]
    )


def field_ids(schema: Schema) -> dict[str, int]:
    """Give the field id of each column, and of each node below one, by its path in a Parquet file."""
    return {path: number for field in schema.fields for path, number in _ids(field.name, field)}


def doc_of(column: str) -> str | None:
    """Say what a column holds."""
    return _DOCS.get(column)


def added_type(column: str) -> IcebergType:
    """Give the type of a column to be added to a table."""
    return _iceberg_type(type_of(column), iter(range(1, 100)))


def _iceberg_type(kind: pa.DataType, ids: Iterator[int]) -> IcebergType:
    if pa.types.is_list(kind):
        element = next(ids)
        return ListType(element, _iceberg_type(kind.value_type, ids), element_required=False)
    if pa.types.is_struct(kind):
        return StructType(
            *(NestedField(next(ids), inner.name, _iceberg_type(inner.type, ids)) for inner in kind)
        )
    return _PRIMITIVES[kind]


_PRIMITIVES: Mapping[pa.DataType, IcebergType] = {
    pa.string(): StringType(),
    pa.int32(): IntegerType(),
    pa.int64(): LongType(),
    pa.float64(): DoubleType(),
    _FLOW_TIME_TYPE: TimestamptzType(),
}


def _holds(theirs: IcebergType, ours: IcebergType) -> bool:
    """Tell whether a column there takes our values: it is of our type, or a long where ours is an int."""
    if isinstance(theirs, ListType) and isinstance(ours, ListType):
        return _holds(theirs.element_type, ours.element_type)
    if isinstance(theirs, StructType) and isinstance(ours, StructType):
        inner = {field.name: field for field in theirs.fields}
        return set(inner) == {field.name for field in ours.fields} and all(
            _holds(inner[field.name].field_type, field.field_type) for field in ours.fields
        )
    return theirs == ours or (isinstance(theirs, LongType) and isinstance(ours, IntegerType))


def _memory_type(field: NestedField) -> pa.DataType:
    if isinstance(field.field_type, LongType):
        return pa.int64()
    return _FLOW_TIME_TYPE if field.name == FLOW_TIME else TYPES.get(field.name, TEXT)


def _ids(path: str, field: NestedField) -> Iterator[tuple[str, int]]:
    yield path, field.field_id
    kind = field.field_type
    if isinstance(kind, ListType):
        yield from _ids(f"{path}.list.element", kind.element_field)
    elif isinstance(kind, StructType):
        for inner in kind.fields:
            yield from _ids(f"{path}.{inner.name}", inner)
