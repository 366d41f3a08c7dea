"""Plain text: single spaces, line by line, nothing lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpcflow import plain as module
from vpcflow.plain import (
    MAX_LINE_BYTES,
    has_lone_return,
    has_long_line,
    line_count,
    may_have_hexadecimal,
    plain,
)

# Text that is mostly of what this module is about, and crosses the windows it looks through.
TEXTS = st.lists(
    st.sampled_from(
        [
            *(b"2", b"-", b" ", b"  ", b"\t", b"\r", b"\0", b"\n", b"\n\n", b"\x7f", b"0x1", b"-5"),
            *(b"2018-09-22T20:28:14.000Z ", b"word", b"\xff", b"\xc3\xa9", b"x" * 300),
        ]
    ),
    max_size=60,
).map(b"".join)


def by_line(data: bytes) -> list[bytes]:
    """Give the plain lines, each taken alone by the definition."""
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return [one_line(line) for line in lines]


def one_line(line: bytes) -> bytes:
    spaced = bytes(32 if byte < 32 else byte for byte in line)
    tokens = [token for token in spaced.split(b" ") if token]
    if len(tokens) > 1 and is_stamp(tokens[0]):
        tokens.pop(0)
    return b" ".join(tokens)


def is_stamp(token: bytes) -> bool:
    return token == b"2018-09-22T20:28:14.000Z"


@given(TEXTS)
def test_every_line_is_brought_to_single_spaces_and_stays_where_it_is(data: bytes) -> None:
    text = plain(data)

    lines = text.split(b"\n")
    if not lines[-1]:
        lines.pop()
    assert lines == by_line(data)
    assert line_count(text) == line_count(data) == len(lines)


@given(TEXTS)
def test_plain_text_is_left_alone(data: bytes) -> None:
    once = plain(data)

    # A second time stamp is a token like others, but at the front it is taken off again.
    assert b"Z " in once or plain(once) == once


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", b""),
        (b" ", b"\n"),
        (b"a b\n ", b"a b\n\n"),
        (b"a  b\tc\r\n", b"a b c\n"),
        (b"\0a\0\0b\0", b"a b"),
        (b"2018-09-22T20:28:14.000Z 2 633\n", b"2 633\n"),
        (b"2 633\n\t2018-09-22T20:28:14+0100  2 634", b"2 633\n2 634"),
        (b"2018-09-22T20:28:14.000Z\n", b"2018-09-22T20:28:14.000Z\n"),
        (b"2018-09-22 20:28:14 2 633\n", b"2018-09-22 20:28:14 2 633\n"),
        (b"a\x7fb c\x80", b"a\x7fb c\x80"),
    ],
)
def test_white_space_and_export_times(data: bytes, text: bytes) -> None:
    assert plain(data) == text


@pytest.mark.parametrize("where", [0, 1, 2, 3])
@pytest.mark.parametrize("what", [b"  ", b"\t", b"\r", b"\n20", b" -1 ", b"\n\n"])
def test_nothing_is_missed_at_the_edge_of_a_window(where: int, what: bytes) -> None:
    before = b"x" * (module._WINDOW_BYTES - where)
    data = before + what + b"y" * 10

    assert plain(data) == b"\n".join(by_line(data))


@pytest.mark.parametrize(
    ("text", "may"), [(b"2 0x1F", True), (b"2 0X1f", True), (b"proxy x0 00", False), (b"", False)]
)
def test_numbers_a_csv_reader_would_take_and_a_flow_log_has_not_are_seen(
    text: bytes, may: bool
) -> None:
    assert may_have_hexadecimal(text) is may


@pytest.mark.parametrize(
    ("text", "lone"),
    [(b"a\r\nb\r\n", False), (b"a\nb", False), (b"a\rb\r\n", True), (b"a\r\r\n", True)],
)
def test_a_carriage_return_that_ends_no_line_is_seen(text: bytes, lone: bool) -> None:
    assert has_lone_return(text) is lone


@pytest.mark.parametrize("offset", [0, 1, MAX_LINE_BYTES // 2, MAX_LINE_BYTES // 2 + 1])
@pytest.mark.parametrize("over", [-1, 0, 1, MAX_LINE_BYTES])
def test_a_line_is_too_long_wherever_it_stands(offset: int, over: int) -> None:
    lines = [b"y" * offset, b"x" * (MAX_LINE_BYTES + over), b"z" * offset]

    assert has_long_line(b"\n".join(lines)) is (over > 0)
