"""Who opened the connection a record is of, as far as the record itself tells: by its TCP flags, and by rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vpcflow.admission import verdicts
from vpcflow.codes import INITIATORS
from vpcflow.enrich.seen import numbers

if TYPE_CHECKING:
    import pyarrow as pa

    from vpcflow.admission import Admitted, Packets, RuleBook
    from vpcflow.enrich.seen import Seen

Bools = npt.NDArray[np.bool_]
Int32s = npt.NDArray[np.int32]
Places = npt.NDArray[np.intp]

SRC, DST = (np.int32(INITIATORS.index(end)) for end in ("src", "dst"))
PEER, LOCAL, NOBODY = np.int8(0), np.int8(1), np.int8(-1)
TCP = 6

_SYN, _ACK = 2, 16


class Answered(NamedTuple):
    """Packets of the records at these places, and the rules that admit them."""

    at: Places
    packets: Packets
    admitted: Admitted


def by_flags(flows: pa.RecordBatch) -> Int32s:
    """
    Give each flow's initiator by its TCP flags, an index into ``codes.INITIATORS``; -1 where they do not tell.

    The end that opens sends SYN without ACK, the other SYN with ACK. AWS logs ACK only beside SYN: records of neither
    end's first packets have 0. https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html, tcp-flags
    """
    found = np.full(flows.num_rows, -1, np.int32)
    if not {"protocol", "tcp_flags"} <= set(flows.schema.names):
        return found
    flags = numbers(flows, "tcp_flags", 0)
    opens = (numbers(flows, "protocol", 0) == TCP) & ((flags & _SYN) != 0)
    found[opens] = np.where((flags[opens] & _ACK) != 0, DST, SRC)
    return found


def by_rules(
    seen: Seen, outward: Answered, inward: Answered, book: RuleBook
) -> npt.NDArray[np.int8]:
    """
    Tell who opened connections that were accepted: ``LOCAL``, ``PEER``, or ``NOBODY`` where either may have.

    ``outward`` are the packets that the local end would have opened them with, ``inward`` those of the peer. Where one
    would have been turned away, it was the other. A connection needs egress rules of the one end and ingress rules of
    the other: where the record's own interface leaves both possible, the peer's is asked, if the inventory knows it.
    """
    refuses = [verdicts.refused(book, one.packets, one.admitted) for one in (outward, inward)]
    row = np.maximum(outward.admitted.peer_row, inward.admitted.peer_row)
    far = np.flatnonzero(~refuses[0] & ~refuses[1] & (row >= 0))
    far = far[book.has_groups[row[far]]]
    if len(far):
        twice = np.concatenate([far, far])
        egress = np.arange(len(twice)) < len(far)
        there = seen.at_peers(outward.at[twice], row[twice], egress)
        refused = verdicts.refused(book, there, book.admit(there))
        refuses[0][far], refuses[1][far] = np.split(refused, 2)
    found = np.full(len(outward.at), NOBODY)
    found[refuses[0] & ~refuses[1]] = PEER
    found[refuses[1] & ~refuses[0]] = LOCAL
    return found
