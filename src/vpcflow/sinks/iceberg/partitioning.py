"""Which partition of a table a flow is of: each has a number here, in the order they are met."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyiceberg.partitioning import PartitionFieldValue, PartitionKey

from vpcflow.sinks.iceberg.schema import type_of

if TYPE_CHECKING:
    from pyiceberg.table import Table


class PartitionNumbers:
    """
    Number the partitions of a table, whatever its partition spec: ours, or what its owner has made of it.

    A column that no flow has is null in all of them.
    """

    def __init__(self, table: Table) -> None:
        self._schema = table.schema()
        self._spec = table.spec()
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._columns = [self._schema.find_column_name(f.source_id) for f in self._spec.fields]

    def of(self, flows: pa.RecordBatch) -> npt.NDArray[np.int64]:
        """Give the number of each flow's partition."""
        if not self._spec.fields:
            return np.zeros(flows.num_rows, np.int64)
        values = [
            _encoded(
                field.transform.pyarrow_transform(
                    self._schema.find_field(field.source_id).field_type
                )(_column(flows, name))
            )
            for field, name in zip(self._spec.fields, self._columns, strict=True)
        ]
        combined = np.zeros(flows.num_rows, np.int64)
        for value in values:
            combined = combined * len(value.dictionary) + value.indices.to_numpy()
        _, firsts, inverse = np.unique(combined, return_index=True, return_inverse=True)
        numbers = [
            self._number(tuple(value[int(first)].as_py() for value in values)) for first in firsts
        ]
        return np.array(numbers, np.int64)[inverse]

    def key(self, number: int) -> PartitionKey | None:
        """Give the partition of that number; None in a table that has none."""
        if not self._spec.fields:
            return None
        values = list(self._numbers)[number]
        return PartitionKey(
            [
                PartitionFieldValue(field, value)
                for field, value in zip(self._spec.fields, values, strict=True)
            ],
            self._spec,
            self._schema,
        )

    def _number(self, values: tuple[Any, ...]) -> int:
        return self._numbers.setdefault(values, len(self._numbers))


def _column(flows: pa.RecordBatch, name: str | None) -> pa.Array:
    if name is None or name not in flows.schema.names:
        return pa.nulls(flows.num_rows, type_of(name or ""))
    column = flows.column(name)
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def _encoded(values: pa.Array | pa.ChunkedArray) -> pa.DictionaryArray:
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    return values.dictionary_encode(null_encoding="encode")
