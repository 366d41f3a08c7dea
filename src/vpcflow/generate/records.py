"""
Connections become flow records: a leg for each ENI and direction that sees them, a record for each interval.

https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html (secondary addresses, NAT gateways)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vpcflow.generate.admission import (
    ACCEPTED,
    REJECTED_EGRESS,
    REJECTED_INGRESS,
    REPLY_REJECTED_EGRESS,
    REPLY_REJECTED_INGRESS,
    TCP,
)
from vpcflow.generate.endpoints import PEERING, SAME_VPC
from vpcflow.generate.scenario import INTERVAL_S

if TYPE_CHECKING:
    from collections.abc import Collection

    from vpcflow.generate.endpoints import BoolArray, Endpoints, IntArray
    from vpcflow.generate.traffic import Connections, FloatArray, LongArray

ACCEPT, REJECT, NODATA, SKIPDATA = 0, 1, 2, 3
"""Outcomes of a record: its action, or the log status of one without traffic."""

INGRESS, EGRESS, NO_DIRECTION = 0, 1, 2
FAMILY_IPV4, FAMILY_IPV6, NO_FAMILY = 0, 1, 2
CLEAR, NITRO, ENCRYPTION_UNKNOWN = 0, 1, 4
NO_PORT, NO_PROTOCOL, NO_FLAGS = 65536, 256, 64
_FIN, _SYN, _RST, _SYN_ACK = 1, 2, 4, 18

Records = dict[str, npt.NDArray[np.int32] | npt.NDArray[np.int64]]
"""Columns of flow records, by the names of ``COLUMNS``; all of one length."""

COLUMNS = ("eni", "src", "dst", "pkt_src", "pkt_dst", "src_port", "dst_port", "protocol", "packets", "bytes",
           "start", "end", "outcome", "flags", "family", "direction", "path", "next_hop", "encryption")  # fmt: skip
"""
What a record is made of. ``eni`` and ``next_hop`` are rows of the network's ENIs (one past the last: none), addresses
are rows of the endpoints, ``start`` and ``end`` seconds since the simulation's start; -1 packets or bytes is none.
"""


class Legs(NamedTuple):
    """What one ENI sees of one direction of one connection; ``back`` is true from responder to initiator."""

    connection: IntArray
    eni: IntArray
    back: BoolArray
    direction: IntArray
    action: IntArray
    src: IntArray
    dst: IntArray
    pkt_src: IntArray
    pkt_dst: IntArray
    src_port: IntArray
    dst_port: IntArray
    path: IntArray
    next_hop: IntArray


class Watch(NamedTuple):
    """
    How the ENIs record: ``phase`` is when in a minute an ENI's interval begins, in seconds.

    ``primary`` is the endpoint row of each ENI's primary address, ``vpc`` the number of its VPC.
    """

    endpoints: Endpoints
    phase: IntArray
    primary: IntArray
    vpc: IntArray

    @property
    def no_eni(self) -> int:
        """The row that stands for no ENI."""
        return len(self.phase)


def legs_of(connections: Connections, watch: Watch) -> Legs:
    """
    Give all legs: two at each end that is an ENI, and four at a NAT gateway between.

    A connection that is rejected where it leaves has one leg, one that is rejected on arrival one at each ENI. A
    rejected reply is one leg more where it leaves, or two where it is rejected on arrival.
    """
    parts = [*_end_legs(connections, watch), *_nat_legs(connections, watch)]
    return Legs(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _end_legs(connections: Connections, watch: Watch) -> list[Legs]:
    initiator_eni = watch.endpoints.eni[connections.initiator]
    responder_eni = watch.endpoints.eni[connections.responder]
    own, far, answered = initiator_eni >= 0, responder_eni >= 0, connections.verdict == ACCEPTED
    leaves = connections.verdict != REJECTED_EGRESS
    arrives = answered | (connections.verdict == REPLY_REJECTED_INGRESS)
    replied = arrives | (connections.verdict == REPLY_REJECTED_EGRESS)
    legs = []
    for sees, back, direction, stopped in (
        (own, False, EGRESS, REJECTED_EGRESS),
        (far & leaves, False, INGRESS, REJECTED_INGRESS),
        (far & replied, True, EGRESS, REPLY_REJECTED_EGRESS),
        (own & arrives, True, INGRESS, REPLY_REJECTED_INGRESS),
    ):
        (rows,) = np.nonzero(sees)
        legs.append(_end_leg(connections, watch, rows.astype(np.int32), back, direction, stopped))
    return legs


def _end_leg(
    connections: Connections,
    watch: Watch,
    rows: IntArray,
    back: bool,
    direction: int,
    stopped: int,
) -> Legs:
    """Give the legs of these connections; those whose verdict is ``stopped`` end there."""
    at = watch.endpoints
    ends = (connections.initiator[rows], connections.responder[rows])
    ports = (connections.initiator_port[rows], connections.responder_port[rows])
    src, dst = (ends[1], ends[0]) if back else ends
    src_port, dst_port = (ports[1], ports[0]) if back else ports
    here, there = (src, dst) if direction == EGRESS else (dst, src)
    via = connections.via[rows]
    # A NAT gateway's far side keeps its rejects to itself: what it rejects never left the initiator.
    hop = np.where((via >= 0) & (connections.verdict[rows] == ACCEPTED), via, at.eni[there])
    path = np.where(via >= 0, SAME_VPC, _path(watch, here, there)) if direction == EGRESS else 0
    return Legs(
        connection=rows,
        eni=at.eni[here],
        back=np.full(len(rows), back),
        direction=np.full(len(rows), direction, np.int32),
        action=np.where(connections.verdict[rows] == stopped, REJECT, ACCEPT).astype(np.int32),
        src=src,
        dst=at.shown[dst] if direction == INGRESS else dst,
        pkt_src=src,
        pkt_dst=dst,
        src_port=src_port,
        dst_port=dst_port,
        path=np.broadcast_to(np.asarray(path, np.int32), len(rows)),
        next_hop=np.where(hop < 0, watch.no_eni, hop).astype(np.int32),
    )


def _path(watch: Watch, here: IntArray, there: IntArray) -> IntArray:
    """Give the traffic path from an ENI's address to another address."""
    own, far = watch.endpoints.eni[here], watch.endpoints.eni[there]
    is_peered = (far >= 0) & (watch.vpc[own] != watch.vpc[far])
    return np.where(is_peered, PEERING, watch.endpoints.path[there]).astype(np.int32)


