"""
What S3 tells of new objects: the body of a queue's message, straight from S3, or by way of SNS or EventBridge.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import orjson

from vpcflow.errors import FormatError
from vpcflow.object_store import ObjectUrl

if TYPE_CHECKING:
    from collections.abc import Iterator


def new_objects(body: str | bytes) -> list[ObjectUrl]:
    """
    Give the objects that a message says are new, each once; none where it is S3's test or tells of something else.

    S3 writes keys URL-encoded, with ``+`` for a space; EventBridge writes them as they are. Raises ``FormatError``
    where it is no message of S3's.

    >>> new_objects('{"Records": [{"eventName": "ObjectCreated:Put", "s3":'
    ...     ' {"bucket": {"name": "logs"}, "object": {"key": "year%3D2026/a+b.log"}}}]}')
    [ObjectUrl(bucket='logs', key='year=2026/a b.log')]
    """
    try:
        value = _parsed(body)
        if isinstance(value, dict) and value.get("Type") == "Notification":
            value = _parsed(value["Message"])
        return list(dict.fromkeys(_objects(value)))
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
        raise FormatError("the message is none of S3's about an object") from error


def _parsed(text: str | bytes) -> Any:
    return orjson.loads(text)


def _objects(value: Any) -> Iterator[ObjectUrl]:
    if value.get("Event") == "s3:TestEvent":
        return
    if value.get("source") == "aws.s3":
        if value["detail-type"] == "Object Created":
            yield ObjectUrl(value["detail"]["bucket"]["name"], value["detail"]["object"]["key"])
        return
    for record in value["Records"]:
        place = record["s3"]
        if record["eventName"].removeprefix("s3:").startswith("ObjectCreated:"):
            yield ObjectUrl(place["bucket"]["name"], unquote_plus(place["object"]["key"]))
