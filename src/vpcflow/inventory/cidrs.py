"""Which VPCs have an address in their CIDR blocks."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vpcflow.addresses import Addresses
from vpcflow.inventory.networks import Network, network
from vpcflow.prefixes import Intervals, ipv6_keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vpcflow.inventory.model import Snapshot

_LOW = (1 << 64) - 1

Bools = npt.NDArray[np.bool_]


class VpcCidrs(NamedTuple):
    """The CIDR blocks of each VPC, of all times."""

    by_vpc: dict[str, tuple[Network, ...]]

    def holding(self, vpc_id: str, addresses: Addresses) -> Bools:
        """Tell which addresses are in the VPC's blocks; none are in those of a VPC that is not known."""
        found = np.zeros(len(addresses.valid), np.bool_)
        for block in self.by_vpc.get(vpc_id, ()):
            found |= _within(block, addresses)
        return found

    def vpcs_of(self, addresses: Addresses) -> list[tuple[str, ...]]:
        """Give for each address the VPCs whose blocks hold it, sorted; mostly none, rarely several."""
        found: list[tuple[str, ...]] = [()] * len(addresses.valid)
        order = np.flatnonzero(addresses.is_ipv4)
        order = order[np.argsort(addresses.low[order])]
        low = addresses.low[order]
        others = np.flatnonzero(addresses.valid & ~addresses.is_ipv4)
        ipv6 = addresses._replace(**{f: getattr(addresses, f)[others] for f in addresses._fields})
        for vpc_id, blocks in sorted(self.by_vpc.items()):
            held: set[int] = set()
            for block in blocks:
                if block.is_ipv4:
                    size = 1 << (32 - block.bits)
                    first, last = np.searchsorted(
                        low, np.array([block.number, block.number + size], np.uint64)
                    )
                    held.update(order[first:last].tolist())
                elif len(others):
                    held.update(others[_within(block, ipv6)].tolist())
            for i in held:
                found[i] = (*found[i], vpc_id)
        return found

    def sets(self) -> VpcSets:
        """Find which VPCs hold the same addresses, once for all lookups."""
        blocks = [block for of_one in self.by_vpc.values() for block in of_one]
        bounds4, bounds6 = (_bounds(blocks, is_ipv4=is_ipv4) for is_ipv4 in (True, False))
        held4, held6 = self.vpcs_of(bounds4), self.vpcs_of(bounds6)
        number = {held: place for place, held in enumerate(dict.fromkeys([(), *held4, *held6]))}
        values4, values6 = (
            np.array([number[h] for h in held], np.int32) for held in (held4, held6)
        )
        ipv6_starts = ipv6_keys(bounds6.high, bounds6.low)
        return VpcSets(
            tuple(number), Intervals(bounds4.low, values4), Intervals(ipv6_starts, values6)
        )


class VpcSets(NamedTuple):
    """
    The distinct sets of VPCs, sorted, whose blocks hold the same addresses, and where in the number space they do.

    The first set is the empty one. The values of the intervals are places of ``members``.
    """

    members: tuple[tuple[str, ...], ...]
    ipv4: Intervals
    ipv6: Intervals

    def of(self, addresses: Addresses) -> npt.NDArray[np.int32]:
        """Give the place of each address's set."""
        found = np.zeros(len(addresses.valid), np.int32)
        ipv4 = np.flatnonzero(addresses.is_ipv4)
        found[ipv4] = self.ipv4.at(addresses.low[ipv4])
        ipv6 = np.flatnonzero(addresses.valid & ~addresses.is_ipv4)
        if len(ipv6):
            found[ipv6] = self.ipv6.at(ipv6_keys(addresses.high[ipv6], addresses.low[ipv6]))
        return found


def vpc_cidrs(snapshots: Iterable[Snapshot]) -> VpcCidrs:
    """
    Collect the blocks of VPCs and their subnets over all snapshots.

    Blocks are added to a VPC, hardly ever taken away, and never while something uses them: so time is left out here.
    """
    blocks: dict[str, dict[str, None]] = defaultdict(dict)
    for snapshot in snapshots:
        for vpc in snapshot.vpcs:
            blocks[vpc.vpc_id].update(dict.fromkeys(vpc.cidrs))
        for subnet in snapshot.subnets:
            if subnet.vpc_id is not None:
                blocks[subnet.vpc_id].update(dict.fromkeys(subnet.cidrs))
    return VpcCidrs({v: _outermost(map(network, cidrs)) for v, cidrs in blocks.items()})


def _outermost(networks: Iterable[Network | None]) -> tuple[Network, ...]:
    """Leave out networks that lie within others: a subnet's block says nothing its VPC's does not."""
    kept: list[Network] = []
    for one in sorted({n for n in networks if n is not None}, key=lambda n: n.bits):
        width = 32 if one.is_ipv4 else 128
        if not any(
            k.is_ipv4 == one.is_ipv4
            and one.number >> (width - k.bits) == k.number >> (width - k.bits)
            for k in kept
        ):
            kept.append(one)
    return tuple(kept)


def _bounds(blocks: Iterable[Network], *, is_ipv4: bool) -> Addresses:
    """Give 0 and where blocks begin and end, ascending: up to the next of them the same blocks hold all addresses."""
    width = 32 if is_ipv4 else 128
    here = [block for block in blocks if block.is_ipv4 == is_ipv4]
    ends = {block.number + (1 << (width - block.bits)) for block in here} - {1 << width}
    numbers = sorted({0, *(block.number for block in here), *ends})
    return Addresses(
        np.ones(len(numbers), np.bool_),
        np.full(len(numbers), is_ipv4),
        np.array([number >> 64 for number in numbers], np.uint64),
        np.array([number & _LOW for number in numbers], np.uint64),
    )


def _within(block: Network, addresses: Addresses) -> Bools:
    found: Bools = addresses.valid & (addresses.is_ipv4 == block.is_ipv4)
    if block.is_ipv4:
        found &= _same_leading(addresses.low, block.number, block.bits + 32)
        return found
    high, low = divmod(block.number, 1 << 64)
    found &= _same_leading(addresses.high, high, min(block.bits, 64))
    found &= _same_leading(addresses.low, low, max(block.bits - 64, 0))
    return found


def _same_leading(halves: npt.NDArray[np.uint64], half: int, bits: int) -> Bools:
    # A shift by all 64 bits is undefined, and no bits are always the same.
    if bits == 0:
        return np.ones(len(halves), np.bool_)
    shift = np.uint64(64 - bits)
    return np.asarray(halves >> shift == np.uint64(half) >> shift)
