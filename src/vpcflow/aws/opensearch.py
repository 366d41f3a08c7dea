"""Signed requests to an OpenSearch domain (``es``) or serverless collection (``aoss``)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.awsrequest import AWSRequest
from botocore.exceptions import HTTPClientError
from botocore.httpsession import URLLib3Session

from vpcflow.aws.signing import open_signer
from vpcflow.errors import AwsError

if TYPE_CHECKING:
    from vpcflow.aws.signing import Service, Signer

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

    def __init__(self, endpoint: str, service: Service, *, role_arn: str | None = None) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._service = service
        self._role_arn = role_arn
        self._signer: Signer | None = None
        self._http = URLLib3Session(timeout=_TIMEOUT_S)

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """Make one request; any status is an answer. Raises ``AwsError`` where there is none."""
        # Not before it is wanted: a role that has just been made may be assumed only after a while.
        self._signer = self._signer or open_signer(self._service, role_arn=self._role_arn)
        url = f"{self._endpoint}/{path}"
        data = b"" if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **self._signer(method, url, data)}
        request = AWSRequest(method=method, url=url, data=data, headers=headers)
        try:
            answer = self._http.send(request.prepare())
        except HTTPClientError as error:
            raise AwsError(
                f"cannot reach {self._endpoint}: {error}",
                code=type(error).__name__,
                permanent=False,
            ) from error
        return Answer(answer.status_code, _read(answer.text))


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
