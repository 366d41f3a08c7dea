"""Documents of the Elastic Common Schema: where things lie, and what is worked out."""

from __future__ import annotations

import itertools
from typing import Any

import orjson
import pyarrow as pa
import pytest
from flow_batches import ENRICHED, QUIET, V2, batch, batches
from hypothesis import given, settings

from vpcflow.fields import ADDED, FIELDS
from vpcflow.schemas import SCHEMAS
from vpcflow.schemas.ecs.computed import COMPUTED

ECS = SCHEMAS["ecs"]
LEFT_OUT = {"source_object", "source_line"}
"""Where a record was read: documents leave it out, as flat ones do."""


def documents(rows: pa.RecordBatch) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in b"".join(ECS.encode(rows)).splitlines()]


def document(row: dict[str, Any]) -> dict[str, Any]:
    return documents(batch([row]))[0]


def at(document: Any, path: str) -> Any:
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def test_both_ends_have_an_address_and_an_ip():
    found = document(V2)

    assert found["source"] == {
        "address": "198.51.100.7",
        "ip": "198.51.100.7",
        "port": 52144,
        "bytes": 4840,
        "packets": 12,
    }
    assert found["destination"] == {"address": "10.0.1.24", "ip": "10.0.1.24", "port": 443}


def test_bytes_and_packets_are_those_of_the_record_at_the_source_and_in_the_network():
    found = document(V2 | {"bytes": 2**40})

    assert at(found, "network.bytes") == at(found, "source.bytes") == 2**40
    assert at(found, "network.packets") == at(found, "source.packets") == 12
    assert at(found, "destination.bytes") is None


def test_the_time_stamp_is_the_end():
    found = document(V2)

    assert found["@timestamp"] == at(found, "event.end") == "2023-11-14T22:14:18.000Z"
    assert at(found, "event.start") == "2023-11-14T22:13:20.000Z"


def test_without_an_end_the_time_stamp_is_the_start():
    assert document(V2 | {"end": None})["@timestamp"] == "2023-11-14T22:13:20.000Z"


def test_a_duration_is_in_nanoseconds_and_one_too_long_for_them_is_left_out():
    rows = batch([V2 | {"duration_s": seconds} for seconds in (58, -1, 2**62, None)])

    assert [at(one, "event.duration") for one in documents(rows)] == [58 * 10**9, -(10**9), None, None]  # fmt: skip


@pytest.mark.parametrize(
    ("action", "type_", "outcome"),
    [
        ("ACCEPT", ["connection", "allowed"], "success"),
        ("REJECT", ["connection", "denied"], "success"),
        (None, ["connection"], None),
    ],
)
def test_an_event_tells_what_became_of_the_traffic(
    action: str | None, type_: list[str], outcome: str | None
):
    event = document(V2 | {"action": action})["event"]

    assert event["type"] == type_
    assert event.get("outcome") == outcome
    assert event.get("action") == (action and action.lower())
    assert (event["kind"], event["category"]) == ("event", ["network"])


def test_a_record_without_traffic_is_information():
    found = document(V2 | QUIET)

    assert found["event"]["type"] == ["info"]
    assert "outcome" not in found["event"]
    assert found["aws"]["vpcflow"]["log_status"] == "NODATA"
    assert found.keys().isdisjoint({"source", "destination", "network", "related"})


@pytest.mark.parametrize(
    ("row", "type_"),
    [
        ({}, "ipv4"),
        ({"srcaddr": "2001:db8::1", "dstaddr": "2001:db8::2"}, "ipv6"),
        ({"srcaddr": None, "dstaddr": "2001:db8::2"}, "ipv6"),
        ({"type": "IPv6"}, "ipv6"),
        ({"type": "EFA"}, "efa"),
        ({"srcaddr": None, "dstaddr": None}, None),
    ],
    ids=str,
)
def test_the_type_of_network_is_logged_or_that_of_the_addresses(
    row: dict[str, Any], type_: str | None
):
    assert at(document(V2 | row), "network.type") == type_


def test_direction_is_as_logged_or_inferred_and_what_the_log_says_is_kept():
    found = document(V2 | {"flow_direction": None, "direction": "egress"})
    logged = document(V2 | {"flow_direction": "ingress", "direction": "ingress"})

    assert at(found, "network.direction") == "egress"
    assert at(found, "aws.vpcflow.flow_direction") is None
    assert at(logged, "aws.vpcflow.flow_direction") == at(logged, "network.direction") == "ingress"


def test_addresses_in_the_packet_are_related_and_what_the_community_id_is_of():
    nat = {"pkt_srcaddr": "203.0.113.9", "pkt_dstaddr": "10.0.1.24"}

    found, plain = document(V2 | nat), document(V2 | {"srcaddr": "203.0.113.9"})

    assert at(found, "aws.vpcflow.pkt_srcaddr") == "203.0.113.9"
    assert at(found, "related.ip") == ["198.51.100.7", "10.0.1.24", "203.0.113.9"]
    assert at(found, "source.ip") == "198.51.100.7"
    assert at(found, "network.community_id") == at(plain, "network.community_id") is not None


