"""Commands that read from and write to S3, as moto's server has it, over HTTP."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import orjson
import pyarrow.parquet as pq
import pytest
from commands import Vpcflow
from moto_server import moto_server

import vpcflow as library

pytestmark = pytest.mark.integration

REGION_FOLDER = "AWSLogs/123456789012/vpcflowlogs/eu-west-1"
IP_RANGES = orjson.dumps(
    {
        "syncToken": "1766000000",
        "createDate": "2025-12-17-00-00-00",
        "prefixes": [
            {
                "ip_prefix": "198.51.100.0/24",
                "region": "eu-west-1",
                "service": "S3",
                "network_border_group": "eu-west-1",
            }
        ],
        "ipv6_prefixes": [],
    }
)
HEADER = (
    b"version interface-id srcaddr dstaddr srcport dstport protocol start end action log-status\n"
)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bucket that is empty, and an environment that leads to it."""
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    bucket = boto3.resource("s3").Bucket("example-logs")
    bucket.create()
    yield bucket
    bucket.objects.delete()


def log(at: datetime, records: int) -> tuple[str, bytes]:
    """Give the key and the text of a log whose records end in the five minutes it is named after."""
    key = (
        f"{REGION_FOLDER}/{at:%Y/%m/%d}/"
        f"123456789012_vpcflowlogs_eu-west-1_fl-0a1b2c3d_{at:%Y%m%dT%H%MZ}_0a1b2c3d.log.gz"
    )
    start = int(at.timestamp())
    lines = (
        b"2 eni-0a 10.0.1.20 198.51.100.%d 40001 443 6 %d %d ACCEPT OK\n"
        % (i, start + i, start + i)
        for i in range(records)
    )
    return key, gzip.compress(HEADER + b"".join(lines))


def put(bucket: Any, *logs: tuple[str, bytes]) -> list[str]:
    for key, data in logs:
        bucket.put_object(Key=key, Body=data)
    return [f"s3://{bucket.name}/{key}" for key, _ in logs]


def keys(bucket: Any) -> list[str]:
    return [one.key for one in bucket.objects.all()]


def test_logs_of_a_time_are_read_in_order_and_others_are_filtered(
    bucket: Any, vpcflow: Vpcflow
) -> None:
    ats = [datetime(2026, 1, 31, hour, 55, tzinfo=UTC) for hour in (3, 8, 9, 10, 20)]
    addresses = put(bucket, *(log(at, 20) for at in ats))

    done = vpcflow(
        "parse", "--since", "2026-01-31T08:55:10Z", "--until", "2026-01-31T09:55:05Z",
        "--to", "flows.parquet", "s3://example-logs",
    )  # fmt: skip

    assert done.status == 0, done.err
    rows = pq.read_table("flows.parquet", columns=["source_object", "source_line"]).to_pylist()
    origins = [(row["source_object"], row["source_line"]) for row in rows]
    assert origins == [(addresses[1], n) for n in range(12, 22)] + [
        (addresses[2], n) for n in range(2, 7)
    ]
    assert "60 records found = 15 delivered + 45 filtered" in done.err


def test_an_object_becomes_an_object(bucket: Any, vpcflow: Vpcflow) -> None:
    put(bucket, log(datetime(2026, 1, 31, 3, tzinfo=UTC), 20), ("bad.log", b"neither\n"))

    done = vpcflow(
        "enrich", "--geo", "off", "--rejects", "s3://example-logs/out/rejects.ndjson",
        "--to", "s3://example-logs/out/flows.parquet", "s3://example-logs/AWSLogs/",
        "s3://example-logs/bad.log",
    )  # fmt: skip

    assert done.status == 3, done.err
    flows = pq.read_table(io.BytesIO(bucket.Object("out/flows.parquet").get()["Body"].read()))
    [reject] = bucket.Object("out/rejects.ndjson").get()["Body"].read().splitlines()
    assert flows.num_rows == 20
    assert orjson.loads(reject)["source"] == "s3://example-logs/bad.log"


def test_a_dataset_can_be_written_and_read_again(bucket: Any, vpcflow: Vpcflow) -> None:
    put(bucket, *(log(datetime(2026, 1, 31, hour, tzinfo=UTC), 20) for hour in range(3)))

    done = vpcflow("parse", "--to", "s3://example-logs/lake/", "s3://example-logs/AWSLogs/")

    assert done.status == 0, done.err
    written = [key for key in keys(bucket) if key.startswith("lake/")]
    assert [key.rpartition("/")[0] for key in written] == [
        f"lake/day=2026-01-31/hour={hour:02}" for hour in range(3)
    ]
    again = list(library.read("s3://example-logs/lake/"))
    assert sum(batch.num_rows for batch in again) == 60


