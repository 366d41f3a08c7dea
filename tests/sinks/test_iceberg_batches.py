"""A batch is in a table once: after a repeat, an answer that never came, a conflict, a refusal."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from flow_batches import V2
from iceberg_tables import (
    NAME,
    Faulty,
    catalog_of,
    count_of,
    data_files,
    identified,
    rows_of,
    some,
    table_of,
    write,
)
from pyiceberg.exceptions import (
    CommitFailedException,
    CommitStateUnknownException,
    ForbiddenError,
)

from vpcflow.errors import SinkError
from vpcflow.sinks import Settled
from vpcflow.sinks.iceberg.batches import Content
from vpcflow.sinks.iceberg.sink import IcebergSink

Earnest = Callable[[], Any]


def done_and_lost(earnest: Earnest) -> Any:
    earnest()
    raise CommitStateUnknownException("504: no answer within 60 s")


def lost(earnest: Earnest) -> Any:
    raise ConnectionError("connection reset by peer")


def done_and_said_to_conflict(earnest: Earnest) -> Any:
    """What a request does that the client's library sends again by itself."""
    earnest()
    raise CommitFailedException("409: the table has changed")


def conflict(earnest: Earnest) -> Any:
    raise CommitFailedException("409: the table has changed")


def refused(earnest: Earnest) -> Any:
    raise ForbiddenError("403: not allowed to commit, token=hush")


def write_with(
    folder: Path, flows: pa.RecordBatch, *faults: Callable[[Earnest], Any], **options: Any
) -> tuple[Settled, Faulty, list[float]]:
    """Write a run whose commits go wrong so; the table is there before."""
    waits: list[float] = []
    with catalog_of(folder) as real:
        catalog: Any = Faulty(real, faults)
        with IcebergSink(catalog, NAME, "run", sleep=waits.append, **options) as sink:
            sink.write(flows)
        return sink.settled(), catalog, waits


