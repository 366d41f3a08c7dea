"""How much of an interface's time the logs cover: told against a count second by second."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inventories import eni, inventory, snapshot

from vpcflow.inventory import FlowLog
from vpcflow.rules.coverage import NEEDED, CoverageBuilder
from vpcflow.rules.watched_day import merged

DAY = 20_000 * 86_400


class Record(NamedTuple):
    start: int
    end: int
    status: str = "OK"
    interface_id: str | None = "eni-1"
    action: str | None = "ACCEPT"


def batch(*records: Record, without: tuple[str, ...] = ()) -> pa.RecordBatch:
    has_traffic = [record.status == "OK" for record in records]
    columns: dict[str, Any] = {
        "interface_id": pa.array([r.interface_id for r in records]).dictionary_encode(),
        "start": pa.array([r.start for r in records], pa.int64()),
        "end": pa.array([r.end for r in records], pa.int64()),
        "log_status": pa.array([r.status for r in records]).dictionary_encode(),
        "action": pa.array([r.action if r.status == "OK" else None for r in records]),
        "srcaddr": pa.array(["192.0.2.1" if there else None for there in has_traffic]),
    }
    for name in NEEDED:
        columns.setdefault(name, pa.nulls(len(records), pa.string()))
    return pa.RecordBatch.from_pydict({k: v for k, v in columns.items() if k not in without})


def covered(*records: Record) -> dict[str, tuple[tuple[int, int], ...]]:
    builder = CoverageBuilder()
    if records:
        builder.add(batch(*records))
    return dict(builder.coverage().times)


def seconds(times: tuple[tuple[int, int], ...]) -> int:
    return sum(until - since for since, until in times)


def full(*windows: int, length: int = 60, phase: int = 7, status: str = "NODATA") -> list[Record]:
    begin = [DAY + phase + window * length for window in windows]
    return [Record(one, one + length - 1, status) for one in begin]


def test_windows_without_traffic_are_covered() -> None:
    times = covered(*full(10, 11, 12))

    assert times == {"eni-1": ((DAY + 607, DAY + 787),)}


def test_skipped_and_missing_windows_are_not_covered() -> None:
    times = covered(*full(10, 11, 13), *full(12, status="SKIPDATA"), *full(20))

    assert seconds(times["eni-1"]) == 4 * 60
    assert times["eni-1"][0] == (DAY + 607, DAY + 727)


def test_a_window_with_some_records_skipped_is_not_covered() -> None:
    times = covered(*full(10, 11), *full(11, status="SKIPDATA"))

    assert times == {"eni-1": ((DAY + 607, DAY + 667),)}


def test_a_short_record_covers_its_window() -> None:
    times = covered(*full(10), Record(DAY + 670, DAY + 671))

    assert times == {"eni-1": ((DAY + 607, DAY + 727),)}


def test_windows_of_ten_minutes_are_told_by_long_records() -> None:
    times = covered(*full(3, 4, length=600, phase=95), Record(DAY + 95 + 3020, DAY + 95 + 3021))

    assert times == {"eni-1": ((DAY + 95 + 1800, DAY + 95 + 3600),)}


def test_a_record_a_little_too_long_makes_no_window_of_ten_minutes() -> None:
    times = covered(*full(10, 12), Record(DAY + 10 * 60, DAY + 10 * 60 + 65))

    assert seconds(times["eni-1"]) <= 180


def test_flow_logs_of_one_minute_have_no_windows_of_ten() -> None:
    flow_log = FlowLog("fl-1", resource_id="vpc-a", max_aggregation_interval_s=60)
    known = inventory(snapshot(DAY, eni(1, "10.0.0.1"), flow_logs=(flow_log,)))
    builder = CoverageBuilder()

    builder.add(batch(*full(3, length=600)))

    assert seconds(builder.coverage(known).times["eni-1"]) == 60


def test_a_window_over_midnight_is_covered_whole() -> None:
    times = covered(*full(1438, 1439, 1440, 1441))

    assert times == {"eni-1": ((DAY + 7 + 1438 * 60, DAY + 7 + 1442 * 60),)}


def test_what_is_known_of_an_interface_and_of_the_recording() -> None:
    builder = CoverageBuilder()

    builder.add(batch(Record(DAY + 5, DAY + 9), Record(DAY + 2, DAY + 3, "SKIPDATA")))
    builder.add(batch(Record(DAY + 70, DAY + 71, "OK", "eni-2", "REJECT"), without=("srcport",)))

    told = builder.coverage()
    assert told.seen["eni-1"] == (DAY + 2, DAY + 9, True, False, 1, frozenset())
    assert told.seen["eni-2"] == (DAY + 70, DAY + 71, False, True, 0, {"srcport"})
    assert (told.since, told.until) == (DAY + 2, DAY + 72)


def test_a_log_without_interfaces_or_times_covers_nothing() -> None:
    builder = CoverageBuilder()

    builder.add(batch(*full(1), without=("interface_id",)))
    builder.add(batch(*full(1), without=("end",)))

    told = builder.coverage()
    assert told.times == {}
    assert told.missing == {"interface_id", "end"}


def test_records_of_transit_gateways_and_of_no_interface_cover_nothing() -> None:
    builder = CoverageBuilder()
    rows = batch(*full(1))

    builder.add(rows.append_column("tgw_id", pa.array(["tgw-1"])))
    builder.add(batch(Record(DAY, DAY + 9, interface_id=None)))

    assert builder.coverage() == ({}, {}, None, None, frozenset())


def test_a_log_without_a_status_tells_by_its_traffic() -> None:
    builder = CoverageBuilder()

    builder.add(batch(Record(DAY + 60, DAY + 118), *full(9), without=("log_status",)))

    told = builder.coverage()
    assert seconds(told.times["eni-1"]) == 60
    assert told.seen["eni-1"].missing == {"log_status"}


def test_many_days_rest_on_disk_and_are_the_same() -> None:
    days = np.random.default_rng(6).permutation(np.repeat(np.arange(30), 3)).tolist()
    builder, expected = CoverageBuilder(), 0
    for number, day in enumerate(days):
        start = day * 86_400 + number * 600
        builder.add(batch(Record(DAY + start + 7, DAY + start + 66)))
        builder.add(batch(Record(DAY + start + 127, DAY + start + 186, "SKIPDATA")))
        expected += 60

    assert seconds(builder.coverage().times["eni-1"]) == expected


@st.composite
def recordings(draw: st.DrawFn) -> tuple[list[Record], int]:
    """Draw windows with whatever they may have in them, and how many seconds are truly covered."""
    length = draw(st.sampled_from([60, 600]))
    phase = draw(st.integers(0, length - 1))
    first = draw(st.integers(0, 86_400 // length - 1))
    records: list[Record] = []
    truth = 0
    for window in range(first, first + draw(st.integers(1, 12))):
        begin = DAY + window * length + phase
        what = draw(st.sampled_from(["OK", "OK", "OK", "NODATA", "SKIPDATA", "both", "none"]))
        if what in ("NODATA", "SKIPDATA"):
            records.append(Record(begin, begin + length - 1, what))
        for _ in range(draw(st.integers(1, 3)) if what in ("OK", "both") else 0):
            start = draw(st.integers(0, length - 1))
            end = draw(st.integers(start, length - 1))
            records.append(Record(begin + start, begin + end))
        if what == "both":
            records.append(Record(begin, begin + length - 1, "SKIPDATA"))
        truth += length * (what in ("OK", "NODATA"))
    return draw(st.permutations(records)), truth


def naive(records: list[Record], length: int) -> int:
    """Count second by second, with every second windows may begin in; that which gives least."""
    inside = {s % length for r in records for s in range(r.start + 1, r.end + 1)}
    phases = [p for p in range(length) if p not in inside]
    counts = []
    for phase in phases:
        kept = {(r.start - phase) // length for r in records if r.status != "SKIPDATA"}
        skipped = {(r.start - phase) // length for r in records if r.status == "SKIPDATA"}
        counts.append(length * len(kept - skipped))
    return min(counts)


@given(recordings())
@settings(max_examples=100, deadline=None)
def test_never_more_is_covered_than_truly_is(drawn: tuple[list[Record], int]) -> None:
    records, truth = drawn

    times = covered(*records).get("eni-1", ())

    assert seconds(times) <= truth


@given(recordings().filter(lambda drawn: all(r.end - r.start < 60 for r in drawn[0])))
@settings(max_examples=60, deadline=None)
def test_as_much_is_covered_as_a_count_of_seconds_says(drawn: tuple[list[Record], int]) -> None:
    records = [r for r in drawn[0] if r.start >= DAY + 60 and r.end < DAY + 86_340]

    times = covered(*records).get("eni-1", ())

    assert seconds(times) == (naive(records, 60) if records else 0)


@given(recordings(), st.data())
@settings(max_examples=40, deadline=None)
def test_neither_order_nor_batches_matter(
    drawn: tuple[list[Record], int], data: st.DataObject
) -> None:
    records, _ = drawn
    shuffled = data.draw(st.permutations(records))
    cut = data.draw(st.integers(0, len(records)))
    builder = CoverageBuilder()

    for part in (shuffled[:cut], shuffled[cut:]):
        if part:
            builder.add(batch(*part))

    assert builder.coverage().times == covered(*records)


@pytest.mark.parametrize("enis", [1, 200])
def test_rows_of_a_day_give_the_day_again(enis: int) -> None:
    rng = np.random.default_rng(enis)
    statuses = ["OK", "NODATA", "SKIPDATA"]
    records = [
        Record(start, start + int(rng.integers(0, 500)), statuses[int(rng.integers(3))], f"eni-{e}")
        for e in range(enis)
        for start in (DAY + rng.integers(0, 80_000, 4)).tolist()
    ]
    one, other = CoverageBuilder(), CoverageBuilder()
    one.add(batch(*records))

    for day, watched in one.days():
        rows = watched.rows()
        numbers = [other.number(list(one.interface_ids)[n]) for n in rows["eni"].to_pylist()]
        other.day(day).add_rows(rows, np.array(numbers))

    assert other.coverage().times == one.coverage().times


def test_intervals_that_meet_are_one() -> None:
    found = merged(
        np.array([1, 0, 0, 0, 1]), np.array([5, 0, 10, 20, 0]), np.array([9, 10, 15, 30, 5])
    )

    rows = list(zip(*(column.tolist() for column in found), strict=True))
    assert rows == [(0, 0, 15), (0, 20, 30), (1, 0, 9)]
