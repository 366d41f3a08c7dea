"""Runs as processes: with the catalogs and stores of moto's server, at once, and killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from iceberg_tables import count_of, data_files, rows_of, table_of
from moto_server import moto_server
from pyiceberg.catalog import load_catalog
from simulated import simulated

from vpcflow.generate import SimulationReport

pytestmark = pytest.mark.integration

FLOW = b"2 123456789012 eni-0a1b2c3d 203.0.113.9 10.0.1.24 1 22 6 1 40 1700000001 1700000059 REJECT OK\n"


def enrich(
    *arguments: str | Path, given: bytes | None = None, env: Mapping[str, str] = os.environ
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "vpcflow", "enrich", "--geo", "off", *map(str, arguments)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
    )
    if given is not None:
        assert process.stdin is not None
        process.stdin.write(given)
        process.stdin.close()
        process.stdin = None
    return process


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    _, said = process.communicate(timeout=120)
    return process.returncode, said.decode()


@pytest.fixture(scope="module")
def aws() -> Iterator[dict[str, str]]:
    """The properties of a Glue catalog and its bucket, which are moto's."""
    with moto_server() as url:
        s3: Any = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        s3.create_bucket(Bucket="example-lake")
        reached = {
            f"{service}.{name}": value
            for service in ("glue", "s3")
            for name, value in {
                "endpoint": url,
                "region": "us-east-1",
                "access-key-id": "testing",
                "secret-access-key": "hush-hush",
            }.items()
        }
        yield {"type": "glue", "warehouse": "s3://example-lake/warehouse", **reached}


def environment(properties: Mapping[str, str]) -> dict[str, str]:
    """Configure a catalog named aws, as pyiceberg reads it from the environment."""
    return dict(os.environ) | {
        "PYICEBERG_CATALOG__AWS__" + name.upper().replace(".", "__").replace("-", "_"): value
        for name, value in properties.items()
    }


def test_glue_and_s3_hold_a_table_and_a_batch_once(aws: dict[str, str]):
    env = environment(aws)
    to = ("--to", "iceberg://aws/network.flows")

    first, second = (ended(enrich(*to, given=FLOW, env=env)) for _ in range(2))
    other = ended(enrich(*to, given=FLOW.replace(b" 22 ", b" 23 "), env=env))

    assert (first[0], second[0], other[0]) == (0, 0, 0), (first, second, other)
    assert "1 duplicates" in second[1]
    with load_catalog("aws", **aws) as catalog:
        table = catalog.load_table("network.flows")
        found = table.scan().to_arrow()
        assert len(table.metadata.snapshots) == 2
    assert sorted(found["dstport"].to_pylist()) == [22, 23]


def test_a_store_that_refuses_is_an_error_without_secrets(aws: dict[str, str]):
    env = environment(aws | {"warehouse": "s3://no-such-bucket/w"})

    status, said = ended(enrich("--to", "iceberg://aws/other.flows", given=FLOW, env=env))

    assert status == 1
    assert "table 'other.flows'" in said
    assert "hush-hush" not in said
    assert "Traceback" not in said


def test_a_catalog_that_is_not_there_is_an_error_without_secrets():
    env = environment({"type": "rest", "uri": "http://127.0.0.1:1", "token": "hush-hush"})

    status, said = ended(enrich("--to", "iceberg://aws/network.flows", given=FLOW, env=env))

    assert status == 1
    assert "the catalog of 'aws/network.flows'" in said
    assert "hush-hush" not in said
    assert "Traceback" not in said


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> SimulationReport:
    return simulated(tmp_path_factory.mktemp("company"), minutes=6)


def test_three_runs_of_one_batch_at_once_add_it_once(company: SimulationReport, tmp_path: Path):
    to = ("--to", f"iceberg://{tmp_path}/network.flows")

    runs = [enrich(*to, company.logs) for _ in range(3)]
    ends = [ended(run) for run in runs]

    assert [status for status, _ in ends] == [0, 0, 0], ends
    assert sum("flows are in the table already" in said for _, said in ends) == 2
    ids = [event_id for (event_id,) in rows_of(tmp_path, "event_id")]
    assert len(ids) == len(set(ids)) > 1000
    with table_of(tmp_path) as table:
        files = {
            file.removeprefix("file://") for file in table.inspect.files()["file_path"].to_pylist()
        }
    assert {str(file) for file in data_files(tmp_path)} == files


def test_a_run_killed_at_any_moment_and_repeated_has_each_flow_once(
    company: SimulationReport, tmp_path: Path
):
    arguments = ("--to", f"iceberg://{tmp_path}/network.flows", company.logs)
    ended(enrich("--to", f"iceberg://{tmp_path}/network.flows", given=b""))
    moments = [
        lambda: (tmp_path / "network/flows/data").exists(),
        lambda: list(tmp_path.rglob("*-m0.avro")),
        lambda: list(tmp_path.rglob("00002-*.metadata.json")),
        lambda: count_of(tmp_path) > 0,
    ]

    killed = []
    for has_come in moments:
        run = enrich(*arguments)
        while not has_come() and run.poll() is None:
            pass
        run.send_signal(signal.SIGKILL)
        killed.append(ended(run)[0])
    last = ended(enrich(*arguments))

    assert last[0] == 0, last
    assert killed.count(-signal.SIGKILL) > 1
    ids = [event_id for (event_id,) in rows_of(tmp_path, "event_id")]
    assert len(ids) == len(set(ids)) > 1000
    with table_of(tmp_path) as table:
        assert len(table.metadata.snapshots) == 1
