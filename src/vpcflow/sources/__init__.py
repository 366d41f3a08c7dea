"""Sources: where flow records come from. One file for each kind of origin; they hand on lines, rows and faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vpcflow.documents import Found
from vpcflow.lines import Lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    import pyarrow as pa

BLOCK_BYTES = 16 * 1024 * 1024
"""Text in a block: what is done once a block (dictionaries, look-ups of distinct values) then costs little a record."""


class Input(NamedTuple):
    """Something to read: its name as the user knows it, its size on disk (None: unknown), and how to open it."""

    name: str
    size_bytes: int | None
    open: Callable[[], BinaryIO]


class Rows(NamedTuple):
    """Rows of a Parquet file as they are in it; ``first`` is the number of the first, from 1."""

    batch: pa.RecordBatch
    source: str
    first: int


class Documents(NamedTuple):
    """What was found in a block of documents or of CSV: rows, each with the number of its line, and what else."""

    found: Found
    source: str


class Fault(NamedTuple):
    """An input could not be read further: why, and how many records begun or announced were not delivered for it."""

    source: str
    reason: str
    lost: int


Block = Lines | Rows | Documents | Fault
"""What a source yields, in the order of the input; a ``Fault`` is the last of its input."""
