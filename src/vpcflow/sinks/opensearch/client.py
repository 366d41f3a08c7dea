"""
A search server through opensearch-py, OpenSearch or Elasticsearch: it asks no product what it is.

opensearch-py repeats nothing here, and compresses nothing: whoever sends knows when, and does it faster.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from opensearchpy import OpenSearch
from opensearchpy.exceptions import (
    ConnectionError,
    ImproperlyConfigured,
    SerializationError,
    TransportError,
)

from vpcflow.errors import AwsError, SinkError
from vpcflow.sinks.opensearch.server import Answer, NoAnswer

if TYPE_CHECKING:
    from vpcflow.sinks.opensearch.url import SearchUrl

Sign = Callable[[str, str, bytes | None], dict[str, str]]
"""From method, address and body to the headers that sign a request."""

TIMEOUT_S = 60.0
"""For a connection, and for an answer: a server under load takes some seconds for a request."""

_BULK_HEADERS = {"content-type": "application/x-ndjson", "content-encoding": "gzip"}

# urllib3's faults before anything was sent. They are told by name: it is opensearch-py that depends on urllib3.
_NOT_SENT = frozenset({"ConnectTimeoutError", "NameResolutionError", "NewConnectionError"})


class Access(NamedTuple):
    """Who writes: a user with a password, an API key, whoever signs, or nobody in particular."""

    user: str = ""
    password: str = ""
    api_key: str = ""
    sign: Sign | None = None

    def __repr__(self) -> str:
        """Show nothing of it: an error or a log may have it."""
        return "Access(…)"


class ClientServer:
    """A search server, for any number of threads."""

    def __init__(self, client: OpenSearch) -> None:
        self._client = client

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """Make one request, with JSON; any status is an answer. Raises ``NoAnswer``."""
        data = None if body is None else orjson.dumps(body)
        return self._request(method, path, data, {"content-type": "application/json"})

    def bulk(self, path: str, body: bytes) -> Answer:
        """Make one request of gzipped JSON lines; any status is an answer. Raises ``NoAnswer``."""
        return self._request("POST", path, body, _BULK_HEADERS)

    def close(self) -> None:
        self._client.close()

    def _request(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> Answer:
        try:
            answer = self._client.transport.perform_request(
                method, f"/{path}", body=body, headers=headers
            )
        except ConnectionError as error:
            raise _no_answer(error) from error
        except TransportError as error:
            info = error.info if isinstance(error.info, dict) else error.error
            return Answer(int(error.status_code), info)
        except SerializationError as error:
            raise NoAnswer(f"an answer that is no JSON: {error}", sent=True) from error
        return Answer(200, answer)


def open_server(
    url: SearchUrl,
    access: Access | None = None,
    *,
    ca_file: str | None = None,
    timeout_s: float = TIMEOUT_S,
    connections: int = 4,
) -> ClientServer:
    """
    Make a client of the server; nothing is sent yet. Certificates are verified, by ``ca_file`` where it is given.

    Raises ``SinkError`` where that file cannot be used.
    """
    # Each fault is an exception here, and told where it matters; else Python would print it.
    logging.getLogger("opensearch").addHandler(logging.NullHandler())
    access = access or Access()
    headers = {"accept-encoding": "gzip"}
    if access.api_key:
        headers["authorization"] = f"ApiKey {access.api_key}"
    try:
        client = OpenSearch(
            hosts=[{"host": url.host, "port": url.port}],
            use_ssl=url.is_secure,
            ssl_context=_tls(ca_file) if url.is_secure else None,
            http_auth=(access.user, access.password) if access.user else access.sign,
            headers=headers,
            timeout=timeout_s,
            pool_maxsize=connections,
            max_retries=0,
        )
    except ImproperlyConfigured as error:
        raise SinkError(f"cannot open {url.server}: {error}") from error
    return ClientServer(client)


def _tls(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise SinkError(f"cannot use --ca-file {ca_file!r}: {error}") from error


def _no_answer(error: ConnectionError) -> NoAnswer:
    cause = error.info
    if isinstance(cause, AwsError):
        return NoAnswer(str(cause), sent=False, permanent=cause.permanent)
    name = type(cause).__name__
    text = str(cause) or name
    if any(isinstance(one, ssl.SSLCertVerificationError) for one in _causes(cause)):
        text = f"its certificate is not trusted ({text}); name who signed it with --ca-file"
        return NoAnswer(text, sent=False, permanent=True)
    return NoAnswer(text, sent=name not in _NOT_SENT)


def _causes(error: object) -> list[BaseException]:
    """Give an exception, what it was raised for, and what it holds."""
    found: list[BaseException] = []
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return found
