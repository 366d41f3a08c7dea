"""The lab's VPC: interfaces, security groups, rules and prefix lists, as plain values; all else is made from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

ACCOUNT_ID = "123456789012"
REGION = "us-east-1"
VPC_ID = "vpc-0aaaaaaaaaaaaaa01"

ICMP, TCP, UDP, ESP, ICMPV6 = 1, 6, 17, 50, 58
ALL = -1


@dataclass(frozen=True)
class Rule:
    """
    A security group rule; ``counterpart`` is a CIDR, or the id of a prefix list or security group.

    Ports are null for all; for ICMP they are type and code, -1 for any.
    """

    id: str
    group_id: str
    is_egress: bool
    protocol: int
    first_port: int | None
    last_port: int | None
    counterpart: str

    @property
    def is_open(self) -> bool:
        """Whether it lets everyone of a family through."""
        return self.counterpart in ("0.0.0.0/0", "::/0")


@dataclass(frozen=True)
class Interface:
    """A network interface, guarded by its groups; one without groups is a NAT gateway's and lets all through."""

    name: str
    subnet: str
    ipv4: tuple[str, ...]
    ipv6: tuple[str, ...]
    group_ids: tuple[str, ...]
    public: str | None = None
    number: int = 0

    @property
    def id(self) -> str:
        return f"eni-0bbbbbbbbbbbbbb{self.number:02d}"

    @property
    def instance_id(self) -> str | None:
        return f"i-0cccccccccccccc{self.number:02d}" if self.group_ids else None

    @property
    def addresses(self) -> tuple[str, ...]:
        return self.ipv4 + self.ipv6


@dataclass(frozen=True)
class Subnet:
    name: str
    id: str
    ipv4: str
    ipv6: str


@dataclass(frozen=True)
class Host:
    """A host outside of the VPC."""

    name: str
    ipv4: str
    ipv6: str


@dataclass(frozen=True)
class Vpc:
    """
    The whole.

    Interfaces in a subnet named in ``by_nat`` reach the internet by IPv4 through the interface of that name.
    """

    subnets: tuple[Subnet, ...]
    interfaces: tuple[Interface, ...]
    hosts: tuple[Host, ...]
    groups: dict[str, str]
    rules: tuple[Rule, ...]
    prefix_lists: dict[str, tuple[str, ...]]
    by_nat: dict[str, str]

    def interface(self, name: str) -> Interface:
        return next(one for one in self.interfaces if one.name == name)

    def members(self, group_id: str) -> tuple[Interface, ...]:
        return tuple(one for one in self.interfaces if group_id in one.group_ids)

    def rules_of(self, interface: Interface) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.group_id in interface.group_ids)

    def changed(self, *, remove: Collection[str] = (), add: tuple[Rule, ...] = ()) -> Vpc:
        """Give the VPC without these rules and with those."""
        kept = tuple(rule for rule in self.rules if rule.id not in remove)
        return replace(self, rules=kept + add)


PROXY, APP, BASE, DATABASE, OPS, METRICS, OPEN = (
    f"sg-0ddddddddddddddd{number}" for number in range(1, 8)
)
OFFICES = "pl-0eeeeeeeeeeeeeee1"
OFFICES_6 = "pl-0eeeeeeeeeeeeeee2"


def rule(
    number: int,
    group_id: str,
    direction: str,
    protocol: int,
    ports: tuple[int, int] | None,
    counterpart: str,
) -> Rule:
    first, last = ports or (None, None)
    return Rule(
        f"sgr-0fffffffffffff{number:03d}",
        group_id, direction == "egress", protocol, first, last, counterpart,
    )  # fmt: skip


