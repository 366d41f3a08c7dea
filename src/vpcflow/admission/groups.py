"""Which security groups guard which interface: the distinct sets of groups that interfaces have."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vpcflow.admission.lists import Lists, lists_of
from vpcflow.dictionaries import with_last

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vpcflow.inventory import Eni, Inventory
    from vpcflow.inventory.model import Scope

Int32s = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]

NOBODY = 0
"""The set of an interface that is not known."""


class GuardingGroups(NamedTuple):
    """
    The groups of all interface versions.

    ``group_ids`` are numbered from 0, ``of_row`` has the numbers of each row's groups, ascending. Rows with the same
    groups have the same number in ``set_of_row``, which has `NOBODY` in addition at its end, where row -1 looks;
    ``sets`` has the groups of each set, and ``is_captured`` tells whether the rules of all of them were.
    """

    group_ids: tuple[str, ...]
    of_row: Lists
    set_of_row: Int32s
    sets: Lists
    is_captured: Bools

    @property
    def numbers(self) -> dict[str, int]:
        return {group_id: number for number, group_id in enumerate(self.group_ids)}


def guarding_groups(inventory: Inventory, of_rules: Mapping[str, Scope]) -> GuardingGroups:
    """Number the groups of all interfaces and rules; ``of_rules`` are those that have rules or are referred to."""
    enis = [version.eni for version in inventory.versions]
    of_eni = [sorted({group.group_id for group in eni.groups}) for eni in enis]
    group_ids = tuple(sorted({*of_rules, *(group_id for some in of_eni for group_id in some)}))
    numbers = {group_id: number for number, group_id in enumerate(group_ids)}
    of_row = [tuple(numbers[group_id] for group_id in some) for some in of_eni]
    sets = {groups: place for place, groups in enumerate(dict.fromkeys(of_row), 1)}
    unknown = {numbers[group_id] for group_id in _not_captured(inventory, enis, of_rules)}
    return GuardingGroups(
        group_ids,
        lists_of(of_row),
        with_last(np.array([sets[groups] for groups in of_row], np.int32), NOBODY),
        lists_of([(), *sets]),
        np.array([False, *(unknown.isdisjoint(groups) for groups in sets)]),
    )


def _not_captured(
    inventory: Inventory, enis: Iterable[Eni], of_rules: Mapping[str, Scope]
) -> Iterable[str]:
    """
    Give the groups of interfaces whose rules no snapshot has.

    Those are groups of accounts and regions whose rules no snapshot covers, and groups that are not among those of
    their account and region: what another account shares is seen at interfaces alone.
    """
    known = dict(of_rules)
    for snapshot in inventory.snapshots:
        known.update({group.group_id: group.scope for group in snapshot.security_groups})
    covered: dict[tuple[str, Scope], bool] = {}

    def covers(kind: str, scope: Scope) -> bool:
        if (kind, scope) not in covered:
            covered[kind, scope] = any(s.covers(kind, scope) for s in inventory.snapshots)
        return covered[kind, scope]

    # A group that is shared is at interfaces of several accounts, any of which may be its own.
    for group_id, eni_scope in dict.fromkeys(
        (group.group_id, eni.scope) for eni in enis for group in eni.groups
    ):
        scope = known.get(group_id, eni_scope)
        is_lacking = group_id not in known and covers("security_groups", scope)
        if is_lacking or not covers("security_group_rules", scope):
            yield group_id
