"""Firehose's contract: what a transformation is given, what it answers for each record, and how large that is."""

from __future__ import annotations

import binascii
import functools
import json
import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PLAIN = re.compile(r"[A-Za-z0-9+/=_.:-]*")

Result = Literal["Ok", "Dropped", "ProcessingFailed"]


class Firehose(NamedTuple):
    """
    Where an event comes from: its stream, and whether that takes puts, as with the source Direct PUT alone.

    ``key`` is where its records have their data. https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
    """

    arn: str | None
    stream: str
    region: str
    takes_puts: bool
    key: str


def firehose_of(event: Mapping[str, Any]) -> Firehose:
    """Read where an event comes from."""
    arn = event.get("deliveryStreamArn")
    arn = arn if isinstance(arn, str) else None
    parts = arn.split(":") if arn else []
    records = records_of(event)
    first = records[0] if records else {}
    from_source = any(n.startswith("source") and n.lower().endswith("arn") for n in event)
    from_source |= "kinesisRecordMetadata" in first or "mskRecordMetadata" in first
    return Firehose(
        arn=arn,
        stream=parts[-1].rpartition("/")[2] if parts else "",
        region=parts[3] if len(parts) > 3 else "",
        takes_puts=not from_source,
        key="kafkaRecordValue" if "kafkaRecordValue" in first else "data",
    )


def records_of(event: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Give the records of an event; one that has none is an empty one."""
    records = event.get("records")
    return records if isinstance(records, list) else []


def answer(record: Mapping[str, Any], result: Result, key: str, data: str | None) -> dict[str, Any]:
    """Answer for a record; ``data`` is in base64, None for nothing."""
    found = {"recordId": record.get("recordId"), "result": result}
    return found if data is None else {**found, key: data}


def in_base64(data: bytes) -> str:
    """Write documents as a response has them."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def frame_size() -> int:
    """Give the bytes of a response without any answer."""
    return len(json.dumps({"records": []}))


def response_size(answers: Sequence[dict[str, Any]], key: str, limit: int) -> int:
    """
    Give the bytes of a response, once it is within the limit.

    Where it is not, since more failed than was foreseen, failed records lose their data from the last on: Firehose has
    it too.
    """
    size = frame_size() - len(", ") * bool(answers) + sum(_size(one, key) for one in answers)
    for one in reversed(answers):
        if size <= limit:
            break
        if one["result"] == "ProcessingFailed" and key in one:
            size -= _size(one, key)
            del one[key]
            size += _size(one, key)
    return size


def id_size(record: Mapping[str, Any]) -> int:
    """Give the bytes that a record's id has in a response."""
    value = record.get("recordId")
    if isinstance(value, str) and value.isascii() and value.isalnum():
        return len(value) + 2
    return len(json.dumps(value))


def data_size(data: object) -> int:
    """
    Give the bytes that data has in a response, without quotes; at most: the runtime's client may escape less.

    What is no text has none.
    """
    if not isinstance(data, str):
        return 0
    return len(data) if _PLAIN.fullmatch(data) else len(json.dumps(data)) - 2


@functools.cache
def rest_size(result: Result, key: str | None) -> int:
    """Give the bytes of an answer but for its id and its data, with the comma before it; ``key`` None: without data."""
    without_id = {"recordId": 0, "result": result} | ({key: ""} if key else {})
    return len(json.dumps(without_id)) - len("0") + len(", ")


def _size(one: Mapping[str, Any], key: str) -> int:
    result = one["result"]
    if key not in one:
        return rest_size(result, None) + id_size(one)
    data = one[key]
    return (
        rest_size(result, key) + id_size(one) + (len(data) if result == "Ok" else data_size(data))
    )
