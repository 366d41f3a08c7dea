"""Objects in S3 as sources and sinks see them: their addresses, and the calls a store has to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from vpcflow.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

SCHEME = "s3://"


class ObjectUrl(NamedTuple):
    """``s3://BUCKET/KEY``; the key of a whole bucket is empty, that of a folder ends with ``/``."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.key}"

    @property
    def name(self) -> str:
        """What follows the last ``/`` of the key."""
        return self.key.rpartition("/")[2]

    @property
    def folder(self) -> str:
        """The key as the beginning of the keys of what lies in it: ends with ``/``, or is empty."""
        return self.key if not self.key or self.key.endswith("/") else f"{self.key}/"


class StoredObject(NamedTuple):
    """An object that a listing has named; ``modified_at`` is Unix seconds."""

    key: str
    size_bytes: int
    modified_at: float


class Upload(Protocol):
    """An object to be: nothing is seen of it before ``complete``."""

    def send(self, file: Path) -> None:
        """Send the whole file, which may go afterwards; once for each upload. Raises ``AwsError``."""
        ...

    def complete(self) -> None:
        """Let the object appear, in one step, over what was there. Raises ``AwsError``."""
        ...

    def abort(self) -> None:
        """Leave nothing of what was sent; never raises."""
        ...


class ObjectStore(Protocol):
    """Objects by bucket and key. Every call raises ``AwsError`` where it is refused, or not answered in the end."""

    def objects(self, bucket: str, prefix: str, after: str = "") -> Iterator[StoredObject]:
        """Yield all objects whose key begins with the prefix and comes after one, in the order of UTF-8 bytes."""
        ...

    def folder(self, bucket: str, prefix: str) -> Iterator[StoredObject | str]:
        """Yield the objects directly below the prefix, and as texts the longer prefixes, up to the next ``/``."""
        ...

    def open(self, bucket: str, key: str) -> BinaryIO:
        """
        Open an object for reading once from its start to its end.

        ``read`` raises ``OSError`` where the rest cannot be had: an end that comes early is none.
        """
        ...

    def read(self, bucket: str, key: str) -> bytes:
        """Read a whole object."""
        ...

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """Write a whole object in one step, over what was there."""
        ...

    def upload(self, bucket: str, key: str) -> Upload:
        """Begin to write an object that need not fit in memory."""
        ...

    def delete(self, bucket: str, key: str) -> None:
        """Delete an object; one that is not there is no fault."""
        ...


def is_object_url(text: object) -> bool:
    """Tell whether something names an object, a folder or a bucket in S3."""
    return isinstance(text, str) and text[: len(SCHEME)].lower() == SCHEME


def parse_object_url(text: str) -> ObjectUrl:
    """
    Read ``s3://BUCKET``, ``s3://BUCKET/KEY`` or ``s3://BUCKET/FOLDER/``; raises ``FormatError``.

    >>> parse_object_url("s3://example-logs/AWSLogs/123456789012/")
    ObjectUrl(bucket='example-logs', key='AWSLogs/123456789012/')
    """
    bucket, _, key = text[len(SCHEME) :].partition("/")
    if not is_object_url(text) or not bucket or any(c.isspace() for c in bucket):
        raise FormatError(f"{text!r} is no address in S3: write s3://BUCKET/KEY")
    return ObjectUrl(bucket, key)
