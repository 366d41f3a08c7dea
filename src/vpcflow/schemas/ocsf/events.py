"""
Flows as the members of OCSF's Network Activity events: the dotted path of each, and its column.

The paths of what is written as it is come from the table of fields; what is worked out is said here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vpcflow.community_id import community_ids
from vpcflow.dictionaries import codes_of
from vpcflow.fields import ADDED_BY_COLUMN, FIELD_BY_COLUMN
from vpcflow.schemas.ocsf.ends import SIDES, Ends, endpoint_members, observation_members
from vpcflow.schemas.ocsf.enrichments import Enrichment, enrichments_of
from vpcflow.schemas.ocsf.values import (
    Constant,
    Texts,
    Values,
    account,
    coded,
    number_column,
    texts,
)
from vpcflow.schemas.ocsf.words import (
    ACTIONS,
    BOUNDARIES,
    DIRECTIONS,
    DISPOSITIONS,
    OTHER_ID,
    PATHS,
    PROFILES,
    PROTOCOL_VERSIONS,
    STATUSES,
    UNKNOWN,
    VERSION,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vpcflow.schemas.ocsf.values import Enumerated, Member, Rows, Value

UNMAPPED = "unmapped."
_MS = 1000
_LAST_S = (2**53 - 1) // _MS  # of what JSON's readers take for a whole number
_MAX_PORT = 65_535
_ANY_VERSION = np.iinfo(np.int64).max

_PLAIN = tuple((path, column) for column, path in PATHS.items() if path.startswith(UNMAPPED))

CLASS: tuple[tuple[str, Constant], ...] = (
    ("class_uid", Constant(4001)),
    ("class_name", Constant("Network Activity")),
    ("category_uid", Constant(4)),
    ("category_name", Constant("Network Activity")),
    ("activity_id", Constant(6)),
    ("activity_name", Constant("Traffic")),
    ("type_uid", Constant(400106)),
    ("type_name", Constant("Network Activity: Traffic")),
    ("severity_id", Constant(1)),
    ("severity", Constant("Informational")),
)
"""What every event says of itself."""

SPARED = frozenset(
    "class_name category_name activity_name type_name severity status action observation_point"
    " src_endpoint.network_scope dst_endpoint.network_scope".split()
)
"""Captions of ids that stand beside them, and are no text of the log's in any event."""


class Events(NamedTuple):
    """
    The members of all rows, but for ``enrichments``, which is a list of objects.

    ``others`` are the columns of no table, by name: members of ``unmapped.other``.
    """

    members: list[tuple[str, Value]]
    others: dict[str, pa.Array]
    enrichments: list[Enrichment]
    rows: int


def events_of(flows: pa.RecordBatch) -> Events:
    """Give the events of flows, row by row."""
    ends = Ends(Values(flows))
    values = ends.values
    members: list[Member] = [
        *CLASS,
        *_times(values),
        *_outcome(values),
        *_metadata(ends),
        *_cloud(ends),
        *endpoint_members(ends),
        *observation_members(ends),
        *_connection(ends),
        *_traffic(values),
        *_unmapped(ends),
    ]
    present = [(path, value) for path, value in members if value is not None]
    others = {
        name: values.array(name)
        for name in flows.schema.names
        if name not in FIELD_BY_COLUMN and name not in ADDED_BY_COLUMN and values.has(name)
    }
    return Events(present, others, enrichments_of(ends), ends.rows)


def _times(values: Values) -> list[Member]:
    start, end = values.numbers("start"), values.numbers("end")
    # An event has a time: that of the flow's other end, or the epoch, where the log has none.
    time = np.where(start >= 0, start, np.maximum(end, 0))
    duration = values.array("duration_s")
    return [
        ("time", _in_ms(time)),
        ("start_time", _in_ms(start)),
        ("end_time", _in_ms(end)),
        ("duration", None if duration is None else pc.multiply(duration.cast(pa.int64()), _MS)),
    ]


