"""Rules as what they permit: which permits all that another does, and how much each permits."""

from __future__ import annotations

import ipaddress
import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from vpcflow.rules.rule_document import ICMP, ICMPV6, TCP, UDP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vpcflow.inventory import SecurityGroupRule
    from vpcflow.inventory.networks import Network

Block = ipaddress.IPv4Network | ipaddress.IPv6Network

ALL = -1
"""The protocol of a rule for all protocols."""

LAST_PORT = 65535
_ALL_PROTOCOLS = 256
_TYPES_AND_CODES = 1 << 16


class Permission(NamedTuple):
    """What makes two rules the same for EC2, spelt in one way; it refuses the second."""

    group_id: str
    is_egress: bool
    protocol: int
    first: int
    last: int
    counterpart: str


def permission_of(rule: SecurityGroupRule) -> Permission:
    """Give what a rule permits; ports are -1 where its protocol has none, ICMP's are type and code, -1 for all."""
    first = last = -1
    if has_ports(rule.protocol):
        first, last = ports_of(rule)
    elif is_icmp(rule.protocol):
        first, last = (-1 if one is None else one for one in (rule.from_port, rule.to_port))
    block = block_of(rule)
    counterpart = rule.counterpart if block is None else str(block)
    return Permission(rule.group_id, rule.is_egress, rule.protocol, first, last, counterpart or "")


def has_ports(protocol: int) -> bool:
    return protocol in (TCP, UDP)


def is_icmp(protocol: int) -> bool:
    return protocol in (ICMP, ICMPV6)


def names_icmp_type(rule: SecurityGroupRule) -> bool:
    """Tell whether it is for some ICMP messages only: which a flow was of, no flow log tells."""
    return is_icmp(rule.protocol) and rule.from_port is not None


def ports_of(rule: SecurityGroupRule) -> tuple[int, int]:
    """Give the first and last port of a rule: all of them where it names none."""
    first = 0 if rule.from_port is None else rule.from_port
    return first, LAST_PORT if rule.to_port is None else rule.to_port


def block_of(rule: SecurityGroupRule) -> Block | None:
    """Give the CIDR a rule is for; None where its counterpart is another, or what EC2 would not have."""
    return _block(rule.ipv4_cidr or rule.ipv6_cidr or "")


@lru_cache(maxsize=1 << 16)
def _block(cidr: str) -> Block | None:
    try:
        return ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return None


def as_block(one: Network) -> Block:
    """Give a network of an interface as a CIDR."""
    network = ipaddress.IPv4Network if one.is_ipv4 else ipaddress.IPv6Network
    return network((one.number, one.bits))


def contains(wide: SecurityGroupRule, narrow: SecurityGroupRule) -> bool:
    """
    Tell whether one rule permits all that another of its group and direction does, whatever lists and groups hold.

    That a list's entries all lie in a CIDR today says nothing of tomorrow's.
    """
    return (
        wide.group_id == narrow.group_id
        and wide.is_egress == narrow.is_egress
        and contains_ports(wide, narrow)
        and _contains_counterpart(wide, narrow)
    )


def contains_ports(wide: SecurityGroupRule, narrow: SecurityGroupRule) -> bool:
    """Tell whether all of one rule's protocols and ports are another's, whoever these are for."""
    if wide.protocol == ALL:
        return True
    if wide.protocol != narrow.protocol:
        return False
    if has_ports(wide.protocol):
        (first, last), (low, high) = ports_of(wide), ports_of(narrow)
        return first <= low and high <= last
    if is_icmp(wide.protocol):
        is_type = wide.from_port is None or wide.from_port == narrow.from_port
        return is_type and wide.to_port in (None, narrow.to_port)
    return True


def _contains_counterpart(wide: SecurityGroupRule, narrow: SecurityGroupRule) -> bool:
    outer, inner = block_of(wide), block_of(narrow)
    if outer is None or inner is None:
        return outer is inner and wide.counterpart == narrow.counterpart
    return is_within(inner, outer)


def is_within(inner: Block, outer: Block) -> bool:
    """Tell whether one block lies in another; those of two families never do."""
    if isinstance(inner, ipaddress.IPv4Network):
        return isinstance(outer, ipaddress.IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, ipaddress.IPv6Network) and inner.subnet_of(outer)


def breadth_of(rule: SecurityGroupRule, members: Mapping[str, int]) -> float:
    """
    Measure how much a rule permits: the logarithm of its addresses, times its protocols and ports.

    An IPv6 block counts as the IPv4 block that is as great a part of all addresses. ``members`` has how many addresses
    groups and prefix lists hold.
    """
    block = block_of(rule)
    if block is not None:
        bits = (block.max_prefixlen - block.prefixlen) * 32 / block.max_prefixlen
    else:
        bits = math.log2(members.get(rule.counterpart or "", 0) + 1)
    return bits + math.log2(_messages(rule))


def _messages(rule: SecurityGroupRule) -> int:
    if rule.protocol == ALL:
        return _ALL_PROTOCOLS << 16
    if has_ports(rule.protocol):
        first, last = ports_of(rule)
        return max(last - first + 1, 1)
    if names_icmp_type(rule):
        return 256 if rule.to_port is None else 1
    return _TYPES_AND_CODES
