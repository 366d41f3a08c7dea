"""
Records become lines: which column each field of a flow log is looked up by, and the text for each value of it.

A line is few pieces: neighbouring fields that depend on the same column are one piece, taken from one table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vpcflow.fields import FIELD_BY_NAME
from vpcflow.generate.network import REGION, ZONES
from vpcflow.generate.records import NO_FLAGS, NO_PORT, NO_PROTOCOL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vpcflow.generate.endpoints import Endpoints
    from vpcflow.generate.network import Eni, Network
    from vpcflow.generate.records import Records

_CONSTANT, _NUMBER, _TIME = "", "number", "time"

_LOGGED_TYPES = {"nat_gateway", "network_load_balancer", "transit_gateway", "vpc_endpoint"}


class _World(NamedTuple):
    """What the texts of a flow log depend on."""

    layout: tuple[str, ...]
    network: Network
    endpoints: Endpoints
    zones: Mapping[str, str]


class _Column(NamedTuple):
    """How a field is written: ``column`` looked up in ``texts``, or itself where ``kind`` is no table."""

    column: str
    texts: Callable[[_World], Sequence[str]]
    kind: str = "table"


def _constant(text: str) -> _Column:
    return _Column(_CONSTANT, lambda world: [text])


def _number(column: str) -> _Column:
    return _Column(column, lambda world: [], _NUMBER)


def _time(column: str) -> _Column:
    return _Column(column, lambda world: [], _TIME)


def _codes(column: str, *texts: str) -> _Column:
    return _Column(column, lambda world: texts)


def _count(column: str, dash: int) -> _Column:
    """Whole numbers below ``dash``, whose own place is the dash's."""
    return _Column(column, lambda world: [*map(str, range(dash)), "-"])


def _address(column: str) -> _Column:
    return _Column(column, lambda world: world.endpoints.texts)


def _eni(text_of: Callable[[Eni, _World], str | None], column: str = "eni") -> _Column:
    """Something each ENI has its own text for; the place after the last ENI is the dash's."""
    return _Column(
        column, lambda world: [*(text_of(e, world) or "-" for e in world.network.enis), "-"]
    )


def _zone_id(eni: Eni, world: _World) -> str:
    return ZONES[world.zones[eni.subnet_id]]


def _interface_type(eni: Eni, world: _World) -> str | None:
    return eni.type if eni.type in _LOGGED_TYPES else None


def _tag(key: str, of: str) -> Callable[[Eni, _World], str | None]:
    def text(eni: Eni, world: _World) -> str | None:
        if of == "instance" and eni.instance_id is None:
            return None
        value = dict(eni.tags).get(key)
        return None if value is None else percent_encoded(value)

    return text


def percent_encoded(value: str) -> str:
    """Write a tag value as AWS does: percent-encoded UTF-8, the hyphen too, so that it differs from no value."""
    return quote(value, safe="").replace("-", "%2D")


def _ecs(name: str) -> _Column:
    return _eni(lambda eni, world: eni.ecs.get(name))


_COLUMNS: Mapping[str, _Column] = {
    "version": _Column(
        _CONSTANT,
        lambda world: [str(max(FIELD_BY_NAME[name].since for name in world.layout))],
    ),
    "account-id": _eni(lambda eni, world: eni.account_id),
    "interface-id": _eni(lambda eni, world: eni.id),
    "srcaddr": _address("src"),
    "dstaddr": _address("dst"),
    "srcport": _count("src_port", NO_PORT),
    "dstport": _count("dst_port", NO_PORT),
    "protocol": _count("protocol", NO_PROTOCOL),
    "packets": _number("packets"),
    "bytes": _number("bytes"),
    "start": _time("start"),
    "end": _time("end"),
    "action": _codes("outcome", "ACCEPT", "REJECT", "-", "-"),
    "log-status": _codes("outcome", "OK", "OK", "NODATA", "SKIPDATA"),
    "vpc-id": _eni(lambda eni, world: eni.vpc_id),
    "subnet-id": _eni(lambda eni, world: eni.subnet_id),
    "instance-id": _eni(lambda eni, world: eni.instance_id),
    "tcp-flags": _count("flags", NO_FLAGS),
    "type": _codes("family", "IPv4", "IPv6", "-"),
    "pkt-srcaddr": _address("pkt_src"),
    "pkt-dstaddr": _address("pkt_dst"),
    "region": _constant(REGION),
    "az-id": _eni(_zone_id),
    "sublocation-type": _constant("-"),
    "sublocation-id": _constant("-"),
    "pkt-src-aws-service": _Column("pkt_src", lambda world: world.endpoints.service),
    "pkt-dst-aws-service": _Column("pkt_dst", lambda world: world.endpoints.service),
    "flow-direction": _codes("direction", "ingress", "egress", "-"),
    "traffic-path": _codes("path", "-", "1", "2", "3", "4", "5", "6", "7", "8"),
    **{name: _ecs(name) for name in FIELD_BY_NAME if name.startswith("ecs-")},
    "reject-reason": _constant("-"),
    "resource-id": _constant("-"),
    "encryption-status": _codes("encryption", "0", "1", "2", "3", "-"),
    "instance-tag": _eni(_tag("Name", "instance")),
    "instance-tag-2": _eni(_tag("team", "instance")),
    "interface-tag": _eni(_tag("Name", "interface")),
    "interface-tag-2": _eni(_tag("team", "interface")),
    "asg-tag": _eni(lambda eni, world: percent_encoded(eni.asg) if eni.asg else None),
    "asg-tag-2": _eni(lambda eni, world: _tag("team", "asg")(eni, world) if eni.asg else None),
    "interface-type": _eni(_interface_type),
    "next-hop-interface-id": _eni(lambda eni, world: eni.id, "next_hop"),
    "next-hop-subnet-id": _eni(lambda eni, world: eni.subnet_id, "next_hop"),
    "next-hop-az-id": _eni(_zone_id, "next_hop"),
    "next-hop-vpc-id": _eni(lambda eni, world: eni.vpc_id, "next_hop"),
    "next-hop-interface-type": _eni(_interface_type, "next_hop"),
}
"""One row a field, in AWS's order."""

