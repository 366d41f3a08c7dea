"""The stream: puts, the two buffers, and the files of what failed."""

from __future__ import annotations

import base64
import math
import time
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import orjson

from vpcflow.errors import AwsError
from vpcflow.local_firehose.bucket import object_key
from vpcflow.local_firehose.buffers import Buffer, Buffering, Held
from vpcflow.local_firehose.destinations import Refused, Unreachable
from vpcflow.local_firehose.faults import NO_FAULTS
from vpcflow.local_firehose.transformation import transform
from vpcflow.sinks.firehose import MAX_CALL_BYTES, MAX_RECORD_BYTES, MAX_RECORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from vpcflow.local_firehose.bucket import Bucket
    from vpcflow.local_firehose.destinations import Destination
    from vpcflow.local_firehose.faults import Faults
    from vpcflow.local_firehose.transformation import Failure, Transformation

BUSY = "ServiceUnavailableException"


class Quota(NamedTuple):
    """What a stream takes in a second; infinite where not said. AWS's smaller regions: 100,000, 1,000 and 1 MiB."""

    records: float = math.inf
    calls: float = math.inf
    size_bytes: float = math.inf


_BUFFERING = Buffering(5 * 1024 * 1024, 300)
_NO_QUOTA = Quota()
_OWNER = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/"


class _Delivery(NamedTuple):
    """A batch for the destination, and how often and since when it was tried."""

    records: list[Held]
    attempts: int = 0
    first_at: float | None = None


