from __future__ import annotations

from typing import Any

import pytest
from asking import ICMP, TCP, UDP, rule
from inventories import eni, inventory, snapshot

from vpcflow.admission import RuleBook
from vpcflow.errors import FormatError, InventoryError, SourceError
from vpcflow.inventory import (
    Inventory,
    NetworkAcl,
    NetworkAclEntry,
    PrefixList,
    PrefixListEntry,
    SecurityGroupRule,
    Subnet,
)
from vpcflow.rules.asked import asked_by, asked_for
from vpcflow.rules.explain import Explainer, Explanation, Question, Side
from vpcflow.rules.explanation_words import document, lines
from vpcflow.rules.places import places_at, places_between

WEB = eni(1, "10.0.0.1", groups="sg-web", subnet_id="subnet-1", public_addresses=("203.0.113.1",))
DATABASE = eni(2, "10.0.0.2", groups="sg-db", subnet_id="subnet-2", ipv6_addresses=("2001:db8::2",))
GATEWAY = eni(3, "10.0.0.3", groups="", interface_type="nat_gateway")

LEAVING = rule(1, "10.0.0.0/8", group_id="sg-web", is_egress=True)
QUERIES = rule(2, "sg-web", "5432", group_id="sg-db")
QUERY = Question(TCP, "10.0.0.1", 40000, "10.0.0.2", 5432, 1000)


def known(*rules: SecurityGroupRule, at: int = 1000, **lists: Any) -> Inventory:
    return inventory(snapshot(at, WEB, DATABASE, GATEWAY, security_group_rules=rules, **lists))


def explained(
    of: Inventory, question: Question = QUERY, interface_id: str | None = None
) -> Explanation:
    explainer = Explainer(of, RuleBook(of))
    if interface_id is None:
        return explainer.explain(question, places_between(explainer, question))
    return explainer.explain(question, places_at(explainer, question, interface_id))


def keys(rules: tuple[SecurityGroupRule, ...]) -> list[str]:
    return [rule.key for rule in rules]


def seen(explanation: Explanation) -> list[tuple[str, str, str, list[str]]]:
    return [
        (side.eni.interface_id, side.direction, side.verdict, keys(side.rules))
        for side in explanation.sides
    ]


def reasons(side: Side) -> dict[str, list[str]]:
    return {miss.rule.key: [r.reason for r in miss.reasons] for miss in side.near_misses}


def why(of: Inventory, question: Question = QUERY) -> str:
    """Give the one reason in words why the one rule of the responder doesn't admit the packet."""
    (side,) = [s for s in explained(of, question, "eni-2").sides if s.direction == "ingress"]
    (miss,) = side.near_misses
    (reason,) = miss.reasons
    return reason.text


def test_the_initiators_egress_and_the_responders_ingress_are_asked() -> None:
    found = explained(known(LEAVING, QUERIES))

    assert seen(found) == [
        ("eni-1", "egress", "admitted", ["sgr-1"]),
        ("eni-2", "ingress", "admitted", ["sgr-2"]),
    ]


@pytest.mark.parametrize("interface_id", ["eni-1", "eni-2"])
def test_from_either_interface_the_other_is_found(interface_id: str) -> None:
    found = explained(known(LEAVING, QUERIES), interface_id=interface_id)

    assert [side[:2] for side in seen(found)] == [("eni-1", "egress"), ("eni-2", "ingress")]


def test_a_peer_outside_has_no_side() -> None:
    visit = QUERY._replace(initiator_addr="198.51.100.7")

    found = explained(known(QUERIES), visit)

    assert seen(found) == [("eni-2", "ingress", "not_admitted", [])]
    assert found.notes == ("198.51.100.7 is no address of a known interface: its side is not told",)


def test_an_interface_that_forwards_is_passed_both_ways() -> None:
    found = explained(known(), interface_id="eni-3")

    assert [side[:3] for side in seen(found)] == [
        ("eni-3", "ingress", "no_security_groups"),
        ("eni-3", "egress", "no_security_groups"),
    ]
    assert found.notes == ("eni-3 has neither address: it forwards",)


