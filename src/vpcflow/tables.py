"""
Rows of Parquet files to flows, by the same checks as lines.

AWS writes its own column names with underscores and INT_32, INT_64 and STRING columns
(https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html); what is found in the wild has numbers as
text, as doubles or as 64-bit integers, account ids as numbers, and ``-`` or ``None`` for null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from vpcflow import columns, ocsf
from vpcflow.errors import FormatError
from vpcflow.fields import ADDED_BY_COLUMN, FIELD_BY_COLUMN
from vpcflow.layout import batch_type
from vpcflow.lines import Lines
from vpcflow.rejects import Reject, reject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vpcflow.fields import Kind

_ACCOUNT_DIGITS = 12
_NULL_TEXTS = ["-", ""]
_NULL_NUMBERS = ["-", "", "None", "none", "null", "NULL", "nan", "NaN"]


class ParsedRows(NamedTuple):
    """The flows and rejects of some rows, and the names of columns that are no field of AWS's."""

    batch: pa.RecordBatch
    rejects: tuple[Reject, ...]
    unknown: tuple[str, ...]


def parse_rows(rows: pa.RecordBatch, source: str, first: int) -> ParsedRows:
    """
    Bring rows to flows; columns are known by name, whatever their order, case or type.

    OCSF Network Activity rows (Security Lake) are taken apart first. Columns vpcflow itself adds are left out: they are
    worked out anew. Raises ``FormatError`` where no column, or only a few, are those of a flow log.
    """
    table = ocsf.flatten(rows) if ocsf.is_ocsf(rows.schema) else rows
    named = _named(table)
    at = np.arange(rows.num_rows)
    block = Lines(b"", source, at + first)
    good = np.ones(rows.num_rows, np.bool_)
    reasons = np.full(rows.num_rows, "", object)
    arrays = {}
    for name, array in named.items():
        kind: Kind = FIELD_BY_COLUMN[name].kind if name in FIELD_BY_COLUMN else "text"
        arrays[name], bad, reason = _checked(array, name, kind)
        if bad is not None and bad.any():
            reasons[good & bad] = reason
            good &= ~bad
    arrays |= columns.places(block, at)
    if "cloudwatch_event_id" in table.schema.names:
        arrays["cloudwatch_event_id"] = _text(table.column("cloudwatch_event_id"))
    batch = pa.RecordBatch.from_pydict(arrays)
    unknown = tuple(name for name in named if name not in FIELD_BY_COLUMN)
    if good.all():
        return ParsedRows(batch, (), unknown)
    rejects = tuple(
        reject(source, first + i, reasons[i], _raw(rows, i)) for i in np.flatnonzero(~good).tolist()
    )
    return ParsedRows(batch.filter(pa.array(good)), rejects, unknown)


def _named(rows: pa.RecordBatch) -> Mapping[str, pa.Array]:
    """Give the columns by their names in the table of fields, without those vpcflow adds and nested ones."""
    named: dict[str, pa.Array] = {}
    for name, array in zip(rows.schema.names, rows.columns, strict=True):
        column = name.strip().lower().replace("-", "_")
        if column in ADDED_BY_COLUMN:
            continue
        if column in named:
            raise FormatError(f"has the column {column!r} more than once")
        if column in FIELD_BY_COLUMN or not pa.types.is_nested(array.type):
            named[column] = array
    known = sum(column in FIELD_BY_COLUMN for column in named)
    if not known or known * 2 < len(named):
        raise FormatError(
            f"is no flow log: of its {len(rows.schema.names)} columns {known} are fields of one"
            " (known: run `vpcflow fields`)"
        )
    return named


