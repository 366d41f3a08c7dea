"""Parsing a block: what the columnar way must not take for something else, and layouts side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from vpcflow.fields import VPC_FIELDS
from vpcflow.layout import DEFAULT, TGW_DEFAULT, Layout, parse_log_format
from vpcflow.lines import Lines
from vpcflow.linewise import BY_PLACE, BadHeader
from vpcflow.parse import Parsed, parse
from vpcflow.plain import MAX_LINE_BYTES, line_count

LINE = (
    "2 123456789012 eni-0a 10.0.1.20 198.51.100.1 40001 443 6 1 100 1766000000 1766000059 ACCEPT OK"
)
GATEWAY = (
    "6 TransitGateway 123456789012 tgw-0a tgw-attach-0a - - - - - - - - - - - 10.1.0.5 10.2.0.9"
    " 43210 443 6 10 1200 1766000000 1766000058 OK IPv4 0 0 0 0"
)
SHORT = Layout(("version", "srcaddr", "dstaddr"))


def parsed(
    *lines: str | bytes, layout: Layout | None = None, possible: Sequence[Layout] = ()
) -> Parsed:
    data = b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines)
    block = Lines(data, "flows.log", np.arange(1, line_count(data) + 1))
    return parse(block, layout=layout, possible=possible)


def flows(result: Parsed) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in flow.items() if value is not None}
        for batch in result.batches
        for flow in batch.to_pylist()
    ]


def numbers(result: Parsed) -> list[int]:
    return [flow["source_line"] for flow in flows(result)]


def reasons(result: Parsed) -> list[tuple[int, str]]:
    return [(reject.line, reject.reason) for reject in result.rejects]


def test_a_carriage_return_ends_no_line_even_where_a_blank_line_makes_up_for_the_count() -> None:
    result = parsed(f"{LINE}\r{LINE}", "")

    assert (flows(result), reasons(result), result.blanks) == ([], [(1, "too_many_fields")], 1)


@pytest.mark.parametrize("number", ["-1", "0x1F", "-0x1", "+1", "2147483648"])
def test_a_number_the_csv_reader_might_take_is_rejected_without_a_neighbour(number: str) -> None:
    result = parsed(LINE.replace("40001", number))

    assert reasons(result) == [(1, "bad_number")]


@pytest.mark.parametrize("neighbour", ["- 10.0.0.1", "- broken"])
def test_the_time_of_an_export_is_no_text_of_a_first_column(neighbour: str) -> None:
    result = parsed(
        "2018-09-22T20:28:14.000Z 10.0.0.1", neighbour, layout=parse_log_format("x srcaddr")
    )

    assert reasons(result)[0] == (1, "too_few_fields")


@pytest.mark.parametrize("neighbour", [LINE, "broken"])
def test_the_second_token_tells_a_transit_gateways_line(neighbour: str) -> None:
    result = parsed(LINE.replace("123456789012", "TransitGateway"), neighbour)

    assert reasons(result)[0] == (1, "too_few_fields")


@pytest.mark.parametrize("neighbour", [LINE, "broken", ""])
def test_a_stated_layout_holds_whatever_the_second_token(neighbour: str) -> None:
    result = parsed(LINE.replace("123456789012", "TransitGateway"), neighbour, layout=DEFAULT)

    assert flows(result)[0]["account_id"] == "TransitGateway"


def test_a_gateways_log_without_a_header_is_one_batch() -> None:
    result = parsed(GATEWAY, GATEWAY.replace("443", "80"))

    [batch] = result.batches
    assert batch.column("dstport").to_pylist() == [443, 80]
    assert batch.column("packets_lost_no_route").to_pylist() == [0, 0]


def test_a_gateways_log_with_another_second_token_is_not_of_its_layout() -> None:
    result = parsed(GATEWAY, GATEWAY.replace("TransitGateway", "-"), GATEWAY)

    assert numbers(result) == [1, 3]
    assert reasons(result) == [(2, "too_many_fields")]


@pytest.mark.parametrize("count", [1, 2, 50])
def test_layouts_that_alternate_share_a_batch_in_the_order_of_the_lines(count: int) -> None:
    result = parsed(*[LINE, GATEWAY] * count)

    [batch] = result.batches
    assert batch.column("source_line").to_pylist() == list(range(1, 2 * count + 1))
    assert batch.column("version").to_pylist() == [2, 6] * count
    assert batch.column("tgw_id").to_pylist() == [None, "tgw-0a"] * count
    assert batch.column(BY_PLACE).to_pylist() == [False, True] * count


def test_only_a_batch_that_needs_it_marks_what_its_place_identifies() -> None:
    for lines in ([LINE, "x"], [GATEWAY, "x"], [LINE, " ".join(DEFAULT.names), LINE]):
        [batch] = parsed(*lines).batches

        assert BY_PLACE not in batch.schema.names


def test_layouts_that_lack_different_things_are_marked_where_together_they_lack_nothing() -> None:
    names = [name for name in DEFAULT.names if name != "action"]
    tokens = [token for token in LINE.split() if token != "ACCEPT"]

    [batch] = parsed("action start end", "ACCEPT 1 2", " ".join(names), " ".join(tokens)).batches

    assert batch.column(BY_PLACE).to_pylist() == [True, True]


def test_dictionaries_of_a_merged_batch_hold_distinct_values_and_no_null() -> None:
    [batch] = parsed(LINE, GATEWAY, "version action", "2 ACCEPT", "3 -").batches

    for column in batch.columns:
        if hasattr(column, "dictionary"):
            values = column.dictionary.to_pylist()
            assert len(set(values)) == len(values)
            assert None not in values


def test_a_header_again_every_few_lines_makes_no_more_batches() -> None:
    result = parsed(*[" ".join(DEFAULT.names), LINE, LINE] * 40)

    [batch] = result.batches
    assert (batch.num_rows, result.headers, result.layout) == (80, 40, DEFAULT)


def test_headers_with_ever_new_names_do_not_make_one_table_of_them_all() -> None:
    lines = [line for i in range(300) for line in (f"version name-{i}", "2 y")]

    result = parsed(*lines)

    assert numbers(result) == list(range(2, 601, 2))
    assert len(result.batches) == 2
    assert max(batch.num_columns for batch in result.batches) < 300


def test_a_line_is_too_long_as_it_came_not_as_it_is_without_its_spaces() -> None:
    spaced = LINE.replace(" ", " " * (MAX_LINE_BYTES // 13 + 1), 13)

    result = parsed(LINE, spaced, " " * (MAX_LINE_BYTES + 1), "x" * (MAX_LINE_BYTES + 1), LINE)

    assert numbers(result) == [1, 5]
    assert reasons(result) == [(line, "line_too_long") for line in (2, 3, 4)]
    assert all(len(reject.text) == 4096 for reject in result.rejects)


def test_a_line_is_too_long_after_another_header_as_well() -> None:
    spaced = "2" + " " * MAX_LINE_BYTES + "- -"

    result = parsed(LINE, "version srcaddr dstaddr", spaced, "2 - -")

    assert (numbers(result), reasons(result)) == ([1, 4], [(3, "line_too_long")])


def test_a_line_of_exactly_the_limit_is_taken() -> None:
    line = LINE.replace("eni-0a", "e" * (MAX_LINE_BYTES - len(LINE) + 6))

    result = parsed(line, LINE)

    assert len(line) == MAX_LINE_BYTES
    assert numbers(result) == [1, 2]


@pytest.mark.parametrize("before", [[], [LINE], ["broken", LINE]])
def test_a_header_that_names_a_field_twice_says_where_it_is(before: list[str]) -> None:
    with pytest.raises(BadHeader, match="more than once: start") as raised:
        parsed(*before, "version start srcaddr start", LINE)

    assert raised.value.place == len(before)


def test_columns_named_like_ours_are_left_out_in_every_way() -> None:
    header = "version source-line srcaddr event_id"

    for more in ([], ["broken"], [" ".join(DEFAULT.names), LINE]):
        result = parsed(header, "2 7 10.0.0.1 x", *more)

        assert numbers(result)[0] == 2
        assert "event_id" not in result.batches[0].schema.names


def test_the_maximal_layout_has_a_fast_and_a_careful_way() -> None:
    layout = Layout(tuple(field.name for field in VPC_FIELDS))
    line = " ".join("-" if kind != "text" else "x" for kind in layout.kinds)

    fast, careful = parsed(line, layout=layout), parsed(line, "x", layout=layout)

    assert flows(fast) == flows(careful)
    assert len(fast.batches[0].schema.names) == 54 + 2


def test_the_layout_of_the_last_header_is_in_force_for_the_next_block() -> None:
    assert parsed(LINE).layout is None
    assert parsed(LINE, layout=SHORT).layout == SHORT
    assert parsed("version srcaddr dstaddr", "2 - -").layout == SHORT
    assert parsed("version srcaddr dstaddr", "2 - -", "action", "x").layout == Layout(("action",))
    assert parsed(GATEWAY, possible=[TGW_DEFAULT]).layout is None