def test_who_is_reached_by_a_public_address_sees_another_one_than_the_initiators() -> None:
    back = Question(TCP, "10.0.0.2", 40000, "203.0.113.1", 443, 1000)

    found = explained(known(), back)

    assert [side[:2] for side in seen(found)] == [("eni-2", "egress")]
    assert found.notes[0].startswith("eni-1 is reached by its public address")


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (rule(2, "10.0.0.0/8", "5433", group_id="sg-db"), "it is for port 5433, not 5432"),
        (rule(2, "10.0.0.0/8", "80-90", group_id="sg-db"), "it is for port 80-90, not 5432"),
        (
            rule(2, "10.0.0.0/8", "5432", group_id="sg-db", protocol=UDP),
            "it is for udp, not tcp",
        ),
        (rule(2, "10.1.0.0/16", "5432", group_id="sg-db"), "10.0.0.1 is not in 10.1.0.0/16"),
        (
            rule(2, "::/0", "5432", group_id="sg-db"),
            "it is for IPv6 addresses, and 10.0.0.1 is none",
        ),
        (
            rule(2, "sg-db", "5432", group_id="sg-db"),
            "eni-1, which had 10.0.0.1, was in sg-web, not in sg-db",
        ),
        (rule(2, "pl-1", "5432", group_id="sg-db"), "pl-1 did not have 10.0.0.1 then"),
    ],
)
def test_a_rule_that_nearly_admits_is_told_with_the_reason(
    one: SecurityGroupRule, reason: str
) -> None:
    lists = (PrefixList("pl-1", entries=(PrefixListEntry("192.0.2.0/24"),)),)

    assert why(known(one, prefix_lists=lists)) == reason


def test_a_reference_does_not_reach_a_peer_that_no_interface_is() -> None:
    text = why(known(QUERIES), QUERY._replace(initiator_addr="198.51.100.7"))

    assert text.startswith("it is for interfaces in sg-web, by their private and IPv6 addresses")


def test_a_rule_that_was_removed_before_is_told_with_its_time() -> None:
    of = inventory(
        snapshot(1000, WEB, DATABASE, security_group_rules=(QUERIES,)),
        snapshot(90_000, WEB, DATABASE, security_group_rules=()),
    )

    text = why(of, QUERY._replace(time_s=90_000))

    assert text == (
        "it was not in force then: seen from 1970-01-01T00:16:40Z to 1970-01-01T00:16:40Z"
    )
    assert seen(explained(of))[1] == ("eni-2", "ingress", "admitted", ["sgr-2"])


def test_rules_with_the_fewest_reasons_are_told_and_the_others_counted() -> None:
    rules = (
        rule(2, "10.0.0.0/8", "5433", group_id="sg-db"),
        rule(3, "192.0.2.0/24", "5432", group_id="sg-db"),
        rule(4, "192.0.2.0/24", "22", group_id="sg-db"),
        rule(5, "192.0.2.0/24", "53", group_id="sg-db", protocol=UDP),
    )

    _, side = explained(known(*rules)).sides

    assert reasons(side) == {"sgr-2": ["port"], "sgr-3": ["counterpart"]}
    assert side.other_rules == 2


def test_where_a_rule_admits_no_near_miss_is_told() -> None:
    other = rule(3, "10.0.0.0/8", "5433", group_id="sg-db")

    _, side = explained(known(QUERIES, other)).sides

    assert (keys(side.rules), side.near_misses, side.other_rules) == (["sgr-2"], (), 0)


def test_icmp_types_make_an_answer_approximate() -> None:
    echo = rule(2, "10.0.0.0/8", group_id="sg-db", protocol=ICMP, from_port=8)

    _, side = explained(known(echo), Question(ICMP, "10.0.0.1", 0, "10.0.0.2", 0, 1000)).sides

    assert (side.verdict, side.is_approximate) == ("admitted", True)