def test_what_fails_leaves_nothing(bucket: Any, vpcflow: Vpcflow) -> None:
    put(bucket, ("a.log", HEADER))

    done = vpcflow("parse", "--to", "s3://example-missing/lake/", "s3://example-logs/")

    assert done.status == 1
    assert "s3://example-missing/lake/" in done.err
    assert "NoSuchBucket" in done.err
    assert keys(bucket) == ["a.log"]


@pytest.mark.parametrize("to", ["s3://example-logs/AWSLogs/", "s3://example-logs/"])
def test_an_output_never_holds_an_input(bucket: Any, vpcflow: Vpcflow, to: str) -> None:
    put(bucket, log(datetime(2026, 1, 31, tzinfo=UTC), 1))

    done = vpcflow("parse", "--to", to, "s3://example-logs/AWSLogs/")

    assert done.status == 1
    assert f"'{to}' is or holds the input 's3://example-logs/AWSLogs/" in done.err
    assert len(keys(bucket)) == 1


def test_a_record_of_an_object_is_explained(bucket: Any, vpcflow: Vpcflow) -> None:
    [address] = put(bucket, log(datetime(2026, 1, 31, tzinfo=UTC), 20))

    done = vpcflow("explain", "--geo", "off", "--line", "8", address)

    assert "198.51.100.6" in done.out.decode(), done.err


def test_what_is_not_there_is_an_error(bucket: Any, vpcflow: Vpcflow) -> None:
    done = vpcflow("parse", "s3://example-logs/none/")

    assert (done.status, done.out) == (1, b"")
    assert "no such object, folder or match: 's3://example-logs/none/'" in done.err


def test_without_the_sdk_the_extra_is_named(
    vpcflow: Vpcflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "vpcflow.aws.s3", raising=False)
    monkeypatch.setitem(sys.modules, "botocore.exceptions", None)

    done = vpcflow("parse", "s3://example-logs/")

    assert done.status == 1
    assert "pip install 'vpcflow[aws]'" in done.err


def test_lookup_data_in_s3_is_read_as_files_are(bucket: Any, vpcflow: Vpcflow) -> None:
    [flows] = put(bucket, log(datetime(2026, 1, 31, 12, tzinfo=UTC), 3))
    interface = {"NetworkInterfaceId": "eni-0a", "PrivateIpAddress": "10.0.1.20", "VpcId": "vpc-0a"}
    put(
        bucket,
        ("inventory/enis.json", orjson.dumps({"NetworkInterfaces": [interface]})),
        ("networks.csv", b"cidr,name,kind\n198.51.100.0/24,the partner,partner\n"),
        ("ip-ranges.json", IP_RANGES),
    )

    done = vpcflow(
        "enrich", "--geo", "off", "--inventory", "s3://example-logs/inventory/",
        "--networks", "s3://example-logs/networks.csv",
        "--aws-ranges", "s3://example-logs/ip-ranges.json", flows,
    )  # fmt: skip

    assert done.status == 0, done.err
    assert {d["peer_network_name"] for d in done.documents} == {"the partner"}
    assert {d["dst_aws_service"] for d in done.documents} == {"S3"}
    assert "the inventory in s3://example-logs/inventory is taken to be of" in done.err


def test_a_damaged_file_in_s3_is_named_as_it_is_there(bucket: Any, vpcflow: Vpcflow) -> None:
    put(bucket, ("inventory/enis.json", b"{"), ("flows.log", HEADER))

    done = vpcflow(
        "enrich", "--inventory", "s3://example-logs/inventory", "s3://example-logs/flows.log"
    )

    assert done.status == 1
    assert "vpcflow: s3://example-logs/inventory/enis.json: not JSON" in done.err


def test_an_inventory_in_s3_is_shown(bucket: Any, vpcflow: Vpcflow) -> None:
    interface = {"NetworkInterfaceId": "eni-0a", "PrivateIpAddress": "10.0.1.20", "VpcId": "vpc-0a"}
    put(bucket, ("enis.json", orjson.dumps({"NetworkInterfaces": [interface]})))

    done = vpcflow("inventory", "show", "s3://example-logs/enis.json", "eni-0a")

    assert done.status == 0, done.err
    assert b"10.0.1.20" in done.out
