"""
Measure the commands of ``vpcflow rules`` on 10 million records, 5,000 network interfaces, 500 groups and 10,000 ingress
rules, and write their section of RESULTS.md: ``python -m bench.rules``.

The input is kept below ``bench/data``, as that of the other cases is. Whole processes are measured, on two cores; the
steps of ``usage`` by themselves in one more process on one core.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench.measure import Case, Sample, run_once
from vpcflow.generate.scenario import LAYOUTS, Scenario
from vpcflow.generate.simulate import simulate

_HERE = Path(__file__).parent
_SECTION = re.compile(r"\n*<!-- rules -->.*<!-- end of rules -->\n", re.DOTALL)
_TARGET_S, _TARGET_MIB = 60, 2048
_SEED = 7


class Input(NamedTuple):
    """The simulated account and its logs."""

    folder: Path
    captured_s: int
    records: int
    connections: int
    text_bytes: int


def main() -> int:
    options = _options()
    root = Path(os.environ.get("VPCFLOW_BENCH_DATA", _HERE / "data"))
    given = _prepare(root, options.records)
    cores = sorted(os.sched_getaffinity(0))[-2:]
    with tempfile.TemporaryDirectory(prefix="vpcflow-bench-") as folder:
        out = Path(folder)
        measured = {}
        for case in _cases(given, out):
            samples = [run_once(case, cores, out) for _ in range(options.rounds)]
            measured[case.title] = samples
            print(f"{case.title}: {samples}", flush=True)
        steps = _steps(given, cores[-1:])
    section = _report(given, measured, steps, len(cores))
    page = options.results.read_text() if options.results.exists() else ""
    options.results.write_text(with_section(page, section))
    print(section)
    return 0


def with_section(page: str, section: str) -> str:
    """Put this section at the end of a page of results, instead of the one that is there."""
    return f"{_SECTION.sub('', page).rstrip()}\n\n{section.strip()}\n" if section else page


def section_of(page: str) -> str:
    """Give the section that a page has, empty if none: other results are written anew without it."""
    found = _SECTION.search(page)
    return found.group().strip() if found else ""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.rules", description=__doc__)
    parser.add_argument("--records", type=int, default=10_000_000, help="how many (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each (%(default)s)")
    parser.add_argument(
        "--results", type=Path, default=_HERE / "RESULTS.md", help="the page (%(default)s)"
    )
    return parser.parse_args()


def _prepare(root: Path, records: int) -> Input:
    scenario = Scenario(
        name="scale",
        records=records,
        enis=5_000,
        groups=500,
        rules_per_group=20,
        layout=LAYOUTS["v5"],
        seed=_SEED,
    )
    folder = root / f"rules-{records}"
    wanted = {**asdict(scenario), "layout": list(scenario.layout)}
    manifest = folder / "manifest.json"
    made = json.loads(manifest.read_bytes()) if manifest.exists() else {}
    if made.get("wanted") != wanted:
        print(f"generating {records:,} records …", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        report = simulate(scenario, folder)
        counts = {"connections": report.connections, "text_bytes": report.text_bytes}
        made = {"wanted": wanted, "records": report.records, **counts}
        manifest.write_text(json.dumps(made, indent=1))
    return Input(
        folder, scenario.capture_s, made["records"], made["connections"], made["text_bytes"]
    )


def _cases(given: Input, out: Path) -> list[Case]:
    vpcflow = (sys.executable, "-m", "vpcflow", "rules")
    rest = (
        *("--inventory", str(given.folder / "inventory")),
        *("--inventory-time", str(given.captured_s), "--geo", "off", "--quiet"),
        str(given.folder / "AWSLogs"),
    )

    def case(verb: str, suffix: str, *options: str) -> Case:
        path = out / f"{verb}.{suffix}"
        title = f"rules {verb} → {suffix}"
        return Case(verb, title, (*vpcflow, verb, *options, "--to", str(path), *rest), path)

    return [case("usage", "json", "--format", "json"), case("attribute", "parquet")]


def _steps(given: Input, cores: list[int]) -> dict[str, float]:
    command = [
        *(sys.executable, "-m", "bench.rule_steps", "--folder", str(given.folder)),
        *("--captured-s", str(given.captured_s), "--core", str(cores[0])),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=_HERE.parent)
    steps: dict[str, float] = json.loads(done.stdout)
    return steps


def _report(
    given: Input, measured: dict[str, list[Sample]], steps: dict[str, float], cores: int
) -> str:
    lines = [
        "<!-- rules -->",
        "## Which rules the traffic needs",
        "",
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {cores} cores: {given.records:,} version-5 records"
        f" ({given.text_bytes / 1e9:.1f} GB of text, gzip) of {given.connections:,} connections, 5,000 interfaces,"
        " 500 groups, 10,000 ingress rules; medians, whole processes. Peak memory is that of the largest process.",
        "",
        "| | s | records/s | CPU s | peak MiB |",
        "|---|--:|--:|--:|--:|",
    ]
    for title, samples in measured.items():
        wall, cpu, peak = (median(column) for column in zip(*samples, strict=True))
        lines.append(
            f"| {title} | {wall:.1f} | {given.records / wall / 1e6:.2f} M | {cpu:.1f} | {peak:,.0f} |"
        )
    usage = measured["rules usage → json"]
    wall, peak = median(s.wall_s for s in usage), median(s.peak_mib for s in usage)
    lines += [
        "",
        f"Target of usage: {_TARGET_S} s ({_verdict(wall <= _TARGET_S)}) and {_TARGET_MIB:,} MiB"
        f" ({_verdict(peak <= _TARGET_MIB)}).",
        "",
        "Step by step, in one process on one core:",
        "",
        "| step of usage | s | µs a record |",
        "|---|--:|--:|",
    ]
    lines += [
        f"| {step} | {seconds:.1f} | {1e6 * seconds / given.records:.2f} |"
        for step, seconds in steps.items()
    ]
    return "\n".join([*lines, "", "<!-- end of rules -->", ""])


def _verdict(is_met: bool) -> str:
    return "met" if is_met else "**missed**"


if __name__ == "__main__":
    sys.exit(main())
