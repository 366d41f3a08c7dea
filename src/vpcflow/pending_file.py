"""Files that are whole or not there: written under another name in the same folder, renamed when complete."""

from __future__ import annotations

import os
from pathlib import Path

from vpcflow.errors import SinkError


class PendingFile:
    """
    A file to be: write to ``writable``, then ``commit`` or ``discard`` it; both may be called again.

    What is there and is no ordinary file, such as ``/dev/null`` or a named pipe, is written to directly. A symbolic
    link stays one: the file it leads to is replaced. Raises ``SinkError`` where the folder is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.realpath(path))
        if self.path.is_dir():
            raise SinkError(f"{str(path)!r} is a folder; a file is to be written there")
        if not self.path.parent.is_dir():
            raise SinkError(f"no folder {str(self.path.parent)!r} to write {self.path.name!r} to")
        self._direct = self.path.exists() and not self.path.is_file()
        # The process id keeps two runs that write the same file from mixing: the last to end wins.
        pending = self.path.with_name(f".{self.path.name}.{os.getpid()}.pending")
        self.writable = self.path if self._direct else pending

    def commit(self) -> None:
        """Let the file appear under its name, in one step, replacing what was there."""
        if not self._direct and self.writable.exists():
            os.replace(self.writable, self.path)

    def discard(self) -> None:
        """Remove what was written; what was there before stays."""
        if not self._direct:
            self.writable.unlink(missing_ok=True)