def _checked(
    array: pa.Array, name: str, kind: Kind
) -> tuple[pa.Array, npt.NDArray[np.bool_] | None, str]:
    """Bring a column to its type: the column, the rows that are bad (None: none), and the reason for those."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if kind in ("text", "tag", "address"):
        text = _text(array)
        if name.endswith("account_id") and not _is_text(array.type):
            padded = pc.utf8_lpad(text.dictionary, _ACCOUNT_DIGITS, "0")
            text = pa.DictionaryArray.from_arrays(text.indices, padded)
        finished, good = columns.finish_column(text, kind)
        return finished, None if good is None else ~good, "bad_address"
    numbers, bad = _numbers(array, kind)
    if kind != "time":
        return numbers, bad, "bad_number"
    seconds, good = columns.finish_column(numbers, "time")
    if good is not None and not bad.any():
        return seconds, ~good, "bad_time"
    return seconds, bad, "bad_number"


def _is_text(type_: pa.DataType) -> bool:
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_))


def _text(array: pa.Array) -> pa.DictionaryArray:
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_nested(array.type):
        array = pa.array([None if v is None else _json(v) for v in array.to_pylist()], pa.string())
    if pa.types.is_floating(array.type):
        # 123456789012.0 is an account id that has been through pandas.
        whole = pc.equal(pc.floor(array), array)
        if pc.all(pc.fill_null(whole, True)).as_py():
            array = pc.cast(array, pa.int64(), safe=False)
    text = array.cast(pa.string())
    nulls = pc.is_in(text, pa.array(_NULL_TEXTS))
    return pc.if_else(nulls, pa.scalar(None, pa.string()), text).dictionary_encode()


def _numbers(array: pa.Array, kind: Kind) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    """Bring a column to whole numbers; true where a value is none, is negative, or does not fit."""
    type_ = batch_type(kind)
    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("s"), safe=False).cast(pa.int64())
    if pa.types.is_null(array.type):
        return array.cast(type_), np.zeros(len(array), np.bool_)
    if _is_text(array.type):
        wide, bad = _numbers_of_text(array)
    elif pa.types.is_integer(array.type):
        wide, bad = array, np.zeros(len(array), np.bool_)
    elif pa.types.is_floating(array.type) or pa.types.is_decimal(array.type):
        wide, bad = _numbers_of_floats(array.cast(pa.float64()))
    else:
        return pa.nulls(len(array), type_), array.is_valid().to_numpy(zero_copy_only=False)
    limit = (1 << 31) - 1 if type_ == pa.int32() else (1 << 63) - 1
    outside = pc.or_(pc.less(wide, 0), pc.greater(wide, limit))
    bad |= pc.fill_null(outside, False).to_numpy(zero_copy_only=False)
    clean = pc.if_else(pa.array(bad), pa.scalar(None, wide.type), wide)
    return clean.cast(type_), bad


def _numbers_of_text(array: pa.Array) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    text = pc.utf8_trim_whitespace(array.cast(pa.string()))
    text = pc.if_else(pc.is_in(text, pa.array(_NULL_NUMBERS)), pa.scalar(None, pa.string()), text)
    # Nineteen digits may or may not fit 64 bits; the cast tells, so they go there only if they do.
    right = pc.match_substring_regex(text, r"^(?:0*[0-9]{1,18}|0*[0-8][0-9]{18}|[0-9]{1,18}\.0)$")
    bad = pc.fill_null(pc.invert(right), False).to_numpy(zero_copy_only=False)
    whole = pc.replace_substring_regex(text, r"\.0$", "")
    return pc.if_else(pa.array(bad), pa.scalar(None, pa.string()), whole).cast(pa.int64()), bad


def _numbers_of_floats(array: pa.Array) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    values = array.to_numpy(zero_copy_only=False)
    absent = np.isnan(values)
    with np.errstate(invalid="ignore"):
        right = absent | ((np.floor(values) == values) & (np.abs(values) < 2.0**53))
    whole = np.where(absent | ~right, 0, values).astype(np.int64)
    return pa.array(whole, mask=absent | ~right), ~right


def _raw(rows: pa.RecordBatch, at: int) -> bytes:
    return _json(rows.slice(at, 1).to_pylist()[0]).encode()


def _json(value: object) -> str:
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
