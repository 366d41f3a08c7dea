"""Files that were put aside, here or in S3, and what becomes of them when they are done with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from vpcflow.errors import SourceError
from vpcflow.flow_envelope import wrap_document
from vpcflow.object_store import ObjectUrl
from vpcflow.redrive.put_aside import Found, read_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vpcflow.object_store import ObjectStore
    from vpcflow.redrive.put_aside import Form

Done = Literal["move", "delete", "keep"]
DONE: tuple[Done, ...] = get_args(Done)
"""What becomes of a file whose records were all taken."""

REDRIVEN = "redriven/"
"""Where files are moved to: at the beginning of a bucket, or below the folder named. What lies there is not read."""


def local_files(path: str, done: Done, document: Form = wrap_document) -> Iterator[LocalFile]:
    """Give the files of a path, sorted; a folder's are those below it. Raises ``SourceError`` where nothing is."""
    here = Path(path)
    if here.is_file():
        yield LocalFile(here, here.parent, done, document)
        return
    if not here.is_dir():
        raise SourceError(f"no such file or directory: {path!r}")
    for file in sorted(here.rglob("*")):
        inside = file.relative_to(here).parts
        if file.is_file() and inside[0] != REDRIVEN.rstrip("/") and inside[-1][0] not in "._":
            yield LocalFile(file, here, done, document)


def stored_files(
    store: ObjectStore, url: ObjectUrl, done: Done, document: Form = wrap_document
) -> Iterator[StoredFile]:
    """
    Give the objects whose keys begin as that of the address; raises ``SourceError`` where there are none.

    They are listed before the first is given: what fails anew while they are sent is for another time.
    """
    keys = [
        found.key
        for found in store.objects(url.bucket, url.key)
        if found.size_bytes and not found.key.startswith(REDRIVEN)
    ]
    if not keys:
        raise SourceError(f"there are no objects below {str(url)!r}")
    for key in keys:
        yield StoredFile(store, ObjectUrl(url.bucket, key), done, document)


@dataclass(frozen=True)
class LocalFile:
    """A file here."""

    path: Path
    root: Path
    then: Done
    document: Form

    @property
    def name(self) -> str:
        return str(self.path)

    def read(self) -> Found:
        """Give the records in it."""
        try:
            data = self.path.read_bytes()
        except OSError as fault:
            raise SourceError(f"cannot be read ({fault.strerror})") from fault
        return read_file(self.name, data, document=self.document)

    def done(self) -> None:
        """Move or delete it, or let it be."""
        try:
            if self.then == "move":
                target = self.root / REDRIVEN / self.path.relative_to(self.root)
                target.parent.mkdir(parents=True, exist_ok=True)
                self.path.rename(target)
            elif self.then == "delete":
                self.path.unlink()
        except OSError as fault:
            raise SourceError(f"cannot {self.then} {self.name!r}: {fault.strerror}") from fault

    def left(self) -> None:
        """Let it be."""


@dataclass(frozen=True)
class StoredFile:
    """An object in S3."""

    store: ObjectStore
    url: ObjectUrl
    then: Done
    document: Form

    @property
    def name(self) -> str:
        return str(self.url)

    def read(self) -> Found:
        """Give the records in it."""
        data = self.store.read(self.url.bucket, self.url.key)
        return read_file(self.name, data, document=self.document)

    def done(self) -> None:
        """Move or delete it, or let it be."""
        if self.then == "move":
            data = self.store.read(self.url.bucket, self.url.key)
            self.store.put(self.url.bucket, REDRIVEN + self.url.key, data)
        if self.then != "keep":
            self.store.delete(self.url.bucket, self.url.key)

    def left(self) -> None:
        """Let it be."""
