"""Catalogs: the one of an address opened, its table loaded, made where it is missing, widened where it is older."""

from __future__ import annotations

import contextlib
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NoSuchNamespaceError,
    NoSuchTableError,
    NotInstalledError,
    TableAlreadyExistsError,
)

from vpcflow.errors import SinkError
from vpcflow.sinks.iceberg.faults import told
from vpcflow.sinks.iceberg.schema import (
    PROPERTIES,
    added_type,
    doc_of,
    missing_columns,
    new_partition_spec,
    new_schema,
    new_sort_order,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

    from vpcflow.sinks.iceberg.address import TableAddress

EMBEDDED = "catalog.db"
"""The SQLite file of a folder's catalog."""

_LOCKED_S = 60
_SNAPSHOTS = "snapshot-loading-mode"
_ATTEMPTS = 8


def open_catalog(address: TableAddress) -> Catalog:
    """Open the catalog of an address; raises ``SinkError``."""
    with faults_of(f"the catalog of {address.name!r}", dict(address.properties)):
        if address.folder is not None:
            return _embedded(Path(address.folder))
        # Of a REST catalog that shows the last snapshot alone, no batch before it would be known.
        return load_catalog(address.catalog, **{**address.properties, _SNAPSHOTS: "all"})


def open_table(catalog: Catalog, table: tuple[str, ...], columns: Sequence[str]) -> Table:
    """
    Load the table, made with these columns where there is none, and given those it lacks.

    Both are commits of their own, so that the ids of its fields stand before a file is written with them. Raises
    ``SinkError`` where it does not fit.
    """
    with faults_of(f"table {'.'.join(table)!r}", catalog.properties):
        try:
            found = catalog.load_table(table)
        except (NoSuchTableError, NoSuchNamespaceError):
            found = _make(catalog, table, columns)
        return add_columns(found, columns)


def add_columns(
    table: Table, columns: Sequence[str], *, sleep: Callable[[float], None] = time.sleep
) -> Table:
    """
    Give a table the columns it lacks; another writer may do the same meanwhile.

    What is there stays: columns of others, and of ours those no longer written. Raises ``SinkError`` where one is of a
    type that cannot take our values.
    """
    for attempt in range(_ATTEMPTS):
        missing = missing_columns(table.schema(), columns)
        if not missing:
            return table
        try:
            with table.update_schema() as update:
                for name in missing:
                    update.add_column((name,), added_type(name), doc=doc_of(name))
        except CommitFailedException:
            if attempt == _ATTEMPTS - 1:
                raise
            sleep(waiting_s(attempt))
        table = table.refresh()
    return table


def waiting_s(attempt: int, *, draw: Callable[[], float] = random.random) -> float:
    """Give how long to wait before the next attempt: up to 10 s, by chance, that writers may not meet again."""
    return min(10.0, 0.1 * 2.0**attempt) * (0.5 + 0.5 * draw())


@contextlib.contextmanager
def faults_of(what: str, properties: dict[str, str]) -> Iterator[None]:
    """Raise ``SinkError`` for whatever a catalog or a store raises: each of their many kinds has its own."""
    try:
        yield
    except SinkError:
        raise
    except (ModuleNotFoundError, NotInstalledError) as error:
        raise SinkError(
            f"{what} needs more than is installed ({told(error, properties)}): run"
            " `pip install 'vpcflow[iceberg,aws]'` for Glue or DynamoDB, `pip install 'pyiceberg[hive]'` for Hive"
        ) from error
    except Exception as error:
        raise SinkError(f"{what}: {told(error, properties)}") from error


def _embedded(folder: Path) -> Catalog:
    from pyiceberg.catalog.sql import SqlCatalog
    from sqlalchemy.exc import OperationalError

    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for attempt in range(_ATTEMPTS):
        try:
            # Nobody's configuration of a catalog of that name is mixed in.
            return SqlCatalog(
                "default",
                uri=f"sqlite:///{folder / EMBEDDED}?timeout={_LOCKED_S}",
                warehouse=folder.as_uri(),
            )
        except OperationalError:
            # Another process makes its tables at this moment.
            if attempt == _ATTEMPTS - 1:
                raise
            time.sleep(waiting_s(attempt))
    raise AssertionError


def _make(catalog: Catalog, table: tuple[str, ...], columns: Sequence[str]) -> Table:
    schema = new_schema(columns)
    try:
        catalog.create_namespace_if_not_exists(table[:-1])
    except Exception:
        # Another process has made it at this moment, which each kind of catalog says in its own way.
        if not catalog.namespace_exists(table[:-1]):
            raise
    try:
        return catalog.create_table(
            table,
            schema,
            partition_spec=new_partition_spec(schema),
            sort_order=new_sort_order(schema),
            properties=dict(PROPERTIES),
        )
    except TableAlreadyExistsError:
        return catalog.load_table(table)
