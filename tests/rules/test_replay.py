from __future__ import annotations

import ipaddress
import random
from typing import Any

import pyarrow as pa
import pytest
from connections_seen import Seen, connections_seen
from hypothesis import given, settings
from hypothesis import strategies as st
from inventories import eni, inventory, snapshot

from vpcflow.admission import RuleBook
from vpcflow.inventory import (
    Inventory,
    NetworkAcl,
    NetworkAclEntry,
    PrefixList,
    PrefixListEntry,
    SecurityGroup,
    SecurityGroupRule,
)
from vpcflow.rules.change import Change
from vpcflow.rules.replay import Replay, replay
from vpcflow.rules.replay_summary import summarize


def rule(
    number: int,
    group: str,
    *,
    ports: tuple[int, int] | None = None,
    protocol: int = 6,
    egress: bool = False,
    **counterpart: str,
) -> SecurityGroupRule:
    first, last = ports or (None, None)
    return SecurityGroupRule(
        group,
        f"sgr-{number}",
        "123456789012",
        "eu-west-1",
        egress,
        protocol,
        first,
        last,
        **counterpart,
    )


WEB, DATABASE = eni(1, "10.0.0.1", groups="sg-web"), eni(2, "10.0.0.2", groups="sg-all sg-db")
HTTPS = rule(1, "sg-web", ports=(443, 443), ipv4_cidr="0.0.0.0/0")
HTTPS6 = rule(2, "sg-web", ports=(443, 443), ipv6_cidr="::/0")
QUERIES = rule(3, "sg-db", ports=(5432, 5432), referenced_group_id="sg-web")
PINGS = rule(4, "sg-all", protocol=1, ipv4_cidr="10.0.0.0/16")
LEAVING = rule(5, "sg-web", protocol=-1, egress=True, ipv4_cidr="0.0.0.0/0")
OFFICE = rule(6, "sg-all", ports=(22, 22), prefix_list_id="pl-1")


def known(*rules: SecurityGroupRule, at: int = 1000) -> Any:
    return snapshot(
        at,
        WEB,
        DATABASE,
        security_groups=tuple(map(SecurityGroup, ("sg-web", "sg-db", "sg-all"))),
        security_group_rules=rules,
        prefix_lists=(PrefixList("pl-1", entries=(PrefixListEntry("192.0.2.0/24"),)),),
    )


HERE = inventory(known(HTTPS, HTTPS6, QUERIES, PINGS, LEAVING, OFFICE))
QUERY = Seen("eni-2", "10.0.0.2", "10.0.0.1", 5432, 40000)
QUERY_LEAVING = Seen("eni-1", "10.0.0.1", "10.0.0.2", 40000, 5432, "egress")
VISIT = Seen("eni-1", "10.0.0.1", "198.51.100.7", 443, 50000)


def replayed(change: Change, *seen: Seen, of: Inventory = HERE) -> Replay:
    book = RuleBook(of)
    return replay(of, book, change, [connections_seen(of, book, *seen)])


def entries(table: pa.Table, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in table.to_pylist()]


def test_connections_whose_only_rule_is_removed_are_refused() -> None:
    found = replayed(Change(("sgr-3",)), QUERY, QUERY_LEAVING, VISIT)

    (refused,) = found.refused.to_pylist()
    assert refused == {
        "initiator_addr": "10.0.0.1",
        "initiator_port": 40000,
        "responder_addr": "10.0.0.2",
        "responder_port": 5432,
        "protocol": 6,
        "interface_id": "eni-2",
        "direction": "ingress",
        "first": 1000,
        "last": 1060,
        "packets": 10,
        "bytes": 1000,
        "group_ids": ["sg-all", "sg-db"],
        "peer_interface_id": "eni-1",
        "peer_group_ids": ["sg-web"],
        "rules_before": ["sgr-3"],
        "rules_after": [],
        "rule_group_ids": ["sg-db"],
        "is_unsure": False,
        "network_acl": None,
        "peer_admits": None,
        "connection_id": "0" * 32,
    }
    assert (found.admitted.num_rows, found.unjudged.num_rows) == (0, 0)
    assert (found.incomplete, found.connections, found.unexplained) == ((), 3, 0)


