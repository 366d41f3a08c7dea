"""What vpcflow wrote as NDJSON (schema ``flat``) or CSV is read again: the same flows, under the same event ids."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from golden_documents import GROUPS, cases, corpus
from hypothesis import given
from hypothesis import strategies as st

from vpcflow.csv_documents import CsvRows, columns_of
from vpcflow.documents import begins_documents
from vpcflow.enrich import Reference, enrich
from vpcflow.fields import ADDED_BY_COLUMN, DEFAULT_LAYOUT
from vpcflow.linewise import BY_PLACE, identity_gaps
from vpcflow.pipeline import read_flows
from vpcflow.rejects import Reject
from vpcflow.schemas import encode_flat
from vpcflow.sinks.csv import CsvSink
from vpcflow.sources import Input
from vpcflow.sources.files import read_input
from vpcflow.stats import Books
from vpcflow.tables import parse_documents

LINE = (
    b"2 123456789012 eni-0a 10.0.1.20 198.51.100.%d 40001 443 6 1 100 1766000000 1766000059 %s OK\n"
)
LAYOUT = " ".join(DEFAULT_LAYOUT).encode() + b"\n"
PLACES = {"source_object", "source_line", BY_PLACE}


class Outcome:
    """What reading a source gave: rows without nulls and places, each with its line."""

    def __init__(self, data: bytes, block_bytes: int = 1 << 20) -> None:
        self.books = Books()
        self.rejects: list[Reject] = []
        self.warnings: list[str] = []
        self.batches: list[pa.RecordBatch] = []
        source = Input("flows", len(data), lambda: io.BytesIO(data))
        blocks = read_input(source, block_bytes=block_bytes)
        for batch in read_flows(
            blocks, self.books, on_rejects=self.rejects.extend, warn=self.warnings.append
        ):
            self.batches.append(batch)

    @property
    def lines(self) -> list[int]:
        return [line for batch in self.batches for line in batch.column("source_line").to_pylist()]

    @property
    def flows(self) -> list[dict[str, Any]]:
        return [flow for batch in self.batches for flow in rows_of(batch)]

    @property
    def ids(self) -> list[str]:
        enriched = [
            enrich(batch, Reference(), columns=frozenset({"event_id"})) for batch in self.batches
        ]
        return [one for batch in enriched for one in batch.column("event_id").to_pylist()]

    @property
    def bad(self) -> list[tuple[int, str]]:
        return [(one.line, one.reason) for one in self.rejects]


def rows_of(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    names = [name for name in batch.schema.names if name not in PLACES]
    return [
        {name: value for name, value in row.items() if value is not None}
        for row in batch.select(names).to_pylist()
    ]


def logged(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Give of enriched rows what was in the log."""
    given = [
        name
        for name in batch.schema.names
        if name not in ADDED_BY_COLUMN or name == "cloudwatch_event_id"
    ]
    return rows_of(batch.select(given))


def ndjson(batch: pa.RecordBatch) -> bytes:
    return b"".join(encode_flat(batch))


def as_csv(*batches: pa.RecordBatch) -> bytes:
    stream = io.BytesIO()
    sink = CsvSink(stream, list(dict.fromkeys(n for b in batches for n in b.schema.names)))
    for batch in batches:
        sink.write(batch)
    return stream.getvalue()


def parsed(log: bytes) -> pa.RecordBatch:
    [batch] = Outcome(log).batches
    return enrich(batch, Reference())


def is_told_apart(flow: dict[str, Any]) -> bool:
    """Tell whether a record says what tells flows apart, or is of an interface without traffic."""
    traffic = {"srcaddr", "dstaddr", "srcport", "dstport", "protocol", "action"} <= flow.keys()
    named = "interface_id" in flow or "resource_id" in flow
    return named and (traffic or flow.get("log_status") in ("NODATA", "SKIPDATA"))


GOLDEN = {
    f"{group}-{number}-{case}": batch
    for group, made in zip(GROUPS, (cases, corpus), strict=True)
    for number, (case, batch) in enumerate(made())
    if case != "dashes-everywhere"  # {} might be anything
}


@pytest.mark.parametrize("form", [ndjson, as_csv])
@pytest.mark.parametrize("case", GOLDEN)
def test_what_was_written_is_read_as_it_was(
    case: str, form: Callable[[pa.RecordBatch], bytes]
) -> None:
    batch = GOLDEN[case]

    outcome = Outcome(form(batch))

    assert outcome.flows == logged(batch)
    assert (outcome.bad, outcome.books.faults) == ([], [])


