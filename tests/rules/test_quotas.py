"""How rules count against AWS's quotas."""

from __future__ import annotations

import pytest

from vpcflow.errors import FormatError
from vpcflow.inventory import PrefixList, PrefixListEntry, SecurityGroupRule
from vpcflow.rules.quotas import Quotas, Side, sides_of, weight_of

IN4, IN6 = Side("sg-a", False, True), Side("sg-a", False, False)


def test_a_cidr_is_one_rule_of_its_family_and_a_group_one_of_both() -> None:
    rules = [
        SecurityGroupRule("sg-a", ipv4_cidr="192.0.2.0/24"),
        SecurityGroupRule("sg-a", ipv6_cidr="2001:db8::/32"),
        SecurityGroupRule("sg-a", referenced_group_id="sg-b"),
        SecurityGroupRule("sg-a", is_egress=True, ipv4_cidr="0.0.0.0/0"),
    ]

    counts = sides_of(rules, {})

    assert counts == {IN4: 2, IN6: 2, Side("sg-a", True, True): 1}


def test_a_prefix_list_counts_as_what_it_may_have_in_its_own_family() -> None:
    lists = {"pl-1": PrefixList("pl-1", address_family="IPv6", max_entries=20)}

    counts = sides_of([SecurityGroupRule("sg-a", prefix_list_id="pl-1")], lists)

    assert counts == {IN6: 20}


@pytest.mark.parametrize(
    ("found", "weight"),
    [
        (PrefixList("pl-1", "com.amazonaws.eu-west-1.s3", "AWS"), 1),
        (PrefixList("pl-1", "com.amazonaws.global.cloudfront.origin-facing", "AWS"), 55),
        (PrefixList("pl-1", "com.amazonaws.eu-west-1.ipv6.vpc-lattice", "AWS"), 10),
        (PrefixList("pl-1", "s3"), 1),
        (PrefixList("pl-1", "a.s3express", entries=(PrefixListEntry("192.0.2.0/24"),) * 3), 3),
        (PrefixList("pl-1", entries=()), 1),
        (None, 1),
    ],
)
def test_a_list_weighs_what_aws_says_or_what_is_known_of_it(
    found: PrefixList | None, weight: int
) -> None:
    assert weight_of(found) == weight


def test_quotas_that_aws_does_not_grant_together_are_refused() -> None:
    with pytest.raises(FormatError, match="200 rules a group times 6 groups an interface is 1,200"):
        Quotas(200, 6)

    assert Quotas(200, 5).rules_per_group == 200