def test_each_interface_that_a_connection_passes_has_an_entry_of_its_own() -> None:
    found = replayed(Change(("sgr-3", "sgr-5")), QUERY_LEAVING, QUERY)

    assert entries(found.refused, "interface_id", "direction", "initiator_addr") == [
        ("eni-1", "egress", "10.0.0.1"),
        ("eni-2", "ingress", "10.0.0.1"),
    ]


def test_a_connection_that_another_rule_admits_is_not_refused() -> None:
    everything = rule(7, "sg-all", protocol=-1, ipv4_cidr="10.0.0.0/8")
    of = inventory(known(QUERIES, everything))

    one_removed = replayed(Change(("sgr-3",)), QUERY, of=of)
    both_removed = replayed(Change(("sgr-3", "sgr-7")), QUERY, of=of)

    assert one_removed.refused.num_rows == 0
    assert entries(both_removed.refused, "rules_before") == [(["sgr-3", "sgr-7"],)]


def test_a_removed_rule_may_be_added_again_narrower_under_its_id() -> None:
    narrower = rule(1, "sg-web", ports=(443, 443), ipv4_cidr="198.51.100.0/25")
    far = VISIT._replace(peer_addr="198.51.100.200")

    found = replayed(Change(("sgr-1",), (narrower,)), VISIT, far)

    assert found.incomplete == ()
    assert entries(found.refused, "initiator_addr") == [("198.51.100.200",)]


def test_rejected_connections_that_an_added_rule_admits_are_told() -> None:
    ssh = Seen("eni-1", "10.0.0.1", "192.0.2.7", 22, 50000)
    adding = Change(add=(rule(9, "sg-web", ports=(22, 22), ipv4_cidr="192.0.2.0/24"),))

    found = replayed(adding, ssh, ssh._replace(peer_addr="198.51.100.7"))

    assert entries(found.admitted, "initiator_addr", "rules_before", "rules_after") == [
        ("192.0.2.7", [], ["sgr-9"])
    ]
    assert entries(found.admitted, "rule_group_ids", "peer_admits") == [(["sg-web"], None)]
    assert found.refused.num_rows == 0


@pytest.mark.parametrize(("port", "admits"), [(5432, True), (5433, False)])
def test_the_rules_at_the_other_end_are_asked_too(port: int, admits: bool) -> None:
    of = inventory(known(QUERIES))
    leaving = QUERY_LEAVING._replace(peer_port=port)

    found = replayed(Change(add=(LEAVING,)), leaving, of=of)

    assert entries(found.admitted, "interface_id", "peer_interface_id", "peer_admits") == [
        ("eni-1", "eni-2", admits)
    ]


def test_what_a_network_acl_rejected_no_rule_lets_in() -> None:
    blocked = VISIT._replace(local_port=80, rejected_by="network_acl")
    adding = Change(add=(rule(9, "sg-web", ports=(80, 80), ipv4_cidr="0.0.0.0/0"),))

    assert replayed(adding, blocked).admitted.num_rows == 0


def test_icmp_has_no_ports() -> None:
    ping = Seen("eni-2", "10.0.0.2", "10.0.0.1", protocol=1)

    found = replayed(Change(("sgr-4",)), ping)

    assert entries(found.refused, "protocol", "initiator_port", "responder_port") == [(1, 0, 0)]


def test_ipv6_connections_are_judged_by_ipv6_rules() -> None:
    visit6 = VISIT._replace(local_addr="2001:db8::1", peer_addr="2001:db8:ffff::7")

    found = replayed(Change(("sgr-2",)), VISIT, visit6)

    assert entries(found.refused, "initiator_addr") == [("2001:db8:ffff::7",)]


