"""Signatures of requests to OpenSearch: what opensearch-py takes as ``http_auth``, and ``aws.opensearch`` too."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import NoCredentialsError, NoRegionError

from vpcflow.aws.clients import AT_A_DESK, open_session
from vpcflow.aws.failures import aws_errors

if TYPE_CHECKING:
    from botocore.credentials import Credentials

    from vpcflow.aws.clients import Patience

    Service = Literal["es", "aoss"]
    """A domain, or a serverless collection."""


class Signer:
    """
    Gives the headers that sign a request; call it again for each attempt, as a signature is good for five minutes.

    It is what opensearch-py's ``Urllib3HttpConnection`` calls, with the body as it is sent, compressed if it is.
    Threads may share it.
    """

    def __init__(self, credentials: Credentials, region: str, service: Service) -> None:
        self._credentials = credentials
        self._region = region
        self._service = service

    def __call__(self, method: str, url: str, body: bytes | str | None = None) -> dict[str, str]:
        """Sign; raises ``AwsError`` where credentials that have run out cannot be had anew."""
        data = body.encode() if isinstance(body, str) else body or b""
        request = AWSRequest(method=method, url=url, data=data)
        # A collection refuses what has no hash of the body among the signed headers.
        request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(data).hexdigest()
        with aws_errors(f"sign a request to {url.partition('?')[0]}"):
            # All of one time: the parts could be of before and after a refresh.
            frozen = self._credentials.get_frozen_credentials()
            SigV4Auth(frozen, self._service, self._region).add_auth(request)
        return dict(request.headers.items())


def open_signer(
    service: Service,
    *,
    region: str | None = None,
    role_arn: str | None = None,
    external_id: str | None = None,
    patience: Patience = AT_A_DESK,
) -> Signer:
    """
    Make a signer with the environment's credentials, or those of a role, which are fetched anew before they run out.

    Raises ``AwsError`` where there are no credentials or no region, or the role cannot be assumed: else the first
    request would find out, and look like a server that is away.
    """
    with aws_errors(f"sign requests to {service}"):
        session = open_session(region, role_arn, external_id, patience)
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        if session.region_name is None:
            raise NoRegionError
        credentials.get_frozen_credentials()
    return Signer(credentials, session.region_name, service)
