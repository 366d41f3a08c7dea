"""Rejects: what was found where a flow record should be, and why it is none."""

from __future__ import annotations

from typing import NamedTuple

_LIMIT_BYTES = 4096


class Reject(NamedTuple):
    """
    A line that is no flow record.

    ``line`` is its number in the source from 1 (the row in a Parquet file), ``reason`` one of ``codes.REJECT_REASONS``,
    ``text`` the raw line, at most 4 KiB of it, with bytes that are not UTF-8 as ``\\xNN``; of a record that a search
    server refused, what the server said.
    """

    source: str
    line: int
    reason: str
    text: str


def reject(source: str, line: int, reason: str, raw: bytes) -> Reject:
    """Make a reject of a raw line, cut to 4 KiB."""
    return Reject(source, line, reason, raw[:_LIMIT_BYTES].decode("utf-8", "backslashreplace"))
