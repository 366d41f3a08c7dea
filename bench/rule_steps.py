"""Time the steps of ``vpcflow rules usage`` by themselves, in this process on one core; JSON on standard output."""

from __future__ import annotations

import argparse
import functools
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from vpcflow.admission import RuleBook
from vpcflow.enrich import Reference
from vpcflow.inventory.load import load_inventory
from vpcflow.pipeline import read_flows
from vpcflow.rules.coverage import CoverageBuilder
from vpcflow.rules.covered import covered_of
from vpcflow.rules.recording import Recording
from vpcflow.rules.tally import Tally
from vpcflow.rules.usage import Demands, usage_of
from vpcflow.sources.files import find_inputs, read_input
from vpcflow.stats import Books

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    T = TypeVar("T")


class Clock:
    """Adds up what is spent on each step."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    def time(self, step: str, work: Callable[[], T]) -> T:
        before = time.perf_counter()
        done = work()
        self.spent[step] = self.spent.get(step, 0.0) + time.perf_counter() - before
        return done

    def each(self, step: str, items: Iterator[T]) -> Iterator[T]:
        while (item := self.time(step, lambda: next(items, None))) is not None:
            yield item


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.rule_steps", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="what was simulated")
    parser.add_argument("--captured-s", type=int, required=True, help="when the inventory was")
    parser.add_argument("--core", type=int, required=True, help="pin to this one")
    options = parser.parse_args()
    os.sched_setaffinity(0, {options.core})
    print(json.dumps(steps(options.folder, options.captured_s)))


def steps(folder: Path, captured_s: int) -> dict[str, float]:
    """Do what the command does; each step's seconds."""
    clock = Clock()
    inventory = clock.time(
        "load the inventory",
        lambda: load_inventory(folder / "inventory", captured_at=captured_s, warn=_silent),
    )
    book = clock.time("prepare the rules", lambda: RuleBook(inventory))
    coverage = CoverageBuilder()
    tally = Tally(book)
    with Recording(Reference(inventory)) as recording:
        for one in find_inputs([str(folder / "AWSLogs")], warn=_silent):
            flows = read_flows(read_input(one), Books())
            for batch in clock.each("unzip and parse", flows):
                clock.time("coverage", functools.partial(coverage.add, batch))
                clock.time("record", functools.partial(recording.add, batch))
        judged = recording.connections(book, jobs=1)
        for connections in clock.each("judge connections", judged):
            clock.time("count", functools.partial(tally.add, connections))
    tables = clock.time("count", tally.tables)
    covered = clock.time("coverage", lambda: covered_of(inventory, coverage.coverage(inventory)))
    clock.time("sum up", lambda: usage_of(inventory, tables, covered, demands=Demands()))
    return clock.spent


def _silent(_: str) -> None:
    pass


if __name__ == "__main__":
    main()
