"""
Measure what ``docs/cost.md`` is worked out from, and write it to ``docs/measured.toml``: sizes and milliseconds.

The traffic is that of the simulated company, in AWS's default layout, enriched from its inventory. One core is used;
each time is the median of several runs after one that is not counted.
"""

from __future__ import annotations

import base64
import gzip
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
from typing import Any, NamedTuple

from isal import igzip

from vpcflow.enrich import Reference, enrich
from vpcflow.flow_envelope import Wrapped, wrap
from vpcflow.generate.scenario import Scenario
from vpcflow.generate.simulate import simulate
from vpcflow.geo.database import GeoDatabase, open_geo
from vpcflow.geo.fetch import default_geo_path
from vpcflow.ingest import decode_event, enveloped, ingest
from vpcflow.inventory import load_inventory
from vpcflow.pipeline import deliver, read_flows
from vpcflow.schemas import SCHEMAS
from vpcflow.sinks.firehose import put_all
from vpcflow.sinks.parquet import ParquetSink
from vpcflow.sources.files import find_inputs, read_input
from vpcflow.stats import Books

MEASURED = Path(__file__).parents[1] / "docs" / "measured.toml"
ROUNDS = 9
MANY, FEW = 5_000, 500
"""Records in one call: the difference of two sizes tells what a record takes from what a call takes."""
RANDOM = random.Random(7)


class Traffic(NamedTuple):
    """The simulated company's flow log lines and what enriches them."""

    logs: Path
    lines: list[bytes]
    reference: Reference


def main() -> int:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        traffic = _traffic(Path(folder))
        figures = {
            "bytes": _sizes(traffic, Path(folder)),
            "milliseconds": _times(traffic, Path(folder)),
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
    _to_parquet(traffic, logs, parquet)
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


def _to_parquet(traffic: Traffic, logs: Sequence[Path], to: Path) -> None:
    with ParquetSink(to) as sink:
        for log in logs:
            deliver(_flows(log), sink, Books(), reference=traffic.reference)


def _times(traffic: Traffic, folder: Path) -> dict[str, tuple[float, str]]:
    ingestor = _line(lambda n: _ingestor(traffic, n))
    decorator = _line(lambda n: _decorator(traffic, n, folder))
    parquet = _line(lambda n: _objects(traffic, n, folder))
    return {
        "ingestor_ms": (1000 * ingestor[0], "the ingestor, a thousand lines"),
        "ingestor_call_ms": (ingestor[1], "the ingestor, beside that an invocation"),
        "decorator_ms": (1000 * decorator[0], "the decorator, a thousand lines, geolocation on"),
        "decorator_call_ms": (decorator[1], "the decorator, beside that an invocation"),
        "to_firehose_ms": (1000 * decorator[0], "`objects` to Firehose, a thousand lines"),
        "to_parquet_ms": (1000 * parquet[0], "`objects` to Parquet, a thousand lines"),
        "objects_call_ms": (parquet[1], "`objects`, beside that an invocation"),
    }


def _line(work: Callable[[int], Callable[[], object]]) -> tuple[float, float]:
    """Give the milliseconds of a record and those of a call."""
    many, few = _median_ms(work(MANY)), _median_ms(work(FEW))
    record = (many - few) / (MANY - FEW)
    return record, max(0.0, few - FEW * record)


def _median_ms(work: Callable[[], object]) -> float:
    work()
    took = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        took.append((time.perf_counter() - begun) * 1000)
    return median(took)


class _TakesAll:
    """A stream that takes whatever it is given: only our own time is measured."""

    name = "measured"

    def put(self, records: Sequence[bytes]) -> Sequence[str | None]:
        return [None] * len(records)


def _ingestor(traffic: Traffic, lines: int) -> Callable[[], object]:
    packed = base64.b64encode(gzip.compress(_cloudwatch(traffic.lines[:lines]), 6)).decode()
    event = {"awslogs": {"data": packed}}

    def work() -> object:
        found = enveloped(decode_event(event), None)
        return ingest(
            found, _TakesAll(), lambda stream, records: put_all(stream, records, within_s=60)
        )

    return work


def _decorator(traffic: Traffic, lines: int, folder: Path) -> Callable[[], object]:
    log = folder / f"decorator-{lines}.log"
    log.write_bytes(b"\n".join(traffic.lines[:lines]) + b"\n")

    def work() -> object:
        batches = _enriched(traffic, log)
        return [bytes(b) for batch in batches for b in SCHEMAS["appender"].encode(batch)]

    return work


def _objects(traffic: Traffic, lines: int, folder: Path) -> Callable[[], object]:
    log = folder / f"objects-{lines}.log.gz"
    log.write_bytes(igzip.compress(b"\n".join(traffic.lines[:lines]) + b"\n"))
    return lambda: _to_parquet(traffic, [log], folder / "out.parquet")


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
