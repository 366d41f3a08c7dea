"""Run a simulation: step by step, in bounded memory, to log files, an inventory and, if asked, the truth."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np

from vpcflow.errors import SinkError
from vpcflow.generate import company, scale
from vpcflow.generate.admission import Admission
from vpcflow.generate.inventory_files import write_inventory
from vpcflow.generate.log_files import LogFiles
from vpcflow.generate.records import (
    ACCEPT,
    NODATA,
    REJECT,
    SKIPDATA,
    Watch,
    columns_of,
    intervals_of,
    legs_of,
    quiet_records,
)
from vpcflow.generate.scenario import INTERVAL_S, SLOT_S, SimulationReport
from vpcflow.generate.text import LineWriter
from vpcflow.generate.traffic import Traffic
from vpcflow.generate.truth import TruthWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

    from vpcflow.generate.endpoints import BoolArray, IntArray
    from vpcflow.generate.records import Records
    from vpcflow.generate.scenario import Scenario
    from vpcflow.generate.traffic import Connections, LongArray
    from vpcflow.generate.world import World

_WORLDS: dict[str, Callable[[Scenario], World]] = {"company": company.build, "scale": scale.build}
_PILOT = 20_000
_MARGIN = 1.05
_STEP_CONNECTIONS = 60_000
_PILOT_STREAM, _STANDING_STREAM, _FIRST_STEP_STREAM = 11, 12, 1000


def simulate(scenario: Scenario, to: Path) -> SimulationReport:
    """
    Simulate traffic into the directory ``to``: ``AWSLogs/…``, ``inventory/`` and, if asked for, ``truth.ndjson``.

    The directory is made where it does not exist. Raises ``SinkError`` where it already holds generated files, or
    cannot be written.
    """
    held = [name for name in ("AWSLogs", "inventory", "truth.ndjson") if (to / name).exists()]
    if held:
        raise SinkError(f"{str(to)!r} already holds {held[0]}: remove it, or generate elsewhere")
    world = _WORLDS[scenario.name](scenario)
    try:
        to.mkdir(parents=True, exist_ok=True)
        write_inventory(world.network, scenario, to / "inventory")
        with ExitStack() as stack:
            run = _Run(scenario, world, to, stack)
            run.run()
    except OSError as error:
        raise SinkError(f"cannot write generated files to {str(to)!r}: {error}") from error
    return run.report()


class _Run:
    """One simulation under way: its open files, the records kept for later files, and the counts."""

    def __init__(self, scenario: Scenario, world: World, to: Path, stack: ExitStack) -> None:
        self._scenario = scenario
        self._world = world
        self._to = to
        network, endpoints = world.network, world.endpoints
        lines = LineWriter(scenario.layout, network, endpoints, scenario.start_s)
        self._needed = lines.needed | {"eni", "start", "end", "outcome"}
        self._logs = [
            LogFiles(to, flow_log.id, lines, scenario.records_per_file)
            for flow_log in network.flow_logs
        ]
        for log in self._logs:
            stack.callback(log.close)
        vpcs = {flow_log.vpc_id: row for row, flow_log in enumerate(network.flow_logs)}
        self._log_of_eni = np.array([vpcs[eni.vpc_id] for eni in network.enis], np.int32)
        self._attached = np.array([eni.attached for eni in network.enis])
        rng = np.random.default_rng([scenario.seed, 1])
        phase = rng.integers(0, INTERVAL_S, len(network.enis), dtype=np.int32)
        self._watch = Watch(endpoints, phase, world.primary, self._log_of_eni)
        self._traffic = Traffic(world.patterns, endpoints)
        self._horizon_s = scenario.minutes * 60 if scenario.records is None else 1 << 40
        self._left = scenario.records if scenario.records is not None else 1 << 60
        self._later: dict[int, list[Records]] = {}
        self._seen: dict[int, BoolArray] = {}
        self._counts = np.zeros(4, np.int64)
        self._first_s, self._last_s = 1 << 40, 0
        self._truth = self._open_truth(stack) if scenario.truth else None

    def run(self) -> None:
        rate = self._rate_scale()
        steps = max(1, -(-int(self._traffic.per_minute * rate * SLOT_S / 60) // _STEP_CONNECTIONS))
        length = SLOT_S / steps
        slot = 0
        while self._left and slot * SLOT_S < self._horizon_s:
            for log in self._logs:
                log.open_slot(self._scenario.start_s + slot * SLOT_S)
            self._write_skipped(slot)
            for records in self._later.pop(slot, []):
                self._write(records)
            if slot == 0:
                standing = self._traffic.draw_standing(self._rng(_STANDING_STREAM))
                self._record(standing, slot)
            for step in range(steps):
                start = slot * SLOT_S + step * length
                if not self._left or start >= self._horizon_s:
                    break
                rng = self._rng(_FIRST_STEP_STREAM + slot * steps + step)
                part = min(length, self._horizon_s - start)
                self._record(self._traffic.draw(rng, start, part, rate), slot)
            self._write_nodata(slot)
            slot += 1

    def report(self) -> SimulationReport:
        scenario = self._scenario
        return SimulationReport(
            scenario=scenario,
            inventory=self._to / "inventory",
            logs=self._to / "AWSLogs",
            truth=self._to / "truth.ndjson" if scenario.truth else None,
            connections=self._traffic.drawn,
            records=int(self._counts.sum()),
            accepted=int(self._counts[ACCEPT]),
            rejected=int(self._counts[REJECT]),
            nodata=int(self._counts[NODATA]),
            skipdata=int(self._counts[SKIPDATA]),
            files=sum(log.files for log in self._logs),
            compressed_bytes=sum(log.compressed_bytes for log in self._logs),
            text_bytes=sum(log.text_bytes for log in self._logs),
            enis=len(self._world.network.enis),
            public_addresses=int((self._world.endpoints.eni < 0).sum()) - 1,
            first_s=scenario.start_s + self._first_s,
            last_s=scenario.start_s + self._last_s,
        )

    def _rng(self, stream: int) -> np.random.Generator:
        return np.random.default_rng([self._scenario.seed, stream])

    def _open_truth(self, stack: ExitStack) -> TruthWriter:
        world = self._world
        return TruthWriter(
            stack.enter_context((self._to / "truth.ndjson").open("wb")),
            world.network,
            world.endpoints,
            self._traffic.patterns,
            Admission(world.network, world.endpoints),
            self._scenario.start_s,
        )

    def _rate_scale(self) -> float:
        """Give the rate, by a trial draw where it is for a number of records to be reached in the time."""
        scenario = self._scenario
        if scenario.records is None:
            return scenario.rate_scale
        trial = Traffic(self._world.patterns, self._world.endpoints)
        minutes = _PILOT / trial.per_minute
        drawn = trial.draw(self._rng(_PILOT_STREAM), 0, 60 * minutes, 1.0)
        records = len(intervals_of(drawn, legs_of(drawn, self._watch), self._watch).leg)
        standing = 4 * sum(pattern.standing for pattern in self._world.patterns)
        wanted = scenario.records / scenario.minutes - standing
        # What is still under way at the end is not written: a little more makes up for it.
        return _MARGIN * max(wanted, 60) / (records / minutes)

    def _record(self, connections: Connections, slot: int) -> None:
        """Write the records of connections that end in this slot, and keep the later ones."""
        if self._truth is not None:
            self._truth.write(connections)
        watch = self._watch
        legs = legs_of(connections, watch)
        intervals = intervals_of(connections, legs, watch)
        eni = legs.eni[intervals.leg]
        skipped = self._is_skipped(eni, intervals.window)
        self._see(eni[~skipped], intervals.window[~skipped])
        keep = ~skipped & (intervals.end < self._horizon_s)
        slots = intervals.end // SLOT_S
        for later in range(slot, int(slots.max(initial=slot)) + 1):
            rows = np.flatnonzero(keep & (slots == later))
            if not len(rows):
                continue
            if later == slot:
                # Radix sort: an interval's seconds in a slot fit 16 bits.
                seconds = (intervals.end[rows] - slot * SLOT_S).astype(np.int16)
                rows = rows[np.argsort(seconds, kind="stable")]
            records = columns_of(connections, legs, intervals, watch, rows, self._needed)
            if later == slot:
                self._write(records)
            else:
                self._later.setdefault(later, []).append(records)

    def _write(self, records: Records) -> None:
        records = {name: column[: self._left] for name, column in records.items()}
        count = len(records["end"])
        if not count:
            return
        self._left -= count
        self._counts += np.bincount(records["outcome"], minlength=4)
        self._first_s = min(self._first_s, int(records["start"].min()))
        self._last_s = max(self._last_s, int(records["end"].max()))
        log_of = self._log_of_eni[records["eni"]]
        for row, log in enumerate(self._logs):
            mine = log_of == row
            if mine.all():
                log.write(records)
            elif mine.any():
                log.write({name: column[mine] for name, column in records.items()})

    def _see(self, enis: IntArray, windows: LongArray) -> None:
        """Note which ENIs had traffic in which of their intervals."""
        if not len(windows):
            return
        first, count = int(windows.min()), len(self._world.network.enis)
        last = int(windows.max())
        seen = np.zeros((last - first + 1) * count, np.bool_)
        seen[(windows - first) * count + enis] = True
        for window, row in zip(range(first, last + 1), seen.reshape(-1, count), strict=True):
            self._seen[window] = self._seen[window] | row if window in self._seen else row

    def _write_skipped(self, slot: int) -> None:
        """Write SKIPDATA for the intervals whose records are left out; first, so that no limit leaves it out too."""
        enis, windows = self._ending_in(slot)
        rows = self._is_skipped(enis, windows)
        self._write(quiet_records(enis[rows], windows[rows], SKIPDATA, self._watch))

    def _write_nodata(self, slot: int) -> None:
        """Write NODATA for the intervals in which nothing was seen."""
        enis, windows = self._ending_in(slot)
        first, last = slot * SLOT_S // INTERVAL_S - 1, (slot + 1) * SLOT_S // INTERVAL_S
        none = np.zeros(len(self._attached), np.bool_)
        seen = np.stack([self._seen.get(window, none) for window in range(first, last)])
        rows = ~seen[windows - first, enis] & ~self._is_skipped(enis, windows)
        self._write(quiet_records(enis[rows], windows[rows], NODATA, self._watch))
        for old in [window for window in self._seen if window < last - 1]:
            del self._seen[old]

    def _ending_in(self, slot: int) -> tuple[IntArray, LongArray]:
        """Give the intervals of attached ENIs that end in a slot: ENI and interval, pair by pair."""
        windows = np.arange(slot * SLOT_S // INTERVAL_S - 1, (slot + 1) * SLOT_S // INTERVAL_S)
        attached = np.flatnonzero(self._attached)
        enis = np.repeat(attached, len(windows)).astype(np.int32)
        windows = np.tile(windows, len(attached))
        end = windows * INTERVAL_S + self._watch.phase[enis] + INTERVAL_S - 1
        inside = (end // SLOT_S == slot) & (end < self._horizon_s)
        return enis[inside], windows[inside]

    def _is_skipped(self, enis: npt.NDArray[np.integer], windows: LongArray) -> BoolArray:
        """Tell whether AWS skipped the records of an interval: the same answer whenever it is asked."""
        mixed = enis.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= (windows + self._scenario.seed * 1_000_003).astype(np.uint64) * np.uint64(
            0xBF58476D1CE4E5B9
        )
        mixed = (mixed ^ mixed >> np.uint64(31)) * np.uint64(0x94D049BB133111EB)
        chance = (mixed >> np.uint64(40)).astype(np.float64) / (1 << 24)
        return chance < self._world.skip_share
