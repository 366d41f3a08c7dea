import pytest
from enriching import CAPTURED_AT, added, eni, flows, inventory, snapshot

from vpcflow.aws_ranges import load_aws_ranges
from vpcflow.codes import PEER_SCOPES
from vpcflow.enrich import Reference
from vpcflow.inventory import Instance, Inventory, Vpc
from vpcflow.networks import load_networks

ENDS = "interface_id srcaddr dstaddr start"
WHO = "peer_addr peer_interface_id"
WHERE = "peer_vpc_id peer_scope"
VPC_A = Vpc("vpc-a", cidrs=("10.0.0.0/16", "2001:db8:a::/56"))
VPC_B = Vpc("vpc-b", cidrs=("10.1.0.0/16", "2001:db8:b::/56"))
WEB = eni("eni-web", "10.0.0.5 10.0.0.6", ipv6_addresses=("2001:db8:a::5",))
DB = eni(
    "eni-db",
    "10.0.0.9 10.0.0.10",
    groups="sg-1 sg-2",
    instance_id="i-db",
    public_addresses=("203.0.113.9",),
    ipv6_addresses=("2001:db8:a::9",),
    ipv4_prefixes=("10.0.8.16/28",),
)
FAR = eni(
    "eni-far",
    "10.1.0.9",
    vpc="vpc-b",
    public_addresses=("203.0.113.66",),
    ipv6_addresses=("2001:db8:b::9",),
)
INVENTORY = Inventory(
    [
        snapshot(
            *(VPC_A, VPC_B, WEB, DB, FAR),
            instances=(Instance("i-db", tags=(("Name", "database"),)),),
        )
    ]
)
REFERENCE = Reference(inventory=INVENTORY)


def to(*peers):
    """Make flows from eni-web to these addresses."""
    source = {True: "2001:db8:a::5", False: "10.0.0.5"}
    return flows(ENDS, *(f"eni-web {source[':' in p]} {p} {CAPTURED_AT}" for p in peers))


def test_the_peer_is_the_destination_of_egress_and_the_source_of_ingress():
    batch = flows(
        "interface_id srcaddr dstaddr srcport dstport",
        "eni-web 10.0.0.5 192.0.2.1 40000 443",
        "eni-web 192.0.2.1 10.0.0.5 443 40000",
    )

    rows = added(batch, "direction peer_addr peer_port local_port", REFERENCE)

    assert rows == [
        ("egress", "192.0.2.1", 443, 40000),
        ("ingress", "192.0.2.1", 443, 40000),
    ]


@pytest.mark.parametrize("line", ["eni-9 10.0.0.5 10.0.0.9 1 2", "eni-web - - - -"])
def test_without_a_direction_the_peer_is_unknown(line):
    batch = flows("interface_id srcaddr dstaddr srcport dstport", line)

    rows = added(batch, f"{WHO} peer_port local_port {WHERE} peer_network_name", REFERENCE)

    assert rows == [(None, None, None, None, None, "unknown", None)]


def test_a_peer_is_described():
    rows = added(
        to("10.0.0.9"),
        "peer_interface_id peer_security_group_ids peer_instance_id peer_instance_name peer_vpc_id",
        REFERENCE,
    )

    assert rows == [("eni-db", ["sg-1", "sg-2"], "i-db", "database", "vpc-a")]


@pytest.mark.parametrize(
    "address",
    ["10.0.0.9", "10.0.0.10", "2001:db8:a::9", "2001:db8:a:0:0:0:0:9", "10.0.8.30", "203.0.113.9"],
    ids=["primary", "secondary", "ipv6", "ipv6 spelt out", "prefix", "public"],
)
def test_a_peer_is_known_by_any_of_its_addresses(address):
    rows = added(to(address), f"{WHO} {WHERE}", REFERENCE)

    assert rows == [(address, "eni-db", "vpc-a", "vpc")]


