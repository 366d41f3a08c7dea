"""
The deployed stack turns flow log files that arrive in S3 into Parquet.

As AWS, the emulator tells the queue of new objects and polls it for the function. Unlike AWS, it writes no flow logs
and keeps no schedule: the file is put there, and the inventory function invoked, by the test.
"""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deployed import NOW, Network, Stack, deploy, line, run
from emulator import ACCOUNT, REGION, ROOT, Emulator, eventually

from vpcflow.layout import DEFAULT

pytestmark = pytest.mark.integration

FOLDER = f"AWSLogs/{ACCOUNT}/vpcflowlogs/{REGION}/2026/01/15"


@pytest.fixture(scope="module")
def stack(emulator: Emulator, built: Path, network: Network) -> Stack:
    deployed = deploy(
        emulator, built, "files", Ingest="objects", Destination="s3", Monitoring="false"
    )
    deployed.invoke("InventoryFunction", {"source": "aws.events"})
    return deployed


def deliver(stack: Stack, name: str, *lines: str) -> None:
    header = " ".join(name.strip("${}") for name in str(DEFAULT).split())
    stack.emulator.client("s3").put_object(
        Bucket=stack.outputs["FlowLogBucketName"],
        Key=f"{FOLDER}/{ACCOUNT}_vpcflowlogs_{REGION}_fl-0a1b2c3d_{name}.log.gz",
        Body=gzip.compress("\n".join([header, *lines, ""]).encode()),
    )


def table(stack: Stack) -> pa.Table | None:
    s3, bucket = stack.emulator.client("s3"), stack.outputs["Bucket"]
    listed: list[Any] = s3.list_objects_v2(Bucket=bucket, Prefix="enriched/").get("Contents", [])
    files = [
        io.BytesIO(s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read())
        for one in listed
        if one["Key"].endswith(".parquet")
    ]
    return pa.concat_tables(map(pq.read_table, files)) if files else None


def test_a_flow_log_file_becomes_parquet_with_groups_direction_and_peer(
    stack: Stack, network: Network
) -> None:
    web, database = network.web_address, network.database_address

    deliver(
        stack,
        "20260115T0905Z_1a2b3c4d",
        line(network.web, web, database, 5432),
        "no flow record",
        line(network.database, web, database, 5432),
    )

    found = eventually(lambda: table(stack)).sort_by("direction")
    assert found.column("direction").to_pylist() == ["egress", "ingress"]
    assert found.column("security_group_ids").to_pylist() == [
        network.web_groups,
        network.database_groups,
    ]
    assert found.column("peer_interface_id").to_pylist() == [network.database, network.web]
    assert set(found.column("end").to_pylist()) == {NOW + 30}


def test_purging_removes_the_stack_and_all_that_it_would_have_kept(
    stack: Stack, emulator: Emulator
) -> None:
    """Comes last, and removes what the other tests look at."""
    kept = [stack.outputs["Bucket"], stack.outputs["FlowLogBucketName"]]

    run(
        *("python", ROOT / "tools" / "undeploy.py", "files", "--purge"),
        environment=emulator.environment,
        given="files\n",
    )

    buckets = [one["Name"] for one in emulator.client("s3").list_buckets()["Buckets"]]
    assert not set(kept) & set(buckets)
    groups = emulator.client("logs").describe_log_groups()["logGroups"]
    assert not [one for one in groups if "/files/" in one["logGroupName"]]
    assert not emulator.client("lambda").list_functions()["Functions"]
