"""Firehose's contract: what a transformation is given, what it answers for each record, and how large that is."""

from __future__ import annotations

import binascii
import functools
import json
import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from vpcflow import native

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    Sizes = npt.NDArray[np.int64]

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


def in_base64(text: bytes, sizes: Sizes) -> list[str]:
    """Write the pieces of these sizes, end to end in the text, as a response has them."""
    encoded = native.to_base64(text, sizes)
    if encoded is not None:
        return encoded
    ends = np.cumsum(sizes).tolist()
    pieces = (text[first:end] for first, end in zip([0, *ends], ends))
    return [binascii.b2a_base64(piece, newline=False).decode("ascii") for piece in pieces]


def base64_size(sizes: Sizes) -> Sizes:
    """Give the characters that so many bytes are in base64."""
    return (sizes + 2) // 3 * 4


def frame_size() -> int:
    """Give the bytes of a response without any answer."""
    return len(json.dumps({"records": []}))


def id_sizes(ids: Sequence[Any]) -> Sizes:
    """Give the bytes that each record's id has in a response."""
    try:
        joined = "".join(ids)
        needs_escape = len(json.dumps(joined)) != len(joined) + 2
    except TypeError:
        needs_escape = True
    if needs_escape:
        return np.array([len(json.dumps(one)) for one in ids], np.int64)
    return np.fromiter(map(len, ids), np.int64, len(ids)) + 2


def shrink(answers: Sequence[dict[str, Any]], key: str, size: int, limit: int) -> int:
    """
    Bring a response of so many bytes below the limit, where more failed than was foreseen, and give its size.

    Failed records lose their data, from the last on: Firehose has it too.
    """
    for one in reversed(answers):
        if size <= limit:
            break
        if one["result"] == "ProcessingFailed" and key in one:
            size -= rest_size("ProcessingFailed", key) + data_size(one.pop(key))
            size += rest_size("ProcessingFailed", None)
    return size


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
