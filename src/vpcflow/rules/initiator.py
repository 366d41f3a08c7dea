"""
Who opened each connection: what the records themselves tell, in the order of how sure it is.

Security group rules apply to the side that opens a connection; a wrong answer here makes every later one wrong. So
each kind of evidence says something or nothing, and what contradicts itself says nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vpcflow.codes import INITIATOR_BASES
from vpcflow.rules.sessions import ACK, SYN, TCP, UDP, is_lesser
from vpcflow.rules.sightings import ACCEPT, REJECT

if TYPE_CHECKING:
    from vpcflow.rules.listeners import Listeners
    from vpcflow.rules.sessions import Sessions

Bools = npt.NDArray[np.bool_]
Int8s = npt.NDArray[np.int8]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Places = npt.NDArray[np.intp]

LESSER, GREATER, NOBODY = np.int8(1), np.int8(-1), np.int8(0)
"""Which socket opened a connection; the sum of two that contradict each other is nobody."""

FLAGS, STATE, MIRROR, REJECTS, RULES, STARTS, PORT = range(len(INITIATOR_BASES))

_WELL_KNOWN, _REGISTERED = 1024, 32_768
_MANY = 3


class Openers(NamedTuple):
    """
    Who opened each connection, and how that is known: an index of ``codes.INITIATOR_BASES``, -1 where it is not.

    ``sure`` are connections whose records contradict each other, and where nothing weaker is asked.
    """

    opener: Int8s
    basis: Int8s
    contradicted: Bools

    def settle(self, opener: Int8s, basis: int, where: Bools) -> Openers:
        """Take answers where there were none."""
        new = where & (self.opener == NOBODY) & (opener != NOBODY) & ~self.contradicted
        return self._replace(
            opener=np.where(new, opener, self.opener),
            basis=np.where(new, np.int8(basis), self.basis),
        )

    @property
    def is_open(self) -> Bools:
        """Where there is no answer yet, and there may be one."""
        return np.asarray((self.opener == NOBODY) & ~self.contradicted)


def told_by_flags(sessions: Sessions) -> Int8s:
    """
    Give for each sighting who opened the connection by its own TCP flags: SYN without ACK is sent by who opens it.

    AWS writes the ACK bit only with SYN-ACK: 2 and 3 are of the opener, 18 and 19 of the other side.
    https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html, field tcp-flags
    """
    flags = sessions.columns.flags
    has_syn = (sessions.columns.protocol == TCP) & (flags >= 0) & (flags & SYN > 0)
    from_opener = flags & ACK == 0
    lesser_opens = sessions.forward == from_opener
    return np.where(has_syn, np.where(lesser_opens, LESSER, GREATER), NOBODY)


def by_flags(sessions: Sessions, told: Int8s) -> Openers:
    """Begin with what the flags of any record of a connection tell; what they tell both ways is contradicted."""
    lesser, greater = (
        any_of(told == LESSER, sessions.firsts),
        any_of(told == GREATER, sessions.firsts),
    )
    opener = np.where(lesser, LESSER, NOBODY) + np.where(greater, GREATER, NOBODY)
    basis = np.where(opener != NOBODY, np.int8(FLAGS), np.int8(-1))
    return Openers(opener.astype(np.int8), basis, lesser & greater)


def by_rejects(sessions: Sessions) -> Int8s:
    """
    Tell the opener by who was turned away: one whose packets were rejected and who got no answer has asked; one whose
    answers were rejected was asked.

    Of TCP connections whose flags were logged a rejected record without SYN is a late one: it tells nothing.
    """
    columns, firsts, forward = sessions.columns, sessions.firsts, sessions.forward
    action = columns.action
    rejected = [any_of((action == REJECT) & side, firsts) for side in (forward, ~forward)]
    accepted = [any_of((action == ACCEPT) & side, firsts) for side in (forward, ~forward)]
    seen = [any_of(side, firsts) for side in (forward, ~forward)]
    lesser = rejected[0] & ~seen[1] | accepted[0] & rejected[1] & ~accepted[1]
    greater = rejected[1] & ~seen[0] | accepted[1] & rejected[0] & ~accepted[0]
    opener = np.where(lesser, LESSER, NOBODY) + np.where(greater, GREATER, NOBODY)
    flags_logged = any_of((columns.protocol == TCP) & (columns.flags >= 0), firsts)
    return np.where(flags_logged, NOBODY, opener.astype(np.int8))


def asks_anew(sessions: Sessions) -> Bools:
    """
    Tell which rejected sightings are no replies, whoever opened the connection.

    Protocols without ports have one connection for all that two addresses say: each may ping the other. Where an
    interface let packets of the same side pass and turned others away, those are of another kind: what answers is let
    through by state, what asks needs a rule.
    """
    columns = sessions.columns
    way = sessions.sight * 2 + sessions.forward
    accepted = np.bincount(way[columns.action == ACCEPT], minlength=2 * len(sessions.sight_firsts))
    has_ports = (columns.protocol == TCP) | (columns.protocol == UDP)
    return np.asarray((columns.action == REJECT) & ~has_ports & (accepted[way] > 0))


def by_starts(sessions: Sessions, first_of_sight: Places, inside: Bools) -> Int8s:
    """
    Tell the opener by whose first packet an interface saw first, by at least a second.

    ``inside`` says of each sight that its interface was watched for as long before as it would have remembered the
    connection. Interfaces that contradict each other say nothing.
    """
    start = sessions.columns.start
    count = len(sessions.sight_firsts)
    far = np.int64(1 << 40)
    earliest = []
    for side in (sessions.forward, ~sessions.forward):
        times = np.where(side, start, far)[sessions.sight_order]
        earliest.append(np.minimum.reduceat(times, sessions.sight_firsts) if count else times)
    says = np.where(
        earliest[0] < earliest[1], LESSER, np.where(earliest[1] < earliest[0], GREATER, NOBODY)
    )
    says = np.where(inside, says, NOBODY)
    session = sessions.session[first_of_sight]
    lesser, greater = (
        np.bincount(session[says == who], minlength=len(sessions.firsts)) > 0
        for who in (LESSER, GREATER)
    )
    return np.where(lesser & ~greater, LESSER, np.where(greater & ~lesser, GREATER, NOBODY))


def by_port(sessions: Sessions, listeners: Listeners) -> Int8s:
    """
    Tell the opener of a TCP connection by which socket is a service.

    In this order: a socket that surer records show only as asked; one with at least three partners and three times as
    many as the other; a well-known port (below 1024) against a higher one, a registered one against an ephemeral one
    (from 32768 on, as Linux and most others choose them).
    """
    columns = sessions.columns.take(sessions.firsts)
    is_local = is_lesser(columns)
    sockets = (
        np.where(is_local, columns.local_socket, columns.peer_socket),
        np.where(is_local, columns.peer_socket, columns.local_socket),
    )
    ports = (
        np.where(is_local, columns.local_port, columns.peer_port),
        np.where(is_local, columns.peer_port, columns.local_port),
    )
    (lesser_partners, lesser_asked), (greater_partners, greater_asked) = map(listeners.of, sockets)
    answer = _versus(lesser_asked, greater_asked)
    busy = _versus(
        (lesser_partners >= _MANY) & (lesser_partners >= _MANY * greater_partners),
        (greater_partners >= _MANY) & (greater_partners >= _MANY * lesser_partners),
    )
    lesser_class, greater_class = (
        (port < _REGISTERED).astype(np.int64) + (port < _WELL_KNOWN) for port in ports
    )
    answer = np.where(answer == NOBODY, busy, answer)
    answer = np.where(answer == NOBODY, _versus(lesser_class, greater_class), answer)
    return np.where(columns.protocol == TCP, answer, NOBODY)


def _versus(lesser: Int64s | Bools, greater: Int64s | Bools) -> Int8s:
    """Give the opener where one socket is more of a service than the other: it is the other one."""
    return np.sign(greater.astype(np.int64) - lesser.astype(np.int64)).astype(np.int8)


def any_of(mask: Bools, firsts: Places) -> Bools:
    """Tell for each run of rows, by where it begins, whether the mask is true anywhere in it."""
    if not len(firsts):
        return np.zeros(0, np.bool_)
    return np.asarray(np.logical_or.reduceat(mask, firsts))