def test_overlapping_vpcs_do_not_mix():
    twins = inventory(
        eni("eni-a1", "10.0.0.5", vpc="vpc-a"),
        eni("eni-a2", "10.0.0.9", vpc="vpc-a"),
        eni("eni-b1", "10.0.0.5", vpc="vpc-b"),
        eni("eni-b2", "10.0.0.9", vpc="vpc-b"),
        eni("eni-b3", "10.0.0.77", vpc="vpc-b"),
        Vpc("vpc-a", cidrs=("10.0.0.0/16",)),
        Vpc("vpc-b", cidrs=("10.0.0.0/16",)),
    )
    batch = flows(
        ENDS,
        f"eni-a1 10.0.0.5 10.0.0.9 {CAPTURED_AT}",
        f"eni-b1 10.0.0.5 10.0.0.9 {CAPTURED_AT}",
        f"eni-a1 10.0.0.5 10.0.0.77 {CAPTURED_AT}",
    )

    rows = added(batch, f"peer_interface_id {WHERE}", Reference(inventory=twins))

    assert rows == [
        ("eni-a2", "vpc-a", "vpc"),
        ("eni-b2", "vpc-b", "vpc"),
        (None, "vpc-a", "vpc"),
    ]


def test_an_address_that_changes_hands_has_the_owner_of_the_flows_time():
    moved = Inventory(
        [
            snapshot(WEB, eni("eni-old", "10.0.0.9", groups="sg-1"), at=CAPTURED_AT),
            snapshot(WEB, eni("eni-new", "10.0.0.9", groups="sg-2"), at=CAPTURED_AT + 10_000),
        ]
    )
    batch = flows(
        ENDS,
        f"eni-web 10.0.0.5 10.0.0.9 {CAPTURED_AT + 100}",
        f"eni-web 10.0.0.5 10.0.0.9 {CAPTURED_AT + 9_900}",
    )

    rows = added(batch, "peer_interface_id peer_security_group_ids", Reference(inventory=moved))

    assert rows == [("eni-old", ["sg-1"]), ("eni-new", ["sg-2"])]


def test_answers_too_old_for_the_reference_leave_the_peer_unnamed_but_in_its_vpc():
    batch = flows(
        f"{ENDS} vpc_id flow_direction",
        f"eni-web 10.0.0.5 10.0.0.9 {CAPTURED_AT + 5_000} vpc-a egress",
    )

    rows = added(batch, f"{WHO} {WHERE}", Reference(inventory=INVENTORY, max_stale_s=1_000))

    assert rows == [("10.0.0.9", None, "vpc-a", "vpc")]


def test_of_an_unknown_interface_the_logged_vpc_is_where_the_peer_is_looked_for():
    batch = flows(
        f"{ENDS} vpc_id flow_direction",
        f"eni-9 10.0.0.77 10.0.0.9 {CAPTURED_AT} vpc-a egress",
        f"eni-9 10.0.0.77 10.0.0.9 {CAPTURED_AT} vpc-b egress",
        f"eni-9 10.0.0.77 10.0.0.9 {CAPTURED_AT} - egress",
    )

    rows = added(batch, f"peer_interface_id {WHERE}", REFERENCE)

    assert rows == [
        ("eni-db", "vpc-a", "vpc"),
        (None, "vpc-a", "other_known_vpc"),
        (None, None, "unknown"),
    ]


def test_a_known_public_address_is_named_but_not_placed_when_the_own_vpc_is_unknown():
    batch = flows(f"{ENDS} flow_direction", f"eni-9 10.7.0.1 203.0.113.66 {CAPTURED_AT} egress")

    rows = added(batch, f"peer_interface_id {WHERE}", REFERENCE)

    assert rows == [("eni-far", "vpc-b", "unknown")]


def test_an_address_of_known_vpcs_may_be_in_the_own_vpc_whose_blocks_are_not_known():
    batch = flows(
        f"{ENDS} vpc_id flow_direction", f"eni-9 10.7.0.1 10.0.0.9 {CAPTURED_AT} vpc-z egress"
    )

    rows = added(batch, f"peer_interface_id {WHERE}", REFERENCE)

    assert rows == [(None, None, "unknown")]


