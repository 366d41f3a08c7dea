"""Secrets in Parameter Store: remembered, and told to nobody."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from moto_server import moto_server

from vpcflow.aws.parameters import SecretParameter
from vpcflow.errors import AwsError

SECRET = "sentinel0123456789abcdef"
NAME = "ipstack-api-key"


class FakeSsm:
    """One parameter; what ``faults`` has is raised first."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.value = SECRET
        self.asked: list[dict[str, Any]] = []

    def get_parameter(self, **given: Any) -> dict[str, Any]:
        self.asked.append(given)
        if self.faults:
            raise self.faults.pop(0)
        return {"Parameter": {"Name": given["Name"], "Value": self.value}}


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "words"}}, "GetParameter")


def parameter(ssm: FakeSsm, clock: Clock) -> SecretParameter:
    return SecretParameter(NAME, lambda: ssm, clock=clock)


def test_the_value_is_decrypted_and_remembered_for_a_while() -> None:
    ssm, clock = FakeSsm(), Clock()
    secret = parameter(ssm, clock)

    values = [secret(), secret()]
    ssm.value = "another"
    clock.now_s = 899
    values.append(secret())
    clock.now_s = 900
    values.append(secret())

    assert values == [SECRET, SECRET, SECRET, "another"]
    assert ssm.asked == [{"Name": NAME, "WithDecryption": True}] * 2


@pytest.mark.parametrize(
    ("fault", "remembered_s"),
    [
        (refusal("ParameterNotFound"), 300),
        (refusal("AccessDeniedException"), 300),
        (refusal("ThrottlingException"), 10),
        (ConnectTimeoutError(endpoint_url="https://ssm.us-east-1.amazonaws.com"), 10),
    ],
    ids=lambda value: getattr(value, "response", {}).get("Error", {}).get("Code"),
)
def test_a_failure_is_remembered(fault: Exception, remembered_s: int) -> None:
    ssm, clock = FakeSsm(fault), Clock()
    secret = parameter(ssm, clock)

    for now_s in (0, 1, remembered_s - 1):
        clock.now_s = now_s
        with pytest.raises(AwsError, match=NAME):
            secret()
    clock.now_s = remembered_s

    assert secret() == SECRET
    assert len(ssm.asked) == 2


def test_a_value_serves_on_while_it_cannot_be_asked_for() -> None:
    ssm, clock = FakeSsm(), Clock()
    secret = parameter(ssm, clock)
    secret()

    ssm.faults = [refusal("ThrottlingException")]
    clock.now_s = 900

    assert secret() == SECRET


def test_a_value_that_was_taken_away_is_no_longer_used() -> None:
    ssm, clock = FakeSsm(), Clock()
    secret = parameter(ssm, clock)
    secret()

    ssm.faults = [refusal("AccessDeniedException")]
    clock.now_s = 900

    with pytest.raises(AwsError):
        secret()


def test_a_client_that_cannot_be_made_is_a_failure_too() -> None:
    def no_client() -> Any:
        raise AwsError("no region", code="NoRegionError", permanent=True)

    with pytest.raises(AwsError, match="no region"):
        SecretParameter(NAME, no_client)()


@pytest.fixture(scope="module")
def ssm() -> Iterator[Any]:
    with moto_server() as url:
        yield boto3.client(
            "ssm",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )


@pytest.mark.integration
def test_the_value_is_told_to_nobody(
    ssm: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not by the SDK either, whose log at DEBUG has what it got."""
    ssm.put_parameter(Name=NAME, Value=SECRET, Type="SecureString")
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    secret = SecretParameter(NAME, lambda: ssm)

    value = secret()
    ssm.delete_parameter(Name=NAME)
    secret._ask_s = 0
    with pytest.raises(AwsError) as raised:
        secret()

    out, err = capfd.readouterr()
    told = [caplog.text, out, err, repr(secret), *traceback.format_exception(raised.value)]
    assert value == SECRET
    assert raised.value.code == "ParameterNotFound"
    assert [text for text in told if SECRET in text] == []
