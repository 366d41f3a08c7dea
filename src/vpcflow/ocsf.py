"""
OCSF Network Activity rows back to the fields of a flow log: those Security Lake writes, and those of ``schemas.ocsf``.

The paths are those of ``FIELDS``. Security Lake's rows differ in places, by their version: an account's id is
``cloud.account_uid`` or ``cloud.account.uid``, times are numbers or ``…_dt``, and nulls are ``-``.
https://github.com/ocsf/examples/tree/main/mappings (AWS, VPC Flowlogs)
"""

from __future__ import annotations

from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from vpcflow.fields import FIELDS, Field

NETWORK_ACTIVITY = 4001

_WORDS: dict[str, dict[str, str | None]] = {
    "action": {"Allowed": "ACCEPT", "Blocked": "REJECT"},
    "flow_direction": {"Inbound": "ingress", "Outbound": "egress", "Unknown": None},
}
# The packet's addresses are the endpoints; where a middle layer changed them, the address at the ENI stands apart.
_AT_ENI = {"srcaddr": "src_endpoint.intermediate_ips", "dstaddr": "dst_endpoint.intermediate_ips"}
_ELSEWHERE = {
    "account_id": ("cloud.account_uid",),
    "start": ("start_time_dt",),
    "end": ("end_time_dt",),
    "srcport": ("unmapped.srcport",),
    "dstport": ("unmapped.dstport",),
    "resource_id": ("unmapped.resource_id",),
}
"""Where else a field is, if not at its path."""

_OTHER = 99
_FIRST_BOUNDARY = 4
"""The ids of boundaries are AWS's eight traffic paths, in the same order, from here on."""

_OWN = "own_endpoint."
_OBSERVED = {1: "src_endpoint.", 2: "dst_endpoint.", 0: "network_observation_point."}
_AT_GATEWAY = 3
"""``observation_point_id`` where neither end is what the traffic was seen at."""


def is_ocsf(schema: pa.Schema) -> bool:
    """Tell whether rows are OCSF network events."""
    return "class_uid" in schema.names and (
        "src_endpoint" in schema.names or "dst_endpoint" in schema.names
    )


def flatten(rows: pa.RecordBatch) -> pa.RecordBatch:
    """
    Give one column for each field of a flow log that the rows carry; times stay in milliseconds.

    What the log had not is null, where the row says so: in ``unmapped.inferred``, or as its version is older.
    """
    events = _Events(rows)
    found: dict[str, pa.Array] = {}
    for field in FIELDS:
        array = _column(events, field)
        if array is not None:
            found[field.column] = events.logged(field, array)
    return pa.RecordBatch.from_pydict(found)


class _Events:
    """Rows, the columns in them by their paths, and what tells whether a value was logged."""

    def __init__(self, rows: pa.RecordBatch) -> None:
        self.rows = rows

    @cached_property
    def observed(self) -> pa.Array | None:
        """The ``observation_point_id``, which Security Lake's rows have not."""
        return self.at("observation_point_id")

    @cached_property
    def at_gateway(self) -> pa.Array | None:
        return None if self.observed is None else _is(self.observed, _AT_GATEWAY)

    @cached_property
    def version(self) -> pa.Array | None:
        array = self.at("metadata.product.version")
        if array is None:
            return None
        texts = array.cast(pa.string())
        is_number = pc.match_substring_regex(texts, "^[0-9]{1,4}$")
        return pc.if_else(is_number, texts, pa.scalar(None, pa.string())).cast(pa.int64())

    @cached_property
    def inferred(self) -> pa.Array | None:
        """The fields that were not logged, as one text for each row: ``["vpc_id"]``."""
        array = _unmapped(self, "inferred")
        if array is None or not pa.types.is_list(array.type):
            return array
        names = pc.binary_join(pc.cast(array, pa.list_(pa.string())), '""')
        return pc.binary_join_element_wise('"', names, '"', "")

    def at(self, path: str) -> pa.Array | None:
        """Follow a path of struct fields; None where the schema has no such path."""
        first, *rest = path.split(".")
        if first not in self.rows.schema.names:
            return None
        array = self.rows.column(first)
        for name in rest:
            if not pa.types.is_struct(array.type) or array.type.get_field_index(name) < 0:
                return None
            array = pc.struct_field(array, name)
        return array

    def logged(self, field: Field, array: pa.Array) -> pa.Array:
        """Leave values to the rows whose log had the field."""
        if self.version is not None and field.column != "version":
            array = _without(array, pc.less(self.version, field.since))
        if self.at_gateway is not None:
            if field.logs == "v":
                array = _without(array, self.at_gateway)
            elif "v" not in field.logs:
                array = _without(array, pc.invert(self.at_gateway))
        if self.inferred is not None:
            array = _without(array, pc.match_substring(self.inferred, f'"{field.column}"'))
        return array


