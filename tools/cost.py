"""
What flow logs cost: dollars per terabyte for each way through AWS.

Prices are those of ``docs/prices.toml``, sizes and milliseconds those of ``docs/measured.toml``, all else is assumed
and said so. A line's amount is a formula over these names; the page shows the formula that was worked out. A price that
is blank makes a cost unknown: it is carried along by name and never taken for 0.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

DOCS = Path(__file__).parents[1] / "docs"
VOLUMES_TB = (1, 20, 100)
"""Terabytes of flow logs a month; prices have tiers."""


class Price(NamedTuple):
    """
    A row of ``prices.toml``: dollars a unit, in tiers; ``usd`` is empty where the price is not known.

    ``up_to`` has the end of every tier but the last, in units a month.
    """

    key: str
    what: str
    unit: str
    usd: tuple[float, ...]
    up_to: tuple[float, ...]
    region: str
    source: str
    dated: str


class Cost(NamedTuple):
    """Dollars that are known, and the names of the prices that are not."""

    usd: float
    unknown: tuple[str, ...] = ()

    def plus(self, other: Cost) -> Cost:
        unknown = dict.fromkeys((*self.unknown, *other.unknown))
        return Cost(self.usd + other.usd, tuple(unknown))

    def per(self, amount: float) -> Cost:
        return Cost(self.usd / amount, self.unknown)


class Line(NamedTuple):
    """One line of a bill: what it is for, how many units (a formula), and the price's name."""

    what: str
    units: str
    price: str


class Way(NamedTuple):
    """A way of flow logs through AWS: its name, what it is good for, and its bill."""

    name: str
    good_for: str
    bill: tuple[Line, ...]


ASSUMED: tuple[tuple[str, float, str], ...] = (
    ("vcpu_gb", 1769 / 1024, "GB of memory at which Lambda gives a whole vCPU; one of arm64, which the bills take, is taken for as fast as the core measured on"),
    ("lines_per_event", 100, "flow log lines that CloudWatch Logs sends the ingestor, or Firehose, at once (all of one network interface)"),
    ("lines_per_object", 20_000, "flow log lines in one object that AWS writes to S3"),
    ("buffer_mb", 0.4, "MB of records that Firehose hands the decorator at once, as the template sets it"),
    ("index_rate", 5_000, "documents a second that a domain takes from one `objects`, which waits for it"),
    ("object_mb", 64, "MB of documents, before gzip, in one object that Firehose writes"),
    ("call_log_bytes", 1_400, "bytes a function logs for each invocation: its own line of some 1,000, Lambda's three, and 26 that CloudWatch counts for each"),
    ("log_days", 7, "days that CloudWatch Logs keeps the flow logs"),
    ("raw_days", 7, "days that S3 keeps the flow logs as AWS wrote them"),
    ("index_days", 30, "days that OpenSearch keeps the documents"),
    ("kept_months", 1, "months that S3 keeps the documents"),
    ("stored_share", 0.15, "part of its bytes that CloudWatch Logs stores, compressed: what AWS's calculator takes"),
    ("index_share", 1.45, "bytes of an index, with room to work in, to those of its documents: AWS's rule for sizing a domain"),
    ("copies", 2, "copies of each index: one replica"),
)  # fmt: skip

DERIVED: tuple[tuple[str, str, str], ...] = (
    ("log_gb", "tb * 1024", "GB of flow logs, as text"),
    ("records", "log_gb * GB / log_line", "flow records"),
    ("gzip_gb", "log_gb * log_line_gzip / log_line", "GB of flow logs, gzip"),
    ("put_gb", "records * up_to_5_kb(envelope) / GB", "GB that Firehose counts for records put one by one"),
    ("event_gb", "records / lines_per_event * up_to_5_kb(lines_per_event * event_line_gzip) / GB", "GB that Firehose counts for CloudWatch's gzip events"),
    ("documents_gb", "records * document / GB", "GB of documents"),
    ("documents_gzip_gb", "records * document_gzip / GB", "GB of documents, gzip"),
    ("parquet_gb", "records * parquet / GB", "GB of Parquet"),
    ("ingestor_calls", "records / lines_per_event", "invocations of the ingestor"),
    ("ingestor_gb_s", "vcpu_gb / 1000 * (records / 1000 * ingestor_ms + ingestor_calls * ingestor_call_ms)", "GB-s of the ingestor"),
    ("decorator_calls", "records * envelope / (buffer_mb * MB)", "invocations of the decorator, of lines in our envelope"),
    ("decorator_gb_s", "vcpu_gb / 1000 * (records / 1000 * decorator_ms + decorator_calls * decorator_call_ms)", "GB-s of the decorator, of lines in our envelope"),
    ("direct_calls", "records * direct_line / (buffer_mb * MB)", "invocations of the decorator, of lines that AWS puts on the stream"),
    ("direct_gb_s", "vcpu_gb / 1000 * (records / 1000 * decorator_ms + direct_calls * decorator_call_ms)", "GB-s of the decorator, of lines that AWS puts on the stream"),
    ("objects_calls", "records / lines_per_object", "invocations of `objects`, one object each"),
    ("to_firehose_gb_s", "vcpu_gb / 1000 * (records / 1000 * to_firehose_ms + objects_calls * to_firehose_call_ms)", "GB-s of `objects`, to Firehose"),
    ("to_index_gb_s", "vcpu_gb * (records / index_rate + objects_calls * to_firehose_call_ms / 1000)", "GB-s of `objects`, to a domain itself"),
    ("to_parquet_gb_s", "vcpu_gb / 1000 * (records / 1000 * to_parquet_ms + objects_calls * to_parquet_call_ms)", "GB-s of `objects`, to Parquet"),
    ("document_put_gb", "records * up_to_5_kb(document) / GB", "GB that Firehose counts for documents put one by one"),
)  # fmt: skip

