"""
The careful way: what a line must be to be a flow record, one line at a time.

This is the definition; ``parse`` is a faster way to the same answer, and a test holds the two together. Nothing about
ids, accounts or closed sets is checked: AWS adds values, and an unknown one is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpcflow.addresses import is_address
from vpcflow.plain import MAX_LINE_BYTES

if TYPE_CHECKING:
    from vpcflow.fields import Kind
    from vpcflow.layout import Layout

# 10^11 s is the year 5138, 10^11 ms is March 1973: below, a time is in seconds, from there on in milliseconds.
FIRST_MS = 100_000_000_000
LAST_MS = FIRST_MS * 1000 - 1

_MAX_INT32 = (1 << 31) - 1
_MAX_INT64 = (1 << 63) - 1


def check_line(line: bytes, layout: Layout) -> bytes | str:
    """
    Check one plain line against a layout: give its canonical text, or the reason why it is no flow record.

    The canonical text has single spaces and plain decimal numbers, times still as logged. ``-`` is null in every
    column. The reason is that of the first check that fails, count before values.
    """
    if len(line) > MAX_LINE_BYTES:
        return "line_too_long"
    tokens = line.split(b" ")
    if len(tokens) != len(layout.names):
        return "too_few_fields" if len(tokens) < len(layout.names) else "too_many_fields"
    checked = []
    for token, kind in zip(tokens, layout.kinds, strict=True):
        value = token if token == b"-" else _check_value(token, kind)
        if isinstance(value, str):
            return value
        checked.append(value)
    return b" ".join(checked)


def all_text(layout: Layout) -> bool:
    """Tell whether no value of the layout is checked, so that a header line would pass for a record."""
    return all(kind in ("text", "tag") for kind in layout.kinds)


def _check_value(token: bytes, kind: Kind) -> bytes | str:
    try:
        text = token.decode("utf-8")
    except UnicodeDecodeError:
        return "bad_text"
    if kind in ("text", "tag"):
        return token
    if kind == "address":
        return token if is_address(text) else "bad_address"
    return _check_number(text, kind)


def _check_number(text: str, kind: Kind) -> bytes | str:
    # Minus zero is zero, to the CSV reader too.
    text = text.removeprefix("-") if text.strip("0") == "-" else text
    if not (text.isascii() and text.isdigit()):
        return "bad_number"
    # Python refuses to read numbers of thousands of digits; none that long fits.
    digits = text.lstrip("0") or "0"
    number = int(digits) if len(digits) < 20 else _MAX_INT64 + 1
    if number > (_MAX_INT32 if kind == "int32" else _MAX_INT64):
        return "bad_number"
    if kind == "time" and number > LAST_MS:
        return "bad_time"
    return str(number).encode()
