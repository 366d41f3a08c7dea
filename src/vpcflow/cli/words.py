"""Words on standard error: hints said once, the summary."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from vpcflow.sinks.ndjson import lead_nowhere

if TYPE_CHECKING:
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
            _print(text)

    def summary(self, books: Books, seconds: float) -> None:
        """Say what became of the records; also when none was found."""
        for line in _summary(books, seconds):
            self.say(line)
        for line in _faults(books):
            # Not even quiet: an input that could not be read is no matter of taste.
            _print(line)


def _print(text: str) -> None:
    try:
        print(f"vpcflow: {text}", file=sys.stderr)
    except BrokenPipeError:
        # Who no longer listens (``2>&1 | head``) wants no words, and still all flows.
        lead_nowhere(sys.stderr)


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
