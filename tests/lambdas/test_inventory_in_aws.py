"""The inventory function writes to S3, and another function reads there and looks up in EC2: on moto's server."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto_server import moto_server

from vpcflow.aws import clients
from vpcflow.aws.inventory_source import open_inventory_source
from vpcflow.lambdas.settings import load_settings

pytestmark = pytest.mark.integration

REGION = "eu-west-1"
FOLDER = "s3://snapshots/inventory/"


class Context:
    aws_request_id = "00000000-0000-0000-0000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return 300_000


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with moto_server() as address:
        yield address


@pytest.fixture(autouse=True)
def ec2(address: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    # What a process has found out of its credentials it keeps.
    clients._session.cache_clear()
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("SNAPSHOTS", FOLDER)
    return boto3.client("ec2")


def make_interface(ec2: Any) -> str:
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    return str(
        ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    )


def source(**environ: str) -> Any:
    return open_inventory_source(load_settings("decorator", environ))


def test_what_one_function_writes_another_reads_and_completes(
    ec2: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    s3: Any = boto3.client("s3")
    s3.create_bucket(Bucket="snapshots", CreateBucketConfiguration={"LocationConstraint": REGION})
    captured = make_interface(ec2)
    function = importlib.import_module("vpcflow.lambdas.inventory")

    done = function.handler({"detail-type": "Scheduled Event", "detail": {}}, Context())
    later = make_interface(ec2)
    reader = source(INVENTORY=FOLDER)
    found = reader.look_up([captured, later, "eni-00000000000000000"])

    assert done["snapshot"].endswith(".json.gz")
    assert '"snapshots_written":1' in capsys.readouterr().out
    assert found.knows(captured)
    assert found.knows(later)
    assert +reader.counts == {"look_ups": 1, "enis_found": 1, "enis_unknown": 1}
    assert reader.age_s < 60


def test_a_function_without_snapshots_asks_ec2_itself(ec2: Any) -> None:
    captured = make_interface(ec2)

    reader = source(INVENTORY="aws")

    assert reader.current().knows(captured)
    assert +reader.counts == {}


def test_without_credentials_all_is_unknown_and_nothing_raises(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    reader = source(INVENTORY="aws")

    found = reader.look_up(["eni-00000000000000000"])

    assert found.snapshots == ()
    assert reader.counts == {
        "refresh_failed": 1, "look_ups": 1, "look_ups_limited": 0, "look_ups_failed": 1, "enis_unknown": 1,
    }  # fmt: skip
