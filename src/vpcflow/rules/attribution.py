"""Attribute: flow records with who opened their connection and which rules admitted it, having seen all of them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vpcflow.codes import INITIATOR_BASES, REJECT_CAUSES, RULE_MATCHES, RULE_NOTES
from vpcflow.dictionaries import dictionary_array, row_indices, texts_of
from vpcflow.enrich import ENRICHERS, enrich
from vpcflow.fields import ADDED
from vpcflow.rules.recording import Recording
from vpcflow.rules.table import CONFIDENCE, id_column

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from vpcflow.admission import RuleBook
    from vpcflow.enrich import Reference
    from vpcflow.rules.judge import Judge

_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")
_JUDGED_BY = ("initiator", "rules", "attribution")
_SIDES = ("src", "dst")

JUDGED = tuple(a.column for a in ADDED if a.enricher in _JUDGED_BY)
"""The columns that are written from the whole input here, not from the record alone."""


def attribute(
    flows: Iterable[pa.RecordBatch],
    reference: Reference,
    book: RuleBook,
    *,
    columns: Collection[str] | None = None,
    folder: str | None = None,
) -> Iterator[pa.RecordBatch]:
    """
    Read all flows, and yield them again in the same batches and order, enriched and attributed.

    ``columns`` are the added columns wanted, None for all. Flows and answers wait in temporary files below ``folder``.
    """
    every = {c for e in ENRICHERS for c in e.columns} | set(JUDGED)
    wanted = every if columns is None else every & set(columns)
    with (
        tempfile.TemporaryDirectory(prefix="vpcflow-", dir=folder) as place,
        Recording(reference, folder=folder) as recording,
    ):
        kept = _Kept(Path(place))
        for batch in flows:
            recording.add(batch)
            kept.add(batch)
        kept.close()
        judge = recording.judge(book)
        answers = _Answers(Path(place), recording.rows)
        for part in recording.answers(judge):
            answers.put(part._asdict())
        words = _Words(judge, book, recording.reasons.values)
        first = 0
        for batch in kept.batches():
            own = enrich(batch, reference, columns=wanted.difference(JUDGED))
            judged = words.columns(answers, first, batch.num_rows)
            first += batch.num_rows
            yield _with(own, {c: a for c, a in judged.items() if c in wanted})


class _Kept:
    """Batches of flows in temporary files, a file for each run of batches of one layout."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = 0
        self._schema: pa.Schema | None = None
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        if self._writer is None or batch.schema != self._schema:
            self.close()
            self._schema = batch.schema
            path = (self._folder / f"flows-{self._files}.arrow").as_posix()
            self._writer = pa.ipc.new_stream(path, batch.schema, options=_OPTIONS)
            self._files += 1
        self._writer.write_batch(batch)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Give the batches as they came; each file is removed once it was read."""
        for number in range(self._files):
            path = self._folder / f"flows-{number}.arrow"
            with pa.OSFile(path.as_posix()) as file, pa.ipc.open_stream(file) as reader:
                yield from reader
            path.unlink()


class _Answers:
    """The answers by row, in files that the system pages in and out."""

    _TYPES = (
        ("id_high", np.uint64, 0),
        ("id_low", np.uint64, 0),
        ("initiator", np.int8, -1),
        ("basis", np.int8, -1),
        ("match", np.int8, -1),
        ("note", np.int8, -1),
        ("rules", np.int32, -1),
        ("cause", np.int32, -1),
    )

    def __init__(self, folder: Path, rows: int) -> None:
        self._columns: dict[str, npt.NDArray[Any]] = {}
        for name, type_, null in self._TYPES:
            column = np.memmap(folder / name, type_, "w+", shape=max(rows, 1))
            if null:
                column[:] = null
            self._columns[name] = column

    def put(self, part: dict[str, npt.NDArray[Any]]) -> None:
        row = part["row"].astype(np.int64)
        for name, column in self._columns.items():
            column[row] = part[name]

    def slice(self, first: int, count: int) -> dict[str, npt.NDArray[Any]]:
        return {n: np.asarray(column[first : first + count]) for n, column in self._columns.items()}


class _Words:
    """Turns answers into columns."""

    def __init__(self, judge: Judge, book: RuleBook, reasons: Sequence[str]) -> None:
        # Sets of rules as lists of ids; -1, none, is null.
        keys = book.keys.to_pylist()
        ids = [sorted({keys[rule] for rule in s}) for s in judge.sets.members]
        texts = pa.array([one for of_set in ids for one in of_set], pa.string())
        offsets = np.cumsum([0, *map(len, ids)]).astype(np.int32)
        self._lists = pa.ListArray.from_arrays(pa.array(offsets), texts.dictionary_encode())
        self._causes = pa.array([*REJECT_CAUSES, *reasons], pa.string())

    def columns(self, answers: _Answers, first: int, count: int) -> dict[str, pa.Array]:
        found = answers.slice(first, count)
        basis = found["basis"].astype(np.int32)
        judged = (found["id_high"] != 0) | (found["id_low"] != 0)
        ids = id_column(found["id_high"], found["id_low"])
        return {
            "connection_id": pc.if_else(pa.array(judged), ids, pa.scalar(None, pa.string())),
            "initiator": _coded(found["initiator"], texts_of(_SIDES)),
            "initiator_basis": _coded(basis, texts_of(tuple(INITIATOR_BASES))),
            "initiator_confidence": pa.array(CONFIDENCE[basis], mask=basis < 0),
            "rule_ids": self._lists.take(row_indices(found["rules"].astype(np.int32))),
            "rule_match": _coded(found["match"], texts_of(tuple(RULE_MATCHES))),
            "rule_note": _coded(found["note"], texts_of(tuple(RULE_NOTES))),
            "reject_cause": _coded(found["cause"], self._causes),
        }


def _coded(codes: npt.NDArray[Any], values: pa.Array) -> pa.DictionaryArray:
    return dictionary_array(codes.astype(np.int32), values)


def _with(flows: pa.RecordBatch, judged: dict[str, pa.Array]) -> pa.RecordBatch:
    """Put the judged columns where they stand among the added ones."""
    added = [a.column for a in ADDED if a.column in flows.schema.names or a.column in judged]
    logged = [name for name in flows.schema.names if name not in added]
    columns = {name: flows.column(name) for name in flows.schema.names} | judged
    names = [*logged, *added]
    return pa.RecordBatch.from_arrays([columns[name] for name in names], names=names)
