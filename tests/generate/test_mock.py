"""Records of a template at a rate: how many, of which time, and how long it waits for them."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from vpcflow.errors import AwsError, FormatError, SinkError
from vpcflow.generate.mock import Pace, Timing, pace_of, records, text_file, to_sender
from vpcflow.generate.template import parse_template
from vpcflow.sinks.firehose import Sender

NOW_S = 1769860800.0
TIMES = parse_template('{{date.now("x")}}', {})


class Clock:
    """A clock that goes on while one sleeps, and by ``takes_s`` at each look."""

    def __init__(self, takes_s: float = 0.0) -> None:
        self.now_s = NOW_S
        self.takes_s = takes_s
        self.slept: list[float] = []

    def __call__(self) -> float:
        self.now_s += self.takes_s
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


def made(pace: Pace, clock: Clock, start_s: float | None = None) -> list[list[float]]:
    """Give the times of records, in seconds from now, those that came together in a list."""
    timing = Timing(clock, clock.sleep, start_s)
    return [
        [round(int(line) / 1000 - NOW_S, 3) for line in lines]
        for lines in records(TIMES, pace, Random(1), timing)
    ]


@pytest.mark.parametrize(
    ("given", "pace"),
    [
        ((None, None, 4), Pace(200, 50.0)),
        ((None, 10, 4), Pace(40, 10)),
        ((None, 0.1, 4), Pace(1, 0.1)),
        ((100, None, None), Pace(100, None)),
        ((100, 5, None), Pace(100, 5)),
        ((100, None, 4), Pace(100, 25)),
    ],
)
def test_two_numbers_of_three_say_how_many_and_how_fast(
    given: tuple[int | None, float | None, float | None], pace: Pace
) -> None:
    assert pace_of(*given) == pace


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((None, None, None), "give --count N, or --seconds S"),
        ((None, 5, None), "give --count N, or --seconds S"),
        ((1, 2, 3), "leave one out"),
        ((0, None, None), "--count has to be more than 0"),
        ((1, -1, None), "--rate has to be more than 0"),
        ((None, None, float("nan")), "--seconds has to be more than 0"),
    ],
)
def test_numbers_that_say_nothing_are_refused(
    given: tuple[int | None, float | None, float | None], said: str
) -> None:
    with pytest.raises(FormatError, match=said):
        pace_of(*given)


def test_a_seconds_records_come_together_and_the_next_a_second_later() -> None:
    clock = Clock()

    found = made(Pace(10, 4.0), clock)

    assert found == [[0, 0.25, 0.5, 0.75], [1, 1.25, 1.5, 1.75], [2, 2.25]]
    assert clock.slept == [1.0, 1.0]


def test_time_that_was_spent_is_not_waited_for_again() -> None:
    clock = Clock(takes_s=0.3)

    made(Pace(12, 4.0), clock)

    assert clock.now_s == pytest.approx(NOW_S + 2, abs=0.7)
    assert all(0 < seconds < 1 for seconds in clock.slept)


def test_a_record_every_few_seconds() -> None:
    clock = Clock()

    found = made(Pace(3, 0.4), clock)

    assert found == [[0], [2.5], [5]]
    assert sum(clock.slept) == 7


@pytest.mark.parametrize("rate", [0.7, 3.3, 49.9, 10.0, 1 / 3])
def test_no_record_is_lost_to_a_rate_that_is_not_whole(rate: float) -> None:
    found = made(Pace(1000, rate), Clock())

    assert sum(map(len, found)) == 1000
    assert all(len(lines) <= rate + 1 for lines in found)


def test_a_record_is_of_its_second_whatever_multiplication_loses() -> None:
    clock = Clock()

    made(Pace(29, 0.29), clock)

    assert 0.29 * 100 < 29
    assert len(clock.slept) == 99


def test_without_a_rate_nothing_waits_and_records_are_of_now() -> None:
    clock = Clock(takes_s=0.001)

    found = made(Pace(2500, None), clock)

    assert [len(lines) for lines in found] == [1000, 1000, 500]
    assert clock.slept == []
    assert found[2][-1] == pytest.approx(2.5, abs=0.01)


def test_from_a_given_time_on_nothing_waits() -> None:
    clock = Clock()

    found = made(Pace(100, None), clock, NOW_S + 60) + made(Pace(2, 0.5), clock, NOW_S)

    assert [found[0][0], found[0][1], found[0][-1]] == [60, 60.02, 61.98]
    assert found[1:] == [[0], [2]]
    assert clock.slept == []


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "lines.log.gz"

    with text_file(path) as write:
        write([b"a\n", b"b\n"])
        is_there = path.exists()
        write([b"c\n"])

    assert not is_there
    assert gzip.decompress(path.read_bytes()) == b"a\nb\nc\n"


def test_a_file_that_was_not_finished_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), text_file(tmp_path / "lines.log") as write:
        write([b"a\n"])
        raise RuntimeError

    assert list(tmp_path.iterdir()) == []


class FakeStream:
    """Takes so many records, then nothing."""

    name = "flows"

    def __init__(self, takes: int) -> None:
        self.takes = takes
        self.calls: list[int] = []

    def put(self, records: Sequence[bytes]) -> Sequence[str | None]:
        self.calls.append(len(records))
        if sum(self.calls) > self.takes:
            raise AwsError("no such stream", code="ResourceNotFoundException", permanent=True)
        return [None] * len(records)


def test_a_stream_gets_each_line_as_a_record() -> None:
    stream = FakeStream(2000)
    write = to_sender(Sender(stream))

    write([b"a\n"] * 501)
    write([b"b\n"] * 499)

    assert stream.calls == [500, 1, 499]


def test_a_stream_that_takes_no_more_ends_it_and_it_is_said_how_many_it_has() -> None:
    write = to_sender(Sender(FakeStream(70)))
    write([b"a\n"] * 50)

    with pytest.raises(
        SinkError, match=r"'flows' takes no more \(no such stream\), and has 50 records"
    ):
        write([b"a\n"] * 50)