@pytest.mark.parametrize(
    ("address", "vpc", "scope"),
    [
        ("10.0.0.9", "vpc-a", "vpc"),
        ("10.0.200.1", "vpc-a", "vpc"),
        ("2001:db8:a:1::1", "vpc-a", "vpc"),
        ("10.1.0.9", "vpc-b", "other_known_vpc"),
        ("2001:db8:b::77", "vpc-b", "other_known_vpc"),
        ("2001:db8:b::9", "vpc-b", "other_known_vpc"),
        ("203.0.113.66", "vpc-b", "other_known_vpc"),
        ("10.9.0.1", None, "private"),
        ("172.31.0.1", None, "private"),
        ("192.168.0.1", None, "private"),
        ("100.64.0.1", None, "private"),
        ("fd00::1", None, "private"),
        ("198.51.100.1", None, "internet"),
        ("52.213.180.42", None, "internet"),
        ("2001:db8:c::1", None, "internet"),
        ("169.254.169.254", None, "link_local"),
        ("fe80::1", None, "link_local"),
        ("224.0.0.251", None, "multicast"),
        ("255.255.255.255", None, "multicast"),
        ("ff02::1", None, "multicast"),
        ("0.0.0.0", None, "unknown"),
    ],
)
def test_the_scope_says_where_the_peer_is(address, vpc, scope):
    rows = added(to(address), WHERE, REFERENCE)

    assert rows == [(vpc, scope)]
    assert scope in PEER_SCOPES


def test_a_peer_of_the_same_interface_is_told_from_others_of_the_vpc():
    batch = flows(
        f"{ENDS} flow_direction",
        f"eni-web 10.0.0.5 10.0.0.6 {CAPTURED_AT} egress",
        f"eni-web 10.0.0.5 10.0.0.9 {CAPTURED_AT} egress",
    )

    rows = added(batch, f"peer_interface_id {WHERE}", REFERENCE)

    assert rows == [("eni-web", "vpc-a", "same_eni"), ("eni-db", "vpc-a", "vpc")]


def test_an_interface_found_in_the_own_vpc_is_there_whether_its_blocks_are_known_or_not():
    rows = added(to("10.0.0.9"), WHERE, Reference(inventory=inventory(WEB, DB)))

    assert rows == [("vpc-a", "vpc")]


def test_an_address_in_several_other_vpcs_is_elsewhere_but_in_no_certain_one():
    several = inventory(WEB, VPC_A, VPC_B, Vpc("vpc-c", cidrs=("10.1.0.0/16",)))

    rows = added(to("10.1.0.9"), WHERE, Reference(inventory=several))

    assert rows == [(None, "other_known_vpc")]


def test_without_an_inventory_the_numbers_of_the_address_tell_the_scope():
    batch = flows(
        f"{ENDS} vpc_id flow_direction",
        f"eni-web 10.0.0.5 10.0.0.9 {CAPTURED_AT} vpc-a egress",
        f"eni-web 10.0.0.5 10.0.0.9 {CAPTURED_AT} - egress",
        f"eni-web 10.0.0.5 198.51.100.1 {CAPTURED_AT} vpc-a egress",
    )

    rows = added(batch, f"{WHO} {WHERE}", Reference())

    assert rows == [
        ("10.0.0.9", None, None, "private"),
        ("10.0.0.9", None, None, "private"),
        ("198.51.100.1", None, None, "internet"),
    ]


def test_named_networks_are_named_unless_a_known_vpc_holds_the_address(tmp_path):
    file = tmp_path / "networks.csv"
    file.write_text(
        "cidr,name,kind\n10.0.0.0/8,corporate,own\n10.9.0.0/16,Oslo,office\n"
        "198.51.100.0/24,partner,partner\n"
    )
    named = Reference(inventory=INVENTORY, networks=load_networks(file))

    rows = added(
        to("10.0.0.9", "10.1.0.200", "10.9.0.1", "10.200.0.1", "198.51.100.7", "192.0.2.1"),
        "peer_scope peer_network_name",
        named,
    )

    assert rows == [
        ("vpc", None),
        ("other_known_vpc", None),
        ("named_network", "Oslo"),
        ("named_network", "corporate"),
        ("named_network", "partner"),
        ("internet", None),
    ]


