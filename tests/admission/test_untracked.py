from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from asking import ICMP, TCP, UDP, Asks, keys_of, packets, rule
from inventories import eni, inventory, snapshot

from vpcflow.admission import RuleBook
from vpcflow.inventory import Eni, SecurityGroupRule

WEB = eni(1, "10.0.0.1", public_addresses=("203.0.113.1",), ipv6_addresses=("2001:db8::1",))
HTTPS = rule(1, "0.0.0.0/0", "443")
ALL_OUT = rule(2, "0.0.0.0/0", is_egress=True)


def replies(
    asked: Asks, *rules: SecurityGroupRule, enis: tuple[Eni, ...] = (WEB,), port: int = 50_000
) -> list[str]:
    book = RuleBook(inventory(snapshot(0, *enis, security_group_rules=rules)))
    opening = packets([asked])
    found = book.reply(opening, np.array([port], np.int32), book.admit(opening))
    return keys_of(book, found)[0]


def test_replies_of_a_connection_open_both_ways_need_the_rule_of_the_other_direction() -> None:
    found = replies(Asks(0, "192.0.2.9"), HTTPS, ALL_OUT)

    assert found == ["sgr-2"]


def test_all_rules_that_admit_the_reply_are_given() -> None:
    narrow = rule(3, "192.0.2.0/24", "40000-60000", is_egress=True)

    found = replies(Asks(0, "192.0.2.9"), HTTPS, ALL_OUT, narrow)

    assert found == ["sgr-2", "sgr-3"]


@pytest.mark.parametrize(
    ("opening", "answering"),
    [
        (rule(1, "192.0.2.0/24", "443"), ALL_OUT),
        (HTTPS, rule(2, "192.0.2.0/24", is_egress=True)),
        (HTTPS, rule(2, "0.0.0.0/0", "1024-65535", is_egress=True)),
        (HTTPS, rule(2, "0.0.0.0/0", "0-65535", protocol=UDP, is_egress=True)),
        (HTTPS, rule(2, "::/0", is_egress=True)),
    ],
)
def test_a_connection_is_tracked_unless_both_ways_are_open(
    opening: SecurityGroupRule, answering: SecurityGroupRule
) -> None:
    found = replies(Asks(0, "192.0.2.9"), opening, answering)

    assert found == []


@pytest.mark.parametrize(
    ("asked", "rules"),
    [
        (Asks(0, "2001:db8::9"), (rule(1, "::/0", "443"), rule(2, "::/0", is_egress=True))),
        (
            Asks(0, "192.0.2.9", 53, UDP),
            (rule(1, "0.0.0.0/0"), rule(2, "0.0.0.0/0", "0-65535", protocol=UDP, is_egress=True)),
        ),
        (
            Asks(0, "192.0.2.9", is_egress=True),
            (rule(1, "0.0.0.0/0", is_egress=True), rule(2, "0.0.0.0/0")),
        ),
    ],
)
def test_open_connections_of_either_family_protocol_and_direction_are_untracked(
    asked: Asks, rules: tuple[SecurityGroupRule, ...]
) -> None:
    found = replies(asked, *rules)

    assert found == ["sgr-2"]


def test_only_tcp_and_udp_are_untracked() -> None:
    found = replies(Asks(0, "192.0.2.9", 0, ICMP), rule(1, "0.0.0.0/0"), ALL_OUT)

    assert found == []


@pytest.mark.parametrize(
    "between",
    [
        {"interface_type": "network_load_balancer"},
        {"interface_type": "vpc_endpoint"},
        {"interface_type": "nat_gateway"},
    ],
)
def test_connections_with_interfaces_that_always_track_are_tracked(between: dict[str, Any]) -> None:
    enis = (WEB, eni(2, "10.0.0.2", groups="", **between))

    found = replies(Asks(0, "10.0.0.2"), HTTPS, ALL_OUT, enis=enis)

    assert found == []


def test_through_a_nat_gateway_connections_are_tracked() -> None:
    private = eni(1, "10.0.0.1")
    all_in = rule(1, "0.0.0.0/0")

    outside = replies(Asks(0, "192.0.2.9", is_egress=True), all_in, ALL_OUT, enis=(private,))
    inside = replies(Asks(0, "10.0.0.9", is_egress=True), all_in, ALL_OUT, enis=(private,))

    assert (outside, inside) == ([], ["sgr-1"])


def test_each_packet_gets_the_rules_of_its_own_reply() -> None:
    book = RuleBook(
        inventory(
            snapshot(0, WEB, security_group_rules=(HTTPS, ALL_OUT, rule(3, "10.0.0.0/8", "22")))
        )
    )
    opening = packets([Asks(0, "10.0.0.9", 22), Asks(0, "192.0.2.9"), Asks(0, "10.0.0.9", TCP)])

    found = book.reply(opening, np.array([1, 2, 3], np.int32), book.admit(opening))

    assert keys_of(book, found) == [[], ["sgr-2"], []]
