"""
What tests of OCSF are written with: its own schema, and events made row by row, slowly, as ``docs/ocsf.md`` says.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import math
import struct
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import jsonschema
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from vpcflow.fields import ADDED, FIELDS

Row = Mapping[str, Any]
Event = dict[str, Any]

PROFILES = ["cloud", "security_control"]
SPARED = (
    "class_name category_name activity_name type_name severity status action observation_point"
    " src_endpoint.network_scope dst_endpoint.network_scope".split()
)
AWS_ACCOUNT = {"type": "AWS Account", "type_id": 10}
BOUNDARIES = (
    "Same VPC",
    "Internet/VPC Gateway",
    "Virtual Private Gateway",
    "Intra-region VPC",
    "Inter-region VPC",
    "Local Gateway",
    "Gateway VPC",
    "Internet Gateway",
)
INTERNAL = "same_eni vpc peered_vpc transit other_known_vpc private named_network".split()
EXTERNAL = ["aws_service", "internet"]
UNMAPPED = (
    "sublocation_type sublocation_id ecs_cluster_arn ecs_cluster_name ecs_container_instance_arn"
    " ecs_container_instance_id ecs_container_id ecs_second_container_id ecs_service_name ecs_task_definition_arn"
    " ecs_task_arn ecs_task_id reject_reason encryption_status instance_tag instance_tag_2 interface_tag"
    " interface_tag_2 asg_tag asg_tag_2 interface_type next_hop_interface_id next_hop_subnet_id next_hop_az_id"
    " next_hop_vpc_id next_hop_interface_type resource_type tgw_attachment_id tgw_src_az_id tgw_dst_az_id"
    " tgw_pair_attachment_id packets_lost_no_route packets_lost_blackhole packets_lost_mtu_exceeded"
    " packets_lost_ttl_expired direction_basis peer_addr peer_port local_port initiator"
    " initiator_basis initiator_confidence reject_cause src_geo_region_name"
    " dst_geo_region_name src_aws_region dst_aws_region tcp_flag_names traffic_path_name".split()
)
INTERFACE = (
    "eni_type eni_owner_id eni_description eni_instance_id eni_instance_name eni_vpc_id eni_subnet_id eni_az_id"
    " eni_tags security_group_ids security_group_names inventory_state inventory_age_s rule_ids rule_match"
    " rule_note".split()
)
PEER = (
    "peer_interface_id peer_security_group_ids peer_instance_id peer_instance_name peer_vpc_id peer_scope"
    " peer_network_name".split()
)
KNOWN = {row.column for row in (*FIELDS, *ADDED)}
SINCE = {
    "instance_id": 3,
    "subnet_id": 3,
    "vpc_id": 3,
    "az_id": 4,
    "pkt_srcaddr": 3,
    "pkt_dstaddr": 3,
    "flow_direction": 5,
    "pkt_src_aws_service": 5,
    "pkt_dst_aws_service": 5,
}


@cache
def validator(version: str = "1.8.0") -> jsonschema.Draft202012Validator:
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=version))
    return jsonschema.Draft202012Validator(schema.get_class_schema("network_activity", PROFILES))


def faults(event: Event, version: str = "1.8.0") -> list[str]:
    """Say what the schema has against an event."""
    found = validator(version).iter_errors(event)
    return [f"{'.'.join(map(str, fault.path))}: {fault.message}" for fault in found]


def event_of(row: Row) -> Event:
    """Make the event of a flow."""
    row = {name: value for name, value in row.items() if not _is_nan(value)}
    has = {name: value for name, value in row.items() if value is not None}
    gateway = any(
        name in has
        for name in ("resource_type", "tgw_id", "tgw_attachment_id", "tgw_src_eni", "tgw_dst_eni")
    )
    direction = has.get("direction") or has.get("flow_direction")
    direction = direction if direction in ("ingress", "egress") else None
    has_traffic = "srcaddr" in has or "dstaddr" in has
    if gateway or direction == "egress":
        own = "src_endpoint"
    elif direction == "ingress":
        own = "dst_endpoint"
    else:
        own = "network_observation_point" if has_traffic else "src_endpoint"
    at = _At(has, gateway, direction, own)
    start, end = has.get("start"), has.get("end")
    event = {
        "class_uid": 4001,
        "class_name": "Network Activity",
        "category_uid": 4,
        "category_name": "Network Activity",
        "activity_id": 6,
        "activity_name": "Traffic",
        "type_uid": 400106,
        "type_name": "Network Activity: Traffic",
        "severity_id": 1,
        "severity": "Informational",
        "time": _ms(start if start is not None else end or 0),
        "start_time": _ms(start),
        "end_time": _ms(end),
        "duration": _ms(has.get("duration_s")),
        "status_code": has.get("log_status"),
        **_outcome(has.get("action")),
        "metadata": {
            "version": "1.8.0",
            "profiles": PROFILES,
            "uid": has.get("event_id"),
            "original_event_uid": has.get("cloudwatch_event_id"),
            "product": {
                "name": "AWS Transit Gateway" if gateway else "Amazon VPC",
                "vendor_name": "AWS",
                "version": str(has["version"]) if "version" in has else None,
                "feature": {"name": "Flowlogs"},
            },
        },
        "cloud": {
            "provider": "AWS",
            "account": _account(has.get("account_id")),
            "region": has.get("region"),
            "zone": at.known("az_id", "eni_az_id"),
        },
        **_endpoints(at),
        "is_src_dst_assignment_known": False,
        **_observed(at),
        "connection_info": _connection(at),
        "traffic": {
            "bytes": has.get("bytes"),
            "bytes_out": has.get("bytes"),
            "packets": has.get("packets"),
            "packets_out": has.get("packets"),
        },
        "unmapped": {
            **{name: has.get(name) for name in UNMAPPED},
            **{n: has[n] for n in ("srcport", "dstport") if has.get(n, 0) > 65535},
            "inferred": _inferred(at) or None,
            "other": {name: has[name] for name in has if name not in KNOWN},
        },
        "enrichments": [*_enrichments(at)] or None,
    }
    return _without_nothing(event)


class _At:
    def __init__(self, has: Row, gateway: bool, direction: str | None, own: str) -> None:
        self.has, self.gateway, self.direction, self.own = has, gateway, direction, own

    def known(self, logged: str, inventory: str) -> Any:
        return self.has.get(logged) or (None if self.gateway else self.has.get(inventory))

    def address(self, side: str) -> str | None:
        return self.has.get(f"pkt_{side}addr") or self.has.get(f"{side}addr")

    def middle(self, side: str) -> str | None:
        plain, packet = self.has.get(f"{side}addr"), self.has.get(f"pkt_{side}addr")
        return plain if plain and packet and plain != packet else None

    def is_located(self, side: str) -> bool:
        names = (f"{side}_geo_{name}" for name in ("country_code", "region_code", "city"))
        return not self.middle(side) and any(name in self.has for name in names)


def _endpoints(at: _At) -> Event:
    found = {end: _without_nothing(_endpoint(at, end)) for end in ("src_endpoint", "dst_endpoint")}
    observer = _interface(at, "network_observation_point")
    observer["uid"] = observer.get("uid") or at.has.get("tgw_id")
    found["network_observation_point"] = _without_nothing(observer)
    if not found["src_endpoint"] and not found["dst_endpoint"]:
        found["src_endpoint"] = {"name": "unknown"}
    for endpoint in found.values():
        identity = {"ip", "uid", "name", "instance_uid", "interface_uid", "svc_name"}
        if endpoint and not identity & set(endpoint):
            endpoint["name"] = "unknown"
    return found


def _interface(at: _At, end: str) -> Event:
    if at.own != end:
        return {}
    inventory = {} if at.gateway else at.has
    return {
        "uid": at.has.get("resource_id"),
        "name": inventory.get("eni_instance_name"),
        "interface_uid": at.has.get("interface_id"),
        "instance_uid": at.known("instance_id", "eni_instance_id"),
        "subnet_uid": at.known("subnet_id", "eni_subnet_id"),
        "vpc_uid": at.known("vpc_id", "eni_vpc_id"),
        "owner": {"account": _account(inventory.get("eni_owner_id"))},
    }


def _endpoint(at: _At, end: str) -> Event:
    side, has = end[:3], at.has
    own = _interface(at, end)
    is_peer = at.direction is not None and not at.gateway and at.own != end
    peer = has if is_peer else {}
    port = has.get(f"{side}port")
    owner = (own.get("owner") or {}).get("account") or _account(
        has.get(f"tgw_{side}_vpc_account_id")
    )
    scope = None
    if at.direction is not None and not at.gateway:
        scope = has.get("peer_scope") if is_peer else "vpc"
    return {
        "ip": at.address(side),
        "port": port if port is not None and 0 <= port <= 65535 else None,
        "intermediate_ips": [at.middle(side)] if at.middle(side) else None,
        "uid": own.get("uid"),
        "name": own.get("name") or peer.get("peer_instance_name"),
        "interface_uid": own.get("interface_uid")
        or peer.get("peer_interface_id")
        or has.get(f"tgw_{side}_eni"),
        "instance_uid": own.get("instance_uid") or peer.get("peer_instance_id"),
        "subnet_uid": own.get("subnet_uid") or has.get(f"tgw_{side}_subnet_id"),
        "vpc_uid": own.get("vpc_uid") or peer.get("peer_vpc_id") or has.get(f"tgw_{side}_vpc_id"),
        "svc_name": has.get(f"pkt_{side}_aws_service") or has.get(f"{side}_aws_service"),
        "network_scope_id": 1 if scope in INTERNAL else 2 if scope in EXTERNAL else None,
        "network_scope": "Internal"
        if scope in INTERNAL
        else "External"
        if scope in EXTERNAL
        else None,
        "owner": {"account": owner},
        "location": _location(at, side),
        "autonomous_system": None
        if at.middle(side)
        else {"number": has.get(f"{side}_as_number"), "name": has.get(f"{side}_as_org")},
    }


def _location(at: _At, side: str) -> Event | None:
    if not at.is_located(side):
        return None
    place = {
        name: at.has.get(f"{side}_geo_{name}")
        for name in (
            "country_code",
            "region_code",
            "city",
            "country_name",
            "latitude",
            "longitude",
        )
    }
    region = place["region_code"]
    if region is not None and place["country_code"] is not None:
        region = f"{place['country_code']}-{region}"
    return {
        "country": place["country_code"],
        "region": region,
        "city": place["city"],
        "desc": place["country_name"],
        "lat": place["latitude"],
        "long": place["longitude"],
        "geohash": geohash(place["latitude"], place["longitude"]),
    }


def geohash(latitude: float | None, longitude: float | None) -> str | None:
    """Halve the ranges by turns, longitude first, and write each five answers as a letter."""
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        return None
    ranges, values = [[-180.0, 180.0], [-90.0, 90.0]], (longitude, latitude)
    bits = 0
    for turn in range(60):
        bounds, value = ranges[turn % 2], values[turn % 2]
        middle = (bounds[0] + bounds[1]) / 2
        is_upper = value >= middle
        bounds[0 if is_upper else 1] = middle
        bits = bits << 1 | is_upper
    letters = "0123456789bcdefghjkmnpqrstuvwxyz"
    return "".join(letters[bits >> 5 * place & 31] for place in range(11, -1, -1))


def _outcome(action: str | None) -> Event:
    if action is None:
        return {}
    if action not in ("ACCEPT", "REJECT"):
        return {
            "action_id": 99,
            "action": action,
            "disposition_id": 99,
            "disposition": action,
        }
    accepted = action == "ACCEPT"
    number = 1 if accepted else 2
    return {
        "status_id": number,
        "status": "Success" if accepted else "Failure",
        "action_id": number,
        "action": "Allowed" if accepted else "Denied",
        "disposition_id": number,
        "disposition": "Allowed" if accepted else "Blocked",
    }


def _observed(at: _At) -> Event:
    if at.gateway:
        return {"observation_point_id": 3, "observation_point": "Neither"}
    if at.direction is not None:
        number = 1 if at.own == "src_endpoint" else 2
        name = "Source" if number == 1 else "Destination"
        return {"observation_point_id": number, "observation_point": name}
    if at.own == "network_observation_point":
        return {"observation_point_id": 0, "observation_point": "Unknown"}
    return {}


def _connection(at: _At) -> Event:
    has = at.has
    version = {"IPv4": 4, "IPv6": 6, None: None}.get(has.get("type"), 99)
    address = has.get("srcaddr") or has.get("dstaddr")
    if version is None and address is not None:
        version = 6 if ":" in address else 4
    words = {"ingress": (1, "Inbound"), "egress": (2, "Outbound"), None: (0, "Unknown")}
    direction = words[at.direction]
    if at.direction is None and "flow_direction" in has:
        direction = (99, has["flow_direction"])
    path = has.get("traffic_path")
    boundary: tuple[Any, Any] = (None, None)
    if path is not None:
        boundary = (path + 3, BOUNDARIES[path - 1]) if 1 <= path <= 8 else (99, str(path))
    return {
        "protocol_num": has.get("protocol"),
        "protocol_name": has.get("protocol_name"),
        "uid": has.get("connection_id"),
        "community_uid": _community_id(at),
        "protocol_ver_id": version,
        "protocol_ver": has.get("type"),
        "tcp_flags": has.get("tcp_flags"),
        "direction_id": direction[0],
        "direction": direction[1],
        "boundary_id": boundary[0],
        "boundary": boundary[1],
    }


def _community_id(at: _At) -> str | None:
    """https://github.com/corelight/community-id-spec, version 1 with seed 0."""
    ends = [at.address(side) for side in ("src", "dst")]
    protocol = at.has.get("protocol")
    ports = [at.has.get(f"{side}port") for side in ("src", "dst")]
    if None in ends or protocol is None or protocol in (1, 58) or protocol > 255:
        return None
    addresses = [ipaddress.ip_address(str(end)) for end in ends]
    if addresses[0].version != addresses[1].version:
        return None
    if protocol in (6, 17, 132):
        if any(port is None or port > 65535 for port in ports):
            return None
    else:
        ports = [0, 0]
    (one, port), (other, other_port) = sorted(
        zip([a.packed for a in addresses], ports, strict=True)
    )
    message = bytes(2) + one + other + bytes([protocol, 0])
    if protocol in (6, 17, 132):
        message += struct.pack("!HH", port, other_port)
    return "1:" + base64.b64encode(hashlib.sha1(message).digest()).decode()


