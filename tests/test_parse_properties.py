"""What holds of parsing whatever the bytes: a plain reading of the rules, line by line, gives the same."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpcflow.careful import FIRST_MS, check_line
from vpcflow.columns import decode_tag
from vpcflow.enrich import Reference, enrich
from vpcflow.errors import FormatError
from vpcflow.fields import ADDED_BY_COLUMN, TGW_LAYOUT, VPC_FIELDS
from vpcflow.layout import DEFAULT, TGW_DEFAULT, Layout, header_layout, parse_log_format
from vpcflow.lines import Lines
from vpcflow.linewise import BY_PLACE, BadHeader
from vpcflow.parse import parse
from vpcflow.pipeline import Layouts, read_flows
from vpcflow.plain import plain
from vpcflow.rejects import Reject
from vpcflow.sources import Input
from vpcflow.sources.files import read_input
from vpcflow.stats import Books

V5 = Layout(tuple(field.name for field in VPC_FIELDS if field.since <= 5))
V11 = Layout(tuple(field.name for field in VPC_FIELDS))
TGW = Layout(TGW_LAYOUT)
SHORT = parse_log_format("srcaddr srcport start")
SWAPPED = parse_log_format("srcport srcaddr start")
TEXTS = parse_log_format("action log-status my-field")
LAYOUTS = (DEFAULT, TGW_DEFAULT, V5, V11, TGW, SHORT, SWAPPED, TEXTS)

VALUES: dict[str, list[str]] = {
    "int32": ["-", "0", "6", "443", "65535", "2147483647", "00443", "-0"],
    "int64": ["-", "0", "4249", "9223372036854775807", "000000000000000000000000001"],
    "time": ["-", "0", "1766000000", "1766000000123", "99999999999", "100000000000", "9" * 14],
    "address": [
        "-",
        "10.0.1.20",
        "203.0.113.5",
        "2001:db8::1",
        "::ffff:192.0.2.1",
        "255.255.255.255",
    ],
    "text": [
        "-",
        "ACCEPT",
        "OK",
        "NODATA",
        "eni-0a1b",
        "012345678901",
        "TransitGateway",
        "né",
        "-x",
    ],
    "tag": ["-", "web%2D1", "caf%C3%A9", "100%25", "%FF", "plain"],
}
BAD_TOKENS = [
    *("-1", "+1", "1.5", "0x1F", "1e3", "2147483648", "9223372036854775808", "9" * 40, "4_4", "٣"),
    *("10.0.0.256", "10.0.0", "01.2.3.4", "1::2::3", "fe80::1%eth0", "::", "100000000000000"),
    *("2018-09-22T20:28:14.000Z", "version", "${start}", '"', "'", "None", "nan", "é", "\\", "#"),
]
MUTATIONS = [
    *(
        b" ",
        b"  ",
        b"\t",
        b"\r",
        b"\0",
        b"\n",
        b"\n\n",
        b"\r\n",
        b"-",
        b"0",
        b"x",
        b"\xff",
        b"\xc3",
    ),
    *(
        b"\x7f",
        b'"',
        b",",
        b"2018-09-22T20:28:14.000Z ",
        b"\xe2\x80\xa8",
        b"\x1c",
        b"TransitGateway",
    ),
]


@st.composite
def lines_of(draw: st.DrawFn, layouts: Sequence[Layout] = LAYOUTS) -> bytes:
    """Draw lines as a log has them: mostly valid, of some layouts, with headers, blanks and damage among them."""
    chosen = draw(st.lists(st.sampled_from(layouts), min_size=1, max_size=3))
    lines: list[bytes] = []
    for _ in range(draw(st.integers(0, 8))):
        layout = draw(st.sampled_from(chosen))
        kind = draw(st.sampled_from("rrrrrrrrbhhemm"))
        if kind == "h":
            lines.append(draw(spelt(layout)))
        elif kind == "e":
            lines.append(draw(st.sampled_from([b"", b" ", b"\t\r", b"\0"])))
        elif kind == "m":
            lines.append(draw(mutated(draw(record(layout)))))
        elif kind == "b":
            lines.append(draw(record(layout, BAD_TOKENS)))
        else:
            lines.append(draw(record(layout)))
    return b"\n".join(lines) + draw(st.sampled_from([b"\n", b"\n", b"", b" "]))


@st.composite
def record(draw: st.DrawFn, layout: Layout, others: Sequence[str] = ()) -> bytes:
    tokens = [draw(st.sampled_from(VALUES[kind])) for kind in layout.kinds]
    if others:
        tokens[draw(st.integers(0, len(tokens) - 1))] = draw(st.sampled_from(others))
    return " ".join(tokens).encode()


@st.composite
def spelt(draw: st.DrawFn, layout: Layout) -> bytes:
    spellings = [str(layout), " ".join(layout.names), " ".join(layout.columns).upper()]
    return draw(st.sampled_from(spellings)).encode()


@st.composite
def mutated(draw: st.DrawFn, line: bytes) -> bytes:
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(line)))
        cut = draw(st.integers(0, 3))
        line = line[:at] + draw(st.sampled_from([b"", *MUTATIONS])) + line[at + cut :]
    return line


BYTES = st.one_of(st.binary(max_size=120), lines_of(), st.lists(lines_of()).map(b"\n".join))
POSSIBLE = st.sampled_from(
    [(), (DEFAULT,), (SHORT,), (SHORT, SWAPPED), (DEFAULT, V5, TEXTS), LAYOUTS]
)


class Outcome(NamedTuple):
    flows: list[dict[str, Any]]
    rejects: list[tuple[int, str]]
    headers: int
    blanks: int
    layout: Layout | None


def by_the_rules(
    data: bytes, layout: Layout | None = None, possible: Sequence[Layout] = ()
) -> Outcome:
    """Read line after line as the rules say, and nothing else; raises ``FormatError`` like ``parse``."""
    outcome = Outcome([], [], 0, 0, None)
    headers = blanks = 0
    lines = data.split(b"\n")
    for number, line in enumerate(lines if lines[-1] else lines[:-1], 1):
        text = plain(line).removesuffix(b"\n")
        if not text:
            blanks += 1
            continue
        candidates = layouts_of(text, layout, possible)
        passed = [w for w in candidates if isinstance(check_line(text, w), bytes)]
        # Text alone proves nothing: a header is text as well.
        proven = any(set(layout.kinds) - {"text", "tag"} for layout in passed)
        stated = None if proven else header_layout(text)
        if stated is not None:
            headers, layout = headers + 1, stated
        elif len(passed) > 1:
            outcome.rejects.append((number, "ambiguous_layout"))
        elif passed:
            outcome.flows.append(flow_of(text, passed[0], number))
        else:
            outcome.rejects.append((number, reason_of(text, candidates)))
    return outcome._replace(headers=headers, blanks=blanks, layout=layout)


def layouts_of(
    text: bytes, layout: Layout | None, possible: Sequence[Layout]
) -> tuple[Layout, ...]:
    if layout is not None:
        return (layout,)
    is_gateway = text.split(b" ")[1:2] == [b"TransitGateway"]
    return tuple(dict.fromkeys(possible)) or (TGW_DEFAULT if is_gateway else DEFAULT,)


def reason_of(text: bytes, layouts: Sequence[Layout]) -> str:
    """Give the reason of the layout that is nearest in length, the first of several."""
    count = len(text.split(b" "))
    nearest = min(layouts, key=lambda layout: abs(len(layout.names) - count))
    reason = check_line(text, nearest)
    assert isinstance(reason, str)
    return reason


def flow_of(text: bytes, layout: Layout, number: int) -> dict[str, Any]:
    flow: dict[str, Any] = {"source_line": number}
    for name, kind, token in zip(layout.columns, layout.kinds, text.decode().split(" ")):
        if token != "-":
            flow[name] = value_of(token, kind)
    return flow


def value_of(token: str, kind: str) -> str | int:
    if kind in ("int32", "int64"):
        return int(token)
    if kind == "time":
        return int(token) // (1000 if int(token) >= FIRST_MS else 1)
    return decode_tag(token) if kind == "tag" else token


def parsed(data: bytes, layout: Layout | None, possible: Sequence[Layout]) -> Outcome:
    count = data.count(b"\n") + (data[-1:] not in (b"", b"\n"))
    block = Lines(data, "flows.log", np.arange(1, count + 1))
    result = parse(block, layout=layout, possible=possible)
    flows = [plain_flow(flow) for batch in result.batches for flow in batch.to_pylist()]
    rejects = [(reject.line, reject.reason) for reject in result.rejects]
    return Outcome(flows, rejects, result.headers, result.blanks, result.layout)


def plain_flow(flow: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in flow.items() if v is not None and k not in ("source_object", BY_PLACE)}


@given(BYTES, st.sampled_from([None, *LAYOUTS]), POSSIBLE)
def test_every_line_of_any_bytes_is_a_flow_a_reject_a_header_or_blank(
    data: bytes, layout: Layout | None, possible: Sequence[Layout]
) -> None:
    try:
        outcome = parsed(data, layout, possible)
    except BadHeader:
        return

    lines = data.count(b"\n") + (data[-1:] not in (b"", b"\n"))
    found = len(outcome.flows) + len(outcome.rejects)
    assert found + outcome.headers + outcome.blanks == lines


@given(lines_of(), st.sampled_from([None, None, *LAYOUTS]), POSSIBLE)
def test_the_fast_way_and_the_careful_way_agree(
    data: bytes, layout: Layout | None, possible: Sequence[Layout]
) -> None:
    try:
        expected = by_the_rules(data, layout, possible)
    except FormatError:
        with pytest.raises(BadHeader):
            parsed(data, layout, possible)
        return

    assert parsed(data, layout, possible) == expected


@given(st.data())
def test_a_line_is_read_the_same_alone_as_among_lines_that_need_no_care(
    data: st.DataObject,
) -> None:
    layout = data.draw(st.sampled_from(LAYOUTS))
    line = data.draw(mutated(data.draw(record(layout)))).replace(b"\n", b"")
    clean = " ".join("-" for _ in layout.names).encode()
    try:
        alone = parsed(line + b"\n", layout, ())
    except BadHeader:
        return

    among = parsed(b"\n".join([clean, line, clean, b"x y", clean]), layout, ())

    if not alone.headers:
        assert [f | {"source_line": 1} for f in among.flows if f["source_line"] == 2] == alone.flows
        assert [reason for at, reason in among.rejects if at == 2] == [r for _, r in alone.rejects]


class Dribble(io.RawIOBase):
    """A stream that gives what it is asked for in pieces of given sizes, over and over."""

    def __init__(self, data: bytes, sizes: Sequence[int]) -> None:
        self._rest = data
        self._sizes = itertools.cycle(sizes)

    def read(self, size: int = -1) -> bytes:
        size = min(size, next(self._sizes))
        out, self._rest = self._rest[:size], self._rest[size:]
        return out


class Reading(NamedTuple):
    flows: list[dict[str, Any]]
    ids: list[str]
    rejects: list[Reject]
    books: Books
    warnings: set[str]


def reading(
    data: bytes,
    *,
    block_bytes: int = 1 << 24,
    sizes: Sequence[int] = (1 << 20,),
    possible: Sequence[Layout] = (),
) -> Reading:
    source = Input("flows.log", len(data), lambda: Dribble(data, sizes))  # type: ignore[return-value,arg-type]
    result = Reading([], [], [], Books(), set())
    for batch in read_flows(
        read_input(source, block_bytes=block_bytes),
        result.books,
        layouts=Layouts(possible),
        on_rejects=result.rejects.extend,
        warn=result.warnings.add,
    ):
        ids = enrich(batch, Reference(), columns=["event_id"]).column("event_id")
        result.ids.extend(ids.to_pylist())
        result.flows.extend(map(plain_flow, batch.to_pylist()))
    return result


WRAPPED = st.lists(
    st.one_of(
        lines_of((DEFAULT, SHORT, TGW_DEFAULT)),
        lines_of((DEFAULT, SHORT)).map(
            lambda text: json.dumps({"message": text.decode("utf-8", "surrogateescape")}).encode()
        ),
        st.sampled_from(
            [b"{", b"[", b"}", b'{"messageType": "CONTROL_MESSAGE"}', b"timestamp,message"]
        ),
        st.binary(max_size=20),
    ),
    max_size=5,
).map(b"\n".join)


@given(WRAPPED, POSSIBLE)
def test_no_bytes_are_too_strange_to_read_and_the_books_balance(
    data: bytes, possible: Sequence[Layout]
) -> None:
    result = reading(data, possible=possible)

    books = result.books
    assert books.found == len(result.flows) + len(result.rejects) + books.failed
    assert books.rejected.total() == len(result.rejects)
    books.delivered = len(result.flows)
    books.check()


@given(
    st.one_of(WRAPPED, lines_of(), st.lists(lines_of(), min_size=2).map(b"\n".join)),
    st.sampled_from([1, 2, 7, 30, 100, 1000]),
    st.lists(st.integers(1, 200), min_size=1, max_size=4),
    POSSIBLE,
)
def test_block_size_and_cutting_change_nothing(
    data: bytes, block_bytes: int, sizes: list[int], possible: Sequence[Layout]
) -> None:
    whole = reading(data, possible=possible)

    pieces = reading(data, block_bytes=block_bytes, sizes=sizes, possible=possible)

    assert pieces == whole


@given(lines_of((DEFAULT, V11, TGW_DEFAULT, SHORT)))
def test_no_column_of_a_flow_is_ours_but_its_place(data: bytes) -> None:
    result = reading(data)

    ours = {name for flow in result.flows for name in flow} & set(ADDED_BY_COLUMN)
    assert ours <= {"source_line"}
