"""
The two ends of a flow as OCSF's endpoints, and the interface it was seen at.

OCSF has no place for the interface of a log but at an end: it is the destination's for ``ingress`` and the source's for
``egress``, as in AWS's own mapping. Where there is traffic and no direction it is at neither, so that nothing is
claimed: it is ``network_observation_point`` then. A Transit Gateway is that always, and both ends have interfaces.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from vpcflow.codes import DIRECTIONS
from vpcflow.dictionaries import codes_of
from vpcflow.schemas.ocsf.geohash import geohashes
from vpcflow.schemas.ocsf.values import (
    Constant,
    account,
    coded,
    kept,
    lists_of_one,
    nothing,
    number_column,
    present,
    texts,
)
from vpcflow.schemas.ocsf.words import OBSERVERS, SCOPES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vpcflow.schemas.ocsf.values import Codes, Member, Rows, Texts, Values

SOURCE, DESTINATION, NEITHER = range(3)
ENDPOINTS = ("src_endpoint", "dst_endpoint", "network_observation_point")
SIDES = ("src", "dst")
PLACE = ("country_code", "region_code", "city", "country_name", "latitude", "longitude")

_MAX_PORT = 65_535
_GATEWAY = ("resource_type", "tgw_id", "tgw_attachment_id", "tgw_src_eni", "tgw_dst_eni")
_IDENTITY = ("ip", "uid", "instance_uid", "interface_uid", "svc_name")
"""An endpoint has at least one of these, or a name. https://schema.ocsf.io/1.8.0/objects/network_endpoint"""

_INGRESS, _EGRESS = DIRECTIONS.index("ingress"), DIRECTIONS.index("egress")
_SCOPE_MEANINGS = tuple(dict.fromkeys(SCOPES.values()))
_INTERNAL = _SCOPE_MEANINGS.index(SCOPES["vpc"])


class Ends:
    """What is known of both ends of each flow, and on which side the interface is."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self.rows = values.rows

    @cached_property
    def at_gateway(self) -> Rows:
        """Mark the flows of a Transit Gateway."""
        return _any(self.values.valid(name) for name in _GATEWAY)

    @cached_property
    def direction(self) -> Codes:
        """Each row's place in ``codes.DIRECTIONS``, -1 where it is not known."""
        known = {word: code for code, word in enumerate(DIRECTIONS)}
        found = self.values.texts("direction").or_else(self.values.texts("flow_direction"))
        return found.numbered(known, other=-1, null=-1)

    @cached_property
    def own(self) -> Codes:
        """At which of ``ENDPOINTS`` the interface is."""
        has_traffic = self.values.valid("srcaddr") | self.values.valid("dstaddr")
        own = np.where(has_traffic & ~self.at_gateway, np.int32(NEITHER), np.int32(SOURCE))
        own[self.direction == _EGRESS] = SOURCE
        own[self.direction == _INGRESS] = DESTINATION
        own[self.at_gateway] = SOURCE
        return own

    @cached_property
    def has_peer(self) -> Rows:
        """Mark the rows whose peer is the end that is not the interface."""
        return (self.direction >= 0) & ~self.at_gateway

    def packet(self, side: str) -> Texts:
        """Give the address in the packet where it is logged, else the one as at the interface."""
        return self.values.texts(f"pkt_{side}addr").or_else(self.values.texts(f"{side}addr"))

    @cached_property
    def middle(self) -> dict[str, Texts]:
        """Each side's address as at the interface, where the packet has another."""
        found = {}
        for side in SIDES:
            address, packet = (
                self.values.texts(f"{side}addr"),
                self.values.texts(f"pkt_{side}addr"),
            )
            found[side] = address.where(address.differs(packet))
        return found

    @cached_property
    def located(self) -> dict[str, Rows]:
        """Mark, for each side, the rows whose place is the endpoint's: found for its ``ip``, and with a name."""
        return {
            side: ~self.middle[side].valid
            & _any(self.values.valid(f"{side}_geo_{name}") for name in PLACE[:3])
            for side in SIDES
        }

    def own_texts(self, logged: str, known: str | None = None) -> Texts:
        """Give what the log says of the interface, else what the inventory does."""
        found = self.values.texts(logged)
        if known is None:
            return found
        return found.or_else(self.values.texts(known).where(~self.at_gateway))

    def service(self, side: str) -> Texts:
        """Give the AWS service of a side, as logged, else as the address tells."""
        logged = self.values.texts(f"pkt_{side}_aws_service")
        return logged.or_else(self.values.texts(f"{side}_aws_service"))


