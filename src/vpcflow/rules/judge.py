"""
The judgement of a part of the recording: who opened each connection, which rules admitted it, why it was rejected.

A part is judged in two steps, as whether a socket is a service shows only when all parts have been seen: `Judge.open`
finds connections and what their own records tell, `Judge.conclude` the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow.admission import NetworkAcls
from vpcflow.dictionaries import dictionary_array
from vpcflow.rules import initiator
from vpcflow.rules.asking import Question, ask
from vpcflow.rules.causes import causes_of
from vpcflow.rules.fitting import by_rules, ends_of
from vpcflow.rules.initiator import LESSER, NOBODY, any_of
from vpcflow.rules.rule_sets import RuleSets
from vpcflow.rules.sessions import TCP, is_lesser, sessions_of
from vpcflow.rules.sightings import ACCEPT, REJECT
from vpcflow.rules.tracking_times import timeouts_of

if TYPE_CHECKING:
    from vpcflow.admission import RuleBook
    from vpcflow.inventory import Inventory
    from vpcflow.rules.asking import Units
    from vpcflow.rules.initiator import Openers
    from vpcflow.rules.listeners import Listeners
    from vpcflow.rules.sessions import Sessions
    from vpcflow.rules.sightings import Sightings
    from vpcflow.rules.watch import Watch

Bools = npt.NDArray[np.bool_]
Int8s = npt.NDArray[np.int8]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Places = npt.NDArray[np.intp]

_TCP_IDLE_S = 350
"""How long a pause of a TCP connection may be for its next packet not to count as its first, where no flags tell."""


class Opened(NamedTuple):
    """
    A part half judged.

    ``told`` is who opened the connection by each sighting's own flags; ``first`` each sight's first sighting, ``rows``
    the interface version of each sighting.
    """

    sessions: Sessions
    openers: Openers
    told: Int8s
    first: Places
    rows: Int32s


class Judged(NamedTuple):
    """
    A part judged.

    Of each sighting: ``is_request`` where it is of the side that opened its connection, ``has_opener`` where that is
    known, ``units.of_sighting`` what the rules say, ``cause`` why it was rejected (``codes.REJECT_CAUSES``, -1 where it
    was not). Of each sight: ``local_opens``, and ``edge`` where the connection began before what was recorded.
    """

    opened: Opened
    openers: Openers
    has_opener: Bools
    is_request: Bools
    local_opens: Bools
    edge: Bools
    units: Units
    cause: Int32s


class Judge:
    """Judges the parts of one recording; ``interfaces`` are the ids by number, ``watch`` when they were watched."""

    def __init__(
        self,
        inventory: Inventory,
        book: RuleBook,
        interfaces: list[str],
        watch: Watch,
        *,
        max_age_s: int = 3600,
        max_stale_s: int | None = None,
    ) -> None:
        self.book = book
        self.sets = RuleSets()
        self.interface_ids = pa.array(interfaces, pa.string())
        self._inventory = inventory
        self._acls = NetworkAcls(inventory)
        self._watch = watch
        self._max_age_s, self._max_stale_s = max_age_s, max_stale_s
        order = sorted(range(len(interfaces)), key=interfaces.__getitem__)
        self._rank = np.empty(len(interfaces) + 1, np.int32)
        self._rank[[*order, -1]] = np.arange(len(interfaces) + 1)
        self.timeouts = timeouts_of(inventory, interfaces)
        times = np.array(inventory.capture_times, np.int64)
        # Up to half-way to the next snapshot the last one is the nearest.
        halves = (times[:-1] + times[1:]) // 2 if len(times) > 1 else times[:0]
        self._changes = np.unique(np.concatenate([times, halves]))

    def open(self, columns: Sightings) -> Opened:
        """Find the connections of a part, and who opened them by all but their ports."""
        sessions = sessions_of(columns, self._rank, self.timeouts)
        first = sessions.sight_order[sessions.sight_firsts]
        rows = self._rows(sessions)
        told = initiator.told_by_flags(sessions)
        openers = initiator.by_flags(sessions, told)
        every = np.ones(len(sessions.firsts), np.bool_)
        openers = openers.settle(initiator.by_rejects(sessions), initiator.REJECTS, every)
        accepted = any_of(sessions.columns.action == ACCEPT, sessions.firsts)
        sights = np.flatnonzero((openers.is_open & accepted)[sessions.session[first]])
        if len(sights):
            answer = by_rules(sessions, sights, first, rows[first], self.book)
            openers = openers.settle(answer, initiator.RULES, every)
        is_tcp = sessions.columns.protocol[sessions.firsts] == TCP
        openers = self._by_starts(sessions, openers, first, ~is_tcp)
        return Opened(sessions, openers, told, first, rows)

    def conclude(self, opened: Opened, listeners: Listeners | None) -> Judged:
        """Judge the rest: openers by their ports where listeners are known by now, rules, causes."""
        sessions, openers, first = opened.sessions, opened.openers, opened.first
        every = np.ones(len(sessions.firsts), np.bool_)
        if listeners is not None and openers.is_open.any():
            answer = initiator.by_port(sessions, listeners)
            openers = openers.settle(answer, initiator.PORT, every)
            openers = self._by_starts(sessions, openers, first, every)
        opener = openers.opener[sessions.session]
        has_opener = opener != NOBODY
        is_request = has_opener & ((opener == LESSER) == sessions.forward)
        is_request |= has_opener & initiator.asks_anew(sessions)
        lesser = is_lesser(sessions.columns)[first]
        local_opens = (openers.opener[sessions.session[first]] == LESSER) == lesser
        edge = self._edge(opened)
        is_sure = np.isin(openers.basis, (initiator.FLAGS, initiator.REJECTS))
        question = Question(
            asked=has_opener & (sessions.columns.action == ACCEPT) & (sessions.columns.egress >= 0),
            local_opens=local_opens,
            unseen=edge & ~is_sure[sessions.session[first]],
        )
        units = ask(
            sessions, question, opened.rows, self._stretches(sessions), self.book, self.sets
        )
        cause = self._causes(opened, has_opener & ~is_request)
        return Judged(opened, openers, has_opener, is_request, local_opens, edge, units, cause)

    def idle_s(self, sessions: Sessions) -> Int64s:
        """Give how long each connection is tracked while nothing of it is seen."""
        columns = sessions.columns.take(sessions.firsts)
        return np.where(
            columns.protocol == TCP,
            self.timeouts.tcp_established[columns.interface],
            self.timeouts.udp_stream[columns.interface],
        )

    def _by_starts(
        self, sessions: Sessions, openers: Openers, first: Places, where: Bools
    ) -> Openers:
        if not (openers.is_open & where).any():
            return openers
        answer = initiator.by_starts(sessions, first, self._inside(sessions, first))
        return openers.settle(answer, initiator.STARTS, where)

    def _rows(self, sessions: Sessions) -> Int32s:
        columns = sessions.columns
        found = self._inventory.interfaces_of(
            dictionary_array(columns.interface, self.interface_ids),
            columns.start,
            columns.end,
            max_age_s=self._max_age_s,
            max_stale_s=self._max_stale_s,
        )
        return found.rows

    def _stretches(self, sessions: Sessions) -> Int64s:
        if self._inventory.is_timeless and self._max_stale_s is None:
            return np.zeros(len(sessions.key), np.int64)
        return np.searchsorted(self._changes, sessions.columns.start, "right")

    def _inside(self, sessions: Sessions, first: Places) -> Bools:
        """Tell which sights began while their interface was watched for as long as it remembers connections."""
        columns = sessions.columns
        interface = columns.interface[first]
        remembered = np.where(
            columns.protocol[first] == TCP, _TCP_IDLE_S, self.timeouts.udp_stream[interface]
        )
        return self._watch.held(interface, columns.start[first], remembered)

    def _edge(self, opened: Opened) -> Bools:
        """Tell which sights may have begun before they were recorded: TCP without its SYN where flags were logged."""
        sessions, first = opened.sessions, opened.first
        columns = sessions.columns
        logged = (columns.protocol == TCP) & (columns.flags >= 0)
        session = sessions.session[first]
        has_flags = any_of(logged, sessions.firsts)[session]
        has_syn = any_of(opened.told != NOBODY, sessions.firsts)[session]
        return np.where(has_flags, ~has_syn, ~self._inside(sessions, first))

    def _causes(self, opened: Opened, is_reply: Bools) -> Int32s:
        sessions = opened.sessions
        cause = np.full(len(sessions.key), -1, np.int32)
        rejected = np.flatnonzero(sessions.columns.action == REJECT)
        if len(rejected):
            ends = ends_of(sessions, rejected, opened.rows[rejected])
            cause[rejected] = causes_of(
                sessions, rejected, ends, is_reply[rejected], self.book, self._acls
            )
        return cause
