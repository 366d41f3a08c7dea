"""Files that become objects in S3: made in a temporary folder, sent in parts, and seen when all is whole."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from vpcflow.errors import AwsError
from vpcflow.object_store import ObjectUrl
from vpcflow.pending_file import leave

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    import pyarrow as pa

    from vpcflow.object_store import ObjectStore, Upload
    from vpcflow.pending_file import Pending, Take


class _Sink(Protocol):
    def write(self, flows: pa.RecordBatch, /) -> int: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


class ObjectSink:
    """
    Write flows to a file that becomes an object at ``close``; after ``abort`` what was there is untouched.

    The upload is begun at once, so that a bucket that refuses it is found before the work. Raises ``AwsError``.
    """

    def __init__(
        self, store: ObjectStore, url: ObjectUrl, open_file: Callable[[Path], _Sink]
    ) -> None:
        self._upload = store.upload(url.bucket, url.key)
        self._folder = tempfile.TemporaryDirectory(prefix="vpcflow-", ignore_cleanup_errors=True)
        self._path = Path(self._folder.name, url.name)
        try:
            self._sink = open_file(self._path)
        except BaseException:
            self._leave_nothing()
            raise

    def write(self, flows: pa.RecordBatch) -> int:
        """Take the flows; they are delivered when ``close`` has returned."""
        return self._sink.write(flows)

    def close(self) -> None:
        """Finish the file, send it, and let the object appear."""
        self._sink.close()
        self._upload.send(self._path)
        self._upload.complete()
        self._folder.cleanup()

    def abort(self) -> None:
        """Leave no object."""
        self._sink.abort()
        self._leave_nothing()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        leave(self, failed=kind is not None)

    def _leave_nothing(self) -> None:
        self._upload.abort()
        self._folder.cleanup()


class ObjectFolderSink:
    """
    Write flows to many files, each sent as soon as it is finished, which all become objects at ``close``.

    After ``abort``, and where one of them does not appear, none is left. That the bucket takes objects is tried at the
    beginning, with an upload of nothing that is taken back. ``open_folder`` makes the sink of a local folder, which
    hands each finished file on. Raises ``AwsError``.
    """

    def __init__(
        self, store: ObjectStore, url: ObjectUrl, open_folder: Callable[[Path, Take], _Sink]
    ) -> None:
        self._store = store
        self._url = url
        store.upload(url.bucket, f"{url.folder}_vpcflow").abort()
        self._folder = tempfile.TemporaryDirectory(prefix="vpcflow-", ignore_cleanup_errors=True)
        self._root = Path(self._folder.name).resolve()
        try:
            self._sink = open_folder(self._root, self._take)
        except BaseException:
            self._folder.cleanup()
            raise

    def write(self, flows: pa.RecordBatch) -> int:
        """Take the flows; they are delivered when ``close`` has returned."""
        return self._sink.write(flows)

    def close(self) -> None:
        """Send what is left, and let the objects appear."""
        self._sink.close()
        self._folder.cleanup()

    def abort(self) -> None:
        """Leave no object."""
        self._sink.abort()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        leave(self, failed=kind is not None)

    def _take(self, file: Pending) -> Pending:
        """Send a finished file; what waits for the end from then on is its upload."""
        key = self._url.folder + file.path.relative_to(self._root).as_posix()
        upload = self._store.upload(self._url.bucket, key)
        try:
            upload.send(file.writable)
        except BaseException:
            upload.abort()
            raise
        file.discard()
        return _PendingObject(self._store, ObjectUrl(self._url.bucket, key), file.path, upload)


class _PendingObject:
    """An object to be, all sent; discarded after it has appeared, it goes again."""

    def __init__(self, store: ObjectStore, url: ObjectUrl, path: Path, upload: Upload) -> None:
        self._store = store
        self._url = url
        self.path = path
        self.writable = path
        self._upload = upload
        self._has_appeared = False

    def commit(self) -> None:
        self._upload.complete()
        self._has_appeared = True

    def discard(self) -> None:
        if not self._has_appeared:
            self._upload.abort()
            return
        # Its name has the run's id, so it is this run's alone.
        with suppress(AwsError):
            self._store.delete(self._url.bucket, self._url.key)
