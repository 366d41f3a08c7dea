"""
Rows of Parquet files, and of documents and CSV that vpcflow wrote, to flows, by the same checks as lines.

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
from vpcflow.linewise import BY_PLACE, identity_gaps
from vpcflow.rejects import Reject, reject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vpcflow.fields import Kind

    Mask = npt.NDArray[np.bool_]
    Faults = dict[str, Mask]

_ACCOUNT_DIGITS = 12
_MAX_INT64 = (1 << 63) - 1
_TRAFFIC = ("srcaddr", "dstaddr", "srcport", "dstport", "protocol", "action")
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
    _refuse_foreign(table)
    # Tags as AWS writes them are percent-encoded; vpcflow's are not.
    is_ours = not ADDED_BY_COLUMN.keys().isdisjoint(rows.schema.names)
    numbers = np.arange(first, first + rows.num_rows)
    return _parsed(table, rows, source, numbers, is_ours=is_ours)


def parse_documents(
    rows: pa.RecordBatch, source: str, numbers: npt.NDArray[np.int64]
) -> ParsedRows:
    """
    Bring documents that vpcflow wrote to flows, as ``parse_rows`` does; ``numbers`` are their lines.

    Documents say nothing where there is null, so that a column may be missing that the layout had. A row counts as
    identified by its place only where a flow log could not have left out what it lacks.
    """
    parsed = _parsed(rows, rows, source, numbers, is_ours=True)
    if not parsed.batch.num_rows:
        return parsed
    by_place = _lacks_identity(parsed.batch)
    if by_place.all() == by_place.any() == bool(identity_gaps(parsed.batch.schema.names)):
        return parsed
    return parsed._replace(batch=parsed.batch.append_column(BY_PLACE, pa.array(by_place)))


def _parsed(
    table: pa.RecordBatch,
    rows: pa.RecordBatch,
    source: str,
    numbers: npt.NDArray[np.int64],
    *,
    is_ours: bool,
) -> ParsedRows:
    """Check the columns of a table; ``rows`` are what it was made of, which rejects show."""
    named = _named(table)
    at = np.arange(rows.num_rows)
    block = Lines(b"", source, numbers)
    good = np.ones(rows.num_rows, np.bool_)
    reasons = np.full(rows.num_rows, "", object)
    arrays = {}
    for name, array in named.items():
        kind: Kind = FIELD_BY_COLUMN[name].kind if name in FIELD_BY_COLUMN else "text"
        if kind == "tag" and is_ours:
            arrays[name], faults = _decoded_tags(array)
        else:
            arrays[name], faults = _checked(array, name, kind)
        for reason, bad in faults.items():
            reasons[good & bad] = reason
            good &= ~bad
    arrays |= columns.places(block, at)
    if "cloudwatch_event_id" in table.schema.names:
        arrays["cloudwatch_event_id"] = _text(table.column("cloudwatch_event_id"))[0]
    batch = pa.RecordBatch.from_pydict(arrays)
    unknown = tuple(name for name in named if name not in FIELD_BY_COLUMN)
    if good.all():
        return ParsedRows(batch, (), unknown)
    bad_rows = np.flatnonzero(~good)
    printable = rows.cast(_printable(rows.schema)).take(pa.array(bad_rows))
    raws = map(_json, printable.to_pylist())
    rejects = tuple(
        reject(source, int(numbers[i]), reasons[i], raw.encode())
        for i, raw in zip(bad_rows.tolist(), raws, strict=True)
    )
    return ParsedRows(batch.filter(pa.array(good)), rejects, unknown)


def _lacks_identity(flows: pa.RecordBatch) -> Mask:
    """Tell of which rows the layout lacked what tells flows apart: an interface's traffic has all of it."""

    def has(name: str) -> Mask:
        if name not in flows.schema.names:
            return np.zeros(flows.num_rows, np.bool_)
        return np.asarray(flows.column(name).is_valid().to_numpy(zero_copy_only=False))

    traffic = np.stack([has(name) for name in _TRAFFIC])
    has_gaps = traffic.any(axis=0) & ~traffic.all(axis=0)
    if "log_status" in flows.schema.names:
        # Without traffic, any of it may be null.
        has_gaps &= _is_true(pc.equal(flows.column("log_status").cast(pa.string()), "OK"))
    # A regional NAT gateway has no interface id.
    always = has("start") & has("end") & (has("interface_id") | has("resource_id"))
    return np.asarray(~always | has_gaps, np.bool_)


