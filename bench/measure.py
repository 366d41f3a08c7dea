"""Run commands, each a whole process, in turns: A B C A B C …, as the speed of a machine drifts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_LAUNCH = Path(__file__).with_name("launch.py")


class Sample(NamedTuple):
    """One run: seconds on the clock and of all processors, and the most memory held, MiB."""

    wall_s: float
    cpu_s: float
    peak_mib: float


class Case(NamedTuple):
    """A command whose output is at ``out``; ``name`` is a letter for vpcflow, a word for a peer."""

    name: str
    title: str
    command: tuple[str, ...]
    out: Path


class Measured(NamedTuple):
    """The runs of a case, in the order of the rounds."""

    case: Case
    samples: tuple[Sample, ...]

    @property
    def wall_s(self) -> float:
        return median(sample.wall_s for sample in self.samples)

    @property
    def cpu_s(self) -> float:
        return median(sample.cpu_s for sample in self.samples)

    @property
    def peak_mib(self) -> float:
        return median(sample.peak_mib for sample in self.samples)

    def times_faster_than(self, other: Measured) -> float:
        """Compare round by round, and give the median of the ratios."""
        pairs = zip(self.samples, other.samples, strict=True)
        return median(theirs.wall_s / ours.wall_s for ours, theirs in pairs)


def run_in_turns(
    cases: Sequence[Case], cores: Sequence[int], rounds: int, errors: Path
) -> list[Measured]:
    """Run all cases once to warm up, then ``rounds`` times; raises ``RuntimeError`` where one fails."""
    samples: dict[str, list[Sample]] = {case.name: [] for case in cases}
    for number in range(rounds + 1):
        for case in cases:
            sample = run_once(case, cores, errors)
            told = f"{case.name} {sample.wall_s:.2f} s, {sample.cpu_s:.2f} s CPU, {sample.peak_mib:.0f} MiB"
            print(f"  round {number or 'to warm up'}: {told}", flush=True)
            if number:
                samples[case.name].append(sample)
    return [Measured(case, tuple(samples[case.name])) for case in cases]


def run_once(case: Case, cores: Sequence[int], errors: Path) -> Sample:
    """Run a case, its output anew."""
    case.out.unlink(missing_ok=True)
    said = errors / f"{case.name}.err"
    launcher = [sys.executable, "-I", "-S", str(_LAUNCH), ",".join(map(str, cores)), str(said)]
    done = subprocess.run([*launcher, *case.command], capture_output=True, text=True, check=True)
    took = json.loads(done.stdout)
    if took.pop("status") != 0:
        raise RuntimeError(f"{case.name} failed: {said.read_text()[-2000:]}")
    return Sample(**took)
