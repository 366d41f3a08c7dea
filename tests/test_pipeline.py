"""The pipeline: blocks to flows to a sink, with layouts by log group and books that balance."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from vpcflow.enrich import Reference
from vpcflow.errors import BooksError
from vpcflow.layout import Layout, parse_log_format
from vpcflow.lines import Lines
from vpcflow.linewise import BY_PLACE
from vpcflow.pipeline import Layouts, deliver, read_flows
from vpcflow.plain import line_count
from vpcflow.rejects import Reject, reject
from vpcflow.sources import Block, Fault, Input, Rows
from vpcflow.sources.files import read_input
from vpcflow.stats import Books

LINE = b"2 123456789012 eni-0a 10.0.1.20 198.51.100.1 40001 443 6 1 100 1766000000 1766000059 ACCEPT OK\n"
GATEWAY = (
    b"6 TransitGateway 123456789012 tgw-0a tgw-attach-0a - - - - - - - - - - - 10.1.0.5 10.2.0.9"
    b" 43210 443 6 10 1200 1766000000 1766000058 OK IPv4 0 0 0 0\n"
)
SHORT = parse_log_format("srcaddr srcport")
SWAPPED = parse_log_format("srcport srcaddr")


def block(data: bytes, *, first: int = 1, log_group: str | None = None) -> Lines:
    numbers = np.arange(first, first + line_count(data))
    return Lines(data, "flows.log", numbers, log_group=log_group)


class Run:
    """What reading blocks gave."""

    def __init__(self, *blocks: Block, layouts: Layouts | None = None) -> None:
        self.books = Books()
        self.rejects: list[Reject] = []
        self.warnings: list[str] = []
        self.batches = list(
            read_flows(
                blocks,
                self.books,
                layouts=layouts,
                on_rejects=self.rejects.extend,
                warn=self.warnings.append,
            )
        )

    @property
    def rows(self) -> int:
        return sum(batch.num_rows for batch in self.batches)


class FakeSink:
    """Keeps what it is given, and takes only as many rows of each batch as it is told to."""

    def __init__(self, takes: int = 1 << 30) -> None:
        self.batches: list[pa.RecordBatch] = []
        self._takes = takes

    def write(self, batch: pa.RecordBatch, /) -> int:
        self.batches.append(batch)
        return min(batch.num_rows, self._takes)


def test_a_header_is_in_force_from_block_to_block_until_the_next() -> None:
    run = Run(
        block(b"srcaddr srcport\n10.0.0.1 1\n"),
        block(b"10.0.0.2 2\n", first=3),
        block(b"10.0.0.3 3\nsrcport srcaddr\n4 10.0.0.4\n", first=4),
        block(b"5 10.0.0.5\n", first=7),
    )

    ports = [row["srcport"] for batch in run.batches for row in batch.to_pylist()]
    assert ports == [1, 2, 3, 4, 5]
    assert (run.books.headers, run.books.found, run.rejects) == (2, 5, [])


def test_the_layout_of_a_line_is_that_of_its_log_group() -> None:
    layouts = Layouts(of_group={"one": (SHORT,), "two": (SWAPPED,), "both": (SHORT, SWAPPED)})

    run = Run(
        block(b"10.0.0.1 1\n", log_group="one"),
        block(b"2 10.0.0.2\n", log_group="two"),
        block(b"3 10.0.0.3\n10.0.0.4 4\n- -\n", log_group="both"),
        block(LINE, log_group="unknown"),
        block(LINE),
        layouts=layouts,
    )

    assert run.rows == 6
    assert [r.reason for r in run.rejects] == ["ambiguous_layout"]


@pytest.mark.parametrize("log_group", ["unknown", None])
def test_a_group_of_no_known_flow_log_may_have_any_other_layout(log_group: str | None) -> None:
    layouts = Layouts(of_group={"one": (SHORT,)}, others=(SWAPPED,))

    run = Run(block(b"1 10.0.0.1\n", log_group=log_group), layouts=layouts)

    assert run.rows == 1


def test_log_format_goes_before_the_accounts_flow_logs_and_a_header_before_both() -> None:
    layouts = Layouts([SHORT], of_group={"two": (SWAPPED,)})

    run = Run(
        block(b"10.0.0.1 1\n", log_group="two"),
        block(b"srcport\n7\n", log_group="two"),
        layouts=layouts,
    )

    assert run.rows == 2
    assert run.warnings == ["a header line differs from --log-format; the header is followed"]


@pytest.mark.parametrize("stated", [[SHORT], [SWAPPED, SHORT], []])
def test_a_header_that_is_as_stated_is_not_worth_a_word(stated: Sequence[Layout]) -> None:
    run = Run(block(b"srcaddr srcport\n- 1\n"), layouts=Layouts(stated))

    assert run.warnings == []


def test_unknown_fields_are_named() -> None:
    run = Run(block(b"srcaddr team\n- blue\n"))

    assert run.warnings == [
        "unknown field 'team' is kept as a text column (known: run `vpcflow fields`)"
    ]


def test_marks_of_lines_and_wrappers_are_counted_apart() -> None:
    wrapped = Lines(
        b"srcaddr srcport\n\n- 1\n- x\n",
        "flows.log",
        np.array([1, 2, 4, 5]),
        rejects=(reject("flows.log", 3, "bad_envelope", b"{"),),
        controls=2,
    )

    books = Run(wrapped).books

    assert (books.headers, books.blanks, books.controls) == (1, 1, 2)
    assert books.found == 3
    assert books.rejected == {"bad_envelope": 1, "bad_number": 1}


def test_rejects_come_in_the_order_of_their_lines() -> None:
    wrapped = Lines(
        b"- x\n- y\n",
        "flows.log",
        np.array([1, 3]),
        rejects=(reject("flows.log", 2, "bad_envelope", b"{"),),
    )

    run = Run(wrapped, layouts=Layouts([SHORT]))

    assert [r.line for r in run.rejects] == [1, 2, 3]


def test_a_header_that_names_a_field_twice_ends_its_input_and_loses_nothing_before() -> None:
    wrapped = Lines(
        b"- 1\n- x\nsrcaddr SrcAddr\n- 2\n",
        "flows.log",
        np.array([1, 2, 4, 5]),
        event_ids=["a", "b", "c", "d"],
        rejects=(reject("flows.log", 3, "bad_envelope", b"{"),),
        controls=1,
    )

    run = Run(wrapped, block(LINE, first=6), layouts=Layouts([SHORT]))

    [batch] = run.batches
    assert batch.column("cloudwatch_event_id").to_pylist() == ["a"]
    assert [(r.line, r.reason) for r in run.rejects] == [(2, "bad_number"), (3, "bad_envelope")]
    assert run.books.faults == [
        Fault("flows.log", "line 4: log format names a field more than once: srcaddr", 0)
    ]
    assert (run.books.found, run.books.controls) == (3, 1)


def test_a_table_that_is_no_flow_log_ends_its_input() -> None:
    rows = pa.RecordBatch.from_pydict({"name": pa.array(["x"])})

    run = Run(Rows(rows, "t.parquet", 1), Rows(rows, "t.parquet", 2))

    assert (run.rows, len(run.books.faults)) == (0, 1)


def test_rows_and_lines_give_the_same_flow() -> None:
    [by_line] = Run(block(b"srcaddr srcport\n10.0.0.1 1\n", first=0)).batches
    rows = pa.RecordBatch.from_pydict({"srcaddr": pa.array(["10.0.0.1"]), "srcport": pa.array([1])})

    [by_row] = Run(Rows(rows, "flows.log", 1)).batches

    assert by_row.to_pylist() == by_line.to_pylist()
    assert by_row.schema == by_line.schema


def test_faults_are_counted_with_what_was_lost() -> None:
    books = Run(block(LINE), Fault("flows.log", "ends in the middle", 3)).books

    assert (books.found, books.failed, len(books.faults)) == (4, 3, 1)


def test_what_the_sink_took_is_delivered_and_the_rest_failed() -> None:
    run = Run(block(LINE * 5 + b"x\n"))
    sink = FakeSink(takes=3)

    deliver(run.batches, sink, run.books)

    assert (run.books.delivered, run.books.failed) == (3, 2)
    run.books.check()


def test_flows_that_nobody_wrote_are_missed_in_the_books() -> None:
    run = Run(block(LINE))

    with pytest.raises(BooksError):
        run.books.check()


def test_flows_are_enriched_by_the_columns_asked_for() -> None:
    run = Run(block(LINE))
    sink = FakeSink()

    deliver(run.batches, sink, run.books, reference=Reference(), columns=["protocol_name"])

    assert sink.batches[0].column("protocol_name").to_pylist() == ["tcp"]
    assert "event_id" not in sink.batches[0].schema.names


@pytest.mark.parametrize("reference", [None, Reference()])
def test_the_mark_of_a_mixed_batch_is_not_written(reference: Reference | None) -> None:
    run = Run(block(LINE + GATEWAY))
    sink = FakeSink()

    deliver(run.batches, sink, run.books, reference=reference)

    assert BY_PLACE in run.batches[0].schema.names
    assert BY_PLACE not in sink.batches[0].schema.names
    assert sink.batches[0].num_rows == 2


def test_the_books_of_a_whole_input_balance() -> None:
    text = b"\n".join(
        [
            LINE.strip(),
            b"",
            b"broken",
            json.dumps({"message": LINE.decode()}).encode(),
            b'{"messageType": "CONTROL_MESSAGE"}',
            b'{"x": 1}',
            b'{"message": "srcaddr srcport"}',
            b'{"message": "- 1"}',
        ]
    )
    books, sink = Books(), FakeSink()
    source = Input("flows.log", None, lambda: io.BytesIO(text))

    deliver(read_flows(read_input(source), books), sink, books)

    books.check()
    assert books.balance() == ("5 records found = 3 delivered + 0 filtered + 2 rejected + 0 failed")
    assert (books.headers, books.blanks, books.controls) == (1, 1, 1)
