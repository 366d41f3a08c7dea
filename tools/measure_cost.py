"""
Measure what ``docs/cost.md`` is worked out from, and write it to ``docs/measured.toml``: sizes and milliseconds.

The traffic is that of the simulated company, in AWS's default layout, enriched from its inventory. One core is used;
each time is processor time, the median of several runs after one that is not counted.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import io
import json
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, BinaryIO, NamedTuple

import orjson

from vpcflow.enrich import Reference, enrich
from vpcflow.flow_envelope import Wrapped, wrap
from vpcflow.generate.scenario import Scenario
from vpcflow.generate.simulate import simulate
from vpcflow.geo.database import GeoDatabase, open_geo
from vpcflow.geo.fetch import default_geo_path
from vpcflow.ingest import decode_event, enveloped, ingest
from vpcflow.inventory import load_inventory
from vpcflow.layout import DEFAULT
from vpcflow.object_delivery import ObjectDelivery, Output, ParquetOutput, StreamOutput
from vpcflow.object_store import ObjectUrl
from vpcflow.pipeline import Layouts, deliver, read_flows
from vpcflow.schemas import SCHEMAS
from vpcflow.sinks.firehose import put_all
from vpcflow.sinks.parquet import ParquetSink
from vpcflow.sources.files import find_inputs, read_input
from vpcflow.stats import Books
from vpcflow.transform import Requeue, Transformation

MEASURED = Path(__file__).parents[1] / "docs" / "measured.toml"
ROUNDS = 9
MANY = 5_000
"""Lines that sizes are means of."""
STREAM_ARN = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/flows"
RANDOM = random.Random(7)


class Traffic(NamedTuple):
    """The simulated company's flow log lines and what enriches them."""

    logs: Path
    lines: list[bytes]
    reference: Reference


def main() -> int:
    argparse.ArgumentParser(description=__doc__).parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        traffic = _traffic(Path(folder))
        figures = {
            "bytes": _sizes(traffic, Path(folder)),
            "milliseconds": _times(traffic),
        }
        MEASURED.write_text(_toml(traffic, figures))
    print(MEASURED.read_text())
    return 0


def _traffic(folder: Path) -> Traffic:
    scenario = Scenario(seed=7, minutes=30)
    report = simulate(scenario, folder / "company")
    logs = sorted(report.logs.rglob("*.gz"))
    lines = [line for log in logs for line in gzip.decompress(log.read_bytes()).splitlines()[1:]]
    inventory = load_inventory(
        report.inventory, captured_at=scenario.capture_s, warn=lambda _: None
    )
    return Traffic(report.logs, lines, Reference(inventory=inventory, geo=_geo()))


def _geo() -> GeoDatabase:
    path = default_geo_path()
    if path is None:
        sys.exit("measure: there is no city database: run `vpcflow geo fetch`")
    return open_geo(path)


def _sizes(traffic: Traffic, folder: Path) -> dict[str, tuple[float, str]]:
    lines = traffic.lines
    logs = sorted(traffic.logs.rglob("*.gz"))
    envelopes = [wrap(Wrapped(line, _event_id())) for line in lines[:MANY]]
    events = [_cloudwatch(lines[i : i + 100]) for i in range(0, MANY, 100)]
    documents = _documents(traffic, "appender")
    parquet = folder / "sizes.parquet"
    _write_parquet(traffic, logs, parquet)
    return {
        "log_line": (_mean(lines) + 1, "bytes of a line of flow log, line end included"),
        "log_line_gzip": (
            sum(log.stat().st_size for log in logs) / len(lines),
            "bytes of it in the gzip files that AWS writes to S3",
        ),
        "envelope": (_mean(envelopes), "bytes of a line in the ingestor's envelope"),
        "direct_line": (
            _mean([json.dumps({"message": line.decode()}).encode() for line in lines[:MANY]]),
            "bytes of a line as a flow log writes it to Firehose",
        ),
        "event_line": (
            sum(map(len, events)) / MANY,
            "bytes of a line in CloudWatch's event, one of a hundred",
        ),
        "event_line_gzip": (
            sum(len(gzip.compress(event, 6)) for event in events) / MANY,
            "bytes of the same, gzip",
        ),
        "document": (len(documents) / len(lines), "bytes of a document of the schema `appender`"),
        "document_gzip": (
            len(gzip.compress(documents, 6)) / len(lines),
            "bytes of it, gzip",
        ),
        "parquet": (
            parquet.stat().st_size / len(lines),
            "bytes of a record in Parquet, all columns",
        ),
    }


