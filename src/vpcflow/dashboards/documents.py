"""Where columns lie in the documents of a schema, what they may be asked for there, and how their values are spelt."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from vpcflow.dashboards.model import TIME, Grid
from vpcflow.schemas import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vpcflow.dashboards.model import Metric, Panel
    from vpcflow.index_types import Property
    from vpcflow.schemas import Schema

COUNTED = frozenset({"keyword", "ip", "integer", "long", "short", "boolean", "date"})
"""Types whose values make buckets, and can be told apart and counted."""

SUMMED = frozenset({"integer", "long", "short", "double", "float", "date"})
"""Types that have a sum, a mean, a least and a greatest; of dates only the last two."""

_VALUES: Mapping[str, Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "appender": {"direction": {"ingress": "inbound", "egress": "outbound"}},
        "ocsf": {
            "action": {"ACCEPT": "Allowed", "REJECT": "Blocked"},
            "direction": {"ingress": "Inbound", "egress": "Outbound"},
        },
    }
)

_UNITS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {"ecs": {"duration_s": "nanoseconds"}, "ocsf": {"duration_s": "milliseconds"}}
)
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
        """Give the path of the point that a latitude is part of, or that lies beside it, or None."""
        place, dot, _ = (self._place(latitude) or "").rpartition(".")
        beside = (path for path in self.fields if path.rpartition(".")[0] == place)
        points = [place, *beside] if dot else []
        return next((path for path in points if self.type_of(path) == "geo_point"), None)

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

    def fitted(self, panel: Panel) -> Panel | None:
        """
        Give a panel as the documents can answer it: without further metrics of what they lack, or not at all.

        They lack a column that is not there in a form which makes buckets, or adds up where a metric needs that.
        """
        metrics = tuple(metric for metric in panel.metrics if self._measures(metric))
        if not metrics or (panel.buckets and metrics[0] != panel.metrics[0]):
            return None
        fitted = panel._replace(metrics=metrics)
        points = {bucket.latitude for bucket in panel.buckets if isinstance(bucket, Grid)}
        measured = {metric.column for metric in metrics}
        others = (c for c in fitted.columns() if c not in points | measured)
        is_whole = all(map(self.point, points)) and self.has(tuple(others))
        return fitted if is_whole else None

    def _measures(self, metric: Metric) -> bool:
        if metric.column is None:
            return True
        return self._is_of(metric.column, COUNTED if metric.kind == "cardinality" else SUMMED)

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
