"""Records as their own network interfaces see them: a local end and a peer, of which rules can be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vpcflow.admission import Packets
from vpcflow.dictionaries import codes_of

if TYPE_CHECKING:
    import pyarrow as pa

    from vpcflow.enrich.answers import Answers

Bools = npt.NDArray[np.bool_]
Int32s = npt.NDArray[np.int32]
Places = npt.NDArray[np.intp]


class Seen(NamedTuple):
    """
    The records of a batch; ``known`` marks those of which rules can be asked.

    ``row`` is the version of the record's interface, -1 where unknown. ``local`` and ``peer`` are numbers of
    ``Answers.ends``: addresses as in the packet where they are logged.
    """

    answers: Answers
    known: Bools
    row: Int32s
    egress: Bools
    protocol: Int32s
    local: Int32s
    peer: Int32s
    local_port: Int32s
    peer_port: Int32s

    def packets(self, at: Places, egress: Bools) -> Packets:
        """Give packets between the ends of these records, each of the way that ``egress`` says."""
        return Packets(
            self.row[at],
            egress,
            self.protocol[at],
            np.where(egress, self.peer_port[at], self.local_port[at]),
            self.answers.end_addresses.take(self.peer[at]),
            self.answers.start_s[at],
        )

    def at_peers(self, at: Places, row: Int32s, egress: Bools) -> Packets:
        """Give the same packets as the interfaces at the other end, of these versions, see them."""
        return self.packets(at, egress)._replace(
            row=row, is_egress=~egress, peer=self.answers.end_addresses.take(self.local[at])
        )


def seen(flows: pa.RecordBatch, answers: Answers) -> Seen:
    """See the records from their interfaces; reads ``direction``."""
    direction = flows.column("direction")
    # A null row's code is -1: it takes the item added at the end.
    words = [*direction.dictionary.to_pylist(), None]
    egress = np.array([word == "egress" for word in words])[codes_of(direction)]
    src, dst = answers.packet_codes("srcaddr"), answers.packet_codes("dstaddr")
    srcport, dstport = (numbers(flows, name, 0) for name in ("srcport", "dstport"))
    own = answers.own
    row = np.full(flows.num_rows, -1, np.int32) if own is None else own.rows
    protocol, peer = numbers(flows, "protocol", -1), np.where(egress, dst, src)
    return Seen(
        answers,
        (row >= 0) & (codes_of(direction) >= 0) & (peer >= 0) & (protocol >= 0),
        row,
        egress,
        protocol,
        np.where(egress, src, dst),
        peer,
        np.where(egress, srcport, dstport),
        np.where(egress, dstport, srcport),
    )


def numbers(flows: pa.RecordBatch, name: str, null: int) -> Int32s:
    """Give a column of numbers, this one where it is null or the layout lacks it."""
    if name not in flows.schema.names:
        return np.full(flows.num_rows, null, np.int32)
    column = flows.column(name)
    if column.null_count:
        column = column.fill_null(null)
    return np.asarray(column.to_numpy(zero_copy_only=False), np.int32)