def _in_ms(seconds: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pa.Array | None:
    known = (seconds >= 0) & (seconds <= _LAST_S)
    return number_column(np.where(known, seconds, 0) * _MS, known, pa.int64())


def _outcome(values: Values) -> list[Member]:
    """Tell what became of the traffic: AWS's status code is that of the log, the status that of the activity."""
    action = values.texts("action")
    words = list(ACTIONS)
    numbers = action.numbered({word: i for i, word in enumerate(words)}, other=-1, null=-1)
    other = action.where(numbers < 0)
    return [
        ("status", coded(numbers, [STATUSES[word] for word in words])),
        ("status_code", values.texts("log_status").array()),
        ("action", coded(numbers, [ACTIONS[word] for word in words], other)),
        ("disposition", coded(numbers, [DISPOSITIONS[word] for word in words], other)),
    ]


def _metadata(ends: Ends) -> list[Member]:
    values = ends.values
    product = texts(ends.at_gateway.astype(np.int32), ["Amazon VPC", "AWS Transit Gateway"])
    return [
        ("metadata.version", Constant(VERSION)),
        ("metadata.profiles", Constant(PROFILES)),
        ("metadata.uid", values.array("event_id")),
        ("metadata.original_event_uid", values.array("cloudwatch_event_id")),
        ("metadata.product.name", product.array()),
        ("metadata.product.vendor_name", Constant("AWS")),
        ("metadata.product.version", _spelled(values, "version").array()),
        ("metadata.product.feature.name", Constant("Flowlogs")),
    ]


def _spelled(values: Values, name: str) -> Texts:
    """Give whole numbers as texts."""
    numbers = pa.array(values.numbers(name), mask=~values.valid(name)).dictionary_encode()
    return Texts(numbers.dictionary.cast(pa.string()), codes_of(numbers))


def _cloud(ends: Ends) -> list[Member]:
    return [
        ("cloud.provider", Constant("AWS")),
        ("cloud.account", account(ends.values.texts("account_id"))),
        ("cloud.region", ends.values.texts("region").array()),
        ("cloud.zone", ends.own_texts("az_id", "eni_az_id").array()),
    ]


def _connection(ends: Ends) -> list[Member]:
    values = ends.values
    direction = [UNKNOWN, *DIRECTIONS.values()]
    strange = values.texts("flow_direction").where(ends.direction < 0)
    return [
        ("connection_info.protocol_num", values.array("protocol")),
        ("connection_info.protocol_name", values.texts("protocol_name").array()),
        *_protocol_version(ends),
        ("connection_info.tcp_flags", values.array("tcp_flags")),
        ("connection_info.uid", values.array("connection_id")),
        ("connection_info.community_uid", _community_ids(ends)),
        ("connection_info.direction", coded(ends.direction + np.int32(1), direction, strange)),
        ("connection_info.boundary", _boundary(values)),
    ]


def _community_ids(ends: Ends) -> pa.Array | None:
    """Take the addresses in the packet, as other tools see them."""
    source, destination = (ends.packet(side).array() for side in SIDES)
    if source is None or destination is None:
        return None
    numbers = [ends.values.array(name) for name in ("srcport", "dstport", "protocol")]
    known = [pa.nulls(ends.rows, pa.int32()) if one is None else one for one in numbers]
    ids = community_ids(source, destination, known[0], known[1], known[2])
    return ids if ids.null_count < ends.rows else None


def _protocol_version(ends: Ends) -> list[Member]:
    """Give the version as logged; where it is not, the id alone, by the address."""
    logged = ends.values.texts("type")
    ids = logged.numbered(PROTOCOL_VERSIONS, other=OTHER_ID, null=-1).astype(np.int64)
    address = ends.values.texts("srcaddr").or_else(ends.values.texts("dstaddr"))
    is_six = pc.match_substring(address.values, ":").to_numpy(zero_copy_only=False)
    by_address = np.append(np.where(is_six, 6, 4), -1)[address.codes]
    ids = np.where(ids < 0, by_address, ids)
    return [
        ("connection_info.protocol_ver_id", number_column(ids, ids >= 0, pa.int32())),
        ("connection_info.protocol_ver", logged.array()),
    ]


def _boundary(values: Values) -> Enumerated | None:
    paths = values.numbers("traffic_path")
    is_known = np.isin(paths, list(BOUNDARIES))
    numbers = np.where(is_known, paths - 1, -1).astype(np.int32)
    other = _spelled(values, "traffic_path").where(~is_known)
    return coded(numbers, list(BOUNDARIES.values()), other)


def _traffic(values: Values) -> list[Member]:
    """A record counts what the source sent: nothing of the other way."""
    return [
        (f"traffic.{path}", values.array(name))
        for name in ("bytes", "packets")
        for path in (name, f"{name}_out")
    ]


def _unmapped(ends: Ends) -> list[Member]:
    values = ends.values
    strange = [(f"{UNMAPPED}{side}port", _strange_port(values, f"{side}port")) for side in SIDES]
    plain = [(path, values.array(column)) for path, column in _PLAIN]
    return [*strange, *plain, (f"{UNMAPPED}inferred", _inferred(ends))]


def _strange_port(values: Values, name: str) -> pa.Array | None:
    ports = values.numbers(name)
    return number_column(ports, ports > _MAX_PORT, pa.int32())


def _inferred(ends: Ends) -> pa.ListArray | None:
    """
    Name AWS's fields whose places have a value that the log has not, in each row.

    A record's version is that of its newest field: a field that is newer than that needs no mention.
    """
    values = ends.values
    versions = np.where(values.valid("version"), values.numbers("version"), _ANY_VERSION)
    bits = np.zeros(ends.rows, np.int64)
    found = {name: rows for name, rows in _filled(ends).items() if rows.any()}
    for bit, (name, rows) in enumerate(found.items()):
        bits |= (rows & (versions >= FIELD_BY_COLUMN[name].since)).astype(np.int64) << bit
    if not bits.any():
        return None
    names = pa.array(found, pa.string())
    sets, codes = np.unique(bits, return_inverse=True)
    members = [[i for i in range(len(found)) if one >> i & 1] for one in sets.tolist()]
    elements = pa.array([i for one in members for i in one], pa.int32())
    ends_at = pa.array(np.cumsum([0, *map(len, members)]), pa.int32())
    lists = pa.ListArray.from_arrays(ends_at, pa.DictionaryArray.from_arrays(elements, names))
    return lists.take(pa.array(codes.astype(np.int32), mask=bits == 0))


def _filled(ends: Ends) -> Mapping[str, Rows]:
    values, at_interface = ends.values, ~ends.at_gateway
    known = {
        "instance_id": values.valid("eni_instance_id"),
        "subnet_id": values.valid("eni_subnet_id"),
        "vpc_id": values.valid("eni_vpc_id"),
        "az_id": values.valid("eni_az_id"),
        "pkt_srcaddr": values.valid("srcaddr"),
        "pkt_dstaddr": values.valid("dstaddr"),
    }
    known = {name: rows & at_interface for name, rows in known.items()}
    known["flow_direction"] = ends.direction >= 0
    for side in SIDES:
        known[f"pkt_{side}_aws_service"] = values.valid(f"{side}_aws_service")
    return {name: rows & ~values.valid(name) for name, rows in known.items()}
