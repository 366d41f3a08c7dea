"""Objects in S3: listed by page, read on from the byte reached, written so that they appear whole or not at all."""

from __future__ import annotations

import contextlib
import io
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from botocore.exceptions import BotoCoreError
from urllib3.exceptions import HTTPError

from vpcflow.aws.clients import AT_A_DESK, Patience, client
from vpcflow.aws.failures import aws_errors
from vpcflow.errors import AwsError
from vpcflow.object_store import StoredObject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

PART_BYTES = 16 * 1024 * 1024
"""A part of an upload; four are on their way at a time, and held in memory."""

_MOST_PARTS = 10_000
_PARTS_AT_ONCE = 4
# Breaks without a byte of progress in between; progress sets the count back.
_MOST_BREAKS = 5
_FIRST_PAUSE_S = 0.2
_NOT_MODIFIED = "304"
# What breaks while a body is read; some of it reaches us as the SDK's own HTTP library raises it.
_BREAKS = (BotoCoreError, HTTPError, OSError)


class OpenedObject(NamedTuple):
    """One version of an object: its ETag, its size, its own metadata (names in lower case), its bytes."""

    etag: str
    size_bytes: int
    metadata: Mapping[str, str]
    body: BinaryIO


class S3:
    """S3, through a client of boto3's; may be used from several threads. See ``object_store.ObjectStore``."""

    def __init__(
        self,
        s3: Any = None,
        *,
        patience: Patience = AT_A_DESK,
        sleep: Callable[[float], None] = time.sleep,
        part_bytes: int = PART_BYTES,
    ) -> None:
        self._client = client("s3", patience=patience) if s3 is None else s3
        self._sleep = sleep
        self._part_bytes = part_bytes

    def objects(self, bucket: str, prefix: str, after: str = "") -> Iterator[StoredObject]:
        more = {"StartAfter": after} if after else {}
        for page in self._pages(bucket, prefix, **more):
            yield from map(_stored, page.get("Contents", ()))

    def folder(self, bucket: str, prefix: str) -> Iterator[StoredObject | str]:
        for page in self._pages(bucket, prefix, Delimiter="/"):
            yield from map(_stored, page.get("Contents", ()))
            yield from (one["Prefix"] for one in page.get("CommonPrefixes", ()))

    def open(self, bucket: str, key: str) -> BinaryIO:
        with aws_errors(f"read s3://{bucket}/{key}"):
            answer = self._client.get_object(Bucket=bucket, Key=key)
        return cast("BinaryIO", _Body(self._client, bucket, key, answer, self._sleep))

    def open_other(self, bucket: str, key: str, etag: str | None) -> OpenedObject | None:
        """Open an object as ``open`` does; None where it still has this ETag."""
        known = {} if etag is None else {"IfNoneMatch": etag}
        try:
            with aws_errors(f"read s3://{bucket}/{key}"):
                answer = self._client.get_object(Bucket=bucket, Key=key, **known)
        except AwsError as error:
            if error.code == _NOT_MODIFIED:
                return None
            raise
        body = cast("BinaryIO", _Body(self._client, bucket, key, answer, self._sleep))
        size_bytes = int(answer["ContentLength"])
        return OpenedObject(answer["ETag"], size_bytes, answer.get("Metadata", {}), body)

    def read(self, bucket: str, key: str) -> bytes:
        with self.open(bucket, key) as body:
            try:
                return body.read()
            except _Broken as broken:
                raise broken.error from broken

    def put(self, bucket: str, key: str, data: bytes) -> None:
        with aws_errors(f"write s3://{bucket}/{key}"):
            self._client.put_object(Bucket=bucket, Key=key, Body=data)

    def upload(self, bucket: str, key: str) -> MultipartUpload:
        return MultipartUpload(self._client, bucket, key, self._part_bytes)

    def delete(self, bucket: str, key: str) -> None:
        with aws_errors(f"delete s3://{bucket}/{key}"):
            self._client.delete_object(Bucket=bucket, Key=key)

    def _pages(self, bucket: str, prefix: str, **more: str) -> Iterator[dict[str, Any]]:
        token: dict[str, str] = {}
        while True:
            with aws_errors(f"list s3://{bucket}/{prefix}"):
                page = self._client.list_objects_v2(Bucket=bucket, Prefix=prefix, **more, **token)
            yield page
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}


