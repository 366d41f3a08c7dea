"""Flows to an Iceberg table in a folder, read back by pyiceberg, DuckDB and Polars."""

from __future__ import annotations

import datetime as dt
import threading
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from flow_batches import ENRICHED, V2
from iceberg_tables import (
    DAY,
    NAME,
    catalog_of,
    count_of,
    data_files,
    identified,
    rows_of,
    some,
    table_of,
    write,
)
from pyiceberg.expressions import GreaterThanOrEqual, LessThan
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.types import IntegerType, LongType, NestedField, StringType

from vpcflow import partitions
from vpcflow.errors import SinkError
from vpcflow.fields import ADDED, FIELDS
from vpcflow.file_schema import TYPES
from vpcflow.sinks import Settled
from vpcflow.sinks.dataset import DatasetSink
from vpcflow.sinks.iceberg.sink import IcebergSink

END = V2["end"]
TAGGED = ENRICHED | {
    "eni_tags": [{"key": "Name", "value": "web"}],
    "tcp_flag_names": ["SYN"],
    "src_as_number": 64496,
    "team_name": "a column nobody knows",
}


def test_a_table_has_the_rows_of_the_dataset_and_the_time_besides(tmp_path: Path):
    flows = [identified(V2, TAGGED), some(40, end=END + DAY), identified({"srcaddr": "192.0.2.1"})]

    write(tmp_path / "lake", *flows)
    with DatasetSink(tmp_path / "dataset", "r") as dataset:
        for batch in flows:
            dataset.write(batch)

    with table_of(tmp_path / "lake") as table:
        found = table.scan().to_arrow()
    files = [pq.ParquetFile(file).read() for file in data_files(tmp_path / "dataset")]
    expected = pa.concat_tables(files, promote_options="default")
    assert set(found.column_names) == {*expected.column_names, "flow_time"}
    in_order = found.select(expected.column_names).sort_by("event_id").to_pylist()
    # pyiceberg reads a null list of structs as an empty one: apache/iceberg-python, issue 3833.
    in_order = [row | {"eni_tags": row["eni_tags"] or None} for row in in_order]
    assert in_order == expected.sort_by("event_id").to_pylist()


def test_a_list_that_is_null_is_null_in_the_file(tmp_path: Path):
    write(tmp_path, identified(V2, TAGGED))

    tags = pq.ParquetFile(data_files(tmp_path)[0]).read(["eni_tags"])["eni_tags"].to_pylist()

    assert sorted(map(str, tags)) == ["None", "[{'key': 'Name', 'value': 'web'}]"]


def test_duckdb_and_polars_read_the_table_by_an_arrow_scan(tmp_path: Path):
    write(tmp_path, identified(V2, TAGGED), some(40, end=END + DAY))

    with table_of(tmp_path) as table:
        with duckdb.connect() as connection:
            table.scan().to_duckdb("flows", connection)
            sql = (
                "select count(*), sum(bytes), max(eni_tags[1].value), max(epoch(flow_time)) "
                "from flows"
            )
            by_duckdb = connection.sql(sql).fetchall()
        frame = table.scan().to_polars()

    total = 2 * V2["bytes"] + sum(range(40))
    assert by_duckdb == [(42, total, "web", END + DAY)]
    assert frame["bytes"].sum() == total
    assert frame["eni_tags"].explode().drop_nulls().to_list() == [{"key": "Name", "value": "web"}]
    assert frame["flow_time"].max() == dt.datetime.fromtimestamp(END + DAY, dt.UTC)


def test_the_columns_are_those_of_the_tables_of_fields_with_their_words(tmp_path: Path):
    write(tmp_path, some(1))

    with table_of(tmp_path) as table:
        fields = {field.name: field for field in table.schema().fields}

    assert list(fields) == ["flow_time", *TYPES]
    said = {field.column: field.description for field in (*FIELDS, *ADDED)}
    assert {name: field.doc for name, field in fields.items() if name != "flow_time"} == said
    assert not any(field.required for field in fields.values())
    assert str(fields["eni_tags"].field_type).count("optional string") == 2


def test_files_name_their_columns_by_the_table_s_ids(tmp_path: Path):
    write(tmp_path, identified(TAGGED))

    (file,) = data_files(tmp_path)
    found = {field.name: int(field.metadata[b"PARQUET:field_id"]) for field in pq.read_schema(file)}
    with table_of(tmp_path) as table:
        schema = table.schema()
    assert found == {field.name: field.field_id for field in schema.fields}
    tags = pq.read_schema(file).field("eni_tags").type.value_field
    assert int(tags.metadata[b"PARQUET:field_id"]) == schema.find_field("eni_tags.element").field_id
    key = schema.find_field("eni_tags.element.key")
    assert int(tags.type.field("key").metadata[b"PARQUET:field_id"]) == key.field_id


