"""
Clients of AWS services, with time limits and retries that suit where they run.

Credentials, region and endpoint are boto3's own: environment, profile, instance or function role;
``AWS_ENDPOINT_URL`` leads to an emulator.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import NoCredentialsError

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
    external_id: str | None = None,
    patience: Patience = AT_A_DESK,
) -> Any:
    """
    Make a client of a service, of the region given or the environment's, in a role where one is named.

    A role is assumed anew whenever its credentials are about to expire. Raises ``AwsError`` where there is no region,
    or the role cannot be assumed.
    """
    with aws_errors(f"make a client of {service}"):
        session = _session(region, role_arn, external_id, patience)
        return session.client(service, config=_config(patience))


def open_session(
    region: str | None, role_arn: str | None, external_id: str | None, patience: Patience
) -> boto3.Session:
    """Make a session as ``client`` has it, and one that nobody else has."""
    plain = boto3.Session(region_name=region)
    if role_arn is None:
        return plain
    in_role = botocore.session.Session()
    in_role.set_config_variable("region", plain.region_name)
    provider = _RoleProvider(plain, role_arn, external_id, patience)
    in_role.register_component("credential_provider", CredentialResolver([provider]))
    with aws_errors(f"assume the role {role_arn}"):
        # Else a role that may not be assumed would only be found out by the first call.
        in_role.get_credentials().get_frozen_credentials()
    return boto3.Session(botocore_session=in_role)


_session = functools.cache(open_session)


class _RoleProvider(CredentialProvider):  # type: ignore[misc]  # botocore has no types
    """Gives credentials of a role that refresh themselves, from those of another session, which may do so too."""

    METHOD = "assume-role"

    def __init__(
        self, source: boto3.Session, role_arn: str, external_id: str | None, patience: Patience
    ) -> None:
        super().__init__()
        self._source = source
        self._role_arn = role_arn
        self._extra = {"RoleSessionName": "vpcflow"}
        if external_id:
            self._extra["ExternalId"] = external_id
        self._config = _config(patience)

    def load(self) -> DeferredRefreshableCredentials:
        own = self._source.get_credentials()
        if own is None:
            raise NoCredentialsError
        fetcher = AssumeRoleCredentialFetcher(
            functools.partial(self._source.client, config=self._config),
            own,
            self._role_arn,
            extra_args=self._extra,
        )
        return DeferredRefreshableCredentials(fetcher.fetch_credentials, self.METHOD)


def _config(patience: Patience) -> Config:
    return Config(
        connect_timeout=patience.connect_timeout_s,
        read_timeout=patience.read_timeout_s,
        retries={"mode": "standard", "total_max_attempts": patience.attempts},
        user_agent_extra="vpcflow",
    )
