"""The security group rules of an inventory, and which of them admit a packet."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow import special_ranges
from vpcflow.admission.addresses import NO_CLASS, AddressClasses, distinct_addresses
from vpcflow.admission.bits import Bits
from vpcflow.admission.candidates import candidates_of, versions_of
from vpcflow.admission.groups import guarding_groups
from vpcflow.admission.in_force import in_force, last_known
from vpcflow.admission.lanes import LaneTable
from vpcflow.admission.lists import Lists, offsets_of
from vpcflow.admission.matcher import Far, Matcher
from vpcflow.admission.packets import Admitted, joined
from vpcflow.admission.peers import PeerLookup
from vpcflow.admission.reach import Reach
from vpcflow.admission.tracking import Tracking
from vpcflow.dictionaries import with_last

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from vpcflow.admission.candidates import Candidates, Scales, Versions
    from vpcflow.admission.groups import GuardingGroups
    from vpcflow.admission.in_force import InForce, Window
    from vpcflow.admission.packets import Packets
    from vpcflow.inventory import Inventory, PrefixList, SecurityGroupRule
    from vpcflow.inventory.model import Scope

Bools = npt.NDArray[np.bool_]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]

_AT_ONCE = 1 << 18
"""How many packets are answered at once."""


class RuleBook:
    """
    All versions of all rules of an inventory, made ready to be matched with packets; immutable.

    ``removed`` rules, by `SecurityGroupRule.key`, are left out; ``added`` ones are in force at all times. How old a
    snapshot may be does not matter to rules, only to peers: ``max_age_s`` and ``max_stale_s`` are those of the
    inventory's lookups.
    """

    def __init__(
        self,
        inventory: Inventory,
        *,
        removed: Collection[str] = (),
        added: Sequence[SecurityGroupRule] = (),
        max_age_s: int = 3600,
        max_stale_s: int | None = None,
    ) -> None:
        self.inventory = inventory
        self._max_age_s = max_age_s
        self._max_stale_s = max_stale_s
        known = in_force(
            inventory.snapshots,
            "security_group_rules",
            lambda s: s.security_group_rules,
            lambda r: r.key,
        )
        self._versions: Versions = versions_of(known, removed=frozenset(removed), added=added)
        self._scopes = _scopes_of_groups([one.value for one in known], added)

    @property
    def rules(self) -> tuple[SecurityGroupRule, ...]:
        """Every version of every rule of all times, by key, those added last: what the answers index."""
        return self._versions.rules

    @cached_property
    def keys(self) -> pa.StringArray:
        """The key of each of ``rules``; versions of a rule share theirs."""
        return pa.array([rule.key for rule in self.rules], pa.string())

    @property
    def group_ids(self) -> tuple[str, ...]:
        """All security groups, in the order of their numbers in ``groups_of_row``."""
        return self._guards.group_ids

    @property
    def groups_of_row(self) -> Lists:
        """The groups of each row of ``Inventory.interfaces``."""
        return self._guards.of_row

    @cached_property
    def has_groups(self) -> Bools:
        """Which rows of ``Inventory.interfaces`` have any group."""
        return np.diff(self._guards.of_row.offsets) > 0

    @property
    def has_history(self) -> bool:
        """Tell whether snapshots of several times say which rules were in force, so that some may have been removed."""
        return sum("security_group_rules" in s.kinds for s in self.inventory.snapshots) > 1

    def prepare(self) -> None:
        """Make now what else the first packets would wait for."""
        for _ in (
            self._now,
            self._peers,
            self._tracking,
            self.keys,
            self.has_groups,
            self.inventory.vpc_sets,
        ):
            pass

    def admit(self, packets: Packets) -> Admitted:
        """
        Find the rules that admit each packet, as they were in force at its time.

        What was in force is told by the nearest snapshot that covers the rule's account and region. Where that admits a
        packet by no rule, one that the covering snapshot on the other side of the packet shows counts. Of several
        versions of a rule one stands for all.
        """
        return self._admit(self._now, packets)

    def admit_ever(self, packets: Packets) -> Admitted:
        """
        Find the rules that would admit each packet had all versions been in force, groups being as of its time.

        A version of a rule that names a prefix list has the entries the list had while it was in force.
        """
        return self._admit(self._ever, packets)

    def reply(self, packets: Packets, initiator_port: Int32s, admitted: Admitted) -> Admitted:
        """
        Find the rules that admit the replies of connections that are not tracked; none where they are.

        ``admitted`` is what `admit` gave for the packets that opened them.
        """
        asked = np.flatnonzero(self._tracking.may_be_untracked(packets, admitted))
        opening = packets.take(asked)
        replies = self.admit(
            opening._replace(is_egress=~opening.is_egress, port=initiator_port[asked])
        )
        untracked = np.flatnonzero(self._tracking.lets_all_replies_through(replies))
        return _spread(replies, untracked, asked[untracked], len(packets.row))

    def _admit(self, matcher: Matcher, packets: Packets) -> Admitted:
        count = len(packets.row)
        return joined(
            [
                self._answer(matcher, packets.part(first, first + _AT_ONCE))
                for first in range(0, max(count, 1), _AT_ONCE)
            ]
        )

    def _answer(self, matcher: Matcher, packets: Packets) -> Admitted:
        addresses, address = distinct_addresses(packets.peer)
        classes = with_last(self._classes.of(addresses), NO_CLASS)
        peers = self._peers.find(packets, addresses, address, classes)
        far = Far(classes[address], self._guards.set_of_row[peers.row], peers.missing)
        found = matcher.match(packets, far)
        rules = self._once(found.rules)
        return Admitted(rules.offsets, rules.values, found.approximate, found.uncertain, peers.row)

    def _once(self, rules: Lists) -> Lists:
        """Leave of several versions of a rule, which are neighbours, the first: they are one rule."""
        keys = self._key_numbers[rules.values]
        again = np.zeros(len(keys), np.bool_)
        again[1:] = keys[1:] == keys[:-1]
        # The first of a list has none of the same list before it.
        again[rules.offsets[:-1][np.diff(rules.offsets) > 0]] = False
        if not again.any():
            return rules
        kept = np.concatenate([np.zeros(1, np.int64), np.cumsum(~again)])
        return Lists(kept[rules.offsets], rules.values[~again])

    @cached_property
    def _key_numbers(self) -> npt.NDArray[np.int32]:
        return np.asarray(self.keys.dictionary_encode().indices.to_numpy(), np.int32)

    @cached_property
    def _guards(self) -> GuardingGroups:
        return guarding_groups(self.inventory, self._scopes)

    @cached_property
    def _lists(self) -> list[InForce[PrefixList]]:
        return last_known(
            self.inventory.snapshots,
            "prefix_lists",
            lambda s: (one for one in s.prefix_lists if one.entries is not None),
            lambda one: one.prefix_list_id,
        )

    @cached_property
    def _classes(self) -> AddressClasses:
        of_rules = {cidr for rule in self.rules if (cidr := rule.ipv4_cidr or rule.ipv6_cidr)}
        of_lists = {entry.cidr for one in self._lists for entry in one.value.entries or ()}
        of_vpcs = (block for blocks in self.inventory.vpc_blocks.values() for block in blocks)
        return AddressClasses({*of_rules, *of_lists, *special_ranges.blocks()}, of_vpcs)

    @cached_property
    def _laid_out(self) -> tuple[Candidates, Scales]:
        by_list: dict[str, list[tuple[int, Window]]] = {}
        for number, one in enumerate(self._lists):
            by_list.setdefault(one.key, []).append((number, one.window))
        return candidates_of(self._versions, self._classes, self._guards.numbers, by_list)

    @cached_property
    def _now(self) -> Matcher:
        candidates, scales = self._laid_out
        return Matcher(self._guards, candidates, scales, self._lanes, self._list_bits)

    @cached_property
    def _ever(self) -> Matcher:
        candidates, scales = self._laid_out
        at_any_time = scales._replace(times=scales.times[:0])
        return Matcher(
            self._guards, candidates.at_any_time(), at_any_time, self._lanes, self._list_bits
        )

    @cached_property
    def _lanes(self) -> LaneTable:
        return LaneTable(self._guards, *self._laid_out)

    @cached_property
    def _list_bits(self) -> Bits:
        bits = Bits(len(self._lists), self._classes.count)
        for number, one in enumerate(self._lists):
            for entry in one.value.entries or ():
                first, last = self._classes.within(entry.cidr)
                bits.set(number, np.arange(first, last + 1))
        return bits

    @cached_property
    def _tracking(self) -> Tracking:
        return Tracking(self.inventory, self.rules)

    @cached_property
    def _peers(self) -> PeerLookup:
        reach = Reach(self.inventory, self.rules)
        return PeerLookup(
            self.inventory,
            reach,
            self._classes,
            max_age_s=self._max_age_s,
            max_stale_s=self._max_stale_s,
        )


def _spread(found: Admitted, taken: Int64s, places: Int64s, count: int) -> Admitted:
    """Give for ``count`` packets the answers ``taken``, at these places, and no rules for the others."""
    counts = np.zeros(count, np.int64)
    counts[places] = found.counts[taken]
    approximate, uncertain = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    approximate[places], uncertain[places] = found.approximate[taken], found.uncertain[taken]
    peer_row = np.full(count, -1, np.int32)
    peer_row[places] = found.peer_row[taken]
    rules = Lists(found.offsets, found.rules).take(taken).values
    return Admitted(offsets_of(counts), rules, approximate, uncertain, peer_row)


def _scopes_of_groups(
    known: Sequence[SecurityGroupRule], added: Sequence[SecurityGroupRule]
) -> dict[str, Scope]:
    """Give the scope of every group that has rules or that rules refer to."""
    found: dict[str, Scope] = {}
    for rule in (*known, *added):
        if rule.referenced_group_id is not None:
            found.setdefault(rule.referenced_group_id, rule.scope)
    found.update({rule.group_id: rule.scope for rule in (*added, *known)})
    return found