def _nat_legs(connections: Connections, watch: Watch) -> list[Legs]:
    """Give a NAT gateway's four legs: in, translated out, the answer in, and translated back to the initiator."""
    (found,) = np.nonzero((connections.via >= 0) & (connections.verdict == ACCEPTED))
    rows = found.astype(np.int32)
    nat = connections.via[rows]
    nat_address = watch.primary[nat]
    inside, outside = connections.initiator[rows], connections.responder[rows]
    port, nat_port = connections.initiator_port[rows], connections.via_port[rows]
    far_port = connections.responder_port[rows]
    inside_eni = watch.endpoints.eni[inside]
    none = np.full(len(rows), watch.no_eni, np.int32)
    out_path = watch.endpoints.path[outside]
    legs = []
    for back, direction, src, dst, pkt_src, pkt_dst, src_port, dst_port, path, hop in (
        (False, INGRESS, inside, nat_address, inside, outside, port, far_port, 0, inside_eni),
        (False, EGRESS, nat_address, outside, nat_address, outside, nat_port, far_port, out_path, none),
        (True, INGRESS, outside, nat_address, outside, nat_address, far_port, nat_port, 0, none),
        (True, EGRESS, nat_address, inside, outside, inside, far_port, port, SAME_VPC, inside_eni),
    ):  # fmt: skip
        legs.append(
            Legs(
                connection=rows,
                eni=nat,
                back=np.full(len(rows), back),
                direction=np.full(len(rows), direction, np.int32),
                action=np.full(len(rows), ACCEPT, np.int32),
                src=src,
                dst=dst,
                pkt_src=pkt_src,
                pkt_dst=pkt_dst,
                src_port=src_port,
                dst_port=dst_port,
                path=np.broadcast_to(np.asarray(path, np.int32), len(rows)),
                next_hop=hop,
            )
        )
    return legs


class Intervals(NamedTuple):
    """The records of legs: a row each, ``leg`` the leg it is of, ``window`` its ENI's interval."""

    leg: LongArray
    window: LongArray
    packets: LongArray
    bytes: LongArray
    start: LongArray
    end: LongArray
    is_first: BoolArray
    is_last: BoolArray


def intervals_of(connections: Connections, legs: Legs, watch: Watch) -> Intervals:
    """
    Cut each leg at its ENI's intervals and share its packets and bytes out over them.

    The first packet opens the connection and the last ends it; intervals without a packet give no record, nor do
    those that end before the simulation starts.
    """
    start, duration = (c[legs.connection] for c in (connections.start, connections.duration))
    phase = watch.phase[legs.eni]
    first = np.floor((start - phase) / INTERVAL_S).astype(np.int64)
    last = np.floor((start + duration - phase) / INTERVAL_S).astype(np.int64)
    # A standing connection's intervals before the simulation were recorded before it.
    shown = np.maximum(first, -2)
    leg, window = _spread(shown, last)
    phase, start, duration = phase[leg], start[leg], duration[leg]
    is_first, is_last = window == first[leg], window == last[leg]
    opens = (window * INTERVAL_S + phase).astype(np.float64)
    closes = opens + INTERVAL_S
    total, size = (
        np.where(legs.back, *pair)
        for pair in (
            (connections.packets_in[legs.connection], connections.packets_out[legs.connection]),
            (connections.bytes_in[legs.connection], connections.bytes_out[legs.connection]),
        )
    )
    total, size = total[leg], size[leg]
    before = np.where(is_first, 0, _sent_by(opens, start, duration, total))
    after = np.where(is_last, total, _sent_by(closes, start, duration, total))
    began = np.floor(np.maximum(start, opens)).astype(np.int64)
    ended = np.floor(np.minimum(start + duration, closes - 0.001)).astype(np.int64)
    shared = _share(size, after, total) - _share(size, before, total)
    (rows,) = np.nonzero((after > before) & (ended >= 0))
    return Intervals(
        leg=leg[rows],
        window=window[rows],
        packets=(after - before)[rows],
        bytes=shared[rows],
        start=began[rows],
        end=ended[rows],
        is_first=is_first[rows],
        is_last=is_last[rows],
    )


