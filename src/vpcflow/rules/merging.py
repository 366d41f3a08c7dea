"""Rules that permit the same in fewer: those another contains, neighbouring CIDRs, neighbouring ports."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from vpcflow.rules.permissions import (
    block_of,
    contains,
    has_ports,
    is_within,
    permission_of,
    ports_of,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

    from vpcflow.inventory import SecurityGroupRule
    from vpcflow.rules.permissions import Block

_LONGEST_DESCRIPTION = 255


class Merge(NamedTuple):
    """Rules, and what permits all of it: an added rule, else another one that is there."""

    remove: tuple[SecurityGroupRule, ...]
    add: SecurityGroupRule | None
    kept: SecurityGroupRule | None = None


def merges(rules: Iterable[SecurityGroupRule]) -> Iterator[Merge]:
    """Find what can be merged, a rule at most once; nothing else is permitted after it, and nothing less."""
    sides = defaultdict(list)
    for rule in sorted(rules, key=lambda r: r.key):
        sides[rule.group_id, rule.is_egress].append(rule)
    for side in sides.values():
        yield from _merges_of_side(side)


def _merges_of_side(rules: list[SecurityGroupRule]) -> Iterator[Merge]:
    left = list(rules)
    for merge in _contained(left):
        left.remove(merge.remove[0])
        yield merge
    for find in (_neighbouring_blocks, _neighbouring_ports):
        for merge in [*find(left)]:
            left = [rule for rule in left if rule not in merge.remove]
            yield merge


def _contained(rules: Sequence[SecurityGroupRule]) -> list[Merge]:
    found: list[Merge] = []
    gone: set[str] = set()
    for rule in rules:
        keeper = next(
            (
                other
                for other in rules
                if other.key != rule.key and other.key not in gone and contains(other, rule)
            ),
            None,
        )
        if keeper is not None:
            gone.add(rule.key)
            found.append(Merge((rule,), None, keeper))
    return found


def _neighbouring_blocks(rules: Iterable[SecurityGroupRule]) -> Iterator[Merge]:
    alike: dict[Hashable, list[tuple[Block, SecurityGroupRule]]] = defaultdict(list)
    for rule in rules:
        block = block_of(rule)
        if block is not None:
            alike[permission_of(rule)._replace(counterpart=str(block.version))].append(
                (block, rule)
            )
    for pairs in alike.values():
        for whole in _collapsed([block for block, _ in pairs]):
            parts = [rule for block, rule in pairs if is_within(block, whole)]
            # Who cut all addresses in two had a reason; and connections of a rule for all are not tracked.
            if len(parts) > 1 and whole.prefixlen:
                name = "ipv4_cidr" if whole.version == 4 else "ipv6_cidr"
                yield from _merge(parts, **{name: str(whole)})


def _collapsed(blocks: Sequence[Block]) -> list[Block]:
    ipv4 = [one for one in blocks if isinstance(one, ipaddress.IPv4Network)]
    ipv6 = [one for one in blocks if isinstance(one, ipaddress.IPv6Network)]
    return [*ipaddress.collapse_addresses(ipv4), *ipaddress.collapse_addresses(ipv6)]


def _neighbouring_ports(rules: Iterable[SecurityGroupRule]) -> Iterator[Merge]:
    alike: dict[Hashable, list[SecurityGroupRule]] = defaultdict(list)
    for rule in rules:
        if has_ports(rule.protocol):
            alike[permission_of(rule)._replace(first=0, last=0)].append(rule)
    for some in alike.values():
        for run in _runs(sorted(some, key=ports_of)):
            if len(run) > 1:
                last = max(ports_of(rule)[1] for rule in run)
                yield from _merge(run, from_port=ports_of(run[0])[0], to_port=last)


def _runs(rules: Iterable[SecurityGroupRule]) -> list[list[SecurityGroupRule]]:
    """Cut rules, sorted by ports, where a port lies between that is no rule's."""
    runs: list[list[SecurityGroupRule]] = []
    end = -2
    for rule in rules:
        first, last = ports_of(rule)
        if first > end + 1:
            runs.append([])
        runs[-1].append(rule)
        end = max(end, last)
    return runs


def _merge(rules: Sequence[SecurityGroupRule], **changed: str | int) -> Iterator[Merge]:
    """Put rules together, unless what their owners wrote to them does not go together."""
    ordered = sorted(rules, key=lambda r: r.key)
    description = "; ".join(dict.fromkeys(r.description for r in ordered if r.description))
    tags = {tag for rule in ordered for tag in rule.tags}
    if len(description) <= _LONGEST_DESCRIPTION and len({key for key, _ in tags}) == len(tags):
        merged = replace(
            ordered[0],
            rule_id=None,
            description=description or None,
            tags=tuple(sorted(tags)),
            **changed,  # type: ignore[arg-type]
        )
        yield Merge(tuple(ordered), merged)