def test_a_prefix_list_may_stand_in_for_a_range() -> None:
    ssh = Seen("eni-2", "10.0.0.2", "192.0.2.7", 22, 50000)
    by_list = rule(6, "sg-all", ports=(22, 22), prefix_list_id="pl-1")
    by_range = rule(6, "sg-all", ports=(22, 22), ipv4_cidr="192.0.2.0/29")

    same = replayed(Change(("sgr-6",), (by_list,)), ssh)
    narrower = replayed(Change(("sgr-6",), (by_range,)), ssh, ssh._replace(peer_addr="192.0.2.8"))

    assert same.refused.num_rows == 0
    assert entries(narrower.refused, "initiator_addr") == [("192.0.2.8",)]


def test_a_range_may_be_replaced_by_the_group_of_its_users() -> None:
    by_range = rule(3, "sg-db", ports=(5432, 5432), ipv4_cidr="10.0.0.0/8")
    of = inventory(known(by_range))
    stranger = QUERY._replace(peer_addr="10.0.0.99")

    found = replayed(Change(("sgr-3",), (QUERIES,)), QUERY, stranger, of=of)

    assert entries(found.refused, "initiator_addr") == [("10.0.0.99",)]


def test_rules_count_at_the_time_of_the_connection() -> None:
    wide = rule(8, "sg-all", protocol=-1, ipv4_cidr="10.0.0.0/8")
    of = inventory(known(QUERIES, wide, at=1000), known(QUERIES, at=100_000))
    later = QUERY._replace(first=100_000)

    found = replayed(Change(("sgr-3",)), QUERY, later, of=of)

    assert entries(found.refused, "first", "rules_before") == [(100_000, ["sgr-3"])]


def test_an_added_rule_holds_at_all_times() -> None:
    of = inventory(known(at=1000), known(at=100_000))

    found = replayed(Change(add=(QUERIES,)), QUERY, QUERY._replace(first=100_000), of=of)

    assert entries(found.admitted, "first") == [(1000,), (100_000,)]


def test_connections_of_unknown_openers_are_listed_with_what_they_could_be() -> None:
    talk = QUERY._replace(direction=None, protocol=17)
    query, rejected = QUERY._replace(direction=None), VISIT._replace(
        direction=None, local_port=80, rejected_by="unknown"
    )  # fmt: skip
    adding = rule(9, "sg-web", ports=(80, 80), ipv4_cidr="0.0.0.0/0")

    found = replayed(Change(("sgr-3",), (adding,)), talk, query, rejected)

    assert (found.refused.num_rows, found.admitted.num_rows) == (0, 0)
    assert entries(found.unjudged, "local_addr", "peer_port", "action", "could_be") == [
        ("10.0.0.2", 40000, "ACCEPT", None),
        ("10.0.0.2", 40000, "ACCEPT", "refused"),
        ("10.0.0.1", 50000, "REJECT", "admitted"),
    ]


def test_what_no_rule_explains_is_counted_and_not_judged() -> None:
    book = RuleBook(HERE)
    row = connections_seen(HERE, book, VISIT).to_pylist()[0]
    unexplained = row | {"rules": [], "rule_match": "none"}
    at_a_gateway = row | {"rules": None, "rule_match": None}
    rows = pa.RecordBatch.from_pylist(
        [unexplained, at_a_gateway], connections_seen(HERE, book, VISIT).schema
    )

    found = replay(HERE, book, Change(("sgr-1",)), [rows])

    assert (found.refused.num_rows, found.connections, found.unexplained) == (0, 2, 1)


def test_an_interface_the_inventory_does_not_know_is_not_judged() -> None:
    found = replayed(Change(("sgr-1",)), VISIT._replace(interface_id="eni-9", direction=None))

    assert entries(found.unjudged, "interface_id", "group_ids", "could_be") == [
        ("eni-9", None, None)
    ]


def test_what_the_inventory_does_not_know_of_the_change_is_told_and_the_rest_judged() -> None:
    found = replayed(Change(("sgr-3", "sgr-77")), QUERY)

    assert found.incomplete == ("remove[1]: the inventory knows no rule 'sgr-77'",)
    assert found.refused.num_rows == 1


def test_no_connections_are_a_replay_too() -> None:
    found = replay(HERE, RuleBook(HERE), Change(("sgr-1",)), [])

    assert (found.refused.num_rows, found.admitted.num_rows, found.connections) == (0, 0, 0)


# A world of few addresses, groups and ports, so that rules and connections meet.

_ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.1.4", "198.51.100.7"]
_GROUPS = ["sg-0", "sg-1", "sg-2"]
_BLOCKS = ["0.0.0.0/0", "10.0.0.0/24", "10.0.0.2/32", "10.0.1.0/24", "198.51.100.0/24"]
_PORTS = [22, 53, 443, 5432]


@st.composite
def some_rules(draw: Any, first: int) -> list[SecurityGroupRule]:
    made = []
    for number in range(draw(st.integers(0, 8))):
        protocol = draw(st.sampled_from([-1, 1, 6, 17]))
        ports = draw(st.lists(st.sampled_from(_PORTS), min_size=2, max_size=2).map(sorted))
        counterpart = draw(
            st.sampled_from(_BLOCKS).map(lambda b: {"ipv4_cidr": b})
            | st.sampled_from(_GROUPS).map(lambda g: {"referenced_group_id": g})
        )
        made.append(
            rule(
                first + number,
                draw(st.sampled_from(_GROUPS)),
                ports=tuple(ports) if protocol in (6, 17) else None,
                protocol=protocol,
                egress=draw(st.booleans()),
                **counterpart,
            )
        )
    return made


@st.composite
def worlds(draw: Any) -> tuple[Inventory, list[SecurityGroupRule], list[Seen]]:
    enis = [
        eni(number, address, groups=" ".join(draw(st.sets(st.sampled_from(_GROUPS)))))
        for number, address in enumerate(_ADDRESSES[:4])
    ]
    rules = draw(some_rules(0))
    of = inventory(
        snapshot(
            1000,
            *enis,
            security_groups=tuple(map(SecurityGroup, _GROUPS)),
            security_group_rules=tuple(rules),
        )
    )
    seen = []
    for _ in range(draw(st.integers(1, 12))):
        local = draw(st.integers(0, 3))
        peer = draw(st.sampled_from([a for a in _ADDRESSES if a != _ADDRESSES[local]]))
        protocol = draw(st.sampled_from([1, 6, 17]))
        ports = draw(st.permutations([draw(st.sampled_from(_PORTS)), 50000]))
        local_port, peer_port = (0, 0) if protocol == 1 else ports
        direction = draw(st.sampled_from(["ingress", "egress", None]))
        one = Seen(
            f"eni-{local}", _ADDRESSES[local], peer, local_port, peer_port, direction, protocol
        )
        seen.append(one._replace(first=draw(st.integers(900, 1100))))
    return of, rules, seen


def admits(rules: list[SecurityGroupRule], of: Inventory, one: Seen) -> set[str]:
    """Say which rules admit a connection, by going through all of them."""
    enis = {v.eni.interface_id: v.eni for v in of.versions}
    own = {g.group_id for g in enis[one.interface_id].groups}
    peers = {
        g.group_id
        for e in enis.values()
        if one.peer_addr in e.addresses
        for g in e.groups
    }  # fmt: skip
    port = one.peer_port if one.direction == "egress" else one.local_port
    return {
        r.key
        for r in rules
        if r.group_id in own
        and r.is_egress == (one.direction == "egress")
        and r.protocol in (-1, one.protocol)
        and (r.from_port is None or r.from_port <= port <= (r.to_port or 0))
        and (
            r.referenced_group_id in peers
            if r.ipv4_cidr is None
            else ipaddress.ip_address(one.peer_addr) in ipaddress.ip_network(r.ipv4_cidr)
        )
    }


def identity(one: Seen) -> tuple[Any, ...]:
    local, peer = (one.local_addr, one.local_port), (one.peer_addr, one.peer_port)
    ends = (*local, *peer) if one.direction == "egress" else (*peer, *local)
    return (*ends, one.protocol, one.interface_id, one.direction, one.first)


def identities(table: pa.Table) -> list[tuple[Any, ...]]:
    names = "initiator_addr initiator_port responder_addr responder_port protocol interface_id direction first"
    return sorted(entries(table, *names.split()))


