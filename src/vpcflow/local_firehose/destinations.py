"""Where a stream leads: objects in a bucket, an HTTP endpoint, or an index that takes one document a record."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import orjson

from vpcflow.local_firehose.bucket import object_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vpcflow.local_firehose.bucket import Bucket
    from vpcflow.local_firehose.buffers import Held

_DAY_S = 86_400.0


class Unreachable(Exception):
    """A destination did not take a batch, and may later."""


class Refused(NamedTuple):
    """A record that a destination will never take: why, and what the file of failed records tells besides."""

    record: Held
    code: str
    message: str
    more: dict[str, str]


class Destination(Protocol):
    """
    What takes batches of records.

    What it does not take for ``retry_s`` seconds goes to the folder ``failed``; is that None, it is lost.
    """

    @property
    def retry_s(self) -> float: ...

    @property
    def failed(self) -> str | None: ...

    def deliver(self, records: Sequence[Held], stream: str, now: float) -> list[Refused]:
        """Take the records, all but those given back; raises ``Unreachable`` where it takes none now."""
        ...

    def put_aside(self, record: Held, now: float) -> Refused:
        """Say of a record that it was not reached in time."""
        ...


class S3Destination:
    """Objects of records, one after the other with nothing between; tried for the day that the stream keeps them."""

    retry_s = _DAY_S
    failed = None

    def __init__(
        self,
        bucket: Bucket,
        prefix: str = "",
        *,
        is_down: Callable[[float], bool] = lambda _: False,
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._is_down = is_down
        self._written = 0

    def deliver(self, records: Sequence[Held], stream: str, now: float) -> list[Refused]:
        """Write one object."""
        if self._is_down(now):
            raise Unreachable
        self._written += 1
        key = object_key(self._prefix, stream, records[0].arrived_at, self._written)
        self._bucket.put(key, b"".join(record.data for record in records))
        return []

    def put_aside(self, record: Held, now: float) -> Refused:
        return Refused(record, "S3.Unreachable", "The bucket cannot be reached.", {})


class HttpDestination:
    """
    Requests to an endpoint: ``post`` takes the request's JSON as a dictionary, and gives the status.

    https://docs.aws.amazon.com/firehose/latest/dev/httpdeliveryrequestresponse.html
    """

    failed = "http-endpoint-failed/"

    def __init__(self, post: Callable[[dict[str, Any]], int], *, retry_s: float = 300) -> None:
        self._post = post
        self.retry_s = retry_s
        self._sent = 0

    def deliver(self, records: Sequence[Held], stream: str, now: float) -> list[Refused]:
        """Make one request."""
        self._sent += 1
        status = self._post(
            {
                "requestId": f"{self._sent:032x}",
                "timestamp": int(now * 1000),
                "records": [{"data": base64.b64encode(r.data).decode()} for r in records],
            }
        )
        if status != 200:
            raise Unreachable
        return []

    def put_aside(self, record: Held, now: float) -> Refused:
        return Refused(
            record,
            "HttpEndpoint.DestinationException",
            "The endpoint did not answer with status 200.",
            {"dataId": f"{record.record_id}.0"},
        )


class OpenSearchDestination:
    """
    An index that gets one document from each record: ``documents`` holds their bytes, in order.

    A record that is not one JSON object in one line is refused. The index rotates by the day.
    """

    failed = "AmazonOpenSearchService_failed/"

    def __init__(
        self,
        index: str = "flows",
        *,
        retry_s: float = 300,
        is_down: Callable[[float], bool] = lambda _: False,
    ) -> None:
        self._index = index
        self.retry_s = retry_s
        self._is_down = is_down
        self.documents: list[bytes] = []

    def deliver(self, records: Sequence[Held], stream: str, now: float) -> list[Refused]:
        """Make one bulk request."""
        if self._is_down(now):
            raise Unreachable
        refused = []
        for record in records:
            if _is_one_document(record.data):
                self.documents.append(record.data)
            else:
                refused.append(
                    self._refused(
                        record, "400", "failed to parse: the record is not one JSON document", now
                    )
                )
        return refused

    def put_aside(self, record: Held, now: float) -> Refused:
        return self._refused(record, "503", "The cluster cannot be reached.", now)

    def _refused(self, record: Held, code: str, message: str, now: float) -> Refused:
        more = {
            "esDocumentId": f"{record.record_id}.0",
            "esIndexName": f"{self._index}-{datetime.fromtimestamp(now, UTC):%Y-%m-%d}",
            "esTypeName": "",
        }
        return Refused(record, code, message, more)


def _is_one_document(data: bytes) -> bool:
    text = data.strip()
    if b"\n" in text:
        return False
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False
