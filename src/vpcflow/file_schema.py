"""
The schema of a file of flows: the order of its columns, their types in memory, and batches brought to it.

Batches of one run may differ: every layout has columns of its own. A file has one schema.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from vpcflow.fields import ADDED, FIELDS

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

TEXT = pa.dictionary(pa.int32(), pa.string())
"""Text in memory. Parquet files hold it as plain strings, encoded by a dictionary of the row group."""

_TEXTS = pa.list_(TEXT)
_TAGS = pa.list_(pa.struct([("key", TEXT), ("value", TEXT)]))


def _in_memory(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_string(kind):
        return TEXT
    if not pa.types.is_list(kind):
        return kind
    return _TAGS if pa.types.is_struct(kind.value_type) else _TEXTS


TYPES: Mapping[str, pa.DataType] = MappingProxyType(
    {field.column: _in_memory(field.type) for field in FIELDS}
    | {added.column: _in_memory(added.type) for added in ADDED}
    # No event id repeats: a dictionary would only cost time.
    | {"event_id": pa.string()}
)
"""The types in memory of all known columns, in the order of the table of fields; an unknown column is text."""


def schema_of(names: Iterable[str]) -> pa.Schema:
    """
    Give the schema of a set of columns: known ones in the order of the table of fields, then unknown ones as they came.

    >>> schema_of(["x", "eni_type", "srcaddr"]).names
    ['srcaddr', 'eni_type', 'x']
    """
    wanted = dict.fromkeys(names)
    known = [name for name in TYPES if name in wanted]
    unknown = [name for name in wanted if name not in TYPES]
    return pa.schema([(name, TYPES.get(name, TEXT)) for name in (*known, *unknown)])


def narrowed(schema: pa.Schema, names: Container[str]) -> pa.Schema:
    """Give the part of a schema that has these columns."""
    return pa.schema([field for field in schema if field.name in names])


def aligned(flows: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """
    Give the batch exactly the columns of the schema, in its order; a column it lacks is null.

    Columns the schema lacks are left out: see ``schema_of`` for one that has them all.
    """
    if flows.schema.equals(schema):
        return flows
    found = set(flows.schema.names)
    nulls = {
        field.type: pa.nulls(flows.num_rows, field.type)
        for field in schema
        if field.name not in found
    }
    columns = [
        _as_type(flows.column(field.name), field.type) if field.name in found else nulls[field.type]
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def compact(flows: pa.RecordBatch) -> pa.RecordBatch:
    """Encode text anew where the dictionary is longer than the batch, as in a few rows taken out of many."""
    columns = [_compact_text(column) for column in flows.columns]
    return pa.RecordBatch.from_arrays(columns, schema=flows.schema)


def _compact_text(column: pa.Array) -> pa.Array:
    if column.type.equals(TEXT) and len(column.dictionary) > len(column):
        return _as_text(column)
    if column.type.equals(_TEXTS) and len(column.values.dictionary) > len(column):
        return _as_texts(column)
    if column.type.equals(_TAGS) and any(
        len(column.values.field(name).dictionary) > len(column) for name in ("key", "value")
    ):
        return _as_tags(column)
    return column


def _as_type(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if column.type.equals(kind):
        return column
    if kind.equals(TEXT):
        return _as_text(column)
    if kind.equals(_TEXTS) and pa.types.is_list(column.type):
        return _as_texts(column)
    if kind.equals(_TAGS) and pa.types.is_list(column.type):
        return _as_tags(column)
    return column.cast(kind)


def _as_text(column: pa.Array) -> pa.DictionaryArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(pa.string())
    return column.cast(pa.string()).dictionary_encode()


def _as_texts(column: pa.ListArray) -> pa.ListArray:
    return _relisted(column, _as_text(_elements(column)), _TEXTS)


def _as_tags(column: pa.ListArray) -> pa.ListArray:
    elements = _elements(column)
    encoded = [_as_text(elements.field(name)) for name in ("key", "value")]
    return _relisted(column, pa.StructArray.from_arrays(encoded, ["key", "value"]), _TAGS)


def _elements(column: pa.ListArray) -> pa.Array:
    """Give the elements from the first list's to the last's."""
    first, last = column.offsets[0].as_py(), column.offsets[-1].as_py()
    return column.values.slice(first, last - first)


def _relisted(column: pa.ListArray, elements: pa.Array, kind: pa.DataType) -> pa.ListArray:
    bounds = pc.subtract(column.offsets, column.offsets[0])
    return pa.ListArray.from_arrays(bounds, elements, type=kind, mask=column.is_null())