@pytest.mark.parametrize("form", [ndjson, as_csv])
@pytest.mark.parametrize("case", GOLDEN)
def test_a_flow_that_its_layout_tells_apart_keeps_its_event_id(
    case: str, form: Callable[[pa.RecordBatch], bytes]
) -> None:
    batch = GOLDEN[case]

    outcome = Outcome(form(batch))

    had = batch.column("event_id").to_pylist()
    is_whole = not identity_gaps(batch.schema.names)
    kept = [
        (is_whole and is_told_apart(flow)) or "cloudwatch_event_id" in flow
        for flow in outcome.flows
    ]
    assert [one for one, keeps in zip(outcome.ids, kept, strict=True) if keeps] == [
        one for one, keeps in zip(had, kept, strict=True) if keeps
    ]
    assert len(set(outcome.ids)) == len(set(had))


def test_a_file_is_read_whatever_packs_it_and_however_it_is_cut() -> None:
    batch = parsed(LAYOUT + b"".join(LINE % (i, b"ACCEPT") for i in range(200)))
    texts = ndjson(batch), as_csv(batch)

    read = [
        Outcome(packed, block_bytes)
        for text in texts
        for packed in (text, gzip.compress(text), pa.compress(text, "zstd", asbytes=True))
        for block_bytes in (1, 1000, 1 << 20)
    ]

    assert all(one.flows == logged(batch) for one in read)
    assert {tuple(one.lines) for one in read[:9]} == {tuple(range(1, 201))}
    assert {tuple(one.lines) for one in read[9:]} == {tuple(range(2, 202))}
    assert {one.books.headers for one in read[9:]} == {1}


def test_rows_of_several_layouts_are_read_from_one_file() -> None:
    nat = b"version interface-id resource-id srcaddr dstaddr srcport dstport protocol start end action\n"
    at_a_gateway = b"9 - nat-0a 10.0.1.20 198.51.100.1 1 2 6 1766000000 1766000059 ACCEPT\n"
    quiet = b"2 123456789012 eni-0a - - - - - - - 1766000000 1766000059 - NODATA\n"
    gaps = b"srcaddr dstaddr action custom-field\n10.0.1.20 198.51.100.1 ACCEPT x\n"
    batches = [parsed(log) for log in (LAYOUT + quiet, nat + at_a_gateway, gaps)]

    texts = b"".join(map(ndjson, batches)), as_csv(*batches)

    for text in texts:
        outcome = Outcome(text)
        assert outcome.flows == [flow for batch in batches for flow in logged(batch)]
        assert outcome.ids[:2] == [b.column("event_id")[0].as_py() for b in batches[:2]]
        assert [BY_PLACE in batch.schema.names for batch in outcome.batches] == [True]
        assert outcome.batches[0].column(BY_PLACE).to_pylist() == [False, False, True]
        assert list(dict.fromkeys(outcome.warnings)) == [
            "unknown field 'custom_field' is kept as a text column (known: run `vpcflow fields`)"
        ]


def test_a_tag_is_decoded_once() -> None:
    layout = LAYOUT.strip() + b" instance-tag interface-tag\n"
    line = LINE.strip() % (1, b"ACCEPT") + b" %2541%22%2C%0A%0D%C3%A4%5C -\n"
    batch = parsed(layout + line)

    read = [Outcome(text).flows for text in (ndjson(batch), as_csv(batch))]

    assert [flow["instance_tag"] for [flow] in read] == ['%41",\n\rä\\'] * 2
    assert read == [logged(batch)] * 2


def test_an_account_id_keeps_its_zeros_and_large_numbers_their_digits() -> None:
    line = b"2 000123456789 eni-0a 10.0.1.20 198.51.100.1 1 2 6 9223372036854775807 9007199254740993 1 2 ACCEPT OK\n"
    batch = parsed(LAYOUT + line)

    for text in (ndjson(batch), as_csv(batch)):
        [flow] = Outcome(text).flows
        assert flow["account_id"] == "000123456789"
        assert (flow["packets"], flow["bytes"]) == (2**63 - 1, 2**53 + 1)


# ---- bad lines