TAG_KEYS = {"instance": ("Name", "team"), "network-interface": ("Name", "team"),
            "auto-scaling-group": ("aws:autoscaling:groupName", "team")}  # fmt: skip
"""The tag keys chosen for the tag fields, first and second, by resource type."""


class _Piece(NamedTuple):
    column: str
    kind: str
    table: pa.StringArray | None


class LineWriter:
    """Writes records as lines of a layout; times of records are seconds since ``start_s``."""

    def __init__(
        self, layout: tuple[str, ...], network: Network, endpoints: Endpoints, start_s: int
    ) -> None:
        self._start_s = start_s
        zones = {subnet.id: subnet.zone for subnet in network.subnets}
        world = _World(layout, network, endpoints, zones)
        fused = _fuse([_COLUMNS[name] for name in layout], world)
        column, kind, texts = fused[-1]
        # A newline that is part of a table costs nothing.
        self._ends_in_table = kind == "table"
        fused[-1] = (column, kind, [f"{text}\n" for text in texts])
        self._pieces = [
            _Piece(column, kind, pa.array(texts, pa.string()) if kind == "table" else None)
            for column, kind, texts in fused
        ]
        self.header = " ".join(layout).encode() + b"\n"

    @property
    def needed(self) -> set[str]:
        """The columns the lines are made of."""
        return {piece.column for piece in self._pieces if piece.column}

    def lines(self, records: Records) -> pa.Buffer:
        """Give the lines of records, at least one, each ended by a newline."""
        texts = [self._text(piece, records) for piece in self._pieces]
        if not self._ends_in_table:
            texts[-1] = _join(texts[-1], "\n", "")
        return _join(*texts, " ").buffers()[2]

    def _text(self, piece: _Piece, records: Records) -> pa.StringArray:
        values = records[piece.column or "eni"]
        if piece.table is not None:
            rows = values if piece.column else np.zeros(len(values), np.int32)
            return piece.table.take(pa.array(rows))
        if piece.kind == _TIME:
            return _times(values.astype(np.int64) + self._start_s)
        missing = values < 0
        return pa.array(values, mask=missing if missing.any() else None).cast(pa.string())


def _join(*texts: pa.StringArray | str) -> pa.StringArray:
    """Join element by element, the last argument between; null is AWS's ``-``."""
    return pc.binary_join_element_wise(*texts, null_handling="replace", null_replacement="-")


def _fuse(columns: Sequence[_Column], world: _World) -> list[tuple[str, str, Sequence[str]]]:
    """Join neighbours that are looked up by the same column; a constant joins whatever table stands beside it."""
    fused: list[tuple[str, str, Sequence[str]]] = []
    for column in columns:
        texts = column.texts(world)
        if fused and column.kind == fused[-1][1] == "table":
            before, kind, first = fused[-1]
            if before == column.column or _CONSTANT in (before, column.column):
                fused[-1] = (before or column.column, kind, _pairs(first, texts))
                continue
        fused.append((column.column, column.kind, texts))
    return fused


def _pairs(first: Sequence[str], second: Sequence[str]) -> list[str]:
    rows = max(len(first), len(second))
    first, second = (
        texts if len(texts) == rows else [texts[0]] * rows for texts in (first, second)
    )
    return [f"{a} {b}" for a, b in zip(first, second, strict=True)]


def _times(seconds: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pa.StringArray:
    """Write times that lie close together: a text is made once for each second."""
    earliest = int(seconds.min())
    span = np.arange(earliest, int(seconds.max()) + 1)
    return pa.array(span).cast(pa.string()).take(pa.array(seconds - earliest))
