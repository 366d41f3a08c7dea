"""What holds of proposals for any rules and connections, checked by a matcher that knows nothing of ours."""

from __future__ import annotations

import ipaddress
import random
from collections import Counter
from typing import NamedTuple

from connections_seen import Seen, connections_seen
from hypothesis import given, settings
from hypothesis import strategies as st
from inventories import eni, snapshot

from vpcflow.admission import RuleBook
from vpcflow.inventory import Eni, Inventory, SecurityGroup, SecurityGroupRule
from vpcflow.rules.narrowing import Bounds
from vpcflow.rules.permissions import permission_of
from vpcflow.rules.proposals import Proposal, Proposed, RuleUsage, in_steps
from vpcflow.rules.proposing import Limits, propose
from vpcflow.rules.quotas import Quotas
from vpcflow.rules.sources import Widest

GROUPS = ("sg-a", "sg-b", "sg-c")
PORTS = (0, 22, 80, 81, 443, 5432, 8080, 40000, 50123, 65535)
CIDRS = (
    "0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/16", "10.0.1.0/24", "10.0.1.0/25", "10.0.1.128/25",
    "10.0.2.7/32", "198.51.100.0/24",
)  # fmt: skip
CIDRS6 = ("::/0", "2001:db8::/32", "2001:db8:1::/48", "2001:db8:1::/64")
LIMITS = (
    Limits(),
    Limits(Bounds(Widest(28, 112), most_rules=3, most_port_ranges=2), Quotas(rules_per_group=12)),
)


class Case(NamedTuple):
    rules: list[SecurityGroupRule]
    enis: list[Eni]
    seen: list[Seen]
    unused: set[str]
    limits: Limits


def a_case(dice: random.Random) -> Case:
    enis = [_an_eni(dice, number) for number in range(1, 8)]
    rules = [_a_rule(dice, number) for number in range(1, dice.randint(2, 14))]
    distinct = {permission_of(rule): rule for rule in rules}
    seen = [_a_connection(dice, enis, number) for number in range(dice.randint(0, 40))]
    unused = {rule.key for rule in rules if dice.random() < 0.5}
    return Case(list(distinct.values()), enis, seen, unused, dice.choice(LIMITS))


def _an_eni(dice: random.Random, number: int) -> Eni:
    groups = " ".join(dice.sample(GROUPS, dice.randint(1, 2)))
    net = dice.choice(("10.0.1", "10.0.2", "10.3.0"))
    address6 = (f"2001:db8:{dice.randint(1, 2)}::{number}",) if dice.random() < 0.5 else ()
    return eni(number, f"{net}.{number * 20 + dice.randint(0, 9)}", groups=groups, ipv6_addresses=address6)  # fmt: skip


def _a_rule(dice: random.Random, number: int) -> SecurityGroupRule:
    protocol = dice.choice((-1, 6, 6, 6, 17, 1, 47))
    first = last = None
    if protocol in (6, 17) and dice.random() < 0.9:
        first, last = sorted(dice.choices(PORTS, k=2))
    if protocol == 1 and dice.random() < 0.5:
        first = 8
    kind = dice.random()
    counterpart: dict[str, str] = {"ipv4_cidr": dice.choice(CIDRS)}
    if kind < 0.2:
        counterpart = {"referenced_group_id": dice.choice(GROUPS)}
    elif kind < 0.4:
        counterpart = {"ipv6_cidr": dice.choice(CIDRS6)}
    return SecurityGroupRule(
        dice.choice(GROUPS), f"sgr-{number:02}", "123456789012", "eu-west-1",
        dice.random() < 0.4, protocol, first, last, **counterpart,
    )  # fmt: skip


def _a_connection(dice: random.Random, enis: list[Eni], number: int) -> Seen:
    own, other = dice.choice(enis), dice.choice(enis)
    protocol = dice.choice((6, 6, 6, 17, 1, 47))
    is_ipv4 = not (own.ipv6_addresses and other.ipv6_addresses) or dice.random() < 0.5
    far = dice.choice(("198.51.100.7", "198.51.100.200", "203.0.113.5", "10.0.1.77"))
    if is_ipv4 and dice.random() < 0.4:
        local, peer = own.private_addresses[0].address, far
    elif is_ipv4:
        local, peer = own.private_addresses[0].address, other.private_addresses[0].address
    else:
        local, peer = own.ipv6_addresses[0], dice.choice((*other.ipv6_addresses, "2001:db8:1::77"))
    ports = (dice.choice(PORTS), dice.choice(PORTS)) if protocol in (6, 17) else (0, 0)
    direction = dice.choice(("ingress", "ingress", "egress", "egress", None))
    return Seen(own.interface_id, local, peer, *ports, direction, protocol, 1000 + number)


def inventory_of(case: Case) -> Inventory:
    groups = tuple(
        SecurityGroup(g, owner_id="123456789012", region="eu-west-1", vpc_ids=("vpc-a",))
        for g in GROUPS
    )
    return Inventory(
        [snapshot(1000, *case.enis, security_groups=groups, security_group_rules=tuple(case.rules))]
    )


def proposed(case: Case) -> Proposed:
    of = inventory_of(case)
    book = RuleBook(of)
    batch = connections_seen(of, book, *case.seen)
    usage = {key: RuleUsage("unused", 1.0, 40.0, True) for key in case.unused}
    return propose(of, book, lambda: [batch], usage, case.limits)


def after(
    rules: list[SecurityGroupRule], proposals: list[Proposal] | tuple[Proposal, ...]
) -> list[SecurityGroupRule]:
    gone = {key for one in proposals for key in one.keys}
    return [r for r in rules if r.key not in gone] + [r for one in proposals for r in one.add]


