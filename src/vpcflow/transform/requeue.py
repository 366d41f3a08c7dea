"""Put lines back on the stream they came from, and remember for a while where that cannot be done."""

from __future__ import annotations

import random as random_numbers
import time
from collections import Counter
from typing import TYPE_CHECKING

from vpcflow.errors import AwsError
from vpcflow.sinks.firehose import MAX_RECORD_BYTES, put_all

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vpcflow.sinks.firehose import PutResult, Stream

REST_S = 300.0
"""How long nothing is put after a fault that no retry can mend: no credentials, access denied, no such stream."""

SHARE_OF_TIME = 0.25
"""What puts may use of the time that an invocation has left."""


class Requeue:
    """
    Puts lines back, each at most ``max_attempts`` times in all.

    ``open_stream`` makes a stream at its first use. ``counts`` are the puts' for the telemetry, ``errors`` the codes
    met; whoever tells them empties them.
    """

    def __init__(
        self,
        open_stream: Callable[[], Stream],
        *,
        max_attempts: int,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = random_numbers.random,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self._open_stream = open_stream
        self._max_attempts = max_attempts
        self._monotonic = monotonic
        self._sleep = sleep
        self._random = random
        self._stream: Stream | None = None
        self._rests_until = -REST_S

    @property
    def rests(self) -> bool:
        """Tell whether a put failed for good within the last five minutes."""
        return self._monotonic() < self._rests_until

    def allows(self, attempt: int) -> bool:
        """Tell whether a line that was put back so often may be so once more."""
        return attempt < self._max_attempts

    def put(self, records: Sequence[bytes], remaining_s: float) -> list[bool]:
        """Put records back within a quarter of the time that remains; tell which the stream has surely taken."""
        if self.rests or not records:
            return [False] * len(records)
        try:
            if self._stream is None:
                self._stream = self._open_stream()
            result = put_all(
                self._stream,
                records,
                within_s=max(remaining_s, 0.0) * SHARE_OF_TIME,
                clock=self._monotonic,
                sleep=self._sleep,
                random=self._random,
            )
        except AwsError as error:
            self._note(error)
            return [False] * len(records)
        self._count(result)
        return [code is None for code in result.codes]

    def _count(self, result: PutResult) -> None:
        self.counts["puts"] += result.calls
        self.counts["puts_refused"] += result.refusals
        self.counts["puts_unanswered"] += result.unanswered
        self.counts["possible_duplicates"] += result.possible_duplicates
        self.counts["output_records"] += result.taken
        for code, number in result.reasons.items():
            self.errors[code] += number
        if result.error is not None and result.error.permanent:
            self._rests_until = self._monotonic() + REST_S

    def _note(self, error: AwsError) -> None:
        self.errors[error.code] += 1
        if error.permanent:
            self._rests_until = self._monotonic() + REST_S


def fits(record: bytes) -> bool:
    """Tell whether a stream takes a record of this size."""
    return len(record) <= MAX_RECORD_BYTES
