"""Write what a command found: tables of rows for the eye, or JSON, CSV or Parquet; to standard output or a file."""

from __future__ import annotations

import io
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import orjson
import pyarrow as pa
import typer

from vpcflow.aws.extra import open_s3
from vpcflow.errors import FormatError, SinkError
from vpcflow.object_store import is_object_url, parse_object_url
from vpcflow.pending_file import PendingFile, compressed
from vpcflow.sinks.ndjson import lead_nowhere

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import BinaryIO

    from rich.console import Console, JustifyMethod
    from rich.text import Text

    Row = Mapping[str, Any]

RESULT_FORMATS = ("table", "json", "csv", "parquet")

ResultFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="|".join(RESULT_FORMATS),
        show_default=False,
        help="Form of the result; csv and parquet hold its main table.  [default: what --to ends with, else table]",
    ),
]
ResultTo = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="FILE",
        show_default=False,
        help="Write the result here, a file (.json, .csv, each also .gz or .zst; .parquet; .txt is the table) or s3://"
        " object; - is standard output.  [default: standard output]",
    ),
]

_SUFFIXES = {".json": "json", ".csv": "csv", ".parquet": "parquet", ".txt": "table"}
_COMPRESSED = (".gz", ".zst")
_COLUMNS = 100  # of a table that goes to no terminal
_ROWS = 4096  # that are Python's at a time
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


class Shown(NamedTuple):
    """A column for the eye: its heading, and what stands there for a row; wide texts are folded where ``folds``."""

    heading: str
    cell: Callable[[Row], str | Text]
    justify: JustifyMethod = "left"
    folds: bool = True


class Table(NamedTuple):
    """Rows of a result; for the eye ``shown`` of them, at most ``most``, below ``title``; none where nothing is."""

    data: pa.Table
    shown: Sequence[Shown] = ()
    title: str = ""
    most: int | None = None


class Result(NamedTuple):
    """
    What a command found.

    As JSON it is an object: each table a list of objects, then the ``facts`` as they are. CSV and Parquet hold the
    first table alone. For the eye it is the tables, then the ``notes``, a line each. In a format of the command's own
    it is ``text``.
    """

    tables: Mapping[str, Table]
    facts: Mapping[str, object] = {}
    notes: Sequence[str | Text] = ()
    text: str = ""


class Output(NamedTuple):
    """Where results go, and in which of ``RESULT_FORMATS`` or formats of the command's own."""

    to: str | None
    format: str

    def write(self, result: Result) -> None:
        """
        Write it; a file appears whole, over what was there. Raises ``SinkError`` and ``AwsError``.

        Where the reader of standard output has left, nothing is wrong.
        """
        if self.to is None:
            _write_out(result, self.format)
        elif is_object_url(self.to):
            url = parse_object_url(self.to)
            open_s3().put(url.bucket, url.key, _packed(result, self))
        else:
            _write_file(result, Path(self.to), self.format)


def open_output(
    to: str | None, format_: str | None, own: Mapping[str, str] | None = None
) -> Output:
    """
    Choose the form before any work is done; ``own`` are formats of the command's own, by the suffix they go with.

    Raises ``FormatError`` where there is no such form, ``SinkError`` where there is no folder for the file.
    """
    suffixes = _SUFFIXES | dict(own or {})
    known = (*RESULT_FORMATS, *(own or {}).values())
    if format_ is not None and format_ not in known:
        raise FormatError(f"unknown format {format_!r} (known: {', '.join(known)})")
    if to in (None, "-"):
        if format_ == "parquet" and sys.stdout.isatty():
            raise FormatError("parquet is not for a terminal: name a file with --to, or pipe it")
        return Output(None, format_ or "table")
    chosen = format_ or _format_of(to or "", suffixes)
    if is_object_url(to):
        if (url := parse_object_url(to or "")).key.endswith("/") or not url.key:
            raise FormatError(f"{to!r} is a folder; name an object in it")
    elif "://" in (to or ""):
        raise FormatError(f"no output is known by the name {to!r} (known: files and s3://)")
    else:
        PendingFile(Path(to or ""))
    return Output(to, chosen)


def rows_of(rows: Iterable[Row], schema: pa.Schema) -> pa.Table:
    """Make a table of rows; what a row lacks is null."""
    return pa.Table.from_pylist(list(rows), schema=schema)


def moment(seconds: int | None) -> str:
    """
    Write a time for the eye.

    >>> moment(1_700_000_000), moment(None)
    ('2023-11-14 22:13', '-')
    """
    return "-" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"


def amount(count: int | None) -> str:
    """
    Write a number of bytes for the eye.

    >>> amount(999), amount(1_234_567), amount(None)
    ('999 B', '1.2 MB', '-')
    """
    if count is None:
        return "-"
    size, unit = float(count), 0
    while size >= 999.95 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit else f"{count} B"


