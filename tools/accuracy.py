"""
Measure how often vpcflow is right about who opened a connection and which rules admitted it, and write the tables of
``docs/accuracy.md``: ``python tools/accuracy.py``. The words around the tables are written by hand.

Each scenario is simulated for several seeds, with the fields of version 2 and of version 5, and every record compared
with what really happened. It takes some minutes.
"""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from accuracy_lab import LabTallies, lab_tallies
from accuracy_peers import Original, Sample
from accuracy_truth import (
    ANSWERS,
    ASKED,
    JUDGES,
    NULL,
    PROTOCOLS,
    RIGHT,
    WRONG,
    Miss,
    Tally,
    Truth,
    records_of,
)

from vpcflow.admission import RuleBook
from vpcflow.enrich import Reference
from vpcflow.generate.scenario import LAYOUTS, Scenario
from vpcflow.generate.simulate import simulate
from vpcflow.inventory import Inventory
from vpcflow.inventory.load import load_inventory
from vpcflow.pipeline import read_flows
from vpcflow.rules.attribution import attribute
from vpcflow.sources.files import find_inputs, read_input
from vpcflow.stats import Books

PAGE = Path(__file__).parents[1] / "docs" / "accuracy.md"
SEEDS = (1, 2, 3)
VERSIONS = ("v5", "v2")
SCENARIOS: dict[str, dict[str, Any]] = {
    "company": {"minutes": 15},
    "scale": {"records": 200_000, "enis": 500, "groups": 60},
}
WHAT = {
    "initiator": "who opened the connection",
    "rules": "the set of rules that admitted it",
    "reject_cause": "why it was rejected",
}
PEERS = {
    "sample": "AWS's sample: rules by destination port",
    "original": "the original's direction: who opened it",
}
_TABLE = "<!-- table: {name} -->\n{text}\n<!-- end of table -->"

Tallies = dict[tuple[str, str], Tally]
"""By what was asked, or the peer that was, and the protocol."""


class Measured(NamedTuple):
    """The answers of one run compared; ``strangers`` are records that belong to no connection."""

    tallies: Tallies
    bases: dict[str, Tally]
    records: int
    strangers: int
    misses: list[Miss]


def measure(scenario: Scenario, folder: Path) -> Measured:
    """Simulate, attribute, and compare."""
    report = simulate(scenario, folder)
    assert report.truth is not None
    inventory = load_inventory(report.inventory, captured_at=scenario.capture_s, warn=_silent)
    return compare(Truth(report.truth), inventory, attributed(report.logs, inventory))


def attributed(logs: Path, inventory: Inventory) -> Iterator[pa.RecordBatch]:
    """Give the flows of a folder with what is asked for here."""
    flows = (
        batch
        for one in find_inputs([str(logs)], warn=_silent)
        for batch in read_flows(read_input(one), Books())
    )
    wanted = ("direction", *ANSWERS)
    return attribute(flows, Reference(inventory), RuleBook(inventory), columns=wanted)


def compare(truth: Truth, inventory: Inventory, batches: Iterator[pa.RecordBatch]) -> Measured:
    """Compare the answers of vpcflow and its peers with the truth, record by record."""
    tallies: Tallies = defaultdict(Tally)
    bases: dict[str, Tally] = defaultdict(Tally)
    misses: list[Miss] = []
    records = strangers = 0
    judges = JUDGES | {"sample": Sample(inventory).judge, "original": Original(inventory).judge}
    for record in records_of(batches, (*ASKED, "direction", *ANSWERS)):
        records += 1
        expected = truth.of(record)
        if expected is None:
            strangers += 1
            continue
        protocol = PROTOCOLS.get(record["protocol"], "other")
        for asked, judge in judges.items():
            verdict = judge(record, expected)
            if verdict is None:
                continue
            tallies[asked, protocol][verdict] += 1
            if asked == "initiator":
                bases[record["initiator_basis"] or "null"][verdict] += 1
            if asked in JUDGES and verdict != RIGHT:
                misses.append(Miss(asked, verdict, record, expected))
    return Measured(tallies, bases, records, strangers, misses)


def tables(runs: dict[tuple[str, str], list[Measured]]) -> dict[str, str]:
    """Give the tables of the page by name, in Markdown."""
    return {
        **{asked: _answers(runs, asked) for asked in WHAT},
        "bases": _bases(runs),
        "peers": _peers(runs),
    }


