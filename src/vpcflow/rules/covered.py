"""How far the logs would have shown what a security group's rules admit."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from vpcflow.rules.flow_logs import FlowLogsOf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpcflow.inventory import Eni, Inventory
    from vpcflow.rules.coverage import Coverage

_DAY_S = 86_400
_UNLOGGED_TYPES = frozenset(
    ("network_load_balancer", "vpc_endpoint", "gateway_load_balancer_endpoint")
)
"""Traffic between these interfaces is not logged: flow log limitations, endpoints and Network Load Balancers."""

Times = tuple[tuple[int, int], ...]


class GroupCover(NamedTuple):
    """
    What the logs cover of a group's interfaces, from a time on.

    ``share`` is the part of the time in which its interfaces existed that has records, null where there is none;
    ``days`` how long the time looked at is. ``reasons`` are of ``codes.USAGE_REASONS``.
    """

    interfaces: int
    share: float | None
    days: float
    reasons: tuple[str, ...]


class Covered(NamedTuple):
    """Answers for all groups of an inventory; made by `covered_of`."""

    inventory: Inventory
    coverage: Coverage
    since: int
    until: int
    members: dict[str, dict[str, list[tuple[int, int]]]]
    unlogged: frozenset[str]
    rejects_only: frozenset[str]
    is_old: bool
    is_stated: bool
    """Whether the time to look at was asked for: then what was before it does not count."""

    def of_group(self, group_id: str, since: int | None = None) -> GroupCover:
        """Tell what is covered of a group, from ``since`` on where that is earlier than the recording."""
        start = self.since if since is None or self.is_stated else min(since, self.since)
        members = self.members.get(group_id, {})
        existed = covered = 0
        reasons: dict[str, None] = {}
        if not members:
            reasons["attached_to_nothing"] = None
        for interface_id, times in members.items():
            clipped = [(max(a, start), min(b, self.until)) for a, b in times]
            lived = sum(max(b - a, 0) for a, b in clipped)
            existed += lived
            covered += _common(clipped, self.coverage.times.get(interface_id, ()))
            seen = self.coverage.seen.get(interface_id)
            if seen is None and lived:
                reasons["interfaces_not_covered"] = None
            if interface_id in self.rejects_only:
                reasons["rejects_only"] = None
            if seen is not None and seen.missing:
                reasons["fields_missing"] = None
            if seen is not None and seen.skipped:
                reasons["records_skipped"] = None
        if group_id in self.unlogged:
            reasons["traffic_not_logged"] = None
        if self.is_old:
            reasons["inventory_old"] = None
        share = covered / existed if existed else None
        return GroupCover(len(members), share, (self.until - start) / _DAY_S, tuple(reasons))

    @property
    def share(self) -> float | None:
        """The part of the time of all interfaces with groups that is covered."""
        times: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for members in self.members.values():
            for interface_id, of_one in members.items():
                times[interface_id] += of_one
        existed = covered = 0
        for interface_id, of_one in times.items():
            clipped = [(max(a, self.since), min(b, self.until)) for a, b in _united(of_one)]
            existed += sum(max(b - a, 0) for a, b in clipped)
            covered += _common(clipped, self.coverage.times.get(interface_id, ()))
        return covered / existed if existed else None


def covered_of(
    inventory: Inventory,
    coverage: Coverage,
    *,
    since: int | None = None,
    until: int | None = None,
) -> Covered:
    """
    Lay out when each group had which interfaces, against what the logs cover.

    An interface exists from the first to the last snapshot that shows it; one of the first snapshot did before, and
    one of the last goes on. ``since`` and ``until`` are what is looked at, Unix seconds, by default the recording.
    """
    start = since if since is not None else coverage.since or 0
    end = until if until is not None else coverage.until or start
    captures = inventory.capture_times
    members: dict[str, dict[str, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
    unlogged = set()
    for interface_id, versions in inventory.history.interfaces.items():
        if interface_id not in coverage.seen and all(
            v.value.attachment_id is None for v in versions
        ):
            # Attached to nothing: it has no traffic, and no log says so.
            continue
        for at, version in enumerate(versions):
            valid_from, valid_to, eni = version
            begins = 0 if valid_from <= captures[0] else valid_from
            ends = _FAR if valid_to >= captures[-1] else valid_to
            if at + 1 < len(versions):
                ends = max(ends if ends != _FAR else valid_to, versions[at + 1].valid_from)
            for group in eni.groups:
                members[group.group_id][interface_id].append((begins, ends))
                if _is_unlogged(eni):
                    unlogged.add(group.group_id)
    return Covered(
        inventory, coverage, start, end,
        {group: {i: _united(times) for i, times in of.items()} for group, of in members.items()},
        frozenset(unlogged), _rejects_only(inventory, coverage), _is_old(captures, start, end), since is not None,
    )  # fmt: skip


_FAR = 1 << 40


def _is_unlogged(eni: Eni) -> bool:
    return eni.interface_type in _UNLOGGED_TYPES


def _rejects_only(inventory: Inventory, coverage: Coverage) -> frozenset[str]:
    """Find the interfaces all of whose flow logs capture rejects only; those of which only rejects are seen, too."""
    logs_of = FlowLogsOf(inventory)
    found = set()
    for interface_id in inventory.history.interfaces:
        logs = logs_of.interface(interface_id)
        seen = coverage.seen.get(interface_id)
        is_seen = seen is not None and seen.rejects and not seen.accepts
        if all(log.traffic_type == "REJECT" for log in logs) if logs else is_seen:
            found.add(interface_id)
    return frozenset(found)


def _is_old(captures: Sequence[int], since: int, until: int) -> bool:
    """Tell whether a single snapshot was taken more than a day before or after what was recorded."""
    return len(captures) == 1 and not since - _DAY_S <= captures[0] <= until + _DAY_S


def _united(times: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for since, until in sorted(times):
        if found and since <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((since, until))
    return found


def _common(one: Sequence[tuple[int, int]], other: Times) -> int:
    """Give how many seconds two lists of times, each ascending and apart, have in common."""
    total = i = j = 0
    while i < len(one) and j < len(other):
        total += max(min(one[i][1], other[j][1]) - max(one[i][0], other[j][0]), 0)
        if one[i][1] < other[j][1]:
            i += 1
        else:
            j += 1
    return total
