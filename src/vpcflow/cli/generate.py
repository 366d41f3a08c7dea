"""``vpcflow generate``: simulated traffic with its inventory and the truth behind it, or records of a template."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from vpcflow.cli.generate_template import TemplateOptions, write_records
from vpcflow.errors import FormatError
from vpcflow.generate.scenario import SCENARIOS, Scenario, parse_layout, parse_start, utc
from vpcflow.generate.simulate import simulate

if TYPE_CHECKING:
    from vpcflow.generate.scenario import SimulationReport

HELP = f"""
Make flow logs: simulate a VPC, or write records of a template.

--simulate writes a VPC's flow logs as AWS lays them out in S3, and its inventory as the AWS CLI prints it: below DIR
come AWSLogs/, inventory/ and, with --truth, truth.ndjson. SCENARIO is one of:
{"; ".join(f"{name} ({what})" for name, what in SCENARIOS.items())}.
The same options and seed give the same bytes.

--template writes a line for each record of a template of the Kinesis Data Generator, 50 a second.

\b
    vpcflow generate --simulate company --seed 1 --to company/
    vpcflow generate --simulate scale --records 2000000 --to bench/ --log-format v2
    vpcflow generate --template deploy/kdg/v2.txt --set ACCOUNT_ID=123456789012 --set ENI_ID=eni-0a1b2c3d --seconds 5
    vpcflow generate --template '{{{{internet.ip}}}} {{{{date.now("X")}}}}' --count 10000 --to lines.log.gz
"""

_START = "2026-01-15T09:00:00Z"
_TO = "simulated"

_OF_TEMPLATES = ("count", "rate", "seconds", "set_")
_OF_SIMULATIONS = (
    "simulated minutes records log_format rate_scale public_addresses enis groups rules_per_group truth"
).split()


def generate_command(
    context: typer.Context,
    simulated: Annotated[
        str, typer.Option("--simulate", metavar="SCENARIO", help="What to simulate.")
    ] = "company",
    template: Annotated[
        str | None,
        typer.Option(
            "--template",
            metavar="FILE|TEXT",
            show_default=False,
            help="Write records of this template instead: {{module.method}} of the Kinesis Data Generator.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Another seed, another world, or other records.",
            show_default="1; templates: another each time",
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="DIR|FILE",
            help="Where the files go; templates: a file (also .gz or .zst), or firehose://NAME, a stream.",
            show_default=f"{_TO}; templates: standard output",
        ),
    ] = None,
    minutes: Annotated[int, typer.Option(metavar="M", help="Minutes of traffic.")] = 10,
    records: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Write exactly so many records, at the rate that takes about --minutes.",
            show_default="as many as the minutes bring",
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="When it begins; a full five minutes, UTC. Templates: times begin there, and nothing waits.",
            show_default=f"{_START}; templates: now, as time goes by",
        ),
    ] = None,
    log_format: Annotated[
        str,
        typer.Option(
            metavar="FORMAT",
            help="Layout: v2 to v11 for all fields up to that version, names, or AWS's ${…} spelling.",
        ),
    ] = "v2",
    rate_scale: Annotated[
        float, typer.Option(metavar="FACTOR", help="Multiplies the traffic; not with --records.")
    ] = 1.0,
    public_addresses: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Distinct public addresses.", show_default="2,000; scale: 25,000"
        ),
    ] = None,
    enis: Annotated[
        int, typer.Option(metavar="N", help="Network interfaces of scenario scale.")
    ] = 5_000,
    groups: Annotated[
        int, typer.Option(metavar="N", help="Security groups of scenario scale.")
    ] = 400,
    rules_per_group: Annotated[
        int, typer.Option(metavar="N", help="Ingress rules of each group of scenario scale.")
    ] = 6,
    truth: Annotated[
        bool,
        typer.Option(
            "--truth",
            help="Also write who opened each connection, the rules that admitted it, and what stopped it.",
        ),
    ] = False,
    count: Annotated[
        int | None,
        typer.Option(metavar="N", help="Templates: so many records.", show_default=False),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            metavar="N",
            help="Templates: records a second.",
            show_default="50; with --count: as many as can be made",
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(metavar="S", help="Templates: for so long.", show_default=False),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Templates: what <<NAME>> stands for; may be given more than once.",
            show_default=False,
        ),
    ] = None,
) -> None:
    _refuse_strangers(context, is_template=template is not None)
    if template is not None:
        given = TemplateOptions(template, set_ or [], count, rate, seconds, seed, start, to)
        typer.echo(write_records(given), err=True)
        return
    scenario = Scenario(
        name=simulated,
        seed=1 if seed is None else seed,
        start_s=parse_start(start or _START),
        minutes=minutes,
        records=records,
        layout=parse_layout(log_format),
        rate_scale=rate_scale,
        public_addresses=public_addresses,
        enis=enis,
        groups=groups,
        rules_per_group=rules_per_group,
        truth=truth,
    )
    typer.echo(summary(simulate(scenario, Path(to or _TO))), err=True)


def _refuse_strangers(context: typer.Context, *, is_template: bool) -> None:
    """Raise ``FormatError`` where options were given that have no say."""
    names = _OF_SIMULATIONS if is_template else _OF_TEMPLATES
    spellings = {param.name: param.opts[0] for param in context.command.params}
    given = [
        spellings[name]
        for name in names
        if (source := context.get_parameter_source(name)) is not None
        and source.name == "COMMANDLINE"
    ]
    if given:
        others = "go without --template" if is_template else "go with --template"
        raise FormatError(f"{', '.join(given)}: {others}")


def summary(report: SimulationReport) -> str:
    """Say in words what was written, and how to enrich it."""
    captured = f"{utc(report.scenario.capture_s):%Y-%m-%dT%H:%M:%SZ}"
    to = report.logs.parent
    next_command = (
        f"vpcflow enrich --inventory {quote(str(report.inventory))} --inventory-time {captured}"
        f" --to {quote(str(to / 'enriched'))}/ {quote(str(report.logs))}"
    )
    lines = [
        f"{report.records:,} records of {report.connections:,} connections: {report.accepted:,} accepted,"
        f" {report.rejected:,} rejected, {report.nodata:,} without data, {report.skipdata:,} skipped",
        f"{report.enis:,} network interfaces, {report.public_addresses:,} public addresses,"
        f" {utc(report.first_s):%Y-%m-%d %H:%M:%S} to {utc(report.last_s):%H:%M:%S} UTC",
        f"{report.files:,} files of {report.compressed_bytes:,} bytes in {report.logs}",
        f"inventory in {report.inventory}",
        *([f"truth in {report.truth}"] if report.truth else []),
        f"next:\n    {next_command}",
    ]
    return "\n".join(lines)
