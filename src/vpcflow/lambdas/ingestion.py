"""What the ingestor does with an event, in the time it has, and what it says of it."""

from __future__ import annotations

import functools
import random as random_numbers
import time
from typing import TYPE_CHECKING, Any

import orjson

from vpcflow.ingest import bare, decode_event, enveloped, ingest, refuse_loss
from vpcflow.lambdas.telemetry import Telemetry
from vpcflow.sinks.firehose import put_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from vpcflow.ingest import TooLong
    from vpcflow.lambdas.settings import Settings
    from vpcflow.lambdas.telemetry import Batch
    from vpcflow.sinks.firehose import PutResult, Stream

_LAST_CALL_S = 4.0
"""What a call that begins at the last moment may take (a second to connect, two to answer), and the end of it all."""


class Ingestor:
    """The function, over a stream that is given; it keeps nothing from one event to the next."""

    def __init__(
        self,
        settings: Settings,
        stream: Stream,
        *,
        write: Callable[[str], object] = print,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = random_numbers.random,
    ) -> None:
        self._stream = stream
        self._is_raw: bool = settings.raw_lines
        self._layout = settings.log_format[0] if settings.log_format else None
        self._write = write
        self._telemetry = Telemetry("ingestor", settings, write=write, monotonic=clock)
        self._put = functools.partial(put_all, clock=clock, sleep=sleep, random=random)

    def __call__(self, event: Any, context: Any) -> None:
        """Put the lines of the event on the stream within the time that is left; raises ``VpcflowError``."""
        with self._telemetry.batch(context) as batch:
            payload = decode_event(event)
            batch.count("input_bytes", len(payload))
            found = bare(payload) if self._is_raw else enveloped(payload, self._layout)
            for line in found.too_long:
                self._write(_too_long(line))
            left_s = context.get_remaining_time_in_millis() / 1000
            within_s = max(left_s - _LAST_CALL_S, left_s / 4)
            books, result = ingest(
                found, self._stream, functools.partial(self._put, within_s=within_s)
            )
            batch.keep(books)
            _count(batch, result, found.records)
            refuse_loss(result, self._stream)


def _count(batch: Batch, result: PutResult, records: list[bytes]) -> None:
    taken = [len(record) for record, code in zip(records, result.codes) if code is None]
    batch.count("output_records", len(taken))
    batch.count("output_bytes", sum(taken))
    batch.count("puts", result.calls)
    batch.count("puts_refused", result.refusals)
    batch.count("puts_unanswered", result.unanswered)
    batch.count("possible_duplicates", result.possible_duplicates)
    for code in result.reasons:
        batch.note(code)


def _too_long(line: TooLong) -> str:
    """Name a line that no record can hold, by where it can be found: its log group keeps it."""
    words = {"function": "ingestor", "level": "WARNING", "event": "line too long"}
    return orjson.dumps({**words, **line._asdict()}).decode()
