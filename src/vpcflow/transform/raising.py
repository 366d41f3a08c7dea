"""
Find the rows on which work raises that a whole batch raises on: a defect that one row meets must not cost the others.

By halves, so that few rows cost little more time than one. Where more than few raise it is not the rows that are to
blame, and what they raise goes on: Firehose tries again, and keeps all of the batch.
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

MOST = 8
"""How many rows of a batch may be to blame: to find them takes some twenty times as long as all rows take at once."""


def raising_rows(flows: pa.RecordBatch, work: Callable[[pa.RecordBatch], object]) -> list[int]:
    """Give the places of the rows on which ``work`` raises alone; raises what it raises where they are too many."""
    found: list[int] = []
    waiting = [np.arange(flows.num_rows)]
    while waiting:
        rows = waiting.pop()
        try:
            work(only(flows, rows))
        except Exception:
            if len(rows) > 1:
                waiting.extend(np.array_split(rows, 2)[::-1])
            elif len(found) < MOST:
                found.extend(rows.tolist())
            else:
                raise
    return found


def only(flows: pa.RecordBatch, rows: npt.NDArray[np.integer]) -> pa.RecordBatch:
    """Give these rows as a batch of their own: of texts, its dictionaries hold none but theirs."""
    taken = flows.take(pa.array(rows))
    columns = [
        column.dictionary_decode().dictionary_encode()
        if pa.types.is_dictionary(column.type)
        else column
        for column in taken.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=flows.schema.names)


def place_of(error: Exception) -> str:
    """Say what was raised and where in vpcflow, without its words, which may hold an address."""
    own: Sequence[str] = [
        f"{frame.f_globals['__name__']}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_globals.get("__name__", "").startswith("vpcflow.")
    ]
    return f"{type(error).__name__} at {own[-1] if own else 'an unknown place'}"
