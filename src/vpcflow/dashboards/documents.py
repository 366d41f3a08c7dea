"""Where columns lie in the documents of a schema, what they may be asked for there, and how their values are spelt."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from vpcflow.dashboards.model import TIME, Grid, Panel
from vpcflow.schemas import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vpcflow.index_types import Property
    from vpcflow.schemas import Schema

COUNTED = frozenset({"keyword", "ip", "integer", "long", "short", "boolean", "date"})
"""Types whose values make buckets, and can be told apart and counted."""

SUMMED = frozenset({"integer", "long", "short", "double", "float", "date"})
"""Types that have a sum, a mean, a least and a greatest; of dates only the last two."""

_VALUES: Mapping[str, Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {"appender": {"direction": {"ingress": "inbound", "egress": "outbound"}}}
)

_UNITS: Mapping[str, Mapping[str, str]] = MappingProxyType({"ecs": {"duration_s": "nanoseconds"}})
"""Units of columns that end in ``_s`` where a schema holds them in another, in the products' words."""


class Documents:
    """The documents of a schema, as dashboards see them."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema.name
        self.time_field = schema.time_field
        self.fields = dict(_fields(schema.mapping()))
        self._place = schema.place

    def field(self, column: str) -> str | None:
        """Give the path of a column, or None; ``TIME`` is the time field."""
        path = self.time_field if column == TIME else self._place(column)
        return path if path in self.fields else None

    def point(self, latitude: str) -> str | None:
        """Give the path of the point that a latitude is part of, or None."""
        path = self._place(latitude)
        while path:
            if self.type_of(path) == "geo_point":
                return path
            path = path.rpartition(".")[0]
        return None

    def value(self, column: str, value: str) -> str:
        """Give how the documents spell a value of a column."""
        return _VALUES.get(self.schema, {}).get(column, {}).get(value, value)

    def unit(self, column: str) -> str:
        """Give the unit in which the documents hold a length of time."""
        return _UNITS.get(self.schema, {}).get(column, "seconds")

    def type_of(self, path: str) -> str | None:
        """Give the type that the index template gives a path, or None."""
        return self.fields[path]["type"] if path in self.fields else None

    def has(self, columns: tuple[str, ...]) -> bool:
        """Tell whether documents hold all these columns in a form that makes buckets."""
        return all(self._is_of(column, COUNTED) for column in columns)

    def answers(self, panel: Panel) -> bool:
        """Tell whether documents hold what a panel asks for, in a form that allows it."""
        points = {bucket.latitude for bucket in panel.buckets if isinstance(bucket, Grid)}
        numbers = {m.column for m in panel.metrics if m.kind not in ("count", "cardinality")}
        return (
            all(self.point(latitude) for latitude in points)
            and all(self._is_of(column, SUMMED) for column in numbers if column is not None)
            and all(self._is_of(c, COUNTED) for c in panel.columns() if c not in points | numbers)
        )

    def _is_of(self, column: str, types: frozenset[str]) -> bool:
        path = self.field(column)
        return path is not None and self.type_of(path) in types


def documents_of(schema: str) -> Documents:
    """Give the documents of the schema of this name."""
    return Documents(SCHEMAS[schema])


def _fields(mapping: Mapping[str, Property], parent: str = "") -> Iterator[tuple[str, Property]]:
    for name, value in mapping.items():
        if "properties" in value:
            yield from _fields(value["properties"], f"{parent}{name}.")
        else:
            yield f"{parent}{name}", value
