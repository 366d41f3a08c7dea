"""
The document of aws-vpc-flow-log-appender, which this project succeeds: for indexes and dashboards built on it.

Names and spelling are the original's. What differs, on purpose: ``@timestamp`` is the flow's end, not the time of
processing; ``account-id`` is text; an unknown location is absent, not 0,0; values the log has not are absent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from vpcflow.fragments import column_parts, constant_parts, member, nested
from vpcflow.index_types import DATE, KEYWORD, POINT, index_type
from vpcflow.iso_times import iso_times
from vpcflow.json_lines import lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from vpcflow.fragments import AnyPart
    from vpcflow.index_types import Property

_LOGGED = {
    "version": "version",
    "account_id": "account-id",
    "interface_id": "interface-id",
    "srcaddr": "srcaddr",
    "dstaddr": "destaddr",
    "srcport": "srcport",
    "dstport": "dstport",
    "protocol": "protocol",
    "packets": "packets",
    "bytes": "bytes",
    "start": "start",
    "end": "end",
    "action": "action",
    "log_status": "log-status",
    "security_group_ids": "security-group-ids",
}
_GEO = {
    "src_geo_country_code": "source-country-code",
    "src_geo_country_name": "source-country-name",
    "src_geo_region_code": "source-region-code",
    "src_geo_region_name": "source-region-name",
    "src_geo_city": "source-city",
}
_LATITUDE, _LONGITUDE = "src_geo_latitude", "src_geo_longitude"
_DIRECTIONS = {"ingress": "inbound", "egress": "outbound"}

_PLACES = {
    **_LOGGED,
    **_GEO,
    "direction": "direction",
    _LATITUDE: "source-location.lat",
    _LONGITUDE: "source-location.lon",
}

COLUMNS = tuple(_PLACES)
"""What the document is made of; a column the batch lacks counts as null."""


def encode_appender(flows: pa.RecordBatch) -> Iterator[pa.Buffer]:
    """
    Write each flow as the original's document, one a line, in order; the buffers hold whole lines.

    The geographic texts are always there, ``""`` where unknown. ``security-group-ids`` and ``direction`` are there
    where the ENI is known, ``source-location`` where the place is; other nulls are left out.
    """
    geo = [part for column, name in _GEO.items() for part in _always(flows, column, name)]
    return _encode(flows, geo)


def encode_spare(flows: pa.RecordBatch) -> Iterator[pa.Buffer]:
    """Write the same without the geographic texts that are ``""``."""
    geo = [part for column, name in _GEO.items() for part in _if_any(flows, column, name)]
    return _encode(flows, geo)


def _encode(flows: pa.RecordBatch, geo: Sequence[AnyPart]) -> Iterator[pa.Buffer]:
    parts = [*_timestamp(flows)]
    for column, name in _LOGGED.items():
        parts += _if_any(flows, column, name)
    parts += _direction(flows)
    parts += geo
    parts += _location(flows)
    return lines(parts, flows.num_rows)


def _if_any(flows: pa.RecordBatch, column: str, name: str) -> Sequence[AnyPart]:
    return column_parts(member(name), flows.column(column)) if column in flows.schema.names else []


def mapping() -> Mapping[str, Property]:
    """Give how OpenSearch is to index the document; ``start`` and ``end`` stay the numbers that dashboards know."""
    times = {"start": {"type": "long"}, "end": {"type": "long"}}
    return {
        "@timestamp": DATE,
        **{name: times.get(name) or index_type(column) for column, name in _LOGGED.items()},
        "direction": KEYWORD,
        **dict.fromkeys(_GEO.values(), KEYWORD),
        "source-location": POINT,
    }


def place(column: str) -> str | None:
    """Say where a column lies: under the original's name for it, None where the original had no such thing."""
    return _PLACES.get(column)


def _timestamp(flows: pa.RecordBatch) -> Sequence[AnyPart]:
    if "end" not in flows.schema.names:
        return []
    return column_parts(member("@timestamp"), iso_times(flows.column("end")))


def _direction(flows: pa.RecordBatch) -> Sequence[AnyPart]:
    """Only where the ENI is known, as in the original, whose directions come from the ENI's address."""
    names = flows.schema.names
    if "direction" not in names or "security_group_ids" not in names:
        return []
    column = flows.column("direction")
    words = [_DIRECTIONS.get(word, word) for word in column.dictionary.to_pylist()]
    indices = pc.if_else(flows.column("security_group_ids").is_valid(), column.indices, None)
    return column_parts(member("direction"), pa.DictionaryArray.from_arrays(indices, words))


def _always(flows: pa.RecordBatch, column: str, name: str) -> Sequence[AnyPart]:
    around = member(name)
    around = around._replace(null=f'{around.before}""')
    if column not in flows.schema.names:
        return [*constant_parts(around.null, flows.num_rows)]
    return column_parts(around, flows.column(column))


def _location(flows: pa.RecordBatch) -> Sequence[AnyPart]:
    if _LATITUDE not in flows.schema.names or _LONGITUDE not in flows.schema.names:
        return []
    latitude, longitude = flows.column(_LATITUDE), flows.column(_LONGITUDE)
    known = pc.and_(
        pc.is_finite(latitude).fill_null(False), pc.is_finite(longitude).fill_null(False)
    )
    return nested(
        [
            ("source-location.lat", pc.if_else(known, latitude, None)),
            ("source-location.lon", pc.if_else(known, longitude, None)),
        ]
    )