def _refuse_foreign(rows: pa.RecordBatch) -> None:
    """Raise ``FormatError`` where no column, or only a few, are those of a flow log."""
    named = _named(rows)
    known = sum(column in FIELD_BY_COLUMN for column in named)
    if not known or known * 2 < len(named):
        raise FormatError(
            f"is no flow log: of its {len(rows.schema.names)} columns {known} are fields of one"
            " (known: run `vpcflow fields`)"
        )


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
    return named


def _decoded_tags(array: pa.Array) -> tuple[pa.Array, Faults]:
    """Bring tags that vpcflow has decoded to text: a hyphen is one."""
    if not (_is_text(array.type) or pa.types.is_dictionary(array.type)):
        return _checked(array, "", "text")
    text = array.cast(pa.string())
    text = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
    return text.dictionary_encode(), {}


def _checked(array: pa.Array, name: str, kind: Kind) -> tuple[pa.Array, Faults]:
    """Bring a column to its type: the column, and the rows that are bad by their reason."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if kind in ("text", "tag", "address"):
        text, no_text = _text(array)
        if name.endswith("account_id") and _is_number(array.type):
            padded = pc.utf8_lpad(text.dictionary, _ACCOUNT_DIGITS, "0")
            is_number = pc.utf8_is_digit(text.dictionary)
            texts = pc.if_else(is_number, padded, text.dictionary)
            text = pa.DictionaryArray.from_arrays(text.indices, texts)
        finished, good = columns.finish_column(text, kind)
        return finished, _faults(bad_text=no_text, bad_address=None if good is None else ~good)
    numbers, no_number = _numbers(array, kind)
    finished, good = columns.finish_column(numbers, kind)
    return finished, _faults(bad_number=no_number, bad_time=None if good is None else ~good)


def _faults(**masks: Mask | None) -> Faults:
    return {reason: mask for reason, mask in masks.items() if mask is not None and mask.any()}


def _is_text(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(type_)
        or pa.types.is_large_string(type_)
        or pa.types.is_string_view(type_)
    )


def _is_number(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_)
    )


def _text(array: pa.Array) -> tuple[pa.DictionaryArray, Mask]:
    """Bring a column to text, ``-`` and the empty text null; true where its bytes are not UTF-8."""
    bad = np.zeros(len(array), np.bool_)
    if pa.types.is_floating(array.type) or pa.types.is_decimal(array.type):
        array = _whole_as_integers(array.cast(pa.float64()))
    elif pa.types.is_fixed_size_binary(array.type):
        array = array.cast(pa.binary())
    if pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type):
        values = [None if v is None else _utf8(v) for v in array.to_pylist()]
        text = pa.array(values, pa.string())
        bad = (pc.is_valid(array).to_numpy(zero_copy_only=False)) & ~pc.is_valid(text).to_numpy(
            zero_copy_only=False
        )
    elif _is_text(array.type) or _is_number(array.type):
        text = array.cast(pa.string())
    else:
        values = array.cast(_printable_type(array.type)).to_pylist()
        text = pa.array([None if v is None else _word(v) for v in values], pa.string())
    nulls = pc.is_in(text, pa.array(_NULL_TEXTS))
    return pc.if_else(nulls, pa.scalar(None, pa.string()), text).dictionary_encode(), bad


def _whole_as_integers(floats: pa.Array) -> pa.Array:
    """Give 123456789012 for 123456789012.0, an account id that has been through pandas, and null for NaN."""
    whole, no_whole = _numbers_of_floats(floats)
    kept = pc.if_else(pa.array(no_whole), floats, pa.scalar(None, pa.float64()))
    return pc.coalesce(whole.cast(pa.string()), kept.cast(pa.string()))


def _numbers(array: pa.Array, kind: Kind) -> tuple[pa.Array, Mask]:
    """Bring a column to whole numbers; true where a value is none, is negative, or does not fit."""
    type_ = batch_type(kind)
    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("s"), safe=False).cast(pa.int64())
    if pa.types.is_null(array.type):
        return array.cast(type_), np.zeros(len(array), np.bool_)
    if _is_text(array.type):
        wide, bad = _numbers_of_text(array)
    elif pa.types.is_uint64(array.type):
        bad = _is_true(pc.greater(array, pa.scalar(_MAX_INT64, pa.uint64())))
        wide = _without(array, bad).cast(pa.int64())
    elif pa.types.is_integer(array.type):
        wide, bad = array.cast(pa.int64()), np.zeros(len(array), np.bool_)
    elif pa.types.is_floating(array.type) or pa.types.is_decimal(array.type):
        wide, bad = _numbers_of_floats(array.cast(pa.float64()))
    else:
        return pa.nulls(len(array), type_), array.is_valid().to_numpy(zero_copy_only=False)
    limit = (1 << 31) - 1 if type_ == pa.int32() else _MAX_INT64
    bad = bad | _is_true(pc.or_(pc.less(wide, 0), pc.greater(wide, limit)))
    return _without(wide, bad).cast(type_), bad


def _is_true(values: pa.Array) -> Mask:
    return np.asarray(pc.fill_null(values, False).to_numpy(zero_copy_only=False), np.bool_)


def _without(array: pa.Array, bad: Mask) -> pa.Array:
    return pc.if_else(pa.array(bad), pa.scalar(None, array.type), array)


def _numbers_of_text(array: pa.Array) -> tuple[pa.Array, Mask]:
    text = pc.utf8_trim_whitespace(array.cast(pa.string()))
    text = pc.if_else(pc.is_in(text, pa.array(_NULL_NUMBERS)), pa.scalar(None, pa.string()), text)
    bad = _is_true(pc.invert(pc.match_substring_regex(text, r"^[0-9]+(?:\.0)?$")))
    digits = pc.utf8_ltrim(pc.replace_substring_regex(text, r"\.0$", ""), "0")
    length = pc.utf8_length(digits)
    most = str(_MAX_INT64)
    is_longer = pc.or_(
        pc.greater(length, len(most)),
        pc.and_(pc.equal(length, len(most)), pc.greater(digits, most)),
    )
    bad |= _is_true(is_longer)
    digits = pc.if_else(pc.equal(length, 0), "0", digits)
    return _without(digits, bad).cast(pa.int64()), bad


def _numbers_of_floats(array: pa.Array) -> tuple[pa.Array, Mask]:
    values = array.to_numpy(zero_copy_only=False)
    absent = np.isnan(values)
    with np.errstate(invalid="ignore"):
        right = absent | ((np.floor(values) == values) & (np.abs(values) < 2.0**53))
    whole = np.where(absent | ~right, 0, values).astype(np.int64)
    return pa.array(whole, mask=absent | ~right), ~right


def _printable(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field.with_type(_printable_type(field.type)) for field in schema])


def _printable_type(type_: pa.DataType) -> pa.DataType:
    """Give the type whose values Python can hold: it has no times beyond the year 9999."""
    if pa.types.is_timestamp(type_) or pa.types.is_date(type_) or pa.types.is_duration(type_):
        return pa.int64() if type_.bit_width == 64 else pa.int32()
    return pa.string() if _is_text(type_) else type_


def _utf8(value: bytes) -> str | None:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _word(value: object) -> str:
    return str(value) if isinstance(value, int | str) else _json(value)


def _json(value: object) -> str:
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
