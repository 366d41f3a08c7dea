"""Signed requests to an OpenSearch domain (``es``) or serverless collection (``aoss``)."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import HTTPClientError, NoCredentialsError, NoRegionError
from botocore.httpsession import URLLib3Session

from vpcflow.aws.clients import client
from vpcflow.aws.failures import aws_errors
from vpcflow.errors import AwsError

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials

_TIMEOUT_S = (5, 30)
_MAX_TEXT = 500


class Answer(NamedTuple):
    """What OpenSearch answered: its status, and its body where that is JSON, else the text."""

    status: int
    body: Any

    @property
    def text(self) -> str:
        """The body in at most 500 characters, for an error."""
        return str(self.body)[:_MAX_TEXT]


class OpenSearch:
    """An endpoint, ``https://…``, and whose credentials sign: the function's own, or those of a role it assumes."""

    def __init__(self, endpoint: str, service: str, *, role_arn: str | None = None) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._service = service
        self._role_arn = role_arn
        self._http = URLLib3Session(timeout=_TIMEOUT_S)

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """Make one request; any status is an answer. Raises ``AwsError`` where there is none."""
        request = AWSRequest(
            method=method,
            url=f"{self._endpoint}/{path}",
            data=b"" if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        # A collection refuses what has no hash of the body among the signed headers.
        request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(request.data).hexdigest()
        with aws_errors(f"sign a request to {self._endpoint}"):
            credentials, region = self._credentials()
            SigV4Auth(credentials, self._service, region).add_auth(request)
        try:
            answer = self._http.send(request.prepare())
        except HTTPClientError as error:
            raise AwsError(
                f"cannot reach {self._endpoint}: {error}",
                code=type(error).__name__,
                permanent=False,
            ) from error
        return Answer(answer.status_code, _read(answer.text))

    def _credentials(self) -> tuple[ReadOnlyCredentials, str]:
        session = boto3.Session()
        if session.region_name is None:
            raise NoRegionError
        if self._role_arn:
            assumed = client("sts").assume_role(
                RoleArn=self._role_arn, RoleSessionName="vpcflow-index-setup"
            )["Credentials"]
            session = boto3.Session(
                aws_access_key_id=assumed["AccessKeyId"],
                aws_secret_access_key=assumed["SecretAccessKey"],
                aws_session_token=assumed["SessionToken"],
                region_name=session.region_name,
            )
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        return credentials.get_frozen_credentials(), session.region_name


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
