"""``vpcflow generate``: simulated traffic, its inventory and, if asked for, the truth behind it."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from vpcflow.generate.scenario import SCENARIOS, Scenario, parse_layout, parse_start, utc
from vpcflow.generate.simulate import simulate

if TYPE_CHECKING:
    from vpcflow.generate.scenario import SimulationReport

HELP = f"""
Simulate a VPC: write its flow logs as AWS lays them out in S3, and its inventory as the AWS CLI prints it.

SCENARIO is one of: {"; ".join(f"{name} ({what})" for name, what in SCENARIOS.items())}.
The same options and seed give the same bytes. Below DIR come AWSLogs/, inventory/ and, with --truth, truth.ndjson.

\b
    vpcflow generate --simulate company --seed 1 --to company/
    vpcflow generate --simulate scale --records 2000000 --to bench/ --log-format v2
"""


def generate_command(
    simulated: Annotated[
        str, typer.Option("--simulate", metavar="SCENARIO", help="What to simulate.")
    ] = "company",
    seed: Annotated[int, typer.Option(metavar="N", help="Another seed, another world.")] = 1,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Where the files go.")] = Path(
        "simulated"
    ),
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
        str, typer.Option(metavar="TIME", help="When it begins; a full five minutes, UTC.")
    ] = "2026-01-15T09:00:00Z",
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
            "--truth", help="Also write who opened each connection and the rules that admitted it."
        ),
    ] = False,
) -> None:
    scenario = Scenario(
        name=simulated,
        seed=seed,
        start_s=parse_start(start),
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
    typer.echo(summary(simulate(scenario, to)), err=True)


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