def _mean(texts: Sequence[bytes]) -> float:
    return sum(map(len, texts)) / len(texts)


def _cloudwatch(lines: Sequence[bytes]) -> bytes:
    events = [
        {"id": _event_id(), "timestamp": int(line.split()[10]) * 1000, "message": line.decode()}
        for line in lines
    ]
    return json.dumps(
        {
            "messageType": "DATA_MESSAGE",
            "owner": "123456789012",
            "logGroup": "/vpc/flow-logs",
            "logStream": "eni-0f72a63ccded6f254-all",
            "subscriptionFilters": ["vpcflow"],
            "logEvents": events,
        },
        separators=(",", ":"),
    ).encode()


def _event_id() -> str:
    """Make an id of CloudWatch's length: 56 digits, the first of which hardly change within a batch."""
    return f"371997735955811541548105892795{RANDOM.randrange(10**26):026}"


def _documents(traffic: Traffic, schema: str) -> bytes:
    return b"".join(
        bytes(buffer)
        for log in sorted(traffic.logs.rglob("*.gz"))
        for batch in _enriched(traffic, log)
        for buffer in SCHEMAS[schema].encode(batch)
    )


def _enriched(traffic: Traffic, log: Path) -> list[Any]:
    return [enrich(batch, traffic.reference) for batch in _flows(log)]


def _flows(log: Path) -> list[Any]:
    (source,) = find_inputs([str(log)], warn=print)
    return list(read_flows(read_input(source), Books()))


def _write_parquet(traffic: Traffic, logs: Sequence[Path], to: Path) -> None:
    with ParquetSink(to) as sink:
        for log in logs:
            deliver(_flows(log), sink, Books(), reference=traffic.reference)


def _times(traffic: Traffic) -> dict[str, tuple[float, str]]:
    ingestor = _line(lambda n: _ingestor(traffic, n), 500, 5_000)
    decorator = _line(lambda n: _decorator(traffic, n), 500, 5_000)
    firehose = _line(lambda n: _objects(traffic, n, _to_stream()), 5_000, 50_000)
    parquet = _line(lambda n: _objects(traffic, n, _to_parquet()), 5_000, 50_000)
    return {
        "ingestor_ms": (1000 * ingestor[0], "the ingestor, a thousand lines"),
        "ingestor_call_ms": (ingestor[1], "the ingestor, beside that an invocation"),
        "decorator_ms": (1000 * decorator[0], "the decorator, a thousand lines, geolocation on"),
        "decorator_call_ms": (decorator[1], "the decorator, beside that an invocation"),
        "to_firehose_ms": (1000 * firehose[0], "`objects` to Firehose, a thousand lines"),
        "to_firehose_call_ms": (firehose[1], "the same, beside that an object"),
        "to_parquet_ms": (1000 * parquet[0], "`objects` to Parquet, a thousand lines"),
        "to_parquet_call_ms": (parquet[1], "the same, beside that an object"),
    }


def _line(work: Callable[[int], Callable[[], object]], few: int, many: int) -> tuple[float, float]:
    """Give the milliseconds of a record and those of a call, out of the times of calls of two sizes."""
    few_ms, many_ms = _median_ms(work(few)), _median_ms(work(many))
    record = (many_ms - few_ms) / (many - few)
    return record, max(0.0, few_ms - few * record)


