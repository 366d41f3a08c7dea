from __future__ import annotations

from typing import Any

import pytest
from asking import ICMP, ICMPV6, TCP, UDP, Asks, packets
from inventories import ACCOUNT, REGION, eni, inventory, snapshot

from vpcflow.admission import NetworkAcls
from vpcflow.inventory import Inventory, NetworkAcl, NetworkAclEntry, Subnet

WEB = eni(1, "10.0.0.1", subnet_id="subnet-1")
REST = NetworkAclEntry(32767, cidr="0.0.0.0/0")
ALLOWED, DENIED, NOT_KNOWN = 1, 0, -1


def entry(number: int, allow: bool, cidr: str = "0.0.0.0/0", **fields: Any) -> NetworkAclEntry:
    return NetworkAclEntry(number, allow=allow, cidr=cidr, **fields)


def acl(*entries: NetworkAclEntry, subnets: str = "subnet-1") -> NetworkAcl:
    return NetworkAcl("acl-1", "vpc-a", ACCOUNT, REGION, False, tuple(subnets.split()), entries)


def known(*entries: NetworkAclEntry, **fields: Any) -> Inventory:
    return inventory(snapshot(0, WEB, network_acls=(acl(*entries),), **fields))


def verdicts(of: Inventory, *asked: Asks) -> list[int]:
    p = packets(asked)
    found = NetworkAcls(of).verdict(p.row, p.is_egress, p.protocol, p.port, p.peer, p.time_s)
    return found.tolist()


def test_the_first_entry_by_number_that_matches_decides() -> None:
    acls = known(entry(200, True), entry(100, False, "192.0.2.0/24"), REST)

    found = verdicts(acls, Asks(0, "192.0.2.9"), Asks(0, "198.51.100.9"))

    assert found == [DENIED, ALLOWED]


def test_what_no_entry_matches_is_denied() -> None:
    acls = known(entry(100, True, is_egress=True))

    found = verdicts(acls, Asks(0, "192.0.2.9"), Asks(0, "192.0.2.9", is_egress=True))

    assert found == [DENIED, ALLOWED]


@pytest.mark.parametrize(
    ("fields", "protocol", "port", "allowed"),
    [
        ({"protocol": TCP, "from_port": 1024, "to_port": 65535}, TCP, 1024, True),
        ({"protocol": TCP, "from_port": 1024, "to_port": 65535}, TCP, 1023, False),
        ({"protocol": TCP, "from_port": 1024, "to_port": 65535}, UDP, 2000, False),
        ({"protocol": TCP}, TCP, 0, True),
        ({"protocol": -1, "from_port": 5, "to_port": 6}, TCP, 80, True),
        ({"protocol": 47}, 47, 0, True),
        ({"cidr": "::/0"}, TCP, 80, False),
    ],
)
def test_protocol_ports_and_family_must_fit(
    fields: dict[str, Any], protocol: int, port: int, allowed: bool
) -> None:
    acls = known(entry(100, True, **fields))

    found = verdicts(acls, Asks(0, "192.0.2.9", port, protocol))

    assert found == [ALLOWED if allowed else DENIED]


def test_an_icmp_type_that_would_decide_makes_the_verdict_unknown() -> None:
    echo_allowed = known(entry(100, True, protocol=ICMP, icmp_type=8), entry(200, False))
    echo_denied_as_all = known(entry(100, False, protocol=ICMP, icmp_type=8), entry(200, False))
    decided_before = known(
        entry(50, True, protocol=ICMP), entry(100, False, protocol=ICMP, icmp_type=8)
    )
    asked = Asks(0, "192.0.2.9", 0, ICMP)

    found = [verdicts(one, asked)[0] for one in (echo_allowed, echo_denied_as_all, decided_before)]

    assert found == [NOT_KNOWN, DENIED, ALLOWED]


def test_the_types_of_one_icmp_say_nothing_of_the_other() -> None:
    acls = known(entry(100, True, "::/0", protocol=ICMP, icmp_type=8))

    found = verdicts(acls, Asks(0, "2001:db8::9", 0, ICMPV6))

    assert found == [DENIED]


def test_without_an_acl_of_the_subnet_nothing_is_known() -> None:
    other = inventory(snapshot(0, WEB, network_acls=(acl(entry(1, True), subnets="subnet-2"),)))
    none = inventory(snapshot(0, WEB))

    found = [verdicts(one, Asks(0, "192.0.2.9"), Asks(-1, "192.0.2.9")) for one in (other, none)]

    assert found == [[NOT_KNOWN, NOT_KNOWN]] * 2


def test_within_a_subnet_no_acl_is_asked() -> None:
    subnets = (Subnet("subnet-1", "vpc-a", cidrs=("10.0.0.0/24",)),)
    acls = known(entry(100, False), subnets=subnets)

    found = verdicts(acls, Asks(0, "10.0.0.200"), Asks(0, "10.0.1.1"))

    assert found == [ALLOWED, DENIED]


def test_the_acl_that_the_nearest_snapshot_shows_decides() -> None:
    opened = inventory(
        snapshot(100, WEB, network_acls=(acl(REST),)),
        snapshot(200, WEB, network_acls=(acl(entry(100, True), REST),)),
    )

    found = verdicts(opened, *(Asks(0, "192.0.2.9", time_s=t) for t in (0, 150, 151, 900)))

    assert found == [DENIED, DENIED, ALLOWED, ALLOWED]
