"""Write what was measured as RESULTS.md."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.data import Data
    from bench.measure import Measured, Sample

_PACKAGES = ("vpcflow", "pyarrow", "numpy", "isal", "orjson", "maxminddb", "duckdb")


class Target(NamedTuple):
    """What is to be reached on one core: million records a second, peak MiB, times as fast as peers."""

    million_s: float
    peak_mib: int
    faster_than: Mapping[str, float] = {}


TARGETS = {
    "a": Target(0.6, 600),
    "b": Target(0.6, 600, {"duckdb_b": 2.5}),
    "c": Target(0.45, 600, {"duckdb_c": 3.0, "loop_c": 3.5}),
    "d": Target(0.25, 900),
}

_PEERS = {"b": ("duckdb_b", "loop_b"), "c": ("duckdb_c", "loop_c")}


class Results(NamedTuple):
    """
    ``runs`` by the number of cores; ``enrichers`` and ``schemas`` by name; ``larger`` are single runs of more records.
    """

    data: Data
    when: str
    rounds: int
    runs: Mapping[int, Sequence[Measured]]
    enrichers: Mapping[str, Mapping[str, float]]
    schemas: Mapping[str, Mapping[str, float]]
    larger_records: int = 0
    larger: Mapping[str, Sample] = {}


def report(results: Results) -> str:
    """Word the results."""
    parts = [
        _head(results),
        *(_cores(results, cores) for cores in results.runs),
        _targets(results),
        _enrichers(results),
        _schemas(results),
        _larger(results),
        _REPEAT,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


_REPEAT = """## Repeat it

`make bench` does all of this and writes this file; [README.md](README.md) says what is measured and how."""


def _head(results: Results) -> str:
    data = results.data
    packages = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    return f"""# Results

{results.when}, {platform.system()} {platform.release()}, {_processor()}, {os.cpu_count()} cores, \
{_memory_gib():.0f} GiB, Python {platform.python_version()}; {packages}.

{data.records:,} version-2 records in {data.files} gzip files ({data.compressed_bytes / 1e6:.0f} MB, \
{data.text_bytes / 1e6:.0f} MB of text), {data.enis:,} ENIs, {data.public_addresses:,} distinct public addresses; city \
database {data.city.description}. Every run is a whole process, start-up included, with its output in memory \
(`/dev/shm` where there is one); medians of {results.rounds} after one to warm up, all cases in turns. \
Counts and sums of all outputs agree. CPU and peak memory are of the process as the kernel counts them."""


def _cores(results: Results, cores: int) -> str:
    runs = results.runs[cores]
    lines = [
        f"## {'One core' if cores == 1 else f'{cores} cores'}",
        "",
        "| | case | s | records/s | CPU s | peak MiB | ns a record |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for run in runs:
        name = f"({run.case.name})" if len(run.case.name) == 1 else ""
        per_second = results.data.records / run.wall_s
        lines.append(
            f"| {name} | {run.case.title} | {run.wall_s:.2f} ({_spread(run)}) | {per_second / 1e6:.2f} M |"
            f" {run.cpu_s:.2f} | {run.peak_mib:.0f} | {run.wall_s * 1e9 / results.data.records:,.0f} |"
        )
    by_name = {run.case.name: run for run in runs}
    lines += ["", "| times as fast as | DuckDB | Python loop | the floor |", "|---|--:|--:|--:|"]
    for name, peers in _PEERS.items():
        ratios = [by_name[name].times_faster_than(by_name[peer]) for peer in (*peers, "floor")]
        lines.append(f"| ({name}) | {' | '.join(f'{ratio:.2f}' for ratio in ratios)} |")
    return "\n".join(lines)


def _spread(run: Measured) -> str:
    walls = [sample.wall_s for sample in run.samples]
    return f"{min(walls):.2f}–{max(walls):.2f}"


def _targets(results: Results) -> str:
    """Set the targets beside what was measured on one core."""
    if 1 not in results.runs:
        return ""
    by_name = {run.case.name: run for run in results.runs[1]}
    lines = ["## Targets, on one core", "", "| | target | measured | |", "|---|---|--:|---|"]
    for name, target in TARGETS.items():
        run = by_name[name]
        speed = results.data.records / run.wall_s / 1e6
        rows = [
            (f"{target.million_s} M records/s", f"{speed:.2f} M", speed >= target.million_s),
            (
                f"at most {target.peak_mib} MiB",
                f"{run.peak_mib:.0f}",
                run.peak_mib <= target.peak_mib,
            ),
        ]
        for peer, times in target.faster_than.items():
            ratio = run.times_faster_than(by_name[peer])
            said = "DuckDB" if peer.startswith("duckdb") else "the Python loop"
            rows.append((f"{times} times as fast as {said}", f"{ratio:.2f}", ratio >= times))
        for wanted, measured, met in rows:
            lines.append(f"| ({name}) | {wanted} | {measured} | {'met' if met else '**missed**'} |")
    return "\n".join(lines)


def _enrichers(results: Results) -> str:
    if not results.enrichers:
        return ""
    lines = [
        "## Enrichers, ns a record",
        "",
        "In one process on one core, on batches of 16 MiB of text. `shared` is what several of them ask for: the ENI of"
        " each row at its time, the addresses of the batch. The first pass meets every address for the first time.",
        "",
        "| enricher | first pass | warm |",
        "|---|--:|--:|",
    ]
    for name, took in results.enrichers.items():
        lines.append(f"| {name} | {took['first_ns']:.0f} | {took['warm_ns']:.0f} |")
    total = [sum(took[k] for took in results.enrichers.values()) for k in ("first_ns", "warm_ns")]
    lines.append(f"| all | {total[0]:.0f} | {total[1]:.0f} |")
    return "\n".join(lines)


def _schemas(results: Results) -> str:
    if not results.schemas:
        return ""
    lines = [
        "## NDJSON of each schema, ns a record",
        "",
        "In one process on one core: documents of flows that all enrichers have been at, without what it takes to parse"
        " and enrich them, or to write anywhere.",
        "",
        "| schema | ns | bytes | MB/s | times `flat`'s ns |",
        "|---|--:|--:|--:|--:|",
    ]
    flat_ns = results.schemas["flat"]["warm_ns"]
    for name, took in results.schemas.items():
        ns, size = took["warm_ns"], took["bytes"]
        lines.append(
            f"| `{name}` | {ns:,.0f} | {size:,.0f} | {size / ns * 1e3:,.0f} | {ns / flat_ns:.2f} |"
        )
    return "\n".join(lines)


def _larger(results: Results) -> str:
    if not results.larger:
        return ""
    lines = [
        f"## {results.larger_records:,} records, one core, one run each",
        "",
        "| | s | records/s | peak MiB | of the smaller |",
        "|---|--:|--:|--:|--:|",
    ]
    by_name = {run.case.name: run for run in results.runs.get(1, ())}
    for name, sample in results.larger.items():
        smaller = f"{by_name[name].peak_mib:.0f}" if name in by_name else ""
        speed = results.larger_records / sample.wall_s / 1e6
        lines.append(
            f"| ({name}) | {sample.wall_s:.1f} | {speed:.2f} M | {sample.peak_mib:.0f} | {smaller} |"
        )
    return "\n".join(lines)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(sources)"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