def _median_ms(work: Callable[[], object]) -> float:
    work()
    took = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        work()
        took.append((time.process_time() - begun) * 1000)
    return median(took)


class _TakesAll:
    """A stream that takes whatever it is given: what is measured is our own time."""

    name = "measured"

    def put(self, records: Sequence[bytes]) -> Sequence[str | None]:
        return [None] * len(records)


class _Memory:
    """A store that has one object to read, whatever its name, and forgets what is written."""

    def __init__(self, content: bytes = b"") -> None:
        self._content = content

    def open(self, bucket: str, key: str) -> BinaryIO:
        return io.BytesIO(self._content)

    def put(self, bucket: str, key: str, data: bytes) -> None: ...


class _References:
    """What a function finds in its inventory and databases, found already."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference

    def layouts(self, stream_arn: str | None) -> Layouts:
        return Layouts()

    def reference(self, flows: Sequence[Any]) -> Reference:
        return self._reference


def _ingestor(traffic: Traffic, lines: int) -> Callable[[], object]:
    packed = base64.b64encode(gzip.compress(_cloudwatch(traffic.lines[:lines]), 6)).decode()
    event = {"awslogs": {"data": packed}}

    def work() -> object:
        found = enveloped(decode_event(event), None)
        return ingest(
            found, _TakesAll(), lambda stream, records: put_all(stream, records, within_s=60)
        )

    return work


def _decorator(traffic: Traffic, lines: int) -> Callable[[], object]:
    transformation = Transformation(
        _References(traffic.reference),
        lambda _: Requeue(_TakesAll, max_attempts=3),
        schema=SCHEMAS["appender"],
    )
    records = [
        {
            "recordId": str(place),
            "approximateArrivalTimestamp": 1_768_467_600_000,
            "data": base64.b64encode(wrap(Wrapped(line, _event_id()))).decode(),
        }
        for place, line in enumerate(traffic.lines[:lines])
    ]
    event = orjson.dumps(
        {"deliveryStreamArn": STREAM_ARN, "region": "eu-west-1", "records": records}
    )

    def work() -> object:
        done = transformation(orjson.loads(event))
        done.books.check()
        return orjson.dumps(done.response)

    return work


def _to_stream() -> Output:
    return StreamOutput(_TakesAll(), SCHEMAS["appender"])


def _to_parquet() -> Output:
    return ParquetOutput(_Memory(), ObjectUrl("example-lake", "flows/"))  # type: ignore[arg-type]


def _objects(traffic: Traffic, lines: int, output: Output) -> Callable[[], object]:
    log = gzip.compress(b"\n".join([str(DEFAULT).encode(), *traffic.lines[:lines]]) + b"\n", 6)
    store: Any = _Memory(log)
    delivery = ObjectDelivery(store, _References(traffic.reference), output, passing={})
    url = ObjectUrl("example-logs", "AWSLogs/flows.log.gz")

    def work() -> object:
        done = delivery.deliver(url, lambda: 60.0)
        assert done.error is None, done.error
        assert done.books.delivered == lines
        return done

    return work


def _toml(traffic: Traffic, figures: dict[str, dict[str, tuple[float, str]]]) -> str:
    head = [
        "# Written by `python tools/measure_cost.py`; docs/cost.md is worked out from it.",
        "",
        f"measured = {datetime.now(UTC):%Y-%m-%d}",
        f'machine = "one core of {_processor()}, Python {platform.python_version()}"',
        f'traffic = "{len(traffic.lines):,} records of the simulated company (`vpcflow generate --simulate company'
        f" --seed 7 --minutes 30`), AWS's default layout, documents of the schema `appender` with geolocation.\"",
    ]
    tables = [
        f"\n[{table}]\n"
        + "\n".join(f"{name} = {value:.4g} # {note}" for name, (value, note) in rows.items())
        for table, rows in figures.items()
    ]
    return "\n".join([*head, *tables]) + "\n"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))


if __name__ == "__main__":
    sys.exit(main())
