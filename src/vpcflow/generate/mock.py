"""Records of a template, at a rate: now and as time goes by, or from a given time on and at once."""

from __future__ import annotations

import math
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol

from vpcflow.errors import FormatError, SinkError
from vpcflow.pending_file import PendingFile, compressed
from vpcflow.sinks.ndjson import lead_nowhere

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from random import Random

    from vpcflow.generate.template import Template
    from vpcflow.pending_file import Writable
    from vpcflow.sinks.firehose import Sender

RATE = 50.0
"""Records a second where nothing else is said."""

_TICK_S = 1.0
_AT_ONCE = 1000


@dataclass(frozen=True)
class Pace:
    """How many records, and how many a second; ``rate`` None is as fast as they can be made."""

    count: int
    rate: float | None


class Timing(NamedTuple):
    """
    Where the time of records comes from.

    ``start_s`` None: records are of the time they are made at, and wait for it. Else they begin at ``start_s``, Unix
    seconds, come at the rate (50 a second where there is none), and nothing waits.
    """

    clock: Callable[[], float]
    sleep: Callable[[float], None]
    start_s: float | None = None


def pace_of(count: int | None, rate: float | None, seconds: float | None) -> Pace:
    """
    Say what two of three numbers mean; raises ``FormatError`` where they say nothing, or all three are there.

    >>> pace_of(None, None, 3), pace_of(10, None, None)
    (Pace(count=150, rate=50.0), Pace(count=10, rate=None))
    """
    for name, value in {"--count": count, "--rate": rate, "--seconds": seconds}.items():
        if value is not None and not (math.isfinite(value) and value > 0):
            raise FormatError(f"{name} has to be more than 0, not {value!r}")
    if count is not None and rate is not None and seconds is not None:
        raise FormatError("two of --count, --rate and --seconds say it all: leave one out")
    if count is not None:
        return Pace(count, count / seconds if seconds is not None else rate)
    if seconds is None:
        raise FormatError("how many records: give --count N, or --seconds S")
    rate = rate or RATE
    return Pace(max(1, round(rate * seconds)), rate)


def records(
    template: Template, pace: Pace, random: Random, timing: Timing
) -> Iterator[Sequence[bytes]]:
    """
    Yield records, each ended by a line break, those of a second together.

    The same source of chance and the same times give the same records.
    """
    start_s = timing.clock() if timing.start_s is None else timing.start_s
    step_s = 1 / (pace.rate or RATE)
    done = ticks = 0
    while done < pace.count:
        ticks += 1
        # Against what is lost in the multiplication: the hundredth record at ten a second is of the tenth second.
        due = done + _AT_ONCE if pace.rate is None else int(pace.rate * ticks * _TICK_S + 1e-9)
        due = min(due, pace.count)
        if pace.rate is None and timing.start_s is None:
            times = (timing.clock() for _ in range(done, due))
        else:
            times = (start_s + place * step_s for place in range(done, due))
        if due > done:
            yield [f"{template.render(random, time_s)}\n".encode() for time_s in times]
        done = due
        if done < pace.count and pace.rate is not None and timing.start_s is None:
            timing.sleep(max(0.0, start_s + ticks * _TICK_S - timing.clock()))


class Writer(Protocol):
    """Takes records as they are made; raises ``VpcflowError`` where it can take no more."""

    def __call__(self, lines: Sequence[bytes], /) -> None: ...


@contextmanager
def text_file(path: Path) -> Iterator[Writer]:
    """Write to a file, compressed where its name ends with ``.gz`` or ``.zst``; it appears when it is whole."""
    pending = PendingFile(path)
    try:
        with ExitStack() as stack:
            file = stack.enter_context(pending.open())
            yield _to(compressed(file, path.suffix, stack))
        pending.commit()
    finally:
        pending.discard()


def text_stream(stream: BinaryIO) -> Writer:
    """Write to a stream that stays open, flushed each time; raises ``BrokenPipeError`` where its reader has left."""

    def write(lines: Sequence[bytes]) -> None:
        try:
            stream.write(b"".join(lines))
            stream.flush()
        except BrokenPipeError:
            lead_nowhere(stream)
            raise

    return write


def to_sender(sender: Sender) -> Writer:
    """Put on a stream, each line a record; raises ``SinkError`` where it does not take one."""
    taken = 0

    def write(lines: Sequence[bytes]) -> None:
        nonlocal taken
        result = sender.send(lines)
        taken += result.taken
        if result.taken < len(lines):
            reason = result.error or ", ".join(result.reasons)
            raise SinkError(
                f"the stream {sender.stream.name!r} takes no more ({reason}), and has {taken:,} records of these"
            )

    return write


def _to(file: Writable) -> Writer:
    def write(lines: Sequence[bytes]) -> None:
        file.write(b"".join(lines))

    return write