def _column(events: _Events, field: Field) -> pa.Array | None:
    array = _at_path(events, field)
    for path in _ELSEWHERE.get(field.column, ()):
        array = _or_else(array, _at_path(events, field._replace(ocsf=path)))
    if array is None:
        return None
    if field.column == "traffic_path":
        return _traffic_path(array, events.at("connection_info.boundary"))
    if field.kind == "time":
        return _time(array)
    if field.column in _WORDS:
        return _translated(array, _WORDS[field.column])
    return array


def _at_path(events: _Events, field: Field) -> pa.Array | None:
    path = str(field.ocsf)
    if "tgw" in field.name and events.observed is None:
        return None
    if field.column in _AT_ENI:
        return _address_at_eni(events, field)
    if path.startswith(_OWN):
        return _own(events, path.removeprefix(_OWN))
    if path.startswith("unmapped."):
        return _unmapped(events, path.removeprefix("unmapped."))
    return events.at(path)


def _own(events: _Events, name: str) -> pa.Array | None:
    """Give what is said of the interface: at the end that observed the traffic, else at the one that has it."""
    source, destination = (events.at(f"{end}_endpoint.{name}") for end in ("src", "dst"))
    found = _or_else(source, destination)
    if events.observed is None:
        return found
    for number, end in _OBSERVED.items():
        array = events.at(f"{end}{name}")
        if array is None and found is not None:
            array = pa.nulls(len(found), found.type)
        if array is not None:
            found = (
                array if found is None else pc.if_else(_is(events.observed, number), array, found)
            )
    return found


def _address_at_eni(events: _Events, field: Field) -> pa.Array | None:
    address = events.at(str(field.ocsf))
    middle = events.at(_AT_ENI[field.column])
    if address is None or middle is None or not pa.types.is_list(middle.type):
        return address
    some = pc.greater(pc.list_value_length(middle), 0)
    first = pc.list_element(pc.if_else(some, middle, pa.scalar(None, middle.type)), 0)
    return _or_else(first, address)


def _unmapped(events: _Events, key: str) -> pa.Array | None:
    array = events.at("unmapped")
    if array is None or pa.types.is_struct(array.type):
        return events.at(f"unmapped.{key}")
    if not pa.types.is_map(array.type):
        return None
    values = pc.map_lookup(array, key, "first")
    return values if values.null_count < len(values) else None


def _traffic_path(ids: pa.Array, captions: pa.Array | None) -> pa.Array:
    """Take the id for the path; one the schema has not is 99, and the caption then AWS's number."""
    numbers = ids.cast(pa.int64())
    is_path = pc.and_(
        pc.greater_equal(numbers, _FIRST_BOUNDARY), pc.less(numbers, _FIRST_BOUNDARY + 8)
    )
    null = pa.scalar(None, pa.int64())
    paths = pc.if_else(is_path, pc.subtract(numbers, _FIRST_BOUNDARY - 1), null)
    if captions is None:
        return paths
    texts = captions.cast(pa.string())
    is_number = pc.and_(_is(ids, _OTHER), pc.match_substring_regex(texts, "^[0-9]{1,9}$"))
    others = pc.if_else(is_number, texts, pa.scalar(None, pa.string())).cast(pa.int64())
    return pc.coalesce(paths, others)


def _time(array: pa.Array) -> pa.Array:
    """Give times that are text, as ``…_dt`` are in JSON, as times."""
    if not pa.types.is_string(array.type):
        return array
    try:
        return array.cast(pa.timestamp("ms", "UTC"))
    except pa.ArrowInvalid:
        return array


def _translated(array: pa.Array, words: dict[str, str | None]) -> pa.Array:
    keys, values = list(words), list(words.values())
    places = pc.index_in(array, pa.array(keys, array.type))
    known = pa.array(values, array.type).take(places)
    return pc.if_else(places.is_valid(), known, array)


def _or_else(array: pa.Array | None, other: pa.Array | None) -> pa.Array | None:
    if array is None or other is None:
        return other if array is None else array
    if array.type != other.type:
        if pa.types.is_null(array.type):
            return other
        if array.null_count == 0 or pa.types.is_null(other.type):
            return array
        array, other = array.cast(pa.string()), other.cast(pa.string())
    return pc.coalesce(array, other)


def _is(array: pa.Array, number: int) -> pa.Array:
    if pa.types.is_null(array.type):
        return pa.array([False] * len(array))
    return pc.fill_null(pc.equal(array.cast(pa.int64()), number), False)


def _without(array: pa.Array, rows: pa.Array) -> pa.Array:
    rows = pc.fill_null(rows, False)
    if not pc.any(rows).as_py():
        return array
    return pc.if_else(rows, pa.scalar(None, array.type), array)
