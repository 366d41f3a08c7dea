"""Iceberg tables: data files by day, written as they fill, and one commit at the end."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from vpcflow.errors import SinkError
from vpcflow.partitions import Partitions, flow_times
from vpcflow.pending_file import leave
from vpcflow.sinks import Settled
from vpcflow.sinks.iceberg.batches import (
    Batch,
    Content,
    UnknownOutcome,
    check_content,
    commit,
    find_batch,
)
from vpcflow.sinks.iceberg.catalog import add_columns, faults_of, open_catalog, open_table
from vpcflow.sinks.iceberg.data_files import OpenDataFile, Place, remove
from vpcflow.sinks.iceberg.partitioning import PartitionNumbers
from vpcflow.sinks.iceberg.schema import FLOW_TIME, known_columns, memory_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self

    from pyiceberg.catalog import Catalog
    from pyiceberg.manifest import DataFile

    from vpcflow.sinks.iceberg.address import TableAddress

_MICROSECONDS = 1_000_000


class IcebergSink:
    """
    Append flows to an Iceberg table, all of them in one snapshot at ``close``; after ``abort`` none is in it.

    The table is made where there is none, and given the columns it lacks; what others have added stays null. A batch is
    the flows of one run: its id is ``batch_id``, or else made of the flows' event ids. Where it is in the table already
    nothing is added, its flows are duplicates, and ``say`` is told.

    Raises ``SinkError``: also where ``batch_id`` is in the table with other flows. After one that says that the outcome
    is unknown, no file is removed, and a run of the same finds out.
    """

    def __init__(
        self,
        catalog: Catalog,
        table: tuple[str, ...],
        run_id: str,
        *,
        columns: Sequence[str] | None = None,
        batch_id: str | None = None,
        say: Callable[[str], None] = lambda _: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._taken = 0
        self._settled = Settled()
        self._catalog = catalog
        self._name = ".".join(table)
        self._run_id = run_id
        self._columns = columns
        self._batch_id = batch_id
        self._say = say
        self._sleep = sleep
        self._content = Content()
        self._files: list[DataFile] = []
        self._opened = 0
        self._names = known_columns(columns)
        self._table = open_table(catalog, table, self._names)
        self._numbers = PartitionNumbers(self._table)
        self._parts = Partitions(memory_schema(self._table.schema(), self._names), self._open)
        # Known at once, it need not be written to be found there in the end.
        self._there = None if batch_id is None else find_batch(self._table.metadata, batch_id)

    def write(self, flows: pa.RecordBatch) -> int:
        """Take the flows; they are delivered when ``close`` has returned."""
        if "event_id" not in flows.schema.names:
            raise SinkError("flows for an Iceberg table need event_id, by which a batch is told")
        self._content.add(flows.column("event_id"))
        if self._there is None and flows.num_rows:
            # Who reads files of a table back has the column already, as text.
            others = flows.select([name for name in flows.schema.names if name != FLOW_TIME])
            self._hold(others.append_column(FLOW_TIME, _flow_time(flows)))
        self._taken += flows.num_rows
        return int(flows.num_rows)

    def close(self) -> None:
        """Finish all files and commit them."""
        with faults_of(f"table {self._name!r}", self._catalog.properties):
            self._parts.finish()
            if self._content.flows:
                self._commit()
        self._catalog.close()

    def abort(self) -> None:
        """Leave no file that the table does not name."""
        self._parts.discard()
        self._remove_files()
        self._settled = Settled(failed=self._taken)
        self._catalog.close()

    def settled(self) -> Settled:
        """Tell, once, which flows ``close`` found to be in the table before, or that none was delivered."""
        settled, self._settled = self._settled, Settled()
        return settled

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        leave(self, failed=kind is not None)

    def _hold(self, flows: pa.RecordBatch) -> None:
        if self._columns is None:
            self._widen(flows.schema.names)
        names = set(self._parts.schema.names)
        wanted = flows.select([name for name in flows.schema.names if name in names])
        self._parts.take(wanted, self._numbers.of(flows))

    def _commit(self) -> None:
        content = self._content.digest()
        batch = Batch(self._batch_id or content, content, self._run_id)
        # From here on until the outcome is known the files may be the table's.
        files, self._files = self._files, []
        try:
            there = self._there or commit(self._table, files, batch, sleep=self._sleep)
        except UnknownOutcome:
            raise
        except Exception:
            self._files = files
            raise
        if there is None:
            return
        self._files = files
        check_content(there, batch)
        self._remove_files()
        self._settled = Settled(duplicates=self._taken)
        self._say(
            f"{self._taken:,} flows are in the table already, as batch {batch.id!r} of snapshot"
            f" {there.snapshot_id}: nothing was added (to add them once more, name another --batch-id)"
        )

    def _widen(self, names: Sequence[str]) -> None:
        """Give the table the columns of a batch that it lacks."""
        new = [name for name in names if name not in self._parts.schema.names]
        if not new:
            return
        self._names += new
        with faults_of(f"table {self._name!r}", self._catalog.properties):
            self._table = add_columns(self._table, self._names)
        self._parts.schema = memory_schema(self._table.schema(), self._names)

    def _open(self, number: int, schema: pa.Schema) -> OpenDataFile:
        key = self._numbers.key(number)
        name = f"{self._run_id}-{self._opened:05d}.parquet"
        self._opened += 1
        location = self._table.location_provider().new_data_location(name, key)
        return OpenDataFile(self._table, Place(location, key), schema, self._files.append)

    def _remove_files(self) -> None:
        for file in self._files:
            remove(self._table.io, file.file_path)
        self._files.clear()


def open_iceberg_sink(
    address: TableAddress,
    run_id: str,
    *,
    columns: Sequence[str] | None = None,
    batch_id: str | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> IcebergSink:
    """Open the sink of a table's address; raises ``SinkError``."""
    catalog = open_catalog(address)
    # Runs of many machines share a table, and files of one name would replace each other.
    run_id = f"{run_id}-{secrets.token_hex(4)}"
    try:
        return IcebergSink(
            catalog, address.table, run_id, columns=columns, batch_id=batch_id, say=say
        )
    except BaseException:
        catalog.close()
        raise


def _flow_time(flows: pa.RecordBatch) -> pa.Array:
    seconds = flow_times(flows)
    return pa.array(
        seconds * _MICROSECONDS, pa.timestamp("us", tz="UTC"), mask=np.asarray(seconds < 0)
    )
