"""What stands for a bucket in S3, and the names of what a stream writes there."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol


class Bucket(Protocol):
    """A place for objects."""

    def put(self, key: str, data: bytes) -> None:
        """Write a whole object."""
        ...


class MemoryBucket:
    """A bucket in memory: ``objects`` by key."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put(self, key: str, data: bytes) -> None:
        """Keep the object."""
        self.objects[key] = data

    def below(self, prefix: str) -> list[bytes]:
        """Give the objects whose keys begin so, in the order of the keys."""
        return [data for key, data in sorted(self.objects.items()) if key.startswith(prefix)]


class FolderBucket:
    """A bucket that is a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, data: bytes) -> None:
        """Write the object as a file."""
        path = self._folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def object_key(prefix: str, stream: str, at: float, number: int) -> str:
    """
    Name an object as the service does: by the hour of its oldest record, in UTC.

    https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html
    """
    time = datetime.fromtimestamp(at, UTC)
    return f"{prefix}{time:%Y/%m/%d/%H}/{stream}-1-{time:%Y-%m-%d-%H-%M-%S}-{number:08d}"