_TO_CLOUDWATCH = (
    Line("flow logs to CloudWatch Logs", "log_gb", "vended_cloudwatch"),
    Line("kept there", "log_gb * stored_share * log_days / 30", "cloudwatch_storage"),
    Line("subscription", "gzip_gb", "subscription_delivery"),
)
_INGESTOR = (
    Line("ingestor, requests", "ingestor_calls / 1e6", "lambda_requests"),
    Line("ingestor, duration", "ingestor_gb_s", "lambda_arm64"),
    Line("ingestor, its log", "ingestor_calls * call_log_bytes / GB", "cloudwatch_ingestion"),
    Line("Firehose, one record a flow", "put_gb", "firehose_put"),
)
_DECORATOR = (
    Line("decorator, requests", "decorator_calls / 1e6", "lambda_requests"),
    Line("decorator, duration", "decorator_gb_s", "lambda_arm64"),
    Line("decorator, its log", "decorator_calls * call_log_bytes / GB", "cloudwatch_ingestion"),
)
_DECORATOR_OF_AWS_LINES = (
    Line("decorator, requests", "direct_calls / 1e6", "lambda_requests"),
    Line("decorator, duration", "direct_gb_s", "lambda_arm64"),
    Line("decorator, its log", "direct_calls * call_log_bytes / GB", "cloudwatch_ingestion"),
)
TO_OPENSEARCH = (
    Line(
        "OpenSearch, storage",
        "documents_gb * index_share * copies * index_days / 30",
        "opensearch_gp3",
    ),
)
_TO_S3 = (
    Line("documents in S3, requests", "documents_gb * 1024 / object_mb / 1000", "s3_put"),
    Line("documents in S3, storage", "documents_gzip_gb * kept_months", "s3_storage"),
)
_FROM_S3 = (
    Line("flow logs to S3", "log_gb", "vended_s3"),
    Line("kept there", "gzip_gb * raw_days / 30", "s3_storage"),
    Line("queue: send, receive, delete", "objects_calls * 3 / 1e6", "sqs_requests"),
    Line("objects, reads", "objects_calls / 1000", "s3_get"),
    Line("objects, requests", "objects_calls / 1e6", "lambda_requests"),
    Line("objects, its log", "objects_calls * call_log_bytes / GB", "cloudwatch_ingestion"),
)

