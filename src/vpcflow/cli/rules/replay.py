"""``vpcflow rules replay``: what a change of the rules would have done to the recorded connections."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import pyarrow as pa
import pyarrow.compute as pc
import typer

from vpcflow.cli import options
from vpcflow.cli.here import here
from vpcflow.cli.rules.inputs import Given, hear
from vpcflow.cli.rules.output import (
    Output,
    Result,
    ResultFormat,
    ResultTo,
    Shown,
    Table,
    moment,
    open_output,
)
from vpcflow.cli.run import COULD_NOT, status_of
from vpcflow.cli.words import Words
from vpcflow.errors import FormatError, SourceError
from vpcflow.rules.change import Change, read_change
from vpcflow.rules.replay import Replay, replay
from vpcflow.rules.replay_summary import summarize
from vpcflow.rules.rule_words import is_for_ports, protocol_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpcflow.cli.rules.output import Row
    from vpcflow.stats import Books

HELP = """
Replay recorded flows against changed rules: which connections would be refused, and which newly admitted.

The change is JSON, {"remove": ["sgr-…"], "add": [rules as `aws ec2 describe-security-group-rules` writes them]}:
what is removed goes first, an added rule may carry a removed one's id. INPUT is what `vpcflow enrich` takes, or what
`vpcflow rules attribute` wrote.

Exit status: 4 where connections would be cut; 1 where the inventory doesn't know a rule, group or prefix list of the
change; 3 where records were rejected; 0 else. Of several 1 comes first, then 4. Connections nobody knows the opener of
are listed as unjudged, and don't count.

\b
    vpcflow rules replay --inventory inventory/ --remove sgr-0123456789abcdef0 AWSLogs/
    vpcflow rules replay --inventory inventory/ --change change.json --format json AWSLogs/ > replay.json
