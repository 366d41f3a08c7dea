"""
Plain text: lines with single spaces and nothing in front, so that columns can be read from them at once.

Every control byte but the line feed counts as white space: the CR of CRLF, tabs, NUL padding. AWS's own example has a
doubled space. Searches go over the bytes in numpy: ``bytes.find`` for two bytes is an order of magnitude slower.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterator

    Codes = npt.NDArray[np.uint8]

MAX_LINE_BYTES = 1 << 20

_WINDOW_BYTES = 128 * 1024

_TO_SPACES = bytes(32 if byte < 32 and byte != 10 else byte for byte in range(256))

# CloudWatch's export to S3 writes the event's time before the record: 2018-09-22T20:28:14.000Z 2 633…
_EXPORT_PREFIX = re.compile(
    rb"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d) ", re.MULTILINE
)


def plain(data: bytes) -> bytes:
    """
    Bring lines to single spaces, with none at their ends, and take the time stamps of CloudWatch's exports off.

    Line *i* in is line *i* out.
    """
    text = _without_loose_space(data)
    if text[:2] == b"20" or any(_may_have_prefix(window) for window in _windows(text)):
        text = _EXPORT_PREFIX.sub(b"", text)
    return text


def _without_loose_space(data: bytes) -> bytes:
    if any(_has_controls(window) for window in _windows(data)):
        data = data.translate(_TO_SPACES)
    if not any(map(_has_loose_space, _windows(data))) and b" " not in (data[:1], data[-1:]):
        return data
    lines = line_count(data)
    while b"  " in data:
        data = data.replace(b"  ", b" ")
    data = data.replace(b" \n", b"\n").replace(b"\n ", b"\n").strip(b" ")
    # A last line of spaces alone, without a line feed, is a line.
    return data if line_count(data) == lines else data + b"\n"


def line_count(data: bytes) -> int:
    """Count the lines, the last perhaps without a line feed."""
    codes = np.frombuffer(data, np.uint8)
    feeds = sum(
        np.count_nonzero(codes[at : at + _WINDOW_BYTES] == 10)
        for at in range(0, len(codes), _WINDOW_BYTES)
    )
    return int(feeds) + (data[-1:] not in (b"", b"\n"))


def has_long_line(data: bytes) -> bool:
    """Tell whether a line is longer than ``MAX_LINE_BYTES``, by looking for stretches without a line feed."""
    step = MAX_LINE_BYTES // 2
    if len(data) <= MAX_LINE_BYTES:
        return False
    if all(data.find(b"\n", at, at + step) >= 0 for at in range(0, len(data) - step, step)):
        return False
    return max(map(len, data.split(b"\n"))) > MAX_LINE_BYTES


def has_lone_return(data: bytes) -> bool:
    """Tell whether a carriage return stands elsewhere than before a line feed: the CSV reader ends a line there."""
    return b"\r" in data and data.count(b"\r") != data.count(b"\r\n")


def may_have_hexadecimal(data: bytes) -> bool:
    """Tell whether a token might be 0x1F, which the CSV reader takes for a number and a flow log has not."""
    # Neither letter is in an id, an address or a word of a record; where a tag has one, look closer.
    return (b"x" in data or b"X" in data) and (b"0x" in data or b"0X" in data)


def _windows(data: bytes) -> Iterator[Codes]:
    """Look at the data in pieces that stay in the processor's cache, each with the first two bytes of the next."""
    codes = np.frombuffer(data, np.uint8)
    return (codes[at : at + _WINDOW_BYTES + 2] for at in range(0, len(codes), _WINDOW_BYTES))


def _has_controls(codes: Codes) -> bool:
    return bool(np.count_nonzero(codes < 32) != np.count_nonzero(codes == 10))


def _has_loose_space(codes: Codes) -> bool:
    space = codes <= 32
    return bool((space[1:] & space[:-1]).any())


def _may_have_prefix(codes: Codes) -> bool:
    starts = np.flatnonzero(codes[:-2] == 10) + 1
    return bool(((codes[starts] == 50) & (codes[starts + 1] == 48)).any())
