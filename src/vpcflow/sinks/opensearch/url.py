"""The name of an output on a search server: ``opensearch+https://HOST[:PORT]/NAME``."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from vpcflow.errors import FormatError

SECURE, PLAIN = "opensearch+https", "opensearch+http"

_PORTS = {SECURE: 443, PLAIN: 9200}
_FORM = "opensearch+https://HOST[:PORT]/NAME"

# What an index may be called, short of the day that follows, and without the characters that URLs give a meaning.
# https://docs.opensearch.org/latest/api-reference/index-apis/create-index/#index-naming-restrictions
INDEX_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,199}\Z")


class SearchUrl(NamedTuple):
    """A server, and the name that its indexes begin with."""

    host: str
    port: int
    name: str
    is_secure: bool = True

    @property
    def server(self) -> str:
        """
        The server's own address.

        >>> SearchUrl("::1", 9200, "flows", False).server
        'http://[::1]:9200'
        """
        scheme = "https" if self.is_secure else "http"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"


def is_search_url(text: object) -> bool:
    """Tell whether something names an output on a search server."""
    return isinstance(text, str) and text.partition("://")[0] in _PORTS


def parse_search_url(text: str) -> SearchUrl:
    """
    Read the address; raises ``FormatError``, which never shows a password, nor what a query may hold.

    Without TLS only a server on this machine is allowed: flows, and what lets one in, would go as they are.

    >>> parse_search_url("opensearch+https://search.example.com/flows")
    SearchUrl(host='search.example.com', port=443, name='flows', is_secure=True)
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
        if port == 0:
            raise ValueError
    except ValueError:
        raise FormatError(
            f"the address of a search server has no such port: write {_FORM}"
        ) from None
    # A "/" in a password ends the host, and what follows would be shown as a path.
    if "@" in text:
        raise FormatError(
            "the address of a search server has a user in it: set VPCFLOW_OPENSEARCH_USER and"
            " VPCFLOW_OPENSEARCH_PASSWORD, which no list of processes shows"
        )
    if parts.scheme not in _PORTS:
        raise FormatError(f"{text!r} names no search server: write {_FORM}")
    if parts.query or parts.fragment:
        raise FormatError(
            f"the address of a search server has something after its name, which is not shown: write {_FORM}"
        )
    name = parts.path.removeprefix("/")
    if not host or not INDEX_NAME.match(name):
        raise FormatError(
            f"{text!r} names no index: write {_FORM}, NAME of a-z, 0-9, '-', '_' and '.', up to 200"
        )
    is_secure = parts.scheme == SECURE
    if not (is_secure or _is_here(host)):
        raise FormatError(
            f"{PLAIN}:// is for a server on this machine: flows would cross the network to {host!r} unencrypted;"
            f" write {SECURE}://"
        )
    return SearchUrl(host, port or _PORTS[parts.scheme], name, is_secure)


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
