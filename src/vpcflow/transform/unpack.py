"""
Take the records of an event apart: the flow log lines in each, whatever they are wrapped in.

Known are our envelope, bare lines, ``{"message": …}``, and CloudWatch Logs' envelope, plain or zipped; several of each
in a record, with or without line feeds between them.
"""

from __future__ import annotations

import binascii
import json
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import orjson

from vpcflow import flow_envelope, native
from vpcflow.decode import GZIP, ZSTD, decode
from vpcflow.envelopes import Broken, Control, Event, Unfinished, events, unwrap
from vpcflow.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    Sizes = npt.NDArray[np.int64]

MAX_UNPACKED_BYTES = 64 * 1024 * 1024
"""What a record may hold when unzipped. Firehose hands over some 3 MB a batch, and flow logs shrink to a tenth."""

_SPACE = bytes(range(33))
# To look for a byte by its number is five times as fast as for a text of it.
_BRACE, _LINE_FEED = b"{\n"
_BOM = b"\xef\xbb\xbf"
_JSON = frozenset(b"{[" + _SPACE)


class Bad(NamedTuple):
    """Something in a record that is neither an envelope nor a line: its bytes, and how often it was put back."""

    record: int
    raw: bytes
    attempt: int = 0


class Ready(NamedTuple):
    """A document in a record that was made before; it is handed on as it is."""

    record: int
    document: bytes


@dataclass
class Unpacked:
    """
    What is in the records of an event. Lists of equal length say of each line, in order, what is known of it.

    ``records`` is the number of its record; ``layouts`` the layout its envelope states, as text; ``bare`` tells that
    no wrapper says where the line ends, so that it may be several.
    """

    lines: list[bytes] = field(default_factory=list)
    records: list[int] = field(default_factory=list)
    event_ids: list[str | None] = field(default_factory=list)
    layouts: list[str | None] = field(default_factory=list)
    log_groups: list[str | None] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    bare: list[bool] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)
    ready: list[Ready] = field(default_factory=list)
    controls: Counter[int] = field(default_factory=Counter)
    blanks: Counter[int] = field(default_factory=Counter)
    size_bytes: int = 0

    def add_line(
        self,
        record: int,
        line: bytes,
        event_id: str | None = None,
        layout: str | None = None,
        log_group: str | None = None,
        attempt: int = 0,
        bare: bool = False,
    ) -> None:
        """Add a line, or count it where it is blank."""
        if line[:1] <= b" " and not line.strip(_SPACE):
            self.blanks[record] += 1
            return
        self.lines.append(line)
        self.records.append(record)
        self.event_ids.append(event_id)
        self.layouts.append(layout)
        self.log_groups.append(log_group)
        self.attempts.append(attempt)
        self.bare.append(bare)


def unpack(records: Sequence[Mapping[str, Any]], key: str) -> Unpacked:
    """Take all records apart; ``key`` is where a record has its data, in base64. Never raises on any data."""
    unpacked = Unpacked()
    decoded = _decoded(records, key)
    if decoded is not None and (lines := _lone_lines(*decoded)) is not None:
        _add_lone_lines(unpacked, lines, len(decoded[0]))
        return unpacked
    datas = [_data_of(record, key) for record in records] if decoded is None else _pieces(*decoded)
    for number, data in enumerate(datas):
        if data is None:
            unpacked.bad.append(Bad(number, b""))
            continue
        unpacked.size_bytes += len(data)
        if data.startswith(b"{"):
            _add_json(unpacked, number, data)
        elif data.startswith((GZIP, ZSTD)):
            _add_zipped(unpacked, number, data)
        else:
            _add_text(unpacked, number, data)
    return unpacked


def _decoded(records: Sequence[Mapping[str, Any]], key: str) -> tuple[bytes, Sizes] | None:
    """Decode all records at once: their data end to end, and the size of each; None where one has no base64."""
    try:
        return native.from_base64([record[key] for record in records])
    except (KeyError, TypeError):
        return None


def _data_of(record: Mapping[str, Any], key: str) -> bytes | None:
    try:
        return binascii.a2b_base64(record[key], strict_mode=True)
    except (KeyError, TypeError, ValueError):
        return None


def _pieces(data: bytes, sizes: Sizes) -> list[bytes]:
    return [data[first:end] for first, end in pairwise([0, *np.cumsum(sizes).tolist()])]


def _lone_lines(data: bytes, sizes: Sizes) -> list[bytes] | None:
    """Give the lines where each record is a bare one, as on most streams: from a digit up to a line feed, if any."""
    if _BRACE in data or not sizes.all():
        return None
    codes, ends = np.frombuffer(data, np.uint8), np.cumsum(sizes)
    first, ended = codes[ends - sizes], codes[ends - 1] == _LINE_FEED
    last = codes[ends - ended - 1]
    is_line = (first >= ord("0")) & (first <= ord("9")) & (last > ord(" "))
    count = np.count_nonzero(ended)
    if not is_line.all() or count != np.count_nonzero(codes == _LINE_FEED):
        return None
    if count == len(sizes):
        return data[:-1].split(b"\n")
    return [piece.rstrip(b"\n") for piece in _pieces(data, sizes)]


