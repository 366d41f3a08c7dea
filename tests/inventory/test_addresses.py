from __future__ import annotations

import numpy as np
import pyarrow as pa
from inventories import answers, column, eni, inventory, seconds, snapshot

from vpcflow.addresses import parse_addresses
from vpcflow.inventory import Eni, Inventory, Subnet, Vpc

T = 100_000
ROUTER = eni(
    1,
    "10.0.0.1",
    "10.0.0.2",
    public_addresses=("203.0.113.1",),
    ipv6_addresses=("2001:db8::1",),
    ipv4_prefixes=("10.0.1.16/28",),
    ipv6_prefixes=("2001:db8:0:0:1::/80",),
)


def at(of: Inventory, vpc_id: str, address: str, time: int = T) -> Eni | None:
    found = of.interfaces_at(column(vpc_id), column(address), seconds(time), seconds(time))
    return answers(of, found)[0][0]


def public(of: Inventory, address: str, time: int = T) -> Eni | None:
    found = of.interfaces_by_public(column(address), seconds(time), seconds(time))
    return answers(of, found)[0][0]


def test_every_address_of_an_interface_is_its_own() -> None:
    known = inventory(snapshot(T, ROUTER))
    addresses = [
        "10.0.0.1", "10.0.0.2", "203.0.113.1", "2001:db8::1", "10.0.1.16", "10.0.1.31", "2001:db8::1:0:0:9",
    ]  # fmt: skip
    others = [
        "10.0.0.3",
        "10.0.1.15",
        "10.0.1.32",
        "2001:db8::2",
        "2001:db8::2:0:0:9",
        "198.51.100.1",
        None,
    ]

    owned = known.owns(np.zeros(14, np.int32), column(*addresses, *others))

    assert owned.tolist() == [True] * 7 + [False] * 7


def test_an_address_is_owned_by_the_versions_that_had_it_and_no_other() -> None:
    without = eni(1, "10.0.0.9")
    other = eni(2, "10.0.0.1", groups="sg-b")
    known = inventory(
        snapshot(T, ROUTER), snapshot(T + 1, without), snapshot(T + 2, eni(1, "10.0.0.1")), snapshot(T + 3, other)
    )  # fmt: skip
    rows = np.arange(-1, 4, dtype=np.int32)

    owned = known.owns(rows, column(*["10.0.0.1"] * 5))

    assert owned.tolist() == [False, True, False, True, True]


def test_every_address_of_an_interface_leads_to_it_within_its_vpc() -> None:
    known = inventory(snapshot(T, ROUTER))

    for address in ("10.0.0.2", "203.0.113.1", "2001:db8::1", "10.0.1.20", "2001:db8::1:0:0:9"):
        assert at(known, "vpc-a", address) == ROUTER
        assert at(known, "vpc-b", address) is None


def test_an_ipv6_address_is_found_however_it_is_written() -> None:
    known = inventory(snapshot(T, ROUTER))

    assert at(known, "vpc-a", "2001:DB8:0:0:0:0:0:1") == ROUTER


def test_the_same_address_in_two_vpcs_is_two_interfaces() -> None:
    here, there = eni(1, "10.0.0.1"), eni(2, "10.0.0.1", vpc_id="vpc-b")
    known = inventory(snapshot(T, here, there))

    assert at(known, "vpc-a", "10.0.0.1") == here
    assert at(known, "vpc-b", "10.0.0.1") == there


def test_an_address_that_moves_is_the_interfaces_that_has_it_then() -> None:
    before, after = eni(1, "10.0.0.1"), eni(2, "10.0.0.1")
    known = inventory(snapshot(T, before), snapshot(T + 1000, after))

    assert at(known, "vpc-a", "10.0.0.1", T + 400) == before
    assert at(known, "vpc-a", "10.0.0.1", T + 600) == after


