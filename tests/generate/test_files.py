"""The files: AWS's S3 layout, the same bytes for the same seed, as many records as asked for."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from simulated import lines_of, log_files, records_of, simulated

from vpcflow.errors import FormatError, SinkError
from vpcflow.generate import LAYOUTS, Scenario, SimulationReport, parse_layout, parse_start

KEY = re.compile(
    r"AWSLogs/123456789012/vpcflowlogs/us-east-1/2026/01/15/123456789012_vpcflowlogs_us-east-1_"
    r"fl-[0-9a-f]{17}_(20260115T\d\d\d[05]Z)_[0-9a-f]{8}\.log\.gz"
)


def digests(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize(
    "scenario", [{"truth": True}, {"name": "scale", "enis": 50, "records": 5_000}]
)
def test_the_same_arguments_give_the_same_bytes(scenario: dict[str, Any], tmp_path: Path) -> None:
    simulated(tmp_path / "first", **scenario)
    simulated(tmp_path / "second", **scenario)
    simulated(tmp_path / "other", seed=2, **scenario)

    assert digests(tmp_path / "first") == digests(tmp_path / "second")
    assert digests(tmp_path / "first").values() != digests(tmp_path / "other").values()


def test_records_lie_in_the_file_of_the_five_minutes_they_end_in(company: SimulationReport) -> None:
    for path in log_files(company):
        found = KEY.fullmatch(str(path.relative_to(company.logs.parent)))
        assert found
        slot = datetime.strptime(found[1], "%Y%m%dT%H%MZ").replace(tzinfo=UTC).timestamp()
        header, *lines = lines_of(path)
        ends = [int(line.split(" ")[LAYOUTS["v11"].index("end")]) for line in lines]

        assert header == " ".join(LAYOUTS["v11"])
        assert slot <= min(ends) and max(ends) < slot + 300


def test_traffic_lasts_as_long_as_asked(company: SimulationReport) -> None:
    start = company.scenario.start_s

    ends = [int(r["end"]) for r in records_of(company)]

    assert min(ends) < start + 60
    assert start + 6 * 60 < max(ends) < start + 7 * 60


def test_the_report_counts_what_is_in_the_files(company: SimulationReport) -> None:
    records = records_of(company)

    assert company.records == len(records)
    assert company.accepted == sum(r["action"] == "ACCEPT" for r in records)
    assert company.rejected == sum(r["action"] == "REJECT" for r in records)
    assert company.files == len(log_files(company))
    assert company.compressed_bytes == sum(p.stat().st_size for p in log_files(company))
    assert (company.first_s, company.last_s) == (
        min(int(r["start"]) for r in records),
        max(int(r["end"]) for r in records),
    )


def test_exactly_as_many_records_as_asked_for_are_cut_into_files(tmp_path: Path) -> None:
    report = simulated(
        tmp_path / "cut", name="scale", enis=50, records=5_000, records_per_file=1_000
    )

    sizes = [len(lines_of(path)) - 1 for path in log_files(report)]

    assert sum(sizes) == report.records == 5_000
    assert max(sizes) == 1_000


def test_records_are_reached_in_about_the_minutes_given(scale: SimulationReport) -> None:
    seconds = scale.last_s - scale.scenario.start_s

    assert scale.records == 25_000
    assert 240 <= seconds <= 330


def test_a_directory_that_holds_generated_files_is_left_alone(tmp_path: Path) -> None:
    simulated(tmp_path, minutes=1)

    with pytest.raises(SinkError, match="already holds AWSLogs"):
        simulated(tmp_path, minutes=1)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"name": "moon"}, "unknown scenario 'moon'"),
        ({"start_s": 1_768_467_601}, "multiple of five minutes"),
        ({"minutes": 0}, "minutes must be from 1"),
        ({"layout": ("srcaddr", "src-addr")}, "unknown flow log fields: src-addr"),
        ({"layout": ("end", "end")}, "named twice: end"),
    ],
)
def test_what_makes_no_sense_is_said(values: dict[str, Any], words: str) -> None:
    with pytest.raises(FormatError, match=words):
        Scenario(**values)


def test_a_layout_may_be_written_in_three_ways() -> None:
    assert parse_layout("v2") == LAYOUTS["v2"]
    assert parse_layout("${srcaddr} ${end}") == parse_layout("srcaddr end") == ("srcaddr", "end")


def test_a_start_is_utc_unless_it_says_otherwise() -> None:
    assert parse_start("2026-01-15T09:00:00Z") == parse_start("2026-01-15 09:00") == 1_768_467_600
    assert parse_start("2026-01-15T10:00:00+01:00") == 1_768_467_600
    with pytest.raises(FormatError, match="'tomorrow' is no time"):
        parse_start("tomorrow")
