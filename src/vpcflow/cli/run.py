"""Run the pipeline for a command: inputs to a sink, rejects to a file, the summary, the exit status."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import orjson
import typer

from vpcflow.cli.words import Words
from vpcflow.errors import SinkError
from vpcflow.pipeline import Layouts, deliver, read_flows
from vpcflow.sources.files import STDIN, find_inputs, read_input
from vpcflow.stats import Books

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from contextlib import AbstractContextManager

    import pyarrow as pa

    from vpcflow.cli.progress import ProgressBar
    from vpcflow.enrich import Reference
    from vpcflow.rejects import Reject
    from vpcflow.sinks import Sink
    from vpcflow.sources import Input

DONE, COULD_NOT, DONE_WITH_REJECTS = 0, 1, 3


class Work(NamedTuple):
    """What a command asks for; ``reference`` None parses only, ``columns`` None is all."""

    inputs: Sequence[str]
    to: str | None
    open_sink: Callable[[], AbstractContextManager[Sink]]
    layouts: Layouts
    reference: Reference | None = None
    columns: Collection[str] | None = None
    rejects: Path | None = None


def run(work: Work, words: Words, *, quiet: bool) -> Books:
    """
    Do the work, print the summary, and give the books; raises ``VpcflowError`` where it cannot be done.

    Where the reader of standard output has left (``| head``), the command ends, and nothing is wrong.
    """
    books = Books()
    started = time.monotonic()
    try:
        _deliver(work, words, books, quiet=quiet)
    except BrokenPipeError:
        raise typer.Exit(DONE) from None
    words.summary(books, time.monotonic() - started)
    books.check()
    return books


def exit_with(books: Books) -> None:
    """End with the exit status the books call for."""
    if not books.missed and not books.faults:
        return
    raise typer.Exit(DONE_WITH_REJECTS if books.delivered else COULD_NOT)


def _deliver(work: Work, words: Words, books: Books, *, quiet: bool) -> None:
    inputs = find_inputs(work.inputs, warn=words.say)
    _refuse_overwriting(inputs, [work.to, work.rejects])
    with (
        _reject_writer(work.rejects) as on_rejects,
        _progress(inputs, quiet=quiet) as bar,
        work.open_sink() as sink,
    ):
        for source in inputs:
            books.inputs += 1
            flows = _flows(work, source, books, bar, on_rejects, words)
            deliver(flows, sink, books, reference=work.reference, columns=work.columns)


class _NoProgress(contextlib.AbstractContextManager["_NoProgress"]):
    """Stands in for the bar where nobody would see it."""

    def __exit__(self, *_: object) -> None:
        pass

    def count_bytes(self, _: int) -> None:
        pass

    def count_records(self, _: int) -> None:
        pass


def _progress(inputs: Sequence[Input], *, quiet: bool) -> ProgressBar | _NoProgress:
    if quiet or not sys.stderr.isatty():
        return _NoProgress()
    # What draws takes as long to import as a small file to read.
    from vpcflow.cli.progress import ProgressBar

    return ProgressBar(inputs)


def _refuse_overwriting(inputs: Sequence[Input], outputs: Sequence[str | Path | None]) -> None:
    """Raise ``SinkError`` where an output is an input, a folder that holds one, or the other output."""
    paths = [Path(output).resolve() for output in outputs if output not in (None, STDIN)]
    if len(set(paths)) < len(paths):
        raise SinkError(f"--to and --rejects are one file, {str(paths[0])!r}: name another")
    for source in inputs:
        here = Path(source.name).resolve()
        for path in paths:
            if source.name != STDIN and here.is_relative_to(path):
                raise SinkError(
                    f"{str(path)!r} is or holds the input {source.name!r}: write elsewhere"
                )


def _flows(
    work: Work,
    source: Input,
    books: Books,
    bar: ProgressBar | _NoProgress,
    on_rejects: Callable[[Sequence[Reject]], None],
    words: Words,
) -> Iterator[pa.RecordBatch]:
    blocks = read_input(source, on_bytes=bar.count_bytes)
    for batch in read_flows(
        blocks, books, layouts=work.layouts, on_rejects=on_rejects, warn=words.say
    ):
        bar.count_records(batch.num_rows)
        yield batch


@contextlib.contextmanager
def _reject_writer(path: Path | None) -> Iterator[Callable[[Sequence[Reject]], None]]:
    """Write rejects as JSON lines where a file is named."""
    if path is None:
        yield lambda _: None
        return
    try:
        file = path.open("wb")
    except OSError as fault:
        raise SinkError(f"cannot write rejects to {str(path)!r}: {fault.strerror}") from fault
    with file:
        yield lambda rejects: file.writelines(
            orjson.dumps(reject._asdict(), option=orjson.OPT_APPEND_NEWLINE) for reject in rejects
        )