def test_a_day_is_a_partition_and_others_are_not_read(tmp_path: Path):
    write(tmp_path, *(some(5, end=END + day * DAY) for day in range(4)), identified({"srcport": 1}))

    with table_of(tmp_path) as table:
        files = table.inspect.files().to_pylist()
        day = GreaterThanOrEqual("flow_time", "2023-11-15T00:00:00+00:00")
        in_one_day = table.scan(day & LessThan("flow_time", "2023-11-16T00:00:00+00:00"))
        planned = [task.file.record_count for task in in_one_day.plan_files()]
        by_end = [
            task.file.record_count
            for task in table.scan(GreaterThanOrEqual("end", END + 3 * DAY)).plan_files()
        ]

    days = [file["partition"]["flow_time_day"] for file in files]
    first = dt.date(2023, 11, 14)
    assert sorted(days, key=str) == [*(first + dt.timedelta(i) for i in range(4)), None]
    assert planned == [5]
    assert by_end == [5]


def test_what_is_no_time_is_in_the_partition_of_nulls_and_start_stands_in_for_end(tmp_path: Path):
    rows = [V2 | {"end": 2**62}, {"start": END}, {"srcport": 1}]

    write(tmp_path, identified(*rows))

    assert rows_of(tmp_path, "flow_time", "end", "start") == [
        (None, None, None),
        (None, 2**62, V2["start"]),
        (dt.datetime.fromtimestamp(END, dt.UTC), None, END),
    ]


def test_metadata_says_of_each_column_how_many_nulls_it_has_and_of_some_the_bounds(tmp_path: Path):
    write(tmp_path, some(30), identified(TAGGED))

    with table_of(tmp_path) as table:
        (file,) = table.inspect.files().to_pylist()
    metrics = file["readable_metrics"]
    assert metrics["bytes"]["lower_bound"] == 0
    assert metrics["bytes"]["upper_bound"] == V2["bytes"]
    assert metrics["action"]["lower_bound"] == metrics["action"]["upper_bound"] == "ACCEPT"
    assert metrics["direction"]["null_value_count"] == 30
    assert metrics["tgw_id"]["null_value_count"] == metrics["tgw_id"]["value_count"] == 31
    assert metrics["srcaddr"]["lower_bound"] is None
    assert file["file_size_in_bytes"] == data_files(tmp_path)[0].stat().st_size


def test_bounds_are_those_of_all_row_groups_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(partitions, "ROWS", 5)

    write(tmp_path, some(5, first=10), some(5, first=90), some(5, first=50))

    with table_of(tmp_path) as table:
        (file,) = table.inspect.files().to_pylist()
        planned = list(table.scan(GreaterThanOrEqual("bytes", 94)).plan_files())
        left_out = list(table.scan(GreaterThanOrEqual("bytes", 95)).plan_files())
    assert len(file["split_offsets"]) == 3
    metrics = file["readable_metrics"]["bytes"]
    assert (metrics["lower_bound"], metrics["upper_bound"]) == (10, 94)
    assert (len(planned), len(left_out)) == (1, 0)


def test_one_run_is_one_snapshot_however_many_files_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(partitions, "_FILE_ROWS", 100)
    monkeypatch.setattr(partitions, "ROWS", 60)

    write(tmp_path, *(some(60, first=60 * i) for i in range(5)))
    write(tmp_path, some(1), run_id="second")

    with table_of(tmp_path) as table:
        appended = [one.summary["added-data-files"] for one in table.metadata.snapshots]
    assert appended == ["3", "1"]
    assert count_of(tmp_path) == 301


def test_nothing_is_seen_before_the_end_and_nothing_is_left_of_a_run_broken_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(partitions, "_FILE_ROWS", 100)
    monkeypatch.setattr(partitions, "ROWS", 60)
    with (
        catalog_of(tmp_path) as catalog,
        pytest.raises(ZeroDivisionError),
        IcebergSink(catalog, NAME, "r") as sink,
    ):
        for first in range(3):
            sink.write(some(60, first=first))
        assert count_of(tmp_path) == 0
        assert data_files(tmp_path)
        raise ZeroDivisionError

    assert data_files(tmp_path) == []
    with table_of(tmp_path) as table:
        assert table.metadata.snapshots == []