def _inferred(at: _At) -> list[str]:
    has = at.has
    filled = {
        "instance_id": "eni_instance_id",
        "subnet_id": "eni_subnet_id",
        "vpc_id": "eni_vpc_id",
        "az_id": "eni_az_id",
        "pkt_srcaddr": "srcaddr",
        "pkt_dstaddr": "dstaddr",
    }
    names = [name for name, source in filled.items() if source in has and not at.gateway]
    names += ["flow_direction"] if at.direction else []
    names += [f"pkt_{s}_aws_service" for s in ("src", "dst") if f"{s}_aws_service" in has]
    version = has.get("version", 99)
    return [name for name in names if name not in has and version >= SINCE[name]]


def _enrichments(at: _At) -> Iterator[Event]:
    has = at.has
    interface = has.get("interface_id") or has.get("tgw_src_eni")
    peer_end = "src_endpoint" if at.own == "dst_endpoint" and not at.gateway else "dst_endpoint"
    yield from _enrichment(
        has, f"{at.own}.interface_uid", interface, "network_interface", INTERFACE
    )
    yield from _enrichment(has, f"{peer_end}.ip", has.get("peer_addr"), "peer", PEER)
    for side in ("src", "dst"):
        middle = at.middle(side)
        place = [
            f"{side}_geo_{name}"
            for name in (
                "country_code",
                "region_code",
                "city",
                "country_name",
                "latitude",
                "longitude",
            )
            if not at.is_located(side)
        ]
        system = [f"{side}_as_number", f"{side}_as_org"] if middle else []
        name = f"{side}_endpoint.intermediate_ips" if middle else f"{side}_endpoint.ip"
        address = middle or has.get(f"{side}addr")
        yield from _enrichment(has, name, address, "location", place + system)


def _enrichment(
    has: Row, name: str, value: str | None, kind: str, columns: list[str]
) -> Iterator[Event]:
    data = {column: _json(column, has[column]) for column in columns if column in has}
    if value is not None and data:
        yield {"name": name, "value": value, "type": kind, "provider": "vpcflow", "data": data}


def _account(uid: str | None) -> Event | None:
    return None if uid is None else {"uid": uid, **AWS_ACCOUNT}


def _json(column: str, value: Any) -> Any:
    if column == "eni_tags":
        return {tag["key"]: tag["value"] for tag in value}
    return value


def _ms(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * 1000


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _without_nothing(value: Any) -> Any:
    """Leave out nulls, and objects of nothing."""
    if not isinstance(value, dict):
        return value
    kept = {k: _without_nothing(v) for k, v in value.items()}
    return {k: v for k, v in kept.items() if v is not None and v != {}}


def without(event: Event, path: str) -> Event:
    """Leave a member out."""
    name, _, rest = path.partition(".")
    if name not in event:
        return event
    if rest:
        return {**event, name: without(event[name], rest)}
    return {key: value for key, value in event.items() if key != name}
