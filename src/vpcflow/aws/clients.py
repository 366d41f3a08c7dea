"""
Clients of AWS services, with time limits and retries that suit where they run.

Credentials, region and endpoint are boto3's own: environment, profile, instance or function role;
``AWS_ENDPOINT_URL`` leads to an emulator.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import boto3
from botocore.config import Config

from vpcflow.aws.failures import aws_errors


class Patience(NamedTuple):
    """How long to wait for a connection and for an answer, in seconds, and how often to try."""

    connect_timeout_s: float
    read_timeout_s: float
    attempts: int


AT_A_DESK = Patience(5, 60, 8)
"""For a command that a person has started: it may wait, and should end well."""

IN_A_FUNCTION = Patience(1, 2, 2)
"""For a Lambda function, whose time is measured; what is still refused is sent again by the caller, or put aside."""


def client(
    service: str,
    *,
    region: str | None = None,
    role_arn: str | None = None,
    patience: Patience = AT_A_DESK,
) -> Any:
    """
    Make a client of a service, of the region given or the environment's, in a role where one is named.

    Raises ``AwsError`` where there is no region, or the role cannot be assumed.
    """
    with aws_errors(f"make a client of {service}"):
        session = _session(region, role_arn, patience)
        return session.client(service, config=_config(patience))


@functools.cache
def _session(region: str | None, role_arn: str | None, patience: Patience) -> boto3.Session:
    plain = boto3.Session(region_name=region)
    if role_arn is None:
        return plain
    with aws_errors(f"assume the role {role_arn}"):
        answer = plain.client("sts", config=_config(patience)).assume_role(
            RoleArn=role_arn, RoleSessionName="vpcflow"
        )
    given = answer["Credentials"]
    return boto3.Session(
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
        region_name=region,
    )


def _config(patience: Patience) -> Config:
    return Config(
        connect_timeout=patience.connect_timeout_s,
        read_timeout=patience.read_timeout_s,
        retries={"mode": "standard", "total_max_attempts": patience.attempts},
        user_agent_extra="vpcflow",
    )
