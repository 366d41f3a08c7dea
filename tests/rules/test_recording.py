"""A recording is judged the same way, however it is cut and in whatever order it comes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from tests.rules.recordings import (
    DATABASE,
    LONER,
    WEB,
    batches,
    judge,
    quiet,
    record,
    small_vpc,
    watched,
)
from tests.simulated import simulated
from vpcflow.admission import RuleBook
from vpcflow.enrich import Reference
from vpcflow.inventory import Inventory, load_inventory
from vpcflow.pipeline import read_flows
from vpcflow.rules.ahead import read_ahead
from vpcflow.rules.attribution import attribute
from vpcflow.rules.recording import LATE_S, Recording, Unsettled
from vpcflow.sources.files import find_inputs, read_input
from vpcflow.stats import Books

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vpcflow.generate import SimulationReport

CLIENT, SERVER = "198.51.100.7:50000", "10.0.1.10:443"
UNORDERED = [
    record(WEB, CLIENT, SERVER, out=False, flags=2),
    record(WEB, SERVER, CLIENT, out=True, flags=18),
    record(WEB, CLIENT, SERVER, out=False, flags=1, at=120),
    record(WEB, CLIENT, SERVER, out=False, flags=3, at=300),
    record(WEB, "10.0.1.10:40000", "10.0.1.20:5432", out=True, flags=2),
    record(DATABASE, "10.0.1.10:40000", "10.0.1.20:5432", out=False, flags=0, at=60),
    record(LONER, "10.0.9.9:7000", "10.0.1.30:7000", out=False, protocol=17, at=100),
    record(LONER, "10.0.1.30:7000", "10.0.9.9:7000", out=True, protocol=17, at=102),
    *(record(LONER, f"10.0.9.{n}:5000{n}", "10.0.1.30:40000", out=False) for n in range(4)),
    *watched(LONER),
    quiet(WEB, "SKIPDATA", at=240),
]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> SimulationReport:
    names = "interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
    return simulated(tmp_path_factory.mktemp("company"), layout=tuple(names.split()))


def reference_of(report: SimulationReport) -> Reference:
    inventory = load_inventory(
        report.inventory, captured_at=report.scenario.capture_s, warn=lambda _: None
    )
    return Reference(inventory=inventory)


def flows_of(paths: Iterable[Path], block_bytes: int = 1 << 20) -> Iterator[pa.RecordBatch]:
    for source in find_inputs([str(path) for path in paths]):
        yield from read_flows(read_input(source, block_bytes=block_bytes), Books())


def rows_of(batches_: Iterable[pa.RecordBatch]) -> list[tuple[Any, ...]]:
    """Give rows of connections by what they say, sorted: numbers of rules are the inventory's."""
    rows = [row for batch in batches_ for row in batch.drop_columns("settled").to_pylist()]
    return sorted(tuple(map(str, row.values())) for row in rows)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_records_and_the_cuts_between_them_do_not_matter(seed: int) -> None:
    shuffled = random.Random(seed)
    order = list(range(len(UNORDERED)))
    shuffled.shuffle(order)
    cuts = sorted(shuffled.sample(range(1, len(UNORDERED)), 3))

    answers = judge([UNORDERED[i] for i in order], cuts=cuts)

    assert dict(zip(order, answers, strict=True)) == dict(enumerate(judge(UNORDERED)))


def test_files_in_any_order_and_blocks_of_any_size_give_the_same_connections(
    company: SimulationReport,
) -> None:
    reference = reference_of(company)
    assert reference.inventory is not None
    book = RuleBook(reference.inventory)
    files = sorted(company.logs.rglob("*.log.gz"))
    random.Random(7).shuffle(files)

    def connections(flows: Iterable[pa.RecordBatch], jobs: int) -> list[tuple[Any, ...]]:
        with Recording(reference) as recording:
            for batch in flows:
                recording.add(batch)
            return rows_of(recording.connections(book, jobs=jobs))

    plain = connections(flows_of([company.logs]), jobs=1)
    otherwise = connections(flows_of(files, block_bytes=10_000), jobs=2)

    assert len(plain) > 5_000
    assert otherwise == plain


