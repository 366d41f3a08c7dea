"""The progress bar."""

from __future__ import annotations

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


class ProgressBar:
    """Bytes read, time left and records a second, on a terminal."""

    def __init__(self, inputs: Sequence[Input]) -> None:
        sizes = [source.size_bytes for source in inputs]
        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(),
            DownloadColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
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