def test_aws_services_are_told_by_the_log_or_by_the_published_ranges(tmp_path):
    file = tmp_path / "ip-ranges.json"
    file.write_text(
        '{"syncToken": "1", "createDate": "2026-01-01-00-00-00", "ipv6_prefixes": [], "prefixes":'
        ' [{"ip_prefix": "52.95.128.0/21", "region": "ap-southeast-2", "service": "S3",'
        ' "network_border_group": "ap-southeast-2"}]}'
    )
    batch = flows(
        f"{ENDS} pkt_src_aws_service pkt_dst_aws_service",
        f"eni-web 10.0.0.5 198.51.100.1 {CAPTURED_AT} - S3",
        f"eni-web 198.51.100.1 10.0.0.5 {CAPTURED_AT} S3 -",
        f"eni-web 198.51.100.1 10.0.0.5 {CAPTURED_AT} - S3",
        f"eni-web 10.0.0.5 52.95.128.179 {CAPTURED_AT} - -",
    )

    rows = added(
        batch, "peer_scope", Reference(inventory=INVENTORY, aws_ranges=load_aws_ranges(file))
    )

    assert rows == [("aws_service",), ("aws_service",), ("internet",), ("aws_service",)]


def test_networks_of_ones_own_are_no_aws_service_whatever_the_log_says(tmp_path):
    file = tmp_path / "networks.csv"
    file.write_text("cidr,name\n198.51.100.0/24,partner\n")
    batch = flows(
        f"{ENDS} pkt_dst_aws_service",
        f"eni-web 10.0.0.5 10.0.0.9 {CAPTURED_AT} S3",
        f"eni-web 10.0.0.5 10.9.0.1 {CAPTURED_AT} S3",
        f"eni-web 10.0.0.5 198.51.100.1 {CAPTURED_AT} S3",
    )

    rows = added(batch, "peer_scope", Reference(inventory=INVENTORY, networks=load_networks(file)))

    assert rows == [("vpc",), ("private",), ("named_network",)]


def test_each_leg_of_a_nat_gateway_has_its_own_peer():
    """https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html, NAT gateway"""
    nat = inventory(eni("eni-1235b8ca123456789", "10.0.0.220"), eni("eni-web", "10.0.1.5"), VPC_A)
    batch = flows(
        "interface_id srcaddr dstaddr pkt_srcaddr pkt_dstaddr",
        "eni-1235b8ca123456789 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5",
        "eni-1235b8ca123456789 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5",
        "eni-1235b8ca123456789 203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.220",
        "eni-1235b8ca123456789 10.0.0.220 10.0.1.5 203.0.113.5 10.0.1.5",
    )

    rows = added(batch, f"{WHO} peer_scope", Reference(inventory=nat))

    assert rows == [
        ("10.0.1.5", "eni-web", "vpc"),
        ("203.0.113.5", None, "internet"),
        ("203.0.113.5", None, "internet"),
        ("10.0.1.5", "eni-web", "vpc"),
    ]


def test_at_the_interface_of_a_transit_gateway_the_peer_is_the_destination_in_its_vpc():
    """https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html, transit gateway"""
    gateway = inventory(
        eni("eni-11111111111111111", "10.40.1.175", vpc="vpc-abcdefab012345678"),
        eni("eni-app", "10.40.2.236", vpc="vpc-abcdefab012345678"),
    )
    batch = flows(
        "version interface_id account_id vpc_id subnet_id instance_id srcaddr dstaddr srcport"
        " dstport protocol tcp_flags type pkt_srcaddr pkt_dstaddr action log_status",
        "3 eni-11111111111111111 123456789010 vpc-abcdefab012345678 subnet-11111111aaaaaaaaa -"
        " 10.40.1.175 10.40.2.236 39812 80 6 3 IPv4 10.20.33.164 10.40.2.236 ACCEPT OK",
    )

    rows = added(batch, f"{WHO} peer_port local_port peer_scope", Reference(inventory=gateway))

    assert rows == [("10.40.2.236", "eni-app", 80, 39812, "vpc")]


def test_traffic_to_a_secondary_address_has_the_sender_as_its_peer():
    batch = flows(
        "interface_id srcaddr dstaddr pkt_srcaddr pkt_dstaddr",
        "eni-web 10.0.0.9 10.0.0.5 10.0.0.9 10.0.0.6",
    )

    rows = added(batch, f"{WHO} peer_scope", REFERENCE)

    assert rows == [("10.0.0.9", "eni-db", "vpc")]


