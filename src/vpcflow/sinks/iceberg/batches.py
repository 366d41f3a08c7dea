"""
A batch of flows is committed once: its id is in the properties of its snapshot, and looked for before each attempt.

A batch is told by its flows, not by the names of inputs: the same flows are the same batch in whatever files and order
they come, and another file of the same name is another batch.
"""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyiceberg.exceptions import (
    BadRequestError,
    ForbiddenError,
    NoSuchTableError,
    UnauthorizedError,
)

from vpcflow import __version__
from vpcflow.errors import SinkError
from vpcflow.sinks.iceberg.catalog import waiting_s
from vpcflow.sinks.iceberg.faults import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table
    from pyiceberg.table.metadata import TableMetadata
    from pyiceberg.table.snapshots import Snapshot

BATCH_ID, CONTENT, RUN_ID = "vpcflow.batch-id", "vpcflow.batch-content", "vpcflow.run-id"

_ATTEMPTS = 10
_ID_BYTES = 32
# The server has looked at the request and said no: nothing of it can still happen.
_REFUSALS = (BadRequestError, ForbiddenError, NoSuchTableError, UnauthorizedError)


class Content:
    """The flows of a batch, in any order: how many they are, and the sums of the words of their event ids."""

    def __init__(self) -> None:
        self.flows = 0
        self._sums = np.zeros(_ID_BYTES // 8, np.uint64)

    def add(self, event_ids: pa.Array) -> None:
        """Count these flows in."""
        self.flows += len(event_ids)
        if len(event_ids):
            self._sums += _words(event_ids).sum(axis=0, dtype=np.uint64)

    def digest(self) -> str:
        """Give what stands for all of them: 32 hexadecimal digits."""
        told_apart = f"{self.flows}:".encode() + self._sums.astype("<u8").tobytes()
        return hashlib.sha256(told_apart).hexdigest()[:32]


class Batch(NamedTuple):
    """A batch by the id it has, what is in it, and the run that writes it."""

    id: str
    content: str
    run_id: str


class UnknownOutcome(SinkError):
    """Whether the commit has happened nobody knows: its files must stay."""


def find_batch(metadata: TableMetadata, batch_id: str) -> Snapshot | None:
    """
    Look for a batch among the snapshots that have led to the table as it is.

    One that was rolled back is none of them; nor is one that has expired, and whose batch is forgotten with it.
    """
    for snapshot in _history(metadata):
        if _value(snapshot, BATCH_ID) == batch_id:
            return snapshot
    return None


def check_content(snapshot: Snapshot, batch: Batch) -> None:
    """Raise ``SinkError`` where the batch of that id in the table is of other flows."""
    if _value(snapshot, CONTENT) != batch.content:
        raise SinkError(
            f"batch {batch.id!r} is in the table already (snapshot {snapshot.snapshot_id}), and with other flows:"
            " nothing was written; name another --batch-id for these"
        )


def commit(
    table: Table,
    files: Sequence[DataFile],
    batch: Batch,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Snapshot | None:
    """
    Add the files to the table in one snapshot; give the snapshot another run has put the batch in, None for this one's.

    A conflict with another writer, and an answer that does not come, lead to another attempt, before which the table is
    asked whether the batch is in it by now. Raises ``SinkError`` where it is certain that nothing was committed, and
    ``UnknownOutcome`` where it is not.
    """
    spec_id = table.spec().spec_id
    fault: Exception | None = None
    standing: list[_Attempt] = []  # that may have ended well, or may still do so
    for attempt in range(_ATTEMPTS + 1):
        if attempt:
            sleep(waiting_s(attempt - 1))
        try:
            table.refresh()
        except Exception as error:  # noqa: BLE001  # of whatever kind: it may answer next time
            fault = error
            continue
        if (found := find_batch(table.metadata, batch.id)) is not None:
            return None if _value(found, RUN_ID) == batch.run_id else found
        standing = _possible(standing, table.metadata.current_snapshot_id)
        if attempt == _ATTEMPTS:
            break
        if table.spec().spec_id != spec_id:
            fault = ValueError("the table was partitioned otherwise meanwhile")
            break
        try:
            made = _Attempt(table, files, batch)
        except Exception as error:  # noqa: BLE001  # of whatever kind: nothing was asked of the catalog
            fault = error
            break
        fault = made.fault_of_commit()
        if fault is None:
            _possible(standing, table.metadata.current_snapshot_id)
            return None
        if isinstance(fault, _REFUSALS):
            made.clean()
            break
        standing.append(made)
    assert fault is not None
    said = told(fault, table.catalog.properties)
    if standing:
        raise UnknownOutcome(
            f"whether batch {batch.id!r} was committed is not known ({said}): run the same again,"
            " and it is added unless it is there"
        ) from fault
    raise SinkError(f"batch {batch.id!r} was not committed ({said}): run the same again") from fault


class _Attempt:
    """A snapshot that is staged: its manifests are written, and the catalog does not know of it."""

    def __init__(self, table: Table, files: Sequence[DataFile], batch: Batch) -> None:
        self.parent = table.metadata.current_snapshot_id
        self._transaction = table.transaction()
        update = self._transaction.update_snapshot(snapshot_properties=_properties(batch))
        merges = table.properties.get("commit.manifest-merge.enabled", "true").lower() == "true"
        with update.merge_append() if merges else update.fast_append() as append:
            for file in files:
                append.append_data_file(file)
        # pyiceberg would try again without a look for the batch, and at a conflict remove the manifests, though a
        # request that was sent twice can conflict with itself.
        self._producers = self._transaction._snapshot_producers
        self._transaction._snapshot_producers = []

    def fault_of_commit(self) -> Exception | None:
        """Commit, and give the error there was; None where it went well."""
        try:
            self._transaction.commit_transaction()
        except Exception as error:  # noqa: BLE001  # what is not a plain no is looked into
            return error
        return None

    def clean(self) -> None:
        """Remove the manifests of a snapshot that cannot be in the table."""
        for producer in self._producers:
            producer._clean_all_uncommitted()
        self._producers = []


def _possible(attempts: Sequence[_Attempt], head: int | None) -> list[_Attempt]:
    """
    Keep the attempts that may still end well, and clean up after the others.

    An attempt asks that the table be as it was: once that has moved on, and the batch is not in it, it cannot.
    """
    for attempt in attempts:
        if attempt.parent != head:
            attempt.clean()
    return [attempt for attempt in attempts if attempt.parent == head]


def _properties(batch: Batch) -> dict[str, str]:
    return {
        BATCH_ID: batch.id,
        CONTENT: batch.content,
        RUN_ID: batch.run_id,
        "vpcflow.version": __version__,
    }


def _value(snapshot: Snapshot, name: str) -> str | None:
    return None if snapshot.summary is None else snapshot.summary[name]


def _history(metadata: TableMetadata) -> Iterator[Snapshot]:
    """Yield the snapshots of the table as it is, from the last back to the first that has not expired."""
    by_id: dict[int | None, Snapshot] = {one.snapshot_id: one for one in metadata.snapshots}
    snapshot = metadata.current_snapshot()
    while snapshot is not None:
        yield snapshot
        snapshot = by_id.get(snapshot.parent_snapshot_id)


def _words(event_ids: pa.Array) -> npt.NDArray[np.uint64]:
    """Give each id as four words of its text; of an id of another length, of its hash."""
    plain = event_ids.cast(pa.string())
    offsets = np.frombuffer(plain.buffers()[1], np.int32)[plain.offset :][: len(plain) + 1]
    if plain.null_count or not (np.diff(offsets) == _ID_BYTES).all():
        # Each by itself: the digest of all is not to depend on which come in one piece.
        texts = [(text or "").encode() for text in plain.to_pylist()]
        data = b"".join(
            text if len(text) == _ID_BYTES else hashlib.sha256(text).digest() for text in texts
        )
    else:
        data = plain.buffers()[2][int(offsets[0]) : int(offsets[-1])]
    return np.frombuffer(data, "<u8").reshape(len(plain), _ID_BYTES // 8)