def snapshots(folder: Path) -> list[dict[str, Any]]:
    with table_of(folder) as table:
        return [dict(one.summary.additional_properties) for one in table.metadata.snapshots]


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A folder with an empty table."""
    write(tmp_path)
    return tmp_path


def test_the_same_flows_are_added_once_in_whatever_order_and_batches_they_come(lake: Path):
    first = write(lake, some(10), some(5, first=10))

    again = write(lake, some(7, first=8), some(8), run_id="again")

    assert (first, again) == (Settled(), Settled(duplicates=15))
    assert rows_of(lake, "bytes") == [(i,) for i in range(15)]
    assert len(snapshots(lake)) == 1
    assert len(data_files(lake)) == 1


def test_one_flow_more_is_another_batch(lake: Path):
    write(lake, some(10))

    settled = write(lake, some(11), run_id="again")

    assert settled == Settled()
    assert count_of(lake) == 21


def test_the_snapshot_says_which_batch_and_run_it_is_of(lake: Path):
    write(lake, some(3), run_id="r-1", batch_id="2026-01-31T07")

    (properties,) = snapshots(lake)

    assert properties["vpcflow.batch-id"] == "2026-01-31T07"
    assert properties["vpcflow.run-id"] == "r-1"
    assert len(properties["vpcflow.batch-content"]) == 32


def test_a_batch_of_that_id_is_not_added_again_and_not_even_written(lake: Path):
    write(lake, some(3), batch_id="07")
    with catalog_of(lake) as catalog, IcebergSink(catalog, NAME, "r", batch_id="07") as sink:
        sink.write(some(3))

    assert sink.settled() == Settled(duplicates=3)
    assert len(data_files(lake)) == 1
    assert sink._opened == 0


def test_other_flows_under_that_id_are_an_error_and_change_nothing(lake: Path):
    write(lake, some(3), batch_id="07")

    with pytest.raises(SinkError, match=r"batch '07' is in the table .* with other flows.*nothing"):
        write(lake, some(4), batch_id="07", run_id="again")

    assert count_of(lake) == 3
    assert len(data_files(lake)) == 1


def test_the_same_flows_under_an_id_of_their_own_are_added_once_more(lake: Path):
    write(lake, some(3))

    settled = write(lake, some(3), run_id="again", batch_id="once more")

    assert settled == Settled()
    assert count_of(lake) == 6


def test_a_person_is_told_that_nothing_was_added_and_why(lake: Path):
    said: list[str] = []
    write(lake, some(3))

    write(lake, some(3), run_id="again", say=said.append)

    (line,) = said
    assert "3 flows are in the table already" in line
    assert "--batch-id" in line


def test_a_batch_rolled_back_is_added_again(lake: Path):
    write(lake, some(2), batch_id="first")
    write(lake, some(3), batch_id="second", run_id="second")
    with table_of(lake) as table:
        first = table.metadata.snapshots[0].snapshot_id
        table.manage_snapshots().rollback_to_snapshot(first).commit()

    settled = write(lake, some(3), batch_id="second", run_id="third")

    assert settled == Settled()
    assert count_of(lake) == 5


@pytest.mark.parametrize("fault", [done_and_lost, done_and_said_to_conflict])
def test_a_commit_that_was_done_is_found_and_not_done_again(
    fault: Callable[[Earnest], Any], lake: Path
):
    settled, catalog, _ = write_with(lake, some(5), fault)

    assert settled == Settled()
    assert catalog.commits == 1
    assert rows_of(lake, "bytes") == [(i,) for i in range(5)]
    assert len(snapshots(lake)) == 1


def test_a_commit_that_was_lost_is_done_after_a_wait(lake: Path):
    settled, catalog, waits = write_with(lake, some(5), lost, lost)

    assert settled == Settled()
    assert catalog.commits == 3
    assert len(waits) == 2
    assert 0.05 <= waits[0] <= 0.1 <= waits[1] <= 0.2
    assert count_of(lake) == 5


def test_a_conflict_with_another_writer_keeps_the_flows_of_both(lake: Path):
    def other_first(earnest: Earnest) -> Any:
        write(lake, some(3, first=50), run_id="other")
        return earnest()

    settled, _, _ = write_with(lake, some(5), other_first)

    assert settled == Settled()
    assert rows_of(lake, "bytes") == [(i,) for i in (*range(5), 50, 51, 52)]


def test_a_conflict_with_a_run_of_the_same_batch_adds_it_once(lake: Path):
    def other_first(earnest: Earnest) -> Any:
        write(lake, some(5), run_id="other")
        return earnest()

    settled, _, _ = write_with(lake, some(5), other_first)

    assert settled == Settled(duplicates=5)
    assert rows_of(lake, "bytes") == [(i,) for i in range(5)]
    assert len(data_files(lake)) == 1


def test_conflicts_without_end_are_an_error_that_leaves_no_file(lake: Path):
    others = iter(range(100))

    def other_first(earnest: Earnest) -> Any:
        number = next(others)
        write(lake, some(1, first=50 + number), run_id=f"other-{number}")
        return earnest()

    with pytest.raises(SinkError, match=r"was not committed .*run the same again"):
        write_with(lake, some(5), *[other_first] * 20)

    assert len(data_files(lake)) == count_of(lake) == 10
    assert len(list(lake.rglob("*.avro"))) == 2 * 10


def test_a_conflict_with_nothing_new_may_be_with_ourselves_and_leaves_the_files(lake: Path):
    """As a store says it that is still busy with the request before."""
    with pytest.raises(SinkError, match="is not known"):
        write_with(lake, some(5), *[conflict] * 20)

    assert len(data_files(lake)) == 1


def test_attempts_that_were_lost_leave_no_metadata_behind_one_that_was_not(lake: Path):
    write_with(lake, some(5), lost, conflict, lost)

    assert count_of(lake) == 5
    assert len(list(lake.rglob("*.avro"))) == 2


def test_a_refusal_is_an_error_at_once_that_leaves_no_file(lake: Path):
    with pytest.raises(SinkError, match="not allowed to commit"):
        write_with(lake, some(5), refused)

    assert data_files(lake) == []
    assert list(lake.rglob("*.avro")) == []


def test_after_an_unknown_outcome_the_files_stay_and_the_same_run_again_finds_out(lake: Path):
    with pytest.raises(SinkError, match=r"is not known .*run the same again"):
        write_with(lake, some(5), *[lost] * 20)
    kept = data_files(lake)

    settled = write(lake, some(5), run_id="again")

    assert len(kept) == 1
    assert kept[0] in data_files(lake)
    assert settled == Settled()
    assert count_of(lake) == 5


def test_a_catalog_that_never_answers_again_leaves_what_may_be_the_table_s(lake: Path):
    with catalog_of(lake) as real:
        catalog: Any = Faulty(real, [])

        def done_and_gone(earnest: Earnest) -> Any:
            earnest()
            catalog.is_gone = True
            raise ConnectionError("connection reset by peer")

        catalog.faults.append(done_and_gone)
        with (
            pytest.raises(SinkError, match="is not known"),
            IcebergSink(catalog, NAME, "run", sleep=lambda _: None) as sink,
        ):
            sink.write(some(5))

    assert write(lake, some(5), run_id="again") == Settled(duplicates=5)
    assert rows_of(lake, "bytes") == [(i,) for i in range(5)]


def test_an_interruption_while_it_commits_leaves_what_may_be_the_table_s(lake: Path):
    def done_and_interrupted(earnest: Earnest) -> Any:
        earnest()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_with(lake, some(5), done_and_interrupted)

    assert rows_of(lake, "bytes") == [(i,) for i in range(5)]
    assert write(lake, some(5), run_id="again") == Settled(duplicates=5)


def test_a_table_partitioned_otherwise_meanwhile_is_an_error_that_leaves_no_file(lake: Path):
    with (
        pytest.raises(SinkError, match="partitioned otherwise meanwhile"),
        catalog_of(lake) as catalog,
        IcebergSink(catalog, NAME, "run") as sink,
    ):
        sink.write(some(5))
        with table_of(lake) as table, table.update_spec() as update:
            update.remove_field("flow_time_day")

    assert data_files(lake) == []


def content(*batches: pa.RecordBatch) -> str:
    found = Content()
    for one in batches:
        found.add(one.column("event_id"))
    return found.digest()


def test_content_is_of_the_flows_and_not_of_how_they_come():
    flows = some(50)
    order = random.Random(1).sample(range(50), 50)

    digests = {
        content(flows),
        content(flows.slice(0, 7), flows.slice(7)),
        content(flows.take(pa.array(order))),
    }

    assert len(digests) == 1


def test_content_differs_with_each_flow_and_with_how_often_it_comes():
    flows = some(4)

    digests = [
        content(),
        content(flows.slice(0, 1)),
        content(flows.slice(1, 1)),
        content(flows.slice(0, 1), flows.slice(0, 1)),
        content(flows.slice(0, 3)),
        content(flows),
    ]

    assert len(set(digests)) == len(digests)


def test_ids_of_another_length_are_told_apart_as_well():
    def of(*ids: str | None) -> str:
        found = Content()
        found.add(pa.array(ids, pa.string()))
        return found.digest()

    digests = [of("a"), of("b"), of("a", "b"), of("a" * 40), of(None), of("a" * 32)]

    assert len(set(digests)) == len(digests)
    assert of("a", "b") == of("b", "a")


def test_ids_of_another_length_among_others_do_not_depend_on_how_they_come():
    def of(*batches: list[str | None]) -> str:
        found = Content()
        for ids in batches:
            found.add(pa.array(ids, pa.string()))
        return found.digest()

    assert of(["a" * 32, None, "b" * 40]) == of(["a" * 32], [None], ["b" * 40])


def test_a_batch_is_known_by_its_flows_though_their_enrichment_differs(lake: Path):
    plain = identified(V2)
    enriched = pa.RecordBatch.from_arrays(
        [*plain.columns, pa.array(["ingress"]).dictionary_encode()],
        names=[*plain.schema.names, "direction"],
    )
    write(lake, plain)

    assert write(lake, enriched, run_id="again") == Settled(duplicates=1)