class LocalFirehose:
    """
    A stream, and all that is behind it.

    Records move on within ``put``, ``tick`` and ``drain`` alone. ``counts`` tells, by name, what has happened:
    ``taken refused throttled unanswered duplicated ok dropped processing_failed delivered repeated destination_failed
    lost``, all of records, and ``invocations``.
    """

    def __init__(
        self,
        name: str,
        destination: Destination,
        *,
        errors: Bucket,
        transformation: Transformation | None = None,
        buffering: Buffering = _BUFFERING,
        backup: Bucket | None = None,
        error_prefix: str = "",
        quota: Quota = _NO_QUOTA,
        faults: Faults = NO_FAULTS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self.counts: Counter[str] = Counter()
        self._destination = destination
        self._errors = errors
        self._error_prefix = error_prefix
        self._transformation = transformation
        self._backup = backup
        self._quota = quota
        self._faults = faults
        self._clock = clock
        self._ready = Buffer(buffering)
        self._arrived = Buffer(transformation.buffering) if transformation else self._ready
        self._waiting: list[_Delivery] = []
        self._numbers = 0
        self._files = 0
        self._second = (-1, Counter[str]())
        self._is_moving = False

    @property
    def held(self) -> int:
        """How many records are on the stream, not yet delivered or put aside."""
        waiting = sum(len(delivery.records) for delivery in self._waiting)
        arrived = len(self._arrived) if self._arrived is not self._ready else 0
        return arrived + len(self._ready) + waiting

    def put(self, records: Sequence[bytes]) -> Sequence[str | None]:
        """
        Take records as PutRecordBatch does: None or an error code for each; raises ``AwsError`` for the whole call.
        """
        _refuse_over_limits(records)
        now = self._clock()
        used = self._used(now)
        if used["calls"] >= self._quota.calls or self._faults.strikes(self._faults.throttle):
            self.counts["throttled"] += len(records)
            raise AwsError("slow down", code=BUSY, permanent=False)
        used["calls"] += 1
        if self._faults.strikes(self._faults.lose_call):
            self.counts["unanswered"] += len(records)
            raise AwsError("no answer", code="ReadTimeoutError", permanent=False)
        codes = [self._take(record, now, used) for record in records]
        self._move(now)
        if self._faults.strikes(self._faults.lose_answer):
            self.counts["unanswered"] += len(records)
            raise AwsError("no answer", code="ReadTimeoutError", permanent=False)
        return codes

    def tick(self) -> None:
        """Let go on what is due by the clock."""
        self._move(self._clock())

    def drain(self) -> None:
        """
        Let all go on, whatever the hints; a destination that cannot be reached leaves it on the stream.

        What a transformation puts back on the stream goes on too.
        """
        self._move(self._clock(), whatever_hints=True)

    def _used(self, now: float) -> Counter[str]:
        if self._second[0] != int(now):
            self._second = (int(now), Counter())
        return self._second[1]

    def _take(self, record: bytes, now: float, used: Counter[str]) -> str | None:
        is_over = (
            used["records"] >= self._quota.records
            or used["bytes"] + len(record) > self._quota.size_bytes
        )
        if is_over or self._faults.strikes(self._faults.refuse):
            self.counts["refused"] += 1
            return BUSY
        used["records"] += 1
        used["bytes"] += len(record)
        copies = 2 if self._faults.strikes(self._faults.duplicate) else 1
        self.counts["taken"] += 1
        self.counts["duplicated"] += copies - 1
        for _ in range(copies):
            self._numbers += 1
            self._arrived.add([Held(self._numbers, record, now)], now)
        return None

    def _move(self, now: float, *, whatever_hints: bool = False) -> None:
        """Let records go on; a transformation that puts some on this stream finds that they only wait their turn."""
        if self._is_moving:
            return
        self._is_moving = True
        try:
            if self._transformation is not None:
                while batch := self._arrived.take_due(now, whatever_hints=whatever_hints):
                    done = self._transformed(batch, self._transformation, now)
                    self._ready.add(done, now)
            while batch := self._ready.take_due(now, whatever_hints=whatever_hints):
                self._waiting.append(_Delivery(batch))
            self._waiting = [left for one in self._waiting if (left := self._deliver(one, now))]
        finally:
            self._is_moving = False

    def _transformed(
        self, batch: list[Held], transformation: Transformation, now: float
    ) -> list[Held]:
        if self._backup is not None:
            key = self._key("source_records/", batch)
            self._backup.put(key, b"".join(record.data for record in batch))
        done = transform(
            batch,
            transformation,
            stream_arn=_OWNER + self.name,
            invocation_id=f"{self._files:08d}-{batch[0].number}",
            faults=self._faults,
        )
        self.counts["invocations"] += done.invocations
        self.counts["ok"] += len(done.ok)
        self.counts["dropped"] += done.dropped
        self.counts["processing_failed"] += len(done.failures)
        if done.failures:
            lines = [_failure(failure, now, transformation.arn) for failure in done.failures]
            self._put_aside("processing-failed/", batch, lines)
        return done.ok

    def _deliver(self, delivery: _Delivery, now: float) -> _Delivery | None:
        """Try to deliver a batch; give what is to be tried again."""
        records, attempts, first_at = delivery
        first_at = now if first_at is None else first_at
        try:
            refused = self._destination.deliver(records, self.name, now)
        except Unreachable:
            if now - first_at < self._destination.retry_s:
                return _Delivery(records, attempts + 1, first_at)
            self._give_up(records, attempts + 1, now)
            return None
        self.counts["delivered"] += len(records) - len(refused)
        self._keep_refused(refused, attempts + 1, now)
        if self._faults.strikes(self._faults.repeat_delivery):
            self.counts["repeated"] += len(records) - len(refused)
            self._destination.deliver(records, self.name, now)
        return None

    def _give_up(self, records: list[Held], attempts: int, now: float) -> None:
        if self._destination.failed is None:
            self.counts["lost"] += len(records)
            return
        refused = [self._destination.put_aside(record, now) for record in records]
        self._keep_refused(refused, attempts, now)

    def _keep_refused(self, refused: list[Refused], attempts: int, now: float) -> None:
        if not refused or self._destination.failed is None:
            return
        self.counts["destination_failed"] += len(refused)
        lines = [_refusal(one, attempts, now) for one in refused]
        self._put_aside(self._destination.failed, [one.record for one in refused], lines)

    def _put_aside(self, folder: str, records: Sequence[Held], lines: Iterable[bytes]) -> None:
        self._errors.put(self._key(self._error_prefix + folder, records), b"".join(lines))

    def _key(self, prefix: str, records: Sequence[Held]) -> str:
        self._files += 1
        return object_key(prefix, self.name, records[0].arrived_at, self._files)


def _refuse_over_limits(records: Sequence[bytes]) -> None:
    size = sum(map(len, records))
    longest = max(map(len, records), default=0)
    if not 0 < len(records) <= MAX_RECORDS or longest > MAX_RECORD_BYTES or size > MAX_CALL_BYTES:
        raise AwsError(
            f"a call of {len(records):,} records, {size:,} bytes, the longest of {longest:,}: the limits are"
            f" {MAX_RECORDS}, {MAX_CALL_BYTES:,} and {MAX_RECORD_BYTES:,}",
            code="InvalidArgumentException",
            permanent=True,
        )


def _failure(failure: Failure, now: float, arn: str) -> bytes:
    # The service spells the last member so, whatever its documentation says.
    return orjson.dumps(
        {
            "rawData": base64.b64encode(failure.record.data).decode(),
            "errorCode": failure.code,
            "errorMessage": failure.message,
            "attemptsMade": failure.attempts,
            "arrivalTimestamp": int(failure.record.arrived_at * 1000),
            "attemptEndingTimestamp": int(now * 1000),
            "lambdaARN": arn,
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def _refusal(refused: Refused, attempts: int, now: float) -> bytes:
    return orjson.dumps(
        {
            "attemptsMade": attempts,
            "arrivalTimestamp": int(refused.record.arrived_at * 1000),
            "errorCode": refused.code,
            "errorMessage": refused.message,
            "attemptEndingTimestamp": int(now * 1000),
            **refused.more,
            "rawData": base64.b64encode(refused.record.data).decode(),
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )
