"""What the newest snapshots show: the rules a proposal can change, and the members of the groups it can refer to."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from vpcflow.inventory.networks import network
from vpcflow.rules.permissions import permission_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vpcflow.inventory import (
        Eni,
        Inventory,
        PrefixList,
        SecurityGroup,
        SecurityGroupRule,
        Validity,
    )
    from vpcflow.inventory.history import _Scoped
    from vpcflow.inventory.networks import Network

    T = TypeVar("T", bound=_Scoped)


class Present:
    """The objects of an inventory that no newer snapshot of their account and region lacks."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        history = inventory.history
        rules = self._of("security_group_rules", history.security_group_rules)
        self.rules: tuple[SecurityGroupRule, ...] = tuple(rule for _, rule in sorted(rules))
        """The rules in force, by key."""
        self.interfaces: dict[str, Eni] = dict(self._of("interfaces", history.interfaces))
        self.prefix_lists: dict[str, PrefixList] = dict(
            self._of("prefix_lists", history.prefix_lists)
        )
        self.groups: dict[str, SecurityGroup] = dict(
            self._of("security_groups", history.security_groups)
        )

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The place in ``rules`` of each rule, by its key."""
        return {rule.key: number for number, rule in enumerate(self.rules)}

    @cached_property
    def altered(self) -> frozenset[str]:
        """The keys of rules that permitted something else before: what they admitted then tells little of now."""
        versions = self._inventory.history.security_group_rules
        return frozenset(
            key
            for key in self.numbers
            if len({permission_of(version.value) for version in versions[key]}) > 1
        )

    @cached_property
    def members(self) -> dict[str, list[Eni]]:
        """The interfaces that have each group."""
        found: dict[str, list[Eni]] = defaultdict(list)
        for eni in self.interfaces.values():
            for group in eni.groups:
                found[group.group_id].append(eni)
        return found

    @cached_property
    def sizes(self) -> dict[str, int]:
        """How many addresses references to each group, or each prefix list, let through."""
        of_groups = {
            group_id: sum(_size(one) for eni in enis for one in private_networks(eni))
            for group_id, enis in self.members.items()
        }
        of_lists = {
            list_id: sum(_list_size(entry.cidr) for entry in one.entries or ())
            for list_id, one in self.prefix_lists.items()
        }
        return of_groups | of_lists

    def vpc_of(self, group_id: str) -> str | None:
        """Give the VPC a group is in, where that is one."""
        group = self.groups.get(group_id)
        vpcs = set(group.vpc_ids) if group else {e.vpc_id for e in self.members.get(group_id, ())}
        return next(iter(vpcs)) if len(vpcs) == 1 else None

    def owner_of(self, group_id: str) -> str | None:
        """Give the account a group is of."""
        group = self.groups.get(group_id)
        if group is not None and group.owner_id is not None:
            return group.owner_id
        return next((eni.owner_id for eni in self.members.get(group_id, ())), None)

    def _of(self, kind: str, versions: Mapping[str, tuple[Validity[T], ...]]) -> Iterator[tuple[str, T]]:  # fmt: skip
        for key, of_one in versions.items():
            newest = of_one[-1]
            scope = newest.value.scope
            if not any(
                snapshot.captured_at > newest.valid_to and snapshot.covers(kind, scope)
                for snapshot in self._inventory.snapshots
            ):
                yield key, newest.value


def private_networks(eni: Eni) -> list[Network]:
    """Give the addresses and prefixes of an interface that a reference to its groups lets through."""
    private = (one.address for one in eni.private_addresses)
    texts = (*private, *eni.ipv6_addresses, *eni.ipv4_prefixes, *eni.ipv6_prefixes)
    return [found for found in map(network, texts) if found is not None]


def _size(one: Network) -> int:
    return 1 << ((32 if one.is_ipv4 else 128) - one.bits)


def _list_size(cidr: str) -> int:
    found = network(cidr)
    return 0 if found is None else _size(found)
