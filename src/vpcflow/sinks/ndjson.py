"""JSON lines to a file, plain or compressed, or to a stream such as standard output."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from typing import IO, TYPE_CHECKING, Any, BinaryIO

from vpcflow.pending_file import PendingFile, compressed, leave

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    import pyarrow as pa

    from vpcflow.json_lines import Encode


class NdjsonSink:
    """
    Write documents to a stream that stays open, flushed after each batch.

    When the reader has gone (``… | head``) ``write`` raises ``BrokenPipeError``, and what the stream still holds leads
    nowhere, so that nothing fails again when the process ends.
    """

    def __init__(self, stream: BinaryIO, encode: Encode) -> None:
        self._stream = stream
        self._encode = encode

    def write(self, flows: pa.RecordBatch) -> int:
        """Write the flows; the stream has them all when this returns."""
        try:
            for buffer in self._encode(flows):
                self._stream.write(buffer)
            self._stream.flush()
        except BrokenPipeError:
            lead_nowhere(self._stream)
            raise
        return int(flows.num_rows)

    def close(self) -> None:
        """Do nothing: the stream is the caller's."""

    def abort(self) -> None:
        """Do nothing: what has been written cannot be taken back."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self.close()


class NdjsonFileSink:
    """
    Write documents to a file that appears at ``close``; after ``abort`` what was there before is untouched.

    Compressed by the path's suffix: ``.gz``, ``.zst``, else plain. The same flows give the same bytes.
    """

    def __init__(self, path: Path, encode: Encode) -> None:
        self._encode = encode
        self._file = PendingFile(path)
        self._stack = ExitStack()
        stream = self._stack.enter_context(self._file.open())
        self._stream = compressed(stream, path.suffix, self._stack)

    def write(self, flows: pa.RecordBatch) -> int:
        """Write the flows; they are delivered when ``close`` has returned."""
        for buffer in self._encode(flows):
            self._stream.write(buffer)
        return int(flows.num_rows)

    def close(self) -> None:
        """Finish the file and let it appear."""
        self._stack.close()
        self._file.commit()

    def abort(self) -> None:
        """Leave no file."""
        with suppress(OSError):
            self._stack.close()
        self._file.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        leave(self, failed=kind is not None)


def lead_nowhere(stream: IO[Any]) -> None:
    """Have a stream whose reader has gone swallow what it still holds, so that nothing fails when the process ends."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
