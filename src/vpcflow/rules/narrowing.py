"""
How a rule can be narrowed to what was observed: the ways, the best one first.

What a way adds permits nothing the rule does not, and all of its connections.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vpcflow.rules.permissions import (
    ALL,
    as_block,
    block_of,
    has_ports,
    is_within,
    permission_of,
    ports_of,
)
from vpcflow.rules.ports import used_ports
from vpcflow.rules.present import private_networks
from vpcflow.rules.sources import Widest, fewest_blocks, fewest_groups

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from vpcflow.inventory import Eni, SecurityGroupRule
    from vpcflow.rules.evidence import Evidence
    from vpcflow.rules.permissions import Block, Permission
    from vpcflow.rules.present import Present

_WORTH = 0.75
"""At most this part of a rule's ports has to remain, or it is left as it is: each change costs attention."""

_MOST_PROTOCOLS = 4
"""A rule for all protocols that this many more use is for whatever comes, a router's or an appliance's."""


class Bounds(NamedTuple):
    """How far rules are narrowed: how wide CIDRs may be, and into how many rules and port ranges one may be cut."""

    widest: Widest = Widest()
    most_rules: int = 10
    most_port_ranges: int = 4


class Narrowing(NamedTuple):
    """A way to narrow a rule: the rules instead of it; ``kind`` is ``groups``, ``cidrs`` or ``ports``."""

    kind: str
    rules: tuple[SecurityGroupRule, ...]


class _Part(NamedTuple):
    """A rule for some of the protocols and ports, with what was observed there."""

    rule: SecurityGroupRule
    rows: Evidence


class Narrower:
    """Finds ways to narrow the rules of an inventory."""

    def __init__(self, present: Present, bounds: Bounds) -> None:
        self._present = present
        self._bounds = bounds

    def ways(self, rule: SecurityGroupRule, rows: Evidence) -> Iterator[Narrowing]:
        """Give the ways to narrow a rule that has to go on admitting these connections, the narrowest first."""
        by_ports, whole = self._parts(rule, rows), [_Part(rule, rows)]
        seen: set[tuple[Permission, ...]] = {(permission_of(rule),)}
        for parts, keeps in ((by_ports, False), (whole, False), (by_ports, True)):
            way = self._way(parts, keeps_counterpart=keeps)
            key = tuple(sorted(map(permission_of, way.rules)))
            if len(way.rules) <= self._bounds.most_rules and key not in seen:
                seen.add(key)
                yield way

    def _way(self, parts: Sequence[_Part], *, keeps_counterpart: bool) -> Narrowing:
        rules: list[SecurityGroupRule] = []
        kinds = set()
        for part in parts:
            narrowed = None if keeps_counterpart else self._counterparts(part)
            kind, counterparts = narrowed or ("ports", ({},))
            kinds.add(kind)
            rules += [replace(part.rule, rule_id=None, **given) for given in counterparts]  # type: ignore[arg-type]
        kind = next((kind for kind in ("cidrs", "groups") if kind in kinds), "ports")
        return Narrowing(kind, tuple(sorted(set(rules), key=permission_of)))

    def _parts(self, rule: SecurityGroupRule, rows: Evidence) -> list[_Part]:
        """Cut a rule by protocol and used ports, as far as that leaves out enough of it."""
        protocols = np.unique(rows.protocol).tolist()
        if rule.protocol != ALL:
            return self._port_parts(rule, rows)
        if len(protocols) > _MOST_PROTOCOLS:
            return [_Part(rule, rows)]
        return [
            part
            for protocol in protocols
            for part in self._port_parts(
                replace(rule, protocol=protocol, from_port=None, to_port=None),
                rows.rows(rows.protocol == protocol),
            )
        ]

    def _port_parts(self, rule: SecurityGroupRule, rows: Evidence) -> list[_Part]:
        if not has_ports(rule.protocol):
            return [_Part(rule, rows)]
        first, last = ports_of(rule)
        used = used_ports(rows.port, self._bounds.most_port_ranges)
        if used.size > _WORTH * (last - first + 1):
            return [_Part(rule, rows)]
        return [
            _Part(
                replace(rule, from_port=low, to_port=high),
                rows.rows((rows.port >= low) & (rows.port <= high)),
            )
            for low, high in used.ranges
        ]

    def _counterparts(self, part: _Part) -> tuple[str, Sequence[Mapping[str, str | None]]] | None:
        """Find what takes the place of a wide CIDR: the peers' groups, else narrower CIDRs; None where nothing does."""
        block = block_of(part.rule)
        if block is None or not self._bounds.widest.is_too_wide(block):
            return None
        groups = self._groups(part, block)
        if groups is not None:
            return "groups", [self._reference(group, part.rule) for group in groups]
        peers = part.rows.addresses.take(np.unique(part.rows.peer))
        blocks = fewest_blocks(peers, self._bounds.widest, self._bounds.most_rules)
        if blocks is None:
            return None
        name = "ipv4_cidr" if block.version == 4 else "ipv6_cidr"
        return "cidrs", [{name: one} for one in blocks]

    def _groups(self, part: _Part, block: Block) -> tuple[str, ...] | None:
        peers = [part.rows.group_sets[number] for number in np.unique(part.rows.groups).tolist()]
        allowed = {
            group: self._present.sizes[group]
            for group in frozenset().union(*peers)
            if self._lets_in_no_other(group, block)
        }
        found = fewest_groups(peers, allowed)
        return found if found is not None and len(found) <= self._bounds.most_rules else None

    def _lets_in_no_other(self, group_id: str, block: Block) -> bool:
        """
        Tell whether each member of a group has private addresses of a CIDR's family, and all of them in the CIDR.

        Its addresses of the other family are let in with it: the interface is the same.
        """
        members = self._present.members.get(group_id)
        if not members or group_id not in self._present.groups:
            return False
        return all(map(functools.partial(_is_inside, block), members))

    def _reference(self, group_id: str, rule: SecurityGroupRule) -> Mapping[str, str | None]:
        vpc_id = self._present.vpc_of(group_id)
        is_elsewhere = vpc_id != self._present.vpc_of(rule.group_id)
        return {
            "ipv4_cidr": None,
            "ipv6_cidr": None,
            "referenced_group_id": group_id,
            "referenced_account_id": self._present.owner_of(group_id),
            "referenced_vpc_id": vpc_id if is_elsewhere else None,
        }


def _is_inside(block: Block, eni: Eni) -> bool:
    found = [one for one in map(as_block, private_networks(eni)) if one.version == block.version]
    return bool(found) and all(is_within(one, block) for one in found)