BAD_DOCUMENTS = {
    b'{"version": 2, "srcaddr": "10.0.1"': "bad_envelope",
    b"[1]": "bad_envelope",
    b"5": "bad_envelope",
    b'{"message": "2 123456789012"}': "bad_envelope",
    b'{"srcport": 80}{"srcport": 81}': "bad_envelope",
    LINE.strip() % (1, b"ACCEPT"): "bad_envelope",
    b'{"srcaddr": "\xff"}': "bad_text",
    b'{"srcaddr": "10.0.1"}': "bad_address",
    b'{"srcport": "x"}': "bad_number",
    b'{"srcport": true}': "bad_number",
    b'{"srcport": [1]}': "bad_number",
    b'{"srcport": {"a": 1}}': "bad_number",
    b'{"srcport": 2147483648}': "bad_number",
    b'{"bytes": 9223372036854775808}': "bad_number",
    b'{"bytes": 1e400}': "bad_envelope",
    b'{"bytes": -1}': "bad_number",
    b'{"bytes": 0.5}': "bad_number",
    b'{"start": 99999999999999999}': "bad_time",
    b'{"srcaddr": "' + b"x" * (1 << 20) + b'"}': "line_too_long",
}


@pytest.mark.parametrize("bad", BAD_DOCUMENTS, ids=lambda line: line[:40].decode("latin-1"))
def test_a_bad_document_is_a_reject_and_its_neighbours_are_flows(bad: bytes) -> None:
    batch = parsed(LAYOUT + b"".join(LINE % (i, b"ACCEPT") for i in range(3)))
    first, second, third = ndjson(batch).splitlines()

    outcome = Outcome(b"\n".join([first, b"", bad, second, b" \r", third]))

    assert outcome.flows == logged(batch)
    assert outcome.lines == [1, 4, 6]
    assert outcome.bad == [(3, BAD_DOCUMENTS[bad])]
    assert (outcome.books.blanks, outcome.books.found) == (2, 4)


def test_a_number_that_is_written_as_text_or_with_a_point_is_that_number() -> None:
    documents = [{"srcport": 80}, {"srcport": "80"}, {"srcport": 80.0}, {"srcport": None}, {}]

    outcome = Outcome("\n".join(map(json.dumps, documents)).encode())

    assert outcome.flows == [{"srcport": 80}] * 3 + [{}, {}]


BAD_CSV = {
    b'"10.0.1.20","198.51.100.1"': "too_few_fields",
    b'"10.0.1.20","198.51.100.1",1,2,"ACCEPT","x",': "too_many_fields",
    b'"10.0.1","198.51.100.1",1,2,"ACCEPT","x"': "bad_address",
    b'"10.0.1.20","198.51.100.1",x,2,"ACCEPT","x"': "bad_number",
    b'"10.0.1.20","198.51.100.1",0x1F,2,"ACCEPT","x"': "bad_number",
    b'"10.0.1.20","198.51.100.1",-1,2,"ACCEPT","x"': "bad_number",
    b'"10.0.1.20","198.51.100.1",1,2,"ACCEPT","x': "bad_text",
    b'"10.0.1.20,"198.51.100.1",1,2,"ACCEPT","x"': "too_few_fields",
    b'"10.0.1.20","198.51.100.1",1,2,"ACCEPT","\xff"': "bad_text",
    LINE.strip() % (1, b"ACCEPT"): "too_few_fields",
    b'"10.0.1.20","198.51.100.1",1,2,"ACCEPT","' + b"x" * (1 << 20) + b'"': "line_too_long",
}
CSV_HEADER = b'"srcaddr","dstaddr","srcport","dstport","action","instance_tag"\n'
CSV_LINE = b'"10.0.1.20","198.51.100.1",%d,443,"ACCEPT",%s\n'


@pytest.mark.parametrize("block_bytes", [1, 1 << 22])
@pytest.mark.parametrize("bad", BAD_CSV, ids=lambda line: line[:60].decode("latin-1"))
def test_a_bad_line_of_csv_is_a_reject_and_its_neighbours_are_flows(
    bad: bytes, block_bytes: int
) -> None:
    good = [CSV_LINE % (i, text) for i, text in enumerate((b'"a"', b'"b\n""\nc"', b"", b'"d"'))]
    text = CSV_HEADER + good[0] + bad + b"\n" + good[1] + b"\n" + good[2] + good[3]

    outcome = Outcome(text, block_bytes)

    assert [flow["srcport"] for flow in outcome.flows] == [0, 1, 2, 3]
    assert [flow.get("instance_tag") for flow in outcome.flows] == ["a", 'b\n"\nc', None, "d"]
    assert outcome.lines == [2, 4, 8, 9]
    assert outcome.bad == [(3, BAD_CSV[bad])]
    assert (outcome.books.blanks, outcome.books.headers) == (1, 1)