def lab_table(tallies: LabTallies) -> str:
    """Give the table of the lab, in Markdown."""
    rows = []
    for fields, lost in dict.fromkeys(key[:2] for key in tallies):
        for asked in WHAT:
            for protocol in dict.fromkeys([*PROTOCOLS.values(), "other"]):
                tally = tallies.get((fields, lost, asked, protocol), Tally())
                if tally.all:
                    rows.append([fields, lost, f"`{asked}`", protocol, *_numbers(tally)[:4]])
    return _markdown(
        ["fields", "intervals lost", "asked", "", "records", "right", "wrong", "null"], rows
    )


def with_tables(page: str, made: dict[str, str]) -> str:
    """Put tables in their places on the page; raises ``KeyError`` where the page has no such place."""
    for name, text in made.items():
        place = re.compile(rf"<!-- table: {name} -->.*?<!-- end of table -->", re.DOTALL)
        if not place.search(page):
            raise KeyError(name)
        whole = _TABLE.format(name=name, text=text)
        page = place.sub(lambda _, whole=whole: whole, page)  # type: ignore[misc]
    return page


def _answers(runs: dict[tuple[str, str], list[Measured]], asked: str) -> str:
    rows = []
    for (scenario, version), measured in runs.items():
        for protocol, tally in _by_protocol(measured, asked).items():
            rows.append([scenario, version, protocol, *_numbers(tally)])
    return _markdown(
        ["scenario", "fields", "", "records", "right", "wrong", "null", "precision", "recall"], rows
    )


def _bases(runs: dict[tuple[str, str], list[Measured]]) -> str:
    rows = []
    for version in VERSIONS:
        tallies: dict[str, Tally] = defaultdict(Tally)
        for (_, given), measured in runs.items():
            for one in measured if given == version else ():
                for basis, tally in one.bases.items():
                    tallies[basis] += tally
        rows += [
            [version, f"`{basis}`" if basis != "null" else "null", *_numbers(Tally(tally))[:3]]
            for basis, tally in sorted(tallies.items(), key=lambda item: -item[1].total())
        ]
    return _markdown(["fields", "`initiator_basis`", "records", "right", "wrong"], rows)


def _peers(runs: dict[tuple[str, str], list[Measured]]) -> str:
    rows = []
    for peer, ours in (("sample", "rules"), ("original", "initiator")):
        for (scenario, version), measured in runs.items():
            for protocol, tally in _by_protocol(measured, peer).items():
                own = _by_protocol(measured, ours).get(protocol, Tally())
                rows.append(
                    [PEERS[peer], scenario, version, protocol, *_numbers(tally)[1:4], _percent(own.share(RIGHT))]
                )  # fmt: skip
    return _markdown(
        ["", "scenario", "fields", "", "right", "wrong", "null", "vpcflow right"], rows
    )


def _by_protocol(measured: Sequence[Measured], asked: str) -> dict[str, Tally]:
    found: dict[str, Tally] = {}
    for protocol in dict.fromkeys([*PROTOCOLS.values(), "other"]):
        tally = Tally()
        for one in measured:
            tally.update(one.tallies.get((asked, protocol), Tally()))
        if tally.all:
            found[protocol] = tally
    return found


def _numbers(tally: Tally) -> list[str]:
    shares = [_percent(tally.share(verdict)) for verdict in (RIGHT, WRONG, NULL)]
    return [f"{tally.all:,}", *shares, _percent(tally.precision), _percent(tally.recall)]


def _percent(share: float) -> str:
    # Rounding must not make a few wrong answers none.
    text = f"{100 * share:.3f}"
    if share > 0 and float(text) == 0:
        return "< 0.001 %"
    if share < 1 and float(text) == 100:
        return "> 99.999 %"
    return f"{text.rstrip('0').rstrip('.')} %"


def _markdown(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    marks = ["--:" if name in _RIGHT_ALIGNED else "---" for name in names]
    return "\n".join(f"| {' | '.join(row)} |" for row in (names, marks, *rows))


_RIGHT_ALIGNED = {"records", "right", "wrong", "null", "precision", "recall", "vpcflow right"}


def _silent(_: str) -> None:
    pass


def main() -> None:
    runs: dict[tuple[str, str], list[Measured]] = {}
    for name, shape in SCENARIOS.items():
        for version in VERSIONS:
            for seed in SEEDS:
                scenario = Scenario(
                    name=name, seed=seed, layout=LAYOUTS[version], truth=True, **shape
                )
                with tempfile.TemporaryDirectory(prefix="vpcflow-accuracy-") as folder:
                    measured = measure(scenario, Path(folder))
                runs.setdefault((name, version), []).append(measured)
                print(f"{name} {version} seed {seed}: {measured.records:,} records", flush=True)
    made = tables(runs)
    if (lab := lab_tallies()) is not None:
        made["lab"] = lab_table(lab)
    PAGE.write_text(with_tables(PAGE.read_text(), made))


if __name__ == "__main__":
    main()
