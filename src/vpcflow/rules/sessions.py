"""
From sightings to connections: which records belong to one, and where the next of the same two sockets begins.

All is worked out from the records in the order of their times, never from the order in which they were read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vpcflow.rules.sightings import keys_of, mixed

if TYPE_CHECKING:
    from vpcflow.rules.sightings import Sightings

Bools = npt.NDArray[np.bool_]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Places = npt.NDArray[np.intp]
Words = npt.NDArray[np.uint64]

TCP, UDP = 6, 17
FIN, SYN, RST, ACK = 1, 2, 4, 16

CLOSED_TIMEOUT_S = 120
"""How long after both sides have closed, or one has reset, a record may still be of the same connection."""

_SPAN = np.int64(1 << 34)
_NEVER = np.int64(-(1 << 33))


class Timeouts(NamedTuple):
    """
    Idle times after which an interface forgets a connection, seconds, one for each interface; the last is for none.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html#connection-tracking-timeouts
    """

    tcp_established: Int64s
    udp: Int64s
    udp_stream: Int64s


class Sessions(NamedTuple):
    """
    The sightings of a part, sorted by connection and time, and the connections they make.

    ``columns`` are those of `SIGHTINGS`, sorted. ``session`` numbers the connection of each sighting, ascending from 0;
    ``firsts`` is where each begins. ``forward`` says that the packets went from the lesser socket to the greater one.
    ``sight`` numbers the (connection, interface, end) of each sighting, what is a row of ``CONNECTIONS``; a sighting
    that is in the log twice is ``again``. ``closed`` tells which connections have come to their end.
    """

    columns: Sightings
    key: Words
    session: Int64s
    firsts: Places
    forward: Bools
    again: Bools
    closed: Bools
    sight: Int64s
    sight_firsts: Places
    sight_order: Places


def sessions_of(columns: Sightings, interface_rank: Int32s, timeouts: Timeouts) -> Sessions:
    """
    Sort the sightings of a part and tell connections apart.

    A connection ends where nothing was seen for as long as its interface tracks it, where both sides have closed it and
    more than two minutes passed, and before a SYN of a side that had already got beyond its own. ``interface_rank``
    orders interfaces by their ids, whatever numbers they have here (the last: none).
    """
    key = keys_of(columns)
    ties = _ties(columns, interface_rank)
    order = np.lexsort((ties, columns.start, key))
    columns = columns.take(order)
    key, ties = key[order], ties[order]
    forward = _forward(columns)
    again = np.zeros(len(key), np.bool_)
    again[1:] = (
        (key[1:] == key[:-1]) & (columns.start[1:] == columns.start[:-1]) & (ties[1:] == ties[:-1])
    )
    opens = np.ones(len(key), np.bool_)
    opens[1:] = (key[1:] != key[:-1]) | (
        np.minimum(columns.local_socket, columns.peer_socket)[1:]
        != np.minimum(columns.local_socket, columns.peer_socket)[:-1]
    )
    group = np.cumsum(opens) - 1
    opens |= _begins_anew(columns, group, forward) & ~again
    opens |= _was_forgotten(columns, group, timeouts)
    session = np.cumsum(opens) - 1
    opens |= _was_closed(columns, session, forward)
    session = np.cumsum(opens) - 1
    firsts = np.flatnonzero(opens)
    closed = np.zeros(len(firsts), np.bool_)
    if len(key):
        lasts = np.append(firsts[1:], len(key)) - 1
        closed = _is_closed(columns, session, forward)[lasts]
    return Sessions(
        columns, key, session, firsts, forward, again, closed, *_sights(columns, session)
    )


def is_lesser(columns: Sightings) -> Bools:
    """Tell whether the local socket is the lesser of the two."""
    lesser: Bools = columns.local_socket < columns.peer_socket
    return lesser


def _forward(columns: Sightings) -> Bools:
    """Tell whether the source is the lesser socket: the local one, unless the record is of ingress."""
    from_local = columns.egress != 0
    return np.asarray(is_lesser(columns) == from_local)


def _ties(columns: Sightings, interface_rank: Int32s) -> Words:
    """Order records of one second by what they say, those with a SYN first."""
    word = interface_rank[columns.interface].astype(np.uint64)
    for values in (
        columns.egress, columns.action, columns.flags,
        columns.end, columns.packets, columns.bytes, columns.reason,
    ):  # fmt: skip
        word = mixed(word * np.uint64(31) + values.astype(np.int64).astype(np.uint64))
    word = mixed(word + columns.local_socket)
    has_syn = (columns.flags >= 0) & (columns.flags & SYN > 0)
    return word >> np.uint64(1) | (~has_syn).astype(np.uint64) << np.uint64(63)


def _begins_anew(columns: Sightings, group: Int64s, forward: Bools) -> Bools:
    """Mark a SYN of a side that had, in its record before, more than its SYN: ended, or gone on without one."""
    flags = columns.flags
    has_syn = (flags >= 0) & (flags & SYN > 0) & (columns.protocol == TCP)
    found = np.zeros(len(group), np.bool_)
    if not has_syn.any():
        return found
    leg = (
        (columns.interface.astype(np.int64) + 1) * 4
        + is_lesser(columns) * 2
        + forward.astype(np.int64)
    )
    order = _by_both(group, leg)
    same = np.zeros(len(group), np.bool_)
    same[1:] = (leg[order][1:] == leg[order][:-1]) & (group[order][1:] == group[order][:-1])
    before = np.zeros(len(group), np.int64)
    before[1:] = flags[order][:-1]
    went_on = (before & (FIN | RST) > 0) | (before & SYN == 0)
    found[order] = has_syn[order] & same & went_on
    return found


def _was_forgotten(columns: Sightings, group: Int64s, timeouts: Timeouts) -> Bools:
    """Mark records that come after a pause longer than the connection is tracked."""
    seen_until = _latest_before(columns.end, group)
    pause = columns.start - seen_until
    protocol, interface = columns.protocol, columns.interface
    is_stream = _latest_before(columns.packets, group) > 1
    limit = np.where(
        protocol == TCP,
        timeouts.tcp_established[interface],
        np.where(is_stream, timeouts.udp_stream[interface], timeouts.udp[interface]),
    )
    return np.asarray((seen_until > _NEVER) & (pause > limit))


def _was_closed(columns: Sightings, session: Int64s, forward: Bools) -> Bools:
    """Mark records that come well after the end of a connection, without a SYN that was logged."""
    before = _is_closed(columns, session, forward)
    is_after = np.zeros(len(session), np.bool_)
    is_after[1:] = before[:-1] & (session[1:] == session[:-1])
    pause = columns.start - _latest_before(columns.end, session)
    return is_after & (pause > CLOSED_TIMEOUT_S)


def _is_closed(columns: Sightings, session: Int64s, forward: Bools) -> Bools:
    """Tell for each record whether, up to it, both sides of its connection have sent FIN, or one RST."""
    flags = np.where(columns.protocol == TCP, np.maximum(columns.flags, 0), 0)
    fin = flags & FIN > 0
    counts = [np.cumsum(mark) for mark in (fin & forward, fin & ~forward, flags & RST > 0)]
    starts = np.flatnonzero(np.diff(session, prepend=-1))
    seen = [count - np.repeat(count[starts] - mark[starts], np.diff(starts, append=len(session)))
            for count, mark in zip(counts, (fin & forward, fin & ~forward, flags & RST > 0))]  # fmt: skip
    return np.asarray((seen[0] > 0) & (seen[1] > 0) | (seen[2] > 0))


def _latest_before(values: npt.NDArray[np.generic], group: Int64s) -> Int64s:
    """Give the greatest value of the rows before each in its group; far below all where it is the first."""
    found = np.full(len(group), _NEVER, np.int64)
    if len(group) > 1:
        capped = np.minimum(values.astype(np.int64), _SPAN - 1)
        highest = np.maximum.accumulate(capped + group * _SPAN) - group * _SPAN
        same = group[1:] == group[:-1]
        found[1:] = np.where(same, highest[:-1], _NEVER)
    return found


def _by_both(ascending: Int64s, then: Int64s) -> Places:
    """Give the order by two columns, of which the first ascends already: it is nearly in order."""
    width = int(then.max(initial=0)) + 1
    return np.argsort(ascending * width + then, kind="stable")


def _sights(columns: Sightings, session: Int64s) -> tuple[Int64s, Places, Places]:
    """
    Number the (connection, interface, end) of each sighting; and give an order by number, and where each begins in it.
    """
    low = (
        (columns.interface.astype(np.int64) + 1) * 4
        + is_lesser(columns) * 2
        + (columns.egress >= 0)
    )
    order = _by_both(session, low)
    begins = np.ones(len(session), np.bool_)
    begins[1:] = (low[order][1:] != low[order][:-1]) | (session[order][1:] != session[order][:-1])
    sight = np.empty(len(session), np.int64)
    sight[order] = np.cumsum(begins) - 1
    return sight, np.flatnonzero(begins), order
