"""
Redrive: what Firehose and the functions have put aside, sent again.

A source is a file of records that failed, or a message of a dead-letter queue. It is done with when the stream has
surely taken all that is in it, and not before: what is sent twice for that has the same ids, and is one in the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from vpcflow.errors import SinkError, SourceError
from vpcflow.redrive.put_aside import Found, read_file, read_message
from vpcflow.sinks.firehose import TOO_LARGE
from vpcflow.sources import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from vpcflow.sinks.firehose import PutResult
    from vpcflow.stats import Books

__all__ = ["Found", "Redriven", "Source", "read_file", "read_message", "redrive"]


class Source(Protocol):
    """What was put aside together, and is done with together."""

    @property
    def name(self) -> str: ...

    def read(self) -> Found:
        """Give the records in it; raises ``SourceError``, with the fault alone, where it cannot be read."""
        ...

    def done(self) -> None:
        """Take it out of the way, as the user wants it: all that is in it was taken. Raises ``VpcflowError``."""
        ...

    def left(self) -> None:
        """Leave it for another time."""
        ...


class Redriven(NamedTuple):
    """What became of the sources: those done with, those left, and how many copies too many there may be for it."""

    done: int
    left: int
    possible_duplicates: int


def redrive(
    sources: Iterable[Source],
    send: Callable[[Sequence[bytes]], PutResult],
    books: Books,
    *,
    say: Callable[[str], None] = lambda _: None,
) -> Redriven:
    """
    Send what is in the sources, one after the other, count it in the books, and say what was left and why.

    A source that cannot be read is left, and is a fault in the books. Raises ``AwsError`` where the stream, or what
    holds the sources, refuses for good, and ``SinkError`` where the stream has taken nothing of a source in the time
    that ``send`` gives it: each further source would take as long.
    """
    done = left = duplicates = 0
    for source in sources:
        books.inputs += 1
        try:
            found = source.read()
        except SourceError as fault:
            books.count_fault(Fault(source.name, str(fault), 0))
            left += 1
            source.left()
            continue
        result = send(found.records)
        duplicates += result.possible_duplicates
        missing = len(result.codes) - result.taken
        books.found += len(found.records) + found.notices
        books.delivered += result.taken
        books.failed += missing + found.notices
        books.blanks += found.blanks
        books.controls += found.controls
        books.count_rejects(found.rejects)
        if missing or found.notices or found.rejects:
            left += 1
            source.left()
            say(f"{source.name} is left: {_why(found, result)}")
        else:
            done += 1
            source.done()
        if result.error is not None and result.error.permanent:
            raise result.error
        reasons = result.reasons.keys() - {TOO_LARGE}
        if reasons and not result.taken:
            raise SinkError(
                f"the stream takes no more ({result.error or ', '.join(sorted(reasons))}): the rest is left as it is"
            )
    return Redriven(done, left, duplicates)


def _why(found: Found, result: PutResult) -> str:
    reasons = [
        f"{n:,} of its records not taken ({code})" for code, n in result.reasons.most_common()
    ]
    if found.rejects:
        reasons.append(f"{len(found.rejects):,} of its entries no record that failed")
    if found.notices:
        reasons.append("a notice of S3 goes to a queue, not to a stream")
    return ", ".join(reasons)
