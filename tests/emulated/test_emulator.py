"""What the emulator is trusted with by the tests that deploy to it, and where it is not AWS."""

from __future__ import annotations

import io
import textwrap
import zipfile
from typing import Any

import pytest
from emulator import ACCOUNT, REGION, Emulator, eventually

pytestmark = pytest.mark.integration

CODE = """
import base64

def handler(event, context):
    answers = {b"good": "Ok", b"dull": "Dropped", b"bad": "ProcessingFailed"}
    return {"records": [
        {"recordId": one["recordId"], "data": base64.b64encode(b"%d of " % len(event["records"]) + line).decode(),
         "result": answers[line.split()[0]]}
        for one in event["records"] for line in [base64.b64decode(one["data"])]
    ]}
"""


@pytest.fixture(scope="module")
def stream(emulator: Emulator) -> str:
    """A stream to a bucket, through a function that answers by the first word of a record."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", textwrap.dedent(CODE))
    function = emulator.client("lambda").create_function(
        FunctionName="answers",
        Runtime="python3.13",
        Handler="app.handler",
        Role=f"arn:aws:iam::{ACCOUNT}:role/function",
        Code={"ZipFile": code.getvalue()},
    )
    emulator.client("s3").create_bucket(
        Bucket="flows", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    emulator.client("firehose").create_delivery_stream(
        DeliveryStreamName="flows",
        ExtendedS3DestinationConfiguration={
            "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/stream",
            "BucketARN": "arn:aws:s3:::flows",
            "ProcessingConfiguration": {
                "Enabled": True,
                "Processors": [
                    {
                        "Type": "Lambda",
                        "Parameters": [
                            {
                                "ParameterName": "LambdaArn",
                                "ParameterValue": function["FunctionArn"],
                            }
                        ],
                    }
                ],
            },
        },
    )
    return "flows"


def put(emulator: Emulator, stream: str, *records: bytes) -> Any:
    return emulator.client("firehose").put_record_batch(
        DeliveryStreamName=stream, Records=[{"Data": record} for record in records]
    )


def objects(emulator: Emulator, bucket: str) -> list[bytes]:
    s3 = emulator.client("s3")
    listed = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    return [s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in listed]


def test_it_transforms_records_one_by_one_and_keeps_none_that_failed(
    emulator: Emulator, stream: str
) -> None:
    """AWS sends many records in one event, and writes those that failed under the error prefix; here they are gone."""
    answer = put(emulator, stream, b"good one", b"dull one", b"bad one", b"good two")

    assert answer["FailedPutCount"] == 0
    eventually(lambda: len(objects(emulator, stream)) == 2)
    assert sorted(objects(emulator, stream)) == [b"1 of good one", b"1 of good two"]


def test_it_knows_the_account_that_the_environment_names(emulator: Emulator) -> None:
    identity = emulator.client("sts").get_caller_identity()

    assert identity["Account"] == ACCOUNT
