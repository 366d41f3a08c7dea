"""Words on standard error: hints said once, the progress bar, the summary."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpcflow.sources import Input
    from vpcflow.stats import Books

_MOST_FAULTS = 20


class Words:
    """Says things on standard error, each once; says nothing when quiet."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._said: set[str] = set()

    def say(self, text: str) -> None:
        """Say a line, unless it was said before."""
        if not self._quiet and text not in self._said:
            self._said.add(text)
            print(f"vpcflow: {text}", file=sys.stderr)

    def summary(self, books: Books, seconds: float) -> None:
        """Say what became of the records; also when none was found."""
        for line in _summary(books, seconds):
            self.say(line)
        for line in _faults(books):
            # Not even quiet: an input that could not be read is no matter of taste.
            print(f"vpcflow: {line}", file=sys.stderr)


class ProgressBar:
    """Bytes read, time left and records a second, where standard error is a terminal; nothing elsewhere."""

    def __init__(self, inputs: Sequence[Input], *, quiet: bool) -> None:
        sizes = [source.size_bytes for source in inputs]
        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(),
            DownloadColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=quiet or not sys.stderr.isatty(),
            transient=True,
        )
        total = None if None in sizes else sum(size or 0 for size in sizes)
        self._task = self._progress.add_task("read", total=total, rate="")
        self._records = 0

    def __enter__(self) -> ProgressBar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def count_bytes(self, count: int) -> None:
        """Note that so many bytes were read."""
        self._progress.advance(self._task, count)

    def count_records(self, count: int) -> None:
        """Note that so many records were found."""
        self._records += count
        elapsed_s = self._progress.tasks[0].elapsed
        if elapsed_s:
            self._progress.update(self._task, rate=f"{self._records / elapsed_s:,.0f} records/s")


def _summary(books: Books, seconds: float) -> list[str]:
    rate = f" in {seconds:,.1f} s" + (f" ({books.found / seconds:,.0f}/s)" if seconds > 1 else "")
    lines = [books.balance() + rate]
    if books.rejected:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in books.rejected.most_common())
        lines.append(f"rejected: {reasons}")
    if books.log_status:
        statuses = ", ".join(f"{count:,} {name}" for name, count in books.log_status.most_common())
        lines.append(f"among the records: {statuses}")
    marks = {
        "header line": books.headers,
        "blank line": books.blanks,
        "control message": books.controls,
    }
    if said := ", ".join(_counted(count, name) for name, count in marks.items() if count):
        lines.append(f"beside the records: {said}")
    return lines


def _faults(books: Books) -> list[str]:
    lines = [f"{fault.source} {fault.reason}" for fault in books.faults[:_MOST_FAULTS]]
    if len(books.faults) > _MOST_FAULTS:
        lines.append(
            f"… and {len(books.faults) - _MOST_FAULTS} inputs more that could not be read whole"
        )
    return lines


def _counted(count: int, name: str) -> str:
    return f"{count:,} {name}" + ("" if count == 1 else "s")
