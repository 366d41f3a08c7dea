"""
OCSF Network Activity rows, as Security Lake writes them for VPC Flow Logs, back to the fields of a flow log.

The paths are those of ``FIELDS``. https://github.com/ocsf/examples/tree/main/mappings (AWS, VPC Flowlogs)
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from vpcflow.fields import FIELDS, Field

NETWORK_ACTIVITY = 4001

_WORDS = {
    "action": {"Allowed": "ACCEPT", "Blocked": "REJECT"},
    "flow_direction": {"Inbound": "ingress", "Outbound": "egress"},
}
# The packet's addresses are the endpoints; where a middle layer changed them, the address at the ENI stands apart.
_AT_ENI = {"srcaddr": "src_endpoint.intermediate_ips", "dstaddr": "dst_endpoint.intermediate_ips"}
_NO_PATH = 99


def is_ocsf(schema: pa.Schema) -> bool:
    """Tell whether rows are OCSF network events."""
    return {"class_uid", "src_endpoint", "dst_endpoint"} <= set(schema.names)


def flatten(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Give one column for each field of a flow log that the rows carry; times stay in milliseconds."""
    found: dict[str, pa.Array] = {}
    for field in FIELDS:
        array = _column(rows, field)
        if array is not None:
            found[field.column] = array
    return pa.RecordBatch.from_pydict(found)


def _column(rows: pa.RecordBatch, field: Field) -> pa.Array | None:
    if field.ocsf is None or "tgw" in field.name:
        return None
    if field.column in _AT_ENI:
        return _address_at_eni(rows, field)
    if field.ocsf.startswith("own_endpoint."):
        return _own(rows, field.ocsf.removeprefix("own_endpoint."))
    if field.ocsf.startswith("unmapped."):
        return _unmapped(rows, field.ocsf.removeprefix("unmapped."))
    array = _at(rows, field.ocsf)
    if array is not None and field.column == "traffic_path":
        return pc.if_else(pc.equal(array, _NO_PATH), pa.scalar(None, array.type), array)
    if array is not None and field.column in _WORDS:
        return _translated(array, _WORDS[field.column])
    return array


def _at(rows: pa.RecordBatch, path: str) -> pa.Array | None:
    """Follow a path of struct fields; None where the schema has no such path."""
    first, *rest = path.split(".")
    if first not in rows.schema.names:
        return None
    array = rows.column(first)
    for name in rest:
        if not pa.types.is_struct(array.type) or array.type.get_field_index(name) < 0:
            return None
        array = pc.struct_field(array, name)
    return array


def _own(rows: pa.RecordBatch, name: str) -> pa.Array | None:
    source, destination = _at(rows, f"src_endpoint.{name}"), _at(rows, f"dst_endpoint.{name}")
    if source is None or destination is None:
        return source if destination is None else destination
    return pc.coalesce(source, destination)


def _address_at_eni(rows: pa.RecordBatch, field: Field) -> pa.Array | None:
    address = _at(rows, str(field.ocsf))
    middle = _at(rows, _AT_ENI[field.column])
    if address is None or middle is None or not pa.types.is_list(middle.type):
        return address
    some = pc.greater(pc.list_value_length(middle), 0)
    first = pc.list_element(pc.if_else(some, middle, pa.scalar(None, middle.type)), 0)
    return pc.coalesce(first, address)


def _unmapped(rows: pa.RecordBatch, key: str) -> pa.Array | None:
    if "unmapped" not in rows.schema.names:
        return None
    array = rows.column("unmapped")
    if pa.types.is_struct(array.type):
        return _at(rows, f"unmapped.{key}")
    if not pa.types.is_map(array.type):
        return None
    values = pc.map_lookup(array, key, "first")
    return values if values.null_count < len(values) else None


def _translated(array: pa.Array, words: dict[str, str]) -> pa.Array:
    keys, values = list(words), list(words.values())
    places = pc.index_in(array, pa.array(keys, array.type))
    return pc.coalesce(pa.array(values, array.type).take(places), array)
