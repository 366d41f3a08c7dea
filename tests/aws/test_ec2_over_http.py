"""boto3 itself against an EC2 that pages, throttles and refuses, over HTTP."""

from __future__ import annotations

import os
from typing import Any

import pytest
from ec2_fake import ACCOUNT, FakeEc2, raw_eni
from ec2_server import ec2_server

from vpcflow.aws.clients import client
from vpcflow.aws.describe import capture, interfaces_by_id
from vpcflow.aws.ec2 import IN_A_FUNCTION, Ec2
from vpcflow.errors import AwsError

pytestmark = pytest.mark.integration

SCOPE = (ACCOUNT, "eu-west-1")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


def open_ec2(address: str, patch: pytest.MonkeyPatch) -> Ec2:
    patch.setenv("AWS_ENDPOINT_URL", address)
    return Ec2(client("ec2", region="eu-west-1", patience=IN_A_FUNCTION), SCOPE)


def run(ec2: Ec2) -> Any:
    return capture(ec2, clock=lambda: 1_700_000_000, warn=print)


def test_every_page_is_asked_for_with_the_largest_size_and_managed_resources(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = FakeEc2(describe_network_interfaces=[raw_eni(n) for n in range(2500)])
    with ec2_server(fake) as address:
        ec2 = open_ec2(address, monkeypatch)

        found = run(ec2)

    assert len(found.interfaces) == 2500
    assert found.interfaces[1].addresses == ("10.0.0.1",)
    assert [p for o, p in fake.asked if o == "describe_network_interfaces"] == [
        {"MaxResults": 1000, "IncludeManagedResources": "true"},
        {"MaxResults": 1000, "IncludeManagedResources": "true", "NextToken": "1000"},
        {"MaxResults": 1000, "IncludeManagedResources": "true", "NextToken": "2000"},
    ]
    assert ec2.calls == sum(fake.calls.values()) == 3 + 12


def test_where_ec2_is_busy_it_is_asked_again_and_the_calls_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = FakeEc2(describe_network_interfaces=[raw_eni(1)])
    with ec2_server(fake, throttled=2) as address:
        ec2 = open_ec2(address, monkeypatch)

        run(ec2)

    assert ec2.calls == sum(fake.calls.values()) + 2


def test_a_refusal_names_the_permission_and_where(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeEc2()
    fake.refused["describe_security_groups"] = "UnauthorizedOperation"
    with ec2_server(fake) as address:
        ec2 = open_ec2(address, monkeypatch)

        with pytest.raises(AwsError) as raised:
            run(ec2)

    assert raised.value.permanent
    assert str(raised.value) == (
        "cannot call ec2:DescribeSecurityGroups for 123456789012 in eu-west-1: UnauthorizedOperation: no"
    )


def test_a_filter_reaches_ec2(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeEc2(describe_network_interfaces=[raw_eni(n) for n in range(9)])
    wanted = [raw_eni(n)["NetworkInterfaceId"] for n in (3, 5, 99)]
    with ec2_server(fake) as address:
        ec2 = open_ec2(address, monkeypatch)

        found = interfaces_by_id(ec2, wanted)

    assert [one.interface_id for one in found] == wanted[:2]
