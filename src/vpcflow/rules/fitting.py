"""Which orientation of a connection the rules in force admit, at both its network interfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vpcflow.admission import Packets, verdicts
from vpcflow.rules.initiator import GREATER, LESSER, NOBODY

if TYPE_CHECKING:
    from vpcflow.addresses import Addresses
    from vpcflow.admission import RuleBook
    from vpcflow.rules.sessions import Sessions

Bools = npt.NDArray[np.bool_]
Int8s = npt.NDArray[np.int8]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Places = npt.NDArray[np.intp]


class Ends(NamedTuple):
    """Some sightings as questions: their interface's version then, both ends' addresses and ports."""

    row: Int32s
    protocol: Int32s
    time_s: Int64s
    local: Addresses
    local_port: Int32s
    peer: Addresses
    peer_port: Int32s

    def opened_by_local(self) -> Packets:
        """The packet that opens the connection, if the local end opens it."""
        egress = np.ones(len(self.row), np.bool_)
        return Packets(self.row, egress, self.protocol, self.peer_port, self.peer, self.time_s)

    def opened_by_peer(self) -> Packets:
        """The packet that opens the connection, if the peer opens it."""
        egress = np.zeros(len(self.row), np.bool_)
        return Packets(self.row, egress, self.protocol, self.local_port, self.peer, self.time_s)

    def opened(self, is_local: Bools) -> Packets:
        """The packet that opens the connection, where it is known which end does."""
        port = np.where(is_local, self.peer_port, self.local_port)
        return Packets(self.row, is_local, self.protocol, port, self.peer, self.time_s)

    def seen_from(self, row: Int32s) -> Ends:
        """The same from the other end, whose interface's version is given."""
        return Ends(
            row, self.protocol, self.time_s, self.peer, self.peer_port, self.local, self.local_port
        )


def ends_of(sessions: Sessions, at: Places, row: Int32s) -> Ends:
    """Give the sightings at these places as questions."""
    columns = sessions.columns.take(at)
    local, peer = columns.ends()
    return Ends(
        row,
        columns.protocol.astype(np.int32),
        columns.start,
        local,
        columns.local_port,
        peer,
        columns.peer_port,
    )


def by_rules(
    sessions: Sessions,
    sights: Places,
    first_of_sight: Places,
    row_of_sight: Int32s,
    book: RuleBook,
) -> Int8s:
    """
    Tell the opener of connections where only one orientation is admitted, asking the interfaces of these sights.

    Both the interface of the sight is asked and the peer's, if the inventory knows it: a connection needs the egress
    rules of who opens it and the ingress rules of the other. An interface that is not known, or has no groups, admits
    either; so does one where what is missing in the inventory might, or where a rule of another time does.
    """
    count = len(sessions.firsts)
    at = first_of_sight[sights]
    ends = ends_of(sessions, at, row_of_sight[sights])
    outward = book.admit(ends.opened_by_local())
    refuses_local = verdicts.refused(book, ends.opened_by_local(), outward)
    refuses_peer = _refused(book, ends.opened_by_peer())
    far = np.flatnonzero(outward.peer_row >= 0)
    if len(far):
        there = _take(ends, far).seen_from(outward.peer_row[far])
        refuses_local[far] |= _refused(book, there.opened_by_peer())
        refuses_peer[far] |= _refused(book, there.opened_by_local())
    undirected = sessions.columns.egress[at] < 0
    refuses_local &= ~undirected
    refuses_peer &= ~undirected
    columns = sessions.columns
    local_is_lesser = columns.local_socket[at] < columns.peer_socket[at]
    session = sessions.session[at]
    lesser_refused, greater_refused = (
        np.bincount(session[refused], minlength=count) > 0
        for refused in (
            np.where(local_is_lesser, refuses_local, refuses_peer),
            np.where(local_is_lesser, refuses_peer, refuses_local),
        )
    )
    return np.where(
        greater_refused & ~lesser_refused,
        LESSER,
        np.where(lesser_refused & ~greater_refused, GREATER, NOBODY),
    )


def _refused(book: RuleBook, packets: Packets) -> Bools:
    return verdicts.refused(book, packets, book.admit(packets))


def _take(ends: Ends, at: Places) -> Ends:
    return Ends(
        ends.row[at], ends.protocol[at], ends.time_s[at],
        ends.local.take(at), ends.local_port[at], ends.peer.take(at), ends.peer_port[at],
    )  # fmt: skip
