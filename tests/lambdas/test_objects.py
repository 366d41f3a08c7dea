"""The objects function: each message by itself, books that balance, and objects that come twice."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
from arriving import FakeInventories, balanced, log, new
from stores import FakeStore
from transforming import line

from vpcflow.errors import AwsError, FormatError, SettingsError
from vpcflow.lambdas.arrivals import Arrivals, check_settings
from vpcflow.lambdas.enrichment import Enrichment
from vpcflow.lambdas.geolocation import Geolocation
from vpcflow.lambdas.settings import load_settings
from vpcflow.lambdas.telemetry import METRIC_BY_NAME, Telemetry
from vpcflow.object_delivery import Output, ParquetOutput, StreamOutput
from vpcflow.object_store import ObjectUrl
from vpcflow.schemas import SCHEMAS
from vpcflow.sinks.firehose import PutResult, put_all

DENIED = AwsError("cannot put: AccessDenied", code="AccessDeniedException", permanent=True)


class FakeStream:
    """Keeps what it takes; ``faults`` are what its next calls give instead: codes for all records, or an error."""

    name = "flows"

    def __init__(self, *faults: str | AwsError | None) -> None:
        self.faults = list(faults)
        self.records: list[bytes] = []
        self.calls: list[int] = []

    def put(self, records: Sequence[bytes]) -> Sequence[str | None]:
        self.calls.append(len(records))
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, AwsError):
            raise fault
        if fault is None:
            self.records += records
        return [fault] * len(records)


def put_at_once(stream: Any, records: Sequence[bytes], *, within_s: float) -> PutResult:
    """``put_all`` on a clock that goes a second a look, without waiting."""
    clock = iter(range(1_000_000))
    return put_all(
        stream,
        records,
        within_s=within_s,
        clock=lambda: next(clock),
        sleep=lambda _: None,
        random=lambda: 0.0,
    )


class Made:
    """The function over fakes, and the lines it wrote."""

    def __init__(
        self,
        objects: dict[str, bytes] | None = None,
        *,
        stream: FakeStream | None = None,
        **environ: str,
    ) -> None:
        self.lines: list[str] = []
        self.store = FakeStore({"logs": dict(objects or {}), "lake": {}})
        self.stream = stream or FakeStream()
        self.left_s: Callable[[], float] = lambda: 100.0
        settings = load_settings("objects", {"SCHEMA": "flat", **environ})
        telemetry = Telemetry("objects", settings, write=self.lines.append)
        output: Output = StreamOutput(self.stream, SCHEMAS[settings.schema], put_at_once)
        if settings.output != "firehose":
            output = ParquetOutput(self.store, ObjectUrl("lake", "enriched/"))
        enrichment = Enrichment(settings, FakeInventories(), Geolocation(None, None, Counter()))
        self.function = Arrivals(settings, self.store, enrichment, output, telemetry)
        self._context = SimpleNamespace(
            get_remaining_time_in_millis=lambda: self.left_s() * 1000, aws_request_id="1"
        )

    def __call__(self, *bodies: str) -> list[str]:
        records = [{"messageId": f"m{i}", "body": body} for i, body in enumerate(bodies)]
        answer = self.function({"Records": records}, self._context)
        return [one["itemIdentifier"] for one in answer["batchItemFailures"]]

    @property
    def told(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.lines[-1])
        return told

    @property
    def warnings(self) -> list[str]:
        return [told["text"] for told in map(json.loads, self.lines) if "text" in told]

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(record) for record in self.stream.records]

    def rows(self) -> list[dict[str, Any]]:
        files = self.store.buckets["lake"]
        return [
            row for k in sorted(files) for row in pq.read_table(io.BytesIO(files[k])).to_pylist()
        ]


PARQUET = {"OUTPUT": "s3://lake/enriched/"}
outputs = pytest.mark.parametrize("environ", [{}, PARQUET], ids=["firehose", "parquet"])


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder, of which nothing is left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    assert list(tmp_path.iterdir()) == []


def test_the_flows_of_new_objects_become_documents_of_a_record_each() -> None:
    made = Made({"a": log(line(1), line(2)), "b c": log(line(3))})

    failed = made(new("a"), new("b+c"))

    assert failed == []
    assert [d["srcport"] for d in made.documents] == [1, 2, 3]
    assert made.documents[0]["security_group_ids"] == ["sg-1", "sg-2"]
    assert all(record.endswith(b"}\n") for record in made.stream.records)
    assert made.told["records_delivered"] == made.told["output_records"] == 3
    assert (made.told["inputs"], made.told["input_records"]) == (2, 2)


def test_documents_have_the_schema_that_is_set() -> None:
    made = Made({"a": log(line(1))}, SCHEMA="appender")

    made(new("a"))

    assert "@timestamp" in made.documents[0]


def test_the_flows_of_new_objects_become_parquet_by_hour() -> None:
    later = line(2, start="1700003601", end="1700003659")
    made = Made({"a": log(line(1), later)}, **PARQUET)

    failed = made(new("a"))

    assert failed == []
    folders = [key.rpartition("/")[0] for key in sorted(made.store.buckets["lake"])]
    assert folders == ["enriched/day=2023-11-14/hour=22", "enriched/day=2023-11-14/hour=23"]
    assert [row["srcport"] for row in made.rows()] == [1, 2]
    assert {row["source_object"] for row in made.rows()} == {"s3://logs/a"}
    assert made.rows()[0]["security_group_ids"] == ["sg-1", "sg-2"]


def test_an_object_that_comes_twice_is_there_once_as_parquet() -> None:
    made = Made({"a": log(line(1), line(2)), "b": log(line(3))}, **PARQUET)

    made(new("a"), new("b"))
    once = dict(made.store.buckets["lake"])
    made(new("a"))

    assert made.store.buckets["lake"] == once
    assert sorted(row["srcport"] for row in made.rows()) == [1, 2, 3]


def test_an_object_that_comes_twice_has_the_same_event_ids_on_the_stream() -> None:
    made = Made({"a": log(line(1), line(2))})

    made(new("a"))
    made(new("a"))

    ids = Counter(document["event_id"] for document in made.documents)
    assert list(ids.values()) == [2, 2]


def test_an_object_that_two_messages_name_is_read_once() -> None:
    made = Made({"a": log(line(1))})

    assert made(new("a"), new("a", "a")) == []

    assert len(made.documents) == 1


@outputs
def test_only_the_message_of_a_failed_object_comes_again(environ: dict[str, str]) -> None:
    made = Made({"a": log(line(1)), "b": log(line(2)), "c": log(line(3))}, **environ)
    made.store.refused.add("b")

    failed = made(new("a"), new("b"), new("c"))

    assert failed == ["m1"]
    assert made.told["records_delivered"] == 2
    assert made.told["errors"] == {"AccessDenied": 1}
    assert made.told["inputs_failed"] == 1
    assert balanced(made.told)


@outputs
def test_of_a_damaged_object_what_can_be_read_is_handed_on_and_its_message_fails(
    environ: dict[str, str],
) -> None:
    whole = log(*map(line, range(1, 2001)))
    made = Made({"a": whole[: len(whole) // 2], "b": log(line(9999))}, **environ)

    failed = made(new("a"), new("b"))

    assert failed == ["m0"]
    assert 1 < made.told["records_delivered"] < 2000
    assert made.told["inputs_failed"] == 1
    assert made.told["errors"] == {"Unfinished": 1}
    assert balanced(made.told)
    ports = [row["srcport"] for row in (made.rows() if environ else made.documents)]
    assert sorted(ports) == [*range(1, len(ports)), 9999]


def test_bad_lines_are_counted_and_cost_nothing_else() -> None:
    made = Made({"a": log(line(1), "neither", line(2))})

    assert made(new("a")) == []

    assert (made.told["records_delivered"], made.told["records_rejected"]) == (2, 1)
    assert balanced(made.told)


def test_an_object_that_is_gone_is_counted_and_never_asked_for_again() -> None:
    made = Made({"b": log(line(1))})

    assert made(new("a", "b")) == []

    assert made.told["inputs_gone"] == 1
    assert made.told["records_delivered"] == 1
    assert "inputs_failed" not in made.told


def test_messages_of_no_new_object_are_done_with() -> None:
    test = '{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "logs"}'
    made = Made({})

    assert made(test) == []

    assert made.told["notices"] == 1


def test_a_message_that_makes_no_sense_goes_to_the_dead_letters() -> None:
    made = Made({"a": log(line(1))})

    assert made("neither", new("a")) == ["m0"]

    assert made.told["inputs_failed"] == 1
    assert len(made.documents) == 1


def test_what_the_function_wrote_itself_is_not_read() -> None:
    made = Made({}, **PARQUET)
    made.store.buckets["lake"]["enriched/day=2026-01-31/x.parquet"] = b"PAR1"

    assert made(new("enriched/day%3D2026-01-31/x.parquet", bucket="lake")) == []

    assert made.store.opened == []


def test_an_event_of_anything_but_a_queue_is_an_error() -> None:
    with pytest.raises(FormatError, match="let S3 tell SQS"):
        Made({}).function(json.loads(new("a")), SimpleNamespace())


def test_settings_leave_records_out_which_count_as_filtered() -> None:
    quiet = line(2, action="-", status="NODATA")
    rows = [line(1), line(3, action="REJECT"), quiet]
    made = Made({"a": log(*rows)}, LOG_STATUSES="OK", ACTIONS="ACCEPT")

    assert made(new("a")) == []

    assert [d["srcport"] for d in made.documents] == [1]
    assert (made.told["records_filtered"], made.told["records_delivered"]) == (2, 1)


def test_with_all_values_set_also_unknown_ones_pass() -> None:
    made = Made({"a": log(line(1, status="NEWDATA"), line(2))})

    made(new("a"))

    assert made.told["records_delivered"] == 2


# ---- faults of outputs


def test_only_refused_documents_are_put_again() -> None:
    made = Made({"a": log(line(1), line(2))}, stream=FakeStream("ServiceUnavailableException"))

    assert made(new("a")) == []

    assert made.stream.calls == [2, 2]
    assert (made.told["puts"], made.told["puts_refused"]) == (2, 2)
    assert made.told["records_delivered"] == 2


def test_a_stream_that_refuses_for_good_fails_the_messages_and_loses_nothing() -> None:
    made = Made({"a": log(line(1), line(2)), "b": log(line(3))}, stream=FakeStream(DENIED))

    assert made(new("a"), new("b")) == ["m0"]

    assert (made.told["records_failed"], made.told["records_delivered"]) == (2, 1)
    assert made.told["errors"]["AccessDeniedException"] == 2
    assert made.warnings == ["s3://logs/a: not all of it was taken, and the rest is not read"]
    assert balanced(made.told)


def test_a_bucket_that_refuses_fails_the_messages_and_leaves_no_temporary_file() -> None:
    made = Made({"a": log(line(1)), "b": log(line(2))}, **PARQUET)
    made.store.refuse_call = ("put", "enriched/")

    assert made(new("a"), new("b")) == ["m0", "m1"]

    assert (made.told["records_failed"], made.told["records_delivered"]) == (2, 0)
    assert made.told["errors"] == {"SlowDown": 2}
    assert balanced(made.told)


# ---- time


def test_messages_that_are_not_reached_in_time_come_again() -> None:
    made = Made({"a": log(line(1)), "b": log(line(2))})
    made.left_s = lambda: 4 if made.documents else 100

    failed = made(new("a"), new("b"), new("b"))

    assert failed == ["m1", "m2"]
    assert made.store.opened == ["a"]
    assert made.told["inputs_not_reached"] == 2
    assert balanced(made.told)


@outputs
def test_an_object_that_time_ends_in_comes_again(environ: dict[str, str]) -> None:
    made = Made({"a": log(line(1), line(2))}, **environ)
    made.left_s = lambda: 4 if made.store.opened else 100

    assert made(new("a")) == ["m0"]

    assert (made.told["records_failed"], made.told["records_delivered"]) == (2, 0)
    assert made.warnings == ["s3://logs/a: the time of the function is over before its end"]
    assert balanced(made.told)


# ---- what is told, and the start


def test_all_that_is_told_is_in_the_table_of_metrics() -> None:
    made = Made({"a": log(line(1), "bad")}, stream=FakeStream("InternalFailure"))

    made(new("a"), new("gone"), "neither", "{}")

    assert "other" not in made.told
    names = {one["Name"] for one in made.told["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert names <= METRIC_BY_NAME.keys()


def test_a_defect_that_one_object_meets_costs_no_other() -> None:
    class Odd(FakeStore):
        def open(self, bucket: str, key: str) -> Any:
            if key == "a":
                raise ZeroDivisionError
            return super().open(bucket, key)

    made = Made({})
    store = Odd({"logs": {"a": log(line(1)), "b": log(line(2))}})
    made.function._delivery._store = store

    assert made(new("a"), new("b")) == ["m0"]

    assert made.told["errors"] == {"ZeroDivisionError": 1}
    assert len(made.documents) == 1


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, "needs DELIVERY_STREAM_NAME"),
        (
            {"OUTPUT": "kinesis"},
            "OUTPUT='kinesis': may be firehose, s3://BUCKET/PREFIX/ or opensearch",
        ),
        ({"OUTPUT": "s3://"}, "OUTPUT='s3://': may be firehose, s3://BUCKET/PREFIX/ or opensearch"),
        ({"OUTPUT": "opensearch+https://search.example"}, "names no index"),
        ({"OUTPUT": "opensearch+http://search.example/flows"}, "unencrypted"),
        (PARQUET | {"GEOLOCATION_ENABLED": "true", "GEOLOCATION_PROVIDER": "mmdb"}, "GEO_DATABASE"),
    ],
)
def test_settings_that_make_no_sense_stop_the_start(environ: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        check_settings(load_settings("objects", environ))


def test_the_handler_is_imported_without_what_it_does_not_need(tmp_path: Path) -> None:
    program = "import sys, vpcflow.lambdas.objects; print(*sys.modules)"
    environ = {"OUTPUT": "s3://lake/enriched/", "PATH": "", "PYTHONPATH": ":".join(sys.path)}

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environ, check=True
    )

    unwanted = {
        *("duckdb", "pyspark", "typer", "rich", "vpcflow.cli", "pandas", "pyarrow.dataset"),
        *("opensearchpy", "requests"),
    }
    assert not unwanted.intersection(done.stdout.split())
