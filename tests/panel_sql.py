"""
What panels say in SQL: from the table of panels, in columns, to DuckDB; knows neither documents nor saved objects.

For a panel it gives every bucket of every level with its metrics, not only those that a panel shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import duckdb
import pyarrow as pa
from saved_objects import MISSING

from vpcflow.dashboards.model import (
    TIME,
    Bucket,
    Causes,
    Condition,
    Grid,
    Is,
    Known,
    Metric,
    Not,
    OverTime,
    Panel,
)

Level = dict[tuple[Any, ...], tuple[Any, ...]]
"""Keys of a bucket, from the outermost, to its metrics."""

GEOHASH = "0123456789bcdefghjkmnpqrstuvwxyz"


class Flows:
    """
    Flows to ask with SQL; ``expressions`` are columns that documents hold otherwise, ``spelt`` gives how they spell a
    column's value.
    """

    def __init__(
        self, flows: pa.Table, expressions: dict[str, str], spelt: Callable[[str, str], str]
    ) -> None:
        self._spelt = spelt
        self._duckdb = duckdb.connect()
        self._duckdb.register("given", _plain(flows))
        self._lists = {f.name for f in flows.schema if pa.types.is_list(f.type)}
        replaced = "".join(f", {expression} AS {name}" for name, expression in expressions.items())
        without = f"EXCLUDE ({', '.join(expressions)})" if expressions else ""
        self._duckdb.execute(
            f'CREATE TABLE flows AS SELECT * {without} {replaced}, "end" * 1000 AS time_ms FROM given'
        )

    def levels(self, panel: Panel) -> list[Level]:
        """Give the buckets within none, one, … of the panel's buckets."""
        return [self._level(panel, depth) for depth in range(len(panel.buckets) + 1)]

    def newest(self, where: Sequence[Condition], count: int) -> tuple[int, list[int]]:
        """Count the records all conditions hold for, and give the times of the newest, in milliseconds."""
        text = f"SELECT time_ms FROM flows WHERE {self._all(where)} ORDER BY 1 DESC"
        times = [row[0] for row in self._duckdb.execute(text).fetchall()]
        return len(times), times[:count]

    def one(self, text: str) -> Any:
        """Give what a query finds, a row of one column."""
        (row,) = self._duckdb.execute(text).fetchall()
        return row[0]

    def _level(self, panel: Panel, depth: int) -> Level:
        table = f"SELECT * FROM flows WHERE {self._all(panel.where)}"
        keys = [f"key_{n}" for n in range(depth)]
        for name, bucket in zip(keys, panel.buckets):
            table = f"SELECT *, {self._key(bucket)} AS {name} FROM ({table})"
        metrics = ", ".join(self._metric(metric) for metric in panel.metrics)
        known = " AND ".join(f"{name} IS NOT NULL" for name in keys) or "true"
        group = f"GROUP BY {', '.join(keys)}" if keys else ""
        text = f"SELECT {', '.join([*keys, metrics])} FROM ({table}) WHERE {known} {group}"
        rows = self._duckdb.execute(text).fetchall()
        return {row[:depth]: row[depth:] for row in rows}

    def _key(self, bucket: Bucket) -> str:
        if isinstance(bucket, OverTime):
            return "time_ms - time_ms % 60000"
        if isinstance(bucket, Grid):
            return _geohash(bucket.latitude)
        if isinstance(bucket, Causes):
            found = ", ".join(
                f"CASE WHEN {self._all(c)} THEN '{label}' END" for label, c in bucket.filters
            )
            # What is null does not come out of it.
            return f"unnest(list_distinct([{found}]))"
        if bucket.column in self._lists:
            nothing = f"['{MISSING}']" if bucket.missing else "[]"
            return f"unnest(CASE WHEN len({bucket.column}) > 0 THEN {bucket.column} ELSE {nothing} END)"
        return f"coalesce({bucket.column}, '{MISSING}')" if bucket.missing else bucket.column

    def _metric(self, metric: Metric) -> str:
        if metric.column is None:
            return "count(*)"
        column = "time_ms" if metric.column == TIME else metric.column
        if metric.kind == "sum":
            return f"coalesce(sum({column}), 0)"
        if metric.kind != "cardinality":
            return f"{metric.kind}({column})"
        if column in self._lists:
            values = f"flatten(list({column}) FILTER ({column} IS NOT NULL))"
            return f"coalesce(len(list_distinct({values})), 0)"
        return f"count(DISTINCT {column})"

    def _all(self, conditions: Sequence[Condition]) -> str:
        return " AND ".join(self._holds(condition) for condition in conditions) or "true"

    def _holds(self, condition: Condition) -> str:
        if isinstance(condition, Not):
            return f"({self._holds(condition.of)}) IS NOT TRUE"
        if isinstance(condition, Known):
            return f"{condition.column} IS NOT NULL"
        assert isinstance(condition, Is)
        spelt = [self._spelt(condition.column, value) for value in condition.values]
        values = ", ".join(f"'{value}'" for value in spelt)
        if condition.column in self._lists:
            return f"list_has_any({condition.column}, [{values}])"
        return f"{condition.column} IN ({values})"


def _geohash(latitude: str) -> str:
    """Give a geohash of two letters in SQL: five bits of each of both, the longitude's first."""
    longitude = latitude.replace("latitude", "longitude")
    x = f"cast(floor(({longitude} + 180) / 360 * 32) AS integer)"
    y = f"cast(floor(({latitude} + 90) / 180 * 32) AS integer)"
    # Bits go x y x y x | y x y x y.
    bits = [
        f"(({which} >> {shift}) & 1)"
        for n in range(10)
        for which, shift in [(x if n % 2 == 0 else y, 4 - n // 2)]
    ]
    letters = [
        "substr('{}', 1 + {}, 1)".format(
            GEOHASH,
            " + ".join(f"({bit} << {4 - n})" for n, bit in enumerate(bits[start : start + 5])),
        )
        for start in (0, 5)
    ]
    return " || ".join(letters)


def _plain(flows: pa.Table) -> pa.Table:
    """Give lists of dictionaries as lists of texts: DuckDB cannot read a batch of which all are empty."""
    plain = pa.list_(pa.string())
    for place, field in enumerate(flows.schema):
        if pa.types.is_list(field.type) and pa.types.is_dictionary(field.type.value_type):
            column = flows.column(place)
            chunks = [pa.array(chunk.to_pylist(), plain) for chunk in column.chunks]
            flows = flows.set_column(place, field.with_type(plain), pa.chunked_array(chunks, plain))
    return flows