@settings(deadline=None, max_examples=40)
@given(worlds(), st.data())
def test_a_replay_is_what_going_through_all_rules_again_would_give(
    world: Any, data: st.DataObject
) -> None:
    of, rules, seen = world
    added = data.draw(some_rules(100))
    removed = data.draw(st.sets(st.sampled_from([r.key for r in rules]))) if rules else set()
    after = [r for r in rules if r.key not in removed] + added

    found = replayed(Change(tuple(sorted(removed)), tuple(added)), *seen, of=of)

    opened = [s for s in seen if s.direction]
    was = {s: admits(rules, of, s) for s in opened}
    becomes = {s: admits(after, of, s) for s in opened}
    assert identities(found.refused) == sorted(
        identity(s) for s in opened if was[s] and not becomes[s]
    )
    assert identities(found.admitted) == sorted(
        identity(s) for s in opened if becomes[s] and not was[s]
    )
    assert found.unjudged.num_rows == len(seen) - len(opened)


@settings(deadline=None, max_examples=40)
@given(worlds())
def test_no_change_refuses_and_admits_nothing(world: Any) -> None:
    of, _, seen = world

    found = replayed(Change(), *seen, of=of)

    assert (found.refused.num_rows, found.admitted.num_rows, found.incomplete) == (0, 0, ())
    assert set(found.unjudged.column("could_be").to_pylist()) <= {None}


@settings(deadline=None, max_examples=40)
@given(worlds(), st.randoms(use_true_random=False))
def test_neither_order_nor_batches_of_the_connections_show(
    world: Any, chance: random.Random
) -> None:
    of, rules, seen = world
    book, change = RuleBook(of), Change(tuple(r.key for r in rules))
    rows = connections_seen(of, book, *seen)
    order = list(range(len(seen)))
    chance.shuffle(order)
    cut = chance.randrange(len(seen))
    shuffled = rows.take(pa.array(order))

    whole = replay(of, book, change, [rows])
    parts = replay(of, book, change, [shuffled.slice(0, cut), shuffled.slice(cut)])

    assert parts.refused.to_pylist() == whole.refused.to_pylist()
    assert parts.unjudged.to_pylist() == whole.unjudged.to_pylist()


def test_a_summary_puts_together_what_has_group_peer_and_port_in_common() -> None:
    again = QUERY._replace(local_port=5432, peer_port=40001, first=2000)
    stranger = Seen("eni-1", "10.0.0.1", "203.0.113.9", 50000, 443, "egress")
    ssh = Seen("eni-1", "10.0.0.1", "192.0.2.7", 22, 50000)
    adding = rule(9, "sg-web", ports=(22, 22), ipv4_cidr="192.0.2.0/24")

    found = summarize(replayed(Change(("sgr-3", "sgr-5"), (adding,)), QUERY, again, stranger, ssh))

    names = "outcome group_ids direction peer_group_ids peer_addr protocol port connections packets last"
    assert entries(found, *names.split()) == [
        ("refused", ["sg-db"], "ingress", ["sg-web"], None, 6, 5432, 2, 20, 2060),
        ("refused", ["sg-web"], "egress", None, "203.0.113.9", 6, 443, 1, 10, 1060),
        ("admitted", ["sg-web"], "ingress", None, "192.0.2.7", 6, 22, 1, 10, 1060),
    ]


def test_a_summary_of_nothing_has_no_rows() -> None:
    assert summarize(replayed(Change(), QUERY)).num_rows == 0


@pytest.mark.parametrize(("allows", "says"), [(True, "allow"), (False, "deny")])
def test_of_what_would_be_admitted_the_network_acl_is_told(allows: bool, says: str) -> None:
    entry = NetworkAclEntry(100, allow=allows, cidr="0.0.0.0/0")
    acl = NetworkAcl(
        "acl-1", owner_id="123456789012", subnet_ids=("subnet-1",), entries=(entry,)
    )  # fmt: skip
    web = eni(1, "10.0.0.1", groups="sg-web", subnet_id="subnet-1")
    of = inventory(snapshot(1000, web, security_group_rules=(), network_acls=(acl,)))

    found = replayed(Change(add=(HTTPS,)), VISIT, of=of)

    assert entries(found.admitted, "network_acl") == [(says,)]
