from __future__ import annotations

import json
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpcflow.codes import REJECT_REASONS
from vpcflow.errors import AwsError
from vpcflow.lambdas.settings import load_settings
from vpcflow.lambdas.telemetry import METRIC_BY_NAME, METRICS, Telemetry
from vpcflow.stats import Books

REQUEST_ID = "8a7f6c5d-0b1e-4c3d-9e2f-001122334455"
UNITS = {"Count", "Seconds", "Milliseconds", "Bytes"}


class Lines(list[str]):
    """What was written, and the clocks that were read: 5 ms from one look to the next."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def tick(self) -> float:
        self.now += 0.005
        return self.now

    @property
    def last(self) -> dict[str, Any]:
        return json.loads(self[-1])


def telemetry(lines: Lines, **environ: str) -> Telemetry:
    settings = load_settings("decorator", environ)
    return Telemetry(
        "decorator", settings, write=lines.append, clock=lambda: 1_700_000_000.5, monotonic=lines.tick
    )  # fmt: skip


def told(line: dict[str, Any]) -> list[str]:
    return [m["Name"] for d in line["_aws"]["CloudWatchMetrics"] for m in d["Metrics"]]


def test_a_batch_is_one_line_that_is_log_and_metrics_in_one() -> None:
    lines = Lines()

    with telemetry(lines).batch(SimpleNamespace(aws_request_id=REQUEST_ID)) as batch:
        batch.count("output_records", 7)

    assert len(lines) == 1
    assert "\n" not in lines[0]
    assert lines.last["_aws"]["Timestamp"] == 1_700_000_000_500
    (directive,) = lines.last["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "vpcflow"
    assert directive["Dimensions"] == [["function"]]
    assert {"Name": "took_ms", "Unit": "Milliseconds"} in directive["Metrics"]
    assert {k: v for k, v in lines.last.items() if k != "_aws"} == {
        "function": "decorator",
        "level": "INFO",
        "event": "batch done",
        "request_id": REQUEST_ID,
        "batches": 1,
        "batches_raised": 0,
        "cold_starts": 1,
        "took_ms": 5.0,
        "output_records": 7,
    }


def test_every_metric_named_is_in_the_line_and_in_the_table() -> None:
    lines = Lines()

    with telemetry(lines).batch() as batch:
        for metric in METRICS:
            batch.count(metric.name)

    assert told(lines.last) == [metric.name for metric in METRICS]
    assert set(told(lines.last)) <= set(lines.last)


def test_more_metrics_than_a_directive_takes_are_told_in_several() -> None:
    lines = Lines()

    with telemetry(lines).batch() as batch:
        for metric in METRICS:
            batch.count(metric.name)

    sizes = [len(d["Metrics"]) for d in lines.last["_aws"]["CloudWatchMetrics"]]
    assert max(sizes) <= 100
    assert sum(sizes) == len(METRICS)


def test_the_table_of_metrics_is_a_closed_set_that_covers_every_reason() -> None:
    names = [metric.name for metric in METRICS]

    assert len(set(names)) == len(names)
    assert {metric.unit for metric in METRICS} <= UNITS
    assert {f"rejected_{reason}" for reason in REJECT_REASONS} <= set(METRIC_BY_NAME)


def test_an_unknown_name_is_counted_as_other_and_does_no_harm() -> None:
    lines = Lines()

    with telemetry(lines).batch() as batch:
        batch.count("srcaddr 192.0.2.1", 3)
        batch.measure("password", 5)

    assert lines.last["other"] == 4
    assert "192.0.2.1" not in lines[0]


def test_books_are_told_with_the_reasons_and_zeros_that_alarms_need() -> None:
    lines = Lines()
    books = Books(found=10, delivered=6, filtered=1, requeued=1)
    books.rejected.update({"bad_number": 1, "too_few_fields": 1})
    books.log_status.update({"NODATA": 2, "192.0.2.1": 1})

    with telemetry(lines).batch() as batch:
        batch.keep(books)

    assert lines.last["records_found"] == 10
    assert lines.last["records_failed"] == 0
    assert lines.last["rejected_bad_number"] == 1
    assert lines.last["log_status_nodata"] == 2
    assert lines.last["level"] == "WARNING"
    assert "records_duplicate" not in lines.last
    assert "192.0.2.1" not in lines[0]


def test_counts_that_are_taken_begin_anew() -> None:
    lines, counts = Lines(), Counter(look_ups=2)
    told_by = telemetry(lines)

    with told_by.batch() as batch:
        batch.take(counts)
    with told_by.batch() as batch:
        batch.take(counts)

    assert json.loads(lines[0])["look_ups"] == 2
    assert "look_ups" not in lines.last


def test_only_an_instances_first_batch_is_a_cold_start() -> None:
    lines = Lines()
    told_by = telemetry(lines)

    for _ in range(2):
        with told_by.batch():
            pass

    assert ["cold_starts" in json.loads(line) for line in lines] == [True, False]


def test_a_batch_that_raises_is_told_and_raises_on() -> None:
    lines = Lines()

    with pytest.raises(AwsError), telemetry(lines).batch() as batch:
        batch.count("puts", 1)
        raise AwsError("cannot put records on 'x'", code="AccessDenied", permanent=True)

    assert lines.last["level"] == "ERROR"
    assert lines.last["event"] == "batch raised"
    assert lines.last["errors"] == {"AwsError": 1}
    assert lines.last["batches_raised"] == 1
    assert lines.last["puts"] == 1


def test_codes_of_aws_are_noted_by_name() -> None:
    lines = Lines()

    with telemetry(lines).batch() as batch:
        batch.note("AccessDeniedException")
        batch.note("AccessDeniedException")
        batch.note("AWS.SimpleQueueService.NonExistentQueue")

    assert lines.last["errors"] == {
        "AWS.SimpleQueueService.NonExistentQueue": 1,
        "AccessDeniedException": 2,
    }


@pytest.mark.parametrize(
    "text",
    ["192.0.2.1", "2001:db8::1", "AKIA0123456789ABCDEF", "d4c3b2a1" * 4, "a b", "A" * 81, "", "É"],
)
def test_an_address_or_a_key_is_noted_as_other(text: str) -> None:
    lines = Lines()

    with telemetry(lines).batch(SimpleNamespace(aws_request_id=text)) as batch:
        batch.note(text)

    assert lines.last["errors"] == {"Other": 1}
    assert "request_id" not in lines.last


@given(name=st.text(), value=st.integers(0, 10**6), code=st.text())
def test_no_text_but_of_closed_sets_gets_into_a_line(name: str, value: int, code: str) -> None:
    lines = Lines()

    with telemetry(lines).batch(SimpleNamespace(aws_request_id=code)) as batch:
        batch.count(name, value)
        batch.measure(name, value)
        batch.note(code)

    assert set(lines.last) <= set(METRIC_BY_NAME) | set("_aws function level event errors".split())


def test_below_the_log_level_a_line_has_the_metrics_alone() -> None:
    lines = Lines()

    with telemetry(lines, LOG_LEVEL="ERROR").batch():
        pass

    assert not {"level", "event"} & set(lines.last)
    assert lines.last["batches"] == 1


def test_the_namespace_is_a_setting() -> None:
    lines = Lines()

    with telemetry(lines, METRICS_NAMESPACE="flows/test").batch():
        pass

    assert lines.last["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "flows/test"


def test_a_warning_is_said_once_and_without_addresses() -> None:
    lines = Lines()
    made = telemetry(lines)
    role = "arn:aws:iam::123456789012:role/vpcflow"

    for _ in range(2):
        made.warn(f"{role}: 10.0.1.24, 2001:db8::7 and ::1 are unknown")

    assert [json.loads(one)["text"] for one in lines] == [
        f"{role}: (address), (address) and (address) are unknown"
    ]


def test_below_its_level_a_warning_is_not_said() -> None:
    lines = Lines()

    telemetry(lines, LOG_LEVEL="ERROR").warn("no")

    assert not lines
