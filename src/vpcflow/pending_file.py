"""Files that are whole or not there: written under another name in the same folder, renamed when complete."""

from __future__ import annotations

import gzip as gzip_module
import os
from typing import TYPE_CHECKING, BinaryIO, Protocol

import pyarrow as pa
from isal import igzip

from vpcflow.errors import SinkError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    Take = Callable[["Pending"], "Pending"]

_GZIP_LEVEL = 1  # 560 MB/s; level 3 is a third of that for 4 % less


class Writable(Protocol):
    """What takes bytes."""

    def write(self, data: bytes | pa.Buffer, /) -> object: ...


class Closable(Protocol):
    """What ends well or not."""

    def close(self) -> None: ...

    def abort(self) -> None: ...


class Pending(Protocol):
    """A file to be, written at ``writable``, seen at ``path`` from ``commit`` on."""

    @property
    def path(self) -> Path: ...

    @property
    def writable(self) -> Path: ...

    def commit(self) -> None: ...

    def discard(self) -> None: ...


class PendingFile:
    """
    A file to be: write to ``writable``, then ``commit`` or ``discard`` it; both may be called again.

    What is there and is no ordinary file, such as ``/dev/null`` or a named pipe, is written to directly (``direct``). A
    symbolic link stays one: the file it leads to is replaced. Raises ``SinkError`` where the folder is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        if self.path.is_dir():
            raise SinkError(f"{str(path)!r} is a folder; name a file in it")
        if not self.path.parent.is_dir():
            raise SinkError(f"no folder {str(self.path.parent)!r} to write {self.path.name!r} to")
        self.direct = self.path.exists() and not self.path.is_file()
        # The process id keeps two runs that write the same file from mixing: the last to end wins.
        pending = self.path.with_name(f".{self.path.name}.{os.getpid()}.pending")
        self.writable = self.path if self.direct else pending
        self._beside: list[Path] = []

    def open(self) -> BinaryIO:
        """Open for writing from the start; raises ``SinkError`` where that is not allowed."""
        try:
            return self.writable.open("wb")
        except OSError as error:
            raise SinkError(f"cannot write {str(self.path)!r}: {error.strerror}") from error

    def beside(self, name: str) -> Path:
        """Name a further file in the same folder, for use until the end: ``commit`` and ``discard`` remove it."""
        path = self.writable.with_name(f"{self.writable.name}.{name}")
        self._beside.append(path)
        return path

    def commit(self) -> None:
        """Let the file appear under its name, in one step, replacing what was there."""
        self._remove_beside()
        if not self.direct and self.writable.exists():
            self.writable.replace(self.path)

    def discard(self) -> None:
        """Remove what was written; what was there before stays."""
        self._remove_beside()
        if not self.direct:
            self.writable.unlink(missing_ok=True)

    def _remove_beside(self) -> None:
        for path in self._beside:
            path.unlink(missing_ok=True)


def leave(sink: Closable, *, failed: bool) -> None:
    """End a sink at the end of a ``with`` block: abort it after a failure, also one to close it."""
    if failed:
        sink.abort()
        return
    try:
        sink.close()
    except BaseException:
        sink.abort()
        raise


def compressed(stream: BinaryIO, suffix: str, stack: ExitStack) -> Writable:
    """
    Compress what is written to the stream as the suffix says: ``.gz``, ``.zst``, any other not at all.

    Leaving the stack writes the end. The same bytes give the same file: no time and no name are in it.
    """
    if suffix == ".gz":
        gzip: type[gzip_module.GzipFile] = igzip.IGzipFile
        return stack.enter_context(gzip("", "wb", _GZIP_LEVEL, stream, mtime=0))
    if suffix == ".zst":
        packed: Writable = stack.enter_context(pa.CompressedOutputStream(stream, "zstd"))
        return packed
    return stream
