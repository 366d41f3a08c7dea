"""Time ranges: half-open, by the end of a flow; what has no time is kept."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from flow_batches import batch

import vpcflow
from vpcflow.errors import FormatError
from vpcflow.pipeline import within
from vpcflow.stats import Books
from vpcflow.time_range import TimeRange, time_range

ENDS = [10, 20, None, 30]


@pytest.mark.parametrize(
    ("since", "until", "kept"),
    [
        (None, None, ENDS),
        (20, None, [20, None, 30]),
        (20.5, None, [None, 30]),
        (None, 20, [10, None]),
        (20, 30, [20, None]),
        (40, None, [None]),
    ],
)
def test_a_flow_is_in_the_range_its_end_is_in(
    since: float | None, until: float | None, kept: list[int | None]
) -> None:
    flows = batch([{"end": end, "version": 2} for end in ENDS])
    books = Books(found=len(ENDS))

    out = list(within([flows], TimeRange(since, until), books))

    assert [end for one in out for end in one.column("end").to_pylist()] == kept
    assert books.filtered == len(ENDS) - len(kept)


def test_where_the_end_is_missing_the_start_decides() -> None:
    flows = batch([{"end": None, "start": 5}, {"end": 15, "start": 5}, {"end": None, "start": 15}])

    kept = TimeRange(since=10).of(flows)

    assert kept.column("end").to_pylist() == [15, None]


def test_flows_without_times_stay() -> None:
    flows = batch([{"version": 2}])

    assert TimeRange(since=10).of(flows).num_rows == 1


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(FormatError, match="is empty"):
        time_range(5, 5)


def test_the_library_takes_datetimes_and_counts_what_is_left_out() -> None:
    books = vpcflow.Books()
    since = datetime(2014, 12, 14, 4, 7, 50, tzinfo=UTC)

    flows = list(
        vpcflow.read("tests/corpus/aws-examples.log", since=since, until=1418530071, books=books)
    )

    assert [end for one in flows for end in one.column("end").to_pylist()] == [1418530070] * 2
    assert books.found == 2 + books.filtered + books.rejected.total()
    assert books.filtered > 0
