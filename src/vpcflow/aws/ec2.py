"""EC2 of one account and region, call by call; every one is counted."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

from vpcflow.aws.clients import AT_A_DESK, Patience, client
from vpcflow.aws.failures import aws_errors

if TYPE_CHECKING:
    from vpcflow.inventory.model import Scope

IN_A_FUNCTION = Patience(1, 20, 5)
"""For a function: a page of a thousand network interfaces may take seconds, and EC2 refuses some when it is busy."""


class Target(NamedTuple):
    """An account and region to ask: that of the credentials and the environment where nothing is named."""

    region: str | None = None
    role_arn: str | None = None
    external_id: str | None = None

    def __str__(self) -> str:
        who = self.role_arn or "this account"
        return f"{who} in {self.region}" if self.region else who


class Ec2:
    """
    EC2 as ``describe`` asks it: ``client`` is boto3's. ``calls`` counts what went out, repetitions included.
    """

    def __init__(self, client: Any, scope: Scope) -> None:
        self.scope = scope
        self.calls = 0
        self._client = client

    def ask(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """
        Make one call: ``operation`` as boto3 spells it; parameters that this boto3 does not know yet are left out.

        Raises ``AwsError``.
        """
        self.calls += 1
        known = _parameters(self._client, operation)
        given = {k: v for k, v in parameters.items() if known is None or k in known}
        where = " in ".join(part for part in self.scope if part) or "this account"
        with aws_errors(f"call {permission(operation)} for {where}"):
            answer: dict[str, Any] = getattr(self._client, operation)(**given)
        self.calls += int(answer.get("ResponseMetadata", {}).get("RetryAttempts", 0))
        return answer


def open_ec2(target: Target, *, patience: Patience = AT_A_DESK) -> Ec2:
    """Make what asks EC2 there; the account is that of the role, else STS tells it. Raises ``AwsError``."""
    open_client = functools.partial(
        client,
        region=target.region,
        role_arn=target.role_arn,
        external_id=target.external_id,
        patience=patience,
    )
    ec2 = open_client("ec2")
    account = account_of_role(target.role_arn) if target.role_arn else None
    if account is None:
        with aws_errors("ask STS whose credentials these are"):
            account = str(open_client("sts").get_caller_identity()["Account"])
    return Ec2(ec2, (account, ec2.meta.region_name))


def account_of_role(role_arn: str) -> str | None:
    """
    Give the account in the ARN of a role; None where there is none.

    >>> account_of_role("arn:aws:iam::123456789012:role/vpcflow")
    '123456789012'
    """
    parts = role_arn.split(":")
    return parts[4] if len(parts) > 5 and parts[4].isdigit() else None


def permission(operation: str) -> str:
    """
    Name the permission that a call needs.

    >>> permission("describe_security_group_vpc_associations")
    'ec2:DescribeSecurityGroupVpcAssociations'
    """
    return "ec2:" + operation.title().replace("_", "")


def _parameters(client: Any, operation: str) -> set[str] | None:
    """Give the parameters that a client of boto3's knows; None where it cannot tell."""
    meta = getattr(client, "meta", None)
    if meta is None:
        return None
    name = meta.method_to_api_mapping[operation]
    return set(meta.service_model.operation_model(name).input_shape.members)