def test_csv_files_may_be_joined_and_need_no_last_line_feed() -> None:
    text = CSV_HEADER + CSV_LINE % (1, b"") + CSV_HEADER + CSV_LINE % (2, b"")

    outcome = Outcome(text.strip().replace(b"\n", b"\r\n"))

    assert [flow["srcport"] for flow in outcome.flows] == [1, 2]
    assert outcome.books.headers == 2


def test_a_source_that_breaks_off_has_its_whole_documents_read() -> None:
    batch = parsed(LAYOUT + b"".join(LINE % (i % 256, b"ACCEPT") for i in range(2000)))

    for text in (ndjson(batch), as_csv(batch)):
        outcome = Outcome(gzip.compress(text)[:-400])
        read = len(outcome.flows)
        assert outcome.flows == logged(batch)[:read]
        assert 0 < read < 2000
        assert [fault.lost for fault in outcome.books.faults] == [1]
        assert outcome.bad == []


# ---- what is not taken for documents of ours


@pytest.mark.parametrize(
    "head",
    [
        b'{"message": "2 123456789012 eni-0a", "srcaddr": "10.0.1.20"}\n',
        b'{"logEvents": [], "version": 2}\n',
        b'{"@timestamp": "2026-01-15", "srcaddr": "10.0.1.20", "dstaddr": "10.0.1.21"}\n',
        b'{"source": {"ip": "10.0.1.20"}, "type": "x", "event": {}}\n',
        b'[{"srcaddr": "10.0.1.20"}]\n',
        b'{"srcaddr":\n "10.0.1.20"}\n',
        b"{}\n",
        b"",
        b"srcaddr dstaddr\n",
    ],
)
def test_other_json_is_no_document(head: bytes) -> None:
    assert not begins_documents(head)


@pytest.mark.parametrize(
    "header",
    [
        b"timestamp,message\n",
        b'"@timestamp","@message"\n',
        b"srcaddr\n",
        b"a,b,srcaddr\n",
        b'"srcaddr,"dstaddr\n',
        b"srcaddr dstaddr\n",
        b"\xff,srcaddr\n",
    ],
)
def test_another_header_is_none_of_ours(header: bytes) -> None:
    assert columns_of(header) is None


def test_a_header_may_be_spelt_as_aws_does() -> None:
    assert columns_of(b"Interface-Id,log-status\r\n") == ("interface_id", "log_status")


# ---- CSV by columns and record by record


def csv_texts() -> st.SearchStrategy[bytes]:
    numbers = ["443", " 7 ", "1.0", "2147483648", "9" * 20, "0x1F"]
    texts = ["", "10.0.1.20", "2001:db8::1", 'q"', "a,b", "ä", "two\nlines", "r\rn", "ACCEPT"]
    value = st.sampled_from([*numbers, *texts])

    def line(values: list[str]) -> bytes:
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerow(values)
        return out.getvalue().encode()

    lines = st.one_of(
        st.lists(value, min_size=6, max_size=6).map(line),
        st.lists(value, min_size=1, max_size=7).map(line),
        st.sampled_from([b"\n", b" \n", b'"\n', b"a,b\n", CSV_HEADER, b'x"y,1\n', b'1,"a\n']),
    )
    return st.lists(lines, max_size=12).map(lambda found: CSV_HEADER + b"".join(found))


def found_in(blocks: list[bytes], *, careful: bool) -> list[Any]:
    rows = CsvRows("flows.csv", CSV_HEADER)
    if careful:
        rows._read_whole = lambda _: None  # type: ignore[method-assign]
    found = [*map(rows.read, blocks), rows.finish()]
    flows = [parse_documents(one.rows, "flows.csv", one.numbers) for one in found]
    return [
        [row for one in flows for row in rows_of(one.batch)],
        [line for one in flows for line in one.batch.column("source_line").to_pylist()],
        sorted((r.line, r.reason) for one in (*found, *flows) for r in one.rejects),
        sum(one.blanks for one in found),
        sum(one.headers for one in found),
    ]


@given(csv_texts(), st.integers(1, 5))
def test_the_fast_way_and_the_careful_way_agree_however_lines_are_cut(
    data: bytes, size: int
) -> None:
    lines = data.splitlines(keepends=True) if b"\r" not in data else [data]
    cut = [b"".join(lines[i : i + size]) for i in range(0, len(lines), size)]

    whole = found_in([data], careful=False)

    assert whole == found_in([data], careful=True)
    assert whole == found_in(cut, careful=False)
