"""
Envelopes: take the wrappers off that services put around flow log lines.

A source whose text begins with ``{`` or ``[`` is a sequence of JSON values, one a line, pretty-printed or joined
without anything between (as Firehose leaves CloudWatch's envelopes in S3), or by commas, as of an array too large to
be one value; bare lines may stand among them.
Known are Firehose's ``{"message": …}``, the CloudWatch Logs subscription envelope, and what ``aws logs
get-log-events`` and ``filter-log-events`` print.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
"""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, NamedTuple

import orjson

from vpcflow.errors import SourceError
from vpcflow.plain import MAX_LINE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_VALUE_CHARS = 64 * 1024 * 1024
"""The longest JSON value that is read as one; of a longer one, the values within that stand at lines' beginnings."""

_BETWEEN = re.compile(r"[ \t\r\n\0,]*")
_DECODER = json.JSONDecoder()


class Event(NamedTuple):
    """A message with flow log lines, CloudWatch's id for it, and its log group; each None where not known."""

    message: bytes
    event_id: str | None = None
    log_group: str | None = None


class Broken(NamedTuple):
    """Text that is neither a known envelope nor a flow log line."""

    raw: bytes


class Control(NamedTuple):
    """A control message of CloudWatch Logs, sent to see whether the destination can be reached: no record."""


class Unfinished(NamedTuple):
    """A value or line that breaks off because its source does: no record, but one was begun."""


def unwrap(value: object, raw: bytes) -> Iterator[Event | Broken | Control]:
    """Give the events in a decoded JSON value; ``Broken`` with the raw text where it is no known envelope."""
    if not isinstance(value, list):
        yield from _unwrap_one(value, raw)
        return
    for item in value:
        yield from _unwrap_one(item, raw if len(value) == 1 else _dump(item))


def _unwrap_one(value: object, raw: bytes) -> Iterator[Event | Broken | Control]:
    if not isinstance(value, dict):
        yield Broken(raw)
    elif value.get("messageType") == "CONTROL_MESSAGE":
        yield Control()
    elif isinstance(events := value.get("logEvents", value.get("events")), list):
        group = value.get("logGroup")
        for event in events:
            yield _event(event, group if isinstance(group, str) else None)
    else:
        event = _event(value, None)
        yield event if isinstance(event, Event) else Broken(raw)


def events(
    pieces: Iterator[bytes], *, max_value_chars: int = MAX_VALUE_CHARS
) -> Iterator[Event | Broken | Control | Unfinished]:
    """
    Give the events of a stream of JSON values and bare lines, in order. Never raises on any bytes.

    Where the pieces end in a ``SourceError``, it is raised when all that came before has been given.
    """
    text = _Text(pieces, max_value_chars)
    while text.skip_space():
        found = text.take_value() if text.begins_json() else None
        if found is not None:
            yield from unwrap(*found)
            continue
        kind = Broken if text.begins_json() else Event
        line = text.take_line()
        yield Unfinished() if line is None else kind(line)
    if text.fault is not None:
        raise text.fault


def _event(value: object, log_group: str | None) -> Event | Broken:
    if isinstance(value, dict):
        message = value.get("message", value.get("@message"))
        event_id = value.get("id", value.get("eventId"))
        if isinstance(message, str):
            known = _printable(event_id) if isinstance(event_id, str) else None
            return Event(_bytes(message), known, log_group)
    return Broken(_dump(value))


