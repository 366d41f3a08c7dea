"""``vpcflow redrive``: what was put aside, sent again."""

from __future__ import annotations

import time
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from vpcflow.aws.extra import open_s3, open_sqs
from vpcflow.cli import options
from vpcflow.cli.run import exit_with
from vpcflow.cli.sink import open_sender
from vpcflow.cli.words import Words
from vpcflow.errors import AwsError, FormatError, SinkError
from vpcflow.flow_envelope import wrap_document
from vpcflow.layout import parse_log_format
from vpcflow.object_store import is_object_url, parse_object_url
from vpcflow.redrive import redrive
from vpcflow.redrive.files import DONE, local_files, stored_files
from vpcflow.redrive.queues import count_messages, hand_on, is_queue_address, messages
from vpcflow.sinks.firehose import (
    MAX_RECORD_BYTES,
    TOO_LARGE,
    Pace,
    PutResult,
    is_stream_url,
    parse_stream_url,
)
from vpcflow.stats import Books

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vpcflow.layout import Layout
    from vpcflow.redrive import Source
    from vpcflow.redrive.files import Done
    from vpcflow.redrive.put_aside import Form

HELP = """
Send again what Firehose and the functions have put aside, so that nothing is lost for an outage.

SOURCE is a file, folder or s3:// address of records that failed (processing-failed/, AmazonOpenSearchService_failed/,
http-endpoint-failed/, format-conversion-failed/, decompression-failed/), or a dead-letter queue: sqs://NAME or its URL.
Lines keep their ids, so that a flow sent twice is one in the end; documents go as they were made.

\b
    vpcflow redrive --to firehose://flows --dry-run s3://example-flows/processing-failed/
    vpcflow redrive --to firehose://flows --rate 2000 s3://example-flows/AmazonOpenSearchService_failed/
    vpcflow redrive --to firehose://flows sqs://ingestor-failed
    vpcflow redrive --to sqs://objects sqs://objects-failed
"""


def redrive_command(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE...", help="Files, folders, s3:// addresses, queues."),
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="firehose://NAME|sqs://NAME",
            help="The stream to send to; or, for messages of queues, the queue to hand them on to as they are.",
        ),
    ],
    done: Annotated[
        str,
        typer.Option(
            "--done",
            metavar="|".join(DONE),
            help="What becomes of a file that was taken whole: moved to redriven/ (at the beginning of its bucket, or"
            " in the folder named), deleted or kept. A message is deleted, unless it is kept.",
        ),
    ] = "move",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count what would be sent.")
    ] = False,
    rate: options.Rate = None,
    bare: Annotated[
        bool,
        typer.Option(
            "--bare",
            help="Send documents as they are, not in the envelope that vpcflow's decorator takes off: for a stream"
            " without it.",
        ),
    ] = False,
    log_format: Annotated[
        str | None,
        typer.Option(
            "--log-format",
            metavar="FORMAT",
            show_default=False,
            help="Layout of the lines of the ingestor's events.  [default: the decorator finds it]",
        ),
    ] = None,
    quiet: options.Quiet = False,
) -> None:
    """Send the sources again, and end with the exit status the books call for."""
    words = Words(quiet=quiet)
    then = _read_done("keep" if dry_run else done)
    books = Books()
    started = time.monotonic()
    try:
        if is_stream_url(to):
            layout = parse_log_format(log_format) if log_format else None
            found = _find(sources, then, layout, form=_as_it_is if bare else wrap_document)
            _send(found, to, rate, books, words, dry_run=dry_run)
        else:
            _hand_on(sources, to, rate, books, dry_run=dry_run)
    except (AwsError, SinkError):
        if books.found:
            words.summary(books, time.monotonic() - started)
        raise
    if dry_run:
        words.say("a dry run: nothing was sent; delivered is what would be")
    words.summary(books, time.monotonic() - started)
    books.check()
    exit_with(books)


def _read_done(text: str) -> Done:
    for known in DONE:
        if text == known:
            return known
    raise FormatError(f"--done {text!r} is not known (known: {', '.join(DONE)})")


def _find(
    sources: Sequence[str], then: Done, layout: Layout | None, *, form: Form
) -> Iterator[Source]:
    """Find all files before the first is sent; queues are asked in their turn. Raises ``VpcflowError``."""
    found: list[Iterator[Source] | list[Source]] = []
    for source in sources:
        if is_queue_address(source):
            queue = open_sqs(source)
            found.append(messages(queue, is_done_deleted=then != "keep", layout=layout))
        elif is_object_url(source):
            found.append([*stored_files(open_s3(), parse_object_url(source), then, form)])
        else:
            found.append([*local_files(source, then, form)])
    return chain.from_iterable(found)


def _send(
    sources: Iterator[Source],
    to: str,
    rate: float | None,
    books: Books,
    words: Words,
    *,
    dry_run: bool,
) -> None:
    parse_stream_url(to)
    send = _count_only if dry_run else open_sender(to, rate=rate).send
    result = redrive(sources, send, books, say=words.say)
    if not dry_run:
        words.say(f"files and messages: {result.done:,} sent whole, {result.left:,} left")
    if result.possible_duplicates:
        words.say(
            f"up to {result.possible_duplicates:,} records may be on the stream twice, under the same ids:"
            " a call was not answered, and made again"
        )


def _hand_on(
    sources: Sequence[str], to: str, rate: float | None, books: Books, *, dry_run: bool
) -> None:
    others = [source for source in sources if not is_queue_address(source)]
    if not is_queue_address(to):
        raise FormatError(f"--to {to!r} is neither firehose://NAME nor sqs://NAME")
    if others:
        raise FormatError(f"{others[0]!r} is no queue: files go to firehose://NAME")
    queues = [open_sqs(source) for source in sources]
    target = open_sqs(to)
    if target.url in [queue.url for queue in queues]:
        raise FormatError(f"--to {to!r} is one of the sources")
    for queue in queues:
        if dry_run:
            count_messages(queue, books)
        else:
            hand_on(queue, target, books, pace=Pace(rate).wait)


def _count_only(records: Sequence[bytes]) -> PutResult:
    """Take all that fits in a record."""
    return PutResult(tuple(TOO_LARGE if len(r) > MAX_RECORD_BYTES else None for r in records))


def _as_it_is(document: bytes) -> bytes:
    return document + b"\n"