def _format_of(name: str, known: Mapping[str, str]) -> str:
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    packed = bool(suffixes) and suffixes[-1] in _COMPRESSED
    found = known.get(suffixes[-1 - packed] if len(suffixes) > packed else "")
    if found is None or (packed and found == "parquet"):
        raise FormatError(
            f"no format is known by the name {name!r}"
            f" (known: {', '.join(known)}, all but .parquet also with .gz or .zst; else give --format)"
        )
    return found


def _write_out(result: Result, format_: str) -> None:
    stream = sys.stdout.buffer
    try:
        if format_ == "table":
            _print_tables(result, _console(sys.stdout))
        else:
            _writer(format_)(result, stream)
        sys.stdout.flush()
        stream.flush()
    except BrokenPipeError:
        lead_nowhere(stream)


def _write_file(result: Result, path: Path, format_: str) -> None:
    file = PendingFile(path)
    try:
        with ExitStack() as stack:
            stream = stack.enter_context(file.open())
            _writer(format_)(result, compressed(stream, path.suffix.lower(), stack))
        file.commit()
    except OSError as fault:
        file.discard()
        raise SinkError(f"cannot write {str(path)!r}: {fault.strerror}") from fault
    except BaseException:
        file.discard()
        raise


def _packed(result: Result, output: Output) -> bytes:
    packed = io.BytesIO()
    with ExitStack() as stack:
        suffix = Path(output.to or "").suffix.lower()
        _writer(output.format)(result, compressed(packed, suffix, stack))
    return packed.getvalue()


def _write_json(result: Result, stream: BinaryIO) -> None:
    opening = b"{\n"
    for name, table in result.tables.items():
        stream.write(opening + orjson.dumps(name) + b": [")
        before = b"\n"
        for batch in table.data.to_batches(max_chunksize=_ROWS):
            for row in batch.to_pylist():
                stream.write(before + orjson.dumps(row))
                before = b",\n"
        stream.write(b"\n]" if before != b"\n" else b"]")
        opening = b",\n"
    for name, fact in result.facts.items():
        stream.write(opening + orjson.dumps(name) + b": " + orjson.dumps(fact))
        opening = b",\n"
    stream.write(b"\n}\n")


def _write_csv(result: Result, stream: BinaryIO) -> None:
    import pyarrow.csv

    data = _main(result)
    header = ",".join('"' + name.replace('"', '""') + '"' for name in data.column_names)
    stream.write(f"{header}\n".encode())
    for batch in data.combine_chunks().to_batches():
        columns = [_json_texts(c) if pa.types.is_nested(c.type) else c for c in batch.columns]
        ready = pa.RecordBatch.from_arrays(columns, names=data.column_names)
        packed = pa.BufferOutputStream()
        pyarrow.csv.write_csv(ready, packed, pyarrow.csv.WriteOptions(include_header=False))
        stream.write(packed.getvalue())


def _json_texts(column: pa.Array) -> pa.Array:
    values = column.to_pylist()
    return pa.array([None if v is None else orjson.dumps(v).decode() for v in values], pa.string())


def _write_parquet(result: Result, stream: BinaryIO) -> None:
    import pyarrow.parquet as pq

    packed = pa.BufferOutputStream()
    pq.write_table(_main(result), packed, compression="zstd")
    stream.write(packed.getvalue())


def _write_table(result: Result, stream: BinaryIO) -> None:
    with io.StringIO() as text:
        _print_tables(result, _console(text))
        stream.write(text.getvalue().encode())


def _write_text(result: Result, stream: BinaryIO) -> None:
    stream.write(result.text.encode())


_WRITERS: Mapping[str, Callable[[Result, Any], None]] = {
    "table": _write_table,
    "json": _write_json,
    "csv": _write_csv,
    "parquet": _write_parquet,
}


def _writer(format_: str) -> Callable[[Result, Any], None]:
    return _WRITERS.get(format_, _write_text)


def _main(result: Result) -> pa.Table:
    return next(iter(result.tables.values())).data


def _console(file: Any) -> Console:
    # An eighth of a second to import, and only results for the eye need it.
    from rich.console import Console

    is_terminal = file.isatty()
    return Console(file=file, highlight=False, width=None if is_terminal else _COLUMNS)


def _print_tables(result: Result, console: Console) -> None:
    for table in result.tables.values():
        if table.shown and table.data.num_rows:
            _print_table(table, console)
            console.print()
    for note in result.notes:
        console.print(note, markup=False)


def _print_table(table: Table, console: Console) -> None:
    from rich.table import Table as Grid

    grid = Grid(title=table.title or None, title_justify="left", box=None, pad_edge=False)
    for shown in table.shown:
        grid.add_column(
            shown.heading,
            justify=shown.justify,
            overflow="fold",
            no_wrap=not shown.folds,
        )
    for row in table.data.slice(0, table.most).to_pylist():
        grid.add_row(*(_cell(shown.cell(row)) for shown in table.shown))
    console.print(grid)
    if table.most is not None and table.data.num_rows > table.most:
        left = table.data.num_rows - table.most
        console.print(f"… and {left:,} more: --format json or csv has all", markup=False)


def _cell(value: str | Text) -> Text:
    from rich.text import Text

    return value if isinstance(value, Text) else Text(value)
