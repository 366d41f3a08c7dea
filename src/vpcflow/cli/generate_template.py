"""``vpcflow generate --template``: records of a template to standard output, a file or a stream."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import typer

from vpcflow.cli.run import DONE
from vpcflow.cli.sink import open_sender
from vpcflow.errors import FormatError
from vpcflow.generate.mock import (
    Timing,
    Writer,
    pace_of,
    records,
    text_file,
    text_stream,
    to_sender,
)
from vpcflow.generate.scenario import parse_start
from vpcflow.generate.template import parse_template
from vpcflow.object_store import is_object_url
from vpcflow.sinks.firehose import is_stream_url
from vpcflow.sources.files import STDIN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from vpcflow.generate.mock import Pace
    from vpcflow.generate.template import Template


@dataclass(frozen=True)
class TemplateOptions:
    """The options of the command that are about templates, as given."""

    template: str
    values: Sequence[str]
    count: int | None
    rate: float | None
    seconds: float | None
    seed: int | None
    start: str | None
    to: str | None


def write_records(given: TemplateOptions) -> str:
    """Write the records, and give the words about them; raises ``VpcflowError``."""
    template = parse_template(_template_text(given.template), _values(given.values))
    pace = pace_of(given.count, given.rate, given.seconds)
    start_s = None if given.start is None else parse_start(given.start)
    timing = Timing(time.time, time.sleep, start_s)
    began_s = time.monotonic()
    try:
        _write(template, pace, Random(given.seed), timing, given.to)
    except BrokenPipeError:
        raise typer.Exit(DONE) from None
    took_s = time.monotonic() - began_s
    return f"{pace.count:,} records in {took_s:,.1f} s ({pace.count / max(took_s, 1e-3):,.0f}/s)"


def _write(template: Template, pace: Pace, random: Random, timing: Timing, to: str | None) -> None:
    with _writer(to) as write:
        for lines in records(template, pace, random, timing):
            write(lines)


@contextmanager
def _writer(to: str | None) -> Iterator[Writer]:
    if to is None or to == STDIN:
        yield text_stream(sys.stdout.buffer)
        return
    if is_stream_url(to):
        sender = open_sender(to)
        yield to_sender(sender)
        if sender.possible_duplicates:
            typer.echo(
                f"up to {sender.possible_duplicates:,} of them may be on the stream twice", err=True
            )
        return
    if is_object_url(to):
        raise FormatError(f"--to {to!r}: records of a template go to a file or to firehose://NAME")
    with text_file(Path(to)) as write:
        yield write


def _template_text(given: str) -> str:
    """Read the template's file; what names none and has braces, blanks or <<NAME>> in it is the template itself."""
    path = Path(given)
    try:
        if path.is_file():
            return path.read_text()
    except OSError as error:
        if "{{" not in given:
            raise FormatError(f"cannot read the template {given!r}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"the template {given!r} is no text in UTF-8") from error
    if not any(mark in given for mark in ("{{", "<<", " ", "}}")):
        raise FormatError(
            f"no template file {given!r}; a template itself has {{{{module.method}}}} in it"
        )
    return given


def _values(given: Sequence[str]) -> Mapping[str, str]:
    values = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise FormatError(f"--set {text!r}: write NAME=VALUE")
        values[name.strip("<>")] = value
    return values
