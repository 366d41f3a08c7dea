"""Columns of checked values: read them from plain text, bring them to the batch's types, put batches together."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_to_bytes

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from vpcflow import careful, native
from vpcflow.addresses import parse_addresses
from vpcflow.fields import ADDED_BY_COLUMN
from vpcflow.layout import Layout, batch_type
from vpcflow.plain import has_lone_return, may_have_hexadecimal, plain
from vpcflow.rejects import Reject, reject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpcflow.fields import Kind
    from vpcflow.lines import Lines

_CSV_TYPES: dict[Kind, pa.DataType] = {"int32": pa.int32(), "int64": pa.int64(), "time": pa.int64()}
_PARSE_OPTIONS = pyarrow.csv.ParseOptions(delimiter=" ", quote_char=False, escape_char=False)
_MIN_BLOCK_BYTES = 1 << 16


class Read(NamedTuple):
    """
    Lines as columns of numbers and of dictionary-encoded text, ``-`` as null.

    ``misfits`` are the places of lines left out, counted from 0, ascending: what they are is not known.
    """

    batch: pa.RecordBatch
    misfits: npt.NDArray[np.int32]


def read_lines(plain: bytes, layout: Layout, lines: int) -> Read | None:
    """Read plain text of that many lines as columns; None where many lines do not fit, or none may be left out."""
    read = native.read_columns(plain, lines, layout.kinds)
    if read is not None:
        return Read(_batch(read.arrays, layout), read.misfits)
    table = read_plainly(plain, layout, lines)
    return None if table is None else Read(_whole(table, layout), np.zeros(0, np.int32))


def read_checked(plain: bytes, layout: Layout, lines: int) -> pa.RecordBatch:
    """Read plain text of that many lines, all known to fit, as ``read_lines`` does."""
    read = native.read_columns(plain, lines, layout.kinds)
    if read is not None and not len(read.misfits):
        return _batch(read.arrays, layout)
    table = _read_csv(plain, layout)
    if table is None or table.num_rows != lines:
        raise AssertionError(f"checked lines do not read as columns of {layout}")
    return _whole(_encode_texts(table), layout)


def _batch(arrays: list[pa.Array], layout: Layout) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(arrays, list(layout.columns))


def _whole(table: pa.Table, layout: Layout) -> pa.RecordBatch:
    return _batch([_one_chunk(column) for column in table.columns], layout)


def read_plainly(plain: bytes, layout: Layout, lines: int) -> pa.Table | None:
    """Read plain text of that many lines by Arrow's CSV reader; None where a line does not fit."""
    table = None if _has_traps(plain) else _read_csv(plain, layout)
    if table is None or table.num_rows != lines or _has_negative(table):
        return None
    table = _encode_texts(table)
    return None if _has_loose_text(table) else table


def _read_csv(plain: bytes, layout: Layout) -> pa.Table | None:
    """Read plain lines as columns of numbers and text, ``-`` as null; None where a line does not fit the layout."""
    if not plain:
        return None
    try:
        return pyarrow.csv.read_csv(
            pa.BufferReader(plain),
            read_options=pyarrow.csv.ReadOptions(
                column_names=list(layout.columns),
                use_threads=False,
                # One chunk: the reader would otherwise cut the block, and every column be chunked.
                block_size=max(len(plain) + 1, _MIN_BLOCK_BYTES),
            ),
            parse_options=_PARSE_OPTIONS,
            convert_options=_convert_options(layout),
        )
    except pa.ArrowInvalid:
        return None


def _has_traps(plain: bytes) -> bool:
    """Tell whether the CSV reader might take lines or numbers for something else than they are."""
    return may_have_hexadecimal(plain) or has_lone_return(plain)


def _encode_texts(table: pa.Table) -> pa.Table:
    """Dictionary-encode the text columns: cheaper than to let the CSV reader do it."""
    encoded = [
        pc.dictionary_encode(column) if pa.types.is_string(column.type) else column
        for column in table.columns
    ]
    return pa.Table.from_arrays(encoded, table.column_names)


def _has_negative(table: pa.Table) -> bool:
    """Tell whether a number is below zero, which the CSV reader takes and a flow log has not."""
    return any(
        (pc.min(column).as_py() or 0) < 0
        for column in table.columns
        if pa.types.is_integer(column.type)
    )


def _has_loose_text(table: pa.Table) -> bool:
    """Tell whether an encoded text is empty or holds a control byte: then white space divides more than it seemed."""
    return any(
        _is_loose(chunk.dictionary)
        for column in table.columns
        if pa.types.is_dictionary(column.type)
        for chunk in column.chunks
    )


def _is_loose(texts: pa.Array) -> bool:
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return len(texts) > 0
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    codes = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]]
    return bool((np.diff(ends) == 0).any() or (codes < 32).any())


def has_stamp(batch: pa.RecordBatch) -> bool:
    """Tell whether the first column has what may be the time CloudWatch's exports write before a record."""
    first = batch.column(0)
    return pa.types.is_dictionary(first.type) and bool(
        pc.any(pc.match_substring_regex(first.dictionary, r"^20\d\d-\d\d-\d\dT")).as_py()
    )