def endpoint_members(ends: Ends) -> list[Member]:
    """Give the members of both endpoints and of what observed the traffic; an event has at least one endpoint."""
    found = [_endpoint(ends, SOURCE), _endpoint(ends, DESTINATION), _observer(ends)]
    wanted = [
        present([value for _, value in one.members], ends.rows) | one.name.valid for one in found
    ]
    wanted[SOURCE] |= ~wanted[DESTINATION]
    return [
        (f"{path}.{name}", value)
        for path, one, rows in zip(ENDPOINTS, found, wanted, strict=True)
        for name, value in _named(one, rows)
    ]


def observation_members(ends: Ends) -> list[Member]:
    """Say which end the flow was seen at. A flow has a sender and a receiver: who opened the connection it says not."""
    observer = np.where(ends.own == NEITHER, np.int32(0), ends.own + np.int32(1))
    observer[(ends.direction < 0) & (ends.own == SOURCE)] = -1
    observer[ends.at_gateway] = 3
    return [
        ("is_src_dst_assignment_known", Constant(False)),
        ("observation_point", coded(observer, OBSERVERS)),
    ]


class _Endpoint(NamedTuple):
    """An endpoint's members but its name, which may have to stand for all that identifies it."""

    name: Texts
    members: list[Member]


def _endpoint(ends: Ends, place: int) -> _Endpoint:
    side, values = SIDES[place], ends.values
    is_peer = ends.has_peer & (ends.own != place)
    peer = {
        name: values.texts(f"peer_{name}").where(is_peer)
        for name in ("interface_id", "instance_id", "instance_name", "vpc_id")
    }
    name, interface, instance, subnet, vpc, uid, owner = _interface(ends, place)
    ports = values.numbers(f"{side}port")
    members: list[Member] = [
        ("ip", ends.packet(side).array()),
        ("port", number_column(ports, (ports >= 0) & (ports <= _MAX_PORT), pa.int32())),
        ("intermediate_ips", lists_of_one(ends.middle[side])),
        ("uid", uid.array()),
        (
            "interface_uid",
            interface.or_else(peer["interface_id"])
            .or_else(values.texts(f"tgw_{side}_eni"))
            .array(),
        ),
        ("instance_uid", instance.or_else(peer["instance_id"]).array()),
        ("subnet_uid", subnet.or_else(values.texts(f"tgw_{side}_subnet_id")).array()),
        (
            "vpc_uid",
            vpc.or_else(peer["vpc_id"]).or_else(values.texts(f"tgw_{side}_vpc_id")).array(),
        ),
        ("svc_name", ends.service(side).array()),
        ("network_scope", coded(_scope(ends, place, is_peer), _SCOPE_MEANINGS)),
        ("owner.account", account(owner.or_else(values.texts(f"tgw_{side}_vpc_account_id")))),
        *_place(ends, side),
    ]
    return _Endpoint(name.or_else(peer["instance_name"]), members)


def _observer(ends: Ends) -> _Endpoint:
    name, interface, instance, subnet, vpc, uid, owner = _interface(ends, NEITHER)
    members: list[Member] = [
        ("uid", uid.or_else(ends.values.texts("tgw_id")).array()),
        ("interface_uid", interface.array()),
        ("instance_uid", instance.array()),
        ("subnet_uid", subnet.array()),
        ("vpc_uid", vpc.array()),
        ("owner.account", account(owner)),
    ]
    return _Endpoint(name, members)


