"""
Where the table of fields has each column, and OCSF's ids for what flow logs say in words and numbers.

Captions are those of version 1.8.0.
https://schema.ocsf.io/1.8.0/classes/network_activity?profiles=cloud,security_control
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from vpcflow.fields import ADDED, FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = "1.8.0"
PROFILES = ("cloud", "security_control")

PATHS: Mapping[str, str] = MappingProxyType(
    {field.column: field.ocsf for field in FIELDS if field.ocsf}
    | {added.column: added.ocsf for added in ADDED if added.ocsf}
)
"""By column."""


class Coded(NamedTuple):
    """An enumerated value: the id, and the caption that the attribute beside it holds."""

    id: int
    caption: str


UNKNOWN = Coded(0, "Unknown")
OTHER_ID = 99
"""Not in the schema: the caption is then the log's own text."""

ACTIONS: Mapping[str, Coded] = MappingProxyType(
    {"ACCEPT": Coded(1, "Allowed"), "REJECT": Coded(2, "Denied")}
)
DISPOSITIONS: Mapping[str, Coded] = MappingProxyType(
    {"ACCEPT": Coded(1, "Allowed"), "REJECT": Coded(2, "Blocked")}
)
STATUSES: Mapping[str, Coded] = MappingProxyType(
    {"ACCEPT": Coded(1, "Success"), "REJECT": Coded(2, "Failure")}
)
DIRECTIONS: Mapping[str, Coded] = MappingProxyType(
    {"ingress": Coded(1, "Inbound"), "egress": Coded(2, "Outbound")}
)
PROTOCOL_VERSIONS: Mapping[str, int] = MappingProxyType({"IPv4": 4, "IPv6": 6})

# The schema describes each in the words of AWS's page of fields, in the same order.
BOUNDARIES: Mapping[int, Coded] = MappingProxyType(
    {
        1: Coded(4, "Same VPC"),
        2: Coded(5, "Internet/VPC Gateway"),
        3: Coded(6, "Virtual Private Gateway"),
        4: Coded(7, "Intra-region VPC"),
        5: Coded(8, "Inter-region VPC"),
        6: Coded(9, "Local Gateway"),
        7: Coded(10, "Gateway VPC"),
        8: Coded(11, "Internet Gateway"),
    }
)
"""By ``traffic_path``."""

OBSERVERS = (UNKNOWN, Coded(1, "Source"), Coded(2, "Destination"), Coded(3, "Neither"))

_INTERNAL, _EXTERNAL = Coded(1, "Internal"), Coded(2, "External")
SCOPES: Mapping[str, Coded] = MappingProxyType(
    dict.fromkeys(
        ("same_eni", "vpc", "peered_vpc", "transit", "other_known_vpc", "private", "named_network"),
        _INTERNAL,
    )
    | dict.fromkeys(("aws_service", "internet"), _EXTERNAL)
)
"""By ``peer_scope``: those that say whether the peer is inside the customer's network."""

ACCOUNT = Coded(10, "AWS Account")
