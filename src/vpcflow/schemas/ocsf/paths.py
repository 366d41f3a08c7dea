"""What is where in an event: the paths of the table of fields, and of what is worked out, for docs and indexes."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from vpcflow.index_types import ADDRESS, KEYWORD, POINT, index_type
from vpcflow.schemas.ocsf.ends import ENDPOINTS
from vpcflow.schemas.ocsf.enrichments import PLACES
from vpcflow.schemas.ocsf.events import CLASS
from vpcflow.schemas.ocsf.words import PATHS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vpcflow.index_types import Property

_OWN = "own_endpoint"
_MILLISECONDS: Property = MappingProxyType({"type": "date", "format": "epoch_millis"})
_INTEGER: Property = MappingProxyType({"type": "integer"})
_LONG: Property = MappingProxyType({"type": "long"})
_BOOLEAN: Property = MappingProxyType({"type": "boolean"})

_OTHERWISE = {
    "metadata.product.version": KEYWORD,
    "start_time": _MILLISECONDS,
    "end_time": _MILLISECONDS,
}
"""Paths that hold something else than the column's own type."""


class Computed(NamedTuple):
    """A member that is no column: its path, how it is indexed, and what it says."""

    path: str
    property: Property
    meaning: str


_ENDPOINT = (
    ("intermediate_ips", ADDRESS, "`{side}addr` where `ip`, the packet's address, is another"),
    ("name", KEYWORD, "Name of the instance, by the inventory; `unknown` where nothing identifies the endpoint"),
    ("network_scope_id", _INTEGER, "1 Internal, 2 External: the interface is internal, the peer by `peer_scope`"),
    ("network_scope", KEYWORD, "Caption of that"),
    ("owner.account.uid", KEYWORD, "`eni_owner_id` at the interface; for a Transit Gateway the account of the VPC"),
    ("owner.account.type_id", _INTEGER, "10 AWS Account"),
    ("owner.account.type", KEYWORD, "Caption of that"),
    ("location.geohash", POINT, "The coordinates once more, as one text that indexes take for a point"),
)  # fmt: skip

COMPUTED: tuple[Computed, ...] = (
    *(
        Computed(path, KEYWORD if isinstance(constant.value, str) else _INTEGER, f"`{constant.value}`")
        for path, constant in CLASS
    ),
    Computed("time", _MILLISECONDS, "`start`"),
    Computed("status_id", _INTEGER, "1 Success where accepted, 2 Failure where rejected"),
    Computed("status", KEYWORD, "Caption of that"),
    Computed("action_id", _INTEGER, "1 Allowed, 2 Denied"),
    Computed("action", KEYWORD, "Caption of that"),
    Computed("disposition_id", _INTEGER, "1 Allowed, 2 Blocked"),
    Computed("metadata.version", KEYWORD, "Version of OCSF"),
    Computed("metadata.profiles", KEYWORD, "`cloud`, `security_control`"),
    Computed("metadata.product.name", KEYWORD, "`Amazon VPC`, or `AWS Transit Gateway`"),
    Computed("metadata.product.vendor_name", KEYWORD, "`AWS`"),
    Computed("metadata.product.feature.name", KEYWORD, "`Flowlogs`"),
    Computed("cloud.provider", KEYWORD, "`AWS`"),
    Computed("cloud.account.type_id", _INTEGER, "10 AWS Account"),
    Computed("cloud.account.type", KEYWORD, "Caption of that"),
    *(
        Computed(f"{side}_endpoint.{path}", kind, meaning.format(side=side))
        for side in ("src", "dst")
        for path, kind, meaning in _ENDPOINT
    ),
    Computed("network_observation_point.name", KEYWORD, "As at the endpoints, where the interface is at neither"),
    Computed("network_observation_point.owner.account.uid", KEYWORD, "`eni_owner_id` there"),
    Computed("network_observation_point.owner.account.type_id", _INTEGER, "10 AWS Account"),
    Computed("network_observation_point.owner.account.type", KEYWORD, "Caption of that"),
    Computed("is_src_dst_assignment_known", _BOOLEAN, "`false`: a record tells who sent, not who connected"),
    Computed("observation_point_id", _INTEGER, "1 Source (egress), 2 Destination (ingress), 3 Neither, 0 Unknown"),
    Computed("observation_point", KEYWORD, "Caption of that"),
    Computed("connection_info.protocol_ver_id", _INTEGER, "4 or 6, by `type`, else by the addresses; 99 for `EFA`"),
    Computed("connection_info.direction_id", _INTEGER, "1 Inbound for ingress, 2 Outbound for egress, 0 Unknown"),
    Computed("connection_info.community_uid", KEYWORD, "Community id, of the addresses in the packet; none for ICMP"),
    Computed("connection_info.boundary", KEYWORD, "Caption of `boundary_id`"),
    Computed("traffic.bytes_out", _LONG, "`bytes`: all of it went from the source to the destination"),
    Computed("traffic.packets_out", _LONG, "`packets`, likewise"),
    Computed("unmapped.srcport", _INTEGER, "`srcport` where it is no port"),
    Computed("unmapped.dstport", _INTEGER, "`dstport` where it is no port"),
    Computed("unmapped.inferred", KEYWORD, "AWS's fields that the log lacks, though their places are filled"),
    Computed("enrichments.name", KEYWORD, "Attribute that the data is of"),
    Computed("enrichments.value", KEYWORD, "Its value"),
    Computed("enrichments.type", KEYWORD, "`network_interface`, `peer` or `location`"),
    Computed("enrichments.provider", KEYWORD, "`vpcflow`"),
)  # fmt: skip
"""All that an event holds beside the columns."""


def place(column: str) -> str | None:
    """
    Give the path at which a column lies, None where it is in no event or at either end by the direction.

    >>> place("srcaddr"), place("security_group_ids"), place("vpc_id")
    ('src_endpoint.ip', 'enrichments.data.security_group_ids', None)
    """
    path = PATHS.get(column, _OWN)
    return None if path.startswith(_OWN) else _spelled(path)


def mapping() -> Mapping[str, Property]:
    """Give how OpenSearch is to index an event: objects of ``properties``, ids as keywords, addresses as such."""
    tree: dict[str, Property] = {}
    for path, kind in _indexed():
        *names, last = path.split(".")
        inside = tree
        for name in names:
            inside = inside.setdefault(name, {"properties": {}})["properties"]
        inside[last] = kind
    return tree


def _indexed() -> Iterator[tuple[str, Property]]:
    for column, path in PATHS.items():
        for one in _spread(path):
            yield one, _OTHERWISE.get(one) or index_type(column)
    for column in (column for names in PLACES.values() for column in names):
        yield f"enrichments.data.{column}", index_type(column)
    for path, kind, _ in COMPUTED:
        yield path, kind


def _spread(path: str) -> list[str]:
    if not path.startswith(_OWN):
        return [_spelled(path)]
    return [path.replace(_OWN, endpoint, 1) for endpoint in ENDPOINTS]


def _spelled(path: str) -> str:
    return path.replace("[]", "")
