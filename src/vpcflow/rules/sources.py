"""What may take the place of a wide CIDR: the fewest narrower ones that hold the peers, or the peers' groups."""

from __future__ import annotations

import ipaddress
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from vpcflow.addresses import Addresses
    from vpcflow.rules.permissions import Block

Halves = npt.NDArray[np.uint64]

_MOST_TRIED = 20_000
"""Sets of groups that are tried before one that is good enough is taken."""


class Widest(NamedTuple):
    """How wide a CIDR may be that takes the place of another: prefix lengths."""

    ipv4: int = 24
    ipv6: int = 64

    def is_too_wide(self, block: Block) -> bool:
        return block.prefixlen < (self.ipv4 if block.version == 4 else self.ipv6)


def fewest_blocks(addresses: Addresses, widest: Widest, most: int) -> tuple[str, ...] | None:
    """
    Hold all addresses in as few CIDRs as can be, none wider than ``widest`` and each as narrow as its addresses let it.

    All are of one family. None where more than ``most`` are needed.
    """
    ipv4 = bool(addresses.is_ipv4.all())
    width, bits = (32, widest.ipv4) if ipv4 else (128, widest.ipv6)
    order = np.lexsort((addresses.low, addresses.high))
    high, low = addresses.high[order], addresses.low[order]
    # Addresses share a CIDR of that width where their leading bits are the same, and sorted ones lie together.
    leading = _leading(high, low, bits + 128 - width)
    starts = np.flatnonzero(np.concatenate([[True], np.any(leading[:, 1:] != leading[:, :-1], axis=0)]))  # fmt: skip
    if not len(low):
        return ()
    if len(starts) > most:
        return None
    ends = np.concatenate([starts[1:], [len(low)]]) - 1
    return tuple(
        _block(_number(high, low, first), _number(high, low, last), width)
        for first, last in zip(starts.tolist(), ends.tolist(), strict=True)
    )


def _leading(high: Halves, low: Halves, bits: int) -> npt.NDArray[np.uint64]:
    """Keep the first bits of 128-bit numbers, as two rows."""
    masks = divmod(((1 << bits) - 1) << (128 - bits), 1 << 64)
    return np.stack([half & np.uint64(mask) for half, mask in zip((high, low), masks, strict=True)])


def _number(high: Halves, low: Halves, at: int) -> int:
    return int(high[at]) << 64 | int(low[at])


def _block(first: int, last: int, width: int) -> str:
    length = width - (first ^ last).bit_length()
    network = ipaddress.IPv4Network if width == 32 else ipaddress.IPv6Network
    return str(network((first, length), strict=False))


def fewest_groups(
    peers: Iterable[frozenset[str]], members: Mapping[str, int]
) -> tuple[str, ...] | None:
    """
    Choose the smallest set of groups so that each peer, given as its groups, is in one of them.

    Of sets of one size that with the fewest ``members`` is chosen, which has all groups that may be. None where a peer
    is in no such group.
    """
    distinct = {groups.intersection(members) for groups in peers}
    if not distinct or frozenset() in distinct:
        return None
    candidates = sorted(
        {group for groups in distinct for group in groups}, key=lambda g: (members[g], g)
    )
    chosen = _smallest(distinct, candidates, members) or _greedy(distinct, candidates)
    return tuple(sorted(chosen))


def _smallest(
    distinct: Collection[frozenset[str]], candidates: list[str], members: Mapping[str, int]
) -> tuple[str, ...] | None:
    tried = 0
    for size in range(1, len(candidates) + 1):
        best: tuple[int, tuple[str, ...]] | None = None
        for some in combinations(candidates, size):
            tried += 1
            if tried > _MOST_TRIED:
                return None
            if all(not groups.isdisjoint(some) for groups in distinct):
                best = min(best or (1 << 62, ()), (sum(members[g] for g in some), some))
        if best is not None:
            return best[1]
    return None


def _greedy(distinct: Iterable[frozenset[str]], candidates: list[str]) -> tuple[str, ...]:
    left, chosen = set(distinct), []
    while left:
        # The first of the best: candidates are in the order of their size.
        best = max(candidates, key=lambda g: sum(g in groups for groups in left))
        chosen.append(best)
        left = {groups for groups in left if best not in groups}
    return tuple(chosen)
