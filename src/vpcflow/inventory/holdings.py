"""
From the runs of interfaces to those of addresses: which interface version held (VPC, network), when.

Also of networks alone, for public addresses, which are seen from other VPCs too.
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vpcflow.dictionaries import with_last
from vpcflow.inventory.as_of import RunTable, distinct_numbers, run_table
from vpcflow.inventory.networks import Network, NetworkBook, network

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vpcflow.inventory.model import Eni
    from vpcflow.inventory.timeline import Timeline

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]

_UNIQUE_LOCAL = 0xFC >> 1
_NO_ROW = np.int32(np.iinfo(np.int32).max)


class RowRun(NamedTuple):
    """A run of an interface version, by its row."""

    first: int
    last: int
    row: int
    scope: int


class Holdings(NamedTuple):
    """
    Who held which network where, when.

    A subject of ``runs`` is a place (a VPC; "" where only the network counts) and a network; ``subject_keys`` is
    ``place * networks + network``, ascending, one for each subject.
    """

    book: NetworkBook
    places: dict[str, int]
    subject_keys: Int64s
    runs: RunTable

    def subjects(self, places: Int32s, levels: Sequence[Int32s]) -> Int32s:
        """Find the subject of each (place, address), the longest network first; -1 where there is none."""
        found = np.full(len(places), -1, np.int32)
        if not len(self.subject_keys):
            return found
        for level in levels:
            open_ = np.flatnonzero((found < 0) & (places >= 0) & (level >= 0))
            wanted = places[open_].astype(np.int64) * len(self.book.numbers) + level[open_]
            at = np.minimum(np.searchsorted(self.subject_keys, wanted), len(self.subject_keys) - 1)
            found[open_] = np.where(self.subject_keys[at] == wanted, at, -1)
        return found


class HeldPlaces(NamedTuple):
    """The places where each network was held at some time: network *n* at ``places[offsets[n]:offsets[n + 1]]``."""

    offsets: Int64s
    places: Int32s

    def of(self, levels: Sequence[Int32s]) -> tuple[Int64s, Int32s]:
        """Give all pairs of an address and a place where it was held, by address and then by place."""
        width = int(self.places.max(initial=0)) + 1
        found = [np.zeros(0, np.int64)]
        for level in levels:
            address = np.flatnonzero(level >= 0)
            first = self.offsets[level[address]]
            counts = self.offsets[1:][level[address]] - first
            ends = np.cumsum(counts)
            at = np.arange(int(counts.sum())) + np.repeat(first - ends + counts, counts)
            found.append(np.repeat(address, counts) * width + self.places[at])
        address, place = np.divmod(np.unique(np.concatenate(found)), width)
        return address, place.astype(np.int32)


class OwnAddresses(NamedTuple):
    """
    The networks of each interface version.

    ``keys`` is ``row * networks + network``, ascending. The versions that have a network lie between its ``lowest``
    and its ``highest`` row, and are all of these where ``is_whole``: nearly always, as an ENI's versions are
    neighbours. Last in these three is an item for no network.
    """

    book: NetworkBook
    keys: Int64s
    lowest: Int32s
    highest: Int32s
    is_whole: npt.NDArray[np.bool_]

    def hold(self, rows: Int32s, levels: Sequence[Int32s], index: Int32s) -> npt.NDArray[np.bool_]:
        """
        Tell for each row whether that version has the address, alone or in a prefix.

        ``index`` is the place of each row's address in ``levels``, -1 where null; false for row -1 and for null.
        """
        held = np.zeros(len(rows), np.bool_)
        for level in levels:
            if level.max(initial=-1) < 0:
                continue
            # Number -1 (in no network) and index -1 (no address) both find the end, where no row can be.
            numbers = with_last(level, -1)
            lowest, highest = self.lowest[numbers], self.highest[numbers]
            if (lowest >= highest).all():
                held |= rows == lowest.take(index)
                continue
            between = rows >= lowest.take(index)
            between &= rows <= highest.take(index)
            sure = self.is_whole[numbers].take(index)
            held |= between & sure
            self._look_closer(held, rows, numbers, index, np.flatnonzero(between & ~sure))
        return held

    def _look_closer(
        self,
        held: npt.NDArray[np.bool_],
        rows: Int32s,
        numbers: Int32s,
        index: Int32s,
        places: npt.NDArray[np.intp],
    ) -> None:
        if len(places):
            wanted = rows[places].astype(np.int64) * len(self.book.numbers) + numbers[index[places]]
            pairs, code = distinct_numbers(wanted)
            at = np.minimum(np.searchsorted(self.keys, pairs), len(self.keys) - 1)
            held[places] |= (self.keys[at] == pairs)[code]


@lru_cache(maxsize=1 << 18)
def _network(text: str) -> Network | None:
    return network(text)


def networks_of(eni: Eni) -> list[Network]:
    """Give all networks of an ENI: its addresses and its delegated prefixes."""
    return _networks((*eni.addresses, *eni.ipv4_prefixes, *eni.ipv6_prefixes))


def public_networks_of(eni: Eni) -> list[Network]:
    """Give what of an ENI is the same address everywhere: public IPv4, and IPv6 other than RFC 4193's."""
    texts = (*eni.public_addresses, *eni.ipv6_addresses, *eni.ipv6_prefixes)
    return [n for n in _networks(texts) if n.is_ipv4 or n.number >> 121 != _UNIQUE_LOCAL]


