"""The same for the lab of ``tests/lab``, where the Linux kernel is the judge: what vpcflow makes of its records."""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from accuracy_truth import PROTOCOLS, Tally

# The lab is a package of the tests.
sys.path.append(str(Path(__file__).parents[1] / "tests"))

from lab.judged import LAYOUTS, Lab, Verdict
from lab.records import INTERVAL_S, LENGTH_S
from lab.run import why_not
from lab.vpc import LAB

NAMES = {"version 5": "v5", "version 2": "v2"}
LOST = {"none": (), "a fifth missing": ("missing",), "a fifth skipped": ("skipped",)}

LabTallies = dict[tuple[str, str, str, str], Tally]
"""By fields, intervals lost, what was asked, and protocol."""


def lab_tallies() -> LabTallies | None:
    """Run the lab and compare; None, and a word on standard error, where there can be none."""
    if reason := why_not():
        print(f"the lab's table stays as it is: {reason}", file=sys.stderr)
        return None
    found: LabTallies = defaultdict(Tally)
    intervals = [(one.name, n) for one in LAB.interfaces for n in range(LENGTH_S // INTERVAL_S)]
    fifth = [one for number, one in enumerate(intervals) if number * 7 % 5 == 0]
    with tempfile.TemporaryDirectory(prefix="vpcflow-lab-") as folder:
        lab = Lab(Path(folder))
        for layout, fields in NAMES.items():
            for lost, how in LOST.items():
                verdicts = lab.verdicts(LAYOUTS[layout], **dict.fromkeys(how, fifth))
                _count(found, fields, lost, verdicts)
    return found


def _count(found: LabTallies, fields: str, lost: str, verdicts: list[Verdict]) -> None:
    for one in verdicts:
        protocol = PROTOCOLS.get(one.row["protocol"], "other")
        found[fields, lost, "initiator", protocol][one.opener_is] += 1
        asked = "reject_cause" if one.row["action"] == "REJECT" else "rules"
        if asked == "reject_cause" or one.has_groups:
            found[fields, lost, asked, protocol][one.rules_are] += 1