def test_ipv6_is_explained_as_ipv4_is() -> None:
    one = rule(2, "2001:db8::/32", "5432", group_id="sg-db")
    question = Question(TCP, "2001:db8:ffff::1", 40000, "2001:db8::2", 5432, 1000)

    found = explained(known(one), question)

    assert seen(found) == [("eni-2", "ingress", "admitted", ["sgr-2"])]


def test_connections_that_are_not_tracked_are_told_with_the_rules_of_their_replies() -> None:
    open_rules = (
        rule(2, "0.0.0.0/0", "5432", group_id="sg-db"),
        rule(3, "0.0.0.0/0", group_id="sg-db", is_egress=True),
    )

    tracked = explained(known(open_rules[0])).sides[1]
    untracked = explained(known(*open_rules)).sides[1]

    assert (keys(tracked.reply_rules), keys(untracked.reply_rules)) == ([], ["sgr-3"])
    assert "  the connection is not tracked: its replies need a rule too" in lines(
        explained(known(*open_rules))
    )


def test_the_network_acl_is_told_of_the_packet_and_of_its_reply() -> None:
    acl = NetworkAcl(
        "acl-1",
        owner_id="123456789012",
        subnet_ids=("subnet-2",),
        entries=(NetworkAclEntry(100, is_egress=False, protocol=-1, allow=True, cidr="0.0.0.0/0"),),
    )
    subnets = tuple(
        Subnet(f"subnet-{n}", "vpc-a", cidrs=(f"10.0.0.{n}/32",)) for n in (1, 2)
    )  # fmt: skip
    of = known(QUERIES, network_acls=(acl,), subnets=subnets)

    web, database = explained(of).sides

    assert (web.network_acl, web.network_acl_reply) == (None, None)
    assert (database.network_acl, database.network_acl_reply) == ("allow", "deny")


def test_an_address_of_two_vpcs_needs_an_interface() -> None:
    twin = eni(4, "10.0.0.2", groups="sg-db", vpc_id="vpc-b")
    of = inventory(snapshot(1000, DATABASE, twin, security_group_rules=(QUERIES,)))
    visit = QUERY._replace(initiator_addr="198.51.100.7")

    with pytest.raises(FormatError, match="choose one with --interface"):
        explained(of, visit)

    assert seen(explained(of, visit, "eni-4"))[0][0] == "eni-4"


def test_of_two_vpcs_that_of_both_ends_is_meant() -> None:
    twin = eni(4, "10.0.0.2", groups="sg-db", vpc_id="vpc-b")
    of = inventory(snapshot(1000, WEB, DATABASE, twin, security_group_rules=(QUERIES,)))

    assert [side[0] for side in seen(explained(of))] == ["eni-1", "eni-2"]


def test_addresses_and_interfaces_nobody_has_are_told() -> None:
    far = QUERY._replace(initiator_addr="198.51.100.7", responder_addr="198.51.100.8")

    with pytest.raises(InventoryError, match=r"knows no interface that had 198\.51\.100\.7 or"):
        explained(known(), far)
    with pytest.raises(InventoryError, match="knows no interface 'eni-9' then"):
        explained(known(), interface_id="eni-9")


def test_an_explanation_reads_well() -> None:
    of = known(LEAVING, rule(2, "sg-web", "5433", group_id="sg-db", description="queries"))

    assert list(lines(explained(of))) == [
        "tcp from 10.0.0.1:40000 to 10.0.0.2:5432 at 1970-01-01T00:16:40Z:",
        "leaving eni-1 (sg-web)",
        "  admitted by sgr-1 of sg-web, all protocols to 10.0.0.0/8",
        "  the connection is tracked: its replies need no rule",
        "  what the network ACL says is not known",
        "entering eni-2 (sg-db)",
        "  no rule admits it",
        "  not by sgr-2 of sg-db, tcp 5433 from sg-web (queries): it is for port 5433, not 5432",
        "  what the network ACL says is not known",
    ]


