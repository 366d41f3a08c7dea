"""``vpcflow generate``: what it says, and what it hands on."""

from __future__ import annotations

from pathlib import Path

import typer
from simulated import records_of
from typer.testing import CliRunner

from vpcflow.cli.generate import generate_command, summary
from vpcflow.generate import Scenario, simulate


def run(*arguments: str) -> tuple[int, str, str]:
    app = typer.Typer()
    app.command()(generate_command)
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


def test_options_reach_the_simulation_and_words_go_to_standard_error(tmp_path: Path) -> None:
    to = tmp_path / "world"

    code, out, err = run(
        "--simulate", "company", "--seed", "7", "--to", str(to), "--minutes", "1", "--truth",
        "--start", "2026-02-03T10:05:00Z", "--log-format", "${srcaddr} ${action}",
    )  # fmt: skip

    assert (code, out) == (0, "")
    assert "inventory-time 2026-02-03T10:05:30Z" in err
    assert f"vpcflow enrich --inventory {to}/inventory" in err
    assert (to / "AWSLogs/123456789012/vpcflowlogs/us-east-1/2026/02/03").is_dir()
    assert (to / "truth.ndjson").stat().st_size > 0


def test_the_summary_counts_records(tmp_path: Path) -> None:
    report = simulate(Scenario(minutes=1), tmp_path)

    words = summary(report)

    assert f"{len(records_of(report)):,} records of {report.connections:,} connections" in words