def finish(
    read: pa.RecordBatch, layout: Layout, block: Lines, at: npt.NDArray[np.int64]
) -> tuple[pa.RecordBatch, list[Reject], npt.NDArray[np.bool_]]:
    """
    Make the batch of one layout's rows: texts to dictionaries, tags decoded, times to seconds, places appended.

    A column named like one vpcflow adds is left out. ``at`` is each row's place in the block. Addresses and times are
    checked here, by distinct value; a row that fails is left out and comes back as a reject; last comes the mask of the
    rows kept.
    """
    arrays = {}
    good = np.ones(read.num_rows, np.bool_)
    for name, kind, column in zip(layout.columns, layout.kinds, read.columns, strict=True):
        if name in ADDED_BY_COLUMN:
            continue
        arrays[name], fine = finish_column(column, kind)
        if fine is not None:
            good &= fine
    arrays |= places(block, at)
    batch = pa.RecordBatch.from_arrays(list(arrays.values()), list(arrays))
    if good.all():
        return batch, [], good
    rejects = [_reject_at(block, int(place), layout) for place in at[~good]]
    return batch.filter(pa.array(good)), rejects, good


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def finish_column(array: pa.Array, kind: Kind) -> tuple[pa.Array, npt.NDArray[np.bool_] | None]:
    """Bring a column of text or numbers to the batch's type, with a mask of its good rows (None: all)."""
    if kind == "time":
        return _seconds(array)
    if kind in _CSV_TYPES:
        return array, None
    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    if kind == "tag":
        return _decode_tags(encoded), None
    if kind != "address":
        return encoded, None
    valid = parse_addresses(encoded.dictionary).valid
    if valid.all():
        return encoded, None
    codes = encoded.indices.fill_null(0).to_numpy()
    return encoded, valid[codes] | encoded.is_null().to_numpy(zero_copy_only=False)


def places(block: Lines, at: npt.NDArray[np.int64]) -> dict[str, pa.Array]:
    """Say where rows come from: the source, the line's number in it, CloudWatch's id where there is one."""
    source = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(len(at), np.int32)), pa.array([block.source], pa.string())
    )
    found = {"source_object": source, "source_line": pa.array(block.numbers[at], pa.int64())}
    if block.event_ids is not None:
        ids = [block.event_ids[place] for place in at.tolist()]
        found["cloudwatch_event_id"] = pa.array(ids, pa.string()).dictionary_encode()
    return found


def merge(batches: Sequence[pa.RecordBatch], at: Sequence[npt.NDArray[np.int64]]) -> pa.RecordBatch:
    """Put batches of several layouts into one, in the order of the rows' places; a column a layout lacks is null."""
    if len(batches) == 1:
        return batches[0]
    table = pa.concat_tables(
        [pa.Table.from_batches([b]) for b in batches], promote_options="default"
    ).unify_dictionaries()
    order = pa.array(np.argsort(np.concatenate(at), kind="stable"))
    return distinct(table.take(order).combine_chunks().to_batches()[0])


def distinct(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Keep the last columns last (where rows come from), whatever the layouts before them."""
    tail = [
        n
        for n in ("source_object", "source_line", "cloudwatch_event_id")
        if n in batch.schema.names
    ]
    return batch.select([n for n in batch.schema.names if n not in tail] + tail)


def _seconds(times: pa.Array) -> tuple[pa.Array, npt.NDArray[np.bool_] | None]:
    """Bring milliseconds to seconds; false where a time is later than milliseconds can be."""
    latest = pc.max(times).as_py()
    if latest is None or latest < careful.FIRST_MS:
        return times, None
    in_ms = pc.greater_equal(times, careful.FIRST_MS)
    seconds = pc.if_else(in_ms, pc.divide(times, 1000), times)
    good = pc.fill_null(pc.less_equal(times, careful.LAST_MS), True)
    return seconds, good.to_numpy(zero_copy_only=False)


def _decode_tags(tags: pa.DictionaryArray) -> pa.DictionaryArray:
    """Decode percent-encoded values; one that is not percent-encoded UTF-8 stays as AWS wrote it."""
    texts = tags.dictionary.to_pylist()
    if not any("%" in text for text in texts):
        return tags
    decoded = pa.array([decode_tag(text) for text in texts], pa.string())
    # Two spellings may decode to one text, and a dictionary holds distinct values.
    return decoded.take(tags.indices).dictionary_encode()


def decode_tag(text: str) -> str:
    """Decode one tag value, or give it back as it is where it is not percent-encoded UTF-8."""
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        return text


def _reject_at(block: Lines, place: int, layout: Layout) -> Reject:
    raw = block.raw(place)
    reason = careful.check_line(plain(raw), layout)
    # The careful way must agree that the row is bad; were it not to, the reason is still from the closed set.
    return reject(
        block.source,
        int(block.numbers[place]),
        reason if isinstance(reason, str) else "bad_text",
        raw,
    )


@functools.lru_cache(maxsize=64)
def _convert_options(layout: Layout) -> pyarrow.csv.ConvertOptions:
    return pyarrow.csv.ConvertOptions(
        column_types={
            column: _CSV_TYPES.get(kind, pa.string())
            for column, kind in zip(layout.columns, layout.kinds, strict=True)
        },
        null_values=["-"],
        strings_can_be_null=True,
    )


def empty(layout: Layout) -> list[pa.Array]:
    """Give the columns of no rows."""
    return [pa.array([], batch_type(kind)) for kind in layout.kinds]