"""

CUT = 4
"""The exit status where connections would be refused."""

_MOST_ROWS = 30

ChangeFile = Annotated[
    str | None,
    typer.Option(
        "--change",
        metavar="FILE",
        show_default=False,
        help="The change to try, JSON, here or in S3; docs/replay.md tells its form.",
    ),
]
Remove = Annotated[
    list[str] | None,
    typer.Option(
        "--remove",
        metavar="sgr-…",
        show_default=False,
        help="A rule to remove, beside what --change says; may be given more than once.",
    ),
]


def replay_command(
    inputs: options.Inputs = None,
    change: ChangeFile = None,
    remove: Remove = None,
    inventory: options.InventoryPath = None,
    inventory_time: options.InventoryTime = None,
    inventory_max_age: options.InventoryMaxAge = 3600,
    max_stale: options.MaxStale = None,
    to: ResultTo = None,
    format_: ResultFormat = None,
    log_format: options.LogFormat = None,
    since: options.Since = None,
    until: options.Until = None,
    rejects: options.Rejects = None,
    quiet: options.Quiet = False,
) -> None:
    """Replay the inputs, write what was found, and end with the exit status it calls for."""
    words = Words(quiet=quiet)
    output = open_output(to, format_)
    wanted = _change(change, remove or [])
    given = Given(
        inputs=inputs or [],
        inventory=inventory,
        inventory_time=inventory_time,
        inventory_max_age=inventory_max_age,
        max_stale=max_stale,
        log_format=log_format or [],
        times=options.read_times(since, until),
        rejects=rejects,
        quiet=quiet,
    )
    with hear(given, words) as heard:
        found = replay(heard.inventory, heard.book, wanted, heard.connections())
        output.write(_result(found, output))
        if output.format in ("csv", "parquet"):
            for text in found.incomplete:
                words.say(text)
        status = exit_status(found, heard.books)
    if status:
        raise typer.Exit(status)


def exit_status(found: Replay, books: Books) -> int:
    """Give 1 before 4 before 3 before 0."""
    of_run = status_of(books)
    if found.incomplete or of_run == COULD_NOT:
        return COULD_NOT
    return CUT if found.refused.num_rows else of_run


def _change(path: str | None, remove: Sequence[str]) -> Change:
    """Read --change and --remove; raises ``FormatError`` and ``SourceError`` naming the file."""
    if path is None and not remove:
        raise FormatError("nothing is to be changed: give --change FILE or --remove sgr-…")
    read = Change() if path is None else _read(path)
    return Change(tuple(dict.fromkeys((*read.remove, *remove))), read.add)


def _read(path: str) -> Change:
    try:
        with here(path) as local:
            return read_change(Path(local.path).read_bytes())
    except OSError as fault:
        raise SourceError(f"cannot read {path!r}: {fault.strerror}") from fault
    except FormatError as fault:
        raise FormatError(f"{path}: {fault}") from None


def _result(found: Replay, output: Output) -> Result:
    if output.format in ("csv", "parquet"):
        return Result({"connections": Table(_with_outcomes(found))})
    summary = summarize(found)
    if output.format == "table":
        return Result(_tables(summary), notes=_notes(found))
    return Result(
        tables={
            "refused": Table(found.refused),
            "admitted": Table(found.admitted),
            "unjudged": Table(found.unjudged),
            "summary": Table(summary),
        },
        facts={"incomplete": list(found.incomplete), "counts": _counts(found)},
    )


def _tables(summary: pa.Table) -> dict[str, Table]:
    """Give a table for the eye of each outcome."""
    titles = {"refused": "would be refused", "admitted": "would be admitted"}
    return {
        outcome: Table(
            summary.filter(pc.equal(summary.column("outcome"), outcome)), _SHOWN, title, _MOST_ROWS
        )
        for outcome, title in titles.items()
    }


def _with_outcomes(found: Replay) -> pa.Table:
    """Give what would be refused and admitted as one table."""
    tables = []
    for outcome, entries in (("refused", found.refused), ("admitted", found.admitted)):
        column = pa.array([outcome] * entries.num_rows, pa.string())
        tables.append(entries.add_column(0, "outcome", column))
    return pa.concat_tables(tables).unify_dictionaries()


def _counts(found: Replay) -> dict[str, int]:
    return {
        "connections": found.connections,
        "refused": found.refused.num_rows,
        "admitted": found.admitted.num_rows,
        "unjudged": found.unjudged.num_rows,
        "unexplained": found.unexplained,
    }


def _notes(found: Replay) -> list[str]:
    counts = _counts(found)
    lines = [
        f"of {counts['connections']:,} connections (each counted once at every interface that saw it)"
        f" {counts['refused']:,} would be refused, {counts['admitted']:,} newly admitted"
    ]
    could_be = found.unjudged.column("could_be").to_pylist().count("refused")
    if counts["unjudged"]:
        lines.append(
            f"{counts['unjudged']:,} are unjudged, as nobody knows who opened them:"
            f" {could_be:,} of them might be refused"
        )
    if counts["unexplained"]:
        lines.append(
            f"{counts['unexplained']:,} were accepted by no rule of the inventory: of them nothing is known"
        )
    return [*lines, *(f"incomplete: {text}" for text in found.incomplete)]


def _port(row: Row) -> str:
    name = protocol_name(row["protocol"])
    return f"{name} {row['port']}" if is_for_ports(row["protocol"]) else name


def _peer(row: Row) -> str:
    groups = row["peer_group_ids"]
    return "\n".join(groups) if groups else str(row["peer_addr"])


_SHOWN = (
    Shown("group", lambda row: "\n".join(row["group_ids"]), folds=False),
    Shown("direction", lambda row: str(row["direction"]), folds=False),
    Shown("peer", _peer),
    Shown("port", _port, folds=False),
    Shown("connections", lambda row: f"{row['connections']:,}", "right", folds=False),
    Shown(
        "first and last", lambda row: f"{moment(row['first'])}\n{moment(row['last'])}", folds=False
    ),
)
