"""
Documents that vpcflow wrote in schema ``flat``, one JSON object a line, read again as rows.

``tables`` makes flows of the rows, by the same checks as of lines and of Parquet. Only AWS's columns and those it does
not know are taken out of a document; what vpcflow adds is worked out anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from vpcflow.fields import ADDED_BY_COLUMN, FIELD_BY_COLUMN
from vpcflow.plain import MAX_LINE_BYTES
from vpcflow.rejects import Reject, reject

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

CLOUDWATCH_ID = "cloudwatch_event_id"
"""The one column of ours that cannot be worked out anew."""

# A document of all columns has some 2 KiB; as Python's objects it takes several times as much.
_AT_ONCE = 1024
_FIELDS = frozenset(FIELD_BY_COLUMN)
_ENVELOPES = frozenset({"message", "@message", "logEvents", "events", "messageType", "v"})


class Found(NamedTuple):
    """Rows read from lines, the line each stands at, counted from 1, and what else was found."""

    rows: pa.RecordBatch
    numbers: npt.NDArray[np.int64]
    rejects: tuple[Reject, ...]
    blanks: int
    headers: int = 0


def begins_documents(head: bytes) -> bool:
    """Tell whether the first line that says anything is a flow as ``flat`` writes it, and no envelope of a service."""
    for line in head.splitlines():
        try:
            first = orjson.loads(line) if line.strip() else {}
        except orjson.JSONDecodeError:
            return False
        if first != {}:
            return isinstance(first, dict) and _is_flow(first)
    return False


def is_flow_log(names: Sequence[str]) -> bool:
    """Tell whether columns are a flow log's: besides those vpcflow adds, at least half are fields of AWS's."""
    given = [name for name in names if name not in ADDED_BY_COLUMN]
    known = sum(name in FIELD_BY_COLUMN for name in given)
    return known > 0 and known * 2 >= len(given)


def is_wanted(name: str) -> bool:
    """Tell whether a column is read: all but those that are worked out anew."""
    return name == CLOUDWATCH_ID or name not in ADDED_BY_COLUMN


def read_documents(data: bytes, source: str, lines_before: int) -> Found:
    """
    Read whole lines as rows, nulls where a document lacks a column; numbers and texts are as they stand in the JSON.

    A line that is no JSON object, or one without any field of a flow log, is a reject, and a blank one is counted.
    """
    lines = data.removesuffix(b"\n").split(b"\n")
    values: dict[str, list[Any]] = {}
    numbers: list[int] = []
    rejects: list[Reject] = []
    for start in range(0, len(lines), _AT_ONCE):
        some = lines[start : start + _AT_ONCE]
        places, documents = _loaded(some)
        _add_values(values, len(numbers), documents)
        first = lines_before + start + 1
        numbers.extend(first + place for place in places)
        if len(places) < len(some):
            left = sorted({*range(len(some))}.difference(places))
            rejects.extend(_reject(source, first + i, some[i]) for i in left if some[i].strip())
    columns = {name: _column(_filled(column, len(numbers))) for name, column in values.items()}
    rows = rows_of(columns, len(numbers))
    blanks = len(lines) - len(numbers) - len(rejects)
    return Found(rows, np.array(numbers, np.int64), tuple(rejects), blanks)


def rows_of(columns: Mapping[str, pa.Array], count: int) -> pa.RecordBatch:
    """Put columns together; documents without anything in them are rows all the same."""
    columns = columns or {"version": pa.nulls(count)}
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def _is_flow(document: dict[str, Any]) -> bool:
    # With @timestamp it is of another schema.
    if _ENVELOPES & document.keys() or any(name.startswith("@") for name in document):
        return False
    return is_flow_log(list(document))


def _loaded(lines: Sequence[bytes]) -> tuple[Sequence[int], list[dict[str, Any]]]:
    """Give the lines' objects, and the places of the lines that are objects."""
    try:
        documents = [orjson.loads(line) for line in lines]
    except orjson.JSONDecodeError:
        documents = [_value(line) for line in lines]
    if len(max(lines, key=len)) <= MAX_LINE_BYTES and all(map(_is_row, documents)):
        return range(len(lines)), documents
    places = [
        place
        for place, (line, document) in enumerate(zip(lines, documents, strict=True))
        if _is_row(document) and len(line) <= MAX_LINE_BYTES
    ]
    return places, [documents[place] for place in places]


def _value(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None


def _is_row(value: Any) -> bool:
    return type(value) is dict and (not value or not _FIELDS.isdisjoint(value))


def _add_values(
    values: dict[str, list[Any]], before: int, documents: Sequence[dict[str, Any]]
) -> None:
    names = {name for name in set[str]().union(*documents) if is_wanted(name)}
    # In the order of the first document that has them: AWS's, as the reader had it.
    for document in documents if names - values.keys() else ():
        for name in document:
            if name in names:
                values.setdefault(name, [])
        if names <= values.keys():
            break
    for name in names:
        column = _filled(values[name], before)
        column.extend([document.get(name) for document in documents])


def _filled(column: list[Any], count: int) -> list[Any]:
    column.extend([None] * (count - len(column)))
    return column


def _column(values: Iterable[Any]) -> pa.Array:
    """Make a column of what JSON had; as text where kinds are mixed, or a number is too large."""
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError):
        return pa.array([value if value is None else _text(value) for value in values], pa.string())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _reject(source: str, line: int, raw: bytes) -> Reject:
    if len(raw) > MAX_LINE_BYTES:
        return reject(source, line, "line_too_long", raw)
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return reject(source, line, "bad_text", raw)
    return reject(source, line, "bad_envelope", raw)
