"""
The state of usage between runs: what was counted, and what must be seen again; a folder of Parquet files.

A run writes a generation of files into a folder of its own and then names it in ``CURRENT``, by rename: one that is
killed leaves the state as it was.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from vpcflow.errors import FormatError, SinkError
from vpcflow.rules.coverage import Seen
from vpcflow.rules.memory import LISTENER_ROWS, SIGHTING_ROWS, WATCHED_ROWS, Memory
from vpcflow.rules.tally import SCHEMAS
from vpcflow.rules.watched_day import WATCHED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vpcflow.rules.coverage import CoverageBuilder

_VERSION = 1
_CURRENT = "CURRENT"
_ABOUT = "about.json"
_KIND = "vpcflow rules usage"
_MEMORY = {"sightings": SIGHTING_ROWS, "watched": WATCHED_ROWS, "listeners": LISTENER_ROWS}
_SEEN = pa.schema(
    [
        ("interface_id", pa.string()),
        ("first", pa.int64()),
        ("last", pa.int64()),
        ("accepts", pa.bool_()),
        ("rejects", pa.bool_()),
        ("skipped", pa.int64()),
        ("missing", pa.list_(pa.string())),
    ]
)
_DAYS = pa.schema([("interface_id", pa.string()), ("day", pa.int32()), *list(WATCHED)[1:]])


class State(NamedTuple):
    """What a run leaves: the tables of a tally of settled connections, and the memory of a recording."""

    tally: Mapping[str, pa.Table]
    memory: Memory


def read_state(folder: Path, coverage: CoverageBuilder) -> State | None:
    """
    Read the state in a folder, and add what it covers to ``coverage``; None where there is none yet.

    Raises ``FormatError`` where the folder holds something else, or a state of another version.
    """
    current = folder / _CURRENT
    if not current.exists():
        if folder.is_dir() and any(folder.iterdir()):
            raise FormatError(
                f"{str(folder)!r} holds something else: --state needs a folder of its own"
            )
        return None
    try:
        here = folder / current.read_text().strip()
        about = orjson.loads((here / _ABOUT).read_bytes())
        if about.get("kind") != _KIND or about.get("version") != _VERSION:
            raise FormatError(
                f"{str(folder)!r} is no state of this version of vpcflow ({about.get('kind')!r},"
                f" {about.get('version')!r}): begin another"
            )
        tables = {name: pq.read_table(here / f"{name}.parquet") for name in _files()}
    except (OSError, ValueError, pa.ArrowException) as fault:
        raise FormatError(f"{str(folder)!r} is no whole state ({fault})") from fault
    _restore(coverage, tables["seen"], tables["days"])
    sightings, watched, listeners = (tables[n].cast(schema) for n, schema in _MEMORY.items())
    memory = Memory(sightings, watched, listeners, about["newest_s"])
    return State({name: tables[f"tally_{name}"].cast(SCHEMAS[name]) for name in SCHEMAS}, memory)


def write_state(folder: Path, state: State, coverage: CoverageBuilder) -> None:
    """Write the state over the one that was there; raises ``SinkError`` where it cannot."""
    tables = {f"tally_{name}": table for name, table in state.tally.items()}
    tables |= {name: getattr(state.memory, name) for name in _MEMORY}
    tables |= {"seen": _seen_table(coverage), "days": _day_table(coverage)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = [one for one in folder.iterdir() if one.is_dir()]
        number = max((int(one.name) for one in before if one.name.isdigit()), default=0) + 1
        here = folder / f"{number:06}"
        here.mkdir()
        for name, table in tables.items():
            pq.write_table(table, here / f"{name}.parquet", compression="zstd")
        about = {"kind": _KIND, "version": _VERSION, "newest_s": state.memory.newest_s}
        (here / _ABOUT).write_bytes(orjson.dumps(about))
        pending = folder / f".{_CURRENT}"
        pending.write_text(here.name)
        pending.replace(folder / _CURRENT)
        for one in before:
            shutil.rmtree(one, ignore_errors=True)
    except OSError as fault:
        raise SinkError(f"cannot write the state to {str(folder)!r}: {fault}") from fault


def _files() -> list[str]:
    return [*(f"tally_{name}" for name in SCHEMAS), *_MEMORY, "seen", "days"]


def _seen_table(coverage: CoverageBuilder) -> pa.Table:
    rows = [
        {"interface_id": name, **seen._asdict(), "missing": sorted(seen.missing)}
        for name, seen in coverage.seen().items()
    ]
    return pa.Table.from_pylist(rows, _SEEN)


def _day_table(coverage: CoverageBuilder) -> pa.Table:
    ids = pa.array(list(coverage.interface_ids), pa.string())
    parts = []
    for day, watched in coverage.days():
        rows = watched.rows()
        days = pa.array(np.full(rows.num_rows, day, np.int32))
        arrays = [ids.take(rows.column("eni")), days, *rows.columns[1:]]
        parts.append(pa.RecordBatch.from_arrays(arrays, schema=_DAYS))
    return pa.Table.from_batches(parts, _DAYS)


def _restore(coverage: CoverageBuilder, seen: pa.Table, days: pa.Table) -> None:
    for row in seen.to_pylist():
        name = row.pop("interface_id")
        coverage.remember(name, Seen(**row | {"missing": frozenset(row["missing"])}))
    for batch in days.sort_by("day").combine_chunks().to_batches():
        day = batch.column("day").to_numpy()
        for one in np.unique(day).tolist():
            at = np.flatnonzero(day == one)
            rows = batch.take(pa.array(at))
            enis = [coverage.number(name) for name in rows.column("interface_id").to_pylist()]
            coverage.day(one).add_rows(rows, np.array(enis, np.int64))
