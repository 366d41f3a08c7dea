"""Credentials of a role: against moto's STS, on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from moto_server import moto_server

from vpcflow.aws.clients import client
from vpcflow.aws.ec2 import Target, open_ec2
from vpcflow.errors import AwsError

pytestmark = pytest.mark.integration

OTHER = "210987654321"
ROLE = f"arn:aws:iam::{OTHER}:role/vpcflow"


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    with moto_server() as address:
        yield address


@pytest.fixture(autouse=True)
def _environment(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_a_client_in_a_role_speaks_for_the_roles_account() -> None:
    sts = client("sts", region="eu-west-1", role_arn=ROLE, external_id="agreed")

    assert sts.get_caller_identity()["Account"] == OTHER


def test_credentials_about_to_expire_are_fetched_anew() -> None:
    ec2 = client("ec2", region="eu-west-3", role_arn=ROLE)
    credentials = _credentials(ec2)
    before = credentials.get_frozen_credentials().access_key

    soon = datetime.now(UTC) + timedelta(minutes=1)
    credentials._expiry_time = soon
    for answer in credentials._refresh_using.__self__._cache.values():
        answer["Credentials"]["Expiration"] = soon.isoformat()
    ec2.describe_vpcs(MaxResults=5)

    assert credentials.get_frozen_credentials().access_key != before


def test_without_credentials_a_role_cannot_be_assumed_and_no_retry_can_mend_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(AwsError, match=f"assume the role {ROLE}") as raised:
        client("ec2", region="eu-central-1", role_arn=ROLE)

    assert raised.value.permanent


def test_the_account_of_a_scope_is_the_roles_else_what_sts_says() -> None:
    own = open_ec2(Target(region="eu-west-1"))
    other = open_ec2(Target(region="us-east-1", role_arn=ROLE))

    assert own.scope == ("123456789012", "eu-west-1")
    assert other.scope == (OTHER, "us-east-1")


def _credentials(ec2: Any) -> Any:
    return ec2._request_signer._credentials
