from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from enriching import eni, inventory
from transforming import STREAM_ARN, FakeClock, FakeStream, documents, event, line, results

from vpcflow.errors import AwsError, ReferenceDataError
from vpcflow.inventory import Inventory
from vpcflow.lambdas.decorator import Decorator
from vpcflow.lambdas.enrichment import Enrichment
from vpcflow.lambdas.geolocation import Geolocation
from vpcflow.lambdas.settings import load_settings
from vpcflow.lambdas.telemetry import METRIC_BY_NAME, Telemetry
from vpcflow.pipeline import Layouts
from vpcflow.transform import SHED_NAMES, Transformed

DENIED = AwsError("cannot put: AccessDenied", code="AccessDeniedException", permanent=True)
KNOWN = eni("eni-0a1b2c3d4e5f60718", "10.0.1.24", groups="sg-1 sg-2")
SILENT = Geolocation(None, None, Counter())


class FakeInventories:
    """An inventory that learns an interface when it is asked for it."""

    def __init__(self, *later: Any, age_s: float | None = 30.0) -> None:
        self.counts: Counter[str] = Counter()
        self.age_s = age_s
        self.asked: list[list[str]] = []
        self._later = later

    def look_up(self, interface_ids: Any) -> Inventory:
        self.asked.append(sorted(interface_ids))
        self.counts["look_ups"] += 1
        return inventory(*self._later)

    def layouts(self, stream_arn: str | None = None) -> Layouts:
        return Layouts()


class Made:
    """A decorator over fakes, and the lines it wrote."""

    def __init__(
        self,
        *,
        inventories: FakeInventories | None = None,
        stream: FakeStream | None = None,
        fetch: Any = None,
        **environ: str,
    ) -> None:
        self.lines: list[str] = []
        self.opened: list[tuple[str, str | None]] = []
        self.clock = FakeClock()
        self.stream = stream or FakeStream()
        settings = load_settings("decorator", {"SCHEMA": "flat", **environ})
        telemetry = Telemetry(
            "decorator", settings, write=self.lines.append, clock=self.clock, monotonic=self.clock
        )
        enrichment = Enrichment(
            settings,
            inventories or FakeInventories(KNOWN),
            SILENT,
            fetch=fetch,
            monotonic=self.clock,
            warn=telemetry.warn,
        )
        self.decorator = Decorator(
            settings,
            enrichment,
            self._open,
            telemetry,
            monotonic=self.clock,
            sleep=self.clock.sleep,
            random=lambda: 0.5,
        )

    def _open(self, name: str, region: str | None) -> FakeStream:
        self.opened.append((name, region))
        return self.stream

    def __call__(self, given: dict[str, Any], left_ms: int = 60_000) -> Transformed:
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: left_ms, aws_request_id="x")
        return Transformed(self.decorator(given, context), None, Counter())  # type: ignore[arg-type]

    @property
    def told(self) -> dict[str, Any]:
        return json.loads(self.lines[-1])


def test_documents_have_the_groups_of_both_interfaces() -> None:
    made = Made()

    (document,), _ = documents(made(event(line(1), "bad")))

    assert document["security_group_ids"] == ["sg-1", "sg-2"]
    assert document["direction"] == "ingress"


def test_a_batch_is_told_in_one_line_that_balances() -> None:
    made = Made()

    made(event(line(1), f"{line(2)}\nbad", "worse", ""))

    assert len(made.lines) == 1
    told = made.told
    assert told["records_found"] == 4
    assert (told["records_delivered"], told["records_requeued"], told["records_rejected"]) == (2, 1, 1)  # fmt: skip
    assert told["answered_ok"] + told["answered_dropped"] + told["answered_failed"] == 4
    assert told["inventory_age_s"] == 30.0
    assert told["response_bytes"] > 0
    assert "other" not in told
    assert "203.0.113.9" not in made.lines[0]


def test_interfaces_that_the_inventory_lacks_are_asked_for() -> None:
    inventories = FakeInventories(KNOWN)

    Made(inventories=inventories)(event(line(1), line(2, eni="eni-1"), "bad"))

    assert inventories.asked == [["eni-0a1b2c3d4e5f60718", "eni-1"]]


def test_without_an_inventory_flows_are_unknown_and_delivered() -> None:
    made = Made(inventories=FakeInventories(age_s=None))

    (document,) = documents(made(event(line(1))))[0]

    assert document["inventory_state"] == "unknown"
    assert made.told["inventory_missing"] == 1


@pytest.mark.parametrize(
    ("environ", "opened"),
    [
        ({}, [("flows", "eu-west-1")]),
        ({"DELIVERY_STREAM_NAME": "another"}, [("another", None)]),
    ],
)
def test_lines_go_back_on_the_stream_that_is_set_else_on_the_events(
    environ: dict[str, str], opened: list[tuple[str, str | None]]
) -> None:
    made = Made(**environ)

    for _ in range(2):
        made(event(f"{line(1)}\nbad"))

    assert made.opened == opened
    assert STREAM_ARN.endswith("/flows")


