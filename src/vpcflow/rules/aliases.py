"""
The one address of an interface that stands for all: AWS shows the primary address for traffic to the others.

A log without ``pkt_`` fields writes the primary private address as the destination of what was sent to a secondary
one, and the secondary one as its peer's destination and as the source of the reply: the records of one connection have
different addresses. So that they meet, addresses that the packet does not tell are replaced by the primary.
https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html (secondary addresses)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vpcflow.addresses import Addresses
from vpcflow.dictionaries import codes_of, dictionary_array
from vpcflow.inventory.networks import network

if TYPE_CHECKING:
    from vpcflow.enrich.answers import Answers
    from vpcflow.inventory import Inventory

Bools = npt.NDArray[np.bool_]
Int32s = npt.NDArray[np.int32]


class Aliases(NamedTuple):
    """
    The secondary private addresses and delegated prefixes of all interfaces, as ranges of IPv4 numbers.

    ``first`` and ``last`` are ascending; ``primary`` has the primary private address of each interface version, 0 where
    it has none.
    """

    first: npt.NDArray[np.uint64]
    last: npt.NDArray[np.uint64]
    primary: npt.NDArray[np.uint64]

    def resolve(
        self,
        answers: Answers,
        rows: npt.NDArray[np.intp],
        local: Int32s,
        peer: Int32s,
        is_ingress: Bools,
    ) -> tuple[Addresses, Addresses]:
        """
        Give the addresses of the local and the peer's end of these rows, the primary one where it stands for others.

        ``local`` and ``peer`` are numbers of ``answers.ends``. An address the packet tells is left as it is.
        """
        found = answers.end_addresses
        ends = [found.take(local), found.take(peer)]
        inventory = answers.reference.inventory
        if inventory is None or not len(self.first):
            return ends[0], ends[1]
        is_alias = self._hold(found)
        told = {
            name: answers.end_codes(f"pkt_{name}")[rows] >= 0 for name in ("srcaddr", "dstaddr")
        }
        for place, (codes, is_destination) in enumerate(((local, is_ingress), (peer, ~is_ingress))):
            is_told = np.where(is_destination, told["dstaddr"], told["srcaddr"])
            asked = np.flatnonzero(is_alias[codes] & ~is_told)
            if len(asked):
                low = ends[place].low.copy()
                low[asked] = self._primaries(
                    answers, inventory, rows[asked], codes[asked], low[asked]
                )
                ends[place] = ends[place]._replace(low=low)
        return ends[0], ends[1]

    def _hold(self, addresses: Addresses) -> Bools:
        at = np.searchsorted(self.first, addresses.low, "right") - 1
        held: Bools = (at >= 0) & (addresses.low <= self.last[at]) & addresses.is_ipv4
        return held

    def _primaries(
        self,
        answers: Answers,
        inventory: Inventory,
        rows: npt.NDArray[np.intp],
        codes: Int32s,
        low: npt.NDArray[np.uint64],
    ) -> npt.NDArray[np.uint64]:
        vpc_ids = answers.own_vpc_ids
        holders = inventory.interfaces_at(
            dictionary_array(codes_of(vpc_ids)[rows], vpc_ids.dictionary),
            dictionary_array(codes, answers.ends.texts),
            answers.start_s[rows],
            answers.end_s[rows],
            max_age_s=answers.reference.max_age_s,
            max_stale_s=answers.reference.max_stale_s,
            located=answers.located,
        ).rows
        primary = self.primary[holders]
        known = (holders >= 0) & (primary > 0)
        return np.where(known, primary, low)


def aliases_of(inventory: Inventory | None) -> Aliases:
    """Collect the addresses that an interface has beside its primary one."""
    ranges: set[tuple[int, int]] = set()
    primaries: list[int] = []
    for version in () if inventory is None else inventory.versions:
        eni = version.eni
        primary = next((a.address for a in eni.private_addresses if a.is_primary), None)
        number = 0
        for text in (*(a.address for a in eni.private_addresses), *eni.ipv4_prefixes):
            one = network(text)
            if one is None or not one.is_ipv4:
                continue
            if text == primary:
                number = one.number
            else:
                ranges.add((one.number, one.number + (1 << (32 - one.bits)) - 1))
        primaries.append(number)
    first, last = np.array(sorted(ranges), np.uint64).reshape(-1, 2).T
    # Where one lies in another, what is held up to here reaches as far as the longest.
    return Aliases(
        first, np.maximum.accumulate(last) if len(last) else last, np.array(primaries, np.uint64)
    )
