import pytest
from enriching import added, eni, flows, inventory

from vpcflow.enrich import Reference

BOTH = "direction direction_basis"
ENDS = "interface_id srcaddr dstaddr start"
INVENTORY = inventory(
    eni(
        "eni-1",
        "10.0.0.5 10.0.0.6",
        public_addresses=("203.0.113.7",),
        ipv6_addresses=("2001:db8:1::5",),
        ipv4_prefixes=("10.0.8.16/28",),
        ipv6_prefixes=("2001:db8:1:2::/80",),
    ),
    eni("eni-2", "10.0.0.9"),
)
REFERENCE = Reference(inventory=INVENTORY)


@pytest.mark.parametrize(
    ("own", "other"),
    [
        ("10.0.0.5", "192.0.2.1"),
        ("10.0.0.6", "192.0.2.1"),
        ("203.0.113.7", "192.0.2.1"),
        ("2001:db8:1::5", "2001:db8:9::1"),
        ("2001:db8:1:0:0:0:0:5", "2001:db8:9::1"),
        ("10.0.8.31", "192.0.2.1"),
        ("2001:db8:1:2::9", "2001:db8:9::1"),
    ],
    ids=["primary", "secondary", "public", "ipv6", "ipv6 spelt out", "ipv4 prefix", "ipv6 prefix"],
)
def test_the_side_of_the_interfaces_own_address_tells_the_direction(own, other):
    batch = flows(ENDS, f"eni-1 {own} {other} 1700000000", f"eni-1 {other} {own} 1700000000")

    rows = added(batch, BOTH, REFERENCE)

    assert rows == [("egress", "address"), ("ingress", "address")]


@pytest.mark.parametrize(
    "line",
    [
        "eni-1 10.0.0.7 192.0.2.1",
        "eni-1 10.0.0.5 10.0.0.6",
        "eni-1 10.0.8.32 192.0.2.1",
        "eni-9 10.0.0.5 192.0.2.1",
        "- 10.0.0.5 192.0.2.1",
        "eni-1 - -",
    ],
    ids=["neither", "both", "beside the prefix", "unknown interface", "no interface", "NODATA"],
)
def test_what_the_addresses_do_not_tell_is_null(line):
    rows = added(flows(ENDS, f"{line} 1700000000"), BOTH, REFERENCE)

    assert rows == [(None, None)]


def test_another_interfaces_address_tells_nothing():
    rows = added(flows(ENDS, "eni-2 10.0.0.5 192.0.2.1 1700000000"), BOTH, REFERENCE)

    assert rows == [(None, None)]


def test_the_log_is_believed_before_the_addresses():
    batch = flows(
        f"{ENDS} flow_direction",
        "eni-1 10.0.0.5 192.0.2.1 1700000000 ingress",
        "eni-1 10.0.0.5 192.0.2.1 1700000000 -",
        "eni-9 10.0.0.5 192.0.2.1 1700000000 egress",
    )

    rows = added(batch, BOTH, REFERENCE)

    assert rows == [("ingress", "log"), ("egress", "address"), ("egress", "log")]


def test_a_direction_of_the_log_that_is_none_counts_as_not_logged():
    batch = flows(
        f"{ENDS} flow_direction",
        "eni-1 10.0.0.5 192.0.2.1 1700000000 sideways",
        "eni-9 10.0.0.5 192.0.2.1 1700000000 sideways",
        "eni-1 10.0.0.5 192.0.2.1 1700000000 INGRESS",
    )

    rows = added(batch, BOTH, REFERENCE)

    assert rows == [("egress", "address"), (None, None), ("ingress", "log")]


def test_without_an_inventory_only_the_log_tells():
    batch = flows(
        f"{ENDS} flow_direction",
        "eni-1 10.0.0.5 192.0.2.1 1700000000 egress",
        "eni-1 10.0.0.5 192.0.2.1 1700000000 -",
    )

    rows = added(batch, BOTH, Reference())

    assert rows == [("egress", "log"), (None, None)]


def test_each_leg_of_a_nat_gateway_has_its_own_direction():
    """https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html, NAT gateway"""
    nat = Reference(inventory=inventory(eni("eni-1235b8ca123456789", "10.0.0.220")))
    batch = flows(
        "interface_id srcaddr dstaddr pkt_srcaddr pkt_dstaddr",
        "eni-1235b8ca123456789 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5",
        "eni-1235b8ca123456789 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5",
        "eni-1235b8ca123456789 203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.220",
        "eni-1235b8ca123456789 10.0.0.220 10.0.1.5 203.0.113.5 10.0.1.5",
    )

    rows = added(batch, "direction", nat)

    assert rows == [("ingress",), ("egress",), ("ingress",), ("egress",)]


def test_an_appliance_that_forwards_ipv6_has_no_inferred_direction():
    batch = flows(ENDS, "eni-1 2001:db8:7::1 2001:db8:9::1 1700000000")

    rows = added(batch, BOTH, REFERENCE)

    assert rows == [(None, None)]


def test_a_transit_gateway_flow_has_the_direction_the_log_says_and_no_other():
    batch = flows(
        "resource_type tgw_src_eni srcaddr dstaddr flow_direction",
        "TransitGateway eni-1 10.0.0.5 192.0.2.1 ingress",
        "TransitGateway eni-1 10.0.0.5 192.0.2.1 -",
    )

    rows = added(batch, BOTH, REFERENCE)

    assert rows == [("ingress", "log"), (None, None)]