def private_networks_of(eni: Eni) -> list[Network]:
    """Give what of an ENI is its own within VPCs: private and IPv6 addresses, and delegated prefixes."""
    private = (one.address for one in eni.private_addresses)
    return _networks((*private, *eni.ipv6_addresses, *eni.ipv4_prefixes, *eni.ipv6_prefixes))


def _networks(texts: Iterable[str]) -> list[Network]:
    return [n for n in dict.fromkeys(map(_network, texts)) if n is not None]


def own_addresses(own: Sequence[list[Network]], book: NetworkBook) -> OwnAddresses:
    """Note which networks each version has; ``own`` are those of each row."""
    count = len(book.numbers)
    found = [row * count + book.numbers[n] for row, of_one in enumerate(own) for n in of_one]
    keys = np.array(sorted(found), np.int64)
    rows, numbers = np.divmod(keys, max(count, 1))
    lowest = np.full(count, _NO_ROW, np.int32)
    highest = np.full(count, -1, np.int32)
    np.minimum.at(lowest, numbers, rows)
    np.maximum.at(highest, numbers, rows)
    is_whole = np.bincount(numbers, minlength=count) == highest - lowest + 1
    return OwnAddresses(
        book, keys, with_last(lowest, _NO_ROW), with_last(highest, -1), with_last(is_whole, True)
    )


def holdings(
    line: Timeline,
    runs: Iterable[RowRun],
    book: NetworkBook,
    place: Sequence[str | None],
    own: Sequence[list[Network]],
) -> Holdings:
    """Turn runs of interface versions into runs of the networks (``own`` of each row) they held at a ``place``."""
    places = {p: code for code, p in enumerate(dict.fromkeys(p for p in place if p is not None))}
    held: dict[int, list[RowRun]] = defaultdict(list)
    for run in runs:
        where = place[run.row]
        if where is None:
            continue
        for one in own[run.row]:
            held[places[where] * len(book.numbers) + book.numbers[one]].append(run)
    settled = _settle(line, held, book)
    keys = sorted(settled)
    table = run_table(
        [(s, r.first, r.last, r.row, r.scope) for s, key in enumerate(keys) for r in settled[key]],
        len(line.times),
    )
    return Holdings(book, places, np.array(keys, np.int64), table)


def held_places(held: Holdings) -> HeldPlaces:
    """Sort what was held by network."""
    count = len(held.book.numbers)
    place, network_number = np.divmod(held.subject_keys, max(count, 1))
    order = np.argsort(network_number, kind="stable")
    offsets = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(network_number, minlength=count), out=offsets[1:])
    return HeldPlaces(offsets, place[order].astype(np.int32))


def _settle(
    line: Timeline, held: dict[int, list[RowRun]], book: NetworkBook
) -> dict[int, list[RowRun]]:
    """Make the runs of each subject disjoint, those of the networks around it included where it has none of its own."""
    count = len(book.numbers)
    around = book.nested()
    settled = {}
    for key, runs in held.items():
        place, number = divmod(key, count)
        outer = [held[k] for n in around.get(number, ()) if (k := place * count + n) in held]
        runs.sort()
        if outer or any(a.last >= b.first for a, b in pairwise(runs)):
            settled[key] = _disjoint(line, [runs, *outer])
        else:
            settled[key] = runs
    return settled


def _disjoint(line: Timeline, ranked: list[list[RowRun]]) -> list[RowRun]:
    """
    Walk the snapshots one by one, the first list that has a run there deciding; two of its rows decide nothing (-1).
    """
    seen: dict[int, RowRun] = {}
    for runs in reversed(ranked):
        for k, rows in _observations(line, runs).items():
            distinct = {r.row for r in rows}
            seen[k] = rows[0] if len(distinct) == 1 else RowRun(k, k, -1, rows[0].scope)
    found: list[RowRun] = []
    source: RowRun | None = None
    for k in sorted(seen):
        run = seen[k]
        if run is source and run.row >= 0:
            found[-1] = found[-1]._replace(last=k)
        else:
            found.append(RowRun(k, k, run.row, run.scope))
        source = run
    return found


def _observations(line: Timeline, runs: list[RowRun]) -> dict[int, list[RowRun]]:
    seen: dict[int, list[RowRun]] = defaultdict(list)
    for run in runs:
        k = run.first
        while k < run.last:
            seen[k].append(run)
            # The last may lie in a snapshot that does not cover the run's scope.
            k = min(int(line.covered_from[run.scope, k + 1]), run.last)
        seen[run.last].append(run)
    return seen
