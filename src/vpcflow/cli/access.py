"""Who a search server lets in: a user, an API key or AWS credentials, out of the environment, never of an option."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from vpcflow.aws.extra import open_signer
from vpcflow.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vpcflow.aws.signing import Service, Signer

USER, PASSWORD, API_KEY = (f"VPCFLOW_OPENSEARCH_{name}" for name in ("USER", "PASSWORD", "API_KEY"))
"""Environment variables: options would show secrets in every list of processes."""

# A domain's host, of IPv4 and of both, or a collection's.
_AMAZONS = re.compile(r"\.(es|aoss)\.amazonaws\.com(?:\.cn)?\Z|\.(aos|aoss)\.[a-z0-9-]+\.on\.aws\Z")


class Credentials(NamedTuple):
    """A user with a password, an API key, what signs, or nothing: then everyone is let in."""

    user: str = ""
    password: str = ""
    api_key: str = ""
    signer: Signer | None = None

    def __repr__(self) -> str:
        """Show nothing of it: an error or a log may have it."""
        return "Credentials(…)"


def checked_service(sign: str | None) -> Service | None:
    """Read the option ``--sign``; raises ``FormatError``."""
    services: dict[str | None, Service | None] = {None: None, "es": "es", "aoss": "aoss"}
    if sign not in services:
        raise FormatError(f"unknown --sign {sign!r} (known: es, aoss)")
    return services[sign]


def service_of(host: str, sign: str | None, environment: Mapping[str, str]) -> Service | None:
    """Say which of AWS's services requests are signed for: the one asked for, else by the host; None for none."""
    if sign is not None:
        return checked_service(sign)
    if environment.get(USER) or environment.get(API_KEY):
        return None
    found = _AMAZONS.search(host)
    if found is None:
        return None
    return "aoss" if "aoss" in found.groups() else "es"


def credentials_of(environment: Mapping[str, str], service: Service | None) -> Credentials:
    """
    Take the environment's user or API key, else what signs for a service.

    Raises ``FormatError`` where the environment says two things, ``AwsError`` where there are no AWS credentials.
    """
    user, api_key = environment.get(USER, ""), environment.get(API_KEY, "")
    if sum(map(bool, (user, api_key, service))) > 1:
        raise FormatError(f"more than one of {USER}, {API_KEY} and --sign is given: give one")
    if user and PASSWORD not in environment:
        raise FormatError(f"{USER} is set, and {PASSWORD} is not")
    if service:
        return Credentials(signer=open_signer(service))
    return Credentials(user, environment.get(PASSWORD, ""), api_key)
