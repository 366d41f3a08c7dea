"""
A security lake: OCSF events in Parquet, in the folders that Amazon Security Lake wants of a custom source.

``region=eu-west-1/accountId=123456789012/eventDay=20260131/part-RUN-00000.parquet``; the day is that of the event's
``time``, in UTC. https://docs.aws.amazon.com/security-lake/latest/userguide/custom-sources.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vpcflow.dictionaries import codes_of
from vpcflow.schemas.ocsf.rows import row_schema, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Int64s = npt.NDArray[np.int64]

_DAY_S = 86_400
_LAST_DAY = 2_932_896  # of the year 9999
_UNKNOWN = "unknown"
_ROWS = 65_536  # of a row group: far below the 256 MB that Security Lake recommends at most


class Lake:
    """What is a partition of the lake, and a file: see ``dataset.Form``."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str, int], int] = {}

    def numbers(self, flows: pa.RecordBatch) -> Int64s:
        """Number each flow's partition: its region, account and day."""
        region, account = (_codes(flows, name) for name in ("region", "account_id"))
        days = _days(flows)
        rows = np.stack([region[0], account[0], days], axis=1)
        found, of_row = np.unique(rows, axis=0, return_inverse=True)
        numbers = [self._number(region[1][r], account[1][a], day) for r, a, day in found.tolist()]
        return np.array(numbers, np.int64).take(of_row.ravel())

    def folder(self, number: int) -> str:
        """Name the folder of a partition."""
        region, account, day = [*self._numbers][number]
        date = str(np.datetime64(day, "D")).replace("-", "")
        return (
            f"region={quote(region, safe='')}/accountId={quote(account, safe='')}/eventDay={date}"
        )

    def writer(self, path: Path, schema: pa.Schema) -> _Writer:
        """Open a file; its columns are those of events, whatever those of the flows are."""
        return _Writer(path)

    def _number(self, region: str, account: str, day: int) -> int:
        return self._numbers.setdefault((region, account, day), len(self._numbers))


class _Writer:
    def __init__(self, path: Path) -> None:
        self._writer = pq.ParquetWriter(
            path, row_schema(), compression="zstd", compression_level=1, store_schema=False
        )

    def write(self, table: pa.Table) -> None:
        """Write flows as events, in order of time."""
        names = [name for name in ("start", "end") if name in table.schema.names]
        if names:
            order = pc.sort_indices(table, [(name, "ascending") for name in names])
            table = table.take(order)
        for flows in table.combine_chunks().to_batches(max_chunksize=_ROWS):
            self._writer.write_batch(rows_of(flows))

    def close(self) -> None:
        self._writer.close()


def _codes(flows: pa.RecordBatch, name: str) -> tuple[Int64s, list[str]]:
    """Give each row's number, and the texts by number; the last is that of what is not known."""
    if name not in flows.schema.names:
        return np.zeros(flows.num_rows, np.int64), [_UNKNOWN]
    column = flows.column(name)
    texts = column.dictionary.to_pylist()
    codes = codes_of(column).astype(np.int64)
    return np.where(codes < 0, len(texts), codes), [*texts, _UNKNOWN]


def _days(flows: pa.RecordBatch) -> Int64s:
    """Give the day of each event: of the flow's start, else of its end, else of the epoch."""
    times = [flows.column(name) for name in ("start", "end") if name in flows.schema.names]
    if not times:
        return np.zeros(flows.num_rows, np.int64)
    seconds = np.asarray(pc.fill_null(pc.coalesce(*times), 0).to_numpy(zero_copy_only=False))
    return np.asarray(np.clip(seconds // _DAY_S, 0, _LAST_DAY), np.int64)
