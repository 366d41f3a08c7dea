"""
No record is lost and none is doubled, whatever goes wrong between CloudWatch Logs and the index.

Each record arrives at least once, and exactly once when equal ids are collapsed; copies too many come from faults
after an accepted put alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from faulty import NOON, Bucket, Endpoint, Function, Outcome, Way, ids_of, lines

from vpcflow.local_firehose import Faults, MemoryBucket


def every_third_call(raised: list[int]) -> Callable[[Function], Function]:
    """Make a function raise on every third call, before it does anything, and count that."""

    def around(function: Function) -> Function:
        calls = 0

        def faulty(event: dict[str, Any]) -> Any:
            nonlocal calls
            calls += 1
            if calls % 3 == 0:
                raised.append(calls)
                raise RuntimeError("no")
            return function(event)

        return faulty

    return around


class Case(NamedTuple):
    """Faults, and whether they come after an accepted put, so that copies too many are to be expected."""

    faults: Faults
    comes_after_a_put: bool = False
    is_down: Callable[[float], bool] = lambda _: False
    around: Callable[[Function], Function] = lambda function: function
    environ: tuple[tuple[str, str], ...] = ()


CASES = {
    "none": Case(Faults()),
    "refused records": Case(Faults(1, refuse=0.2)),
    "throttled calls": Case(Faults(2, throttle=0.3)),
    "calls throttled for longer than the ingestor has": Case(Faults(15, throttle=0.9), True),
    "calls lost before they were carried out": Case(Faults(3, lose_call=0.2)),
    "answers lost": Case(Faults(4, lose_answer=0.2), True),
    "records doubled by the stream": Case(Faults(5, duplicate=0.05), True),
    "invocations that fail": Case(Faults(6, fail_invocation=0.7)),
    "a decorator that raises": Case(Faults(7), around=every_third_call([])),
    "responses lost": Case(Faults(8, lose_response=0.7), True),
    "responses too large": Case(Faults(9, oversize_response=0.6), True),
    "responses that the decorator keeps small": Case(
        Faults(10), environ=(("RESPONSE_LIMIT_BYTES", "700000"),)
    ),
    "deliveries repeated": Case(Faults(11, repeat_delivery=0.3), True),
    "an index down, for less than the stream waits": Case(
        Faults(12), is_down=lambda now: now < NOON + 250
    ),
    "an index down for hours, and redriven": Case(
        Faults(13), is_down=lambda now: now < NOON + 4000
    ),
}
REDRIVEN = {
    "calls throttled for longer than the ingestor has",
    "invocations that fail",
    "responses lost",
    "responses too large",
    "an index down for hours, and redriven",
}
ALL = Case(
    Faults(
        14,
        refuse=0.05,
        throttle=0.1,
        lose_call=0.05,
        lose_answer=0.05,
        duplicate=0.01,
        fail_invocation=0.3,
        lose_response=0.1,
        oversize_response=0.1,
        repeat_delivery=0.05,
    ),
    True,
    is_down=lambda now: NOON + 10 < now < NOON + 4000,
    environ=(("RESPONSE_LIMIT_BYTES", "700000"),),
)
RECORDS = 5_000
RECORDS_OF_ALL = 100_000 - RECORDS * (len(CASES) + 2)


def carried(case: Case, records: int) -> tuple[Outcome, set[str]]:
    flow_lines = lines(records)
    way = Way(case.faults, is_down=case.is_down, around=case.around, **dict(case.environ))
    return way.carry(flow_lines), ids_of(flow_lines)


def assert_nothing_lost_or_doubled(case: Case, records: int) -> Outcome:
    outcome, expected = carried(case, records)
    assert len(expected) == records
    assert (len(expected - set(outcome.ids)), len(set(outcome.ids) - expected)) == (0, 0)
    assert outcome.counts["lost"] == 0
    if not case.comes_after_a_put:
        assert outcome.raw_duplicates == 0
    return outcome


@pytest.mark.integration
@pytest.mark.parametrize("name", CASES)
def test_every_record_arrives_and_only_faults_after_a_put_bring_copies(name: str):
    case = CASES[name]

    outcome = assert_nothing_lost_or_doubled(case, RECORDS)

    assert (outcome.raw_duplicates > 0) == case.comes_after_a_put
    assert (outcome.events_sent_again > 0) == ("longer than the ingestor has" in name)
    assert (outcome.redriven > 0) == (name in REDRIVEN)


@pytest.mark.integration
def test_every_record_arrives_under_all_faults_together():
    outcome = assert_nothing_lost_or_doubled(ALL, RECORDS_OF_ALL)

    assert outcome.raw_duplicates > 0
    assert outcome.redriven > 0


@pytest.mark.integration
@pytest.mark.parametrize("end", [Bucket(MemoryBucket()), Endpoint([])], ids=["bucket", "endpoint"])
def test_every_record_arrives_where_a_record_holds_many_documents(end: Bucket | Endpoint):
    flow_lines = lines(RECORDS)
    way = Way(ALL.faults, is_down=ALL.is_down, end=end, RESPONSE_LIMIT_BYTES="700000")

    outcome = way.carry(flow_lines)

    expected = ids_of(flow_lines)
    assert (len(expected - set(outcome.ids)), len(set(outcome.ids) - expected)) == (0, 0)


@pytest.mark.soak
@pytest.mark.parametrize("name", CASES)
def test_a_hundred_thousand_records_under_each_fault(name: str):
    assert_nothing_lost_or_doubled(CASES[name], 100_000)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
def test_a_hundred_thousand_records_under_all_faults_together(seed: int):
    assert_nothing_lost_or_doubled(ALL._replace(faults=replace(ALL.faults, seed=seed)), 100_000)
