"""``vpcflow rules usage``: what each security group rule let through, and which can go."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
import typer
from rich.text import Text

from vpcflow.addresses import parse_addresses
from vpcflow.admission import RuleBook
from vpcflow.cli import options
from vpcflow.cli.rules.inputs import Given, Heard, hear, rules_reference
from vpcflow.cli.rules.output import (
    Result,
    ResultFormat,
    ResultTo,
    Shown,
    Table,
    amount,
    moment,
    open_output,
)
from vpcflow.cli.run import status_of
from vpcflow.cli.words import Words
from vpcflow.codes import RULE_VERDICTS, USAGE_REASONS
from vpcflow.errors import FormatError
from vpcflow.rules.coverage import CoverageBuilder
from vpcflow.rules.covered import covered_of
from vpcflow.rules.recording import LATE_S, Recording, Unsettled
from vpcflow.rules.state import State, read_state, write_state
from vpcflow.rules.tally import Tally
from vpcflow.rules.usage import MIN_COVERAGE, MIN_DAYS, Demands, Usage, usage_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vpcflow.geo import GeoLookup

HELP = """
Tell what each security group rule let through, and which rules nothing needs.

Every rule of the inventory is listed with its verdict: used, redundant (all it admitted another rule admits too),
unused, or unproven, with the reasons: no rule is called unused unless the logs cover nearly all the time of its group's
interfaces. INPUT is what `vpcflow enrich` takes, or what `vpcflow rules attribute` wrote.

With --state daily runs add up: each reads its own day, and reports on all since the first.

\b
    vpcflow rules usage --inventory inventory/ AWSLogs/
    vpcflow rules usage --inventory s3://example-snapshots/ --state usage/ --format json AWSLogs/ > usage.json
