"""Proposals: the smallest change of the rules that keeps every observed connection."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from connections_seen import Seen, connections_seen
from inventories import eni, inventory, snapshot

from vpcflow.admission import RuleBook
from vpcflow.inventory import (
    GroupRef,
    Inventory,
    PrefixList,
    PrefixListEntry,
    SecurityGroup,
    SecurityGroupRule,
)
from vpcflow.rules.exceptions import Exemption, in_force
from vpcflow.rules.narrowing import Bounds
from vpcflow.rules.proposals import Proposed, RuleUsage, change_of
from vpcflow.rules.proposing import Limits, propose
from vpcflow.rules.quotas import Quotas
from vpcflow.rules.rule_document import rule_document
from vpcflow.rules.sources import Widest

if TYPE_CHECKING:
    from collections.abc import Mapping

UNUSED = RuleUsage("unused", 0.999, 40.0, True)
ACCOUNT = "123456789012"
NO_LIMITS = Limits()


def rule(
    number: int,
    group: str = "sg-app",
    *,
    ports: tuple[int, int] | None = None,
    protocol: int = 6,
    egress: bool = False,
    **fields: Any,
) -> SecurityGroupRule:
    first, last = ports or (None, None)
    if not any(name.startswith(("ipv", "prefix", "ref")) for name in fields):
        fields["ipv4_cidr"] = "10.0.0.0/8"
    return SecurityGroupRule(
        group, f"sgr-{number}", ACCOUNT, "eu-west-1", egress, protocol, first, last, **fields
    )  # fmt: skip


APP = eni(1, "10.0.1.1", groups="sg-app")
WEBS = [eni(n, f"10.0.2.{n}", groups="sg-web") for n in range(10, 13)]
JOB = eni(20, "10.0.3.20", groups="sg-job sg-web")
OTHER = eni(30, "192.168.7.30", groups="sg-far")
GROUPS = ("sg-app", "sg-web", "sg-job", "sg-far", "sg-ops")


def here(*rules: SecurityGroupRule, more: tuple[Any, ...] = (), at: int = 1000) -> Inventory:
    return inventory(known(*rules, more=more, at=at))


def known(*rules: SecurityGroupRule, more: tuple[Any, ...] = (), at: int = 1000) -> Any:
    return snapshot(
        at, APP, *WEBS, JOB, OTHER, *more,
        security_groups=tuple(
            SecurityGroup(g, owner_id=ACCOUNT, region="eu-west-1", vpc_ids=("vpc-a",)) for g in GROUPS
        ),
        security_group_rules=rules,
        prefix_lists=(PrefixList("pl-1", entries=(PrefixListEntry("192.0.2.0/24"),)),),
    )  # fmt: skip


def visit(peer: str, port: int = 443, **fields: Any) -> Seen:
    return Seen("eni-1", "10.0.1.1", peer, port, 50000, **fields)


def leave(peer: str, port: int, **fields: Any) -> Seen:
    return Seen("eni-1", "10.0.1.1", peer, 50000, port, "egress", **fields)


def proposed(
    of: Inventory,
    *seen: Seen,
    usage: Mapping[str, RuleUsage] | None = None,
    limits: Limits = NO_LIMITS,
) -> Proposed:
    book = RuleBook(of)
    batch = connections_seen(of, book, *seen)
    return propose(of, book, lambda: [batch], usage or {}, limits)


def told(found: Proposed) -> list[tuple[str, list[str], list[tuple[str, int, int, str]]]]:
    """Spell proposals out: the kind, the ids of rules that go, and what comes instead."""
    return [(p.kind, sorted(p.keys), [added(r) for r in p.add]) for p in found.proposals]


def added(one: SecurityGroupRule) -> tuple[str, int, int, str]:
    written = rule_document(one)
    return written["IpProtocol"], written["FromPort"], written["ToPort"], one.counterpart or ""


def left(found: Proposed) -> dict[str, str]:
    return {one.rule.key: one.reason for one in found.left_out}


def test_unused_rules_go_where_usage_says_so_and_only_there() -> None:
    of = here(rule(1, ports=(22, 22)), rule(2, ports=(23, 23)))

    found = proposed(of, usage={"sgr-1": UNUSED, "sgr-2": RuleUsage("unproven", 0.5, 40.0)})

    assert told(found) == [("unused", ["sgr-1"], [])]
    assert found.proposals[0].seen.connections == 0
    assert any("failover" in risk for risk in found.proposals[0].risks)


def test_a_rule_that_may_have_admitted_what_nobody_knows_the_opener_of_is_not_unused() -> None:
    of = here(rule(1, ports=(1000, 60000)))

    found = proposed(of, visit("10.0.2.10", 5000, direction=None), usage={"sgr-1": UNUSED})

    assert told(found) == []
    assert left(found) == {"sgr-1": "initiator_unknown"}


def test_the_widest_rule_goes_where_narrower_ones_admit_all_it_admitted() -> None:
    of = here(
        rule(1, ports=(0, 65535), ipv4_cidr="0.0.0.0/0"),
        rule(2, ports=(443, 443), ipv4_cidr="10.0.2.0/24"),
        rule(3, ports=(22, 22), referenced_group_id="sg-job"),
    )

    found = proposed(of, visit("10.0.2.10"), visit("10.0.3.20", 22))

    assert told(found) == [("redundant", ["sgr-1"], [])]
    assert [r.key for r in found.proposals[0].others] == ["sgr-2", "sgr-3"]
    assert found.proposals[0].seen[:4] == (2, 0, 0, 2)


def test_a_wide_rule_is_narrowed_to_what_narrower_rules_do_not_admit() -> None:
    of = here(
        rule(1, ports=(443, 443), ipv4_cidr="0.0.0.0/0"),
        rule(2, ports=(443, 443), ipv4_cidr="10.0.2.0/24"),
    )

    found = proposed(of, visit("10.0.2.10"), visit("198.51.100.7"))

    assert told(found) == [("cidrs", ["sgr-1"], [("tcp", 443, 443, "198.51.100.7/32")])]
    assert "peers have public addresses, which may change" in found.proposals[0].risks


def test_another_groups_rule_that_stands_in_is_a_risk() -> None:
    both = eni(5, "10.0.1.5", groups="sg-app sg-ops")
    narrow = rule(2, "sg-ops", ports=(22, 22), ipv4_cidr="10.0.2.0/24")
    of = here(rule(1, ports=(22, 22)), narrow, more=(both,))

    found = proposed(of, Seen("eni-5", "10.0.1.5", "10.0.2.10", 22, 50000))

    assert told(found) == [("redundant", ["sgr-1"], [])]
    assert any("rules of sg-ops stand in" in risk for risk in found.proposals[0].risks)


def test_a_wide_cidr_becomes_the_group_that_all_peers_are_in() -> None:
    kept = rule(1, ports=(443, 443), description="From the web", tags=(("team", "shop"),))
    of = here(kept)

    found = proposed(of, *(visit(f"10.0.2.{n}") for n in (10, 11, 12)), visit("10.0.3.20"))

    (one,) = found.proposals
    assert told(found) == [("groups", ["sgr-1"], [("tcp", 443, 443, "sg-web")])]
    assert (one.add[0].description, one.add[0].tags) == ("From the web", (("team", "shop"),))
    assert one.add[0].referenced_account_id == ACCOUNT
    assert one.add[0].referenced_vpc_id is None
    assert one.seen[:5] == (4, 0, 0, 4, "443")


def test_the_smallest_set_of_groups_is_chosen() -> None:
    ops = eni(40, "10.0.4.40", groups="sg-ops")
    of = here(rule(1, ports=(443, 443)), more=(ops,))

    found = proposed(of, visit("10.0.2.10"), visit("10.0.3.20"), visit("10.0.4.40"))

    assert told(found)[0][2] == [("tcp", 443, 443, "sg-ops"), ("tcp", 443, 443, "sg-web")]


def test_a_group_with_a_member_outside_the_cidr_is_not_referred_to() -> None:
    outside = eni(41, "192.168.9.9", groups="sg-web")
    of = here(rule(1, ports=(443, 443)), more=(outside,))

    found = proposed(of, visit("10.0.2.10"), visit("10.0.2.11"))

    assert told(found) == [("cidrs", ["sgr-1"], [("tcp", 443, 443, "10.0.2.10/31")])]


def test_members_addresses_of_the_other_family_are_a_risk_that_is_told() -> None:
    dual = eni(42, "10.0.2.42", groups="sg-web", ipv6_addresses=("2001:db8::42",))
    of = here(rule(1, ports=(443, 443)), more=(dual,))

    found = proposed(of, visit("10.0.2.10"))

    assert told(found)[0][0] == "groups"
    assert "members are let in at their IPv6 addresses too" in found.proposals[0].risks


def test_a_peer_that_left_the_group_since_is_no_reason_to_refer_to_it() -> None:
    moved = replace(WEBS[0], groups=(GroupRef("sg-job", "job"),))
    before, after = known(rule(1, ports=(443, 443)), at=1000), known(rule(1, ports=(443, 443)), at=9000)  # fmt: skip
    after = replace(after, interfaces=tuple(moved if e == WEBS[0] else e for e in after.interfaces))

    found = proposed(inventory(before, after), visit("10.0.2.10", first=1000))

    assert told(found) == [("cidrs", ["sgr-1"], [("tcp", 443, 443, "10.0.2.10/32")])]


def test_a_public_address_is_no_member_of_a_group() -> None:
    public = replace(WEBS[0], public_addresses=("203.0.113.7",))
    of = inventory(
        replace(known(rule(1, ports=(443, 443), ipv4_cidr="0.0.0.0/0")), interfaces=(APP, public))
    )

    found = proposed(of, visit("203.0.113.7"))

    assert told(found) == [("cidrs", ["sgr-1"], [("tcp", 443, 443, "203.0.113.7/32")])]


def test_cidrs_are_no_wider_than_the_bound_and_left_alone_where_they_are_that_narrow() -> None:
    narrow = rule(2, ports=(80, 80), ipv4_cidr="192.168.0.0/24")
    of = here(rule(1, ports=(443, 443), ipv4_cidr="192.168.0.0/16"), narrow)
    seen = [visit(f"192.168.{n}.{m}") for n in (1, 2) for m in (1, 2, 254)]

    found = proposed(of, *seen, visit("192.168.0.1", 80))
    tighter = proposed(of, *seen, limits=Limits(Bounds(Widest(ipv4=30))))

    assert told(found) == [
        ("cidrs", ["sgr-1"], [("tcp", 443, 443, "192.168.1.0/24"), ("tcp", 443, 443, "192.168.2.0/24")])
    ]  # fmt: skip
    assert [r.counterpart for r in tighter.proposals[0].add] == [
        "192.168.1.0/30", "192.168.1.254/32", "192.168.2.0/30", "192.168.2.254/32",
    ]  # fmt: skip


def test_ipv6_cidrs_have_a_bound_of_their_own() -> None:
    of = here(rule(1, ports=(443, 443), ipv6_cidr="::/0"))
    seen = [visit(f"2001:db8:{n}::{m}") for n in (1, 2) for m in (1, "ffff:1")]

    found = proposed(of, *seen)

    assert [r.counterpart for r in found.proposals[0].add] == ["2001:db8:1::/96", "2001:db8:2::/96"]


def test_a_rule_for_many_is_left_open_to_many() -> None:
    of = here(rule(1, ports=(443, 443), ipv4_cidr="0.0.0.0/0"))

    found = proposed(of, *(visit(f"198.51.{n}.7") for n in range(11)))

    assert told(found) == []


def test_ports_are_narrowed_to_few_ranges() -> None:
    of = here(rule(1, ports=(0, 65535), prefix_list_id="pl-1"))
    seen = [visit("192.0.2.1", port) for port in (22, 80, 81, 443, 8080)]

    found = proposed(of, *seen)
    two = proposed(of, *seen, limits=Limits(Bounds(most_port_ranges=2)))

    assert told(found) == [
        ("ports", ["sgr-1"], [("tcp", a, b, "pl-1") for a, b in ((22, 22), (80, 81), (443, 443), (8080, 8080))])
    ]  # fmt: skip
    assert [added(r)[1:3] for r in two.proposals[0].add] == [(22, 443), (8080, 8080)]
    assert found.proposals[0].seen.ports == "22, 80-81, 443, 8080"


def test_ports_are_left_where_hardly_any_would_go() -> None:
    of = here(rule(1, ports=(80, 83), prefix_list_id="pl-1"))

    found = proposed(of, *(visit("192.0.2.1", port) for port in (80, 81, 82, 83)))

    assert told(found) == []


def test_a_rule_for_all_protocols_is_cut_down_to_those_used() -> None:
    of = here(rule(1, protocol=-1, egress=True, ipv4_cidr="0.0.0.0/0"))
    seen = [
        leave("198.51.100.7", 443),
        leave("198.51.100.7", 53, protocol=17),
        leave("198.51.100.7", 0, protocol=1)._replace(local_port=0),
    ]

    found = proposed(of, *seen)

    assert told(found) == [
        (
            "cidrs",
            ["sgr-1"],
            [
                ("icmp", -1, -1, "198.51.100.7/32"),
                ("tcp", 443, 443, "198.51.100.7/32"),
                ("udp", 53, 53, "198.51.100.7/32"),
            ],
        )
    ]
    assert any("untracked" in risk for risk in found.proposals[0].risks)


def test_each_port_has_its_own_peers() -> None:
    of = here(rule(1, ports=(0, 65535)))

    found = proposed(of, visit("10.0.2.10", 443), visit("10.9.9.9", 22))

    assert told(found) == [
        ("cidrs", ["sgr-1"], [("tcp", 22, 22, "10.9.9.9/32"), ("tcp", 443, 443, "sg-web")])
    ]


def test_connections_of_unknown_initiator_are_kept_by_what_is_narrowed() -> None:
    of = here(rule(1, ports=(0, 65535)))
    unsure = visit("10.7.7.7", 8443, direction=None)

    found = proposed(of, visit("10.9.9.9", 22), unsure)

    assert told(found) == [
        ("cidrs", ["sgr-1"], [("tcp", 22, 22, "10.9.9.9/32"), ("tcp", 8443, 8443, "10.7.7.7/32")])
    ]
    assert found.proposals[0].seen[:3] == (1, 1, 0)


def test_a_rule_for_an_icmp_type_stands_in_for_no_other() -> None:
    typed = rule(1, protocol=1, ports=(8, -1), ipv4_cidr="10.0.2.0/24")
    typed = replace(typed, to_port=None)
    of = here(typed, rule(2, protocol=1, ipv4_cidr="10.0.0.0/8"))
    ping = Seen("eni-1", "10.0.1.1", "10.0.2.10", protocol=1)

    found = proposed(of, ping)

    assert told(found) == [("groups", ["sgr-2"], [("icmp", -1, -1, "sg-web")])]


def test_rules_for_icmp_types_alone_are_all_kept_open_for_their_peers() -> None:
    wide, other = (
        replace(rule(n, protocol=1, ipv4_cidr=c), from_port=t)
        for n, c, t in ((1, "10.0.0.0/8", 8), (2, "10.0.0.0/16", 3))
    )
    of = here(wide, other)

    found = proposed(of, Seen("eni-1", "10.0.1.1", "10.0.2.10", protocol=1))

    assert told(found) == [
        ("groups", ["sgr-1"], [("icmp", 8, -1, "sg-web")]),
        ("groups", ["sgr-2"], [("icmp", 3, -1, "sg-web")]),
    ]


def test_a_rule_changed_within_the_recording_is_left_alone() -> None:
    of = inventory(
        known(rule(1, ports=(443, 443), ipv4_cidr="0.0.0.0/0")), known(rule(1, ports=(443, 443)), at=9000)
    )  # fmt: skip

    found = proposed(of, visit("198.51.100.7", first=1000), usage={"sgr-1": UNUSED})

    assert told(found) == []
    assert left(found) == {"sgr-1": "altered"}


def test_a_rule_that_is_gone_is_proposed_nothing_for() -> None:
    of = inventory(known(rule(1, ports=(443, 443))), known(rule(2, ports=(22, 22)), at=9000))

    found = proposed(of, visit("10.0.2.10", first=1000), usage={"sgr-1": UNUSED})

    assert told(found) == []
    assert (found.rules, found.without_rule) == (1, 1)


def test_what_its_owner_keeps_is_kept_and_no_reason_for_another_to_go() -> None:
    of = here(
        rule(1, ports=(443, 443), ipv4_cidr="10.0.2.0/24"),
        rule(2, ports=(443, 443)),
        rule(3, "sg-far", ports=(22, 22)),
    )
    exemptions = in_force(
        [
            Exemption("sgr-1", None, "audit", date(2027, 1, 31), "line 2"),
            Exemption(None, "sg-far", "failover", None, "line 3"),
        ],
        date(2026, 11, 24),
        {"sgr-1"},
        {"sg-far"},
    )

    found = proposed(
        of, visit("10.0.2.10"), usage={"sgr-3": UNUSED}, limits=Limits(exemptions=exemptions)
    )

    assert told(found) == [("groups", ["sgr-2"], [("tcp", 443, 443, "sg-web")])]
    assert left(found) == {"sgr-1": "exception", "sgr-3": "exception"}


def test_a_rule_whose_list_may_admit_what_else_is_not_known_is_left_alone() -> None:
    of = here(rule(1, ports=(443, 443), prefix_list_id="pl-unknown"), rule(2, ports=(22, 22)))
    book = RuleBook(of)
    batch = connections_seen(of, book, visit("198.51.100.9"))
    columns = batch.to_pylist()
    columns[0] |= {"action": "ACCEPT", "rule_match": "unknown", "reject_cause": None}
    batch = type(batch).from_pylist(columns, batch.schema)

    found = propose(of, book, lambda: [batch], {"sgr-1": UNUSED, "sgr-2": UNUSED}, Limits())

    assert told(found) == [("unused", ["sgr-2"], [])]
    assert left(found) == {"sgr-1": "inventory_gap"}


def test_a_rule_that_lets_only_replies_through_is_left_and_another_has_the_risk_told() -> None:
    of = here(
        rule(1, ports=(443, 443), ipv4_cidr="0.0.0.0/0"),
        rule(2, protocol=-1, egress=True, ipv4_cidr="0.0.0.0/0"),
    )
    book = RuleBook(of)
    keys = book.keys.to_pylist()
    rows = connections_seen(of, book, visit("198.51.100.7"), leave("198.51.100.9", 53)).to_pylist()
    rows[0]["reply_rules"] = [keys.index("sgr-2")]
    both = [type(connections_seen(of, book)).from_pylist(rows, connections_seen(of, book).schema)]
    one = [both[0].slice(0, 1)]

    used = propose(of, book, lambda: both, {}, Limits())
    only_replies = propose(of, book, lambda: one, {"sgr-2": UNUSED}, Limits())

    assert [p.keys for p in used.proposals] == [{"sgr-1"}, {"sgr-2"}]
    assert any("replies of 1 untracked" in risk for risk in used.proposals[1].risks)
    assert left(only_replies) == {"sgr-2": "only_replies"}


def test_rules_that_permit_the_same_together_are_merged() -> None:
    of = here(
        rule(1, ports=(80, 80), ipv4_cidr="192.168.0.0/25", description="one"),
        rule(2, ports=(80, 80), ipv4_cidr="192.168.0.128/25", description="two"),
        rule(3, ports=(90, 94), ipv4_cidr="192.168.0.0/24"),
        rule(4, ports=(95, 99), ipv4_cidr="192.168.0.0/24"),
        rule(5, ports=(91, 92), ipv4_cidr="192.168.0.7/32"),
        rule(6, "sg-far", ports=(80, 80), ipv4_cidr="192.168.0.0/25"),
    )

    found = proposed(of)

    assert told(found) == [
        ("duplicate", ["sgr-5"], []),
        ("merge", ["sgr-1", "sgr-2"], [("tcp", 80, 80, "192.168.0.0/24")]),
        ("merge", ["sgr-3", "sgr-4"], [("tcp", 90, 99, "192.168.0.0/24")]),
    ]
    assert found.proposals[1].add[0].description == "one; two"
    assert found.proposals[1].risks == ()


def test_rules_with_contradicting_tags_or_for_all_addresses_are_not_merged() -> None:
    of = here(
        rule(1, ports=(80, 80), ipv4_cidr="192.168.0.0/25", tags=(("team", "a"),)),
        rule(2, ports=(80, 80), ipv4_cidr="192.168.0.128/25", tags=(("team", "b"),)),
        rule(3, ports=(22, 22), ipv4_cidr="0.0.0.0/1"),
        rule(4, ports=(22, 22), ipv4_cidr="128.0.0.0/1"),
    )

    assert told(proposed(of)) == []


def test_what_has_no_room_is_narrowed_otherwise_or_left_out() -> None:
    of = here(rule(1, ports=(0, 65535), ipv4_cidr="192.168.0.0/16"), rule(2, ports=(5, 5)))
    seen = [visit("192.168.1.1", 22), visit("192.168.2.1", 443)]

    two = proposed(of, *seen, limits=Limits(quotas=Quotas(rules_per_group=4)))
    one = proposed(of, *seen, limits=Limits(Bounds(Widest(ipv4=16)), Quotas(rules_per_group=3)))
    none = proposed(of, *seen, limits=Limits(quotas=Quotas(rules_per_group=2)))

    assert [len(p.add) for p in two.proposals] == [2]
    assert [p.add for p in one.proposals] == []
    assert left(one) == left(none) == {"sgr-1": "quota"}
    assert "2 at most" in none.left_out[0].words


def test_what_goes_makes_room_for_what_comes() -> None:
    of = here(rule(1, ports=(0, 65535), ipv4_cidr="192.168.0.0/16"), rule(2, ports=(5, 5)))
    seen = [visit("192.168.1.1", 22), visit("192.168.2.1", 443)]

    found = proposed(of, *seen, usage={"sgr-2": UNUSED}, limits=Limits(quotas=Quotas(3)))

    assert told(found) == [
        ("unused", ["sgr-2"], []),
        ("cidrs", ["sgr-1"], [("tcp", 22, 22, "192.168.1.1/32"), ("tcp", 443, 443, "192.168.2.1/32")]),
    ]  # fmt: skip


def test_what_one_proposal_adds_leaves_less_room_for_the_next() -> None:
    of = here(
        rule(1, ports=(443, 443), ipv4_cidr="192.168.0.0/16"),
        rule(2, ports=(80, 80), ipv4_cidr="192.168.0.0/16"),
    )
    seen = [visit(f"192.168.{n}.1", port) for n in (1, 2) for port in (443, 80)]

    both = proposed(of, *seen, limits=Limits(quotas=Quotas(5)))
    one = proposed(of, *seen, limits=Limits(quotas=Quotas(4)))

    assert [sorted(p.keys) for p in both.proposals] == [["sgr-1"], ["sgr-2"]]
    assert [sorted(p.keys) for p in one.proposals] == [["sgr-1"]]
    assert left(one) == {"sgr-2": "quota"}


def test_no_permission_is_added_twice() -> None:
    of = here(rule(1, ports=(443, 8443)), rule(2, ports=(22, 443), ipv4_cidr="10.0.0.0/9"))
    seen = [visit("10.0.2.10", 443), visit("10.0.2.11", 443), visit("10.200.0.1", 443)]

    found = proposed(of, *seen)

    permissions = [added(r) for p in found.proposals for r in p.add]
    assert len(permissions) == len(set(permissions))


def test_nothing_is_proposed_that_a_replay_would_block() -> None:
    """A connection that was let through by a rule which permits less today is in no proposal's way, nor in reach."""
    of = here(rule(1, ports=(443, 443)))
    book = RuleBook(of)
    good = connections_seen(of, book, visit("10.0.2.10"))
    bad = connections_seen(of, book, visit("10.99.0.1"))
    batches = iter([[good], [good, bad], [good, bad]])

    found = propose(of, book, lambda: next(batches), {}, Limits())

    assert found.proposals == ()
    assert left(found) == {"sgr-1": "would_block"}


def test_proposals_are_the_same_whatever_the_order_of_connections_and_batches() -> None:
    of = here(rule(1, ports=(0, 65535)), rule(2, ports=(443, 443), ipv4_cidr="10.0.0.0/12"))
    book = RuleBook(of)
    seen = [visit(f"10.{n}.{n * 7}.{n}", port) for n in range(1, 40) for port in (22, 443, 8080)]
    whole = connections_seen(of, book, *seen)
    backwards = [whole.slice(n, 1) for n in reversed(range(whole.num_rows))]

    found = [propose(of, book, lambda b=b: b, {}, Limits()) for b in ([whole], backwards)]

    assert found[0] == found[1]
    assert found[0].proposals


def test_a_change_has_all_rules_of_all_proposals() -> None:
    of = here(rule(1, ports=(443, 443)), rule(2, ports=(22, 22)))

    found = proposed(of, visit("10.0.2.10"), usage={"sgr-2": UNUSED})
    change = change_of(found.proposals)

    assert set(change.remove) == {"sgr-1", "sgr-2"}
    assert [one.referenced_group_id for one in change.add] == ["sg-web"]
    assert all(one.rule_id is None for one in change.add)
