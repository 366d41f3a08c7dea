"""Why packets were rejected: by a security group, a network ACL, or for having come too late."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vpcflow.admission import Packets, verdicts
from vpcflow.rules.sessions import FIN, RST, TCP
from vpcflow.rules.sightings import ACCEPT, EGRESS, REJECT

if TYPE_CHECKING:
    from vpcflow.admission import NetworkAcls, RuleBook
    from vpcflow.rules.fitting import Ends
    from vpcflow.rules.sessions import Sessions

Bools = npt.NDArray[np.bool_]
Int8s = npt.NDArray[np.int8]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Places = npt.NDArray[np.intp]


def causes_of(
    sessions: Sessions,
    rejected: Places,
    ends: Ends,
    is_reply: Bools,
    book: RuleBook,
    acls: NetworkAcls,
) -> Int32s:
    """
    Give the cause of each rejected sighting, an index of ``codes.REJECT_CAUSES``.

    Where no rule of the interface admits the packet it is its groups, which are what is asked of it last on the way in
    and first on the way out. A reply needs no rule: groups remember what they admitted; so where the request was
    accepted at the same interface, the reply met a network ACL, which remembers nothing, or came after the end of the
    connection. Where rules admit the packet a network ACL that denies it proves itself the cause.
    """
    egress = sessions.columns.egress[rejected]
    is_egress = egress == EGRESS
    port = np.where(is_egress, ends.peer_port, ends.local_port)
    packets = Packets(ends.row, is_egress, ends.protocol, port, ends.peer, ends.time_s)
    cause = verdicts.rejected(book, acls, packets, book.admit(packets))
    cause[egress < 0] = verdicts.CAUSE_UNKNOWN
    answered = np.flatnonzero(_was_accepted(sessions, rejected, is_reply))
    denied = verdicts.denied(acls, packets.take(answered))
    proven = denied | ~_is_late(sessions, rejected)[answered]
    cause[answered] = np.where(proven, verdicts.NETWORK_ACL, verdicts.NETWORK_ACL_OR_LATE)
    return cause.astype(np.int32)


def _was_accepted(sessions: Sessions, rejected: Places, is_reply: Bools) -> Bools:
    """Tell of which rejected replies the request was accepted at the same interface."""
    columns, sight = sessions.columns, sessions.sight
    accepted = columns.action == ACCEPT
    count = len(sessions.sight_firsts)
    sides = [
        np.bincount(sight[accepted & side], minlength=count) > 0
        for side in (sessions.forward, ~sessions.forward)
    ]
    other = np.where(
        sessions.forward[rejected], sides[1][sight[rejected]], sides[0][sight[rejected]]
    )
    return is_reply & other


def _is_late(sessions: Sessions, rejected: Places) -> Bools:
    """Tell which of these may have come after the end of their connection: TCP, once it was closed or reset."""
    columns = sessions.columns
    flags = np.maximum(columns.flags, 0)
    ends = (columns.protocol == TCP) & (flags & (FIN | RST) > 0) & (columns.action != REJECT)
    far = np.int64(1 << 40)
    ended = (
        np.minimum.reduceat(np.where(ends, columns.start, far), sessions.firsts)
        if len(ends)
        else ends
    )
    unlogged = (columns.protocol == TCP) & (columns.flags < 0)
    return np.asarray((ended[sessions.session] <= columns.end)[rejected] | unlogged[rejected])