# The matcher


def admits(rule: SecurityGroupRule, protocol: int, port: int, peer: str, enis: list[Eni]) -> bool:
    if rule.protocol not in (-1, protocol):
        return False
    if rule.protocol in (6, 17) and rule.from_port is not None:
        assert rule.to_port is not None
        if not rule.from_port <= port <= rule.to_port:
            return False
    if rule.referenced_group_id:
        return any(
            rule.referenced_group_id in {g.group_id for g in one.groups}
            and peer in (one.private_addresses[0].address, *one.ipv6_addresses)
            for one in enis
        )
    block = ipaddress.ip_network(rule.ipv4_cidr or rule.ipv6_cidr or "")
    return ipaddress.ip_address(peer) in block


def admitting(
    rules: list[SecurityGroupRule], one: Seen, direction: str, enis: list[Eni]
) -> list[SecurityGroupRule]:
    own = next(e for e in enis if e.interface_id == one.interface_id)
    groups = {group.group_id for group in own.groups}
    port = one.peer_port if direction == "egress" else one.local_port
    return [
        rule
        for rule in rules
        if rule.group_id in groups
        and rule.direction == direction
        and admits(rule, one.protocol, port, one.peer_addr, enis)
    ]


cases = st.integers(0, 1 << 32).map(lambda seed: a_case(random.Random(seed)))


@given(cases, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_every_observed_connection_stays_admitted_by_all_or_some_proposals(
    case: Case, dice: random.Random
) -> None:
    found = proposed(case).proposals

    some = [one for one in found if dice.random() < 0.5]
    for proposals in (found, some):
        changed = after(case.rules, proposals)
        for one in case.seen:
            for direction in (one.direction,) if one.direction else ("ingress", "egress"):
                was = admitting(case.rules, one, direction, case.enis)
                now = admitting(changed, one, direction, case.enis)
                assert now or not was, (one, direction)


@given(cases)
@settings(max_examples=40, deadline=None)
def test_nothing_is_let_in_or_out_that_was_not(case: Case) -> None:
    found = proposed(case).proposals

    for one in found:
        for new in one.add:
            for protocol, port, peer in _probes(case):
                if admits(new, protocol, port, peer, case.enis):
                    assert any(
                        admits(old, protocol, port, same, case.enis)
                        for old in one.remove
                        for same in _same_interface(peer, new, case.enis)
                    )


def _probes(case: Case) -> list[tuple[int, int, str]]:
    own = [a for e in case.enis for a in (e.private_addresses[0].address, *e.ipv6_addresses)]
    peers = {*own, *(one.peer_addr for one in case.seen), "10.0.1.200", "203.0.113.99", "2001:db8:1::99"}  # fmt: skip
    ports = {*PORTS, *(p + 1 for p in PORTS if p < 65535)}
    return [
        *((protocol, port, peer) for protocol in (6, 17) for port in ports for peer in peers),
        *((protocol, 0, peer) for protocol in (1, 47, 50) for peer in peers),
    ]


def _same_interface(peer: str, new: SecurityGroupRule, enis: list[Eni]) -> list[str]:
    """A reference to a group lets interfaces in, whichever of its addresses one comes from."""
    addresses = ((e.private_addresses[0].address, *e.ipv6_addresses) for e in enis)
    here = next((list(some) for some in addresses if peer in some), [])
    return here if new.referenced_group_id and here else [peer]


@given(cases)
@settings(max_examples=40, deadline=None)
def test_bounds_are_respected(case: Case) -> None:
    found = proposed(case).proposals
    bounds = case.limits.bounds

    for one in found:
        if one.kind in ("groups", "cidrs", "ports"):
            assert len(one.add) <= bounds.most_rules * len(one.remove)
            assert one.add
            ranges = Counter((r.protocol, r.counterpart) for r in one.add)
            assert max(ranges.values()) <= bounds.most_port_ranges * len(one.remove)
            kept = {rule.counterpart for rule in one.remove}
            for new in one.add:
                if new.counterpart not in kept and not new.referenced_group_id:
                    block = ipaddress.ip_network(new.counterpart or "")
                    assert not bounds.widest.is_too_wide(block)


@given(cases)
@settings(max_examples=40, deadline=None)
def test_no_group_is_over_its_quota_and_no_permission_there_twice_as_changes_are_made(
    case: Case,
) -> None:
    found = proposed(case).proposals

    rules = list(case.rules)
    for one in in_steps(found):
        if one.add:
            rules += one.add
            most = max(_counts(rules, one).values())
            assert most <= case.limits.quotas.rules_per_group
            assert max(Counter(map(permission_of, rules)).values()) == 1
        rules = [rule for rule in rules if rule not in one.remove]


def _counts(rules: list[SecurityGroupRule], of: Proposal) -> Counter[bool]:
    """Count the rules of a proposal's group and direction for each family."""
    counts: Counter[bool] = Counter()
    for rule in rules:
        if (rule.group_id, rule.direction) == (of.group_id, of.direction):
            counts[True] += rule.ipv6_cidr is None
            counts[False] += rule.ipv4_cidr is None
    return counts


@given(cases, st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_the_order_of_what_is_known_and_seen_does_not_matter(
    case: Case, dice: random.Random
) -> None:
    shuffled = case._replace(
        rules=dice.sample(case.rules, len(case.rules)),
        enis=dice.sample(case.enis, len(case.enis)),
        seen=dice.sample(case.seen, len(case.seen)),
    )

    found, again = proposed(case), proposed(shuffled)

    assert found == again
