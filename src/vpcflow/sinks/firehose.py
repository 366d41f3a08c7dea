"""
Records to a Firehose stream, through a client that is given: within its limits, and refused ones sent again.

A call that is not answered may have been carried out. So of each record it is known whether the stream has surely taken
it, has surely not, or may have; and how many copies too many there can be at most.
"""

from __future__ import annotations

import random as random_numbers
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

from vpcflow.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_RECORDS = 500
MAX_CALL_BYTES = 4 * 1024 * 1024
MAX_RECORD_BYTES = 1000 * 1024
"""https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html"""

TOO_LARGE = "RecordTooLarge"
"""Our code for a record of more than ``MAX_RECORD_BYTES``, which is never sent."""

NOT_SENT = "NotSent"
"""Our code for a record whose turn did not come in the time there was."""

_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 5.0

# What says that the call was not carried out: AWS's answers, and faults before anything was sent. Whatever else goes
# wrong with a whole call (no answer, a lost connection, an internal failure) says nothing of its records.
_CARRIED_OUT_BY_NO_ONE = frozenset(
    "ConnectTimeoutError ConnectionError EndpointConnectionError LimitExceededException ProxyConnectionError"
    " RequestLimitExceeded ServiceUnavailable ServiceUnavailableException SSLError Throttling ThrottlingException"
    " TooManyRequestsException".split()
)


class Stream(Protocol):
    """One Firehose stream."""

    @property
    def name(self) -> str: ...

    def put(self, records: Sequence[bytes]) -> Sequence[str | None]:
        """
        Make one PutRecordBatch call of at most 500 records and 4 MiB; never repeats it by itself.

        Gives for each record, in order, None or the error code with which it was refused. Raises ``AwsError`` where the
        call as a whole was refused or not answered: then any record may have been taken, or none.
        """
        ...


class PutResult(NamedTuple):
    """
    What became of the records: one code for each, in order, None for those the stream has surely taken.

    The code is that of the last refusal, ``TOO_LARGE`` or ``NOT_SENT``. ``unknown`` holds the places of those that may
    have been taken all the same, in a call that was not answered. ``possible_duplicates`` is the most copies too many
    there can be on the stream for this. ``refusals`` and ``unanswered`` count records each time; ``error`` is the last
    fault of a whole call.
    """

    codes: tuple[str | None, ...]
    unknown: frozenset[int] = frozenset()
    possible_duplicates: int = 0
    calls: int = 0
    refusals: int = 0
    unanswered: int = 0
    error: AwsError | None = None

    @property
    def taken(self) -> int:
        """How many records the stream has surely taken."""
        return self.codes.count(None)

    @property
    def refused(self) -> tuple[int, ...]:
        """The places of the records that the stream has surely not taken."""
        places = (place for place, code in enumerate(self.codes) if code is not None)
        return tuple(place for place in places if place not in self.unknown)

    @property
    def reasons(self) -> Counter[str]:
        """How many records were not surely taken, by their last code."""
        return Counter(code for code in self.codes if code is not None)


def put_all(
    stream: Stream,
    records: Sequence[bytes],
    *,
    within_s: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    random: Callable[[], float] = random_numbers.random,
) -> PutResult:
    """
    Put records on a stream, in as few calls as the limits allow; what is refused goes again, and only that.

    After a refusal the next call waits (exponential backoff, full jitter) and takes up what was refused with what is
    still to send. No call begins later than ``within_s`` seconds from now; the last may take as long as the client's
    time limits let it. A permanent ``AwsError`` ends it at once: what is not yet taken has its code.
    """
    deadline = clock() + within_s
    codes: list[str | None] = [
        NOT_SENT if len(record) <= MAX_RECORD_BYTES else TOO_LARGE for record in records
    ]
    waiting = deque(place for place, code in enumerate(codes) if code == NOT_SENT)
    unanswered: Counter[int] = Counter()
    calls = refusals = in_a_row = 0
    error: AwsError | None = None
    while waiting and clock() < deadline:
        places = _take_call(waiting, records)
        calls += 1
        try:
            answers = stream.put([records[place] for place in places])
        except AwsError as fault:
            error = fault
            if not (fault.permanent or fault.code in _CARRIED_OUT_BY_NO_ONE):
                unanswered.update(places)
            answers = [fault.code] * len(places)
        for place, answer in zip(places, answers):
            codes[place] = answer
        refused = [place for place in places if codes[place] is not None]
        refusals += len(refused)
        waiting.extendleft(reversed(refused))
        if error is not None and error.permanent:
            for place in waiting:
                codes[place] = error.code
            break
        if not refused:
            in_a_row = 0
            continue
        wait_s = random() * min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(in_a_row, 10))
        in_a_row += 1
        if clock() + wait_s >= deadline:
            break
        sleep(wait_s)
    return PutResult(
        tuple(codes),
        frozenset(place for place in unanswered if codes[place] is not None),
        sum(max(0, n - (codes[place] is not None)) for place, n in unanswered.items()),
        calls,
        refusals - unanswered.total(),
        unanswered.total(),
        error,
    )


def _take_call(waiting: deque[int], records: Sequence[bytes]) -> list[int]:
    """Take the places of the next call off what is waiting: as many as fit, at least one."""
    places: list[int] = []
    size = 0
    while waiting and len(places) < MAX_RECORDS:
        size += len(records[waiting[0]])
        if size > MAX_CALL_BYTES:
            break
        places.append(waiting.popleft())
    return places
