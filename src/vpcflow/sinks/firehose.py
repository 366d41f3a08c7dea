"""
Records to a Firehose stream, through a client that is given: within its limits, and refused ones sent again.

A call that is not answered may have been carried out. So of each record it is known whether the stream has surely taken
it, has surely not, or may have; and how many copies too many there can be at most.
"""

from __future__ import annotations

import functools
import random as random_numbers
import re
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

from vpcflow.errors import AwsError, FormatError, SinkError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self

    import pyarrow as pa

    from vpcflow.json_lines import Encode

SCHEME = "firehose://"

MAX_RECORDS = 500
MAX_CALL_BYTES = 4 * 1024 * 1024
MAX_RECORD_BYTES = 1000 * 1024
"""https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html"""

TOO_LARGE = "RecordTooLarge"
"""Our code for a record of more than ``MAX_RECORD_BYTES``, which is never sent."""

NOT_SENT = "NotSent"
"""Our code for a record whose turn did not come in the time there was."""

_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,64}\Z")

_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 5.0

# What says that the call was not carried out: AWS's answers, and faults before anything was sent. Whatever else goes
# wrong with a whole call (no answer, a lost connection, an internal failure) says nothing of its records.
_CARRIED_OUT_BY_NO_ONE = frozenset(
    "ConnectTimeoutError EndpointConnectionError LimitExceededException ProxyConnectionError RequestLimitExceeded"
    " ServiceUnavailable ServiceUnavailableException Throttling ThrottlingException TooManyRequestsException".split()
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
        # A stream that takes most of a call makes way: only one that takes little is given ever more time.
        in_a_row = in_a_row + 1 if 2 * len(refused) > len(places) else 1
        wait_s = random() * min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(in_a_row - 1, 10))
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


class Sender:
    """
    Puts any number of records on a stream, a call's worth at a time, at most ``rate`` a second where one is given.

    It gives up where a call's worth is not all taken within ``patience_s``: the rest is ``NOT_SENT``. Made to be used
    for one run: the rate is kept over all calls of ``send``.
    """

    def __init__(
        self,
        stream: Stream,
        *,
        rate: float | None = None,
        patience_s: float = 120,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = random_numbers.random,
    ) -> None:
        self.stream = stream
        self.possible_duplicates = 0
        self._size = MAX_RECORDS if rate is None else max(1, min(MAX_RECORDS, int(rate)))
        self._pace = Pace(rate, clock=clock, sleep=sleep)
        self._put = functools.partial(
            put_all, within_s=patience_s, clock=clock, sleep=sleep, random=random
        )

    def send(self, records: Sequence[bytes]) -> PutResult:
        """Put the records on the stream; the result is as that of ``put_all``."""
        results: list[tuple[int, PutResult]] = []
        for first in range(0, len(records), self._size):
            some = records[first : first + self._size]
            self._pace.wait(len(some))
            result = self._put(self.stream, some)
            results.append((first, result))
            if result.taken < len(some) - result.codes.count(TOO_LARGE):
                break
        done = _joined(results, len(records))
        self.possible_duplicates += done.possible_duplicates
        return done


class Pace:
    """Lets so many things happen in a second, spread evenly; any number where ``rate`` is None."""

    def __init__(
        self,
        rate: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._next = clock()

    def wait(self, count: int) -> None:
        """Wait until so many things more may happen."""
        if self._rate is None:
            return
        now = self._clock()
        if now < self._next:
            self._sleep(self._next - now)
        self._next = max(now, self._next) + count / self._rate


class FirehoseSink:
    """
    Put documents on a stream, each a record: in the form that ``form`` gives it, one line of JSON.

    They are gone at once. A stream that takes nothing any more raises ``SinkError``, which says how many it has.
    """

    def __init__(
        self,
        sender: Sender,
        encode: Encode,
        *,
        form: Callable[[bytes], bytes] = lambda document: document + b"\n",
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._sender = sender
        self._encode = encode
        self._form = form
        self._warn = warn
        self._taken = 0

    def write(self, flows: pa.RecordBatch) -> int:
        """Put the flows on the stream; those too large for a record are not taken."""
        taken = 0
        for buffer in self._encode(flows):
            documents = buffer.to_pybytes().removesuffix(b"\n").split(b"\n")
            result = self._sender.send([self._form(document) for document in documents])
            taken += result.taken
            self._taken += result.taken
            reasons = result.reasons
            if reasons.pop(TOO_LARGE, 0):
                self._warn(f"documents over {MAX_RECORD_BYTES:,} bytes fit in no record")
            if reasons:
                raise SinkError(
                    f"the stream {self._sender.stream.name!r} takes no more"
                    f" ({result.error or ', '.join(reasons)}), and has {self._taken:,} records of these"
                )
        return taken

    def close(self) -> None:
        """Say what the stream may have twice."""
        if duplicates := self._sender.possible_duplicates:
            self._warn(
                f"up to {duplicates:,} records may be on the stream twice: a call was not answered, and made again"
            )

    def abort(self) -> None:
        """Do nothing: what is on the stream cannot be taken back."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self.close()


def is_stream_url(text: object) -> bool:
    """Tell whether something names a Firehose stream."""
    return isinstance(text, str) and text.startswith(SCHEME)


def parse_stream_url(text: str) -> str:
    """
    Give the name of the stream; raises ``FormatError``.

    >>> parse_stream_url("firehose://flows")
    'flows'
    """
    name = text.removeprefix(SCHEME)
    if not is_stream_url(text) or not _NAME.match(name):
        raise FormatError(f"{text!r} names no Firehose stream: write firehose://NAME")
    return name


def _joined(results: Sequence[tuple[int, PutResult]], count: int) -> PutResult:
    codes = [code for _, result in results for code in result.codes]
    errors = [result.error for _, result in results if result.error is not None]
    return PutResult(
        (*codes, *[NOT_SENT] * (count - len(codes))),
        frozenset(first + place for first, result in results for place in result.unknown),
        sum(result.possible_duplicates for _, result in results),
        sum(result.calls for _, result in results),
        sum(result.refusals for _, result in results),
        sum(result.unanswered for _, result in results),
        errors[-1] if errors else None,
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
