"""
The forms in which records are put aside.

Firehose writes files of JSON objects, one a line, with the record in ``rawData``: as it came where it was not
transformed, and as the transformation gave it where the destination would not have it. Lambda puts the event of an
invocation that failed into a queue, bare or, as an on-failure destination, in ``requestPayload``; so does SQS with
notices of S3.
https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
https://docs.aws.amazon.com/firehose/latest/dev/retry.html
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from vpcflow.decode import decode
from vpcflow.errors import SourceError
from vpcflow.flow_envelope import unwrap, unwrap_document, wrap, wrap_document
from vpcflow.ingest import decode_event, enveloped
from vpcflow.rejects import Reject, reject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vpcflow.layout import Layout

    Form = Callable[[bytes], bytes]
    """What is sent for a document."""

# A file of records that a destination refused has these members; those of a transformation that failed have none.
_OF_A_DESTINATION = frozenset(
    "esDocumentId esIndexName osDocumentId osIndexName dataCatalogTable lastErrorCode EventId dataId".split()
)
_BETWEEN = re.compile(r"[\s,]*")
_DECODER = json.JSONDecoder()


class Found(NamedTuple):
    """
    What a file or message holds: records to send, in order, and what cannot be sent.

    ``rejects`` are what is no record that failed; ``notices`` are notices of S3, which only a queue takes.
    """

    records: list[bytes]
    rejects: tuple[Reject, ...] = ()
    notices: int = 0
    blanks: int = 0
    controls: int = 0


def read_file(name: str, data: bytes, *, document: Form = wrap_document) -> Found:
    """
    Read a file of records that failed, plain or compressed; raises ``SourceError``, as ``decode`` does.

    A line in our envelope begins anew: it may be put back on the stream as often as one that never was. A document goes
    in the form that ``document`` gives it.
    """
    text = b"".join(decode(lambda _: b"", data))
    records: list[bytes] = []
    rejects: list[Reject] = []
    for number, (value, raw) in enumerate(_values(text), 1):
        record = _raw_data(value)
        if record is None:
            rejects.append(reject(name, number, "bad_envelope", raw))
        elif isinstance(value, dict) and _is_of_a_destination(value):
            records.extend(_again(line, document) for line in record.splitlines() if line.strip())
        else:
            records.append(_begun_anew(record))
    return Found(records, tuple(rejects))


def read_message(name: str, body: str, layout: Layout | None = None) -> Found:
    """Read a message of a dead-letter queue: the event of the ingestor that failed, or a notice of S3."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    if isinstance(value, dict) and isinstance(value.get("requestPayload"), dict):
        value = value["requestPayload"]
    if isinstance(value, dict) and value.get("Event") == "s3:TestEvent":
        return Found([], controls=1)
    if isinstance(value, dict) and _is_notice(value):
        return Found([], notices=1)
    try:
        found = enveloped(decode_event(value), layout)
    except SourceError:
        return Found([], (reject(name, 1, "bad_envelope", body.encode()),))
    too_long = tuple(
        reject(name, number, "line_too_long", str(line.event_id).encode())
        for number, line in enumerate(found.too_long, 1)
    )
    return Found(found.records, too_long, 0, found.blanks, found.controls)


def _values(text: bytes) -> Iterator[tuple[object, bytes]]:
    """Give the JSON values, each with its text, one a line or joined; what is none is None, up to the line's end."""
    for line in text.splitlines():
        if not line.strip():
            continue
        try:
            yield orjson.loads(line), line
        except orjson.JSONDecodeError:
            yield from _joined(line.decode("utf-8", "replace"))


def _joined(text: str) -> Iterator[tuple[object, bytes]]:
    at = 0
    while at < len(text):
        try:
            value, end = _DECODER.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError):
            yield None, text[at:].encode()
            return
        yield value, text[at:end].encode()
        between = _BETWEEN.match(text, end)
        at = between.end() if between else end


def _raw_data(value: object) -> bytes | None:
    data = value.get("rawData") if isinstance(value, dict) else None
    if not isinstance(data, str):
        return None
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None


def _is_of_a_destination(value: dict[str, Any]) -> bool:
    code = value.get("errorCode")
    refused = isinstance(code, str) and code.startswith("HttpEndpoint.")
    return refused or not _OF_A_DESTINATION.isdisjoint(value)


def _again(line: bytes, document: Form) -> bytes:
    """Give what is sent for a line of a record that a destination refused: a document is an object, no envelope."""
    value = _json(line)
    if not isinstance(value, dict) or unwrap(value) or unwrap_document(value) is not None:
        return _begun_anew(line)
    return document(line)


def _begun_anew(record: bytes) -> bytes:
    wrapped = unwrap(_json(record))
    return record if wrapped is None else wrap(wrapped._replace(attempt=0))


def _json(text: bytes) -> object:
    if not text.startswith(b"{"):
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _is_notice(value: dict[str, Any]) -> bool:
    records = value.get("Records")
    return isinstance(records, list) and any(isinstance(r, dict) and "s3" in r for r in records)