@pytest.mark.parametrize("protocol", [1, 58])
def test_icmp_has_no_community_id(protocol: int):
    network = document(V2 | {"protocol": protocol, "srcport": 0, "dstport": 0})["network"]

    assert network["iana_number"] == str(protocol)
    assert "community_id" not in network


def test_an_address_or_a_host_that_is_at_both_ends_is_related_once():
    same = {"dstaddr": "198.51.100.7", "eni_instance_id": "i-1", "peer_instance_id": "i-1"}

    found = document(V2 | same)

    assert found["related"] == {"ip": ["198.51.100.7"], "hosts": ["i-1"]}


def test_the_instance_is_the_logged_one_else_the_inventorys():
    both = {"instance_id": "i-logged", "eni_instance_id": "i-known"}

    found = documents(batch([V2 | both, V2 | both | {"instance_id": None}]))

    assert [at(one, "cloud.instance.id") for one in found] == ["i-logged", "i-known"]
    assert [at(one, "related.hosts") for one in found] == [["i-logged"], ["i-known"]]


def test_a_place_has_its_region_in_full_and_its_coordinates_together():
    rows = [
        ENRICHED,
        ENRICHED | {"src_geo_region_code": None, "src_geo_longitude": None},
        ENRICHED | {"src_geo_country_code": None, "src_geo_latitude": float("nan")},
        ENRICHED | {"src_geo_country_code": "CA", "src_geo_region_code": "QC"},
    ]

    found = [at(one, "source.geo") for one in documents(batch(rows))]

    assert [one.get("region_iso_code") for one in found] == ["US-WA", None, None, "CA-QC"]
    assert [one.get("location") for one in found] == [
        {"lat": 47.6062, "lon": -122.3321},
        None,
        None,
        {"lat": 47.6062, "lon": -122.3321},
    ]


def test_a_flow_is_seen_at_its_interface_whichever_its_direction():
    found = document(ENRICHED | {"direction": "egress", "eni_description": "web"})

    assert at(found, "observer.ingress.interface") == {"id": ENRICHED["interface_id"], "alias": "web"}  # fmt: skip
    assert "egress" not in found["observer"]


def test_flows_of_a_transit_gateway_say_so():
    gateway = dict.fromkeys(("interface_id", "action")) | {"tgw_id": "tgw-1"}

    found = documents(batch([V2 | gateway, V2]))

    assert [at(one, "event.provider") for one in found] == ["Transit Gateway Flow Logs", "VPC Flow Logs"]  # fmt: skip
    assert at(found[0], "aws.vpcflow.tgw_id") == "tgw-1"
    assert at(found[0], "event.type") == ["connection"]
    assert at(found[0], "observer.ingress") is None


def test_a_field_the_tables_do_not_know_is_kept():
    assert at(document(V2 | {"team_name": "blue"}), "aws.vpcflow.other") == {"team_name": "blue"}


def test_every_column_has_a_place_of_its_own_or_shares_one_on_purpose():
    columns = [row.column for row in (*FIELDS, *ADDED)]

    without = {column for column in columns if ECS.place(column) is None}
    places = sorted(filter(None, map(ECS.place, columns)))
    shared = {place for place, more in itertools.groupby(places) if len(list(more)) > 1}

    assert without == LEFT_OUT
    assert shared == {"cloud.instance.id", "cloud.availability_zone"}


def test_what_is_worked_out_says_of_what_and_why():
    known = {row.column for row in (*FIELDS, *ADDED)}

    assert all(one.rule and one.says and known.issuperset(one.of) for one in COMPUTED)
    assert {one.path for one in COMPUTED}.isdisjoint(filter(None, map(ECS.place, known)))


@given(batches(min_rows=1))
@settings(max_examples=100, deadline=None)
def test_a_document_does_not_hang_on_its_neighbours(rows: pa.RecordBatch):
    alone = [document_of(rows.slice(row, 1)) for row in range(rows.num_rows)]

    assert documents(rows) == alone


def document_of(row: pa.RecordBatch) -> dict[str, Any]:
    (found,) = documents(row)
    return found


@given(batches(min_rows=1))
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_mapped(rows: pa.RecordBatch):
    properties = ECS.mapping()

    for one in documents(rows):
        assert_mapped(one, properties, "")


def assert_mapped(value: dict[str, Any], properties: Any, path: str) -> None:
    for name, inside in value.items():
        here = f"{path}{name}"
        if here == "aws.vpcflow.other":
            continue
        assert name in properties, here
        property_ = properties[name]
        if isinstance(inside, dict) and property_.get("type") not in ("geo_point", "flat_object"):
            assert_mapped(inside, property_["properties"], f"{here}.")
