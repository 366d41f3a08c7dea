"""What a run remembers for the next: all that records yet to come may still change, and what they are judged by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow.dictionaries import dictionary_array
from vpcflow.rules.listeners import Listeners
from vpcflow.rules.sightings import SIGHTINGS, Sightings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpcflow.rules.sightings import Texts
    from vpcflow.rules.watch import Minutes

_TEXT = pa.dictionary(pa.int32(), pa.string())
_NUMBERED = ("interface", "reason")

SIGHTING_ROWS = pa.schema(
    [field.with_type(_TEXT) if field.name in _NUMBERED else field for field in SIGHTINGS]
)
WATCHED_ROWS = pa.schema(
    [("interface_id", _TEXT), ("skipped", pa.bool_()), ("first", pa.int64()), ("last", pa.int64())]
)
LISTENER_ROWS = pa.schema(
    [
        ("socket", pa.uint64()),
        ("partners", pa.int64()),
        ("asked", pa.bool_()),
        ("asks", pa.bool_()),
    ]
)


class Memory(NamedTuple):
    """
    Tables that a later recording is made of before its own records are added.

    ``sightings`` are those of connections that are not settled, with texts for numbers; ``watched`` the runs of minutes
    (since 1970) in which interfaces had records, or had them ``skipped``; ``listeners`` the sockets of settled
    connections. ``newest_s`` is the latest end of any record, Unix seconds.
    """

    sightings: pa.Table
    watched: pa.Table
    listeners: pa.Table
    newest_s: int


def sighting_table(
    found: Sequence[Sightings], interfaces: Sequence[str], reasons: Sequence[str]
) -> pa.Table:
    """Make the table of sightings whose interfaces and reasons have these numbers."""
    texts = {
        "interface": pa.array(interfaces, pa.string()),
        "reason": pa.array(reasons, pa.string()),
    }
    batches = []
    for some in found:
        columns = {
            name: dictionary_array(values, texts[name]) if name in texts else pa.array(values)
            for name, values in some._asdict().items()
        }
        batches.append(pa.RecordBatch.from_pydict(columns, schema=SIGHTING_ROWS))
    return pa.Table.from_batches(batches, SIGHTING_ROWS)


def sightings_in(batch: pa.RecordBatch, interfaces: Texts, reasons: Texts) -> Sightings:
    """Give the sightings of a batch of such a table, with their numbers here, and no row of a recording."""
    numbers = {"interface": interfaces, "reason": reasons}
    columns: dict[str, npt.NDArray[Any]] = {
        name: numbers[name].number(batch.column(name))
        if name in numbers
        else np.asarray(batch.column(name).to_numpy(zero_copy_only=False))
        for name in SIGHTINGS.names
    }
    columns["row"] = np.full(batch.num_rows, -1, np.int64)
    return Sightings(**columns)


def watched_table(seen: Minutes, skipped: Minutes, interfaces: Sequence[str]) -> pa.Table:
    """Make the table of what was watched."""
    texts = pa.array(interfaces, pa.string())
    batches = [
        pa.RecordBatch.from_arrays(
            [
                dictionary_array(one.interface, texts),
                pa.array(np.full(len(one.first), is_skipped)),
                pa.array(one.first),
                pa.array(one.last),
            ],
            schema=WATCHED_ROWS,
        )
        for is_skipped, one in ((False, seen), (True, skipped))
    ]
    return pa.Table.from_batches(batches, WATCHED_ROWS)


def listener_table(listeners: Listeners) -> pa.Table:
    """Make the table of listeners."""
    arrays = [
        pa.array(column)
        for column in (listeners.sockets, listeners.partners, listeners.asked, listeners.asks)
    ]
    return pa.Table.from_arrays(arrays, schema=LISTENER_ROWS)


def listeners_in(table: pa.Table) -> Listeners:
    """Give the listeners of such a table, sorted by socket."""
    sorted_ = table.sort_by("socket").combine_chunks()
    columns = (
        np.asarray(sorted_.column(name).to_numpy(zero_copy_only=False))
        for name in LISTENER_ROWS.names
    )
    return Listeners(*columns)
