"""
Our own wrapper around a flow log line on its way through a Firehose stream: one JSON object, versioned.

``v`` is 1; ``id`` CloudWatch's event id, ``layout`` the line's layout as AWS spells it, each null where not known;
``attempt`` how often the line was put back on the stream. A line that is not UTF-8 carries its bytes as surrogates
(``\\udcNN``), so that it ends as it began.

A document that was made before, and that the destination would not have then, goes over the stream again as
``{"v": 1, "document": "…"}``: the decorator hands the text on as it is, so that it keeps its id and what was known when
it was made.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import orjson

VERSION = 1


class Wrapped(NamedTuple):
    """A flow log line with what is known of it; no line feed in ``line``."""

    line: bytes
    event_id: str | None = None
    layout: str | None = None
    attempt: int = 0


def wrap(wrapped: Wrapped) -> bytes:
    """Write the envelope: one line of JSON, ended by a line feed."""
    line, event_id, layout, attempt = wrapped
    text = line.decode("utf-8", "surrogateescape")
    return _dump({"v": VERSION, "id": event_id, "line": text, "layout": layout, "attempt": attempt})


def wrap_document(document: bytes) -> bytes:
    """Write the envelope around a document: one line of JSON, ended by a line feed."""
    text = document.rstrip(b"\r\n").decode("utf-8", "surrogateescape")
    return _dump({"v": VERSION, "document": text})


def unwrap(value: object) -> Wrapped | None:
    """Give what a decoded JSON value wraps; None where it is no envelope of ours."""
    if not isinstance(value, dict) or value.get("v") != VERSION:
        return None
    line, event_id = value.get("line"), value.get("id")
    layout, attempt = value.get("layout"), value.get("attempt", 0)
    if not isinstance(line, str) or not isinstance(attempt, int) or attempt < 0:
        return None
    if not (event_id is None or isinstance(event_id, str)):
        return None
    if not (layout is None or isinstance(layout, str)):
        return None
    try:
        return Wrapped(line.encode("utf-8", "surrogateescape"), event_id, layout, attempt)
    except UnicodeEncodeError:
        return None


def unwrap_document(value: object) -> bytes | None:
    """Give the document that a decoded JSON value wraps, without line feed; None where it wraps none."""
    if not isinstance(value, dict) or value.get("v") != VERSION:
        return None
    document = value.get("document")
    if not isinstance(document, str):
        return None
    try:
        return document.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return None


def _dump(envelope: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(envelope, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:  # surrogates
        return json.dumps(envelope, separators=(",", ":")).encode() + b"\n"