@pytest.mark.parametrize("seed", range(3))
def test_a_run_that_sees_again_what_was_not_settled_gives_what_one_run_gives(seed: int) -> None:
    chosen = random.Random(seed)
    first, second = [], []
    for line in UNORDERED:
        (first if chosen.random() < 0.5 else second).append(line)
    reference = Reference(inventory=Inventory([small_vpc()]))
    assert reference.inventory is not None
    book = RuleBook(reference.inventory)

    with Recording(reference) as once:
        for batch in batches(UNORDERED):
            once.add(batch)
        expected = rows_of(once.connections(book))
    with Recording(reference) as before, Recording(reference) as after, Unsettled() as kept:
        for batch in batches(first):
            before.add(batch)
        list(before.connections(book, unsettled=kept))
        after.remember(before.memory(kept))
        for batch in batches(second):
            after.add(batch)
        found = rows_of(after.connections(book))

    assert found == expected


def test_a_closed_connection_is_settled_once_no_late_record_can_come() -> None:
    lines = [
        record(WEB, CLIENT, SERVER, out=False, flags=3),
        record(WEB, SERVER, CLIENT, out=True, flags=19),
        record(WEB, "198.51.100.7:50001", SERVER, out=False, flags=2),
        record(LONER, "10.0.9.9:7000", "10.0.1.30:7000", out=False, protocol=17, at=LATE_S + 60),
    ]
    reference = Reference(inventory=Inventory([small_vpc()]))
    assert reference.inventory is not None

    with Recording(reference) as recording:
        for batch in batches(lines):
            recording.add(batch)
        rows = [
            row
            for batch in recording.connections(RuleBook(reference.inventory))
            for row in batch.to_pylist()
        ]

    assert {row["peer_port"]: row["settled"] for row in rows} == {
        50000: True,
        50001: False,
        7000: False,
    }


def test_a_record_that_is_there_twice_counts_once() -> None:
    line = record(WEB, CLIENT, SERVER, out=False, flags=3, packets=7, size=700)
    reference = Reference(inventory=Inventory([small_vpc()]))
    assert reference.inventory is not None

    with Recording(reference) as recording:
        for batch in batches([line, line]):
            recording.add(batch)
        (row,) = [
            row
            for batch in recording.connections(RuleBook(reference.inventory))
            for row in batch.to_pylist()
        ]

    assert (row["packets"], row["bytes"]) == (7, 700)


def test_attributed_flows_come_in_the_order_and_batches_in_which_they_went(
    company: SimulationReport,
) -> None:
    reference = reference_of(company)
    assert reference.inventory is not None
    given = list(flows_of([company.logs], block_bytes=50_000))

    found = list(attribute(given, reference, RuleBook(reference.inventory)))

    assert [batch.num_rows for batch in found] == [batch.num_rows for batch in given]
    for batch, own in zip(found, given, strict=True):
        kept = [n for n in own.schema.names if n in batch.schema.names]
        assert batch.select(kept).to_pylist() == own.select(kept).to_pylist()
        assert "connection_id" in batch.schema.names


def test_reading_ahead_gives_what_was_read_and_raises_what_was_raised() -> None:
    def items() -> Iterator[int]:
        yield from range(10)
        raise ValueError("the end")

    found = []
    with pytest.raises(ValueError, match="the end"):
        found.extend(read_ahead(items()))

    assert list(read_ahead(range(100))) == list(range(100))
    assert found == list(range(10))


def test_a_reader_that_leaves_early_stops_the_reading() -> None:
    made = []

    def items() -> Iterator[int]:
        for number in range(1000):
            made.append(number)
            yield number

    for number in read_ahead(items(), most=2):
        if number == 3:
            break

    assert len(made) < 20