def test_an_explanation_is_a_document() -> None:
    made = document(explained(known(rule(2, "sg-web", "5433", group_id="sg-db"))))

    assert made["interfaces"][1] == {
        "interface_id": "eni-2",
        "direction": "ingress",
        "group_ids": ["sg-db"],
        "verdict": "not_admitted",
        "rules": [],
        "is_approximate": False,
        "near_misses": [
            {
                "rule_id": "sgr-2",
                "group_id": "sg-db",
                "direction": "ingress",
                "protocol": 6,
                "from_port": 5433,
                "to_port": 5433,
                "counterpart": "sg-web",
                "description": None,
                "reasons": [{"reason": "port", "text": "it is for port 5433, not 5432"}],
            }
        ],
        "other_rules": 0,
        "is_tracked": None,
        "reply_rules": [],
        "network_acl": None,
        "network_acl_reply": None,
    }
    assert list(made.values())[:6] == [6, "10.0.0.1", 40000, "10.0.0.2", 5432, 1000]
    assert (list(made)[5], made["notes"]) == ("time", [])


ROW = {
    "interface_id": "eni-1",
    "srcaddr": "10.0.0.9",
    "dstaddr": "10.0.0.2",
    "pkt_srcaddr": "10.0.0.1",
    "srcport": 40000,
    "dstport": 5432,
    "protocol": 6,
    "start": 1000,
    "direction": "egress",
}


def test_a_record_asks_about_the_connection_it_is_of() -> None:
    (by_src,) = asked_by(ROW | {"initiator": "src"})
    (by_dst,) = asked_by(ROW | {"initiator": "dst"})

    assert by_src == (QUERY, "egress")
    assert by_dst == (Question(TCP, "10.0.0.2", 5432, "10.0.0.1", 40000, 1000), "ingress")


def test_where_nobody_knows_the_opener_both_are_asked_about() -> None:
    assert [one.question.initiator_addr for one in asked_by(ROW)] == ["10.0.0.1", "10.0.0.2"]


def test_a_record_without_packets_asks_nothing() -> None:
    with pytest.raises(SourceError, match="there is nothing that rules could admit"):
        asked_by({"interface_id": "eni-1", "start": 1000, "log_status": "NODATA"})


@pytest.mark.parametrize(
    ("ends", "protocol", "question"),
    [
        (("10.0.0.1", "10.0.0.2:443"), "tcp", (6, "10.0.0.1", None, "10.0.0.2", 443)),
        (("10.0.0.1:50", "10.0.0.2:53"), "17", (17, "10.0.0.1", 50, "10.0.0.2", 53)),
        (
            ("[2001:db8::1]:50", "[2001:db8::2]:53"),
            "UDP",
            (17, "2001:db8::1", 50, "2001:db8::2", 53),
        ),
        (("2001:db8::1", "2001:db8::2"), "icmpv6", (58, "2001:db8::1", 0, "2001:db8::2", 0)),
    ],
)
def test_ends_are_read(ends: tuple[str, str], protocol: str, question: tuple[Any, ...]) -> None:
    assert asked_for(*ends, protocol, 7) == (*question, 7)


@pytest.mark.parametrize(
    ("ends", "protocol", "fault"),
    [
        (("10.0.0.1", "10.0.0.2"), "tcp", "to which port of 10.0.0.2"),
        (("10.0.0.1", "10.0.0.2:70000"), "tcp", "'10.0.0.2:70000' is no address"),
        (("10.0.0.1:", "10.0.0.2:7"), "tcp", "'10.0.0.1:' is no address"),
        (("web", "10.0.0.2:7"), "tcp", "'web' is no address"),
        (("10.0.0.1", "10.0.0.2:7"), "all", "'all' is no protocol"),
        (("2001:db8::1", "10.0.0.2:7"), "tcp", "not of one address family"),
    ],
)
def test_ends_that_make_no_sense_are_refused(
    ends: tuple[str, str], protocol: str, fault: str
) -> None:
    with pytest.raises(FormatError, match=fault):
        asked_for(*ends, protocol, 7)
