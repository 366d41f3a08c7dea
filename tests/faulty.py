"""The whole way in this process: CloudWatch Logs, ingestor, stream, decorator, index, and what failed sent again."""

from __future__ import annotations

import base64
import functools
import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
from enriching import eni, inventory
from stores import FakeStore

from vpcflow.enrich import Reference, enrich
from vpcflow.errors import SinkError
from vpcflow.inventory import Inventory
from vpcflow.lambdas.decorator import Decorator
from vpcflow.lambdas.enrichment import Enrichment
from vpcflow.lambdas.geolocation import Geolocation
from vpcflow.lambdas.ingestion import Ingestor
from vpcflow.lambdas.settings import load_settings
from vpcflow.lambdas.telemetry import Telemetry
from vpcflow.lines import Lines
from vpcflow.local_firehose import (
    Buffering,
    Destination,
    Faults,
    HttpDestination,
    LocalFirehose,
    MemoryBucket,
    OpenSearchDestination,
    S3Destination,
    Transformation,
)
from vpcflow.object_store import parse_object_url
from vpcflow.pipeline import Layouts, read_flows
from vpcflow.redrive import redrive
from vpcflow.redrive.files import stored_files
from vpcflow.sinks.firehose import Sender
from vpcflow.stats import Books

NOON = 1_700_049_600.0
EVENT_LINES = 700
SUBSCRIPTION_LINES = 20

Function = Callable[[dict[str, Any]], Any]


class Clock:
    """Seconds that only sleeping moves."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Context:
    """Twenty seconds, from when it is made."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ends = clock.now + 20

    def get_remaining_time_in_millis(self) -> int:
        return int((self._ends - self._clock.now) * 1000)


class Outcome(NamedTuple):
    """What came out: ids by how often, the stream's counts, and how often and for how much the last step was needed."""

    ids: Counter[str]
    counts: Counter[str]
    events_sent_again: int
    redriven: int
    doubted: int

    @property
    def raw_duplicates(self) -> int:
        return self.ids.total() - len(self.ids)


def lines(count: int) -> list[str]:
    """Make flow records, no two the same."""
    return [
        f"2 123456789012 eni-0a1b2c3d4e5f60718 203.0.113.{i % 251} 10.0.1.24 {1024 + i % 50_000} 443 6"
        f" {1 + i % 9} {40 + i} {int(NOON) - 60} {int(NOON)} ACCEPT OK"
        for i in range(count)
    ]


def ids_of(flow_lines: Sequence[str]) -> set[str]:
    """Give the ids that records have by whatever route they come."""
    data = "".join(f"{line}\n" for line in flow_lines).encode()
    block = Lines(data, "here", np.arange(1, len(flow_lines) + 1))
    found: set[str] = set()
    for batch in read_flows([block], Books()):
        done = enrich(batch, Reference(), columns={"event_id"})
        found.update(done.column("event_id").to_pylist())
    return found


class Bucket(NamedTuple):
    """A bucket behind the stream, whose objects hold many documents each."""

    objects: MemoryBucket

    def destination(self, is_down: Callable[[float], bool]) -> Destination:
        return S3Destination(self.objects, "flows/", is_down=is_down)

    def documents(self) -> list[bytes]:
        return b"".join(self.objects.below("flows/")).splitlines()


class Index(NamedTuple):
    """An index behind the stream, which takes one document a record."""

    taken: list[bytes]

    def destination(self, is_down: Callable[[float], bool]) -> Destination:
        index = OpenSearchDestination(retry_s=300, is_down=is_down)
        index.documents = self.taken
        return index

    def documents(self) -> list[bytes]:
        return self.taken


class Endpoint(NamedTuple):
    """An HTTP endpoint behind the stream, whose records hold many documents each."""

    taken: list[bytes]

    def destination(self, is_down: Callable[[float], bool]) -> Destination:
        return HttpDestination(functools.partial(self._post, is_down), retry_s=300)

    def documents(self) -> list[bytes]:
        return b"".join(self.taken).splitlines()

    def _post(self, is_down: Callable[[float], bool], request: dict[str, Any]) -> int:
        if is_down(request["timestamp"] / 1000):
            return 503
        self.taken.extend(base64.b64decode(record["data"]) for record in request["records"])
        return 200


class _Inventories:
    """One interface, known from the start."""

    age_s = 30.0

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._inventory = inventory(eni("eni-0a1b2c3d4e5f60718", "10.0.1.24", groups="sg-1"))

    def look_up(self, interface_ids: Any) -> Inventory:
        return self._inventory

    def layouts(self, stream_arn: str | None = None) -> Layouts:
        return Layouts()


