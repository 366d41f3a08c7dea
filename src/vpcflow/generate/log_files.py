"""
Log files as AWS lays them out in S3: gzip text, a header line, a file or more for each five minutes.

https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Protocol

from isal import isal_zlib

from vpcflow.generate.network import ACCOUNT_ID, REGION, digest
from vpcflow.generate.scenario import SLOT_S, utc

if TYPE_CHECKING:
    from pathlib import Path

    from vpcflow.generate.records import Records
    from vpcflow.generate.text import LineWriter

_GZIP = 16 + 15
_LEVEL = 1


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


class LogFiles:
    """
    The files of one flow log, below ``root``; counts what it writes.

    A record goes into a file of the five minutes its end lies in; ``records_per_file`` begins another file.
    """

    def __init__(
        self, root: Path, flow_log_id: str, lines: LineWriter, records_per_file: int
    ) -> None:
        self._root = root
        self._flow_log_id = flow_log_id
        self._lines = lines
        self._limit = records_per_file
        self._file: IO[bytes] | None = None
        self._gzip: _Compressor | None = None
        self._slot_s = 0
        self._in_file = 0
        self._in_slot = 0
        self.files = 0
        self.text_bytes = 0
        self.compressed_bytes = 0

    def open_slot(self, slot_s: int) -> None:
        """Begin the five minutes that start at this time, Unix seconds."""
        self.close()
        self._slot_s = slot_s // SLOT_S * SLOT_S
        self._in_slot = 0

    def write(self, records: Records) -> None:
        """Write records that end in these five minutes."""
        rows = len(records["end"])
        done = 0
        while done < rows:
            if self._gzip is None:
                self._open()
            take = min(rows - done, self._limit - self._in_file)
            part = {name: column[done : done + take] for name, column in records.items()}
            self._compress(self._lines.lines(part))
            done += take
            self._in_file += take
            if self._in_file == self._limit:
                self.close()

    def close(self) -> None:
        """Finish the file that is open, if one is."""
        if self._file is not None and self._gzip is not None:
            self._put(self._gzip.flush())
            self._file.close()
        self._file = self._gzip = None

    def _open(self) -> None:
        path = self._root / self._name()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("wb")
        # isal writes no time and no name into the header: the same lines are the same bytes.
        self._gzip = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _GZIP)
        self._in_file = 0
        self._in_slot += 1
        self.files += 1
        self._compress(self._lines.header)

    def _name(self) -> str:
        time = utc(self._slot_s)
        unique = digest(f"{self._flow_log_id}/{self._slot_s}/{self._in_slot}", 8)
        return (
            f"AWSLogs/{ACCOUNT_ID}/vpcflowlogs/{REGION}/{time:%Y/%m/%d}/{ACCOUNT_ID}_vpcflowlogs_"
            f"{REGION}_{self._flow_log_id}_{time:%Y%m%dT%H%MZ}_{unique}.log.gz"
        )

    def _compress(self, data: bytes) -> None:
        assert self._gzip is not None
        self.text_bytes += len(data)
        self._put(self._gzip.compress(data))

    def _put(self, data: bytes) -> None:
        assert self._file is not None
        self.compressed_bytes += self._file.write(data)
