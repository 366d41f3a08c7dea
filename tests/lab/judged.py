"""What vpcflow says of the lab's records, beside what the kernel knows."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from lab.calls import CALLS
from lab.changes import CHANGES
from lab.inventory import write_inventory
from lab.records import T0, V2, V5, lab_truth, records_of, write_records
from lab.run import UNCHANGED, read_run
from lab.vpc import ICMPV6, LAB

from vpcflow.cli import main

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from lab.packets import Tuple5
    from lab.records import Interval, Record, Truth
    from lab.run import Run
    from lab.vpc import Vpc

_OURS = "initiator rule_ids rule_match rule_note reject_cause".split()

LAYOUTS = {"version 2": V2, "version 5": V5}


class Verdict(NamedTuple):
    """A record, as vpcflow reads it and as the kernel knows it."""

    record: Record
    truth: Truth
    row: dict[str, Any]

    @property
    def has_groups(self) -> bool:
        return self.record.values["instance-id"] != "-"

    @property
    def opener_is(self) -> str:
        """``right``, ``wrong`` or ``null``."""
        if self.row["initiator"] is None:
            return "null"
        return "right" if self.row["initiator"] == self.truth.initiator else "wrong"

    @property
    def rules_are(self) -> str:
        """``right``, ``wrong`` or ``null``; of a rejected record it is the cause that is judged."""
        row, truth = self.row, self.truth
        if row["action"] == "REJECT":
            return "right" if row["reject_cause"] == "security_group" else "wrong"
        if row["rule_match"] == "unknown":
            return "null"
        if not self.has_groups:
            return "right" if (row["rule_ids"], row["rule_match"]) == (None, None) else "wrong"
        if truth.rules is None:
            return "right" if row["rule_match"] == "response" else "wrong"
        return "right" if row["rule_ids"] == sorted(truth.rules) else "wrong"


class Lab:
    """The lab's runs, and a folder for what is made of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        done = subprocess.run(
            [sys.executable, "-m", "lab.run", str(folder)],
            env=environment, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"the lab could not be run:\n{done.stderr}")
        self.runs: dict[str, Run] = {
            name: read_run(folder / f"{name}.json") for name in (UNCHANGED, *CHANGES)
        }

    @property
    def run(self) -> Run:
        return self.runs[UNCHANGED]

    def new(self, name: str) -> Path:
        self._count += 1
        return self._folder / f"{self._count}-{name}"

    def inventory(self, vpc: Vpc = LAB) -> Path:
        write_inventory(vpc, folder := self.new("inventory"))
        return folder

    def log(self, records: Sequence[Record], layout: Sequence[str] = V5) -> Path:
        write_records(records, layout, path := self.new("flows.log"))
        return path

    def rules(self, command: str, log: Path, *more: str | Path, vpc: Vpc = LAB) -> bytes:
        """Give what a command of ``vpcflow rules`` writes; raises where its status is none of 0 and 4."""
        to = self.new("result")
        at = datetime.fromtimestamp(T0, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        arguments = ["--inventory", self.inventory(vpc), "--inventory-time", at, "--to", to]
        sys.argv = ["vpcflow", "rules", command, *map(str, [*arguments, *more, log])]
        try:
            main()
        except SystemExit as end:
            if end.code not in (0, None, 4):
                raise RuntimeError(f"status {end.code} of {sys.argv}") from end
        return to.read_bytes()

    def verdicts(
        self, layout: Sequence[str] = V5, *, vpc: Vpc = LAB, **lost: Collection[Interval]
    ) -> list[Verdict]:
        """Let vpcflow attribute the records of the run, less those of the intervals that were lost."""
        records = records_of(self.run.packets, LAB, **lost)
        written = self.rules(
            "attribute", self.log(records, layout), "--format", "ndjson", "--geo", "off", vpc=vpc
        )
        # Columns that are null are not written.
        rows = [dict.fromkeys(_OURS) | orjson.loads(line) for line in written.splitlines()]
        return [
            Verdict(record, truth, row)
            for record, truth, row in zip(records, lab_truth(records), rows, strict=True)
            if truth is not None
        ]


def told_by(tuple5: Tuple5) -> str:
    """Give what tells who opened a connection: that of the call with these ports."""
    protocol = tuple5[4]
    ports = {tuple5[1], tuple5[3]}
    for call in CALLS:
        asked = {call.client_port, call.port} if protocol != ICMPV6 else {0}
        if call.told_by != "more" and (call.protocol, asked) == (protocol, ports):
            return call.told_by
    return "more"