def test_what_an_appliance_forwards_has_the_neighbour_of_each_leg_as_its_peer():
    batch = flows(
        "interface_id srcaddr dstaddr pkt_srcaddr pkt_dstaddr",
        "eni-web 10.0.0.9 10.0.0.5 10.0.0.9 192.0.2.1",
        "eni-web 10.0.0.5 192.0.2.1 10.0.0.9 192.0.2.1",
    )

    rows = added(batch, f"direction {WHO}", REFERENCE)

    assert rows == [("ingress", "10.0.0.9", "eni-db"), ("egress", "192.0.2.1", None)]


def test_behind_a_load_balancer_that_preserves_addresses_the_peer_is_the_client():
    batch = flows(
        "interface_id srcaddr dstaddr pkt_srcaddr pkt_dstaddr",
        "eni-web 10.0.0.77 10.0.0.5 198.51.100.1 10.0.0.5",
        "eni-web 10.0.0.77 10.0.0.5 - -",
    )

    rows = added(batch, WHO, REFERENCE)

    assert rows == [("198.51.100.1", None), ("10.0.0.77", None)]


def test_a_transit_gateway_flow_has_the_destination_as_its_peer_whatever_its_direction():
    batch = flows(
        "resource_type tgw_src_eni tgw_dst_eni tgw_dst_vpc_id srcaddr dstaddr srcport dstport"
        " start flow_direction",
        f"TransitGateway eni-web eni-far vpc-b 10.0.0.9 10.1.0.44 40000 443 {CAPTURED_AT} ingress",
        f"TransitGateway eni-web eni-9 vpc-b 10.0.0.9 10.1.0.44 40000 443 {CAPTURED_AT} -",
        f"TransitGateway eni-web - - 10.0.0.9 198.51.100.1 40000 443 {CAPTURED_AT} egress",
        f"TransitGateway eni-web eni-db - 10.0.0.9 10.0.0.9 40000 443 {CAPTURED_AT} egress",
    )

    rows = added(batch, f"{WHO} peer_port local_port {WHERE}", REFERENCE)

    assert rows == [
        ("10.1.0.44", "eni-far", 443, 40000, "vpc-b", "other_known_vpc"),
        ("10.1.0.44", None, 443, 40000, "vpc-b", "other_known_vpc"),
        ("198.51.100.1", None, 443, 40000, None, "internet"),
        ("10.0.0.9", "eni-db", 443, 40000, "vpc-a", "vpc"),
    ]


def test_flows_of_interfaces_and_of_a_transit_gateway_may_share_a_batch():
    batch = flows(
        "interface_id tgw_src_eni tgw_dst_eni srcaddr dstaddr start",
        f"eni-web - - 10.0.0.9 10.0.0.5 {CAPTURED_AT}",
        f"- eni-web eni-far 10.0.0.9 10.1.0.44 {CAPTURED_AT}",
    )

    rows = added(batch, f"eni_vpc_id direction {WHO}", REFERENCE)

    assert rows == [
        ("vpc-a", "ingress", "10.0.0.9", "eni-db"),
        ("vpc-a", None, "10.1.0.44", "eni-far"),
    ]


def test_rows_looked_up_together_get_what_each_gets_alone():
    addresses = "10.0.0.5 10.0.0.9 10.0.8.17 10.1.0.9 203.0.113.66 203.0.113.7 2001:db8:b::9 224.0.0.1 -".split()
    lines = [
        f"{own} {source} {destination} {CAPTURED_AT + at}"
        for at, own in enumerate(("eni-web", "eni-far", "eni-x", "-"))
        for source in addresses
        for destination in addresses
    ]
    columns = f"{WHO} {WHERE} peer_security_group_ids peer_instance_name"

    together = added(flows(ENDS, *lines), columns, REFERENCE)

    # A limit of age makes the time of every row count.
    by_time = Reference(inventory=INVENTORY, max_stale_s=10**9)
    assert together == added(flows(ENDS, *lines), columns, by_time)
    assert together == [
        row for line in lines for row in added(flows(ENDS, line), columns, REFERENCE)
    ]