def test_an_address_two_interfaces_have_at_once_is_unknown() -> None:
    known = inventory(snapshot(T, eni(1, "10.0.0.1"), eni(2, "10.0.0.1")))

    assert at(known, "vpc-a", "10.0.0.1") is None


def test_a_single_address_goes_before_a_prefix_around_it() -> None:
    single, around = eni(1, "10.0.0.1"), eni(2, "10.0.0.9", ipv4_prefixes=("10.0.0.0/28",))
    known = inventory(snapshot(T, single, around))

    assert at(known, "vpc-a", "10.0.0.1") == single
    assert at(known, "vpc-a", "10.0.0.2") == around


def test_a_prefix_answers_for_an_address_that_was_single_long_before() -> None:
    single, around = eni(1, "10.0.0.1"), eni(2, "10.0.0.9", ipv4_prefixes=("10.0.0.0/28",))
    known = inventory(snapshot(T, single), snapshot(T + 1000, around))

    assert at(known, "vpc-a", "10.0.0.1", T + 900) == around


def test_accounts_that_share_a_vpc_may_hand_an_address_over() -> None:
    theirs = [("999999999999", "eu-west-1")]
    ours, other = eni(1, "10.0.0.1"), eni(2, "10.0.0.1", owner_id="999999999999")
    known = inventory(
        snapshot(T, ours), snapshot(T + 500, other, scopes=theirs), snapshot(T + 1000, ours)
    )

    assert at(known, "vpc-a", "10.0.0.1", T + 450) == other
    assert at(known, "vpc-a", "10.0.0.1", T + 900) == ours


def test_a_public_address_is_found_from_any_vpc() -> None:
    known = inventory(snapshot(T, ROUTER))

    assert public(known, "203.0.113.1") == ROUTER
    assert public(known, "2001:db8::1") == ROUTER
    assert public(known, "2001:db8::1:0:0:9") == ROUTER
    assert public(known, "10.0.0.1") is None


def test_a_unique_local_address_is_not_public() -> None:
    known = inventory(snapshot(T, eni(1, "10.0.0.1", ipv6_addresses=("fd00::1",))))

    assert public(known, "fd00::1") is None
    assert at(known, "vpc-a", "fd00::1") is not None


def test_located_addresses_may_be_handed_in() -> None:
    known = inventory(snapshot(T, ROUTER))
    addresses = column("10.0.0.1", None, "10.0.1.20", "no address")

    found = known.interfaces_at(
        column(*["vpc-a"] * 4), addresses, *[seconds(T, T, T, T)] * 2,
        located=known.locate(parse_addresses(addresses.dictionary)),
    )  # fmt: skip

    assert (found.rows >= 0).tolist() == [True, False, True, False]


VPC_A = Vpc("vpc-a", cidrs=("10.0.0.0/16", "10.7.0.0/24", "2001:db8::/56"))
VPC_B = Vpc("vpc-b", cidrs=("10.0.0.0/24", "2001:db8:0:100::/56"))


def test_an_address_is_in_a_vpc_by_its_cidr_blocks() -> None:
    known = inventory(snapshot(T, vpcs=(VPC_A, VPC_B)))
    addresses = [
        "10.0.255.255",
        "10.1.0.0",
        "10.7.0.9",
        "2001:db8:0:ff::1",
        "2001:db8:0:100::1",
        None,
    ]

    held = known.in_vpc(column(*["vpc-a"] * 6), column(*addresses))

    assert held.tolist() == [True, False, True, True, False, False]


def test_each_row_is_asked_about_its_own_vpc() -> None:
    known = inventory(snapshot(T, vpcs=(VPC_A, VPC_B)))

    held = known.in_vpc(column("vpc-a", "vpc-b", "vpc-x", None), column(*["10.0.9.1"] * 4))

    assert held.tolist() == [True, False, False, False]