class MultipartUpload:
    """
    An object sent in parts, several at a time; what is sent stays unseen until ``complete``.

    It is begun at once, so that a bucket that is missing or refuses writes is known before the work is done.
    """

    def __init__(self, s3: Any, bucket: str, key: str, part_bytes: int) -> None:
        self._client = s3
        self._name = f"s3://{bucket}/{key}"
        self._part_bytes = part_bytes
        self._parts: list[dict[str, Any]] = []
        self._checksum = _checksum(s3)
        with aws_errors(f"write {self._name}"):
            answer = s3.create_multipart_upload(Bucket=bucket, Key=key, **self._checksum)
        self._which = {"Bucket": bucket, "Key": key, "UploadId": answer["UploadId"]}

    def send(self, file: Path) -> None:
        size = file.stat().st_size
        part = max(self._part_bytes, -(-size // _MOST_PARTS))
        starts = range(0, max(size, 1), part)
        with ThreadPoolExecutor(_PARTS_AT_ONCE) as pool:
            sent = [
                pool.submit(self._send_part, file, number, start, part)
                for number, start in enumerate(starts, 1)
            ]
            try:
                self._parts = [one.result() for one in sent]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def complete(self) -> None:
        with aws_errors(f"write {self._name}"):
            self._client.complete_multipart_upload(
                **self._which, MultipartUpload={"Parts": self._parts}
            )

    def abort(self) -> None:
        with contextlib.suppress(AwsError), aws_errors(f"abort the upload of {self._name}"):
            self._client.abort_multipart_upload(**self._which)

    def _send_part(self, file: Path, number: int, start: int, size: int) -> dict[str, Any]:
        with file.open("rb") as stream:
            stream.seek(start)
            data = stream.read(size)
        with aws_errors(f"write {self._name}"):
            answer = self._client.upload_part(
                **self._which, **self._checksum, PartNumber=number, Body=data
            )
        told = ("ETag", "ChecksumCRC32")
        return {"PartNumber": number} | {name: answer[name] for name in told if name in answer}


def _checksum(s3: Any) -> dict[str, str]:
    """
    Name the checksum of an upload's parts, where the SDK adds one to them: S3 refuses parts whose upload names none.

    ``AWS_REQUEST_CHECKSUM_CALCULATION=when_required`` is for stores that know no checksums.
    """
    adds = getattr(s3.meta.config, "request_checksum_calculation", None) == "when_supported"
    return {"ChecksumAlgorithm": "CRC32"} if adds else {}


class _Broken(OSError):
    """An object that could not be read to its end, and the call that says why."""

    def __init__(self, error: AwsError) -> None:
        super().__init__(str(error))
        self.error = error


class _Body(io.RawIOBase):
    """
    The bytes of one version of an object, from its start to its end.

    Where the connection breaks or ends early it is asked for from the byte reached, of the same version (by its ETag).
    """

    def __init__(
        self, s3: Any, bucket: str, key: str, answer: dict[str, Any], sleep: Callable[[float], None]
    ) -> None:
        self._client = s3
        self._which = {"Bucket": bucket, "Key": key, "IfMatch": answer["ETag"]}
        self._name = f"s3://{bucket}/{key}"
        self._size = int(answer["ContentLength"])
        self._stream = answer["Body"]
        self._sleep = sleep
        self._at = 0
        self._breaks = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(1 << 20), b""))
        while wanted := min(size, self._size - self._at):
            if data := self._read_some(wanted):
                self._at += len(data)
                self._breaks = 0
                return data
        if size:
            self._check()
        return b""

    def readinto(self, buffer: Any, /) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()

    def _read_some(self, size: int) -> bytes:
        """Read up to so many bytes; none where the connection has been made anew. Raises ``_Broken``."""
        try:
            if data := bytes(self._stream.read(size)):
                return data
            cause = "it ended early"
        except _BREAKS as error:
            cause = str(error)
        self._breaks += 1
        if self._breaks > _MOST_BREAKS:
            raise self._broken(f"beyond byte {self._at:,} of {self._size:,}: {cause}")
        self._sleep(_FIRST_PAUSE_S * 2 ** (self._breaks - 1))
        self._open_again()
        return b""

    def _open_again(self) -> None:
        self._stream.close()
        try:
            with aws_errors(f"read {self._name} on from byte {self._at:,}"):
                answer = self._client.get_object(**self._which, Range=f"bytes={self._at}-")
        except AwsError as error:
            raise _Broken(error) from error
        self._stream = answer["Body"]
        if self._at and "ContentRange" not in answer:
            raise self._broken(f"on from byte {self._at:,}: the store answers with the whole")

    def _check(self) -> None:
        """Let the SDK compare checksums, which it does where the end is read and there was but one answer."""
        try:
            self._stream.read(1)
        except _BREAKS as error:
            raise self._broken(f"as it was written: {error}") from error

    def _broken(self, how: str) -> _Broken:
        text = f"cannot read {self._name} {how}"
        return _Broken(AwsError(text, code="BodyBroken", permanent=False))


def _stored(entry: dict[str, Any]) -> StoredObject:
    return StoredObject(entry["Key"], int(entry["Size"]), entry["LastModified"].timestamp())
