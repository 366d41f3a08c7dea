"""
The decorator against the original's, and write DECORATOR.md: ``python -m bench.decorator --original FOLDER``.

FOLDER is a checkout of aws-vpc-flow-log-appender with the packages its decorator needs:

    git clone https://github.com/awslabs/aws-vpc-flow-log-appender
    cd aws-vpc-flow-log-appender && npm install --no-save lodash.find jmespath@0.15 axios@0.18

Each case is a process of its own on one core; cases take turns, and ratios are medians of the ratios of each round.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.data import Data, prepare
from bench.firehose_events import bare, events, in_envelope
from vpcflow.inventory import import_captures, snapshot_file_name, write_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

_HERE = Path(__file__).parent
_SIZES = (500, 5_000)
_TO_WARM_UP = 8
_MEASURED = 16


class Case(NamedTuple):
    """One way to decorate: its settings, None for the original's, and the form of a record."""

    name: str
    title: str
    settings: dict[str, str] | None
    form: Callable[[bytes, int], bytes]


class Took(NamedTuple):
    """One process: milliseconds of an event in the middle, without and with the JSON of the runtime's client."""

    handler_ms: float
    with_json_ms: float | None
    first_ms: float
    response_bytes: int


CASES = (
    Case("original", "the original on Node: own groups, no places", None, bare),
    Case("appender", "`appender`: own groups, source's place", {"SCHEMA": "appender"}, bare),
    Case("flat", "`flat`: all columns, both sides' groups and places", {"SCHEMA": "flat"}, bare),
    Case("enveloped", "`flat`, records in our envelope", {"SCHEMA": "flat"}, in_envelope),
)


def main() -> int:
    options = _options()
    root = Path(os.environ.get("VPCFLOW_BENCH_DATA", _HERE / "data"))
    data = prepare(root, options.records, options.enis, options.public_addresses)
    core = str(max(os.sched_getaffinity(0)))
    with tempfile.TemporaryDirectory(prefix="vpcflow-bench-") as folder:
        settings = _settings(data, Path(folder))
        rounds = [
            {
                (case.name, size): _run(case, size, data, settings, options.original, core)
                for size in _SIZES
                for case in CASES
            }
            for _ in range(options.rounds)
        ]
    text = _report(rounds, data)
    options.results.write_text(text)
    print(text)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.decorator", description=__doc__)
    parser.add_argument("--original", type=Path, required=True, help="the original's checkout")
    parser.add_argument("--records", type=int, default=2_000_000)
    parser.add_argument("--enis", type=int, default=5_000)
    parser.add_argument("--public-addresses", type=int, default=25_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", type=Path, default=_HERE / "DECORATOR.md")
    return parser.parse_args()


def _settings(data: Data, folder: Path) -> dict[str, str]:
    """Name the lookup data as a function's environment does: a snapshot of the inventory, and the city database."""
    snapshot = import_captures([data.inventory], captured_at=data.captured_s, warn=print)
    write_snapshot(snapshot, folder / snapshot_file_name(snapshot.captured_at))
    return {
        "INVENTORY": str(folder),
        "INVENTORY_LOOK_UPS": "false",
        "GEOLOCATION_ENABLED": "true",
        "GEO_DATABASE": str(data.city.path),
    }


def _run(
    case: Case, size: int, data: Data, settings: dict[str, str], original: Path, core: str
) -> Took:
    given = events(data.logs, case.form, records=size, count=_TO_WARM_UP + _MEASURED)
    if case.settings is None:
        found = _run_original(given, data, original, core)
    else:
        command = [sys.executable, "-m", "bench.decorator_run"]
        environment = {**os.environ, **settings, **case.settings, "AWS_DEFAULT_REGION": "us-east-1"}
        found = _run_pinned(command, given, core, environment)
    if found["ok"] != size:
        raise RuntimeError(f"{case.name}: {found['ok']} of {size} records are Ok")
    took = {name: found.get(name) for name in ("handler_ms", "with_json_ms")}
    warm = {name: median(all_[_TO_WARM_UP:]) if all_ else None for name, all_ in took.items()}
    first_ms = found["handler_ms"][0]
    return Took(**warm, first_ms=first_ms, response_bytes=found["response_bytes"])


def _run_original(given: Any, data: Data, original: Path, core: str) -> dict[str, Any]:
    interfaces = json.loads((data.inventory / "describe-network-interfaces.json").read_bytes())
    script = _HERE / "peers" / "original_decorator.js"
    command = [
        "node",
        str(script),
        str(original / "decorator" / "index.js"),
        str(original / "node_modules"),
    ]
    payload = {"interfaces": interfaces["NetworkInterfaces"], "events": given}
    return _run_pinned(command, payload, core, dict(os.environ))


def _run_pinned(
    command: list[str], payload: Any, core: str, environment: dict[str, str]
) -> dict[str, Any]:
    done = subprocess.run(
        ["taskset", "-c", core, *command],
        input=json.dumps(payload).encode(),
        stdout=subprocess.PIPE,
        check=True,
        env=environment,
        cwd=_HERE.parent,
    )
    return json.loads(done.stdout)


def _report(rounds: list[dict[tuple[str, int], Took]], data: Data) -> str:
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    parts = [
        "# The decorator against the original's",
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {platform.system()} {platform.release()}, {os.cpu_count()} cores,"
        f" Python {platform.python_version()}, Node {node.stdout.strip()}. Events of Firehose, of version-2 records,"
        f" {data.enis:,} ENIs, city database {data.city.description}, one core; the middle of {_MEASURED} events after"
        f" {_TO_WARM_UP} to warm up, in {len(rounds)} rounds, all cases in turns. `handler` is the function, from the"
        " event to the response as objects; `with JSON` adds what the runtime's client does at both ends. The"
        " original's EC2 is answered from memory, its log muted, its geolocation off; ours writes its line, and looks"
        " places up.",
        *(_table(rounds, size) for size in _SIZES),
        "Responses are kept below 5,000,000 bytes: where documents of all columns would be more, `flat` sheds some.",
    ]
    return "\n\n".join(parts) + "\n"


def _table(rounds: list[dict[tuple[str, int], Took]], size: int) -> str:
    lines = [
        f"## {size:,} records",
        "",
        "| | handler, ms | with JSON, ms | records/s | times as fast | response, MB |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for case in CASES:
        took = [round_[case.name, size] for round_ in rounds]
        handler_ms = median(one.handler_ms for one in took)
        times = median(
            round_["original", size].handler_ms / round_[case.name, size].handler_ms
            for round_ in rounds
        )
        with_json = [one.with_json_ms for one in took if one.with_json_ms is not None]
        lines.append(
            f"| {case.title} | {handler_ms:.1f} | {f'{median(with_json):.1f}' if with_json else ''}"
            f" | {size / handler_ms * 1000:,.0f} | {times:.1f} | {took[0].response_bytes / 1e6:.2f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
