"""
Flows as CSV, by RFC 4180 and with a header of column names, read again as rows: as vpcflow writes them.

A quoted value may hold line feeds. Where a quote is not closed within its record, that line alone is bad: the lines
after it are read as if it were not there.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.csv

from vpcflow.documents import Found, is_flow_log, is_wanted, rows_of
from vpcflow.fields import FIELD_BY_COLUMN
from vpcflow.plain import MAX_LINE_BYTES, has_lone_return, line_count, may_have_hexadecimal
from vpcflow.rejects import Reject, reject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpcflow.fields import Kind

# A tag's value has 256 characters at most: a record of more lines is a quote that was never closed.
_MOST_LINES = 256
_MIN_BLOCK_BYTES = 1 << 16
_NUMBERS: tuple[Kind, ...] = ("int32", "int64", "time")


class _Unclosed(Exception):
    """A quote is not closed where the lines end: the record goes on, or is none."""


class _Bad(Exception):
    """A line that is no record, by the reason."""


def columns_of(line: bytes) -> tuple[str, ...] | None:
    """Give the columns that a CSV header of flows names, spelt as in the table of fields; None for another line."""
    if b"," not in line:
        return None
    try:
        names = next(csv.reader([line.decode("utf-8").strip()]), [])
    except (csv.Error, UnicodeDecodeError):
        return None
    columns = tuple(name.strip().lower().replace("-", "_") for name in names)
    return columns if is_flow_log(columns) else None


class CsvRows:
    """
    Reads the blocks of whole lines of one source; the first line is the header, which may stand there again later.

    A record may go over from one block to the next: ``finish`` reads what is left after the last.
    """

    def __init__(self, source: str, header: bytes) -> None:
        self._source = source
        self._header = header.rstrip(b"\r\n")
        self._columns = columns_of(header) or ()
        self._lines_before = 0
        self._rest = b""

    def read(self, data: bytes) -> Found:
        """Read the next block as rows, as ``documents.read_documents`` does."""
        data, self._rest = self._rest + data, b""
        found = self._read_whole(data) or self._read_records(data, is_last=False)
        self._lines_before += line_count(data) - line_count(self._rest)
        return found

    @property
    def has_rest(self) -> bool:
        """Whether a record was begun that may go on in the next block."""
        return bool(self._rest)

    def finish(self) -> Found:
        """Read what is left: a record that was begun and is not finished is a reject."""
        return self._read_records(self._rest, is_last=True)

    def _read_whole(self, data: bytes) -> Found | None:
        """Read lines by Arrow; None where one of them might not be just a record."""
        headers = int(data.startswith(self._header) and not self._lines_before)
        text = data[data.find(b"\n") + 1 :] if headers else data
        lines = line_count(text)
        if not lines or self._header in text or not _is_plain(text):
            return None
        misfits: list[tuple[int, int]] = []
        table = self._table(text, misfits)
        if table is None or table.num_rows + len(misfits) != lines:
            return None
        at, rejects = np.arange(lines), []
        if misfits:
            at = np.delete(at, [place for place, _ in misfits])
            raws = text.split(b"\n")
            if not all(raws[place].strip() for place, _ in misfits):
                return None
            rejects = [self._misfit(raws[place], place + headers, n) for place, n in misfits]
        batch = rows_of(dict(zip(table.column_names, map(_one_chunk, table.columns))), len(at))
        return Found(batch, at + self._lines_before + headers + 1, tuple(rejects), 0, headers)

    def _table(self, text: bytes, misfits: list[tuple[int, int]]) -> pa.Table | None:
        """Read numbers and texts; None where a number is none. Rows of another width go to ``misfits``."""

        def skip(row: pyarrow.csv.InvalidRow) -> str:
            misfits.append((row.number - 1, row.actual_columns))
            return "skip"

        # Columns by their places: a name may stand in the header twice, which is said later.
        wanted = {str(i): name for i, name in enumerate(self._columns) if is_wanted(name)}
        try:
            table = pyarrow.csv.read_csv(
                pa.BufferReader(text),
                read_options=pyarrow.csv.ReadOptions(
                    column_names=[str(i) for i in range(len(self._columns))],
                    use_threads=False,
                    block_size=max(len(text) + 1, _MIN_BLOCK_BYTES),  # one chunk
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    invalid_row_handler=skip, ignore_empty_lines=False
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types={place: _type(name) for place, name in wanted.items()},
                    include_columns=list(wanted),
                    null_values=[""],
                    strings_can_be_null=True,
                ),
            )
        except pa.ArrowInvalid:
            return None
        return table.rename_columns(list(wanted.values()))

    def _read_records(self, data: bytes, *, is_last: bool) -> Found:
        """Read record by record, all as text: whatever there is."""
        lines = data.removesuffix(b"\n").split(b"\n") if data else []
        numbers: list[int] = []
        records: list[list[str]] = []
        rejects: list[Reject] = []
        blanks = headers = at = 0
        while at < len(lines):
            raw, taken = lines[at].removesuffix(b"\r"), 1
            if not raw.strip():
                blanks += 1
            elif raw == self._header:
                headers += 1
            else:
                try:
                    values, taken = _record(lines, at, len(self._columns))
                    records.append(values)
                    numbers.append(self._lines_before + at + 1)
                except _Bad as fault:
                    rejects.append(self._reject(raw, at, str(fault)))
                except _Unclosed:
                    if not is_last and len(lines) - at < _MOST_LINES:
                        self._rest = b"\n".join(lines[at:]) + b"\n"
                        break
                    rejects.append(self._reject(raw, at, "bad_text"))
            at += taken
        columns = {
            name: pa.array([record[i] for record in records], pa.string())
            for i, name in enumerate(self._columns)
            if is_wanted(name)
        }
        batch = rows_of(columns, len(records))
        return Found(batch, np.array(numbers, np.int64), tuple(rejects), blanks, headers)

    def _misfit(self, raw: bytes, place: int, count: int) -> Reject:
        few = count < len(self._columns)
        return self._reject(raw, place, "too_few_fields" if few else "too_many_fields")

    def _reject(self, raw: bytes, place: int, reason: str) -> Reject:
        return reject(self._source, self._lines_before + place + 1, reason, raw)


def _type(column: str) -> pa.DataType:
    field = FIELD_BY_COLUMN.get(column)
    return pa.int64() if field is not None and field.kind in _NUMBERS else pa.string()


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _is_plain(text: bytes) -> bool:
    """Tell whether each line is a record of its own, and Arrow takes nothing in it for what it is not."""
    if has_lone_return(text) or may_have_hexadecimal(text):
        return False
    if text.startswith((b"\n", b"\r")) or b"\n\n" in text or b"\n\r" in text:
        # Arrow would make a row of a blank line.
        return False
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    codes = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(codes == ord("\n"))
    if len(ends) and np.diff(ends, prepend=-1).max() > MAX_LINE_BYTES:
        return False
    quotes = np.flatnonzero(codes == ord('"'))
    return len(quotes) % 2 == 0 and not (np.searchsorted(quotes, ends) % 2).any()


def _record(lines: Sequence[bytes], at: int, width: int) -> tuple[list[str], int]:
    """
    Give the values of the record that begins at a line, and of how many lines it is.

    Raises ``_Bad`` where the line is no record, and ``_Unclosed`` where the lines end within one.
    """
    text = ""
    for count in range(1, _MOST_LINES + 1):
        if at + count > len(lines):
            raise _Unclosed
        try:
            text += lines[at + count - 1].decode("utf-8")
        except UnicodeDecodeError:
            raise _Bad("bad_text") from None
        if len(text) > MAX_LINE_BYTES:
            raise _Bad("line_too_long")
        values = _values(text)
        if values is None:
            text += "\n"
        elif len(values) == width:
            return values, count
        elif count > 1:
            # A stray quote, which has found another in the lines after it.
            raise _Bad("bad_text")
        else:
            raise _Bad("too_few_fields" if len(values) < width else "too_many_fields")
    raise _Bad("bad_text")


def _values(text: str) -> list[str] | None:
    """Give the values of a record; None where a quote is not closed."""
    text = text.removesuffix("\r")
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error as fault:
        if "unexpected end" in str(fault):
            return None
    try:
        return next(csv.reader([text]), [])
    except csv.Error:
        raise _Bad("line_too_long") from None