WAYS: tuple[Way, ...] = (
    Way(
        "CloudWatch Logs → ingestor → Firehose + decorator → OpenSearch",
        "minutes from a flow to a search; dashboards; what aws-vpc-flow-log-appender did",
        (*_TO_CLOUDWATCH, *_INGESTOR, *_DECORATOR, *TO_OPENSEARCH),
    ),
    Way(
        "CloudWatch Logs → ingestor → Firehose + decorator → S3",
        "a log group that others read as well",
        (*_TO_CLOUDWATCH, *_INGESTOR, *_DECORATOR, *_TO_S3),
    ),
    Way(
        "CloudWatch Logs → Firehose with its own decompression + decorator → S3",
        "a log group that others read as well, without the ingestor",
        (
            *_TO_CLOUDWATCH,
            Line("Firehose, gzip events", "event_gb", "firehose_put"),
            Line("Firehose, decompression", "records * event_line / GB", "firehose_decompression"),
            *_DECORATOR_OF_AWS_LINES,
            *_TO_S3,
        ),
    ),
    Way(
        "Flow log → Firehose + decorator → S3",
        "minutes from a flow to S3 with the fewest parts",
        (
            Line("flow logs to Firehose", "log_gb", "vended_firehose"),
            Line("Firehose, flow logs as its source", "log_gb", "firehose_vended"),
            *_DECORATOR_OF_AWS_LINES,
            *_TO_S3,
        ),
    ),
    Way(
        "Flow log → Firehose + decorator → OpenSearch",
        "minutes from a flow to a search, with the fewest parts",
        (
            Line("flow logs to Firehose", "log_gb", "vended_firehose"),
            Line("Firehose, flow logs as its source", "log_gb", "firehose_vended"),
            *_DECORATOR_OF_AWS_LINES,
            *TO_OPENSEARCH,
        ),
    ),
    Way(
        "S3 → SQS → objects → Firehose → OpenSearch",
        "flow logs that are in S3 anyway, and are to be searched",
        (
            *_FROM_S3,
            Line("objects, duration", "to_firehose_gb_s", "lambda_arm64"),
            Line("Firehose, one record a document", "document_put_gb", "firehose_put"),
            *TO_OPENSEARCH,
        ),
    ),
    Way(
        "S3 → SQS → objects → OpenSearch",
        "the same without a stream: each document once, under its id",
        (
            *_FROM_S3,
            Line("objects, duration", "to_index_gb_s", "lambda_arm64"),
            *TO_OPENSEARCH,
        ),
    ),
    Way(
        "S3 → SQS → objects → Parquet in S3",
        "everything that may be ten minutes old: Athena, DuckDB, Spark",
        (
            *_FROM_S3,
            Line("objects, duration", "to_parquet_gb_s", "lambda_arm64"),
            Line("Parquet in S3, requests", "objects_calls / 1000", "s3_put"),
            Line("Parquet in S3, storage", "parquet_gb * kept_months", "s3_storage"),
        ),
    ),
)


def load_prices(text: str) -> dict[str, Price]:
    """Read ``prices.toml``; a price that is ``""`` has no dollars."""
    table = tomllib.loads(text)
    return {
        key: Price(
            key,
            row["what"],
            row["unit"],
            _figures(row["usd"]),
            _figures(row.get("up_to", "")),
            row["region"],
            row["source"],
            str(row["dated"]),
        )
        for key, row in table.items()
        if isinstance(row, dict)
    }


def _figures(value: Any) -> tuple[float, ...]:
    if value == "":
        return ()
    return tuple(value) if isinstance(value, list) else (value,)


def charge(units: float, price: Price) -> Cost:
    """
    Give what so many units a month cost, tier by tier.

    >>> price = Price("x", "x", "GB", (0.5, 0.25), (10.0,), "", "", "")
    >>> charge(14, price).usd
    6.0
    >>> charge(14, price._replace(usd=()))
    Cost(usd=0.0, unknown=('x',))
    """
    if not price.usd:
        return Cost(0.0, (price.key,))
    total, begun = 0.0, 0.0
    for usd, end in zip(price.usd, (*price.up_to, math.inf), strict=True):
        total += usd * max(0.0, min(units, end) - begun)
        begun = end
    return Cost(total)


def names(measured: Mapping[str, float], tb: float) -> dict[str, float]:
    """Give every name that formulas may have, for so many terabytes a month."""
    known: dict[str, Any] = {
        "tb": tb,
        "GB": 2**30,
        "MB": 2**20,
        **measured,
        **{name: value for name, value, _ in ASSUMED},
    }
    for name, formula, _ in DERIVED:
        known[name] = value_of(formula, known)
    return known


def value_of(formula: str, known: Mapping[str, float]) -> float:
    """Work a formula out; it is one of this file's, over names that are there."""
    return float(eval(formula, {"__builtins__": {}, "up_to_5_kb": up_to_5_kb}, dict(known)))


def up_to_5_kb(size: float) -> int:
    """
    Give the bytes that Firehose counts for a record that is put: up to the next 5 KB.

    >>> up_to_5_kb(113), up_to_5_kb(5120), up_to_5_kb(5121)
    (5120, 5120, 10240)
    """
    return math.ceil(size / 5120) * 5120


def cost_of(bill: Iterable[Line], known: Mapping[str, float], prices: Mapping[str, Price]) -> Cost:
    """Add a bill up."""
    total = Cost(0.0)
    for line in bill:
        total = total.plus(charge(value_of(line.units, known), prices[line.price]))
    return total


def load_measured(text: str) -> dict[str, float]:
    """Read the figures of ``measured.toml``, of all its tables, by name."""
    tables = [table for table in tomllib.loads(text).values() if isinstance(table, dict)]
    return {name: figure for table in tables for name, figure in table.items()}
