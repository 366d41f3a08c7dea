"""The objects function's handler with real clients, against moto's S3 and Firehose."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pyarrow.parquet as pq
import pytest
from moto_server import moto_server
from opensearch_server import OpenSearchServer
from transforming import line

pytestmark = pytest.mark.integration

KEY = "AWSLogs/aws-account-id=123456789012/a b.log.gz"
ENCODED_KEY = "AWSLogs/aws-account-id%3D123456789012/a+b.log.gz"
PROGRAM = """
import json, sys
from types import SimpleNamespace
from vpcflow.lambdas.objects import handler
context = SimpleNamespace(get_remaining_time_in_millis=lambda: 33_000, aws_request_id="1")
for event in map(json.loads, sys.stdin):
    print(json.dumps({"answer": handler(event, context)}))
"""


@pytest.fixture(scope="module")
def aws() -> Iterator[dict[str, str]]:
    """An environment that leads to moto, with what flow logs would have put in a bucket."""
    with moto_server() as url:
        environ = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        s3 = client("s3", environ)
        for bucket in ("logs", "lake", "delivered"):
            s3.create_bucket(Bucket=f"example-{bucket}")
        body = gzip.compress("".join(f"{line(i)}\n" for i in range(1, 701)).encode())
        s3.put_object(Bucket="example-logs", Key=KEY, Body=body)
        s3.put_object(Bucket="example-logs", Key="damaged.log.gz", Body=body[: len(body) // 2])
        role = "arn:aws:iam::123456789012:role/firehose"
        client("firehose", environ).create_delivery_stream(
            DeliveryStreamName="flows",
            DeliveryStreamType="DirectPut",
            ExtendedS3DestinationConfiguration={
                "RoleARN": role,
                "BucketARN": "arn:aws:s3:::example-delivered",
            },
        )
        yield environ


def client(service: str, environ: dict[str, str]) -> Any:
    return boto3.client(
        service,
        endpoint_url=environ["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


def run(aws: dict[str, str], tmp_path: Path, *events: Any, **settings: str) -> list[Any]:
    """Run the handler in a process of its own, and give what it answers and tells."""
    interface = {"NetworkInterfaceId": "eni-0a1b2c3d4e5f60718", "PrivateIpAddress": "10.0.1.24"}
    (tmp_path / "enis.json").write_text(json.dumps({"NetworkInterfaces": [interface]}))
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": ":".join(sys.path),
        "INVENTORY": str(tmp_path),
        "INVENTORY_LOOK_UPS": "false",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input="".join(f"{json.dumps(event)}\n" for event in events),
        capture_output=True,
        text=True,
        env=environ | aws | settings,
        check=True,
    )
    return [json.loads(text) for text in done.stdout.splitlines()]


def event(*keys: str) -> dict[str, Any]:
    return {
        "Records": [
            {"messageId": f"m{i}", "eventSource": "aws:sqs", "body": json.dumps(message(key))}
            for i, key in enumerate(keys)
        ]
    }


def message(key: str) -> dict[str, Any]:
    place = {"bucket": {"name": "example-logs"}, "object": {"key": key}}
    return {"Records": [{"eventName": "ObjectCreated:Put", "s3": place}]}


def bodies(aws: dict[str, str], bucket: str) -> dict[str, bytes]:
    s3 = client("s3", aws)
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket).get("Contents", ())]
    return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def test_a_queues_messages_become_parquet_and_a_redelivery_changes_nothing(
    aws: dict[str, str], tmp_path: Path
) -> None:
    output = "s3://example-lake/enriched/"

    told = run(aws, tmp_path, event(ENCODED_KEY, "none"), event(ENCODED_KEY), OUTPUT=output)

    answers = [one["answer"] for one in told if "answer" in one]
    batches = [one for one in told if "records_found" in one]
    assert answers == [{"batchItemFailures": []}] * 2
    assert [one["records_delivered"] for one in batches] == [700, 700]
    assert batches[0]["inputs_gone"] == 1
    [file] = bodies(aws, "example-lake").values()
    assert pq.read_table(io.BytesIO(file)).column("srcport").to_pylist() == list(range(1, 701))


def test_a_queues_messages_become_documents_on_a_stream(
    aws: dict[str, str], tmp_path: Path
) -> None:
    told = run(
        aws,
        tmp_path,
        event(ENCODED_KEY, "damaged.log.gz"),
        DELIVERY_STREAM_NAME="flows",
        SCHEMA="flat",
    )

    assert told[-1] == {"answer": {"batchItemFailures": [{"itemIdentifier": "m1"}]}}
    delivered = b"".join(bodies(aws, "example-delivered").values())
    documents = [json.loads(one) for one in delivered.splitlines()]
    assert len(documents) == told[-2]["records_delivered"] > 700
    assert {d["inventory_state"] for d in documents} <= {"nearest", "stale"}


def test_wrong_settings_stop_the_start_with_one_line(aws: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run(aws, tmp_path, event())

    [said] = caught.value.stdout.splitlines()
    assert json.loads(said)["error"] == "OUTPUT='firehose': needs DELIVERY_STREAM_NAME"


def test_a_queues_messages_become_documents_of_a_server_and_a_redelivery_changes_nothing(
    aws: dict[str, str], tmp_path: Path, opensearch: OpenSearchServer
) -> None:
    output = f"opensearch+http://{opensearch.netloc}/flows"

    told = run(aws, tmp_path, event(ENCODED_KEY), event(ENCODED_KEY), OUTPUT=output, SCHEMA="ecs")

    assert [one["answer"] for one in told if "answer" in one] == [{"batchItemFailures": []}] * 2
    batches = [one for one in told if "records_found" in one]
    assert [one["records_delivered"] for one in batches] == [700, 0]
    assert batches[1]["records_duplicate"] == 700
    opensearch.ask("POST", "flows-*/_refresh")
    assert opensearch.ask("GET", "flows-2023.11.14/_count")["count"] == 700


def test_a_server_that_is_not_there_makes_the_messages_come_again(
    aws: dict[str, str], tmp_path: Path
) -> None:
    told = run(aws, tmp_path, event(ENCODED_KEY), OUTPUT="opensearch+http://127.0.0.1:9/flows")

    (answer,) = [one["answer"] for one in told if "answer" in one]
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert told[-2]["records_failed"] == 700
    assert any("takes no more" in one.get("text", "") for one in told)
