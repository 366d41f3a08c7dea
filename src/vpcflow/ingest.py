"""
From a CloudWatch Logs subscription to a Firehose stream: one record a line, none lost.

A line goes as it is; whether it is a flow record is seen where it is decorated. Where the stream does not take all, the
whole event fails, and CloudWatch Logs sends it again: the lines taken before are then on the stream twice, under the
same ids, so that they are one flow in the end.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, NamedTuple

import orjson

from vpcflow.decode import decode
from vpcflow.envelopes import Broken, Control, Event, Unfinished, events, unwrap
from vpcflow.errors import SinkError, SourceError
from vpcflow.flow_envelope import Wrapped, wrap
from vpcflow.sinks.firehose import MAX_RECORD_BYTES
from vpcflow.stats import Books

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from vpcflow.layout import Layout
    from vpcflow.sinks.firehose import PutResult, Stream

    Put = Callable[[Stream, Sequence[bytes]], PutResult]
    """``put_all``, with the time it may take."""


class TooLong(NamedTuple):
    """A line that no record can hold, by where it is kept: its log group and event; no flow record is so long."""

    log_group: str | None
    event_id: str | None
    size_bytes: int


class Records(NamedTuple):
    """What an event gives: records for the stream, in order, and what besides was found."""

    records: list[bytes]
    too_long: list[TooLong]
    blanks: int
    controls: int


def decode_event(event: object) -> bytes:
    """
    Give the payload of a subscription event, ``{"awslogs": {"data": "…"}}``, unpacked; it may be empty.

    Raises ``SourceError`` where it is no such event, or damaged.
    """
    logs = event.get("awslogs") if isinstance(event, dict) else None
    data = logs.get("data") if isinstance(logs, dict) else None
    if not isinstance(data, str):
        raise SourceError("the event is no CloudWatch Logs subscription's: it has no awslogs.data")
    try:
        payload = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as fault:
        raise SourceError(f"the event's awslogs.data is no base64 ({fault})") from fault
    try:
        return b"".join(decode(lambda _: b"", payload))
    except SourceError as fault:
        raise SourceError(f"the event's awslogs.data {fault}") from fault


def enveloped(payload: bytes, layout: Layout | None) -> Records:
    """
    Wrap each line of the payload in our envelope, with CloudWatch's id of its event, and the layout where it is known.

    A message may hold several lines: the second has the id ``ID:2``, and so on, so that none is taken for another.
    JSON that is no known envelope goes on as it is, as a line that will be rejected; where it is too long for that,
    ``SourceError`` is raised, since nothing else would keep it.
    """
    stated = None if layout is None else str(layout)
    return _records(payload, lambda line, event_id: wrap(Wrapped(line, event_id, stated)))


def bare(payload: bytes) -> Records:
    """Give each line of the payload as it is, ended by a line feed, as aws-vpc-flow-log-appender did."""
    return _records(payload, lambda line, _: line + b"\n")


def ingest(found: Records, stream: Stream, put: Put) -> tuple[Books, PutResult]:
    """
    Put all records on the stream, and give the books, which balance; see ``refuse_loss`` for what it did not take.
    """
    result = put(stream, found.records)
    books = Books(blanks=found.blanks, controls=found.controls, inputs=1)
    books.found = len(found.records) + len(found.too_long)
    books.delivered = result.taken
    books.failed = len(found.records) - result.taken
    books.rejected["line_too_long"] += len(found.too_long)
    books.check()
    return books, result


def refuse_loss(result: PutResult, stream: Stream) -> None:
    """Raise ``SinkError`` where the stream has not surely taken all records: the event has to come again."""
    missing = len(result.codes) - result.taken
    if missing:
        reasons = ", ".join(f"{n:,} {code}" for code, n in result.reasons.most_common())
        raise SinkError(
            f"the stream {stream.name!r} has not taken {missing:,} of {len(result.codes):,} records ({reasons}):"
            " the whole event has to be sent again" + (f"; {result.error}" if result.error else "")
        )


def _records(payload: bytes, form: Callable[[bytes, str | None], bytes]) -> Records:
    found = Records([], [], 0, 0)
    blanks = controls = 0
    for event in _events(payload):
        if isinstance(event, Control):
            controls += 1
            continue
        for line, event_id, log_group in _lines(event):
            record = form(line, event_id) if line.strip() else b""
            if not record:
                blanks += 1
            elif len(record) > MAX_RECORD_BYTES:
                if isinstance(event, Broken):
                    raise SourceError(
                        f"the event holds {len(line):,} bytes of JSON that are no envelope of CloudWatch Logs"
                    )
                found.too_long.append(TooLong(log_group, event_id, len(line)))
            else:
                found.records.append(record)
    return found._replace(blanks=blanks, controls=controls)


def _events(payload: bytes) -> Iterable[Event | Broken | Control | Unfinished]:
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError:  # several values, bare lines, bytes that are not UTF-8
        return events(iter([payload]))
    return unwrap(value, payload)


def _lines(event: Event | Broken | Unfinished) -> Iterator[tuple[bytes, str | None, str | None]]:
    if isinstance(event, Broken):
        yield event.raw.replace(b"\n", b" "), None, None
    elif isinstance(event, Event):
        for number, line in enumerate(event.message.rstrip(b"\r\n").split(b"\n"), 1):
            event_id = event.event_id
            if event_id is not None and number > 1:
                event_id = f"{event_id}:{number}"
            yield line.rstrip(b"\r"), event_id, event.log_group
