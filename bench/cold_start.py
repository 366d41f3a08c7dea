"""
Cold starts: how long the built functions take from a new process to the first answer, under Lambda's runtime client.

    python -m bench.cold_start [--rounds 7]

Needs what `make integration` installs. What Lambda adds itself (a sandbox, the download of the code, disks that are
read for the first time) is not in these numbers; a start-up there has a whole processor, as here.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from artefact import (
    LINE,
    OWN,
    PYTHON,
    Built,
    build,
    install_client,
    start,
    subscription,
    transformation,
)
from aws_stub import running_aws


class Case(NamedTuple):
    """A function with its settings and its first event."""

    function: str
    settings: dict[str, str]
    event: Any


CASES = (
    Case("ingestor", {"DELIVERY_STREAM_NAME": "flows"}, subscription(LINE)),
    Case("decorator", {"DELIVERY_STREAM_NAME": "flows"}, transformation(LINE)),
    Case("objects", {"DELIVERY_STREAM_NAME": "flows"}, {"Records": []}),
    Case("inventory", {"SNAPSHOTS": "s3://data/inventory/"}, {"source": "aws.events"}),
)


class Times(NamedTuple):
    """Seconds of one start: until the function asks for an event, until its first answer, of its second answer."""

    start_s: float
    first_s: float
    second_s: float


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).strip().splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds: int = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="vpcflow-cold-") as made:
        folder = Path(made)
        built = build(OWN, folder / "built")
        client = install_client(folder / "client")
        plain = built._replace(python=_without_compiled(built.python, folder / "plain"))
        print(f"Python {PYTHON}, {OWN}; medians of {rounds} (least), milliseconds\n")
        print("| function | compiled ahead | start | first event | second event |")
        print("| --- | --- | --- | --- | --- |")
        for case in CASES:
            for label, tree in (("yes", built), ("no", plain)):
                times = [_measure(case, tree, client, folder / "runs") for _ in range(rounds)]
                cells = (case.function, label, *(_cell(times, place) for place in range(3)))
                print(f"| {' | '.join(cells)} |", flush=True)
    return 0


def _measure(case: Case, built: Built, client: Path, folder: Path) -> Times:
    # The sources are not to be compiled for the next round: Lambda's disk is read-only.
    settings = {**case.settings, "PYTHONDONTWRITEBYTECODE": "1"}
    with running_aws() as aws, start(case.function, built, client, aws, folder, **settings) as one:
        began = time.monotonic()
        outcome = one.invoke(case.event)
        assert outcome.error is None, one.log
        first_s = time.monotonic() - began - one.start_s
        began = time.monotonic()
        one.invoke(case.event)
        return Times(one.start_s, first_s, time.monotonic() - began)


def _cell(times: list[Times], place: int) -> str:
    values = [1000 * one[place] for one in times]
    return f"{statistics.median(values):.0f} ({min(values):.0f})"


def _without_compiled(python: Path, to: Path) -> Path:
    shutil.copytree(python, to, ignore=shutil.ignore_patterns("__pycache__"))
    return to


if __name__ == "__main__":
    sys.exit(main())