def test_a_run_of_no_flows_makes_the_table_and_no_snapshot(tmp_path: Path):
    settled = write(tmp_path, some(3).slice(0, 0))

    assert settled == Settled()
    with table_of(tmp_path) as table:
        assert table.metadata.snapshots == []


def test_chosen_columns_are_the_table_s_with_the_time_it_is_partitioned_by(tmp_path: Path):
    write(tmp_path, some(3), columns=("srcaddr", "bytes"))

    with table_of(tmp_path) as table:
        assert table.schema().column_names == ["flow_time", "srcaddr", "bytes"]
    assert rows_of(tmp_path, "bytes", "srcaddr") == [(i, V2["srcaddr"]) for i in range(3)]


def test_chosen_columns_leave_the_others_of_a_table_null(tmp_path: Path):
    write(tmp_path, some(1, first=8))

    write(tmp_path, some(1, first=9), columns=("bytes",), run_id="second")

    assert rows_of(tmp_path, "bytes", "dstport") == [(8, 443), (9, None)]


def test_flows_without_event_ids_are_refused(tmp_path: Path):
    flows = some(1)

    with pytest.raises(SinkError, match="event_id"):
        write(tmp_path, flows.drop_columns("event_id"))


def older(folder: Path, *fields: NestedField, spec: PartitionSpec | None = None) -> None:
    with catalog_of(folder) as catalog:
        catalog.create_namespace(NAME[:-1])
        options = {} if spec is None else {"partition_spec": spec}
        catalog.create_table(NAME, Schema(*fields), **options)


def test_an_older_table_is_given_the_columns_it_lacks_and_keeps_what_others_added(tmp_path: Path):
    older(
        tmp_path,
        NestedField(1, "srcaddr", StringType(), required=False),
        NestedField(2, "owner", StringType(), required=False, doc="ours alone"),
        NestedField(3, "srcport", LongType(), required=False),
    )
    with table_of(tmp_path) as table:
        table.append(pa.table({"srcaddr": ["192.0.2.1"], "owner": ["me"]}))

    write(tmp_path, identified(TAGGED))

    assert rows_of(tmp_path, "srcaddr", "owner", "srcport", "dstport") == [
        ("192.0.2.1", "me", None, None),
        (V2["srcaddr"], None, V2["srcport"], 443),
    ]
    with table_of(tmp_path) as table:
        ids = {field.name: field.field_id for field in table.schema().fields}
        assert table.schema().find_field("owner").doc == "ours alone"
    assert (ids["srcaddr"], ids["owner"], ids["srcport"]) == (1, 2, 3)
    assert set(ids) == {"flow_time", "owner", "team_name", *TYPES}


def test_a_column_that_turns_up_late_is_added_and_earlier_flows_have_none(tmp_path: Path):
    write(tmp_path, some(2), identified(V2 | {"cost_centre": "42"}), some(1, first=9))

    assert rows_of(tmp_path, "cost_centre") == [(None,), (None,), (None,), ("42",)]


@pytest.mark.parametrize("name", ["a.b", "x-y", "ü", "9", "select"])
def test_a_column_of_any_name_is_kept(name: str, tmp_path: Path):
    write(tmp_path, identified(V2 | {name: "kept"}))

    with table_of(tmp_path) as table:
        found = table.scan().to_arrow()
    assert found[name].to_pylist() == ["kept"]


def test_flows_read_back_from_a_table_s_files_get_their_time_anew(tmp_path: Path):
    write(tmp_path, identified(V2 | {"flow_time": "2001-01-01"}))

    assert rows_of(tmp_path, "flow_time") == [(dt.datetime.fromtimestamp(END, dt.UTC),)]


def test_a_column_removed_from_ours_stays_and_is_null(tmp_path: Path):
    write(tmp_path, identified(V2 | {"old_field": "1"}))

    write(tmp_path, some(1), run_id="second")

    assert rows_of(tmp_path, "old_field") == [(None,), ("1",)]


def test_types_that_do_not_fit_are_all_named_and_nothing_is_changed(tmp_path: Path):
    older(
        tmp_path,
        NestedField(1, "srcport", StringType(), required=False),
        NestedField(2, "bytes", IntegerType(), required=False),
        NestedField(3, "SrcAddr", StringType(), required=False),
        NestedField(4, "tenant", StringType(), required=True),
    )

    with pytest.raises(SinkError) as error:
        write(tmp_path, some(1))

    for said in ("'srcport' is string there and int here", "'bytes'", "'SrcAddr'", "'tenant'"):
        assert said in str(error.value)
    with table_of(tmp_path) as table:
        assert len(table.schema().fields) == 4


