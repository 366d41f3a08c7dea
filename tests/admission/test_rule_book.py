from __future__ import annotations

import pytest
from asking import ICMP, ICMPV6, TCP, UDP, Asks, admitting, packets, rule
from inventories import eni, inventory, snapshot

from vpcflow.admission import Guards, RuleBook
from vpcflow.inventory import Inventory, PrefixList, PrefixListEntry, SecurityGroupRule

WEB = eni(1, "10.0.0.1", ipv6_addresses=("2001:db8::1",))
APP = eni(2, "10.0.0.2", groups="sg-b", public_addresses=("203.0.113.2",))


def known(*rules: SecurityGroupRule, at: int = 0, **lists: object) -> Inventory:
    return inventory(snapshot(at, WEB, APP, security_group_rules=rules, **lists))


def book_of(*rules: SecurityGroupRule, **lists: object) -> RuleBook:
    return RuleBook(known(*rules, **lists))


def test_all_rules_of_all_groups_that_match_admit() -> None:
    both = eni(1, "10.0.0.1", groups="sg-a sg-b")
    rules = (
        rule(1, "10.0.0.0/8", "443"),
        rule(2, "10.1.0.0/16", "1-65535", group_id="sg-b"),
        rule(3, "10.1.0.9/32", "443", group_id="sg-c"),
        rule(4, "10.1.0.9/32"),
    )
    book = RuleBook(inventory(snapshot(0, both, security_group_rules=rules)))

    found = admitting(book, Asks(0, "10.1.0.9"), Asks(0, "10.2.0.9"), Asks(0, "192.0.2.1"))

    assert found == [["sgr-1", "sgr-2", "sgr-4"], ["sgr-1"], []]


@pytest.mark.parametrize(
    ("fields", "protocol", "port", "admits"),
    [
        ({"protocol": TCP, "from_port": 80, "to_port": 90}, TCP, 80, True),
        ({"protocol": TCP, "from_port": 80, "to_port": 90}, TCP, 90, True),
        ({"protocol": TCP, "from_port": 80, "to_port": 90}, TCP, 91, False),
        ({"protocol": TCP, "from_port": 80, "to_port": 90}, UDP, 85, False),
        ({"protocol": TCP}, TCP, 0, True),
        ({"protocol": UDP, "from_port": 0, "to_port": 65535}, UDP, 65535, True),
        ({"protocol": -1}, 47, 0, True),
        ({"protocol": -1}, TCP, 22, True),
        ({"protocol": 47, "from_port": 1, "to_port": 2}, 47, 0, True),
        ({"protocol": 47}, 50, 0, False),
        ({"protocol": 0}, 0, 0, True),
        ({"protocol": 0}, 50, 0, False),
        ({"protocol": ICMP, "from_port": 8, "to_port": 0}, ICMP, 0, True),
        ({"protocol": ICMPV6}, ICMP, 0, False),
    ],
)
def test_protocol_and_ports_must_fit(
    fields: dict[str, int], protocol: int, port: int, admits: bool
) -> None:
    book = book_of(rule(1, "10.0.0.0/8", **fields))

    found = admitting(book, Asks(0, "10.9.9.9", port, protocol))

    assert found == ([["sgr-1"]] if admits else [[]])


def test_the_direction_must_fit() -> None:
    book = book_of(rule(1, "10.0.0.0/8"), rule(2, "10.0.0.0/8", is_egress=True))

    found = admitting(book, Asks(0, "10.9.9.9"), Asks(0, "10.9.9.9", is_egress=True))

    assert found == [["sgr-1"], ["sgr-2"]]


def test_ipv4_rules_admit_no_ipv6_and_ipv6_rules_no_ipv4() -> None:
    book = book_of(rule(1, "0.0.0.0/0"), rule(2, "::/0"), rule(3, "::a09:909/128"))

    found = admitting(book, Asks(0, "10.9.9.9"), Asks(0, "2001:db8::9"), Asks(0, "::a09:909"))

    assert found == [["sgr-1"], ["sgr-2"], ["sgr-2", "sgr-3"]]


def test_what_is_no_address_is_admitted_by_nothing() -> None:
    book = book_of(rule(1, "0.0.0.0/0"), rule(2, "::/0"))

    found = admitting(book, Asks(0, None))

    assert found == [[]]


def test_a_rule_that_names_an_icmp_type_matches_approximately() -> None:
    book = book_of(
        rule(1, "10.0.0.0/8", protocol=ICMP, from_port=8), rule(2, "10.1.0.0/16", protocol=ICMP)
    )

    found = book.admit(packets([Asks(0, "10.1.0.1", 0, ICMP), Asks(0, "192.0.2.1", 0, ICMP)]))

    assert found.approximate.tolist() == [True, False]
    assert found.counts.tolist() == [2, 0]


