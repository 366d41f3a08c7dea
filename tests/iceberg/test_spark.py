"""A table of ours as Spark sees it, with Iceberg's own library, through the catalog file of the folder."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from iceberg_tables import DAY, table_of
from simulated import simulated

pytestmark = pytest.mark.soak

ROOT = Path(__file__).parents[2]
JARS = ROOT / ".iceberg"
TABLE = "`default`.network.flows"
START = 1_767_225_600 - 300  # five minutes before midnight
# What Spark reaches into, and Java keeps closed since version 17.
_OPEN = (
    "java.lang java.lang.invoke java.lang.reflect java.io java.net java.nio java.util java.util.concurrent"
    " java.util.concurrent.atomic sun.nio.ch sun.nio.cs sun.security.action sun.util.calendar"
).split()


def spark(folder: Path, *statements: str) -> list[list[dict[str, Any]]]:
    """Run SQL statements, and give the rows of each."""
    opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPEN]
    program = str(Path(__file__).with_name("SparkSql.java"))
    command = ["java", "-Xmx1g", *opened, "-cp", f"{JARS}/*", program, str(folder)]
    done = subprocess.run(
        command,
        input="".join(f"{statement}\n" for statement in statements),
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"SPARK_LOCAL_IP": "127.0.0.1"},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def enrich(folder: Path, inventory: Path, logs: Path) -> str:
    command = [sys.executable, "-m", "vpcflow", "enrich", "--geo", "off"]
    command += [
        "--inventory",
        str(inventory),
        "--to",
        f"iceberg://{folder}/network.flows",
        str(logs),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stderr


def known(row: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out nulls, as JSON of Spark's does, and the null lists that pyiceberg reads as empty ones."""
    return {
        name: value.strftime("%Y-%m-%dT%H:%M:%S.000Z") if isinstance(value, dt.datetime) else value
        for name, value in row.items()
        if value is not None and (name, value) != ("eni_tags", [])
    }


def by_id(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted((known(row) for row in rows), key=lambda row: str(row["event_id"]))


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    if shutil.which("javac") is None:
        pytest.skip("this needs a JDK, which is not installed")
    if not (JARS / ".installed").exists():
        pytest.skip(f"{JARS} is missing: run `make soak`")
    return tmp_path / "lake"


def test_spark_reads_compacts_widens_and_expires_a_table_and_batches_are_known_after_it(
    lake: Path, tmp_path: Path
):
    one = simulated(tmp_path / "one", start_s=START, minutes=10, rate_scale=0.05)
    two = simulated(tmp_path / "two", start_s=START + DAY, seed=2, rate_scale=0.05)
    enrich(lake, one.inventory, one.logs)
    with table_of(lake) as table:
        ours = table.scan().to_arrow().to_pylist()
    midnight = "timestamp'2026-01-01 00:00:00'"

    theirs, days, one_day, _, _, again = spark(
        lake,
        f"select * from {TABLE}",
        f"select partition.flow_time_day as day, record_count from {TABLE}.partitions",
        f"select count(*) as flows from {TABLE} where flow_time >= {midnight}",
        "call `default`.system.rewrite_data_files(table => 'network.flows', strategy => 'sort',"
        " options => map('rewrite-all', 'true'))",
        f"alter table {TABLE} add column owner string",
        f"select * from {TABLE}",
    )
    repeated = enrich(lake, one.inventory, one.logs)
    added = enrich(lake, two.inventory, two.logs)
    _, deleted, operations, left = spark(
        lake,
        "call `default`.system.expire_snapshots(table => 'network.flows', retain_last => 1)",
        f"delete from {TABLE} where flow_time < {midnight}",
        f"select operation, summary from {TABLE}.snapshots order by committed_at",
        f"select count(*) as flows, count(owner) as owned, min(flow_time) as first from {TABLE}",
    )

    assert by_id(theirs) == by_id(again) == by_id(ours)
    assert sorted(day["day"] for day in days) == ["2025-12-31", "2026-01-01"]
    assert sum(day["record_count"] for day in days) == len(ours)
    later = [row for row in ours if row["flow_time"] >= dt.datetime(2026, 1, 1, tzinfo=dt.UTC)]
    assert one_day == [{"flows": len(later)}]
    assert f"{len(ours):,} duplicates" in repeated
    delivered = re.search(r"= ([\d,]+) delivered", added)
    assert delivered is not None
    expected = len(later) + int(delivered[1].replace(",", ""))
    assert [(row["flows"], row["owned"]) for row in left] == [(expected, 0)]
    assert operations[-1]["operation"] == "delete"
    assert "added-data-files" not in operations[-1]["summary"], "the day's files were rewritten"
    with table_of(lake) as table:
        assert table.scan().count() == expected
    assert deleted == []
