"""
How many rules a security group may have: AWS's quotas, and how rules count against them.

https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-security-groups
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from vpcflow.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vpcflow.inventory import PrefixList, SecurityGroupRule

RULES_PER_GROUP = 60
GROUPS_PER_INTERFACE = 5
MOST_RULES_OF_AN_INTERFACE = 1000
"""What the two quotas may be at most, one times the other."""

# A rule counts as many times as the list's weight, which no API tells:
# https://docs.aws.amazon.com/vpc/latest/userguide/working-with-aws-managed-prefix-lists.html (2026-11)
_WEIGHTS = {
    "cloudfront.origin-facing": 55,
    "dynamodb": 1,
    "ec2-instance-connect": 2,
    "groundstation": 5,
    "route53-healthchecks": 25,
    "s3": 1,
    "s3express": 6,
    "vpc-lattice": 10,
}


class Side(NamedTuple):
    """What AWS counts apart: the rules of a group in one direction, for one address family."""

    group_id: str
    is_egress: bool
    is_ipv4: bool


@dataclass(frozen=True)
class Quotas:
    """
    An account's quotas; raising ``FormatError`` where AWS would not grant them together.

    No proposal attaches groups to interfaces: groups per interface only bound what rules per group may be.
    """

    rules_per_group: int = RULES_PER_GROUP
    groups_per_interface: int = GROUPS_PER_INTERFACE

    def __post_init__(self) -> None:
        product = self.rules_per_group * self.groups_per_interface
        if product > MOST_RULES_OF_AN_INTERFACE:
            raise FormatError(
                f"{self.rules_per_group} rules a group times {self.groups_per_interface} groups an interface"
                f" is {product:,}: AWS grants {MOST_RULES_OF_AN_INTERFACE:,} at most"
            )


def sides_of(rules: Iterable[SecurityGroupRule], lists: Mapping[str, PrefixList]) -> Counter[Side]:
    """
    Count rules as AWS does, each side apart.

    A CIDR is one rule of its family, a group one of both, a prefix list as many as it may have entries.
    """
    counts: Counter[Side] = Counter()
    for rule in rules:
        found = lists.get(rule.prefix_list_id or "")
        weight = 1 if rule.prefix_list_id is None else weight_of(found)
        for is_ipv4 in _families(rule, found):
            counts[Side(rule.group_id, rule.is_egress, is_ipv4)] += weight
    return counts


def weight_of(found: PrefixList | None) -> int:
    """Give how many rules a rule counts as that names the list: at least what is known of it, 1 where nothing is."""
    if found is None:
        return 1
    if found.max_entries:
        return found.max_entries
    name = (found.name or "").removeprefix("com.amazonaws.")
    # com.amazonaws.REGION.s3, com.amazonaws.REGION.ipv6.vpc-lattice
    weight = _WEIGHTS.get(name.partition(".")[2].removeprefix("ipv6."))
    if weight is not None and name != (found.name or ""):
        return weight
    return max(len(found.entries or ()), 1)


def _families(rule: SecurityGroupRule, found: PrefixList | None) -> tuple[bool, ...]:
    if rule.ipv4_cidr is not None:
        return (True,)
    if rule.ipv6_cidr is not None:
        return (False,)
    if found is not None and found.address_family is not None:
        return (found.address_family == "IPv4",)
    return (True, False)