def test_the_known_vpcs_of_an_address_are_all_that_hold_it() -> None:
    known = inventory(snapshot(T, vpcs=(VPC_A, VPC_B)))
    values = ["10.0.0.1", "10.0.1.1", "192.0.2.1", "2001:db8:0:100::1", "2001:db8:1::", "-"]

    vpcs = known.known_vpcs(pa.array(values))

    assert vpcs == [("vpc-a", "vpc-b"), ("vpc-a",), (), ("vpc-b",), (), ()]


def test_the_last_address_of_a_block_is_in_it_and_the_next_is_not() -> None:
    narrow = Vpc("vpc-c", cidrs=("10.9.0.0/28", "2001:db8:0:0:1::/80"))
    known = inventory(snapshot(T, vpcs=(narrow,)))
    values = ["10.9.0.15", "10.9.0.16", "2001:db8::1:ffff:ffff:ffff", "2001:db8::2:0:0:0"]

    held = known.in_vpc(column(*["vpc-c"] * 4), column(*values))

    assert held.tolist() == [True, False, True, False]
    assert known.known_vpcs(pa.array(values)) == [("vpc-c",), (), ("vpc-c",), ()]


def test_subnets_tell_the_blocks_of_a_vpc_nobody_described() -> None:
    known = inventory(snapshot(T, subnets=(Subnet("subnet-1", "vpc-c", cidrs=("10.9.0.0/24",)),)))

    assert known.known_vpcs(pa.array(["10.9.0.7"])) == [("vpc-c",)]
    assert known.vpc_ids == ("vpc-c",)


def test_the_columns_of_an_interface_are_ready_to_take() -> None:
    one = eni(
        1, "10.0.0.1", groups="sg-a sg-b", interface_type="interface", description="d", subnet_id="subnet-1",
        az_id="euw1-az1", tags=(("k", "v"),),
    )  # fmt: skip
    known = inventory(snapshot(T, one, eni(2, groups="")))
    columns = (
        "interface_id type owner_id description instance_id instance_name vpc_id subnet_id az_id tags"
        " security_group_ids security_group_names"
    )

    row = {
        name: getattr(known.interfaces, name).take(pa.array([0])).to_pylist()[0]
        for name in columns.split()
    }

    assert row == {
        "interface_id": "eni-1", "type": "interface", "owner_id": "123456789012", "description": "d",
        "instance_id": None, "instance_name": None, "vpc_id": "vpc-a", "subnet_id": "subnet-1",
        "az_id": "euw1-az1", "tags": [{"key": "k", "value": "v"}],
        "security_group_ids": ["sg-a", "sg-b"], "security_group_names": ["a", "b"],
    }  # fmt: skip
    assert known.interfaces.security_group_ids.to_pylist()[1] == []


def test_sets_of_vpcs_are_those_of_each_address() -> None:
    outer = Vpc("vpc-c", cidrs=("0.0.0.0/1", "2001:db8::/32", "255.255.255.0/24"))
    known = inventory(snapshot(T, vpcs=(VPC_A, VPC_B, outer)))
    edges = "0.0.0.0 9.255.255.255 10.0.0.0 10.0.0.255 10.0.1.0 10.0.255.255 10.1.0.0 10.7.0.0 10.7.1.0 127.255.255.255"
    ipv6 = ":: 2001:db8:: 2001:db8:0:ff:: 2001:db8:0:100:: 2001:db8:1:: 2001:db9:: ffff::"
    values = pa.array([*edges.split(), *ipv6.split(), "128.0.0.0", "255.255.255.255", "no address"])

    sets = known.vpc_sets.of(parse_addresses(values)).tolist()

    assert [known.vpc_sets.members[place] for place in sets] == known.known_vpcs(values)


def test_without_vpcs_no_address_is_in_one() -> None:
    known = inventory(snapshot(T))

    assert known.vpc_sets.of(parse_addresses(pa.array(["10.0.0.1", "::1"]))).tolist() == [0, 0]