class Way:
    """All parts in their places, over one clock."""

    def __init__(
        self,
        faults: Faults,
        *,
        is_down: Callable[[float], bool] = lambda _: False,
        around: Callable[[Function], Function] = lambda function: function,
        end: Bucket | Index | Endpoint | None = None,
        **environ: str,
    ) -> None:
        self.clock = Clock()
        self.end = end or Index([])
        self.errors = MemoryBucket()
        self.events_sent_again = self.redriven = 0
        self._chances = np.random.default_rng(faults.seed)
        self.stream = LocalFirehose(
            "flows",
            self.end.destination(is_down),
            errors=self.errors,
            transformation=Transformation(around(self._decorator(environ)), Buffering(200_000, 60)),
            buffering=Buffering(200_000, 60),
            faults=faults,
            clock=self.clock,
        )
        settings = load_settings("ingestor", {"DELIVERY_STREAM_NAME": "flows"})
        self._timed = {
            "clock": self.clock,
            "sleep": self.clock.sleep,
            "random": self._chances.random,
        }
        self._ingestor = Ingestor(settings, self.stream, write=lambda _: None, **self._timed)
        self._sender = Sender(self.stream, **self._timed)

    def carry(self, flow_lines: Sequence[str]) -> Outcome:
        """
        Send the lines: half through the ingestor, half as CloudWatch sends them to a stream; then wait for all.

        Whatever lies aside in the end is sent again, until nothing does.
        """
        half = len(flow_lines) // 2
        for event in _events(flow_lines[:half], EVENT_LINES):
            self._invoke_ingestor(event)
            self.clock.sleep(1)
            self.stream.tick()
        for event in _events(flow_lines[half:], SUBSCRIPTION_LINES, first=half):
            while not self._sender.send([base64.b64decode(event["awslogs"]["data"])]).taken:
                self.clock.sleep(60)
            self.stream.tick()
        self._wait()
        for _ in range(50):
            if not self.errors.objects:
                break
            self.clock.sleep(7200)
            self._redrive()
        assert not self.errors.objects
        return Outcome(
            Counter(orjson.loads(document)["event_id"] for document in self.end.documents()),
            self.stream.counts,
            self.events_sent_again,
            self.redriven,
            self._sender.possible_duplicates,
        )

    def _decorator(self, environ: dict[str, str]) -> Function:
        single = str(isinstance(self.end, Index)).lower()
        settings = load_settings("decorator", {"SCHEMA": "flat", "ONE_DOCUMENT": single, **environ})
        silent = Geolocation(None, None, Counter())
        decorator = Decorator(
            settings,
            Enrichment(settings, _Inventories(), silent, monotonic=self.clock),
            lambda name, region: self.stream,
            Telemetry("decorator", settings, write=lambda _: None),
            monotonic=self.clock,
            sleep=self.clock.sleep,
            random=self._chances.random,
        )
        return lambda event: decorator(event, Context(self.clock))

    def _invoke_ingestor(self, event: dict[str, Any]) -> None:
        """Invoke it again where it fails, as CloudWatch Logs does for a day."""
        for _ in range(1440):
            try:
                self._ingestor(event, Context(self.clock))
                return
            except SinkError:
                self.events_sent_again += 1
                self.clock.sleep(60)
        raise AssertionError("CloudWatch Logs has given up")

    def _wait(self) -> None:
        for _ in range(1000):
            self.stream.drain()
            if not self.stream.held:
                return
            self.clock.sleep(10)
        raise AssertionError("the stream does not come to an end")

    def _redrive(self) -> None:
        books = Books()
        store = FakeStore({"aside": self.errors.objects})
        files = stored_files(store, parse_object_url("s3://aside"), "delete")
        redrive(files, self._sender.send, books)
        self.redriven += books.delivered
        books.check()
        assert not books.missed
        self._wait()


def _events(flow_lines: Sequence[str], size: int, first: int = 0) -> Iterator[dict[str, Any]]:
    for start in range(0, len(flow_lines), size):
        some = flow_lines[start : start + size]
        events = [
            {"id": f"{first + start + i:056}", "timestamp": int(NOON * 1000), "message": line}
            for i, line in enumerate(some)
        ]
        body = {"messageType": "DATA_MESSAGE", "logGroup": "flows", "logEvents": events}
        data = base64.b64encode(gzip.compress(json.dumps(body).encode(), 1)).decode()
        yield {"awslogs": {"data": data}}
