"""Random accounts as a few snapshots saw them, small enough that rules, addresses and times often meet."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from asking import Asks
from inventories import ACCOUNT, REGION

from vpcflow.inventory import (
    Eni,
    GroupRef,
    NetworkAcl,
    NetworkAclEntry,
    PeeredVpc,
    PrefixList,
    PrefixListEntry,
    PrivateAddress,
    SecurityGroup,
    SecurityGroupRule,
    Snapshot,
    Subnet,
    TransitGateway,
    TransitGatewayAttachment,
    Vpc,
    VpcPeeringConnection,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

OTHER = "210987654321"
VPCS = {"vpc-a": ACCOUNT, "vpc-b": ACCOUNT, "vpc-c": OTHER}
BLOCKS = {
    "vpc-a": ("10.0.0.0/24", "2001:db8::/64"),
    "vpc-b": ("10.1.0.0/24", "2001:db8:1::/64"),
    "vpc-c": ("10.0.0.0/16",),
}
GROUPS = {"sg-a": "vpc-a", "sg-b": "vpc-a", "sg-c": "vpc-b", "sg-d": "vpc-c"}
IPV4 = "10.0.0.1 10.0.0.2 10.0.0.17 10.0.0.18 10.1.0.1 10.2.0.1 192.0.2.1 192.0.2.200".split()
IPV6 = "2001:db8::1 2001:db8::2 2001:db8:1::5 2001:db8:1:0:1::5 fd00::1".split()
CIDRS = (
    "0.0.0.0/0 10.0.0.0/8 10.0.0.0/30 10.0.0.1/32 10.0.0.16/28 10.1.0.0/16 192.0.2.0/25 192.0.2.0/24"
    " ::/0 2001:db8::/126 2001:db8::/32 2001:db8::1/128 2001:db8:1::/48 fd00::/8"
).split()
PROTOCOLS = (-1, 6, 6, 17, 1, 58, 0, 47)
PORTS = ((None, None), (80, 90), (443, 443), (0, 65535), (1, 65534))
RULES = 10

ALWAYS_THERE: dict[str, Any] = {
    "security_groups": [
        SecurityGroup(g, owner_id=VPCS[v], region=REGION, vpc_ids=(v,)) for g, v in GROUPS.items()
    ],
    "vpcs": [Vpc(v, VPCS[v], REGION, BLOCKS[v]) for v in VPCS],
    "subnets": [Subnet("subnet-1", "vpc-b", ACCOUNT, f"{REGION}a", cidrs=("10.1.0.0/24",))],
}


def history(rng: Random) -> list[Snapshot]:
    """Make one to four snapshots; each has of every object one of two versions, or none."""
    there = {
        "interfaces": _versions(rng, _eni, 5),
        "security_group_rules": _versions(rng, rule, RULES),
        "prefix_lists": _versions(rng, _prefix_list, 2),
        "vpc_peering_connections": _versions(rng, _peering, 3),
        "transit_gateway_attachments": _versions(rng, _attachment, 4),
        "transit_gateways": _versions(rng, _gateway, 2),
        "network_acls": _versions(rng, _network_acl, 2),
    }
    times = sorted(rng.sample(range(100, 110), rng.randint(1, 4)))
    return [_snapshot(rng, there, time_s) for time_s in times]


def questions(rng: Random, rows: int, count: int = 150) -> list[Asks]:
    """Make packets of interfaces with these rows, and of one that is not known."""
    return [
        Asks(
            rng.randrange(-1, rows),
            rng.choice([None, *IPV4, *IPV4, *IPV6, "224.0.0.1"]),
            rng.choice((80, 443, 0, 65535)),
            rng.choice((6, 6, 17, 1, 58, 0, 47, 50)),
            rng.random() < 0.4,
            rng.randint(95, 115),
        )
        for _ in range(count)
    ]


def rule(rng: Random, number: int) -> SecurityGroupRule:
    """Make a rule with any counterpart; its number tells whose it is, as a rule never changes its group."""
    group_id = sorted(GROUPS)[number % len(GROUPS)]
    low, high = rng.choice(PORTS)
    counterpart = rng.choice([*CIDRS, *GROUPS, *GROUPS, *GROUPS, "pl-0", "pl-1", "pl-unheard-of"])
    kind = "ipv6_cidr" if ":" in counterpart else "ipv4_cidr"
    kind = {"sg": "referenced_group_id", "pl": "prefix_list_id"}.get(counterpart[:2], kind)
    of_all: dict[str, Any] = {kind: counterpart}
    return SecurityGroupRule(
        group_id,
        f"sgr-{number}",
        group_owner_id=VPCS[GROUPS[group_id]],
        region=REGION,
        is_egress=rng.random() < 0.4,
        protocol=rng.choice(PROTOCOLS),
        from_port=low,
        to_port=high,
        **of_all,
    )


def _some(rng: Random, values: Iterable[str], most: int) -> tuple[str, ...]:
    every = sorted(values)
    return tuple(sorted(rng.sample(every, rng.randint(0, min(most, len(every))))))


def _versions(rng: Random, make: Any, count: int) -> list[tuple[Any, Any]]:
    return [(make(rng, number), make(rng, number)) for number in range(count)]


def _snapshot(rng: Random, there: dict[str, list[tuple[Any, Any]]], time_s: int) -> Snapshot:
    """Make a snapshot of one account or both, with most of the kinds."""
    accounts = rng.choice(((ACCOUNT,), (ACCOUNT, OTHER), (ACCOUNT, OTHER)))
    lists: dict[str, tuple[Any, ...]] = {}
    for kind, every in there.items():
        if kind == "interfaces" or rng.random() < 0.85:
            taken = [rng.choice(versions) for versions in every if rng.random() < 0.8]
            lists[kind] = tuple(one for one in taken if one.scope[0] in accounts)
    for kind, always in ALWAYS_THERE.items():
        if rng.random() < 0.85:
            lists[kind] = tuple(one for one in always if one.scope[0] in accounts)
    scopes = tuple((account, REGION) for account in accounts)
    return Snapshot(time_s, scopes=scopes, kinds=frozenset(lists), **lists)


def _eni(rng: Random, number: int) -> Eni:
    vpc_id = sorted(VPCS)[number % 3]
    return Eni(
        f"eni-{number}",
        interface_type=rng.choice((None, None, None, "nat_gateway")),
        owner_id=VPCS[vpc_id],
        vpc_id=vpc_id,
        availability_zone=f"{REGION}a",
        subnet_id=rng.choice((None, f"subnet-{number % 2}")),
        private_addresses=tuple(map(PrivateAddress, _some(rng, IPV4, 2))),
        public_addresses=_some(rng, ["192.0.2.1", "198.51.100.1"], 1),
        ipv6_addresses=_some(rng, IPV6, 2),
        ipv4_prefixes=_some(rng, ["10.0.0.16/28"], 1),
        ipv6_prefixes=_some(rng, ["2001:db8:1::/80", "2001:db8:1::/64"], 2),
        groups=tuple(map(GroupRef, _some(rng, {*GROUPS, "sg-unheard-of"}, 3))),
    )


def _prefix_list(rng: Random, number: int) -> PrefixList:
    entries = tuple(map(PrefixListEntry, _some(rng, CIDRS, 3)))
    return PrefixList(
        f"pl-{number}",
        owner_id=ACCOUNT,
        region=REGION,
        entries=rng.choice((entries, entries, None)),
    )


def _peering(rng: Random, number: int) -> VpcPeeringConnection:
    one, other = (("vpc-a", "vpc-b"), ("vpc-c", "vpc-b"), ("vpc-a", "vpc-c"))[number]
    return VpcPeeringConnection(
        f"pcx-{number}",
        rng.choice(("active", "active", "deleted")),
        PeeredVpc(one, VPCS[one], REGION),
        PeeredVpc(other, VPCS[other], rng.choice((REGION, REGION, "eu-north-1"))),
        VPCS[one],
        REGION,
    )


def _attachment(rng: Random, number: int) -> TransitGatewayAttachment:
    vpc_id = sorted(VPCS)[number % 3]
    return TransitGatewayAttachment(
        f"tgw-attach-{number}",
        f"tgw-{number // 3}",
        vpc_id,
        VPCS[vpc_id],
        REGION,
        rng.choice(("available", "available", "deleted")),
        rng.choice((None, True, False)),
    )


def _gateway(rng: Random, number: int) -> TransitGateway:
    enabled = rng.choice((None, True, False))
    return TransitGateway(f"tgw-{number}", ACCOUNT, REGION, "available", enabled)


def _network_acl(rng: Random, number: int) -> NetworkAcl:
    numbers = rng.sample(range(1, 100), 8)
    entries = [_entry(rng, place, way) for place, way in product(numbers, (False, True))]
    rng.shuffle(entries)
    subnets = (f"subnet-{number}",)
    return NetworkAcl(f"acl-{number}", "vpc-a", ACCOUNT, REGION, False, subnets, tuple(entries))


def _entry(rng: Random, number: int, is_egress: bool) -> NetworkAclEntry:
    low, high = rng.choice(PORTS)
    protocol = rng.choice(PROTOCOLS)
    named = rng.choice((None, 8)) if protocol in (1, 58) else None
    allow, cidr = rng.random() < 0.5, rng.choice(CIDRS)
    return NetworkAclEntry(number, is_egress, allow, protocol, cidr, low, high, named)
