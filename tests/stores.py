"""Objects in memory, as ``object_store.ObjectStore`` has them."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from vpcflow.errors import AwsError
from vpcflow.object_store import StoredObject

MODIFIED_AT = 1_800_000_000.0


class FakeStore:
    """
    Buckets in memory. ``calls`` counts calls by name; those of ``refused`` keys and buckets are refused.

    ``refuse_call`` is the name of a call and a part of the keys for which it is refused.
    """

    def __init__(self, buckets: dict[str, dict[str, bytes]]) -> None:
        self.buckets = buckets
        self.calls: Counter[str] = Counter()
        self.listed: list[str] = []
        self.opened: list[str] = []
        self.pending: set[str] = set()
        self.refused: set[str] = set()
        self.refuse_call = ("", "")

    def objects(self, bucket: str, prefix: str, after: str = "") -> Iterator[StoredObject]:
        self._count("objects", bucket, prefix)
        self.listed.append(prefix)
        for key, data in self._in_order(bucket):
            if key.startswith(prefix) and key.encode() > after.encode():
                yield StoredObject(key, len(data), MODIFIED_AT)

    def folder(self, bucket: str, prefix: str) -> Iterator[StoredObject | str]:
        self._count("folder", bucket, prefix)
        self.listed.append(prefix)
        longer: dict[str, None] = {}
        for key, data in self._in_order(bucket):
            name, slash, _ = key[len(prefix) :].partition("/")
            if key.startswith(prefix) and slash:
                longer[f"{prefix}{name}/"] = None
            elif key.startswith(prefix):
                yield StoredObject(key, len(data), MODIFIED_AT)
        yield from longer

    def open(self, bucket: str, key: str) -> BinaryIO:
        self.opened.append(key)
        return io.BytesIO(self.read(bucket, key))

    def read(self, bucket: str, key: str) -> bytes:
        self._count("read", bucket, key)
        if key not in self.buckets[bucket]:
            raise AwsError(
                f"cannot read s3://{bucket}/{key}: NoSuchKey", code="NoSuchKey", permanent=True
            )
        return self.buckets[bucket][key]

    def put(self, bucket: str, key: str, data: bytes) -> None:
        self._count("put", bucket, key)
        self.buckets[bucket][key] = data

    def upload(self, bucket: str, key: str) -> FakeUpload:
        self._count("upload", bucket, "")
        return FakeUpload(self, bucket, key)

    def delete(self, bucket: str, key: str) -> None:
        self._count("delete", bucket, key)
        self.buckets[bucket].pop(key, None)

    def _count(self, call: str, bucket: str, key: str) -> None:
        self.calls[call] += 1
        if call == self.refuse_call[0] and self.refuse_call[1] in key:
            raise AwsError(f"no {call} of {key}", code="SlowDown", permanent=False)
        if bucket not in self.buckets:
            raise AwsError(f"no bucket {bucket}", code="NoSuchBucket", permanent=True)
        if self.refused.intersection({bucket, key}):
            raise AwsError(
                f"cannot {call} s3://{bucket}/{key}: AccessDenied",
                code="AccessDenied",
                permanent=True,
            )

    def _in_order(self, bucket: str) -> list[tuple[str, bytes]]:
        return sorted(self.buckets[bucket].items(), key=lambda item: item[0].encode())


class FakeUpload:
    """An upload to a ``FakeStore``; while it is not ended, ``pending`` has its key."""

    def __init__(self, store: FakeStore, bucket: str, key: str) -> None:
        self._store, self._bucket, self._key = store, bucket, key
        self._data: bytes | None = None
        store.pending.add(key)

    def send(self, file: Path) -> None:
        self._store._count("send", self._bucket, self._key)
        self._data = file.read_bytes()

    def complete(self) -> None:
        self._store._count("complete", self._bucket, self._key)
        assert self._data is not None
        self._store.buckets[self._bucket][self._key] = self._data
        self._store.pending.discard(self._key)

    def abort(self) -> None:
        self._store.pending.discard(self._key)
