"""
Envelopes: take the wrappers off that services put around flow log lines.

A source whose text begins with ``{`` or ``[`` is a sequence of JSON values, one a line, pretty-printed or joined
without anything between (as Firehose leaves CloudWatch's envelopes in S3); bare lines may stand among them.
Known are Firehose's ``{"message": …}``, the CloudWatch Logs subscription envelope, and what ``aws logs
get-log-events`` and ``filter-log-events`` print.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
"""

from __future__ import annotations

import codecs
import json
from typing import TYPE_CHECKING, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_VALUE_CHARS = 64 * 1024 * 1024
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


def unwrap(value: object, raw: bytes) -> Iterator[Event | Broken | Control]:
    """Give the events in a decoded JSON value; ``Broken`` with the raw text where it is no known envelope."""
    if isinstance(value, list):
        for item in value:
            yield from unwrap(item, raw if len(value) == 1 else _dump(item))
        return
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


def events(pieces: Iterator[bytes]) -> Iterator[Event | Broken | Control]:
    """Give the events of a stream of JSON values and bare lines, in order. Never raises on any bytes."""
    text = _Text(pieces)
    while text.skip_space():
        if not text.begins_json():
            yield Event(text.take_line())
            continue
        found = text.take_value()
        if found is None:
            yield Broken(text.take_line())
        else:
            yield from unwrap(*found)


def _event(value: object, log_group: str | None) -> Event | Broken:
    if isinstance(value, dict):
        message = value.get("message", value.get("@message"))
        event_id = value.get("id", value.get("eventId"))
        if isinstance(message, str):
            return Event(
                _bytes(message), event_id if isinstance(event_id, str) else None, log_group
            )
    return Broken(_dump(value))


def _dump(value: object) -> bytes:
    return _bytes(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _bytes(text: str) -> bytes:
    # A lone surrogate is either a byte that was not UTF-8, or was written as \udXXX in the JSON.
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


class _Text:
    """A stream as text that grows as needed; bytes that are not UTF-8 are carried along as surrogates."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._text = ""
        self._at = 0
        self._ended = False

    def _grow(self, by: int = 1) -> bool:
        """Read on, at least so many characters where there are so many; tell whether anything came."""
        parts = [self._text[self._at :]]
        had = size = len(parts[0])
        while not self._ended and size < had + by:
            piece = next(self._pieces, None)
            self._ended = piece is None
            parts.append(self._decoder.decode(piece or b"", final=self._ended))
            size += len(parts[-1])
        self._text, self._at = "".join(parts), 0
        return size > had

    def skip_space(self) -> bool:
        """Go to the next character that is not white space; tell whether there is one."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in " \t\r\n\0":
                self._at += 1
            if self._at < len(self._text):
                return True
            if not self._grow():
                return False

    def begins_json(self) -> bool:
        return self._text[self._at] in "{["

    def take_line(self) -> bytes:
        """Take what is left of the line, without its line feed."""
        while (end := self._text.find("\n", self._at)) < 0 and self._grow(len(self._text)):
            pass
        end = end if end >= 0 else len(self._text)
        line, self._at = self._text[self._at : end], end + 1 if end < len(self._text) else end
        return _bytes(line)

    def take_value(self) -> tuple[object, bytes] | None:
        """Take a JSON value and its text, or None (and nothing taken) where there is no whole value."""
        while True:
            end = self._text.find("\n", self._at)
            line = self._text[self._at : end] if end >= 0 else ""
            if line.rstrip().endswith(("}", "]")):
                try:
                    value = orjson.loads(line)
                except (orjson.JSONDecodeError, UnicodeEncodeError):
                    pass
                else:
                    self._at = end + 1
                    return value, _bytes(line)
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except (json.JSONDecodeError, RecursionError) as fault:
                if self._is_whole(fault) or not self._grow(len(self._text) - self._at + 1):
                    return None
            else:
                raw, self._at = self._text[self._at : end], end
                return value, _bytes(raw)

    def _is_whole(self, fault: json.JSONDecodeError | RecursionError) -> bool:
        """Tell whether more text could not mend the fault, or too much has been read for it already."""
        if isinstance(fault, RecursionError) or len(self._text) - self._at > _MAX_VALUE_CHARS:
            return True
        at_end = fault.pos >= len(self._text.rstrip()) - 8
        return not (at_end or fault.msg.startswith("Unterminated string"))