def _interface(ends: Ends, place: int) -> list[Texts]:
    """Give what is said of the interface, in the rows where it is at this place."""
    here = ends.own == place
    if not here.any():
        return [nothing(ends.rows)] * 7
    known = ends.values.texts
    found = (
        known("eni_instance_name").where(~ends.at_gateway),
        ends.own_texts("interface_id"),
        ends.own_texts("instance_id", "eni_instance_id"),
        ends.own_texts("subnet_id", "eni_subnet_id"),
        ends.own_texts("vpc_id", "eni_vpc_id"),
        ends.own_texts("resource_id"),
        known("eni_owner_id").where(~ends.at_gateway),
    )
    return [one.where(here) for one in found]


def _scope(ends: Ends, place: int, is_peer: Rows) -> Codes:
    """Tell whether the end is inside the customer's network: the interface is, the peer by ``peer_scope``."""
    numbers = {name: _SCOPE_MEANINGS.index(meaning) for name, meaning in SCOPES.items()}
    peer = ends.values.texts("peer_scope").numbered(numbers, other=-1, null=-1)
    is_own = ends.has_peer & (ends.own == place)
    return np.where(is_own, np.int32(_INTERNAL), np.where(is_peer, peer, np.int32(-1)))


def _place(ends: Ends, side: str) -> list[Member]:
    values, located = ends.values, ends.located[side]
    is_ip = ~ends.middle[side].valid
    latitude, longitude = (
        kept(values.array(f"{side}_geo_{name}"), located) for name in ("latitude", "longitude")
    )
    return [
        ("location.country", values.texts(f"{side}_geo_country_code").where(located).array()),
        ("location.region", _region(values, side).where(located).array()),
        ("location.city", values.texts(f"{side}_geo_city").where(located).array()),
        ("location.desc", values.texts(f"{side}_geo_country_name").where(located).array()),
        ("location.lat", latitude),
        ("location.long", longitude),
        ("location.geohash", geohashes(latitude, longitude)),
        ("autonomous_system.number", kept(values.array(f"{side}_as_number"), is_ip)),
        ("autonomous_system.name", values.texts(f"{side}_as_org").where(is_ip).array()),
    ]


def _region(values: Values, side: str) -> Texts:
    """Give the whole ISO 3166-2 code, ``CH-VD``, as the schema has it; the code alone where no country is known."""
    country, region = (values.texts(f"{side}_geo_{name}_code") for name in ("country", "region"))
    keys = country.codes.astype(np.int64) * (len(region.values) + 1) + region.codes
    distinct = pa.array(keys, mask=~region.valid).dictionary_encode()
    countries, regions = np.divmod(distinct.dictionary.to_numpy(), len(region.values) + 1)
    prefixes = [f"{text}-" for text in country.values.to_pylist()] + [""]
    suffixes = region.values.to_pylist()
    names = [
        prefixes[one] + suffixes[two] for one, two in zip(countries.tolist(), regions.tolist())
    ]
    return texts(codes_of(distinct), names)


def _any(masks: Iterable[Rows]) -> Rows:
    return np.asarray(np.logical_or.reduce([*masks]), np.bool_)


def _named(endpoint: _Endpoint, wanted: Rows) -> list[Member]:
    """Put the name first: ``unknown`` where there has to be an endpoint, and nothing identifies it."""
    identity = [value for name, value in endpoint.members if name in _IDENTITY]
    unnamed = wanted & ~present(identity, len(wanted))
    unknown = texts(np.where(unnamed, np.int32(0), np.int32(-1)), ["unknown"])
    return [("name", endpoint.name.or_else(unknown).array()), *endpoint.members]
