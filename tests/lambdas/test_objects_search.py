"""The objects function before a search server: what comes twice changes nothing, and what is refused is kept."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from arriving import FakeInventories, balanced, log, new
from search_fake import FakeSearchServer, Fault, answering, raising, refusal, refusing
from stores import FakeStore
from transforming import line

from vpcflow.lambdas.arrivals import Arrivals
from vpcflow.lambdas.enrichment import Enrichment
from vpcflow.lambdas.geolocation import Geolocation
from vpcflow.lambdas.settings import load_settings
from vpcflow.lambdas.telemetry import METRIC_BY_NAME, Telemetry
from vpcflow.schemas import SCHEMAS
from vpcflow.search_delivery import SearchOutput
from vpcflow.sinks.opensearch.documents import Placing
from vpcflow.sinks.opensearch.server import NoAnswer

LOST = NoAnswer("the connection was closed", sent=True)


class Made:
    """The function over a search server in memory, and the lines it wrote."""

    def __init__(
        self, objects: dict[str, bytes], *faults: Fault | None, schema: str = "flat", **placing: Any
    ) -> None:
        self.lines: list[str] = []
        self.server = FakeSearchServer(*faults)
        self.left_s: Callable[[], float] = lambda: 300 - self.server.now
        settings = load_settings("objects", {"SCHEMA": schema})
        telemetry = Telemetry("objects", settings, write=self.lines.append)
        output = SearchOutput(
            self.server,
            Placing("flows", **placing),
            SCHEMAS[schema],
            warn=telemetry.warn,
            sender=lambda _, path: self.server.sender(path),
        )
        enrichment = Enrichment(settings, FakeInventories(), Geolocation(None, None, Counter()))
        store = FakeStore({"logs": objects})
        self.function = Arrivals(settings, store, enrichment, output, telemetry)
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
        assert balanced(told)
        assert "other" not in told
        return told

    @property
    def warnings(self) -> list[str]:
        return [told["text"] for told in map(json.loads, self.lines) if "text" in told]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_flows_of_new_objects_are_in_the_index_of_their_day_under_their_ids(schema: str):
    made = Made({"a": log(line(1), line(2)), "b": log(line(3))}, schema=schema)

    assert made(new("a"), new("b")) == []

    assert made.server.indexes == {"flows-2023.11.14"}
    assert len({document_id for _, document_id in made.server.kept}) == 3
    assert made.told["records_delivered"] == made.told["output_records"] == 3


def test_an_object_that_comes_twice_is_there_once_and_counted():
    made = Made({"a": log(line(1), line(2))})

    assert made(new("a")) == made(new("a")) == []

    assert len(made.server.kept) == 2
    assert (made.told["records_duplicate"], made.told["records_delivered"]) == (2, 0)


def test_a_document_that_is_refused_costs_no_other_and_its_object_comes_again():
    mapping = refusal(
        400, "mapper_parsing_exception", "failed to parse [x], id '1': preview '10.0.0.1'"
    )
    made = Made({"a": log(line(1), line(2), line(3)), "b": log(line(4))}, refusing(mapping, 1))

    assert made(new("a"), new("b")) == ["m0"]

    assert made.told["records_delivered"] == 3
    assert made.told["records_rejected"] == made.told["rejected_refused_by_index"] == 1
    assert made.told["errors"] == {"MapperParsingException": 1, "Unfinished": 1}
    assert made.warnings[0] == (
        "the index refused a document: mapper_parsing_exception: failed to parse [x], id '…': preview '…'"
    )


def test_what_was_refused_is_written_when_its_object_comes_again():
    mapping = refusal(400, "illegal_argument_exception", "limit of total fields")
    made = Made({"a": log(line(1), line(2))}, refusing(mapping, 0))
    made(new("a"))

    assert made(new("a")) == []

    assert len(made.server.kept) == 2
    assert (made.told["records_delivered"], made.told["records_duplicate"]) == (1, 1)


def test_a_server_that_is_away_as_long_as_the_function_has_fails_the_objects():
    made = Made({"a": log(line(1), line(2)), "b": log(line(3))}, *[answering(503)] * 100)

    assert made(new("a"), new("b")) == ["m0", "m1"]

    assert 250 < made.server.now < 290
    assert (made.told["records_failed"], made.told["records_delivered"]) == (3, 0)
    assert made.warnings[0] == "the index takes no more: 503"


def test_what_a_server_does_not_take_goes_again_and_is_counted():
    busy = refusal(429, "rejected_execution_exception")
    made = Made({"a": log(line(1), line(2))}, refusing(busy, 0))

    assert made(new("a")) == []

    assert (made.told["records_delivered"], made.told["puts_refused"]) == (2, 1)


def test_an_answer_that_is_lost_is_no_duplicate_and_is_counted():
    made = Made({"a": log(line(1), line(2))}, raising(LOST, carried_out=True))

    assert made(new("a")) == []

    assert (made.told["records_delivered"], made.told["delivered_doubtful"]) == (2, 2)


def test_a_collection_gets_documents_without_ids():
    made = Made({"a": log(line(1))}, layout="single", has_ids=False)

    assert made(new("a")) == []

    ((path, ((action, _),)),) = made.server.requests
    assert (path.partition("?")[0], action) == ("flows/_bulk", {"index": {}})


def test_all_that_is_told_is_in_the_table_of_metrics():
    made = Made({"a": log(line(1), "bad")}, answering(429))

    made(new("a"), new("gone"), "neither", "{}")

    names = {one["Name"] for one in made.told["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert names <= METRIC_BY_NAME.keys()
