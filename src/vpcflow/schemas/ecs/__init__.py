"""
The document of the Elastic Common Schema, version 9.4.0. https://www.elastic.co/docs/reference/ecs

Where a column lies the tables of fields say. What is AWS's own goes below ``aws.vpcflow``, spelt as Elastic's
integration for AWS spells it; what is vpcflow's own, and ECS has no field for, below ``vpcflow``. What is worked out of
several columns, or ECS wants besides, is the table of ``computed``.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from vpcflow.dictionaries import coalesce
from vpcflow.fields import ADDED, FIELDS
from vpcflow.fragments import Close, Open, column_parts, member, nested
from vpcflow.index_types import DATE, KEYWORD, LONG, POINT, index_type
from vpcflow.json_lines import lines
from vpcflow.schemas.ecs.computed import COMPUTED, SPARED, Source
from vpcflow.schemas.ecs.forms import FORMS, KEYWORDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from vpcflow.fragments import AnyPart
    from vpcflow.index_types import Property
    from vpcflow.schemas.ecs.computed import Computed

__all__ = ["COMPUTED", "encode_ecs", "encode_spare", "mapping", "place"]

_PLACES: Mapping[str, str] = MappingProxyType(
    {
        **{field.column: field.ecs for field in FIELDS if field.ecs},
        **{added.column: added.ecs for added in ADDED if added.ecs},
    }
)
_LEFT_OUT = frozenset({"source_object", "source_line"})
_OTHER = "aws.vpcflow.other"
"""Where fields go that a log has and the tables have not."""

_LONG = ("srcport", "dstport", "duration_s")
_PROPERTIES: Mapping[str, Property] = MappingProxyType(
    {
        **dict.fromkeys(KEYWORDS, KEYWORD),
        **dict.fromkeys(_LONG, LONG),
        "start": DATE,
        "end": DATE,
    }
)
"""Where ECS, or Elastic's integration, has another type than the column, or the value another form."""


def encode_ecs(flows: pa.RecordBatch) -> Iterator[pa.Buffer]:
    """
    Write each flow as a document of the Elastic Common Schema, one a line, in order; the buffers hold whole lines.

    Nulls are left out, and so are objects without members. Where several columns have one place, the first that is not
    null is written. A column of no table lies under its own name below ``aws.vpcflow.other``.
    """
    return _encode(flows, COMPUTED)


def encode_spare(flows: pa.RecordBatch) -> Iterator[pa.Buffer]:
    """Write the same without what other members of the document tell, or what all documents say."""
    return _encode(flows, [computed for computed in COMPUTED if computed.path not in SPARED])


def _encode(flows: pa.RecordBatch, computed: Sequence[Computed]) -> Iterator[pa.Buffer]:
    source = Source(dict(zip(flows.schema.names, flows.columns)), flows.num_rows)
    return lines(nested(_members(source, computed)), flows.num_rows)


def mapping() -> Mapping[str, Property]:
    """Give how OpenSearch is to index the document."""
    tree: dict[str, Any] = {}
    for path, property_ in _properties():
        *names, last = path.split(".")
        inside = tree
        for name in names:
            inside = inside.setdefault(name, {"properties": {}})["properties"]
        inside.setdefault(last, dict(property_))
    return tree


def place(column: str) -> str | None:
    """Say where a column of the tables lies; times are dates there, ``duration_s`` nanoseconds."""
    return _PLACES.get(column)


def _properties() -> Iterator[tuple[str, Property]]:
    for computed in COMPUTED:
        yield computed.path, computed.property
    for column, path in _PLACES.items():
        if path.endswith(".location.lat"):
            yield path.removesuffix(".lat"), POINT
        elif not path.endswith(".location.lon"):
            yield path, _PROPERTIES.get(column) or index_type(column)


def _members(
    source: Source, computed: Sequence[Computed]
) -> Iterator[tuple[str, Sequence[AnyPart] | pa.Array]]:
    for one in computed:
        values = one.make(source)
        if values is not None:
            yield one.path, values
    yield from _placed(source).items()
    others = source.columns.keys() - _PLACES.keys() - _LEFT_OUT
    if others:
        yield _OTHER, _object(source, _OTHER, [name for name in source.columns if name in others])


def _placed(source: Source) -> dict[str, Sequence[AnyPart] | pa.Array]:
    """Give the columns of the tables in their order, by place."""
    placed: dict[str, Sequence[AnyPart] | pa.Array] = {}
    for column, path in _PLACES.items():
        if column not in source.columns:
            continue
        form = FORMS.get(column)
        values = form(source, path) if form else source.columns[column]
        placed[path] = coalesce(placed[path], values) if path in placed else values
    return placed


def _object(source: Source, path: str, columns: Sequence[str]) -> list[AnyPart]:
    members = [
        part for name in columns for part in column_parts(member(name), source.columns[name])
    ]
    return [Open(f"{member(path.split('.')[-1]).before}{{"), *members, Close("}")]
