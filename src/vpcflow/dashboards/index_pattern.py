"""The index pattern: what fields dashboards can ask for, known before the first document is, and how they show."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vpcflow.dashboards.documents import Documents

_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "keyword": "string",
        "ip": "ip",
        "date": "date",
        "geo_point": "geo_point",
        "boolean": "boolean",
        **dict.fromkeys(("byte", "short", "integer", "long", "float", "double"), "number"),
    }
)
"""The products' own words for what the servers index."""

# Neither ports nor numbers of networks are amounts: 3389 is not 3,389.
_PLAIN = (
    "srcport dstport local_port peer_port protocol version tcp_flags traffic_path"
    " src_as_number dst_as_number"
).split()
_LENGTHS = ("duration_s", "inventory_age_s")


def index_pattern_attributes(documents: Documents, title: str) -> dict[str, Any]:
    """Give the attributes of the pattern ``title``, which may be a name without a star."""
    formats: dict[str, Any] = {name: {"id": "bytes"} for name in _paths(documents, ["bytes"])}
    formats |= {
        name: {"id": "number", "params": {"pattern": "0"}} for name in _paths(documents, _PLAIN)
    }
    formats |= {
        path: {"id": "duration", "params": _duration(documents.unit(column))}
        for column in _LENGTHS
        if (path := documents.field(column)) is not None
    }
    return {
        "title": title,
        "timeFieldName": documents.time_field,
        "fields": _json(list(_fields(documents))),
        "fieldFormatMap": _json(formats),
    }


def _duration(unit: str) -> dict[str, Any]:
    return {"inputFormat": unit, "outputFormat": "asSeconds", "outputPrecision": 0}


def _paths(documents: Documents, columns: list[str]) -> list[str]:
    return [path for column in columns if (path := documents.field(column)) is not None]


def _fields(documents: Documents) -> Iterator[dict[str, Any]]:
    yield _field("_id", "string", "_id", is_searchable=True)
    yield _field("_index", "string", "_index", is_searchable=True)
    yield _field("_source", "_source", "_source")
    for name, value in sorted(documents.fields.items()):
        type_ = value["type"]
        kind = _KINDS.get(type_, "unknown")
        is_indexed = bool(value.get("index", True) and value.get("enabled", True))
        yield _field(
            name, kind, type_, is_searchable=is_indexed, is_stored_by_column=kind != "unknown"
        )


def _field(
    name: str,
    kind: str,
    type_: str,
    *,
    is_searchable: bool = False,
    is_stored_by_column: bool = False,
) -> dict[str, Any]:
    return {
        "name": name,
        "type": kind,
        "esTypes": [type_],
        "count": 0,
        "scripted": False,
        "searchable": is_searchable,
        "aggregatable": is_stored_by_column,
        "readFromDocValues": is_stored_by_column,
    }


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
