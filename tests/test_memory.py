"""Memory is bounded by the size of a block, not by that of the input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from vpcflow.generate import Scenario, simulate

pytestmark = pytest.mark.soak

LAUNCH = Path(__file__).parents[1] / "bench" / "launch.py"
RECORDS = 1_000_000
# A block of text and some more: what is left of each file then waits for the next one, in the shorter run too.
RECORDS_A_FILE = 200_000
# What an allocator keeps differs a little between runs; ten times the input would be far outside.
TOLERANCE = 1.15


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A simulation, and one of ten times the records, of the same interfaces and public addresses."""
    folder = tmp_path_factory.mktemp("scale")
    for name, times in (("one", 1), ("ten", 10)):
        scenario = Scenario(
            name="scale",
            seed=5,
            records=times * RECORDS,
            records_per_file=RECORDS_A_FILE,
        )
        simulate(scenario, folder / name)
    return folder / "one", folder / "ten"


def peak_mib(folder: Path, verb: str, *options: str) -> float:
    """Run a command over a simulation and give its peak memory as the kernel counts it."""
    errors = folder / "errors.txt"
    command = (sys.executable, "-m", "vpcflow", verb, *options, str(folder / "AWSLogs"))
    launched = subprocess.run(
        [sys.executable, "-I", "-S", LAUNCH, "0", errors, *command],
        capture_output=True,
        text=True,
        check=True,
    )
    outcome = json.loads(launched.stdout)
    assert outcome["status"] == 0, errors.read_text()
    assert f" = {RECORDS * (10 if folder.name == 'ten' else 1):,} delivered" in errors.read_text()
    return float(outcome["peak_mib"])


@pytest.mark.parametrize("to", ["ndjson", "parquet"])
@pytest.mark.parametrize("verb", ["parse", "enrich"])
def test_ten_times_the_input_takes_no_more_memory(
    inputs: tuple[Path, Path], tmp_path: Path, verb: str, to: str
) -> None:
    peaks = []
    for folder in inputs:
        inventory = ("--inventory", str(folder / "inventory"), "--inventory-time", "1768467900")
        options = inventory if verb == "enrich" else ()
        target = "-" if to == "ndjson" else str(tmp_path / f"{folder.name}.parquet")

        peaks.append(peak_mib(folder, verb, *options, "--to", target))

    print(f"{verb} to {to}: {peaks[0]:.0f} MiB, ten times the input {peaks[1]:.0f} MiB")
    assert peaks[1] <= peaks[0] * TOLERANCE
