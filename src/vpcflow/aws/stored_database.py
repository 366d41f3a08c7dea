"""A geolocation database in S3, whose ETag tells whether it is another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpcflow.geo.served import Version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from vpcflow.aws.s3 import S3
    from vpcflow.object_store import ObjectUrl

_PIECE_BYTES = 1024 * 1024
_SHA256 = "sha256"


class StoredDatabase:
    """
    An object in S3 as the ``Origin`` of a database; the client is made at the first look.

    Where the object's own metadata has ``sha256``, what is read is checked against it. That all bytes came, and that
    they are those that were put, S3's checksums say in any case.
    """

    def __init__(self, url: ObjectUrl, make_s3: Callable[[], S3]) -> None:
        self._url = url
        self._make_s3 = make_s3
        self._s3: S3 | None = None

    def newer(self, mark: str | None) -> Version | None:
        """Give the version that is there now; None where its ETag is this one. Raises ``AwsError``."""
        if self._s3 is None:
            self._s3 = self._make_s3()
        found = self._s3.open_other(*self._url, mark)
        if found is None:
            return None
        pieces = _pieces(found.body)
        return Version(found.etag, found.size_bytes, found.metadata.get(_SHA256), pieces)


def _pieces(body: BinaryIO) -> Iterator[bytes]:
    with body:
        while piece := body.read(_PIECE_BYTES):
            yield piece
