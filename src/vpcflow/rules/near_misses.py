"""Why rules don't admit a packet, and which of them nearly do."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from vpcflow.admission import RuleBook
from vpcflow.admission.in_force import in_force
from vpcflow.inventory import text_of_time
from vpcflow.rules.rule_words import is_for_ports, ports_of, protocol_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vpcflow.admission import Packets
    from vpcflow.admission.in_force import Window
    from vpcflow.inventory import Eni, Inventory, SecurityGroupRule


Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Reason(NamedTuple):
    """Why a rule doesn't fit: ``protocol``, ``port``, ``counterpart`` (source or destination) or ``time``; in words."""

    reason: str
    text: str


class NearMiss(NamedTuple):
    """A rule that doesn't admit a packet, with all the reasons."""

    rule: SecurityGroupRule
    reasons: tuple[Reason, ...]


def near_misses(
    inventory: Inventory,
    book: RuleBook,
    packets: Packets,
    peer_row: int,
    max_age_s: int,
    max_stale_s: int | None,
) -> tuple[tuple[NearMiss, ...], int]:
    """
    Give the rules that admit a packet but for the fewest reasons, and how many more there are.

    ``packets`` is one packet that no rule admits; asked of are the rules its interface's groups have at any time.
    """
    eni = inventory.versions[int(packets.row[0])].eni
    groups = {group.group_id for group in eni.groups}
    is_egress = bool(packets.is_egress[0])
    rules = [r for r in book.rules if r.group_id in groups and r.is_egress == is_egress]
    fits = _counterpart_fits(inventory, rules, packets, max_age_s, max_stale_s)
    peer = None if peer_row < 0 else inventory.versions[peer_row].eni
    time_s, windows = int(packets.time_s[0]), _windows(inventory)
    found = []
    for rule, has_counterpart in zip(rules, fits):
        reasons = [*_protocol(rule, packets), *_port(rule, packets)]
        if not has_counterpart:
            reasons.append(Reason("counterpart", _counterpart(inventory, rule, packets, peer)))
        # What fits in all else and was not found is not in force then.
        if not reasons or not any(w.since <= time_s <= w.until for w in windows[rule]):
            reasons.append(Reason("time", _time(inventory, rule)))
        found.append(NearMiss(rule, tuple(reasons)))
    found.sort(key=lambda miss: (len(miss.reasons), miss.rule.key))
    nearest = [miss for miss in found if len(miss.reasons) == len(found[0].reasons)]
    return tuple(nearest), len(found) - len(nearest)


def _counterpart_fits(
    inventory: Inventory,
    rules: Sequence[SecurityGroupRule],
    packets: Packets,
    max_age_s: int,
    max_stale_s: int | None,
) -> list[bool]:
    """Tell which rules would admit the packet if it were of their protocol and port, and they in force."""
    # What a reference, list or range lets through the rule book knows: it is asked about rules that have nothing else.
    alike = [
        replace(rule, rule_id=str(place), protocol=-1, from_port=None, to_port=None)
        for place, rule in enumerate(rules)
    ]
    none = inventory.history.security_group_rules.keys()
    book = RuleBook(
        inventory, removed=none, added=alike, max_age_s=max_age_s, max_stale_s=max_stale_s
    )
    fitting = {book.rules[i].key for i in book.admit(packets).rules}
    return [rule.key in fitting for rule in alike]


def _protocol(rule: SecurityGroupRule, packets: Packets) -> Iterator[Reason]:
    protocol = int(packets.protocol[0])
    if rule.protocol not in (-1, protocol):
        text = f"it is for {protocol_name(rule.protocol)}, not {protocol_name(protocol)}"
        yield Reason("protocol", text)


def _port(rule: SecurityGroupRule, packets: Packets) -> Iterator[Reason]:
    first, last, port = rule.from_port, rule.to_port, int(packets.port[0])
    if first is None or not is_for_ports(rule.protocol):
        return
    if not first <= port <= (first if last is None else last):
        yield Reason("port", f"it is for port {ports_of(rule)}, not {port}")


def _counterpart(
    inventory: Inventory, rule: SecurityGroupRule, packets: Packets, peer: Eni | None
) -> str:
    address = _address(packets)
    if rule.referenced_group_id is not None:
        return _reference(rule.referenced_group_id, address, peer)
    if rule.prefix_list_id is not None:
        versions = inventory.history.prefix_lists.get(rule.prefix_list_id, ())
        if all(version.value.entries is None for version in versions):
            return f"the inventory has no entries of {rule.prefix_list_id}"
        return f"{rule.prefix_list_id} did not have {address} then"
    is_ipv4 = rule.ipv4_cidr is not None
    if is_ipv4 != (address.version == 4):
        return f"it is for IPv{4 if is_ipv4 else 6} addresses, and {address} is none"
    return f"{address} is not in {rule.counterpart}"


def _reference(group_id: str, address: Address, peer: Eni | None) -> str:
    if peer is None:
        return (
            f"it is for interfaces in {group_id}, by their private and IPv6 addresses, and the inventory knows none"
            f" that a reference reaches and that had {address} then"
        )
    groups = ", ".join(g.group_id for g in peer.groups) or "no group"
    return f"{peer.interface_id}, which had {address}, was in {groups}, not in {group_id}"


def _address(packets: Packets) -> Address:
    peer = packets.peer
    number = int(peer.high[0]) << 64 | int(peer.low[0])
    return ipaddress.IPv4Address(number) if peer.is_ipv4[0] else ipaddress.IPv6Address(number)


def _windows(inventory: Inventory) -> dict[SecurityGroupRule, list[Window]]:
    """Give when each version of each rule was in force."""
    found: dict[SecurityGroupRule, list[Window]] = defaultdict(list)
    versions = in_force(
        inventory.snapshots,
        "security_group_rules",
        lambda s: s.security_group_rules,
        lambda r: r.key,
    )
    for version in versions:
        found[version.value].append(version.window)
    return found


def _time(inventory: Inventory, rule: SecurityGroupRule) -> str:
    versions = inventory.history.security_group_rules.get(rule.key, ())
    seen = [
        f"from {text_of_time(v.valid_from)} to {text_of_time(v.valid_to)}"
        for v in versions
        if v.value == rule
    ]
    return f"it was not in force then: seen {' and '.join(seen)}"
