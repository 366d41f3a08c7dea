"""One Parquet file: the same values, compact encodings, one schema for all layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from flow_batches import ENRICHED, V2, array, batch, batches, flows
from hypothesis import given, settings
from hypothesis import strategies as st

from vpcflow import row_groups
from vpcflow.file_schema import TYPES, schema_of
from vpcflow.sinks.parquet import ParquetSink


def written(path: Path, *parts: pa.RecordBatch) -> pa.Table:
    with ParquetSink(path) as sink:
        for part in parts:
            sink.write(part)
    return pq.read_table(path)


def plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave nulls out: in a file a row has the columns of all others."""
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def flows_by_number(count: int, first: int = 0) -> pa.RecordBatch:
    numbers = np.arange(first, first + count)
    return pa.RecordBatch.from_arrays(
        [
            pa.array((numbers % 60_000).astype(np.int32)),
            pa.array(numbers),
            array("event_id", [f"{number:032x}" for number in numbers.tolist()]),
            array("srcaddr", [f"192.0.2.{number % 250}" for number in numbers.tolist()]),
        ],
        names=["srcport", "bytes", "event_id", "srcaddr"],
    )


@given(st.lists(batches(max_rows=8), max_size=4))
@settings(max_examples=60)
def test_rows_come_back_as_they_were(tmp_path_factory: Any, parts: list[pa.RecordBatch]):
    path = tmp_path_factory.mktemp("parquet") / "flows.parquet"

    table = written(path, *parts)

    expected = plain([row for part in parts for row in part.to_pylist()])
    # By their text: NaN is not equal to itself.
    assert [repr(sorted(row.items())) for row in plain(table.to_pylist())] == [
        repr(sorted(row.items())) for row in expected
    ]


def test_columns_are_in_the_order_of_the_table_of_fields_then_as_found(tmp_path: Path):
    table = written(
        tmp_path / "f.parquet",
        batch([{"x_y": "1", "eni_type": "interface", "bytes": 1}]),
        batch([{"a_b": "2", "version": 2}]),
    )

    assert table.column_names == ["version", "bytes", "eni_type", "x_y", "a_b"]


def test_every_engine_sees_plain_types(tmp_path: Path):
    schema = written(tmp_path / "f.parquet", flows(5), batch([{"event_id": "00"}])).schema

    assert schema.field("srcaddr").type == pa.string()
    assert schema.field("event_id").type == pa.string()
    assert schema.field("security_group_ids").type.value_type == pa.string()
    assert schema.field("srcport").type == pa.int32()
    assert schema.metadata is None


def test_text_of_several_batches_is_encoded_by_one_dictionary_a_row_group(tmp_path: Path):
    path = tmp_path / "f.parquet"
    parts = [flows(50, srcaddr=f"192.0.2.{i}", security_group_ids=[f"sg-{i}"]) for i in range(5)]

    written(path, *parts)

    group = pq.ParquetFile(path).metadata.row_group(0)
    chunks = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    assert group.num_rows == 250
    for name in ("srcaddr", "interface_id", "security_group_ids.list.element"):
        # A fallback to plain text hides among the encodings; it shows in the size.
        assert "RLE_DICTIONARY" in chunks[name].encodings
        assert chunks[name].total_uncompressed_size < 500
    assert "DELTA_BINARY_PACKED" in chunks["bytes"].encodings
    assert set(chunks["srcport"].encodings) == {"PLAIN", "RLE"}


def test_a_long_dictionary_does_not_fall_back_to_plain_text(tmp_path: Path):
    path = tmp_path / "f.parquet"
    many = [f"arn:aws:ecs:eu-west-1:123456789012:task/{'x' * 60}/{i:06d}" for i in range(20_000)]
    column = array("ecs_task_arn", many * 4)

    written(path, pa.RecordBatch.from_arrays([column], names=["ecs_task_arn"]))

    chunk = pq.ParquetFile(path).metadata.row_group(0).column(0)
    assert chunk.total_uncompressed_size < 1.3 * sum(map(len, many))


def test_row_groups_are_long_and_rows_keep_their_order(tmp_path: Path):
    path = tmp_path / "f.parquet"
    parts = [flows_by_number(40_000, first) for first in range(0, 360_000, 40_000)]

    table = written(path, *parts)

    metadata = pq.ParquetFile(path).metadata
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [120_000] * 3
    assert table["bytes"].to_pylist() == list(range(360_000))
    assert table["event_id"][359_999].as_py() == f"{359_999:032x}"


def test_numbers_have_bounds_in_each_row_group_and_text_of_many_values_has_none(tmp_path: Path):
    path = tmp_path / "f.parquet"

    written(path, flows(9))

    group = pq.ParquetFile(path).metadata.row_group(0)
    bounded = {
        group.column(i).path_in_schema
        for i in range(group.num_columns)
        if group.column(i).is_stats_set
    }
    assert {"start", "end", "srcport", "bytes", "account_id", "action"} <= bounded
    assert not {"interface_id", "srcaddr", "dstaddr", "security_group_ids.list.element"} & bounded


def test_what_was_written_before_new_columns_came_is_united_in_order(tmp_path: Path):
    path = tmp_path / "f.parquet"
    rows = [V2, V2 | {"tcp_flags": 2}, ENRICHED, V2, {"x_y": "z"}]

    table = written(path, *(batch([row]) for row in rows))

    assert plain(table.to_pylist()) == rows
    assert pq.ParquetFile(path).metadata.num_columns == len(table.column_names)


def test_no_flows_are_a_file_with_the_columns_of_the_default_layout(tmp_path: Path):
    table = written(tmp_path / "f.parquet")

    assert table.num_rows == 0
    assert table.column_names == list(V2)


def test_unique_text_is_not_encoded_by_a_dictionary(tmp_path: Path):
    path = tmp_path / "f.parquet"

    written(path, flows_by_number(100))

    metadata = pq.ParquetFile(path).metadata
    place = metadata.schema.names.index("event_id")
    assert "DELTA_LENGTH_BYTE_ARRAY" in metadata.row_group(0).column(place).encodings


def test_all_columns_have_an_encoding_that_fits_them(tmp_path: Path):
    schema = schema_of(TYPES)

    with row_groups.open_writer(tmp_path / "f.parquet", schema) as writer:
        empty = pa.RecordBatch.from_arrays([pa.nulls(3, f.type) for f in schema], schema=schema)
        row_groups.write_row_group(writer, row_groups.row_group([empty], schema))

    assert pq.read_table(tmp_path / "f.parquet").num_columns == len(TYPES)
