"""Which VPCs have an address in their CIDR blocks."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vpcflow.inventory.networks import Network, network

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vpcflow.addresses import Addresses
    from vpcflow.inventory.model import Snapshot

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
