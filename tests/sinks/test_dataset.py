"""A folder of files by day and hour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from flow_batches import ENRICHED, V2, batch, flows

from vpcflow import partitions
from vpcflow.errors import FormatError
from vpcflow.file_schema import TYPES, compact
from vpcflow.sinks.dataset import DatasetSink

HOUR = 3600
DEFAULT = "__HIVE_DEFAULT_PARTITION__"


def files(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def write(folder: Path, *rows: dict[str, Any], run_id: str = "r") -> list[str]:
    with DatasetSink(folder, run_id) as sink:
        for row in rows:
            sink.write(batch([row]))
    return files(folder)


def test_a_flow_is_in_the_partition_of_the_hour_it_ended(tmp_path: Path):
    found = write(tmp_path, V2, V2 | {"start": 1700002799, "end": 1700002800})

    assert found == [
        "day=2023-11-14/hour=22/part-r-00000.parquet",
        "day=2023-11-14/hour=23/part-r-00000.parquet",
    ]


def test_without_an_end_the_start_decides_and_without_both_the_partition_for_nulls(tmp_path: Path):
    rows = [
        {"start": 1700002800},
        {"srcport": 1},
        V2 | {"end": 2**62},
        V2 | {"end": -1, "start": 0},
    ]

    found = write(tmp_path, *rows)

    assert found == [
        "day=2023-11-14/hour=23/part-r-00000.parquet",
        f"day={DEFAULT}/hour={DEFAULT}/part-r-00000.parquet",
    ]
    assert pq.read_metadata(tmp_path / found[1]).num_rows == 3


def test_hours_of_one_batch_are_parted_and_keep_all_rows(tmp_path: Path):
    rows = [
        V2 | {"end": 1700000000 + i * 700, "bytes": i, "srcaddr": f"192.0.2.{i}"} for i in range(50)
    ]

    with DatasetSink(tmp_path, "r") as sink:
        sink.write(batch(rows))

    found = pl.read_parquet(f"{tmp_path}/**/*.parquet", hive_partitioning=True).sort("bytes")
    assert found["srcaddr"].to_list() == [row["srcaddr"] for row in rows]
    assert found["hour"].to_list() == [row["end"] // HOUR % 24 for row in rows]


def test_every_file_has_all_known_columns_and_no_column_of_a_partition(tmp_path: Path):
    (found,) = write(tmp_path, V2)

    names = pq.ParquetFile(tmp_path / found).schema_arrow.names

    assert names == list(TYPES)


def test_rows_are_in_order_of_interface_then_start(tmp_path: Path):
    rows = [
        ENRICHED | {"interface_id": eni, "start": start, "bytes": start}
        for eni, start in [
            ("eni-2", 5),
            ("eni-1", 9),
            (None, 7),
            ("eni-2", 1),
            ("eni-1", 3),
            ("eni-1", 3),
        ]
    ]

    with DatasetSink(tmp_path, "r") as sink:
        sink.write(batch(rows[:4]))
        sink.write(batch(rows[4:]))

    (file,) = files(tmp_path)
    table = pq.ParquetFile(tmp_path / file).read(["interface_id", "start", "bytes"])
    assert list(zip(*(column.to_pylist() for column in table.columns), strict=True)) == [
        (None, 7, 7),
        ("eni-1", 3, 3),
        ("eni-1", 3, 3),
        ("eni-1", 9, 9),
        ("eni-2", 1, 1),
        ("eni-2", 5, 5),
    ]


def test_interfaces_by_which_files_are_ordered_have_bounds(tmp_path: Path):
    (found,) = write(tmp_path, V2)

    group = pq.ParquetFile(tmp_path / found).metadata.row_group(0)
    (chunk,) = (
        group.column(i)
        for i in range(group.num_columns)
        if group.column(i).path_in_schema == "interface_id"
    )

    assert chunk.statistics.min == chunk.statistics.max == V2["interface_id"]
    assert chunk.has_column_index


def test_a_row_of_many_keeps_its_own_tags_alone():
    tags = [[{"key": f"key {i % 7}", "value": f"value {i}"}] for i in range(50)]
    flows = batch([{"eni_tags": one} for one in (*tags, None, [])])

    small = compact(flows.take(pa.array([9, 50, 51, 3])))

    column = small.column("eni_tags")
    assert column.to_pylist() == [tags[9], None, [], tags[3]]
    assert sorted(column.values.field("value").dictionary.to_pylist()) == ["value 3", "value 9"]


def test_starts_too_far_apart_for_one_sorting_number_are_in_order_too(tmp_path: Path):
    rows = [V2 | {"start": start} for start in (2**62, 5, -(2**61), 7)]

    with DatasetSink(tmp_path, "r") as sink:
        sink.write(batch(rows))

    (file,) = files(tmp_path)
    starts = pq.ParquetFile(tmp_path / file).read(["start"])["start"].to_pylist()
    assert starts == [-(2**61), 5, 7, 2**62]


def test_many_hours_in_any_order_lose_nothing_and_hold_few_files_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(partitions, "_OPEN_FILES", 3)
    monkeypatch.setattr(partitions, "_HELD_ROWS", 20)
    rows = [V2 | {"end": (i * 7919 % 40) * HOUR, "bytes": i} for i in range(400)]

    with DatasetSink(tmp_path, "r") as sink:
        for first in range(0, 400, 50):
            sink.write(batch(rows[first : first + 50]))
            assert sink._parts.open_parts <= 3

    query = f"select count(*), sum(bytes), count(distinct day::text || hour) from '{tmp_path}/**/*.parquet'"
    assert duckdb.sql(query).fetchall() == [(400, 400 * 399 // 2, 40)]


def test_a_file_ends_after_so_many_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(partitions, "_FILE_ROWS", 100)
    monkeypatch.setattr(partitions, "ROWS", 60)

    with DatasetSink(tmp_path, "r") as sink:
        for _ in range(5):
            sink.write(flows(60))

    rows = [pq.read_metadata(tmp_path / file).num_rows for file in files(tmp_path)]
    assert rows == [120, 120, 60]


def test_two_runs_share_a_folder_if_their_ids_differ(tmp_path: Path):
    write(tmp_path, V2, run_id="a")

    found = write(tmp_path, V2, run_id="b")

    assert [Path(name).name for name in found] == ["part-a-00000.parquet", "part-b-00000.parquet"]


@pytest.mark.parametrize("run_id", ["", "../x", "a/b", ".hidden", "a b"])
def test_a_run_id_that_is_no_part_of_a_name_is_an_error(run_id: str, tmp_path: Path):
    with pytest.raises(FormatError, match="run id"):
        DatasetSink(tmp_path / "folder", run_id)

    assert not (tmp_path / "folder").exists()


@pytest.fixture
def layouts(tmp_path: Path) -> Path:
    rows = (ENRICHED, V2 | {"tcp_flags": 18}, ENRICHED | {"x_y": "z", "end": 1700003000})
    write(tmp_path / "flows", *rows)
    return tmp_path / "flows"


def test_duckdb_reads_files_of_all_layouts(layouts: Path):
    found = duckdb.sql(
        "select count(*), sum(bytes), max(len(security_group_ids)), min(day)::text, max(hour), max(x_y) "
        f"from read_parquet('{layouts}/**/*.parquet', hive_partitioning=true, union_by_name=true)"
    ).fetchall()

    assert found == [(3, 3 * 4840, 2, "2023-11-14", 23, "z")]


def test_polars_reads_files_of_all_layouts(layouts: Path):
    frame = pl.scan_parquet(layouts, missing_columns="insert", extra_columns="ignore").collect()

    assert frame["bytes"].sum() == 3 * 4840
    assert (
        frame["security_group_ids"].drop_nulls().to_list() == [ENRICHED["security_group_ids"]] * 2
    )
    assert sorted(frame["hour"].to_list()) == [22, 22, 23]


def test_pandas_reads_files_of_all_layouts(layouts: Path):
    frame = pd.read_parquet(layouts)

    assert frame["bytes"].sum() == 3 * 4840
    assert sorted(frame["hour"].astype(int)) == [22, 22, 23]
    assert frame["srcaddr"].tolist() == ["198.51.100.7"] * 3
