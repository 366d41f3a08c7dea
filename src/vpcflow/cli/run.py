"""Run the pipeline for a command: inputs to a sink, rejects to a file, the summary, the exit status."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import orjson
import typer

from vpcflow.aws.extra import open_s3
from vpcflow.cli.words import Words
from vpcflow.errors import SinkError
from vpcflow.object_store import is_object_url, parse_object_url
from vpcflow.pipeline import Layouts, SettlingSink, deliver, read_flows, settle, within
from vpcflow.sources.files import STDIN, find_inputs, read_input
from vpcflow.stats import Books
from vpcflow.time_range import ALWAYS, TimeRange

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from typing import BinaryIO

    import pyarrow as pa

    from vpcflow.cli.progress import ProgressBar
    from vpcflow.enrich import Reference
    from vpcflow.rejects import Reject
    from vpcflow.sinks import Sink
    from vpcflow.sources import Input

DONE, COULD_NOT, DONE_WITH_REJECTS = 0, 1, 3


class Work(NamedTuple):
    """
    What a command asks for; ``reference`` None parses only, ``columns`` None is all.

    ``attribute`` is given the flows of all inputs and gives them back with columns of its own; None leaves them.
    """

    inputs: Sequence[str]
    to: str | None
    open_sink: Callable[[], Sink]
    layouts: Layouts
    reference: Reference | None = None
    columns: Collection[str] | None = None
    times: TimeRange = ALWAYS
    rejects: str | None = None
    attribute: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]] | None = None


def run(work: Work, words: Words, *, quiet: bool) -> Books:
    """
    Do the work, print the summary, and give the books; raises ``VpcflowError`` where it cannot be done.

    Where the reader of standard output has left (``| head``), the command ends, and nothing is wrong.
    """
    books = Books()
    started = time.monotonic()
    try:
        _deliver(work, words, books, started, quiet=quiet)
    except BrokenPipeError as fault:
        if "://" in (work.to or ""):
            raise SinkError(
                f"the connection was closed before all was delivered: {fault}"
            ) from fault
        raise typer.Exit(DONE) from None
    words.summary(books, time.monotonic() - started)
    books.check()
    return books


def exit_with(books: Books) -> None:
    """End with the exit status the books call for."""
    if status := status_of(books):
        raise typer.Exit(status)


def status_of(books: Books) -> int:
    """Give the exit status the books call for."""
    if not books.missed and not books.faults:
        return DONE
    return DONE_WITH_REJECTS if books.delivered or books.duplicates else COULD_NOT


def _deliver(work: Work, words: Words, books: Books, started: float, *, quiet: bool) -> None:
    inputs = find(work.inputs, work.times, words)
    _refuse_overwriting(inputs, [work.to, work.rejects])
    with (
        _reject_writer(work.rejects) as on_rejects,
        _progress(inputs, quiet=quiet) as bar,
        _settling(work.open_sink(), books, on_rejects, words, started) as sink,
    ):
        flows = _all_flows(work, inputs, books, bar, on_rejects, words)
        deliver(
            flows if work.attribute is None else work.attribute(flows),
            sink,
            books,
            reference=work.reference,
            columns=work.columns,
            on_rejects=on_rejects,
        )


@contextlib.contextmanager
def _settling(
    sink: Sink,
    books: Books,
    on_rejects: Callable[[Sequence[Reject]], None],
    words: Words,
    started: float,
) -> Iterator[Sink]:
    """Close the sink, and count what it knows in the end; one that keeps what it has when it fails says how much."""
    try:
        try:
            with sink:
                yield sink
        finally:
            settle(sink, books, on_rejects)
    except SinkError:
        if isinstance(sink, SettlingSink):
            words.summary(books, time.monotonic() - started)
        raise


def find(paths: Sequence[str], times: TimeRange, words: Words) -> list[Input]:
    """Find inputs here and in S3; raises ``SourceError`` where there are none, ``AwsError`` where S3 refuses."""
    if not any(map(is_object_url, paths)):
        return find_inputs(paths, warn=words.say)
    # Few runs read from S3: only these import what does.
    from vpcflow.sources.objects import find_objects, read_ahead

    store = open_s3()
    inputs = find_inputs(
        paths,
        objects=lambda url: find_objects(store, url, times=times, warn=words.say),
        warn=words.say,
    )
    return read_ahead(inputs)


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


def _refuse_overwriting(inputs: Sequence[Input], outputs: Sequence[str | None]) -> None:
    """Raise ``SinkError`` where an output is an input, a folder that holds one, or the other output."""
    named = [output for output in outputs if output not in (None, STDIN)]
    places = [_place(output) for output in named if output is not None]
    if len(set(places)) < len(places):
        raise SinkError(f"--to and --rejects are one file, {named[0]!r}: name another")
    for source in inputs:
        here = _place(source.name)
        for name, place in zip(named, places, strict=True):
            if source.name != STDIN and here.is_relative_to(place):
                raise SinkError(f"{name!r} is or holds the input {source.name!r}: write elsewhere")


def _place(name: str) -> PurePath:
    """Say where something is, here or in S3, so that equal places are equal and folders are told."""
    if is_object_url(name):
        url = parse_object_url(name)
        return PurePosixPath("s3:", url.bucket, *url.key.split("/"))
    return Path(name).resolve()


def _all_flows(
    work: Work,
    inputs: Sequence[Input],
    books: Books,
    bar: ProgressBar | _NoProgress,
    on_rejects: Callable[[Sequence[Reject]], None],
    words: Words,
) -> Iterator[pa.RecordBatch]:
    for source in inputs:
        books.inputs += 1
        yield from within(_flows(work, source, books, bar, on_rejects, words), work.times, books)


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
def _reject_writer(to: str | None) -> Iterator[Callable[[Sequence[Reject]], None]]:
    """Write rejects as JSON lines where a file is named; in S3 it appears once the run has ended well."""
    if to is None:
        yield lambda _: None
        return
    with _object_file(to) if is_object_url(to) else _local_file(to) as file:
        yield lambda rejects: file.writelines(
            orjson.dumps(reject._asdict(), option=orjson.OPT_APPEND_NEWLINE) for reject in rejects
        )


@contextlib.contextmanager
def _local_file(to: str) -> Iterator[BinaryIO]:
    try:
        file = Path(to).open("wb")  # noqa: SIM115  # a fault while it is written is another's
    except OSError as fault:
        raise SinkError(f"cannot write rejects to {to!r}: {fault.strerror}") from fault
    with file:
        yield file


@contextlib.contextmanager
def _object_file(to: str) -> Iterator[BinaryIO]:
    import tempfile

    url = parse_object_url(to)
    upload = open_s3().upload(url.bucket, url.key)
    try:
        with tempfile.TemporaryDirectory(prefix="vpcflow-") as folder:
            path = Path(folder, "rejects")
            with path.open("wb") as file:
                yield file
            upload.send(path)
        upload.complete()
    except BaseException:
        upload.abort()
        raise
