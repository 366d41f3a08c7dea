"""
Each function on the events of ``tests/events``: every form AWS sends, and damaged ones.

A case is ``<name>.json``, the event, and ``<name>.expected.json``: see the tables in ``events/make.py``.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from enriching import eni, inventory
from transforming import FakeClock, FakeStream, documents, results

from vpcflow.errors import FormatError, VpcflowError
from vpcflow.lambdas.capturing import changes_of
from vpcflow.lambdas.decorator import Decorator
from vpcflow.lambdas.enrichment import Enrichment
from vpcflow.lambdas.geolocation import Geolocation
from vpcflow.lambdas.ingestion import Ingestor
from vpcflow.lambdas.settings import load_settings
from vpcflow.lambdas.telemetry import METRIC_BY_NAME, Telemetry
from vpcflow.object_events import new_objects
from vpcflow.pipeline import Layouts
from vpcflow.transform import Transformed

EVENTS = Path(__file__).parents[1] / "events"
CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 30_000, aws_request_id="-")
KNOWN = eni("eni-0a1b2c3d4e5f60718", "10.0.1.24", groups="sg-1 sg-2")


def cases(function: str) -> list[str]:
    found = (EVENTS / function).glob("*.expected.json")
    return sorted(path.name.removesuffix(".expected.json") for path in found)


def case(function: str, name: str) -> tuple[Any, Any]:
    folder = EVENTS / function
    event, expected = (folder / f"{name}.{suffix}" for suffix in ("json", "expected.json"))
    return json.loads(event.read_text()), json.loads(expected.read_text())


class FakeInventories:
    age_s = 30.0

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def look_up(self, interface_ids: Any) -> Any:
        return inventory(KNOWN)

    def layouts(self, stream_arn: str | None = None) -> Layouts:
        return Layouts()


def decorated(event: Any, stream: FakeStream, **environ: str) -> tuple[Transformed, dict[str, Any]]:
    settings = load_settings("decorator", environ)
    clock, lines = FakeClock(), list[str]()
    telemetry = Telemetry("decorator", settings, write=lines.append, clock=clock, monotonic=clock)
    enrichment = Enrichment(
        settings, FakeInventories(), Geolocation(None, None, Counter()), monotonic=clock
    )
    decorator = Decorator(
        settings,
        enrichment,
        lambda name, region: stream,
        telemetry,
        monotonic=clock,
        sleep=clock.sleep,
    )
    response = decorator(event, CONTEXT)
    (told,) = lines
    return Transformed(response, None, Counter()), json.loads(told)  # type: ignore[arg-type]


@pytest.mark.parametrize("schema", ["flat", "appender"])
@pytest.mark.parametrize("name", cases("decorator"))
def test_the_decorator_answers_every_record_of_every_form(name: str, schema: str) -> None:
    event, expected = case("decorator", name)
    stream = FakeStream()

    done, told = decorated(event, stream, SCHEMA=schema)

    found = [
        answer if answer != "Ok" else [one.get("srcport") for one in some]
        for answer, some in zip(results(done), documents(done))
    ]
    assert found == expected["answers"]
    assert [one["line"] for one in stream.taken] == expected["back"]
    answers = done.response["records"]
    assert [one["recordId"] for one in answers] == [one["recordId"] for one in event["records"]]
    for one, given in zip(answers, event["records"]):
        assert one["result"] != "ProcessingFailed" or one["data"] == given["data"]
    assert "other" not in told
    assert told["records_found"] == sum(
        told.get(f"records_{what}", 0)
        for what in ("delivered", "filtered", "rejected", "failed", "requeued", "duplicate")
    )


def test_the_originals_document_is_as_the_original_made_it() -> None:
    """But for what docs/migrate.md names: the time stamp, the account as text, no place where none is known."""
    event, _ = case("decorator", "bare-lines")

    done, _ = decorated(event, FakeStream())

    assert documents(done)[0] == [
        {
            "@timestamp": "2025-12-17T19:34:19.000Z",
            "version": 2,
            "account-id": "123456789012",
            "interface-id": "eni-0a1b2c3d4e5f60718",
            "srcaddr": "203.0.113.9",
            "destaddr": "10.0.1.24",
            "srcport": 1,
            "dstport": 443,
            "protocol": 6,
            "packets": 12,
            "bytes": 4840,
            "start": 1766000000,
            "end": 1766000059,
            "action": "ACCEPT",
            "log-status": "OK",
            "security-group-ids": ["sg-1", "sg-2"],
            "direction": "inbound",
            "source-country-code": "",
            "source-country-name": "",
            "source-region-code": "",
            "source-region-name": "",
            "source-city": "",
        }
    ]


@pytest.mark.parametrize("name", cases("ingestor"))
def test_the_ingestor_puts_every_line_or_fails(name: str) -> None:
    event, expected = case("ingestor", name)
    settings = load_settings("ingestor", {"DELIVERY_STREAM_NAME": "flows"})
    stream, clock, lines = FakeStream(), FakeClock(), list[str]()
    function = Ingestor(settings, stream, write=lines.append, clock=clock, sleep=clock.sleep)

    if expected is None:
        with pytest.raises(VpcflowError):
            function(event, CONTEXT)
    else:
        function(event, CONTEXT)

    assert [one["line"] for one in stream.taken] == (expected or [])
    assert set(json.loads(lines[-1])) & set(METRIC_BY_NAME)


@pytest.mark.parametrize("name", cases("ingestor"))
def test_what_the_ingestor_sends_the_decorator_takes(name: str) -> None:
    event, expected = case("ingestor", name)
    settings = load_settings("ingestor", {"DELIVERY_STREAM_NAME": "flows"})
    stream, clock = FakeStream(), FakeClock()
    if expected is not None:
        Ingestor(settings, stream, write=lambda _: None, clock=clock, sleep=clock.sleep)(
            event, CONTEXT
        )
    sent = [one for call in stream.calls for one in call]
    firehose, _ = case("decorator", "no-records")
    records = [
        {"recordId": str(i), "data": base64.b64encode(one).decode()} for i, one in enumerate(sent)
    ]

    done, _ = decorated({**firehose, "records": records}, FakeStream())

    flows = [line for line in expected or [] if line.startswith("2 ")]
    assert results(done).count("Ok") == len(flows)


@pytest.mark.parametrize("name", cases("objects"))
def test_messages_tell_of_the_objects_that_arrived(name: str) -> None:
    event, expected = case("objects", name)

    found: list[list[str] | None] = []
    for record in event["Records"]:
        try:
            found.append([str(url) for url in new_objects(record["body"])])
        except FormatError:
            found.append(None)

    assert found == expected


@pytest.mark.parametrize("name", cases("inventory"))
def test_events_tell_of_changes(name: str) -> None:
    event, expected = case("inventory", name)

    assert list(changes_of(event)) == expected
