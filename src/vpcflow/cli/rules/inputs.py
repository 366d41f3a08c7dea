"""What all ``vpcflow rules`` commands begin with: the inventory, its rules, and the recording of all inputs."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, NamedTuple

from vpcflow.admission import RuleBook
from vpcflow.cli.reference import ReferenceOptions, layouts_for, load_reference, rule_kinds
from vpcflow.cli.run import Work, run
from vpcflow.errors import FormatError
from vpcflow.rules.ahead import read_ahead
from vpcflow.rules.recording import LATE_S, Recording
from vpcflow.rules.workers import default_jobs
from vpcflow.time_range import ALWAYS, TimeRange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType
    from typing import Self

    import pyarrow as pa

    from vpcflow.cli.words import Words
    from vpcflow.enrich import Reference
    from vpcflow.inventory import Inventory
    from vpcflow.rules.recording import Unsettled
    from vpcflow.stats import Books


class Given(NamedTuple):
    """The options that say what is read and what is known, as given."""

    inputs: Sequence[str]
    inventory: str | None
    inventory_time: str | None = None
    inventory_max_age: int = 3600
    max_stale: int | None = None
    geo: str | None = "off"
    asn: str | None = None
    aws_ranges: str | None = None
    networks: str | None = None
    log_format: Sequence[str] = ()
    times: TimeRange = ALWAYS
    rejects: str | None = None
    quiet: bool = False


class Heard(NamedTuple):
    """All flow records of a run, ready to be judged, and what they are judged by."""

    reference: Reference
    inventory: Inventory
    book: RuleBook
    recording: Recording
    books: Books

    def connections(
        self, *, late_s: int = LATE_S, unsettled: Unsettled | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield batches of ``rules.connections.CONNECTIONS``, in no order."""
        return self.recording.connections(
            self.book, late_s=late_s, unsettled=unsettled, jobs=default_jobs()
        )


@contextlib.contextmanager
def hear(
    given: Given, words: Words, *listeners: Callable[[pa.RecordBatch], None]
) -> Iterator[Heard]:
    """
    Read all inputs, print the summary, and give what was heard while the context lasts.

    ``listeners`` are given each batch of flows too, those without traffic included. Raises ``VpcflowError`` where an
    input or the inventory cannot be used; rejects are counted in ``books``.
    """
    reference = rules_reference(given, words)
    inventory = reference.inventory
    assert inventory is not None
    with Recording(reference) as recording:
        work = Work(
            inputs=given.inputs,
            to=None,
            open_sink=lambda: _Ears(recording.add, *listeners),
            layouts=layouts_for(given.log_format, inventory, words, given.inputs),
            times=given.times,
            rejects=given.rejects,
            attribute=read_ahead,
        )
        books = run(work, words, quiet=given.quiet)
        yield Heard(reference, inventory, RuleBook(inventory), recording, books)


def rules_reference(given: Given, words: Words) -> Reference:
    """Load the inventory with all that rules need, and say how old it is; raises ``FormatError`` without one."""
    if given.inventory is None:
        raise FormatError(
            "--inventory is needed: rules are in it (`vpcflow inventory --help` tells how to get one)"
        )
    reference = load_reference(
        ReferenceOptions(
            given.inventory,
            given.inventory_time,
            given.inventory_max_age,
            given.max_stale,
            given.geo,
            given.asn,
            given.aws_ranges,
            given.networks,
            given.times,
            rule_kinds(),
        ),
        words,
    )
    inventory = reference.inventory
    if inventory is not None and len(inventory.capture_times) == 1:
        age_s = max(time.time() - inventory.capture_times[0], 0)
        words.say(
            f"one snapshot, {_age(age_s)} old: its groups, rules and prefix lists count as in force at all times"
        )
    return reference


def _age(seconds: float) -> str:
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count:,} {unit}" + ("s" if count > 1 else "")
    return "less than a minute"


class _Ears:
    """A sink that hands flows on to who listens."""

    def __init__(self, *listeners: Callable[[pa.RecordBatch], None]) -> None:
        self._listeners = listeners

    def write(self, flows: pa.RecordBatch, /) -> int:
        for listener in self._listeners:
            listener(flows)
        return int(flows.num_rows)

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        pass
