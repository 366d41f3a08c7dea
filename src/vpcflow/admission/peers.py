"""Whose address the peer's is: the interface that references to security groups reach by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vpcflow import special_ranges
from vpcflow.admission.lists import Lists, cases_of, offsets_of
from vpcflow.dictionaries import with_last
from vpcflow.inventory import NO_TIME, distinct_numbers

if TYPE_CHECKING:
    from vpcflow.addresses import Addresses
    from vpcflow.admission.addresses import AddressClasses
    from vpcflow.admission.packets import Packets
    from vpcflow.admission.reach import Reach
    from vpcflow.inventory import Inventory, Located

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_NOWHERE = -1


class Peers(NamedTuple):
    """
    The interface version that holds each peer's address where references reach, -1 where there is none.

    ``missing`` tells where there should be one: the address is in a VPC that references reach.
    """

    row: Int32s
    missing: Bools


class PeerLookup:
    """Finds peers in the VPCs that references reach."""

    def __init__(
        self,
        inventory: Inventory,
        reach: Reach,
        classes: AddressClasses,
        *,
        max_age_s: int,
        max_stale_s: int | None,
    ) -> None:
        self._inventory = inventory
        self._reach = reach
        self._max_age_s = max_age_s
        self._max_stale_s = max_stale_s
        self._vpc_ids = inventory.private_vpcs
        self._number_of = {vpc_id: number for number, vpc_id in enumerate(self._vpc_ids)}
        own = [self._number_of.get(v.eni.vpc_id or "", _NOWHERE) for v in inventory.versions]
        self._own = with_last(np.array(own, np.int32), _NOWHERE)
        # Of a VPC known by subnets alone there may be more.
        self._with_blocks = frozenset(
            vpc.vpc_id for snapshot in inventory.snapshots for vpc in snapshot.vpcs if vpc.cidrs
        )
        self._kind_of_class = _kinds(inventory, classes.firsts())
        self._kinds = 2 * len(inventory.vpc_sets.members)
        self._maybe: dict[int, bool] = {}
        self._reached: dict[int, frozenset[int]] = {}

    def find(
        self, packets: Packets, addresses: Addresses, address: Int64s, classes: Int32s
    ) -> Peers:
        """
        Find each packet's peer.

        ``address`` is its place in ``addresses``, -1 where it has none; ``classes`` are the classes of these, last that
        of no address.
        """
        located = self._inventory.locate(addresses)
        ways = self._ways(packets)
        # Both numbers from -1 on: the least key is 0.
        width = len(addresses.valid) + 1
        cases, case = cases_of(ways * width + (address + 1))
        way_of_case, address_of_case = np.divmod(cases, width)
        address_of_case -= 1
        missing = self._may_be_there(way_of_case, classes[address_of_case])
        if self._inventory.is_timeless and self._max_stale_s is None:
            no_time = np.full(len(cases), NO_TIME)
            row = self._rows(way_of_case, address_of_case, no_time, located)[case]
        else:
            row = self._rows(way_of_case[case], address, packets.time_s, located)
        return Peers(row, missing[case] & (row < 0))

    def _ways(self, packets: Packets) -> Int64s:
        """Number period, own VPC (from -1 on) and direction."""
        own = self._own[packets.row].astype(np.int64) + 1
        if len(self._reach.times):
            own += self._reach.period(packets.time_s) * (len(self._vpc_ids) + 1)
        return own * 2 + packets.is_egress

    def _rows(self, way: Int64s, address: Int64s, time_s: Int64s, located: Located) -> Int32s:
        """Look in the own VPC, and where that has never held the address in the only other one reached that has."""
        own = self._own_of(way)
        row = self._rows_in(own, address, time_s, located)
        left = np.flatnonzero((row < 0) & (own >= 0) & _is_held(located)[address])
        if len(left):
            other = self._places(way[left], address[left], located)
            row[left] = self._rows_in(other, address[left], time_s[left], located)
        return row

    def _rows_in(self, place: Int32s, address: Int64s, time_s: Int64s, located: Located) -> Int32s:
        return self._inventory.private_interfaces_at(
            place, address, time_s, time_s.copy(), located=located,
            max_age_s=self._max_age_s, max_stale_s=self._max_stale_s,
        ).rows  # fmt: skip

    def _own_of(self, way: Int64s) -> Int32s:
        own = (way >> 1) % (len(self._vpc_ids) + 1) - 1
        return own.astype(np.int32)

    def _places(self, way: Int64s, address: Int64s, located: Located) -> Int32s:
        """Give the only VPC reached that has held each address, none where the own one has."""
        held, places = self._inventory.private_places(located)
        by_address = Lists(
            offsets_of(np.bincount(held, minlength=len(located.addresses.valid))), places
        )
        which, at = by_address.expand(address)
        place = by_address.values[at]
        own = self._own_of(way)
        found = np.full(len(way), _NOWHERE, np.int32)
        is_own = np.zeros(len(way), np.bool_)
        is_own[which[place == own[which]]] = True
        other = np.flatnonzero(~is_own[which])
        if len(other):
            self._add_reached(found, way, which[other], place[other])
        return found

    def _add_reached(self, found: Int32s, way: Int64s, which: Int64s, place: Int32s) -> None:
        pairs, code = distinct_numbers(way[which] * (len(self._vpc_ids) + 1) + place)
        ways, places = np.divmod(pairs, len(self._vpc_ids) + 1)
        reached = [p in self._reached_from(w) for w, p in zip(ways.tolist(), places.tolist())]
        is_reached = np.array(reached, np.bool_)[code]
        which, place = which[is_reached], place[is_reached]
        count = np.bincount(which, minlength=len(found))
        only = count[which] == 1
        found[which[only]] = place[only]

    def _may_be_there(self, way: Int64s, address_class: Int32s) -> Bools:
        """Tell for each case whether a VPC that is reached has, or may have, the address in its blocks."""
        pairs, code = distinct_numbers(way * self._kinds + self._kind_of_class[address_class])
        answers = np.zeros(len(pairs), np.bool_)
        for place, pair in enumerate(pairs.tolist()):
            if pair not in self._maybe:
                self._maybe[pair] = self._is_within(*divmod(pair, self._kinds))
            answers[place] = self._maybe[pair]
        return answers[code]

    def _is_within(self, way: int, kind: int) -> bool:
        vpc_set, could_be_any = divmod(kind, 2)
        reached = self._reached_ids(way)
        if not reached.isdisjoint(self._inventory.vpc_sets.members[vpc_set]):
            return True
        return bool(could_be_any) and not reached <= self._with_blocks

    def _reached_from(self, way: int) -> frozenset[int]:
        if way not in self._reached:
            ids = self._reached_ids(way)
            self._reached[way] = frozenset(self._number_of[i] for i in ids if i in self._number_of)
        return self._reached[way]

    def _reached_ids(self, way: int) -> frozenset[str]:
        rest, is_egress = divmod(way, 2)
        period, own = divmod(rest, len(self._vpc_ids) + 1)
        if own == 0:
            return frozenset()
        return self._reach.vpcs(period, self._vpc_ids[own - 1], is_egress=bool(is_egress))


def _kinds(inventory: Inventory, addresses: Addresses) -> Int64s:
    """Number what decides whether a VPC may have an address: the VPCs whose blocks hold it, and if any other could."""
    classes = special_ranges.classify(addresses)
    # Documentation addresses stand for public ones wherever they are used.
    is_public = (classes == special_ranges.GLOBAL) | (classes == special_ranges.DOCUMENTATION)
    could_be_any = (classes == special_ranges.PRIVATE) | (is_public & ~addresses.is_ipv4)
    kinds: Int64s = inventory.vpc_sets.of(addresses).astype(np.int64) * 2 + could_be_any
    return kinds


def _is_held(located: Located) -> Bools:
    """Tell which addresses are in any network of an interface; last, for no address, false."""
    found = np.zeros(len(located.addresses.valid) + 1, np.bool_)
    for level in located.levels:
        found[:-1] |= level >= 0
    return found
