"""Local files, directories, globs and standard input: what they hold is known by content, never by name."""

from __future__ import annotations

import csv
import glob
import io
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vpcflow import envelopes
from vpcflow.csv_documents import CsvRows, columns_of
from vpcflow.decode import PARQUET, decode
from vpcflow.documents import begins_documents, read_documents
from vpcflow.errors import SourceError
from vpcflow.lines import Lines
from vpcflow.object_store import is_object_url
from vpcflow.plain import MAX_LINE_BYTES, line_count
from vpcflow.rejects import Reject, reject
from vpcflow.sources import BLOCK_BYTES, Block, Documents, Fault, Input, Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import BinaryIO

STDIN = "-"

_HEAD_BYTES = 64 * 1024
_READ_BYTES = 1024 * 1024
_BATCH_ROWS = 64 * 1024
# Parquet from where it cannot be sought in waits in memory, and beyond this in a temporary file.
_SPOOL_BYTES = 16 * 1024 * 1024
_MESSAGE_COLUMNS = ("message", "@message")


def find_inputs(
    paths: Sequence[str],
    *,
    objects: Callable[[str], Iterable[Input]] | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> list[Input]:
    """
    Expand paths to inputs, sorted within each path: files, directories (recursively), globs, ``-`` for standard input.

    No path means standard input. In directories, names that begin with ``.`` or ``_`` are passed over, as query engines
    do. ``objects`` gives the inputs of an ``s3://`` address. A file that several paths or links lead to is an input
    once, which is said to ``warn``: its records are no more for it. Raises ``SourceError`` naming all paths that do not
    exist or match nothing.
    """
    found: dict[str, Input] = {}
    missing, again = [], 0
    for path in paths or [STDIN]:
        if is_object_url(path):
            if objects is None:
                raise SourceError(f"{path!r} is in S3, which is not read here")
            for one in objects(path):
                again += one.name in found
                found.setdefault(one.name, one)
            continue
        try:
            inputs = _inputs_of(path)
        except (OSError, ValueError) as fault:
            raise SourceError(f"cannot look for {path!r} ({fault})") from fault
        if not inputs and not Path(path).is_dir():
            missing.append(repr(path))
        for place, one in inputs:
            again += place in found
            found.setdefault(place, one)
    if missing:
        raise SourceError(f"no such file, directory or match: {', '.join(missing)}")
    if again:
        warn(f"{again:,} of the inputs are named more than once; each is read once")
    return list(found.values())


def read_input(
    source: Input,
    *,
    block_bytes: int = BLOCK_BYTES,
    on_bytes: Callable[[int], None] = lambda _: None,
) -> Iterator[Block]:
    """
    Yield the blocks of one input; never raises for what is in it: the last item is a ``Fault`` where it is damaged.

    ``on_bytes`` is told how many bytes were read, as they are. Memory is bounded by ``block_bytes``; a row group of a
    Parquet file is held whole. Parquet that cannot be sought in (an object in S3, standard input) is copied to a
    temporary file first: all of it is read in any case, and its description stands at its end.
    """
    try:
        with source.open() as stream:
            head = stream.read(_HEAD_BYTES)
            while len(head) < len(PARQUET) and (more := stream.read(_HEAD_BYTES)):
                head += more
            on_bytes(len(head))
            if head.startswith(PARQUET):
                yield from _read_parquet(source, stream, head, on_bytes)
            else:
                read = _counted(stream.read, on_bytes)
                yield from _TextReader(source.name, block_bytes).blocks(decode(read, head))
    except OSError as fault:
        yield Fault(source.name, f"cannot be read ({fault.strerror or fault})", 0)


def _inputs_of(path: str) -> list[tuple[str, Input]]:
    """Give the inputs of a path, each with the place it really is at; none where nothing is."""
    if path == STDIN:
        stream = Input(STDIN, None, lambda: io.BufferedReader(_Unclosed(sys.stdin.buffer)))
        return [(STDIN, stream)]
    here = Path(path)
    if here.is_dir():
        return [(os.path.realpath(file), _file(file)) for file in _files_below(here)]
    if here.exists():
        return [(os.path.realpath(here), _file(here))]
    return [one for match in sorted(glob.glob(path, recursive=True)) for one in _inputs_of(match)]


def _files_below(directory: Path, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    real = directory.resolve()
    if real in above:
        # A link to a directory it is in.
        return
    for entry in sorted(directory.iterdir()):
        if entry.name.startswith((".", "_")):
            continue
        if entry.is_dir():
            yield from _files_below(entry, (*above, real))
        else:
            yield entry


def _file(path: Path) -> Input:
    size = path.stat().st_size if path.is_file() else None
    # A name need not be UTF-8, and the text columns that hold it must.
    name = os.fsencode(path).decode("utf-8", "backslashreplace")
    return Input(name, size, lambda: path.open("rb"))


class _Unclosed(io.RawIOBase):
    """Standard input that stays open when its reader is closed."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _counted(
    read: Callable[[int], bytes], on_bytes: Callable[[int], None]
) -> Callable[[int], bytes]:
    def counted(size: int) -> bytes:
        try:
            data = read(size)
        except OSError as fault:
            raise SourceError(f"cannot be read to its end ({fault.strerror or fault})") from fault
        on_bytes(len(data))
        return data

    return counted


class _TextReader:
    """Cuts one text source into blocks of whole lines, and tells what kind of text it is by its beginning."""

    def __init__(self, name: str, block_bytes: int) -> None:
        self._name = name
        self._block_bytes = block_bytes
        self._lines_before = 0
        self._rest = b""
        self._fault: SourceError | None = None

    def blocks(self, pieces: Iterator[bytes]) -> Iterator[Block]:
        try:
            first = next(pieces, b"")
            while b"\n" not in first and len(first) < _HEAD_BYTES and (more := next(pieces, b"")):
                first += more
            rest = _chain(first, pieces)
            header = first.partition(b"\n")[0]
            if begins_documents(first):
                yield from self._from_documents(rest)
            elif first.lstrip()[:1] in (b"{", b"["):
                yield from self._from_envelopes(rest)
            elif (column := _message_column(header)) is not None:
                yield from self._from_csv(rest, column)
            elif columns_of(header) is not None:
                yield from self._from_rows(rest, CsvRows(self._name, header))
            else:
                yield from self._from_text(rest)
        except SourceError as fault:
            yield Fault(self._name, str(fault), int(bool(self._rest.strip())))

    def _from_text(self, pieces: Iterator[bytes]) -> Iterator[Block]:
        for data in self._whole_lines(pieces):
            # One byte first: a search for two is twenty times as slow, and no record has a brace.
            at = data.find(b"\n{") + 1 if b"{" in data and not data.startswith(b"{") else 0
            if at or data.startswith(b"{"):
                # Bare lines and envelopes in one source: from here on every line is looked at.
                if at:
                    yield self._lines(data[:at])
                left, self._rest = data[at:] + self._rest, b""
                yield from self._from_envelopes(_chain(left, self._to_the_fault(pieces)))
                return
            yield self._lines(data)

    def _to_the_fault(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        yield from pieces
        if self._fault is not None:
            raise self._fault

    def _whole_lines(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Join pieces to blocks that end with a line; the unfinished line waits in ``_rest``."""
        held: list[bytes] = []
        size = 0
        try:
            for piece in pieces:
                size += len(piece)
                end = piece.rfind(b"\n") + 1 if size >= self._block_bytes else 0
                if end:
                    # The last piece is cut before the join: the block is copied once, not twice.
                    data, self._rest = b"".join([*held, piece[:end]]), piece[end:]
                    held, size = [self._rest], len(self._rest)
                    yield data
                    continue
                held.append(piece)
                if size < self._block_bytes:
                    continue
                data, self._rest = _cut(b"".join(held))
                held, size = [self._rest], len(self._rest)
                if data:
                    yield data
        except SourceError as fault:
            # A line that breaks off here may look whole and is not.
            self._fault = fault
            data, self._rest = _cut(b"".join(held))
            if data:
                yield data
            raise
        self._rest = b""
        if data := b"".join(held):
            yield data

    def _lines(self, data: bytes) -> Lines:
        count = line_count(data)
        numbers = np.arange(self._lines_before + 1, self._lines_before + count + 1)
        self._lines_before += count
        return Lines(data, self._name, numbers)

    def _from_csv(self, pieces: Iterator[bytes], column: int) -> Iterator[Block]:
        headers = 1
        for data in self._whole_lines(pieces):
            lines = data.decode("utf-8", "surrogateescape").removesuffix("\n").split("\n")
            self._lines_before += headers
            messages = [_csv_value(line.removesuffix("\r"), column) for line in lines[headers:]]
            text = "".join(f"{message}\n" for message in messages)
            yield replace(self._lines(text.encode("utf-8", "surrogateescape")), headers=headers)
            headers = 0

    def _from_documents(self, pieces: Iterator[bytes]) -> Iterator[Block]:
        for data in self._whole_lines(pieces):
            yield Documents(read_documents(data, self._name, self._lines_before), self._name)
            self._lines_before += line_count(data)

    def _from_rows(self, pieces: Iterator[bytes], rows: CsvRows) -> Iterator[Block]:
        fault: SourceError | None = None
        try:
            for data in self._whole_lines(pieces):
                yield Documents(rows.read(data), self._name)
        except SourceError as found:
            fault = found
        if rows.has_rest:
            yield Documents(rows.finish(), self._name)
        if fault is not None:
            raise fault

    def _from_envelopes(self, pieces: Iterator[bytes]) -> Iterator[Block]:
        batch = _Events(self._name, self._lines_before)
        try:
            for event in envelopes.events(pieces):
                if batch.size_bytes >= self._block_bytes or batch.is_of_another_group(event):
                    yield batch.lines()
                    batch = _Events(self._name, batch.lines_before, batch.log_group)
                if isinstance(event, envelopes.Unfinished):
                    self._rest = b"begun"
                else:
                    batch.add(event)
        except SourceError:
            yield batch.lines()
            raise
        yield batch.lines()


class _Events:
    """Events gathered to one block of lines: all of one log group."""

    def __init__(self, name: str, lines_before: int, log_group: str | None = None) -> None:
        self.lines_before = lines_before
        self.size_bytes = 0
        self.log_group = log_group
        self._name = name
        self._first = lines_before + 1
        self._messages: list[bytes] = []
        self._ids: list[str | None] = []
        self._rejects: list[Reject] = []
        self._reject_numbers: set[int] = set()
        self._controls = 0

    def is_of_another_group(self, event: object) -> bool:
        return (
            isinstance(event, envelopes.Event)
            and bool(self._messages)
            and event.log_group != self.log_group
        )

    def add(self, event: envelopes.Event | envelopes.Broken | envelopes.Control) -> None:
        if isinstance(event, envelopes.Control):
            self._controls += 1
            return
        if isinstance(event, envelopes.Broken):
            self.lines_before += 1
            self._reject_numbers.add(self.lines_before)
            self._rejects.append(reject(self._name, self.lines_before, "bad_envelope", event.raw))
            return
        self.log_group = event.log_group
        for i, line in enumerate(event.message.rstrip(b"\r\n").split(b"\n")):
            self.lines_before += 1
            self._messages.append(line)
            # A second line in an event is another record: it must not have the first one's id.
            self._ids.append(None if i else event.event_id)
            self.size_bytes += len(line) + 1

    def lines(self) -> Lines:
        numbers = [
            n for n in range(self._first, self.lines_before + 1) if n not in self._reject_numbers
        ]
        return Lines(
            b"\n".join(self._messages) + b"\n" if self._messages else b"",
            self._name,
            np.array(numbers, np.int64),
            self._ids if any(self._ids) else None,
            self.log_group,
            tuple(self._rejects),
            self._controls,
        )


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _cut(data: bytes) -> tuple[bytes, bytes]:
    """Cut after the last whole line; of a line that is too long to be one, keep enough to be rejected."""
    end = data.rfind(b"\n") + 1
    rest = data[end:]
    if len(rest) > MAX_LINE_BYTES:
        rest = rest[: MAX_LINE_BYTES + 1]
    return data[:end], rest


def _message_column(line: bytes) -> int | None:
    """Give the place of the message in the header of a CSV export of CloudWatch's console, None for any other line."""
    if b"message" not in line or b"," not in line:
        return None
    try:
        names = next(csv.reader([line.decode("utf-8", "replace").strip()]))
    except csv.Error:
        return None
    places = [i for i, name in enumerate(names) if name.strip().lower() in _MESSAGE_COLUMNS]
    return places[0] if places else None


def _csv_value(line: str, column: int) -> str:
    """Give the message of one CSV line; a line that has none is handed on as it is, to be rejected as it is."""
    try:
        values = next(csv.reader([line]), [])
    except csv.Error:
        return line
    return values[column].replace("\n", " ") if column < len(values) else line


def _read_parquet(
    source: Input, stream: BinaryIO, head: bytes, on_bytes: Callable[[int], None]
) -> Iterator[Block]:
    if not stream.seekable():
        # Few runs need a temporary file.
        import shutil
        import tempfile

        with tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as copy:
            copy.write(head)
            shutil.copyfileobj(stream, copy, _READ_BYTES)
            yield from _read_parquet(source, cast("BinaryIO", copy), head, on_bytes)
        return
    done = total = 0
    try:
        file = pq.ParquetFile(stream)
        total = file.metadata.num_rows
        for batch in file.iter_batches(batch_size=_BATCH_ROWS):
            yield Rows(batch, source.name, done + 1)
            done += batch.num_rows
            on_bytes((source.size_bytes or 0) * batch.num_rows // max(total, 1))
    except (pa.ArrowException, OSError) as fault:
        yield Fault(source.name, f"is no whole Parquet file ({_first_line(fault)})", total - done)


def _first_line(fault: Exception) -> str:
    return str(fault).splitlines()[0].strip() if str(fault) else type(fault).__name__