def test_a_reference_admits_private_addresses_of_the_group_and_never_public_ones() -> None:
    book = book_of(rule(1, "sg-b", "443"))

    found = book.admit(packets([Asks(0, "10.0.0.2"), Asks(0, "203.0.113.2"), Asks(0, "10.0.0.1")]))

    assert found.counts.tolist() == [1, 0, 0]
    assert found.peer_row.tolist() == [1, -1, 0]


def test_a_group_that_refers_to_itself_admits_its_other_interfaces() -> None:
    other = eni(2, "10.0.0.2", ipv6_prefixes=("2001:db8:0:1::/80",))
    book = RuleBook(inventory(snapshot(0, WEB, other, security_group_rules=(rule(1, "sg-a"),))))

    found = admitting(book, Asks(0, "10.0.0.2"), Asks(1, "2001:db8::1"), Asks(0, "2001:db8:0:1::7"))

    assert found == [["sgr-1"], ["sgr-1"], ["sgr-1"]]


def test_the_entries_of_a_prefix_list_admit() -> None:
    entries = (PrefixListEntry("192.0.2.0/25"), PrefixListEntry("2001:db8:5::/48"))
    book = book_of(rule(1, "pl-1"), prefix_lists=(PrefixList("pl-1", entries=entries),))

    found = admitting(
        book, Asks(0, "192.0.2.127"), Asks(0, "192.0.2.128"), Asks(0, "2001:db8:5::1")
    )

    assert found == [["sgr-1"], [], ["sgr-1"]]


def test_with_one_snapshot_its_rules_are_in_force_at_all_times() -> None:
    book = RuleBook(known(rule(1, "10.0.0.0/8"), at=1_000_000))

    found = admitting(book, Asks(0, "10.0.0.9", time_s=0), Asks(0, "10.0.0.9", time_s=9_000_000))

    assert found == [["sgr-1"], ["sgr-1"]]


def test_the_nearer_snapshot_tells_which_rules_were_in_force() -> None:
    wide, narrow = rule(1, "10.0.0.0/8"), rule(1, "10.0.0.0/16")
    history = inventory(
        snapshot(100, WEB, security_group_rules=(wide, rule(2, "10.0.0.0/24"))),
        snapshot(200, WEB, security_group_rules=(narrow, rule(3, "10.0.0.0/24"))),
    )
    book = RuleBook(history)

    found = book.admit(packets(Asks(0, "10.0.0.9", time_s=t) for t in (0, 150, 151, 300)))

    rules = [
        [book.rules[rule] for rule in found.rules[first:last].tolist()]
        for first, last in zip(found.offsets.tolist(), found.offsets[1:].tolist())
    ]
    assert rules[0] == rules[1] == [wide, rule(2, "10.0.0.0/24")]
    assert rules[2] == rules[3] == [narrow, rule(3, "10.0.0.0/24")]


def test_a_rule_of_the_other_snapshot_counts_where_the_nearer_has_none_that_admits() -> None:
    history = inventory(
        snapshot(100, WEB, security_group_rules=(rule(1, "10.0.0.0/8"),)),
        snapshot(200, WEB, security_group_rules=()),
        snapshot(300, WEB, security_group_rules=()),
    )
    book = RuleBook(history)

    found = admitting(book, *(Asks(0, "10.0.0.9", time_s=t) for t in (190, 200, 201)))

    assert found == [["sgr-1"], [], []]


def test_removed_rules_do_not_admit_and_added_ones_do() -> None:
    added = rule(3, "10.0.0.0/8", "443")
    book = RuleBook(
        known(rule(1, "10.0.0.0/8"), rule(2, "10.0.0.0/16")), removed={"sgr-1"}, added=[added]
    )

    found = admitting(book, Asks(0, "10.0.0.9"), Asks(0, "10.9.0.9", 80))

    assert found == [["sgr-2", "sgr-3"], []]


def test_an_interface_that_is_not_known_is_admitted_by_nothing_and_uncertain() -> None:
    book = book_of(rule(1, "0.0.0.0/0"))

    found = book.admit(packets([Asks(-1, "10.0.0.9"), Asks(0, "10.0.0.9")]))

    assert found.counts.tolist() == [0, 1]
    assert found.uncertain.tolist() == [True, False]


def test_no_packets_get_no_answers() -> None:
    found = book_of(rule(1, "0.0.0.0/0")).admit(packets([]))

    assert [len(column) for column in found] == [1, 0, 0, 0, 0]


def test_what_is_made_ready_is_kept_for_the_next_batch() -> None:
    one = inventory(snapshot(0, eni(1, "10.0.0.1"), security_group_rules=()))
    other = inventory(snapshot(0, eni(1, "10.0.0.1"), security_group_rules=()))

    assert Guards.of(one) is Guards.of(one)
    assert Guards.of(other) is not Guards.of(one)