def _dump(value: object) -> bytes:
    try:
        return _bytes(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    except RecursionError:
        return b"(JSON nested too deep)"


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _bytes(text: str) -> bytes:
    # A lone surrogate is either a byte that was not UTF-8, or was written as an escape in the JSON.
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


class _Text:
    """
    A stream as text that grows as needed; bytes that are not UTF-8 are carried along as surrogates.

    ``fault`` is what the stream ended with, if that was not its end.
    """

    def __init__(self, pieces: Iterator[bytes], max_value_chars: int) -> None:
        self.fault: SourceError | None = None
        self._pieces = pieces
        self._max_value_chars = max_value_chars
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._text = ""
        self._at = 0
        self._ended = False
        self._is_new_line = True
        self._wasted = 0

    def _grow(self, by: int = 1) -> bool:
        """Read on, at least so many characters where there are so many; tell whether anything came."""
        parts = [self._text[self._at :]]
        had = size = len(parts[0])
        while not self._ended and size < had + by:
            piece = self._next()
            parts.append(self._decoder.decode(piece or b"", final=self._ended))
            size += len(parts[-1])
        self._text, self._at = "".join(parts), 0
        return size > had

    def _next(self) -> bytes | None:
        try:
            piece = next(self._pieces, None)
        except SourceError as fault:
            self.fault, piece = fault, None
        self._ended = piece is None
        return piece

    def skip_space(self) -> bool:
        """Go to the next character that is no white space or comma; tell whether there is one."""
        while True:
            between = _BETWEEN.match(self._text, self._at)
            self._at = between.end() if between else self._at
            self._is_new_line |= "\n" in between.group() if between else False
            if self._at < len(self._text):
                return True
            if not self._grow():
                return False

    def begins_json(self) -> bool:
        return self._text[self._at] in "{["

    def take_line(self) -> bytes | None:
        """
        Take what is left of the line, without its line feed; None where the stream broke off in it.

        Of a line too long to be one, enough is kept to tell.
        """
        while (end := self._text.find("\n", self._at)) < 0 and self._grow():
            if self._text.find("\n") < 0:
                self._text = self._text[: MAX_LINE_BYTES + 1]
        broke_off = end < 0 and self.fault is not None
        end = end if end >= 0 else len(self._text)
        line, self._at = self._text[self._at : end], end + 1
        self._is_new_line = True
        return None if broke_off else _bytes(line)

    def take_value(self) -> tuple[object, bytes] | None:
        """
        Take a JSON value and its text, or None (and nothing taken) where there is no whole value.

        When much was read in vain for values that are none, a value has to be whole in its line from then on.
        """
        self._forget()
        while True:
            found = self._take_line_value()
            if found is not None or self._wasted > 2 * self._max_value_chars:
                return found
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except (json.JSONDecodeError, RecursionError) as fault:
                read = getattr(fault, "pos", len(self._text)) - self._at
                if self._is_whole(fault) or not self._grow(len(self._text) - self._at + 1):
                    self._wasted += read
                    return None
            else:
                raw, self._at = self._text[self._at : end], end
                self._is_new_line = False
                return value, _bytes(raw)

    def _take_line_value(self) -> tuple[object, bytes] | None:
        """Take a value that is all there is in its line, by the fast decoder."""
        end = self._text.find("\n", self._at) if self._is_new_line else -1
        line = self._text[self._at : end] if end >= 0 else ""
        if not line.rstrip().endswith(("}", "]")):
            return None
        try:
            value = orjson.loads(line)
        except (orjson.JSONDecodeError, UnicodeEncodeError):
            return None
        self._at = end + 1
        return value, _bytes(line)

    def _forget(self) -> None:
        """Let go of what was taken, now and then: a decoder counts the lines from the start for each fault it tells."""
        if self._at > max(64 * 1024, len(self._text) // 8):
            self._text, self._at = self._text[self._at :], 0

    def _is_whole(self, fault: json.JSONDecodeError | RecursionError) -> bool:
        """Tell whether more text could not mend the fault, or too much has been read for it already."""
        if isinstance(fault, RecursionError) or len(self._text) - self._at > self._max_value_chars:
            return True
        rest = _BETWEEN.match(self._text, fault.pos + 8)
        at_end = rest is None or rest.end() >= len(self._text)
        return not (at_end or fault.msg.startswith("Unterminated string"))