RULES = (
    # A web server's: open to the world, what it may call itself is narrow, so that connections are tracked.
    rule(1, PROXY, "ingress", TCP, (443, 443), "0.0.0.0/0"),
    rule(2, PROXY, "ingress", TCP, (443, 443), "::/0"),
    rule(3, PROXY, "ingress", TCP, (400, 499), "198.51.100.0/24"),
    rule(4, PROXY, "egress", TCP, (8080, 8080), APP),
    rule(5, PROXY, "egress", UDP, (53, 53), METRICS),
    rule(6, PROXY, "egress", ICMP, (-1, -1), "10.0.0.0/16"),
    # Behind it: a reference to its group, a range that says the same of one family, and one that refers to itself.
    rule(10, APP, "ingress", TCP, (8080, 8080), PROXY),
    rule(11, APP, "ingress", TCP, (8000, 8100), "10.0.0.0/24"),
    rule(12, APP, "ingress", TCP, (7000, 7999), APP),
    rule(13, APP, "ingress", UDP, (7946, 7946), APP),
    rule(14, APP, "egress", TCP, (7000, 7999), APP),
    rule(15, APP, "egress", UDP, (7946, 7946), APP),
    rule(16, APP, "egress", TCP, (5432, 5432), DATABASE),
    rule(17, APP, "egress", TCP, (0, 65535), "10.0.0.0/16"),
    rule(18, APP, "egress", TCP, (443, 443), "0.0.0.0/0"),
    rule(19, APP, "egress", TCP, (443, 443), "::/0"),
    rule(20, APP, "egress", UDP, (53, 8125), METRICS),
    rule(21, APP, "egress", ICMPV6, (-1, -1), "2001:db8:0:100::/56"),
    # What every instance has besides its own group.
    rule(30, BASE, "ingress", TCP, (22, 22), OPS),
    rule(31, BASE, "ingress", ICMP, (8, -1), "10.0.0.0/16"),
    rule(32, BASE, "ingress", ICMPV6, (128, 0), "2001:db8:0:100::/56"),
    rule(33, BASE, "egress", UDP, (53, 53), "10.0.1.0/24"),
    # A database: nothing goes out of it.
    rule(40, DATABASE, "ingress", TCP, (5432, 5432), APP),
    rule(41, DATABASE, "ingress", TCP, (5432, 5433), "10.0.1.0/24"),
    rule(42, DATABASE, "ingress", TCP, (5432, 5432), "2001:db8:0:101::/64"),
    rule(43, DATABASE, "ingress", ALL, None, OPS),
    # Those who look after it, from their offices by prefix list.
    rule(50, OPS, "ingress", TCP, (22, 22), OFFICES),
    rule(51, OPS, "ingress", TCP, (22, 22), OFFICES_6),
    rule(52, OPS, "ingress", TCP, (22, 22), "198.51.100.0/28"),
    rule(53, OPS, "egress", ALL, None, "10.0.0.0/16"),
    rule(54, OPS, "egress", ALL, None, "2001:db8:0:100::/56"),
    rule(55, OPS, "egress", ESP, None, DATABASE),
    rule(56, OPS, "egress", TCP, (443, 443), "203.0.113.0/24"),
    rule(57, OPS, "egress", TCP, (9443, 9443), "203.0.113.0/24"),
    # UDP services, by address and by group.
    rule(60, METRICS, "ingress", UDP, (53, 53), "10.0.0.0/16"),
    rule(61, METRICS, "ingress", UDP, (53, 53), PROXY),
    rule(62, METRICS, "ingress", UDP, (8125, 8125), APP),
    rule(63, METRICS, "ingress", UDP, (53, 53), "2001:db8:0:100::/56"),
    # Open both ways: connections through these rules are not tracked.
    rule(70, OPEN, "ingress", TCP, (80, 80), "0.0.0.0/0"),
    rule(71, OPEN, "ingress", TCP, (443, 443), PROXY),
    rule(72, OPEN, "egress", ALL, None, "0.0.0.0/0"),
    rule(73, OPEN, "ingress", UDP, (5000, 5010), "0.0.0.0/0"),
    rule(74, OPEN, "ingress", TCP, (9443, 9443), OPS),
    # Nobody needs it.
    rule(80, APP, "ingress", TCP, (9000, 9100), "192.0.2.0/24"),
)  # fmt: skip

_PUBLIC = Subnet("public", "subnet-0aaaaaaaaaaaaaaa1", "10.0.0.0/24", "2001:db8:0:100::/64")
_PRIVATE = Subnet("private", "subnet-0aaaaaaaaaaaaaaa2", "10.0.1.0/24", "2001:db8:0:101::/64")


def _interface(
    number: int,
    name: str,
    subnet: Subnet,
    groups: tuple[str, ...],
    secondary: tuple[str, ...] = (),
    public: str | None = None,
) -> Interface:
    ipv4 = str(ip_address(subnet.ipv4.partition("/")[0]) + number)
    ipv6 = str(ip_address(subnet.ipv6.partition("/")[0]) + number) if groups else ""
    return Interface(
        name, subnet.name, (ipv4, *secondary), (ipv6,) if ipv6 else (), groups, public, number
    )


LAB = Vpc(
    subnets=(_PUBLIC, _PRIVATE),
    interfaces=(
        _interface(10, "proxy", _PUBLIC, (PROXY,), public="203.0.113.10"),
        _interface(11, "app1", _PRIVATE, (APP, BASE)),
        _interface(12, "app2", _PRIVATE, (APP, BASE), secondary=("10.0.1.112",)),
        _interface(13, "database", _PRIVATE, (BASE, DATABASE)),
        _interface(14, "ops", _PUBLIC, (BASE, OPS), public="203.0.113.14"),
        _interface(15, "metrics", _PRIVATE, (BASE, METRICS), secondary=("10.0.1.115",)),
        _interface(16, "open", _PUBLIC, (OPEN,), public="203.0.113.16"),
        _interface(17, "nat", _PUBLIC, (), public="203.0.113.17"),
        _interface(18, "idle", _PRIVATE, (BASE,)),
    ),
    hosts=(
        Host("office", "198.51.100.10", "2001:db8:ffff:1::10"),
        Host("internet", "192.0.2.80", "2001:db8:ffff:2::80"),
    ),
    groups={
        PROXY: "proxy", APP: "app", BASE: "base", DATABASE: "database", OPS: "ops",
        METRICS: "metrics", OPEN: "open",
    },
    rules=RULES,
    prefix_lists={
        OFFICES: ("198.51.100.0/26", "203.0.113.128/25"),
        OFFICES_6: ("2001:db8:ffff:1::/64",),
    },
    by_nat={"private": "nat"},
)  # fmt: skip
