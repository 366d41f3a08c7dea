"""
Cut lines that were joined without a line break where a new record starts.

Firehose joins messages so when it takes them out of CloudWatch's envelopes: ``… ACCEPT OK2 123456789012 eni-…``. The
last value of one record and the first of the next are then one token, and a record's start is known by what its first
fields look like. ``version`` is the highest version among the layout's fields, which AWS says and which leaves one way
to cut; where there are several ways, none is taken.
"""

from __future__ import annotations

import functools
import re
from itertools import pairwise
from typing import TYPE_CHECKING

from vpcflow import careful
from vpcflow.fields import FIELD_BY_NAME
from vpcflow.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vpcflow.layout import Layout

_START_FIELDS = 3

_ID = r"-(?:[0-9a-f]{17}|[0-9a-f]{8})"
_BY_NAME = {
    "account-id": r"(?:[0-9]{12}|unknown)",
    "interface-id": rf"(?:eni{_ID}|-)",
    "vpc-id": rf"(?:vpc{_ID}|-)",
    "subnet-id": rf"(?:subnet{_ID}|-)",
    "instance-id": rf"(?:i{_ID}|-)",
    "action": "(?:ACCEPT|REJECT|-)",
    "log-status": "(?:OK|NODATA|SKIPDATA)",
    "type": "(?:IPv4|IPv6|EFA|-)",
    "flow-direction": "(?:ingress|egress|-)",
    "traffic-path": "(?:[1-8]|-)",
    "protocol": "(?:[0-9]{1,3}|-)",
    "resource-type": "TransitGateway",
    "tgw-id": "(?:tgw-[0-9a-f]+|-)",
    "tgw-attachment-id": "(?:tgw-attach-[0-9a-f]+|-)",
    "az-id": "(?:[a-z]+[0-9]-az[0-9]|-)",
    "region": "(?:[a-z]{2}(?:-[a-z]+)+-[0-9]|-)",
}
_BY_KIND = {
    "int32": "(?:[0-9]{1,10}|-)",
    "int64": "(?:[0-9]{1,19}|-)",
    "time": "(?:[0-9]{10}|[0-9]{13}|-)",
    "address": "(?:[0-9A-Fa-f:.]{2,45}|-)",
    "text": "[!-~]+",
    "tag": "[!-~]+",
}
# What can be nothing else, wherever in a line it stands.
_TELLING = frozenset(
    "account-id interface-id vpc-id subnet-id instance-id resource-type tgw-id tgw-attachment-id".split()
)


def cut(line: bytes, layouts: Sequence[Layout]) -> list[bytes]:
    """Cut a line into records of these layouts; the line alone where no start of a record is found in it."""
    text = plain(line)
    for layout in layouts:
        pieces = list(_pieces(text, _places(text, layout)))
        if len(pieces) > 1 and any(_is_record(piece, layout) for piece in pieces):
            return pieces
    return [line]


def _places(text: bytes, layout: Layout) -> list[int]:
    if len(layout.names) < 2:
        return []
    if _TELLING.intersection(layout.names[:_START_FIELDS]):
        return _starts(text, layout)
    return _strides(text, layout)


def _starts(text: bytes, layout: Layout) -> list[int]:
    """Find where in a token the first fields begin: records before and after may be whole or not."""
    found: dict[int, list[int]] = {}
    for match in _start(layout).finditer(text):
        at = match.start()
        found.setdefault(text.find(b" ", at), []).append(at)
    chosen = (_only(text, places, layout) for places in found.values())
    return [at for at in chosen if at is not None]


def _strides(text: bytes, layout: Layout) -> list[int]:
    """Find where every record must end, if all are whole; empty where one of them can be cut in no way, or in two."""
    ends = [len(token) for token in text.split(b" ")]
    step = len(layout.names) - 1
    if len(ends) <= step + 1 or (len(ends) - 1) % step:
        return []
    offsets = [0]
    for size in ends:
        offsets.append(offsets[-1] + size + 1)
    found = []
    for token in range(step, len(ends) - 1, step):
        first, end = offsets[token], offsets[token] + ends[token]
        places = [at for at in range(first + 1, end) if _starts_at(text, at, end, layout)]
        at = _only(text, places, layout, sure=False)
        if at is None:
            return []
        found.append(at)
    pieces = _pieces(text, found)
    return found if all(_is_record(piece, layout) for piece in pieces) else []


def _starts_at(text: bytes, at: int, end: int, layout: Layout) -> bool:
    value, name = text[at:end], layout.names[0]
    if not re.fullmatch(_value(name, layout).encode(), value):
        return False
    kind = layout.kinds[0]
    return kind != "address" or isinstance(careful.check_line(value, _first(layout)), bytes)


def _only(text: bytes, places: list[int], layout: Layout, *, sure: bool = True) -> int | None:
    """Choose the place before which the last value of a record stands; one place alone needs no such proof if sure."""
    if len(places) == 1 and sure:
        return places[0]
    last = re.compile(_value(layout.names[-1], layout).encode())
    fine = [at for at in places if last.fullmatch(text, text.rfind(b" ", 0, at) + 1, at)]
    return fine[0] if len(fine) == 1 else None


def _pieces(text: bytes, places: Iterable[int]) -> Iterator[bytes]:
    for first, end in pairwise([0, *places, len(text)]):
        yield text[first:end].strip(b" ")


def _is_record(piece: bytes, layout: Layout) -> bool:
    return isinstance(careful.check_line(piece, layout), bytes)


@functools.lru_cache(maxsize=64)
def _start(layout: Layout) -> re.Pattern[bytes]:
    names = layout.names[: min(_START_FIELDS, len(layout.names) - 1)]
    start = "".join(f"{_value(name, layout)} " for name in names)
    return re.compile(f"(?<=[!-\\xff])(?={start})".encode("latin-1"))


@functools.lru_cache(maxsize=64)
def _first(layout: Layout) -> Layout:
    return type(layout)(layout.names[:1])


def _value(name: str, layout: Layout) -> str:
    if name == "version" and not layout.unknown:
        return str(max(FIELD_BY_NAME[one].since for one in layout.names))
    if name in _BY_NAME:
        return _BY_NAME[name]
    field = FIELD_BY_NAME.get(name)
    return "[!-~]+" if field is None else _BY_KIND[field.kind]