def test_a_column_its_owner_requires_takes_no_nulls(tmp_path: Path):
    older(tmp_path, NestedField(1, "srcaddr", StringType(), required=True))
    write(tmp_path, some(2))

    with pytest.raises(SinkError, match=r"'srcaddr'.* required"):
        write(tmp_path, identified({"srcport": 1}), run_id="second")

    assert count_of(tmp_path) == 2
    assert len(data_files(tmp_path)) == 1


@pytest.mark.parametrize(
    ("column", "transform", "expected"),
    [
        ("flow_time", "hour", {dt.datetime(2023, 11, 14, 22), dt.datetime(2023, 11, 14, 23)}),
        ("account_id", "identity", {"123456789012", None}),
        ("srcport", "bucket[4]", None),
        ("srcaddr", "truncate[3]", {"198", "192"}),
    ],
)
def test_a_table_its_owner_has_partitioned_otherwise_is_written_so(
    column: str, transform: str, expected: set[object] | None, tmp_path: Path
):
    write(tmp_path, some(3))
    with table_of(tmp_path) as table, table.update_spec() as update:
        update.remove_field("flow_time_day")
        update.add_field(column, transform, "part")
    rows = [V2 | {"srcport": i, "end": END + 700 * i} for i in range(8)]

    write(tmp_path, identified(*rows, {"srcaddr": "192.0.2.1", "end": END, "srcport": 3}))

    with table_of(tmp_path) as table:
        files = table.inspect.files().to_pylist()
        found = table.scan().to_arrow()
    assert found.num_rows == 12
    parts = [file["partition"]["part"] for file in files if file["spec_id"] == 1]
    assert len(parts) == len(set(parts)) > 1
    if isinstance(expected, set) and column != "flow_time":
        assert set(parts) == expected


def test_a_table_partitioned_by_several_columns_has_a_file_for_each_value_of_all(tmp_path: Path):
    write(tmp_path)
    with table_of(tmp_path) as table, table.update_spec() as update:
        update.add_field("action", "identity", "action")
    rows = [
        V2 | {"end": END + day * DAY, "action": action, "srcport": port}
        for day, action, port in [(0, "A", 1), (1, "B", 2), (0, "B", 3), (1, "A", 4), (0, "A", 5)]
    ]

    write(tmp_path, identified(*rows, {"srcport": 6}), identified(rows[2] | {"srcport": 7}))

    with table_of(tmp_path) as table:
        files = table.inspect.files().to_pylist()
        parts = {
            (str(file["partition"]["flow_time_day"])[-2:], file["partition"]["action"]): file
            for file in files
        }
    assert {part: file["record_count"] for part, file in parts.items()} == {
        ("14", "A"): 2,
        ("15", "B"): 1,
        ("14", "B"): 2,
        ("15", "A"): 1,
        ("ne", None): 1,
    }
    assert rows_of(tmp_path, "srcport") == [(port,) for port in range(1, 8)]


def test_a_table_of_no_partitions_is_written_so(tmp_path: Path):
    older(tmp_path, NestedField(1, "srcaddr", StringType(), required=False))

    write(tmp_path, some(3), some(3, end=END + DAY))

    assert len(data_files(tmp_path)) == 1
    assert count_of(tmp_path) == 6


def test_files_made_in_any_number_of_days_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(partitions, "_OPEN_FILES", 3)
    monkeypatch.setattr(partitions, "_HELD_ROWS", 20)
    rows = [V2 | {"end": (i * 7919 % 9) * DAY, "bytes": i} for i in range(80)]

    write(tmp_path, *(identified(*rows[first : first + 20]) for first in range(0, 80, 20)))

    assert rows_of(tmp_path, "bytes") == [(i,) for i in range(80)]


def test_writers_at_once_make_one_table_and_all_commit(tmp_path: Path):
    faults: list[BaseException] = []

    def run(number: int) -> None:
        try:
            write(tmp_path, some(10, first=10 * number), run_id=f"run-{number}")
        except BaseException as fault:  # noqa: BLE001  # told to the test
            faults.append(fault)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []
    assert rows_of(tmp_path, "bytes") == [(i,) for i in range(50)]
    with table_of(tmp_path) as table:
        assert len(table.metadata.snapshots) == 5
