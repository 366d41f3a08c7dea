"""
Which candidates fit a packet but for its peer and its time: by groups, direction, protocol and port.

Most rules name one port, or a range no other rule cuts: these are found by key. The others of the interface's groups
are gone through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vpcflow.admission.lists import Lists, cases_of, offsets_of
from vpcflow.admission.packets import TCP, UDP

if TYPE_CHECKING:
    from vpcflow.admission.candidates import Candidates, Scales
    from vpcflow.admission.groups import GuardingGroups
    from vpcflow.admission.packets import Packets

Bools = npt.NDArray[np.bool_]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]

_ANY_PROTOCOL = -1


class Lanes(NamedTuple):
    """
    What packets of the same groups, direction, protocol and port share.

    ``candidates`` are those that fit so far, by ascending rule; ``uncertain`` tells where rules of a group were not
    captured. ``of_packet`` is each packet's lane.
    """

    candidates: Lists
    uncertain: Bools
    of_packet: Int64s


class LaneTable:
    """Finds the lanes of packets. A guard is a set of groups and a direction: ``2 * set + is_egress``."""

    def __init__(self, guards: GuardingGroups, candidates: Candidates, scales: Scales) -> None:
        self._guards = guards
        self._candidates = candidates
        self._scales = scales
        guard, one = _of_guards(guards, candidates)
        # By candidate, which is by rule.
        order = np.argsort(one, kind="stable")
        guard, one = guard[order], one[order]
        protocol, port = candidates.protocol[one], candidates.first_port[one]
        by_key = (protocol >= 0) & (port == candidates.last_port[one])
        keys = (guard * scales.protocols + protocol) * scales.ports + port
        order = np.argsort(keys[by_key], kind="stable")
        self._keys, self._keyed = keys[by_key][order], one[by_key][order]
        order = np.argsort(guard[~by_key], kind="stable")
        counts = np.bincount(guard[~by_key], minlength=2 * len(guards.is_captured))
        self._ranging = Lists(offsets_of(counts), one[~by_key][order])

    def of(self, packets: Packets) -> Lanes:
        """Find the candidates that fit, once for packets that are the same in this."""
        scales = self._scales
        guard = self._guards.set_of_row[packets.row].astype(np.int64) * 2 + packets.is_egress
        has_ports = (packets.protocol == TCP) | (packets.protocol == UDP)
        port = scales.port[np.clip(packets.port, 0, len(scales.port) - 1)] * has_ports
        # What is no protocol number finds the last item, which stands for those no rule names.
        known = np.minimum(packets.protocol.view(np.uint32), len(scales.protocol) - 1)
        keys, lane = cases_of(
            (guard * scales.protocols + scales.protocol[known]) * scales.ports + port
        )
        guard = keys // (scales.ports * scales.protocols)
        return Lanes(self._fitting(keys, guard), ~self._guards.is_captured[guard >> 1], lane)

    def _fitting(self, keys: Int64s, guard: Int64s) -> Lists:
        candidates, ports = self._candidates, self._scales.ports
        first = np.searchsorted(self._keys, keys, "left")
        counts = np.searchsorted(self._keys, keys, "right") - first
        keyed = np.repeat(np.arange(len(keys)), counts)
        ends = np.cumsum(counts)
        at = np.arange(len(keyed)) + np.repeat(first - ends + counts, counts)
        ranging, place = self._ranging.expand(guard)
        one = self._ranging.values[place]
        rest, port = np.divmod(keys, ports)
        protocol, port = (rest % self._scales.protocols)[ranging], port[ranging]
        fits = (candidates.protocol[one] == protocol) | (candidates.protocol[one] == _ANY_PROTOCOL)
        fits &= (candidates.first_port[one] <= port) & (port <= candidates.last_port[one])
        width = len(candidates.rule) + 1
        both = np.concatenate(
            [keyed * width + self._keyed[at], (ranging[fits] * width + one[fits])]
        )
        both.sort()
        lane, found = np.divmod(both, width)
        counts = np.bincount(lane, minlength=len(keys))
        return Lists(offsets_of(counts), found.astype(np.int32))


def _of_guards(guards: GuardingGroups, candidates: Candidates) -> tuple[Int64s, Int32s]:
    """Give all pairs of a guard and a candidate of its groups."""
    which, at = guards.sets.expand(np.arange(len(guards.is_captured)))
    group = guards.sets.values[at].astype(np.int64)
    found = [candidates.by_guard.expand(group * 2 + is_egress) for is_egress in (0, 1)]
    guard = [which[groups] * 2 + is_egress for is_egress, (groups, _) in enumerate(found)]
    place = np.concatenate([places for _, places in found])
    return np.concatenate(guard), candidates.by_guard.values[place]