"""

_COLOURS = {"used": "green", "redundant": "yellow", "unused": "red", "unproven": "dim"}

StateFolder = Annotated[
    str | None,
    typer.Option(
        "--state",
        metavar="DIR",
        show_default=False,
        help="Folder that keeps what was counted, so that the next run need not read it again; without INPUT it is"
        " only reported on.  [default: none]",
    ),
]
Late = Annotated[
    int,
    typer.Option(
        "--late",
        metavar="SECONDS",
        min=0,
        help="With --state: how much later than newer records one may come and still join its connection.",
    ),
]
MinCoverage = Annotated[
    float,
    typer.Option(
        "--min-coverage",
        metavar="SHARE",
        min=0.0,
        max=1.0,
        help="Share of the time of a group's interfaces that logs must cover for a rule to be called unused.",
    ),
]
MinDays = Annotated[
    float,
    typer.Option(
        "--min-days", metavar="DAYS", min=0.0, help="Days that the recording must last for that."
    ),
]


def usage_command(
    inputs: options.Inputs = None,
    inventory: options.InventoryPath = None,
    inventory_time: options.InventoryTime = None,
    inventory_max_age: options.InventoryMaxAge = 3600,
    max_stale: options.MaxStale = None,
    geo: options.Geo = None,
    log_format: options.LogFormat = None,
    since: options.Since = None,
    until: options.Until = None,
    state: StateFolder = None,
    late: Late = LATE_S,
    min_coverage: MinCoverage = MIN_COVERAGE,
    min_days: MinDays = MIN_DAYS,
    to: ResultTo = None,
    format_: ResultFormat = None,
    rejects: options.Rejects = None,
    quiet: options.Quiet = False,
) -> None:
    """Report the usage, and end with the exit status the books call for."""
    words = Words(quiet=quiet)
    output = open_output(to, format_)
    times = options.read_times(since, until)
    if state is not None and (since is not None or until is not None):
        raise FormatError("--state keeps all it has seen: leave --since and --until out")
    given = Given(
        inputs or [],
        inventory,
        inventory_time,
        inventory_max_age,
        max_stale,
        geo,
        log_format=log_format or [],
        times=times,
        rejects=rejects,
        quiet=quiet,
    )
    coverage = CoverageBuilder()
    folder = None if state is None else Path(state)
    known = None if folder is None else read_state(folder, coverage)
    with _heard(given, words, coverage, known) as heard:
        tables = _count(heard, coverage, known, folder, late)
        covered = covered_of(
            heard.inventory,
            coverage.coverage(heard.inventory),
            since=None if times.since is None else int(times.since),
            until=None if times.until is None else int(times.until),
        )
        usage = usage_of(
            heard.inventory,
            tables,
            covered,
            demands=Demands(min_coverage, min_days),
            country_of=_country_of(heard.reference.geo),
        )
    output.write(_result(usage))
    raise typer.Exit(status_of(heard.books))


@contextlib.contextmanager
def _heard(
    given: Given, words: Words, coverage: CoverageBuilder, known: State | None
) -> Iterator[Heard]:
    """Read the inputs; where there are none but a state, only what that knows is looked at."""
    if known is not None and not given.inputs:
        from vpcflow.stats import Books

        reference = rules_reference(given, words)
        assert reference.inventory is not None
        with Recording(reference) as recording:
            yield Heard(
                reference, reference.inventory, RuleBook(reference.inventory), recording, Books()
            )
        return
    with hear(given, words, coverage.add) as heard:
        yield heard


def _count(
    heard: Heard,
    coverage: CoverageBuilder,
    known: State | None,
    folder: Path | None,
    late_s: int,
) -> dict[str, pa.Table]:
    """Count all connections by rule; what is settled goes to the state, where one is kept."""
    settled, open_ = Tally(heard.book), Tally(heard.book)
    if folder is None:
        for batch in heard.connections():
            open_.add(batch)
        return open_.tables()
    if known is not None:
        settled.add_tables(known.tally)
        heard.recording.remember(known.memory)
    with Unsettled() as left:
        for batch in heard.connections(late_s=late_s, unsettled=left):
            is_settled = batch.column("settled")
            settled.add(batch.filter(is_settled))
            open_.add(batch.filter(pc.invert(is_settled)))
        if heard.books.inputs:
            memory = heard.recording.memory(left)
            write_state(folder, State(settled.tables(), memory), coverage)
    every = Tally(heard.book)
    every.add_tables(settled.tables())
    every.add_tables(open_.tables())
    return every.tables()


def _country_of(geo: GeoLookup | None) -> Callable[[pa.StringArray], pa.Array] | None:
    if geo is None:
        return None
    return lambda texts: geo.places(parse_addresses(texts)).column("country_code")


def _result(usage: Usage) -> Result:
    verdicts = [row["verdict"] for row in usage.rules]
    counted = ", ".join(f"{verdicts.count(one):,} {one}" for one in RULE_VERDICTS)
    share = usage.coverage["share"]
    reasons = sorted({reason for row in usage.rules for reason in row["reasons"]})
    notes: list[str | Text] = [
        f"{len(verdicts):,} rules: {counted}",
        f"The logs cover {'nothing' if share is None else f'{share:.1%}'} of the interfaces' time,"
        f" {usage.coverage['days']:,.1f} days from {moment(usage.coverage['since'])}"
        f" to {moment(usage.coverage['until'])}.",
        *(f"{reason}: {USAGE_REASONS[reason]}" for reason in reasons),
        "next: vpcflow rules propose, with the same options, says what can be dropped and narrowed",
    ]
    return Result(
        {
            "rules": Table(pa.Table.from_pylist(usage.rules, _RULES), _shown_rules(), "Rules"),
            "groups": Table(pa.Table.from_pylist(usage.groups, _GROUPS), _shown_groups(), "Groups"),
        },
        facts={"coverage": usage.coverage},
        notes=notes,
    )


def _counts(name: str) -> pa.DataType:
    return pa.list_(pa.struct([(name, pa.string()), ("connections", pa.int64())]))


_RULES = pa.schema(
    [
        *((name, pa.string()) for name in ("rule_id", "group_id", "group_name", "direction", "protocol")),
        ("from_port", pa.int32()),
        ("to_port", pa.int32()),
        ("counterpart", pa.string()),
        ("counterpart_name", pa.string()),
        ("description", pa.string()),
        ("verdict", pa.string()),
        ("proven", pa.bool_()),
        ("reasons", pa.list_(pa.string())),
        *((name, pa.int64()) for name in ("connections", "unique_connections", "reply_connections")),
        *((name, pa.int64()) for name in ("unjudged_connections", "bytes", "packets")),
        ("first_seen", pa.int64()),
        ("last_seen", pa.int64()),
        ("peers", pa.int64()),
        ("peers_by_group", _counts("group_id")),
        ("peers_by_cidr", _counts("cidr")),
        ("peers_by_country", _counts("country")),
        ("ports", pa.list_(pa.struct([("port", pa.int32()), ("connections", pa.int64())]))),
        ("ports_used", pa.int64()),
        ("ports_allowed", pa.int64()),
        ("coverage", pa.float64()),
        ("days", pa.float64()),
    ]
)  # fmt: skip
_GROUPS = pa.schema(
    [
        *((name, pa.string()) for name in ("group_id", "group_name", "status")),
        *((name, pa.int64()) for name in ("interfaces", "connections", "rules", "rules_unused")),
        ("referenced_by", pa.list_(pa.string())),
        ("coverage", pa.float64()),
    ]
)


def _shown_rules() -> list[Shown]:
    return [
        Shown("group", lambda row: row["group_name"] or row["group_id"]),
        Shown("rule", lambda row: row["rule_id"], folds=False),
        Shown("allows", _allows),
        Shown("admits", lambda row: f"{row['connections']:,}", "right", folds=False),
        Shown("only it", lambda row: f"{row['unique_connections']:,}", "right", folds=False),
        Shown("bytes", lambda row: amount(row["bytes"]), "right", folds=False),
        Shown("verdict", lambda row: Text(row["verdict"], _COLOURS[row["verdict"]]), folds=False),
        Shown("because", lambda row: " ".join(row["reasons"])),
    ]


def _shown_groups() -> list[Shown]:
    return [
        Shown("group", lambda row: row["group_name"] or row["group_id"]),
        Shown("id", lambda row: row["group_id"], folds=False),
        Shown("is", lambda row: row["status"]),
        Shown("interfaces", lambda row: f"{row['interfaces']:,}", "right"),
        Shown("connections", lambda row: f"{row['connections']:,}", "right"),
        Shown("rules", lambda row: f"{row['rules']:,}", "right"),
        Shown("referred to by", lambda row: f"{len(row['referenced_by']):,}", "right"),
    ]


def _allows(row: Any) -> str:
    ports = ""
    if row["from_port"] is not None:
        same = row["to_port"] in (None, row["from_port"])
        ports = f"/{row['from_port']}" + ("" if same else f"-{row['to_port']}")
    way = "to" if row["direction"] == "egress" else "from"
    return f"{row['protocol']}{ports} {way} {row['counterpart_name'] or row['counterpart']}"
