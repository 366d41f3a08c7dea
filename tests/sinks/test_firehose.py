"""Records on a stream: within its limits, only refused ones again, and no doubt left unsaid."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from vpcflow.errors import AwsError
from vpcflow.sinks.firehose import (
    MAX_CALL_BYTES,
    MAX_RECORD_BYTES,
    NOT_SENT,
    TOO_LARGE,
    PutResult,
    put_all,
)

BUSY = "ServiceUnavailableException"


class Time:
    """A clock that only sleeping, or a call that takes its time, moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class FakeStream:
    """Takes what it is given, unless ``answer`` says otherwise for a call: codes, or an error to raise."""

    name = "flows"

    def __init__(
        self,
        answer: Callable[[int, Sequence[bytes]], Sequence[str | None] | AwsError] | None = None,
        call_s: float = 0,
    ) -> None:
        self.time = Time()
        self.calls: list[list[bytes]] = []
        self._answer = answer or (lambda _, records: [None] * len(records))
        self._call_s = call_s

    def put(self, records: Sequence[bytes]) -> Sequence[str | None]:
        self.calls.append(list(records))
        self.time.now += self._call_s
        answer = self._answer(len(self.calls), records)
        if isinstance(answer, AwsError):
            raise answer
        return answer

    @property
    def sizes(self) -> list[int]:
        return [len(call) for call in self.calls]


def put(stream: FakeStream, records: Sequence[bytes], within_s: float = 60) -> PutResult:
    time = stream.time
    return put_all(
        stream, records, within_s=within_s, clock=time, sleep=time.sleep, random=lambda: 1.0
    )


def no_answer() -> AwsError:
    return AwsError("no answer", code="ReadTimeoutError", permanent=False)


def test_records_go_in_calls_of_at_most_500():
    stream = FakeStream()
    records = [b"%d" % i for i in range(1001)]

    result = put(stream, records)

    assert stream.sizes == [500, 500, 1]
    assert [record for call in stream.calls for record in call] == records
    assert (result.taken, result.calls, result.refused) == (1001, 3, ())


def test_a_call_holds_at_most_4_mib():
    stream = FakeStream()

    put(stream, [b"x" * (MAX_CALL_BYTES // 8)] * 9)

    assert stream.sizes == [8, 1]


def test_a_record_too_large_is_never_sent_and_the_others_are():
    stream = FakeStream()

    result = put(stream, [b"a", b"x" * (MAX_RECORD_BYTES + 1), b"y" * MAX_RECORD_BYTES])

    assert result.codes == (None, TOO_LARGE, None)
    assert result.refused == (1,)
    assert stream.sizes == [2]


def test_nothing_to_put_is_no_call():
    stream = FakeStream()

    assert put(stream, []) == PutResult(())
    assert stream.calls == []


def test_only_refused_records_are_sent_again_together_with_what_is_still_to_send():
    stream = FakeStream(
        lambda call, records: [
            BUSY if call == 1 and i >= 490 else None for i in range(len(records))
        ]
    )
    records = [b"%d" % i for i in range(600)]

    result = put(stream, records)

    assert stream.sizes == [500, 110]
    assert stream.calls[1][0] == b"490"
    assert result.taken == 600
    assert result.possible_duplicates == 0


def test_waits_grow_with_each_refusal_up_to_a_limit_and_begin_anew_after_a_success():
    busy = {1, 2, 3, 5}
    stream = FakeStream(lambda call, records: [BUSY if call in busy else None] * len(records))

    put(stream, [b"x"] * 501)

    assert stream.time.slept == [0.1, 0.2, 0.4, 0.1]


def test_waits_do_not_grow_while_most_of_a_call_is_taken():
    stream = FakeStream(
        lambda call, records: [BUSY if call < 5 and i >= 400 else None for i in range(len(records))]
    )

    result = put(stream, [b"x"] * 1900)

    assert stream.time.slept == [0.1] * 4
    assert result.taken == 1900


def test_the_wait_is_any_part_of_its_limit():
    stream = FakeStream(lambda call, records: [BUSY if call == 1 else None])

    put_all(
        stream,
        [b"x"],
        within_s=60,
        clock=stream.time,
        sleep=stream.time.sleep,
        random=lambda: 0.25,
    )

    assert stream.time.slept == [0.025]


def test_no_call_begins_and_no_wait_ends_after_the_deadline():
    stream = FakeStream(lambda _, records: [BUSY] * len(records), call_s=1)

    result = put(stream, [b"x"], within_s=5)

    assert stream.time.now <= 1000 + 5 + 1
    assert len(stream.calls) == 4
    assert result.codes == (BUSY,)
    assert result.refused == (0,)


def test_records_whose_turn_did_not_come_were_surely_not_taken():
    stream = FakeStream(call_s=1)

    result = put(stream, [b"x"] * 1500, within_s=2)

    assert stream.sizes == [500, 500]
    assert result.codes[1000:] == (NOT_SENT,) * 500
    assert len(result.refused) == 500


def test_with_no_time_there_is_no_call():
    stream = FakeStream()

    result = put(stream, [b"x"], within_s=0)

    assert (stream.calls, result.codes) == ([], (NOT_SENT,))


def test_a_permanent_error_ends_it_at_once():
    denied = AwsError("no", code="AccessDeniedException", permanent=True)
    stream = FakeStream(lambda call, _: denied)

    result = put(stream, [b"x"] * 501)

    assert stream.sizes == [500]
    assert set(result.codes) == {"AccessDeniedException"}
    assert len(result.refused) == 501
    assert result.error is denied
    assert stream.time.slept == []


def test_a_throttled_call_was_surely_not_carried_out():
    busy = AwsError("slow down", code=BUSY, permanent=False)
    stream = FakeStream(lambda call, records: busy if call == 1 else [None] * len(records))

    result = put(stream, [b"x", b"y"])

    assert (result.taken, result.possible_duplicates) == (2, 0)


def test_records_taken_after_a_call_without_answer_may_be_there_twice():
    stream = FakeStream(lambda call, records: no_answer() if call <= 2 else [None] * len(records))

    result = put(stream, [b"x", b"y"])

    assert (result.taken, result.unknown, result.possible_duplicates) == (2, frozenset(), 4)


def test_a_record_refused_after_a_call_without_answer_is_neither_taken_nor_refused():
    stream = FakeStream(lambda call, _: no_answer() if call == 1 else [None, BUSY])

    result = put(stream, [b"x", b"y"], within_s=0.15)

    assert result.codes == (None, BUSY)
    assert (result.unknown, result.refused) == (frozenset({1}), ())
    assert result.possible_duplicates == 1


@pytest.mark.parametrize(
    "code", ["InternalFailure", "IncompleteAnswer", "ConnectionClosedError", "SSLError"]
)
def test_what_does_not_say_that_nothing_was_done_leaves_it_open(code: str):
    stream = FakeStream(lambda *_: AwsError("?", code=code, permanent=False))

    result = put(stream, [b"x"], within_s=0.05)

    assert result.unknown == {0}
