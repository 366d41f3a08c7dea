"""``vpcflow demo``: ten minutes of a small company's traffic, enriched and looked at."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from vpcflow.cli.demo_stream import RECORDS, Passage, first_lines, pass_through
from vpcflow.cli.highlights import Highlights, Row, highlights
from vpcflow.cli.reference import ReferenceOptions, layouts_for, load_reference
from vpcflow.cli.run import Work, exit_with, run
from vpcflow.cli.sink import sink_opener
from vpcflow.cli.words import Words
from vpcflow.errors import ReferenceDataError, SinkError
from vpcflow.generate.scenario import LAYOUTS, Scenario, SimulationReport, utc
from vpcflow.generate.simulate import simulate
from vpcflow.geo import GeoDatabase
from vpcflow.geo.fetch import data_folder, default_geo_path, fetch_geo
from vpcflow.layout import Layout

if TYPE_CHECKING:
    from vpcflow.enrich import Reference
    from vpcflow.stats import Books

HELP = """
Try it: simulate a small company's VPC, enrich its flow logs, and show what is in them.

Everything is written below the directory of --to, which is made anew each time; a city database is fetched once, and
done without where it cannot be had.

\b
    vpcflow demo
    vpcflow demo --to /tmp/demo --minutes 30 --seed 3
"""

_MARK = ".vpcflow-demo"


def demo_command(
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Where the files go.")] = Path(
        "demo"
    ),
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed, other traffic.")] = 7,
    minutes: Annotated[int, typer.Option("--minutes", min=1, help="Minutes of traffic.")] = 10,
) -> None:
    """Simulate, enrich, show."""
    words = Words(quiet=False)
    _make_anew(to)
    _fetch_geo(words)
    scenario = Scenario(seed=seed, minutes=minutes, layout=LAYOUTS["v5"])
    words.say(f"simulating {minutes} minutes of traffic of a small company's VPC …")
    report = simulate(scenario, to)
    reference = load_reference(
        ReferenceOptions(
            str(report.inventory), str(scenario.capture_s), 3600, None, None, None, None, None
        ),
        words,
    )
    enriched = to / "enriched"
    work = Work(
        inputs=[str(report.logs)],
        to=f"{enriched}/",
        open_sink=sink_opener(f"{enriched}/", None, "flat"),
        layouts=layouts_for([], reference.inventory, words),
        reference=reference,
    )
    books = run(work, words, quiet=False)
    words.say(f"putting {RECORDS:,} of the records on a Firehose stream of our own …")
    passage = pass_through(first_lines(report.logs), Layout(scenario.layout), reference, seed=seed)
    _show(report, books, highlights(enriched), reference, enriched, passage)
    exit_with(books)


def _make_anew(to: Path) -> None:
    """Empty the directory of an earlier demo; refuse one that holds anything else."""
    if to.exists() and any(to.iterdir()):
        if not (to / _MARK).exists():
            raise SinkError(
                f"{str(to)!r} holds files that are no demo's: name another directory with --to"
            )
        shutil.rmtree(to)
    to.mkdir(parents=True, exist_ok=True)
    (to / _MARK).touch()


def _fetch_geo(words: Words) -> None:
    if default_geo_path() is not None:
        return
    words.say("fetching a city database, 49 MB, once …")
    try:
        fetch_geo(data_folder(os.environ))
    except ReferenceDataError as error:
        words.say(f"going on without geolocation: {error}")


def _show(
    report: SimulationReport,
    books: Books,
    seen: Highlights,
    reference: Reference,
    enriched: Path,
    passage: Passage,
) -> None:
    console = Console(highlight=False)
    scenario = report.scenario
    first, last = utc(report.first_s), utc(report.last_s)
    console.print(
        f"\n[bold]A small company's VPC[/], {first:%Y-%m-%d %H:%M}-{last:%H:%M} UTC (simulated)\n"
    )
    console.print(
        f"  {books.delivered:,} flow records of {report.enis} network interfaces:"
        f" {seen.accepted:,} accepted, {seen.rejected:,} rejected,"
        f" {sum(books.log_status.values()):,} without traffic",
        soft_wrap=True,
    )
    _table(console, "Who talks to whom (security groups)", "pair", seen.pairs)
    _table(console, "Turned away at port", "port", seen.rejected_ports)
    if seen.countries:
        _table(console, "Visitors from", "country", seen.countries)
        if isinstance(reference.geo, GeoDatabase) and reference.geo.attribution:
            console.print(f"  [dim]{reference.geo.attribution}, {reference.geo.build_date}[/]")
    _show_passage(console, passage)
    console.print("\n[bold]Files[/]")
    console.print(
        f"  flow logs  {report.logs}\n  inventory  {report.inventory}\n  enriched   {enriched}"
    )
    console.print(
        "\n[bold]Next[/]: one record in plain words, all as documents, and which rules they need"
    )
    program = shlex.quote(_program())
    options = f"--inventory {report.inventory} --inventory-time {scenario.capture_s}"
    log, line = seen.example
    console.print(f"  {program} explain {options} \\\n    --line {line} {log}", soft_wrap=True)
    console.print(f"  {program} enrich {options} {report.logs} | head -3", soft_wrap=True)
    console.print(f"  {program} rules usage {options} {report.logs}\n", soft_wrap=True)


def _show_passage(console: Console, passage: Passage) -> None:
    console.print(
        "\n[bold]Through a Firehose stream[/] (in this process), while everything goes wrong"
    )
    console.print(
        f"  {passage.records:,} records put: refused {passage.refused:,} times, unanswered"
        f" {passage.unanswered:,} times, failed by the function {passage.failed:,} times,\n"
        "  and the index down for an hour\n"
        f"  {passage.redriven:,} redriven; in the end {passage.documents:,} flows in the index,"
        f" and {passage.copies:,} copies with the same ids",
        soft_wrap=True,
    )


def _program() -> str:
    """Say how the program was called, so that the next command works as it is printed."""
    called = Path(sys.argv[0])
    return str(called) if called.exists() and called.name == "vpcflow" else "vpcflow"


def _table(console: Console, title: str, what: str, rows: list[Row]) -> None:
    if not rows:
        return
    table = Table(box=None, padding=(0, 2), show_header=True, header_style="dim")
    table.add_column(what, min_width=34)
    table.add_column("records", justify="right")
    table.add_column("bytes", justify="right")
    for row in rows:
        table.add_row(row.what, f"{row.records:,}", _size(row.bytes))
    console.print(f"\n[bold]{title}[/]")
    console.print(table)


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:,.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"
