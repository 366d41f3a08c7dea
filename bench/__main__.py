"""
Measure, compare and write RESULTS.md: ``python -m bench``.

This process stays small and does nothing while others are measured; what is heavy has processes of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from bench.agreement import disagreements
from bench.cases import peer_cases, vpcflow_cases
from bench.data import Data, prepare
from bench.measure import Measured, Sample, run_in_turns, run_once
from bench.report import Results, report
from bench.rules import section_of, with_section

_HERE = Path(__file__).parent
_ENRICHED = ("b", "c", "d", "duckdb_b", "loop_b", "duckdb_c", "loop_c")


def main() -> int:
    options = _options()
    # Gigabytes are left in memory where the folder is not removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    root = Path(os.environ.get("VPCFLOW_BENCH_DATA", _HERE / "data"))
    data = _prepare(root, options.records, options.enis, options.public_addresses)
    print(
        f"{data.records:,} records, {data.enis:,} ENIs, {data.public_addresses:,} distinct public addresses"
    )
    print(f"city database: {data.city.description}")
    with tempfile.TemporaryDirectory(prefix="vpcflow-bench-", dir=_memory_folder()) as folder:
        out = Path(folder)
        runs = {}
        for count in options.cores:
            cores = sorted(os.sched_getaffinity(0))[-count:]
            print(f"on {count} of {os.cpu_count()} cores:", flush=True)
            runs[count] = _measured(data, cores, options.rounds, out)
        enrichers, schemas = _in_process(data, "enrichers"), _in_process(data, "schemas")
        larger_records = 10 * data.records if options.scale_check else 0
        larger = _larger(root, larger_records, options, out) if options.scale_check else {}
    when = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    results = Results(data, when, options.rounds, runs, enrichers, schemas, larger_records, larger)
    text = report(results)
    kept = section_of(options.results.read_text()) if options.results.exists() else ""
    options.results.write_text(with_section(text, kept))
    print(text)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--records", type=int, default=2_000_000, help="how many (%(default)s)")
    parser.add_argument("--enis", type=int, default=5_000, help="how many (%(default)s)")
    parser.add_argument(
        "--public-addresses", type=int, default=25_000, help="how many (%(default)s)"
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help="runs after one to warm up (%(default)s)"
    )
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2], help="pin to so many (1 2)")
    parser.add_argument(
        "--scale-check",
        action="store_true",
        help="also run (a) to (d) once on ten times the records",
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=_HERE / "RESULTS.md",
        help="where the table goes (%(default)s)",
    )
    return parser.parse_args()


def _prepare(root: Path, records: int, enis: int, public_addresses: int) -> Data:
    with ProcessPoolExecutor(1) as pool:
        return pool.submit(prepare, root, records, enis, public_addresses).result()


def _memory_folder() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _measured(data: Data, cores: list[int], rounds: int, out: Path) -> list[Measured]:
    """Measure all cases, and then see whether their outputs say the same."""
    cases = [*vpcflow_cases(data, out), *peer_cases(data, out)]
    measured = run_in_turns(cases, cores, rounds, out)
    written = {case.name: case.out for case in cases}
    enriched = [written[name] for name in _ENRICHED]
    with ProcessPoolExecutor(1) as pool:
        found = pool.submit(disagreements, [written["a"]], enriched).result()
    if found:
        raise SystemExit("the outputs do not agree:\n" + "\n".join(found))
    print("  counts and sums of all outputs agree")
    for path in written.values():
        path.unlink()
    return measured


def _in_process(data: Data, what: str) -> dict[str, dict[str, float]]:
    """Measure parts of the way by themselves: ``bench/enrichers.py`` or ``bench/schemas.py``."""
    print(f"{what} …", flush=True)
    options = {
        "core": max(os.sched_getaffinity(0)),
        "captured-s": data.captured_s,
        "logs": data.logs,
        "inventory": data.inventory,
        "geo": data.city.path,
        "lookups": data.lookups,
    }
    arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    command = [sys.executable, "-m", f"bench.{what}", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=_HERE.parent)
    return json.loads(done.stdout)


def _larger(root: Path, records: int, options: argparse.Namespace, out: Path) -> dict[str, Sample]:
    """Run (a) to (d) once on more records, each output removed before the next."""
    data = _prepare(root, records, options.enis, options.public_addresses)
    print(f"{records:,} records:", flush=True)
    samples = {}
    for case in vpcflow_cases(data, out):
        samples[case.name] = run_once(case, [max(os.sched_getaffinity(0))], out)
        print(f"  {case.name}: {samples[case.name]}", flush=True)
        case.out.unlink()
    return samples


if __name__ == "__main__":
    sys.exit(main())
