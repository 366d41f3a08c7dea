"""Iceberg tables in a folder, for tests: flows with event ids, tables written and read back, a catalog with faults."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from flow_batches import V2, batch
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from vpcflow.sinks import Settled
from vpcflow.sinks.iceberg.address import parse_table_url
from vpcflow.sinks.iceberg.catalog import open_catalog
from vpcflow.sinks.iceberg.sink import IcebergSink

NAME = ("network", "flows")
DAY = 86_400


def identified(*rows: Mapping[str, Any]) -> pa.RecordBatch:
    """Make a batch of rows, each with an event id made of all it holds."""
    return batch(
        [
            {**row, "event_id": hashlib.md5(repr(sorted(row.items())).encode()).hexdigest()}
            for row in rows
        ]
    )


def some(count: int, first: int = 0, **changes: Any) -> pa.RecordBatch:
    """Make flows that differ in port and bytes."""
    return identified(
        *(V2 | {"srcport": 1024 + i, "bytes": i} | changes for i in range(first, first + count))
    )


@contextlib.contextmanager
def catalog_of(folder: Path) -> Iterator[Catalog]:
    catalog = open_catalog(parse_table_url(f"iceberg://{folder}/{'.'.join(NAME)}"))
    try:
        yield catalog
    finally:
        catalog.close()


@contextlib.contextmanager
def table_of(folder: Path) -> Iterator[Table]:
    with catalog_of(folder) as catalog:
        yield catalog.load_table(NAME)


def write(folder: Path, *batches: pa.RecordBatch, run_id: str = "run", **options: Any) -> Settled:
    """Write a run, and give what the sink knows in the end."""
    with catalog_of(folder) as catalog:
        with IcebergSink(catalog, NAME, run_id, **options) as sink:
            for one in batches:
                sink.write(one)
        return sink.settled()


def rows_of(folder: Path, *columns: str) -> list[tuple[Any, ...]]:
    """Read columns of all rows, in order of their values."""
    with table_of(folder) as table:
        found = table.scan(selected_fields=columns).to_arrow().select(columns)
    rows = zip(*(column.to_pylist() for column in found.columns), strict=True)
    return sorted(rows, key=lambda row: [(value is not None, value) for value in row])


def count_of(folder: Path) -> int:
    with table_of(folder) as table:
        return int(table.scan().count())


def data_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.parquet"))


class Faulty:
    """
    A catalog of which commits go wrong: each calls the next of ``faults``, with what commits in earnest.

    All else is the real catalog's.
    """

    def __init__(
        self, catalog: Catalog, faults: Sequence[Callable[[Callable[[], Any]], Any]]
    ) -> None:
        self._catalog = catalog
        self.faults = list(faults)
        self.commits = 0
        self.is_gone = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._catalog, name)

    def load_table(self, name: tuple[str, ...]) -> Table:
        if self.is_gone:
            raise ConnectionError("connection refused")
        found = self._catalog.load_table(name)
        found.catalog = self  # type: ignore[assignment]
        return found

    def create_table(self, *arguments: Any, **options: Any) -> Table:
        found = self._catalog.create_table(*arguments, **options)
        found.catalog = self  # type: ignore[assignment]
        return found

    def commit_table(self, *arguments: Any) -> Any:
        self.commits += 1
        earnest = lambda: self._catalog.commit_table(*arguments)  # noqa: E731
        return self.faults.pop(0)(earnest) if self.faults else earnest()
