"""The plain document: every column under its own name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from vpcflow.fields import ADDED, ADDED_BY_COLUMN, FIELD_BY_COLUMN, FIELDS
from vpcflow.fragments import column_parts, member
from vpcflow.index_types import index_type
from vpcflow.json_lines import lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from vpcflow.index_types import Property

PROVENANCE = ("source_object", "source_line")
"""Columns that tell where a record was read; documents leave them out unless they are asked for."""


def encode_flat(flows: pa.RecordBatch, columns: Sequence[str] | None = None) -> Iterator[pa.Buffer]:
    """
    Write each flow as a JSON object of its columns, one a line, in order; nulls are left out.

    Columns come in the order of the batch, or of ``columns``, of which those the batch lacks are passed over. Lists are
    arrays, tags an object of key to value, NaN is null. The buffers hold whole lines; joined they are the batch.
    """
    by_name = dict(zip(flows.schema.names, flows.columns))
    if columns is None:
        names = [name for name in by_name if name not in PROVENANCE]
    else:
        names = [name for name in columns if name in by_name]
    parts = [part for name in names for part in column_parts(member(name), by_name[name])]
    return lines(parts, flows.num_rows)


def mapping() -> Mapping[str, Property]:
    """Give how OpenSearch is to index each column."""
    columns = [field.column for field in FIELDS] + [added.column for added in ADDED]
    return {name: index_type(name) for name in columns}


def place(column: str) -> str | None:
    """Say where a column of the tables lies: under its own name."""
    known = column in FIELD_BY_COLUMN or column in ADDED_BY_COLUMN
    return column if known and column not in PROVENANCE else None
