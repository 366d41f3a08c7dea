"""The demo's last part: records through a Firehose stream in this process, where everything goes wrong."""

from __future__ import annotations

import gzip
import random
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

import orjson

from vpcflow.flow_envelope import Wrapped, wrap
from vpcflow.local_firehose import (
    Buffering,
    Faults,
    LocalFirehose,
    MemoryBucket,
    OpenSearchDestination,
)
from vpcflow.local_firehose import Transformation as Processor
from vpcflow.pipeline import Layouts
from vpcflow.redrive import Found, read_file, redrive
from vpcflow.schemas import SCHEMAS
from vpcflow.sinks.firehose import Sender
from vpcflow.stats import Books
from vpcflow.transform import Requeue, Transformation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from vpcflow.enrich import Reference
    from vpcflow.layout import Layout

RECORDS = 2_000

_OUTAGE_S = 3_600.0
_RETRY_S = 300.0
_MOST_ROUNDS = 8  # what is no flow record would come back for ever


class Passage(NamedTuple):
    """
    What became of records put on the stream: documents of distinct ids, and copies of them.

    ``refused`` and ``unanswered`` count records, each time; ``failed`` are those whose transformation failed for good,
    ``redriven`` all that were put aside and sent again.
    """

    records: int
    refused: int
    unanswered: int
    failed: int
    redriven: int
    documents: int
    copies: int


def first_lines(logs: Path, count: int = RECORDS) -> list[bytes]:
    """Give the first flow records of the files below a folder, each of which begins with a header."""
    return list(islice(chain.from_iterable(map(_records, sorted(logs.rglob("*.gz")))), count))


def pass_through(
    lines: Sequence[bytes], layout: Layout, reference: Reference, *, seed: int
) -> Passage:
    """
    Put lines on a stream with the decorator's transformation, and an index behind it that is down for an hour.

    Records are refused, calls throttled and not answered, and every other invocation fails. Then what was put aside is
    sent again.
    """
    clock = _Clock()
    chance = random.Random(seed)
    index = OpenSearchDestination(retry_s=_RETRY_S, is_down=lambda now: now < _OUTAGE_S)
    aside = MemoryBucket()
    # One record, one document: nothing is put back, so that what puts back opens no stream.
    transformation = Transformation(
        _References(layout, reference),
        lambda _: Requeue(lambda: stream, max_attempts=3, monotonic=clock, sleep=clock.sleep),
        schema=SCHEMAS["flat"],
        one_document=True,
    )
    stream = LocalFirehose(
        "demo",
        index,
        errors=aside,
        transformation=Processor(lambda e: transformation(e).response, Buffering(100_000, 60)),
        buffering=Buffering(500_000, 60),
        faults=Faults(seed, refuse=0.1, throttle=0.2, lose_answer=0.1, fail_invocation=0.5),
        clock=clock,
    )
    sender = Sender(stream, clock=clock, sleep=clock.sleep, random=chance.random)
    sender.send([wrap(Wrapped(line, f"demo-{n}", str(layout))) for n, line in enumerate(lines, 1)])
    _wait(stream, clock)
    clock.sleep(_OUTAGE_S)
    books = Books()
    for _ in range(_MOST_ROUNDS):
        redrive([_Aside(aside, key) for key in sorted(aside.objects)], sender.send, books)
        _wait(stream, clock)
    ids = [orjson.loads(document)["event_id"] for document in index.documents]
    return Passage(
        records=len(lines),
        refused=stream.counts["refused"] + stream.counts["throttled"],
        unanswered=stream.counts["unanswered"],
        failed=stream.counts["processing_failed"],
        redriven=books.delivered,
        documents=len(set(ids)),
        copies=len(ids) - len(set(ids)),
    )


def _wait(stream: LocalFirehose, clock: _Clock) -> None:
    """Let time pass until the stream has delivered or put aside all it holds."""
    while stream.held:
        stream.drain()
        clock.sleep(10)


def _records(file: Path) -> Iterator[bytes]:
    with gzip.open(file) as stream:
        next(stream, None)
        yield from (line.rstrip(b"\n") for line in stream)


class _Clock:
    """Seconds since the demo began, which only waiting moves."""

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds


class _References:
    """One layout and one reference for all."""

    def __init__(self, layout: Layout, reference: Reference) -> None:
        self._layouts = Layouts((layout,))
        self._reference = reference

    def layouts(self, stream_arn: str | None) -> Layouts:
        return self._layouts

    def reference(self, flows: Sequence[pa.RecordBatch]) -> Reference:
        return self._reference


class _Aside(NamedTuple):
    """A file that the stream has put aside."""

    bucket: MemoryBucket
    name: str

    def read(self) -> Found:
        return read_file(self.name, self.bucket.objects[self.name])

    def done(self) -> None:
        del self.bucket.objects[self.name]

    def left(self) -> None:
        pass
