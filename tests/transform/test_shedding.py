from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from enriching import eni, inventory
from ocsf_events import faults
from transforming import (
    FakeReferences,
    FakeStream,
    a_set,
    checked,
    documents,
    event,
    line,
    results,
)

from vpcflow.enrich import Reference
from vpcflow.errors import AwsError
from vpcflow.fields import ADDED_BY_COLUMN, FIELD_BY_COLUMN
from vpcflow.schemas import SCHEMAS
from vpcflow.transform import SHED_NAMES, SHED_ORDER, Transformed

KNOWN = eni(
    "eni-0a1b2c3d4e5f60718", "10.0.1.24", groups="sg-1", description="a long description " * 9
)
PEER = eni("eni-1", "203.0.113.9", groups="sg-2")
RECORDS = [line(port) for port in range(40)]
CORE = "srcaddr security_group_ids direction peer_addr peer_security_group_ids event_id inventory_state".split()


def at_limit(
    limit: int,
    *,
    schema: str = "flat",
    stream: FakeStream | None = None,
    records: Sequence[str] = RECORDS,
) -> Transformed:
    references = FakeReferences(Reference(inventory=inventory(KNOWN, PEER)))
    how = a_set(schema=schema, references=references, response_limit_bytes=limit, stream=stream)
    done = checked(event(*records), how)
    assert done.counts["response_bytes"] <= limit
    return done


def shed(done: Transformed) -> Counter[str]:
    return Counter({name: n for name in SHED_NAMES if (n := done.counts.get(f"shed_{name}", 0))})


@pytest.fixture(scope="module")
def whole() -> Transformed:
    return at_limit(5_000_000)


def test_what_fits_is_not_shed(whole: Transformed) -> None:
    size = whole.counts["response_bytes"]

    assert shed(at_limit(size)) == {}
    assert shed(at_limit(size - 1)) != {}


def test_only_as_many_documents_as_need_be_are_shed_from_the_last_on(whole: Transformed) -> None:
    done = at_limit(whole.counts["response_bytes"] - 100)

    assert results(done) == ["Ok"] * 40
    changed = [a != b for a, b in zip(documents(done), documents(whole))]
    assert changed == sorted(changed)
    assert 0 < sum(changed) < 10
    assert done.counts["shed_documents"] == sum(changed)


@pytest.mark.parametrize("share", [1.1, 0.9])
def test_documents_made_before_stay_among_the_others(whole: Transformed, share: float) -> None:
    made = json.dumps({"v": 1, "document": json.dumps({"made": "before"})})
    size = whole.counts["response_bytes"]

    done = at_limit(int(size * share), records=[*RECORDS[:20], made, *RECORDS[20:]])

    found = documents(done)
    assert found.pop(20) == [{"made": "before"}]
    assert [one["srcport"] for (one,) in found] == [*range(40)]
    assert (found == documents(whole)) == (share > 1)


@pytest.mark.parametrize("share", [0.95, 0.9, 0.8, 0.7])
def test_columns_go_in_the_order_of_the_table_and_core_columns_never(
    whole: Transformed, share: float
) -> None:
    done = at_limit(int(whole.counts["response_bytes"] * share))

    (full,), (last,) = documents(whole)[-1], documents(done)[-1]
    there = [name for name in SHED_ORDER if name in full]
    gone = [name for name in there if name not in last]
    assert gone == there[: len(gone)]
    assert gone
    assert set(shed(done)) == set(gone)
    assert all(name in last for name in CORE)
    assert {name: last[name] for name in last} == {name: full[name] for name in last}
    assert done.counts["shed_fields"] == shed(done).total()


def test_every_document_counts_the_fields_it_lost(whole: Transformed) -> None:
    done = at_limit(int(whole.counts["response_bytes"] * 0.75))

    lost = Counter(
        name
        for (before,), (after,) in zip(documents(whole), documents(done))
        for name in before.keys() - after.keys()
    )
    assert shed(done) == lost


@pytest.mark.parametrize("schema", ["ecs", "ocsf"])
@pytest.mark.parametrize("share", [0.95, 0.8, 0.7])
def test_nested_documents_keep_all_that_the_log_says(schema: str, share: float) -> None:
    full = at_limit(5_000_000, schema=schema)

    done = at_limit(int(full.counts["response_bytes"] * share), schema=schema)

    place = SCHEMAS[schema].place
    logged = [column for column, field in FIELD_BY_COLUMN.items() if field.since == 2]
    kept = [path for path in map(place, (*logged, *CORE)) if path]
    (before,), (after,) = documents(full)[-1], documents(done)[-1]
    assert [lying_at(after, path) for path in kept] == [lying_at(before, path) for path in kept]
    assert after != before
    assert "empty_texts" in shed(done)


def lying_at(value: Any, path: str) -> Any:
    for name in path.split("."):
        inside = value if isinstance(value, list) else [value]
        found = [one[name] for one in inside if isinstance(one, dict) and name in one]
        value = found if isinstance(value, list) else next(iter(found), None)
    return value


def test_the_originals_document_loses_its_empty_texts_first() -> None:
    full = at_limit(5_000_000, schema="appender")

    done = at_limit(full.counts["response_bytes"] - 3000, schema="appender")

    assert shed(done).keys() == {"empty_texts"}
    assert "source-city" in documents(done)[0][0]
    assert "source-city" not in documents(done)[-1][0]
    assert documents(done)[-1][0]["security-group-ids"] == ["sg-1"]


@pytest.mark.parametrize(("share", "first_is_whole"), [(0.99, True), (0.7, False)])
def test_events_of_ocsf_are_valid_however_far_they_are_shed(
    share: float, first_is_whole: bool
) -> None:
    full = at_limit(5_000_000, schema="ocsf")

    done = at_limit(int(full.counts["response_bytes"] * share), schema="ocsf")

    found = [event for some in documents(done) for event in some]
    assert [faults(event) for event in found[::13]] == [[]] * len(found[::13])
    assert ("class_name" in found[0], "class_name" in found[-1]) == (first_is_whole, False)
    groups = found[-1]["enrichments"][0]["data"]["security_group_ids"]
    assert (found[-1]["src_endpoint"]["ip"], groups) == ("203.0.113.9", ["sg-1"])


def test_what_does_not_fit_shed_goes_back_with_its_attempt_raised(whole: Transformed) -> None:
    stream = FakeStream()

    done = at_limit(int(whole.counts["response_bytes"] * 0.3), stream=stream)

    dropped = results(done).count("Dropped")
    assert results(done) == ["Ok"] * (40 - dropped) + ["Dropped"] * dropped
    assert [(one["line"], one["attempt"]) for one in stream.taken] == [
        (text, 1) for text in RECORDS[-dropped:]
    ]
    assert done.books.requeued == dropped > 0


def test_what_cannot_go_back_fails_with_its_data(whole: Transformed) -> None:
    lost = AwsError("no answer", code="ReadTimeoutError", permanent=False)

    done = at_limit(int(whole.counts["response_bytes"] * 0.5), stream=FakeStream(lost))

    failed = results(done).count("ProcessingFailed")
    assert failed > 0
    assert results(done) == ["Ok"] * (40 - failed) + ["ProcessingFailed"] * failed
    assert done.response["records"][-1]["data"] == event(RECORDS[-1])["records"][0]["data"]
    assert (done.books.failed, done.counts["failed_too_large"]) == (failed, failed)


def test_a_line_goes_back_as_often_as_is_allowed() -> None:
    how = a_set(response_limit_bytes=300, max_attempts=3)
    given, rounds = event(line(1)), []
    while given["records"]:
        done = checked(given, how)
        rounds.append((results(done)[0], done.counts["attempts_spent"]))
        given = event(*(one for call in how.stream.calls for one in call))
        how.stream.calls.clear()

    assert rounds == [("Dropped", 0)] * 3 + [("ProcessingFailed", 1)]


def test_the_step_of_the_batch_before_changes_nothing_but_the_time(whole: Transformed) -> None:
    references = FakeReferences(Reference(inventory=inventory(KNOWN, PEER)))
    limits = [int(whole.counts["response_bytes"] * share) for share in (0.6, 0.9, 2, 0.3, 0.75)]
    how = a_set(references=references)

    for limit in limits:
        how.transformation.limit_bytes = limit
        done = checked(event(*RECORDS), how)
        assert done.response == at_limit(limit, stream=how.stream).response


def test_a_response_of_failed_records_alone_loses_their_data_before_it_is_too_large() -> None:
    how = a_set(response_limit_bytes=20_000)

    done = checked(event(*["bad " * 1000] * 10), how)

    assert results(done) == ["ProcessingFailed"] * 10
    assert ["data" in one for one in done.response["records"]] == [True] * 3 + [False] * 7
    assert len(json.dumps(done.response)) <= 20_000


def test_the_table_holds_added_columns_once_and_none_that_aws_wrote() -> None:
    assert len(set(SHED_ORDER)) == len(SHED_ORDER)
    assert set(SHED_ORDER) <= set(ADDED_BY_COLUMN)
    assert set(SHED_ORDER).isdisjoint(FIELD_BY_COLUMN)
    assert set(SHED_ORDER).isdisjoint(CORE)
    assert SCHEMAS["appender"].spare is not None
