"""What tests of the transformation are written with: events of Firehose, a stream that takes or refuses, references."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from vpcflow.enrich import Reference
from vpcflow.pipeline import Layouts
from vpcflow.schemas import SCHEMAS
from vpcflow.transform import Requeue, Transformation, Transformed

STREAM_ARN = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/flows"
KINESIS_ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/source"


def line(port: int = 22, **changes: str) -> str:
    """Make a line of version 2; ports tell lines apart."""
    values = {
        "version": "2", "account": "123456789012", "eni": "eni-0a1b2c3d4e5f60718", "src": "203.0.113.9",
        "dst": "10.0.1.24", "srcport": str(port), "dstport": "443", "protocol": "6", "packets": "1", "bytes": "40",
        "start": "1700000001", "end": "1700000059", "action": "ACCEPT", "status": "OK",
    }  # fmt: skip
    return " ".join((values | changes).values())


def event(*records: str | bytes, **more: Any) -> dict[str, Any]:
    """Make an event of records of these data, with ids r0, r1, …"""
    return {
        "invocationId": "8a7f6c5d-0b1e-4c3d-9e2f-001122334455",
        "deliveryStreamArn": STREAM_ARN,
        "region": "eu-west-1",
        "records": [
            {
                "recordId": f"r{i}",
                "approximateArrivalTimestamp": 1700000000000,
                "data": base64.b64encode(one.encode() if isinstance(one, str) else one).decode(),
            }
            for i, one in enumerate(records)
        ],
        **more,
    }


def cloudwatch(
    *messages: str, group: str = "flow-logs", first_id: int = 1, kind: str = "DATA"
) -> bytes:
    """Make CloudWatch's envelope of messages with ids."""
    events = [
        {"id": str(first_id + i), "timestamp": 1700000001000, "message": one}
        for i, one in enumerate(messages)
    ]
    return json.dumps(
        {
            "messageType": f"{kind}_MESSAGE",
            "owner": "123456789012",
            "logGroup": group,
            "logStream": "eni-1-all",
            "subscriptionFilters": ["all"],
            "logEvents": events,
        }
    ).encode()


def zipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def wrapped(
    text: str, *, attempt: int = 0, id: str | None = None, layout: str | None = None
) -> str:
    body = {"v": 1, "id": id, "line": text, "layout": layout, "attempt": attempt}
    return json.dumps(body) + "\n"


class FakeStream:
    """A stream that answers calls as told: a code for all records, an exception, or a function of a record."""

    name = "flows"

    def __init__(self, *answers: Any, clock: FakeClock | None = None, takes_s: float = 0.0) -> None:
        self.calls: list[list[bytes]] = []
        self._answers = list(answers)
        self._clock = clock
        self._takes_s = takes_s

    @property
    def taken(self) -> list[dict[str, Any]]:
        return [json.loads(one) for call in self.calls for one in call]

    def put(self, records: Sequence[bytes]) -> list[str | None]:
        self.calls.append(list(records))
        if self._clock is not None:
            self._clock.now += self._takes_s
        answer = None
        if self._answers:
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return [answer(one) if callable(answer) else answer for one in records]


class FakeClock:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class FakeReferences:
    """A reference that is given, and layouts."""

    def __init__(self, reference: Reference | None = None, layouts: Layouts | None = None) -> None:
        self._reference = reference or Reference()
        self._layouts = layouts or Layouts()
        self.asked: list[str | None] = []

    def layouts(self, stream_arn: str | None) -> Layouts:
        self.asked.append(stream_arn)
        return self._layouts

    def reference(self, flows: Any) -> Reference:
        return self._reference


class Set(NamedTuple):
    """A transformation, and the stream it puts lines back on."""

    transformation: Transformation
    stream: FakeStream
    requeue: Requeue


def a_set(
    *,
    stream: FakeStream | None = None,
    references: FakeReferences | None = None,
    schema: str = "flat",
    max_attempts: int = 3,
    clock: FakeClock | None = None,
    open_stream: Callable[[], FakeStream] | None = None,
    **options: Any,
) -> Set:
    clock = clock or FakeClock()
    stream = stream or FakeStream()
    requeue = Requeue(
        open_stream or (lambda: stream),
        max_attempts=max_attempts,
        monotonic=clock,
        sleep=clock.sleep,
        random=lambda: 0.5,
    )
    how = Transformation(
        references or FakeReferences(), lambda _: requeue, schema=SCHEMAS[schema], **options
    )
    return Set(how, stream, requeue)


def transform(*records: str | bytes, **options: Any) -> Transformed:
    """Transform an event of these records with a stream that takes all, and check what always holds."""
    return checked(event(*records), a_set(**options))


def checked(given: dict[str, Any], how: Set, remaining_s: float = 60.0) -> Transformed:
    done = how.transformation(given, lambda: remaining_s)
    done.books.check()
    answers = done.response["records"]
    assert [a["recordId"] for a in answers] == [r["recordId"] for r in given["records"]]
    assert {a["result"] for a in answers} <= {"Ok", "Dropped", "ProcessingFailed"}
    if answers:
        assert done.counts["response_bytes"] == len(json.dumps(done.response))
    return done


def results(done: Transformed) -> list[str]:
    return [one["result"] for one in done.response["records"]]


def texts(done: Transformed) -> list[bytes]:
    return [base64.b64decode(one.get("data", "")) for one in done.response["records"]]


def documents(done: Transformed) -> list[list[dict[str, Any]]]:
    """Give the documents of each record that is Ok."""
    return [
        [json.loads(one) for one in text.splitlines()] if answer == "Ok" else []
        for answer, text in zip(results(done), texts(done))
    ]


def ports(done: Transformed) -> list[list[int]]:
    """Give the source ports of each record's documents."""
    return [[one["srcport"] for one in some] for some in documents(done)]
