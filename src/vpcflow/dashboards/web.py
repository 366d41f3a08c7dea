"""
Requests to a server of dashboards, or to the search server behind it: certificates checked, no redirect followed.

What is said of a failure names the address and never a header: one of them lets you in.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from vpcflow.errors import FormatError, SinkError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Authorize = Callable[[str, str, bytes], Mapping[str, str]]
    """Gives the headers that let a request in: of its method, its whole URL and its body."""

_TIMEOUT_S = 60.0
"""Saved objects are written one after the other, and each write may wait for a refresh of their index."""

_LIMIT_BYTES = 16 * 1024 * 1024
_SHOWN = 500


class Answer(NamedTuple):
    """What a server answered: its status, its body where that is JSON, else the text, and where it redirects to."""

    status: int
    body: Any
    location: str = ""

    @property
    def text(self) -> str:
        """The body in at most 500 characters, for an error; the server's own words where it has some."""
        said = self.body
        if isinstance(said, dict):
            said = said.get("message") or said.get("error") or said
        return " ".join(str(said).split())[:_SHOWN]


class Web:
    """A server at an address, ``https://HOST[:PORT][/PATH]``; the path is where a proxy or a service puts it."""

    def __init__(
        self, address: str, authorize: Authorize, *, context: ssl.SSLContext | None = None
    ) -> None:
        self.address = checked_address(address)
        self._authorize = authorize
        self._context = context

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """Make one request, with JSON; any status is an answer. Raises ``SinkError`` where there is none."""
        data = b"" if body is None else json.dumps(body).encode()
        return self.send(method, path, data, {"Content-Type": "application/json"})

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Make one request; any status is an answer. Raises ``SinkError`` where there is none."""
        url = f"{self.address}/{path}"
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        sent = {"Accept": "application/json", **headers, **self._authorize(method, url, body)}
        # A signature may name the host it is for, which the connection would say again.
        sent.pop("Host", None)
        connection = self._connection()
        try:
            connection.request(method, target, body, sent)
            response = connection.getresponse()
            text = response.read(_LIMIT_BYTES).decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise SinkError(
                f"cannot reach {self.address}: {_reason(error)}; see that it runs there, and that you may"
            ) from None
        except ValueError:
            # It quotes the header, which may be the one that lets you in.
            raise SinkError(
                f"nothing was sent to {self.address}: what lets you in, or the tenant, has a character that no header"
                " may have, as the end of a line"
            ) from None
        finally:
            connection.close()
        return Answer(response.status, _read(text), response.headers.get("Location", ""))

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.address)
        host = parts.hostname or ""
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, parts.port, timeout=_TIMEOUT_S)
        context = self._context or ssl.create_default_context()
        return http.client.HTTPSConnection(host, parts.port, timeout=_TIMEOUT_S, context=context)


def checked_address(address: str) -> str:
    """
    Give an address without a last slash; raises ``FormatError``, which never shows a password, nor what a query
    may hold.

    Without TLS only a server on this machine is allowed: what lets one in would go as it is.

    >>> checked_address("https://search.example.com/_dashboards/")
    'https://search.example.com/_dashboards'
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise FormatError(
            "the address has no such port: write https://HOST[:PORT][/PATH]"
        ) from None
    # A "/" in a password ends the host, and what follows would be shown as a path.
    if "@" in address:
        raise FormatError(
            "the address has a user in it: set VPCFLOW_OPENSEARCH_USER and VPCFLOW_OPENSEARCH_PASSWORD, which no list"
            " of processes shows"
        )
    if parts.query or parts.fragment:
        raise FormatError(
            "the address has something after its path, which is not shown: write https://HOST[:PORT][/PATH]"
        )
    if parts.scheme not in ("https", "http") or not host:
        raise FormatError(
            f"{address!r} is no address of a server: write https://HOST[:PORT][/PATH]"
        )
    if parts.scheme == "http" and not _is_here(host):
        raise FormatError(
            f"http:// is for a server on this machine: what lets you in would cross the network to {host!r}"
            " unencrypted; write https://"
        )
    return address.rstrip("/")


def nobody(method: str, url: str, body: bytes) -> Mapping[str, str]:
    """Authorize nothing: for a server that lets everyone in."""
    return {}


def basic(user: str, password: str) -> Authorize:
    """Authorize a user."""
    text = base64.b64encode(f"{user}:{password}".encode()).decode()
    return lambda method, url, body: {"Authorization": f"Basic {text}"}


def api_key(key: str) -> Authorize:
    """Authorize with an API key, encoded as Elasticsearch gives it out."""
    return lambda method, url, body: {"Authorization": f"ApiKey {key}"}


def _reason(error: OSError | http.client.HTTPException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate cannot be trusted ({error.verify_message})"
    if isinstance(error, TimeoutError):
        return f"no answer within {_TIMEOUT_S:.0f} s"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