def columns_of(
    connections: Connections,
    legs: Legs,
    intervals: Intervals,
    watch: Watch,
    rows: LongArray,
    needed: Collection[str],
) -> Records:
    """Give the needed columns of some of the records, in the order of ``rows``."""
    leg = intervals.leg[rows]
    same = {
        "eni": legs.eni,
        "src": legs.src,
        "dst": legs.dst,
        "pkt_src": legs.pkt_src,
        "pkt_dst": legs.pkt_dst,
        "src_port": legs.src_port,
        "dst_port": legs.dst_port,
        "outcome": legs.action,
        "direction": legs.direction,
        "path": legs.path,
        "next_hop": legs.next_hop,
    }
    records: Records = {name: column[leg] for name, column in same.items() if name in needed}
    for name, values in (
        ("packets", intervals.packets),
        ("bytes", intervals.bytes),
        ("start", intervals.start),
        ("end", intervals.end),
    ):
        if name in needed:
            records[name] = values[rows]
    if "protocol" in needed:
        records["protocol"] = connections.protocol[legs.connection[leg]]
    if "family" in needed:
        records["family"] = watch.endpoints.ipv6[legs.pkt_src[leg]].astype(np.int32)
    if "flags" in needed:
        records["flags"] = _flags(connections, legs, intervals, rows)
    if "encryption" in needed:
        inside = np.where(legs.next_hop[leg] < watch.no_eni, NITRO, CLEAR)
        rejected = legs.action[leg] == REJECT
        records["encryption"] = np.where(rejected, ENCRYPTION_UNKNOWN, inside).astype(np.int32)
    return records


def quiet_records(enis: IntArray, windows: LongArray, outcome: int, watch: Watch) -> Records:
    """Give NODATA or SKIPDATA records of ENIs and their intervals, with all columns."""
    start = windows * INTERVAL_S + watch.phase[enis]
    nothing = {
        "src": watch.endpoints.dash, "dst": watch.endpoints.dash,
        "pkt_src": watch.endpoints.dash, "pkt_dst": watch.endpoints.dash,
        "src_port": NO_PORT, "dst_port": NO_PORT, "protocol": NO_PROTOCOL, "packets": -1, "bytes": -1,
        "outcome": outcome, "flags": NO_FLAGS, "family": NO_FAMILY, "direction": NO_DIRECTION, "path": 0,
        "next_hop": watch.no_eni, "encryption": ENCRYPTION_UNKNOWN,
    }  # fmt: skip
    records: Records = {n: np.full(len(enis), value, np.int32) for n, value in nothing.items()}
    return records | {"eni": enis, "start": start, "end": start + INTERVAL_S - 1}


def _spread(first: LongArray, last: LongArray) -> tuple[LongArray, LongArray]:
    """Count from first to last for each row: the row numbers, and the counts."""
    counts = np.maximum(last - first + 1, 0)
    row = np.repeat(np.arange(len(first)), counts)
    begin = np.cumsum(counts) - counts
    return row, np.arange(len(row)) - begin[row] + first[row]


def _sent_by(
    time: FloatArray, start: FloatArray, duration: FloatArray, total: LongArray
) -> LongArray:
    """Give how many packets were sent before a time inside the connection: all but the last, evenly."""
    share = (time - start) / np.maximum(duration, 1e-9)
    return 1 + np.floor(share * np.maximum(total - 2, 0)).astype(np.int64)


def _share(size: LongArray, packets: LongArray, total: LongArray) -> LongArray:
    return size * packets // total


def _flags(connections: Connections, legs: Legs, intervals: Intervals, rows: LongArray) -> IntArray:
    """OR the TCP flags of each record's interval; AWS shows no ACK but that of a SYN-ACK."""
    leg = intervals.leg[rows]
    connection = legs.connection[leg]
    opening = np.where(legs.back[leg], _SYN_ACK, _SYN)
    # The responder resets; the initiator then sends no FIN.
    by_reset = np.where(legs.back[leg], _RST, 0)
    closing = np.where(connections.reset[connection], by_reset, _FIN)
    answered = connections.verdict[connection] == ACCEPTED
    flags = np.where(intervals.is_first[rows] | ~answered, opening, 0)
    flags = flags | np.where(intervals.is_last[rows] & answered, closing, 0)
    return np.where(connections.protocol[connection] == TCP, flags, 0).astype(np.int32)
