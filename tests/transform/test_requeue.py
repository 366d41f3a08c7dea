from __future__ import annotations

from typing import Any

import pytest
from transforming import FakeClock, FakeStream

from vpcflow.errors import AwsError
from vpcflow.transform.requeue import Requeue

DENIED = AwsError("cannot put: AccessDenied", code="AccessDeniedException", permanent=True)
NO_REGION = AwsError("no region", code="NoRegionError", permanent=True)
BUSY = "ServiceUnavailableException"


def requeue(stream: FakeStream, clock: FakeClock, **more: Any) -> Requeue:
    return Requeue(
        lambda: stream, max_attempts=3, monotonic=clock, sleep=clock.sleep, random=lambda: 1.0, **more
    )  # fmt: skip


def test_only_what_the_stream_has_surely_taken_is_confirmed() -> None:
    clock = FakeClock()
    stream = FakeStream(lambda one: BUSY if one == b"b" else None)

    assert requeue(stream, clock).put([b"a", b"b", b"c"], 8) == [True, False, True]


def test_refused_records_go_again_within_a_quarter_of_the_time() -> None:
    clock = FakeClock()
    stream = FakeStream(BUSY, BUSY, None)
    back = requeue(stream, clock)

    taken = back.put([b"a"], 40)

    assert taken == [True]
    assert clock.now - 1000 <= 10
    assert back.counts["puts"] == 3
    assert back.counts["puts_refused"] == 2


def test_puts_end_with_a_quarter_of_the_time() -> None:
    clock = FakeClock()

    taken = requeue(FakeStream(BUSY), clock).put([b"a"], 20)

    assert taken == [False]
    assert clock.now - 1000 <= 5


@pytest.mark.parametrize("remaining_s", [0.0, -1.0])
def test_without_time_nothing_is_put(remaining_s: float) -> None:
    stream = FakeStream()

    assert requeue(stream, FakeClock()).put([b"a"], remaining_s) == [False]
    assert stream.calls == []


def test_a_fault_that_no_retry_can_mend_is_remembered_for_five_minutes() -> None:
    clock = FakeClock()
    stream = FakeStream(DENIED, None)
    back = requeue(stream, clock)

    first = back.put([b"a"], 60)
    clock.now += 299.9
    rested, second = back.rests, back.put([b"a"], 60)
    clock.now += 0.2
    third = back.put([b"a"], 60)

    assert (first, rested, second, third) == ([False], True, [False], [True])
    assert len(stream.calls) == 2
    assert back.errors == {"AccessDeniedException": 1}


def test_a_stream_that_cannot_be_opened_counts_as_such_a_fault() -> None:
    def fail() -> FakeStream:
        raise NO_REGION

    back = Requeue(fail, max_attempts=3, monotonic=FakeClock())

    assert back.put([b"a"], 60) == [False]
    assert back.rests


def test_a_call_that_is_not_answered_may_have_been_carried_out_and_confirms_nothing() -> None:
    clock = FakeClock()
    lost = AwsError("no answer", code="ReadTimeoutError", permanent=False)
    back = requeue(FakeStream(lost), clock)

    assert back.put([b"a"], 4) == [False]
    assert back.counts["puts_unanswered"] > 0
    assert not back.rests
