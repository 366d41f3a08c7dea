"""
Which candidates match which packets.

Packets that no rule can tell apart are one case: its interface has the same groups, the peer's address is in the same
class and its interface in the same groups, and so on. Only cases are compared with rules, and most packets share theirs
with many others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vpcflow.admission.bits import Bits
from vpcflow.admission.candidates import GROUP, LIST, UNKNOWN
from vpcflow.admission.lists import Lists, cases_of, offsets_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vpcflow.admission.candidates import Candidates, Scales
    from vpcflow.admission.groups import GuardingGroups
    from vpcflow.admission.lanes import Lanes, LaneTable
    from vpcflow.admission.packets import Packets

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_PAIRS = 1 << 20
"""How many pairs of a case and a candidate are compared at once."""


class Far(NamedTuple):
    """
    The far end of each packet: its address's class, the groups of its interface, and whether that is missing.

    ``groups`` is a number of `GuardingGroups.sets`, `NOBODY` where there is no interface.
    """

    address_class: Int32s
    groups: Int32s
    missing: Bools


class Matches(NamedTuple):
    """The rules of each packet as lists, with the flags of `Admitted`."""

    rules: Lists
    approximate: Bools
    uncertain: Bools


class _Cases(NamedTuple):
    """Distinct cases: lane, class of the peer's address, its groups, whether its interface is missing, and moment."""

    lane: Int64s
    address_class: Int64s
    groups: Int64s
    missing: Bools
    moment: Int64s


class Matcher:
    """Compares packets with candidates."""

    def __init__(
        self,
        guards: GuardingGroups,
        candidates: Candidates,
        scales: Scales,
        lanes: LaneTable,
        list_bits: Bits,
    ) -> None:
        self._sets = len(guards.is_captured)
        self._candidates = candidates
        self._scales = scales
        self._lanes = lanes
        self._lists = list_bits
        self._members = Bits(len(guards.is_captured), len(guards.group_ids))
        for number, groups in enumerate(_slices(guards.sets)):
            self._members.set(number, groups)

    def match(self, packets: Packets, far: Far) -> Matches:
        """Find the rules that match."""
        lanes = self._lanes.of(packets)
        sets, moments = self._sets, self._scales.moments
        far_keys, far_code = cases_of(
            (far.address_class.astype(np.int64) * sets + far.groups) * 2 + far.missing
        )
        keys, case = cases_of(
            (lanes.of_packet * len(far_keys) + far_code) * moments
            + self._scales.moment(packets.time_s)
        )
        rest, moment_of_case = np.divmod(keys, moments)
        lane_of_case, far_of_case = np.divmod(rest, max(len(far_keys), 1))
        rest, missing = np.divmod(far_keys[far_of_case], 2)
        address_class, groups = np.divmod(rest, sets)
        cases = _Cases(
            lane_of_case, address_class, groups, missing.astype(np.bool_), moment_of_case
        )
        found = self._settle(lanes, cases)
        return Matches(found.rules.take(case), found.approximate[case], found.uncertain[case])

    def _settle(self, lanes: Lanes, cases: _Cases) -> Matches:
        parts = list(_parts(lanes, cases))
        if len(parts) == 1:
            return self._compare(lanes, cases)
        counts, rules, approximate, uncertain = [], [], [], []
        for part in parts:
            found = self._compare(lanes, part)
            counts.append(np.diff(found.rules.offsets))
            rules.append(found.rules.values)
            approximate.append(found.approximate)
            uncertain.append(found.uncertain)
        return Matches(
            Lists(
                offsets_of(np.concatenate([np.zeros(0, np.int64), *counts])),
                np.concatenate([np.zeros(0, np.int32), *rules]),
            ),
            np.concatenate([np.zeros(0, np.bool_), *approximate]),
            np.concatenate([np.zeros(0, np.bool_), *uncertain]),
        )

    def _compare(self, lanes: Lanes, cases: _Cases) -> Matches:
        """Compare cases with the candidates of their lanes."""
        candidates, count = self._candidates, len(cases.lane)
        which, at = lanes.candidates.expand(cases.lane)
        one = lanes.candidates.values[at]
        address_class = cases.address_class[which]
        matches = (candidates.first[one] <= address_class) & (address_class <= candidates.last[one])
        kind = candidates.kind[one]
        referring = np.flatnonzero(kind == GROUP)
        matches[referring] = self._members.at(
            cases.groups[which[referring]], candidates.number[one[referring]]
        )
        listing = np.flatnonzero(kind == LIST)
        matches[listing] = self._lists.at(candidates.number[one[listing]], address_class[listing])
        unknown = kind == UNKNOWN
        unknown[referring] = cases.missing[which[referring]]
        if self._scales.moments > 1:
            moment = cases.moment[which]
            now = (candidates.since[one] <= moment) & (moment <= candidates.until[one])
            unknown &= now
            matches = _at_its_time(matches, now, candidates, one, moment, which, count)
        uncertain = lanes.uncertain[cases.lane]
        uncertain[which[unknown]] = True
        kept = np.flatnonzero(matches)
        case, one = which[kept], one[kept]
        rule = candidates.rule[one]
        # The windows of a rule and of a prefix list may meet twice.
        again = np.zeros(len(kept), np.bool_)
        again[1:] = (case[1:] == case[:-1]) & (rule[1:] == rule[:-1])
        case, one, rule = case[~again], one[~again], rule[~again]
        approximate = np.zeros(count, np.bool_)
        approximate[case[candidates.approximate[one]]] = True
        return Matches(
            Lists(offsets_of(np.bincount(case, minlength=count)), rule), approximate, uncertain
        )


def _at_its_time(
    matches: Bools,
    now: Bools,
    candidates: Candidates,
    one: Int32s,
    moment: Int64s,
    which: Int64s,
    count: int,
) -> Bools:
    """Keep the matches in force then; where a case has none, those that may have been."""
    sure = matches & now
    is_open = np.ones(count, np.bool_)
    is_open[which[sure]] = False
    maybe = np.flatnonzero(matches & is_open[which])
    if len(maybe):
        one, moment = one[maybe], moment[maybe]
        sure[maybe] = (candidates.maybe_since[one] <= moment) & (
            moment <= candidates.maybe_until[one]
        )
    return sure


def _parts(lanes: Lanes, cases: _Cases) -> Iterator[_Cases]:
    """Cut the cases so that not too many pairs come of each part."""
    offsets = lanes.candidates.offsets
    pairs = np.cumsum(offsets[1:][cases.lane] - offsets[cases.lane])
    first, count = 0, len(cases.lane)
    while first < count:
        done = int(pairs[first - 1]) if first else 0
        last = max(int(np.searchsorted(pairs, done + _PAIRS, "right")), first + 1)
        here = slice(first, last)
        yield _Cases(
            cases.lane[here], cases.address_class[here], cases.groups[here],
            cases.missing[here], cases.moment[here],
        )  # fmt: skip
        first = last


def _slices(lists: Lists) -> Iterator[Int32s]:
    for first, last in zip(lists.offsets[:-1].tolist(), lists.offsets[1:].tolist()):
        yield lists.values[first:last]