def test_no_stream_is_opened_where_nothing_goes_back() -> None:
    made = Made()

    made(event(line(1), "bad"))

    assert made.opened == []


def test_a_put_that_no_retry_can_mend_is_not_tried_again_for_five_minutes() -> None:
    made = Made(stream=FakeStream(DENIED))
    given = event(f"{line(1)}\nbad")

    made(given)
    made.clock.now += 299
    second = made(given)
    resting = made.told
    calls = len(made.stream.calls)
    made.clock.now += 2
    made(given)

    assert results(second) == ["ProcessingFailed"]
    assert calls == 1
    assert resting["puts_resting"] == 1
    assert len(made.stream.calls) == 2
    assert made.told["errors"] == {"AccessDeniedException": 1}


def test_puts_use_at_most_a_quarter_of_the_time_that_is_left() -> None:
    made = Made(stream=FakeStream("ServiceUnavailableException"))

    made(event(f"{line(1)}\nbad"), left_ms=21_000)

    assert 0 < made.clock.now - 1000 <= 5


def test_settings_reach_the_transformation() -> None:
    made = Made(
        ONE_DOCUMENT="true", ACTIONS="REJECT", SCHEMA="appender", RESPONSE_LIMIT_BYTES="10000"
    )

    done = made(event(line(1), f"{line(2, action='REJECT')}\n{line(3, action='REJECT')}"))

    assert results(done) == ["Dropped", "Ok"]
    assert "destaddr" in documents(done)[1][0]
    assert made.told["records_requeued"] == 1


def test_a_status_that_aws_may_add_is_delivered_where_no_setting_leaves_any_out() -> None:
    made = Made()

    assert results(made(event(line(1, status="NEWDATA", action="OTHER")))) == ["Ok"]


def test_all_names_of_what_is_shed_are_metrics() -> None:
    assert {f"shed_{name}" for name in SHED_NAMES} <= set(METRIC_BY_NAME)


def test_a_file_in_s3_that_cannot_be_had_leaves_its_columns_empty_and_is_asked_for_later() -> None:
    answers: list[Any] = [DENIED, b"cidr,name,kind\n203.0.113.0/24,office,office\n"]

    def fetch(url: str) -> bytes:
        assert url == "s3://lookups/networks.csv"
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    made = Made(NETWORKS="s3://lookups/networks.csv", fetch=fetch)

    before = documents(made(event(line(1))))[0][0]
    told = json.loads(made.lines[-1])
    made(event(line(1)))
    made.clock.now += 301
    after = documents(made(event(line(1))))[0][0]

    assert told["files_failed"] == 1
    assert "peer_network_name" not in before
    assert after["peer_network_name"] == "office"
    assert len([one for one in made.lines if '"event":"warning"' in one]) == 1


def test_a_local_file_that_makes_no_sense_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ReferenceDataError):
        Made(AWS_RANGES=str(tmp_path / "none.json"))


def _imported(program: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(Path(__file__).parents[2] / "src"), **environ},
    )


def test_a_wrong_setting_stops_the_cold_start_with_one_clear_line() -> None:
    done = _imported("import vpcflow.lambdas.decorator", SCHEMA="Flat", MAX_ATTEMPTS="x")

    assert done.returncode != 0
    (told,) = done.stdout.splitlines()
    assert json.loads(told)["event"] == "wrong settings"
    assert "SCHEMA='Flat': may be flat, " in told
    assert "; MAX_ATTEMPTS='x': may be a whole number from 0 to 10" in told


@pytest.mark.parametrize("name", ["NETWORKS", "AWS_RANGES", "GEO_DATABASE"])
def test_a_local_file_that_is_not_there_stops_the_cold_start_too(name: str) -> None:
    environ = {"GEOLOCATION_ENABLED": "true", name: "none.json"}

    done = _imported("import vpcflow.lambdas.decorator", **environ)

    assert done.returncode != 0
    assert json.loads(done.stdout)["event"] == "wrong settings"
    assert "none.json" in done.stdout


def test_the_import_makes_no_client_and_pulls_in_nothing_of_other_doors() -> None:
    program = (
        "import boto3, sys\n"
        "boto3.Session.client = None\n"
        "import vpcflow.lambdas.decorator as d\n"
        "assert d._decorator.cache_info().currsize == 0\n"
        "print(*sys.modules)"
    )

    done = _imported(program)

    imported = set(done.stdout.split())
    heavy = "rich typer duckdb pyspark pandas starlette polars vpcflow.cli pycountry"
    assert done.returncode == 0, done.stderr
    assert imported.isdisjoint(heavy.split())
