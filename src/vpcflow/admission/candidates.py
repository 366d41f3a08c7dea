"""
The rules of security groups as columns: for each version of a rule what it asks of a packet, and when.

A candidate is a version of a rule in one window of time and, where it names a prefix list, with one version of that.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vpcflow.admission.addresses import NOTHING, AddressClasses
from vpcflow.admission.in_force import ALWAYS, ALWAYS_SINCE, ALWAYS_UNTIL, Window
from vpcflow.admission.lists import Lists, lists_of
from vpcflow.admission.packets import ICMP, ICMPV6, TCP, UDP

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from vpcflow.admission.in_force import InForce
    from vpcflow.inventory import SecurityGroupRule

Int8s = npt.NDArray[np.int8]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

CIDR, GROUP, LIST, UNKNOWN = range(4)
"""Kinds of counterparts; ``UNKNOWN`` is a prefix list whose entries no snapshot has."""

_PORTS = 1 << 16
_PROTOCOLS = 256
_ANY_PROTOCOL, _NO_PROTOCOL = -1, -2


class Scales(NamedTuple):
    """
    Numbers that stand for all protocols, ports and times which no rule tells apart.

    ``protocol`` has the number of each protocol, 0 for those no rule names; ``port`` that of each port; a time's is
    where it lies among ``times``.
    """

    protocol: Int32s
    port: Int32s
    times: Int64s

    @property
    def protocols(self) -> int:
        return int(self.protocol.max()) + 1

    @property
    def ports(self) -> int:
        return int(self.port[-1]) + 1

    @property
    def moments(self) -> int:
        return len(self.times) + 1

    def moment(self, time_s: Int64s) -> Int64s:
        if not len(self.times):
            return np.zeros(len(time_s), np.int64)
        return np.searchsorted(self.times, time_s, "right")


class Candidates(NamedTuple):
    """
    What each candidate asks, on the `Scales`.

    ``protocol`` is -1 where it takes all. ``first`` and ``last`` are the classes of a CIDR's addresses, and hold
    nothing for other kinds; ``number`` is that of the group or of the prefix list's version. ``by_guard`` has the
    candidates of each group and direction, ``2 * group + is_egress``, by ascending rule.
    """

    rule: Int32s
    protocol: Int32s
    first_port: Int32s
    last_port: Int32s
    kind: Int8s
    first: Int32s
    last: Int32s
    number: Int32s
    approximate: Bools
    since: Int32s
    until: Int32s
    maybe_since: Int32s
    maybe_until: Int32s
    by_guard: Lists

    def at_any_time(self) -> Candidates:
        """Give the candidates as if they had all been in force always."""
        first = np.zeros_like(self.since)
        last = np.full_like(self.until, np.iinfo(np.int32).max)
        return self._replace(since=first, until=last, maybe_since=first, maybe_until=last)


class Versions(NamedTuple):
    """Versions of rules, numbered, with the windows of each."""

    rules: tuple[SecurityGroupRule, ...]
    windows: tuple[tuple[Window, ...], ...]


def versions_of(
    known: Iterable[InForce[SecurityGroupRule]],
    *,
    removed: frozenset[str],
    added: Iterable[SecurityGroupRule],
) -> Versions:
    """Number the versions of rules, by key and time; those added come last, and are in force always."""
    windows: dict[SecurityGroupRule, list[Window]] = defaultdict(list)
    for one in sorted((one for one in known if one.key not in removed), key=lambda one: one.key):
        windows[one.value].append(one.window)
    for rule in added:
        windows[rule] = [ALWAYS]
    return Versions(tuple(windows), tuple(map(tuple, windows.values())))


class Asked(NamedTuple):
    """A candidate before its numbers are known: a rule with its counterpart and window."""

    rule: int
    kind: int
    first: int
    last: int
    number: int
    window: Window


def candidates_of(
    versions: Versions,
    classes: AddressClasses,
    group_numbers: Mapping[str, int],
    list_versions: Mapping[str, Sequence[tuple[int, Window]]],
) -> tuple[Candidates, Scales]:
    """
    Lay out all rules; ``list_versions`` has the numbers of each prefix list's versions, with when they were in force.
    """
    asked = [
        one
        for place, (rule, windows) in enumerate(zip(versions.rules, versions.windows))
        for window in windows
        for one in _asked(place, rule, window, classes, group_numbers, list_versions)
    ]
    scales = _scales(versions.rules, [one.window for one in asked])
    rules = [versions.rules[one.rule] for one in asked]
    ports = [_ports(rule) for rule in rules]
    rule, kind, first, last, number = (
        np.array([one[field] for one in asked], np.int32) for field in range(5)
    )
    since, until, maybe_since, maybe_until = (
        scales.moment(np.array([one.window[field] for one in asked], np.int64)).astype(np.int32)
        for field in range(4)
    )
    candidates = Candidates(
        rule=rule,
        protocol=_protocol_numbers(scales, rules),
        first_port=scales.port[[low for low, _ in ports]],
        last_port=scales.port[[high for _, high in ports]],
        kind=kind.astype(np.int8),
        first=first,
        last=last,
        number=number,
        approximate=np.array([_names_icmp_type(rule) for rule in rules], np.bool_),
        since=since,
        until=until,
        maybe_since=maybe_since,
        maybe_until=maybe_until,
        by_guard=_by_guard(rules, group_numbers),
    )
    return candidates, scales


def _asked(
    place: int,
    rule: SecurityGroupRule,
    window: Window,
    classes: AddressClasses,
    group_numbers: Mapping[str, int],
    list_versions: Mapping[str, Sequence[tuple[int, Window]]],
) -> Iterator[Asked]:
    cidr = rule.ipv4_cidr or rule.ipv6_cidr
    if cidr is not None:
        yield Asked(place, CIDR, *classes.within(cidr), -1, window)
    elif rule.referenced_group_id is not None:
        yield Asked(place, GROUP, *NOTHING, group_numbers[rule.referenced_group_id], window)
    elif rule.prefix_list_id is not None and rule.prefix_list_id not in list_versions:
        yield Asked(place, UNKNOWN, *NOTHING, -1, window)
    elif rule.prefix_list_id is not None:
        for number, in_force in list_versions[rule.prefix_list_id]:
            both = window.within(in_force)
            if not both.is_empty:
                yield Asked(place, LIST, *NOTHING, number, both)


def _scales(rules: Iterable[SecurityGroupRule], windows: Iterable[Window]) -> Scales:
    protocols = sorted({rule.protocol for rule in rules if 0 <= rule.protocol < _PROTOCOLS})
    # One place more, for what is no protocol number.
    protocol = np.zeros(_PROTOCOLS + 1, np.int32)
    protocol[protocols] = np.arange(1, len(protocols) + 1)
    ranges = [_ports(rule) for rule in rules]
    starts = {low for low, _ in ranges} | {high + 1 for _, high in ranges}
    begins = np.zeros(_PORTS, np.int32)
    begins[[start for start in starts if 0 < start < _PORTS]] = 1
    times = {w.since for w in windows} | {w.maybe_since for w in windows}
    times |= {end + 1 for w in windows for end in (w.until, w.maybe_until) if end < ALWAYS_UNTIL}
    times -= {ALWAYS_SINCE}
    return Scales(protocol, np.cumsum(begins).astype(np.int32), np.array(sorted(times), np.int64))


def _ports(rule: SecurityGroupRule) -> tuple[int, int]:
    """Give the ports a rule takes: all where it names none, or its protocol has none."""
    if rule.protocol not in (TCP, UDP):
        return 0, _PORTS - 1
    low = 0 if rule.from_port is None else max(rule.from_port, 0)
    high = _PORTS - 1 if rule.to_port is None or rule.to_port < 0 else rule.to_port
    return min(low, _PORTS - 1), min(high, _PORTS - 1)


def _protocol_numbers(scales: Scales, rules: Iterable[SecurityGroupRule]) -> Int32s:
    numbers = np.array([rule.protocol for rule in rules], np.int32)
    found = scales.protocol[np.where((numbers >= 0) & (numbers < _PROTOCOLS), numbers, _PROTOCOLS)]
    found[found == 0] = _NO_PROTOCOL
    found[numbers == _ANY_PROTOCOL] = _ANY_PROTOCOL
    return found


def _names_icmp_type(rule: SecurityGroupRule) -> bool:
    named = (port is not None and port >= 0 for port in (rule.from_port, rule.to_port))
    return rule.protocol in (ICMP, ICMPV6) and any(named)


def _by_guard(rules: Sequence[SecurityGroupRule], group_numbers: Mapping[str, int]) -> Lists:
    guards: list[list[int]] = [[] for _ in range(2 * len(group_numbers))]
    for place, rule in enumerate(rules):
        guards[2 * group_numbers[rule.group_id] + rule.is_egress].append(place)
    return lists_of(guards)
