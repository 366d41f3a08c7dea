"""The account itself as an inventory, against moto's server. moto does not page: see tests/aws for that."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from commands import Vpcflow
from moto_server import moto_server

from vpcflow.cli.reference import ReferenceOptions, load_reference, rule_kinds
from vpcflow.cli.words import Words
from vpcflow.inventory import load_inventory

pytestmark = pytest.mark.integration

ROLE = "arn:aws:iam::210987654321:role/vpcflow"
REGION = "eu-west-1"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with moto_server() as address:
        yield address


@pytest.fixture(autouse=True)
def aws(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="module")
def interface_id(address: str) -> str:
    """An interface in a group with a rule, a flow log on its VPC, and a bucket."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        ec2: Any = boto3.client("ec2", region_name=REGION, endpoint_url=address)
        s3: Any = boto3.client("s3", region_name=REGION, endpoint_url=address)
        s3.create_bucket(
            Bucket="snapshots", CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        vpc_id = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet_id = ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
        group = ec2.create_security_group(VpcId=vpc_id, GroupName="web", Description="web")
        ec2.create_flow_logs(
            ResourceIds=[vpc_id],
            ResourceType="VPC",
            TrafficType="ALL",
            LogDestinationType="s3",
            LogDestination="arn:aws:s3:::snapshots",
            LogFormat="${interface-id} ${srcaddr} ${dstaddr} ${start} ${end}",
        )
        made = ec2.create_network_interface(
            SubnetId=subnet_id, Groups=[group["GroupId"]], PrivateIpAddress="10.0.1.24"
        )
    return str(made["NetworkInterface"]["NetworkInterfaceId"])


def test_an_account_is_captured_to_a_file(
    vpcflow: Vpcflow, interface_id: str, tmp_path: Path
) -> None:
    done = vpcflow("inventory", "capture", "--to", tmp_path / "a.json.gz")

    found = load_inventory(tmp_path / "a.json.gz", warn=print)
    assert done.status == 0, done.err
    assert found.knows(interface_id)
    assert found.scopes == (("123456789012", REGION),)
    assert found.snapshots[0].covers("security_group_rules", ("123456789012", REGION))
    assert "1 network interfaces" in done.err
    assert "calls to EC2" in done.err


def test_regions_and_roles_are_captured_to_a_folder_in_s3(
    vpcflow: Vpcflow, interface_id: str
) -> None:
    regions = ("--region", REGION, "--region", "us-east-1")

    done = vpcflow("inventory", "capture", *regions, "--role-arn", ROLE, "--to", "s3://snapshots/a")
    shown = vpcflow("inventory", "show", "s3://snapshots/a/")

    assert done.status == 0, done.err
    assert "210987654321 in us-east-1" in done.err
    assert b"210987654321" in shown.out


def test_what_cannot_be_captured_is_said_and_the_rest_is_written(
    vpcflow: Vpcflow, interface_id: str, tmp_path: Path
) -> None:
    roles = ("--role-arn", "no-role", "--role-arn", ROLE)

    done = vpcflow("inventory", "capture", *roles, "--to", f"{tmp_path}/")

    [file] = tmp_path.iterdir()
    assert done.status == 3
    assert "no-role is not in it: cannot" in done.err
    assert load_inventory(file, warn=print).scopes == (("210987654321", REGION),)


def test_where_nothing_can_be_captured_nothing_is_written(
    vpcflow: Vpcflow, interface_id: str, tmp_path: Path
) -> None:
    done = vpcflow("inventory", "capture", "--role-arn", "no-role", "--to", f"{tmp_path}/")

    assert done.status == 1
    assert list(tmp_path.iterdir()) == []


def test_the_account_itself_is_an_inventory(vpcflow: Vpcflow, interface_id: str) -> None:
    lines = f"{interface_id} 192.0.2.9 10.0.1.24 1700000001 1700000059"

    done = vpcflow("enrich", "--inventory", "aws", "--geo", "off", given=lines.encode())

    assert done.status == 0, done.err
    [document] = done.documents
    assert document["security_group_names"] == ["web"]
    assert document["inventory_state"] == "stale"
    assert "asked EC2 for the inventory: 123456789012 in eu-west-1" in done.err


def test_rules_are_asked_for_with_all_that_lies_between_vpcs(interface_id: str) -> None:
    given = ReferenceOptions("aws", None, 3600, None, "off", None, None, None, kinds=rule_kinds())

    inventory = load_reference(given, Words(quiet=True)).inventory

    assert inventory is not None
    (snapshot,) = inventory.snapshots
    assert snapshot.gaps == ()
    assert snapshot.kinds >= rule_kinds()
    (subnet_id,) = (e.subnet_id for e in snapshot.interfaces if e.interface_id == interface_id)
    (acl,) = (one for one in snapshot.network_acls if subnet_id in one.subnet_ids)
    assert acl.scope == ("123456789012", REGION)
    assert {(e.number, e.allow) for e in acl.entries} == {(100, True), (32767, False)}


def test_a_line_without_a_header_has_the_layout_of_the_accounts_flow_logs(
    vpcflow: Vpcflow, interface_id: str
) -> None:
    line = f"{interface_id} 192.0.2.9 10.0.1.24 1700000001 1700000059\n".encode()
    boto3.client("s3").put_object(Bucket="snapshots", Key="logs/x.log", Body=line)

    done = vpcflow("parse", "--log-format", "aws", "s3://snapshots/logs/x.log")

    assert done.documents[0]["srcaddr"] == "192.0.2.9"


def test_a_time_for_what_is_of_now_is_refused(vpcflow: Vpcflow) -> None:
    done = vpcflow("enrich", "--inventory", "aws", "--inventory-time", "1700000000")

    assert done.status == 2
    assert "--inventory aws is of now" in done.err


def test_an_external_id_without_a_role_is_refused(vpcflow: Vpcflow, tmp_path: Path) -> None:
    done = vpcflow("inventory", "capture", "--external-id", "x", "--to", tmp_path)

    assert done.status == 2
    assert "give --role-arn too" in done.err
