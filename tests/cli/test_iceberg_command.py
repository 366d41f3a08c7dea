"""Commands that write to an Iceberg table in a folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from commands import Vpcflow
from iceberg_tables import count_of, data_files, rows_of, table_of
from simulated import simulated

CORPUS = Path(__file__).parents[1] / "corpus"
FLOW = b"2 123456789012 eni-0a1b2c3d 203.0.113.9 10.0.1.24 1 22 6 1 40 1700000001 1700000059 REJECT OK\n"


def test_the_corpus_is_in_the_table_as_in_the_dataset(vpcflow: Vpcflow, tmp_path: Path):
    options = ("enrich", "--geo", "off", CORPUS)

    to_table = vpcflow(*options, "--to", f"iceberg://{tmp_path}/lake/network.flows")
    to_folder = vpcflow(*options, "--to", f"{tmp_path}/dataset/")

    assert to_table.status == to_folder.status == 3
    with table_of(tmp_path / "lake") as table:
        found = table.scan().to_arrow()
        names = set(found.schema.names) - {"flow_time"}
    with duckdb.connect() as connection:
        files = f"read_parquet('{tmp_path}/dataset/**/*.parquet', union_by_name = true)"
        columns = ", ".join(f'"{name}"' for name in sorted(names - {"eni_tags"}))
        connection.register("flows", found)
        unlike = connection.sql(
            f"(select {columns} from flows except all select {columns} from {files}) union all "
            f"(select {columns} from {files} except all select {columns} from flows)"
        ).fetchall()
        (same,) = connection.sql(f"select count(*) from {files}").fetchall()
    assert unlike == []
    assert (found.num_rows,) == same


def test_a_simulation_is_in_the_table_once_though_it_is_written_twice(
    vpcflow: Vpcflow, tmp_path: Path
):
    report = simulated(tmp_path / "company")
    options = (
        *("enrich", "--geo", "off", "--inventory", report.inventory, report.logs),
        *("--to", f"iceberg://{tmp_path}/lake/network.flows"),
    )

    first, second = vpcflow(*options), vpcflow(*options)

    found = count_of(tmp_path / "lake")
    assert first.status == second.status == 0
    assert f"{found:,} records found = {found:,} delivered" in first.err
    assert f"0 delivered + 0 filtered + 0 rejected + 0 failed + {found:,} duplicates" in second.err
    assert f"{found:,} flows are in the table already" in second.err
    groups = {tuple(ids or ()) for (ids,) in rows_of(tmp_path / "lake", "security_group_ids")}
    assert len(groups) > 3


def test_standard_input_and_chosen_columns_go_to_a_table(vpcflow: Vpcflow, tmp_path: Path):
    done = vpcflow(
        *("enrich", "--geo", "off", "--columns", "srcaddr,duration_s"),
        *("--to", "iceberg://./lake/network.flows", "--batch-id", "one"),
        given=FLOW,
    )

    assert done.status == 0
    with table_of(tmp_path / "lake") as table:
        assert table.schema().column_names == ["flow_time", "srcaddr", "duration_s"]
    assert rows_of(tmp_path / "lake", "srcaddr", "duration_s") == [("203.0.113.9", 58)]


def test_a_repeat_with_rejects_ends_as_the_first_run_did(vpcflow: Vpcflow):
    options = ("enrich", "--geo", "off", "--to", "iceberg://./lake/network.flows")

    ends = [vpcflow(*options, given=FLOW + b"2 no flow\n").status for _ in range(2)]

    assert ends == [3, 3]


def test_other_flows_under_an_id_that_is_there_end_with_status_1(vpcflow: Vpcflow, tmp_path: Path):
    options = ("enrich", "--geo", "off", "--to", "iceberg://./lake/network.flows")
    vpcflow(*options, "--batch-id", "07", given=FLOW)

    done = vpcflow(*options, "--batch-id", "07", given=FLOW + FLOW.replace(b" 22 ", b" 23 "))

    assert done.status == 1
    assert "2 records found = 0 delivered + 0 filtered + 0 rejected + 2 failed" in done.err
    assert "with other flows" in done.err
    assert count_of(tmp_path / "lake") == 1
    assert len(data_files(tmp_path / "lake")) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("enrich", "--to", "iceberg://lake/flows"), "names no table"),
        (("enrich", "--to", "iceberg://lake/a.b?token=hush"), "PYICEBERG_CATALOG__"),
        (("enrich", "--to", "iceberg://./lake/a.b", "--format", "csv"), "parquet, not csv"),
        (("enrich", "--to", "iceberg://./lake/a.b", "--schema", "appender"), "--schema appender"),
        (("enrich", "--to", "flows.csv", "--batch-id", "x"), "--batch-id goes with"),
        (("parse", "--to", "iceberg://./lake/a.b"), "vpcflow enrich"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage(
    arguments: tuple[str, ...], said: str, vpcflow: Vpcflow, tmp_path: Path
):
    done = vpcflow(*arguments, "--log-format", "${srcaddr}", given=b"192.0.2.1\n")

    assert done.status == 2
    assert said in done.err
    assert "hush" not in done.err
    assert not (tmp_path / "lake").exists()


def test_a_catalog_that_no_configuration_names_is_an_error_that_says_how_to_set_it(
    vpcflow: Vpcflow, monkeypatch: pytest.MonkeyPatch
):
    done = vpcflow("enrich", "--geo", "off", "--to", "iceberg://lake/a.b", given=FLOW)

    assert done.status == 1
    assert "the catalog of 'lake/a.b': URI missing" in done.err
    assert "PYICEBERG_CATALOG__LAKE__URI" in done.err


def test_without_pyiceberg_an_error_says_what_to_install():
    program = (
        "import sys; sys.modules['pyiceberg'] = None\n"
        "sys.argv = ['vpcflow', 'enrich', '--geo', 'off', '--to', 'iceberg://./lake/a.b']\n"
        "from vpcflow.__main__ import main\n"
        "main()"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], input=FLOW, capture_output=True, check=False
    )

    assert done.returncode == 1
    assert b"pip install 'vpcflow[iceberg]'" in done.stderr


def test_a_file_is_sorted_and_encoded_as_the_dataset_s_are(vpcflow: Vpcflow, tmp_path: Path):
    vpcflow("enrich", "--geo", "off", "--to", "iceberg://./lake/network.flows", given=FLOW)

    (file,) = data_files(tmp_path / "lake")
    group = pq.ParquetFile(file).metadata.row_group(0)
    columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}

    assert columns["event_id"].compression == "ZSTD"
    assert "DELTA_BINARY_PACKED" in columns["flow_time"].encodings
    assert columns["interface_id"].has_column_index