def _add_lone_lines(unpacked: Unpacked, lines: list[bytes], size: int) -> None:
    count = len(lines)
    unpacked.size_bytes = size
    unpacked.lines = lines
    unpacked.records = list(range(count))
    unpacked.event_ids = [None] * count
    unpacked.layouts = [None] * count
    unpacked.log_groups = [None] * count
    unpacked.attempts = [0] * count
    unpacked.bare = [True] * count


def _add_zipped(unpacked: Unpacked, record: int, data: bytes) -> None:
    """Unzip; where that goes wrong half way, none of it counts: the record stays whole, to be looked at by people."""
    pieces, size = [], 0
    try:
        for piece in decode(lambda _: b"", data):
            pieces.append(piece)
            size += len(piece)
            if size > MAX_UNPACKED_BYTES:
                raise SourceError("is too large")
    except SourceError:
        unpacked.bad.append(Bad(record, data))
        return
    unpacked.size_bytes += size - len(data)
    _add_text(unpacked, record, b"".join(pieces))


def _add_text(unpacked: Unpacked, record: int, data: bytes) -> None:
    if data.startswith(_BOM):
        data = data[len(_BOM) :]
    if data and data[0] in _JSON and data.lstrip(_SPACE)[:1] in (b"{", b"["):
        _add_json(unpacked, record, data)
    elif b"{" in data and any(line.lstrip(_SPACE)[:1] == b"{" for line in data.split(b"\n")):
        _add_events(unpacked, record, events(iter([data])))
    else:
        _add_bare(unpacked, record, data)


def _add_bare(unpacked: Unpacked, record: int, data: bytes) -> None:
    text = data.rstrip(b"\r\n")
    for line in text.split(b"\n"):
        unpacked.add_line(record, line, bare=True)


def _add_json(unpacked: Unpacked, record: int, data: bytes) -> None:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        _add_events(unpacked, record, events(iter([data])))
        return
    _add_value(unpacked, record, value, data)


def _add_value(unpacked: Unpacked, record: int, value: object, raw: bytes) -> None:
    wrapped = flow_envelope.unwrap(value)
    if wrapped is not None:
        _add_wrapped(unpacked, record, wrapped)
    elif (document := flow_envelope.unwrap_document(value)) is not None:
        _add_document(unpacked, record, document, raw)
    elif isinstance(value, list) and any(isinstance(one, dict) and "v" in one for one in value):
        for one in value:
            _add_value(unpacked, record, one, orjson.dumps(one))
    else:
        _add_events(unpacked, record, unwrap(value, raw))


def _add_wrapped(unpacked: Unpacked, record: int, wrapped: flow_envelope.Wrapped) -> None:
    line, event_id, layout, attempt = wrapped
    if _LINE_FEED not in line and (event_id is None or event_id.isascii()):
        unpacked.add_line(record, line, event_id, layout, None, attempt)
        return
    if event_id is not None and not event_id.isascii():
        event_id = event_id.encode("utf-8", "backslashreplace").decode("utf-8")
    for i, one in enumerate(line.rstrip(b"\r\n").split(b"\n")):
        known = _id_of_line(event_id, i)
        unpacked.add_line(record, one, event_id=known, layout=layout, attempt=attempt)


def _id_of_line(event_id: str | None, place: int) -> str | None:
    """Give the id of a line of an event, as the ingestor does: a second line is another record, with another id."""
    return event_id if event_id is None or not place else f"{event_id}:{place + 1}"


def _add_document(unpacked: Unpacked, record: int, document: bytes, raw: bytes) -> None:
    """Take a document over; in JSON a line feed is white space, and here it would end the document."""
    try:
        is_document = isinstance(orjson.loads(document), dict)
    except orjson.JSONDecodeError:
        is_document = False
    if is_document:
        unpacked.ready.append(Ready(record, document.replace(b"\n", b" ").replace(b"\r", b" ")))
    else:
        unpacked.bad.append(Bad(record, raw))


def _add_events(
    unpacked: Unpacked, record: int, found: Iterator[Event | Broken | Control | Unfinished]
) -> None:
    for event in found:
        if isinstance(event, Control):
            unpacked.controls[record] += 1
        elif isinstance(event, Event):
            _add_event(unpacked, record, event)
        elif isinstance(event, Broken):
            _add_broken(unpacked, record, event.raw)


def _add_event(unpacked: Unpacked, record: int, event: Event) -> None:
    message, event_id, log_group = event
    bare = event_id is None and log_group is None
    for i, line in enumerate(message.rstrip(b"\r\n").split(b"\n")):
        known = _id_of_line(event_id, i)
        unpacked.add_line(record, line, event_id=known, log_group=log_group, bare=bare)


def _add_broken(unpacked: Unpacked, record: int, raw: bytes) -> None:
    """Look once more: one of several values in a record, or one with bytes that are not UTF-8, may be our envelope."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict) and value.get("v") == flow_envelope.VERSION:
        wrapped, document = flow_envelope.unwrap(value), flow_envelope.unwrap_document(value)
        if wrapped is not None:
            _add_wrapped(unpacked, record, wrapped)
            return
        if document is not None:
            _add_document(unpacked, record, document, raw)
            return
    unpacked.bad.append(Bad(record, raw))
