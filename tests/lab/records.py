"""
Flow records of logged packets, aggregated as AWS does, each with what the kernel knows of it.

https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from lab.connections import with_connections
from lab.vpc import ACCOUNT_ID, REGION, TCP, VPC_ID

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from lab.connections import Connection
    from lab.packets import Packet
    from lab.vpc import Interface, Vpc

T0 = 1_780_000_020
"""When the recording began: a whole minute."""

INTERVAL_S = 60
LENGTH_S = 24 * INTERVAL_S

V2 = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start"
    " end action log-status"
).split()
V5 = (
    *V2,
    *(
        "vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr region az-id"
        " sublocation-type sublocation-id pkt-src-aws-service pkt-dst-aws-service flow-direction"
        " traffic-path"
    ).split(),
)

_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16

Interval = tuple[str, int]
"""An interface's name and the number of an aggregation interval."""


class Truth(NamedTuple):
    """
    What the kernel knows of a record.

    ``initiator`` is ``src`` or ``dst``. ``rules`` are the ids of all that admit the packet that opened the connection,
    if the record is of its side, or of the replies' own where the connection is not tracked; null for replies that
    needed none, and where no groups guard the interface.
    """

    initiator: str
    rules: tuple[str, ...] | None
    is_reply: bool


class Record(NamedTuple):
    """A flow record: its values by AWS's names, and its truth; null where it is of no traffic."""

    values: dict[str, object]
    truth: Truth | None

    def line(self, layout: Sequence[str]) -> str:
        version = 2 if layout is V2 else 5
        return " ".join(str({**self.values, "version": version}.get(n, "-")) for n in layout)


def records_of(
    packets: Iterable[Packet],
    vpc: Vpc,
    *,
    skipped: Collection[Interval] = (),
    missing: Collection[Interval] = (),
) -> list[Record]:
    """
    Aggregate packets to records, in the order of their intervals.

    Of intervals that were ``skipped`` there is a record that says so alone, of those ``missing`` none.
    """
    flows: dict[Interval, dict[tuple[object, ...], list[tuple[Packet, Truth]]]] = defaultdict(dict)
    for packet, connection in with_connections(packets):
        truth = _truth(packet, connection, vpc)
        key = (packet.tuple5, packet.is_egress, packet.action)
        interval = packet.interface, packet.time_s // INTERVAL_S
        flows[interval].setdefault(key, []).append((packet, truth))
    records = []
    for number in range(LENGTH_S // INTERVAL_S):
        for one in vpc.interfaces:
            interval = one.name, number
            if interval in missing:
                continue
            if interval in skipped or interval not in flows:
                status = "SKIPDATA" if interval in skipped else "NODATA"
                records.append(_without_traffic(one, vpc, number, status))
            else:
                records += [_record(one, vpc, flow) for flow in flows[interval].values()]
    return records


def lab_truth(records: Iterable[Record]) -> list[Truth | None]:
    """Give the truth of each record, in the order of the lines that `write_records` writes."""
    return [record.truth for record in records]


def write_records(records: Sequence[Record], layout: Sequence[str], path: Path) -> None:
    """Write a flow log file in a layout, with its header line."""
    lines = [" ".join(layout), *(record.line(layout) for record in records)]
    path.write_text("".join(f"{line}\n" for line in lines))


def _truth(packet: Packet, connection: Connection, vpc: Vpc) -> Truth:
    is_reply = packet.tuple5 != connection.tuple5
    rules: tuple[str, ...] | None = connection.reply_rules if is_reply else connection.rules
    if packet.known == "reply" or not vpc.interface(packet.interface).group_ids:
        rules = None
    return Truth("dst" if is_reply else "src", rules, is_reply)


def _record(one: Interface, vpc: Vpc, flow: list[tuple[Packet, Truth]]) -> Record:
    (first, truth), (last, _) = flow[0], flow[-1]
    if any(other != truth for _, other in flow):
        raise ValueError(f"one record would be of several connections: {flow}")
    source, destination = _as_logged(first, one)
    flags = 0
    for packet, _ in flow:
        flags |= _logged_flags(packet.tcp_flags)
    values = {
        **_of_interface(one, vpc),
        "srcaddr": source,
        "dstaddr": destination,
        "srcport": first.source_port,
        "dstport": first.destination_port,
        "protocol": first.protocol,
        "packets": len(flow),
        "bytes": sum(packet.bytes for packet, _ in flow),
        "start": T0 + first.time_s,
        "end": T0 + last.time_s,
        "action": first.action,
        "log-status": "OK",
        "tcp-flags": flags if first.protocol == TCP else 0,
        "type": "IPv6" if ":" in first.source else "IPv4",
        "pkt-srcaddr": first.source,
        "pkt-dstaddr": first.destination,
        "flow-direction": "egress" if first.is_egress else "ingress",
    }
    return Record(values, truth)


def _without_traffic(one: Interface, vpc: Vpc, number: int, status: str) -> Record:
    start = T0 + number * INTERVAL_S
    values = {"start": start, "end": start + INTERVAL_S - 1, "log-status": status}
    return Record({**_of_interface(one, vpc), **values}, None)


def _of_interface(one: Interface, vpc: Vpc) -> dict[str, object]:
    return {
        "account-id": ACCOUNT_ID,
        "interface-id": one.id,
        "vpc-id": VPC_ID,
        "subnet-id": next(s.id for s in vpc.subnets if s.name == one.subnet),
        "instance-id": one.instance_id or "-",
        "region": REGION,
        "az-id": "use1-az1",
    }


def _as_logged(packet: Packet, one: Interface) -> tuple[str, str]:
    """Give source and destination as AWS logs them: the interface's own end by its primary address, whatever it is."""
    if ":" in packet.source:
        return packet.source, packet.destination
    if packet.is_egress:
        return one.ipv4[0], packet.destination
    return packet.source, one.ipv4[0]


def _logged_flags(flags: int) -> int:
    """
    Give the flags AWS logs of a packet: an ACK counts with a SYN only.

    >>> [_logged_flags(one) for one in (2, 18, 16, 24, 17, 20)]
    [2, 18, 0, 0, 1, 4]
    """
    logged = flags & (_FIN | _SYN | _RST)
    return logged | _ACK if flags & _SYN and flags & _ACK else logged
