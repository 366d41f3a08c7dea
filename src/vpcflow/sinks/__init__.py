"""
Where flows go. A sink is one module and one line of ``FORMATS``; ``open_sink`` finds it by the name of the output.

What becomes an object in S3 is a file of one of these forms first: ``sinks.objects``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol

from vpcflow.errors import FormatError, SinkError
from vpcflow.object_store import is_object_url, parse_object_url
from vpcflow.sinks.csv import CsvFileSink, CsvSink
from vpcflow.sinks.dataset import DatasetSink
from vpcflow.sinks.firehose import is_stream_url
from vpcflow.sinks.iceberg.address import is_table_url
from vpcflow.sinks.ndjson import NdjsonFileSink, NdjsonSink
from vpcflow.sinks.opensearch.url import is_search_url
from vpcflow.sinks.parquet import ParquetSink

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    import pyarrow as pa

    from vpcflow.json_lines import Encode
    from vpcflow.object_store import ObjectStore
    from vpcflow.pending_file import Take
    from vpcflow.rejects import Reject
    from vpcflow.sinks.dataset import Form

__all__ = ["FORMATS", "Output", "Settled", "Sink", "open_sink"]

_COMPRESSED = (".gz", ".zst")
_SCHEMES = ("s3://", "firehose://", "opensearch+https://", "opensearch+http://", "iceberg://")


class Sink(Protocol):
    """
    What takes flows, a batch at a time, whatever columns it has.

    Rows keep their order, but in a dataset. What goes to a file appears at ``close``, whole, or after ``abort`` not at
    all; leaving a ``with`` block does the one or, after an exception, the other. What goes to a stream is gone at once.
    """

    def write(self, flows: pa.RecordBatch, /) -> int:
        """Take the flows and give the number taken; raises ``OSError`` or ``SinkError`` where it cannot."""
        ...

    def close(self) -> None:
        """Deliver what was taken."""
        ...

    def abort(self) -> None:
        """Leave things as they were, as far as that can be done; never raises for a file half written."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None: ...


class Settled(NamedTuple):
    """What became of flows that a sink had taken, where that was not delivery: of some it is known only later."""

    duplicates: int = 0
    failed: int = 0
    rejects: tuple[Reject, ...] = ()


class Output(NamedTuple):
    """
    What a sink is made of; ``columns`` None is all there are, ``encode`` is for documents alone, ``form`` for folders.
    """

    encode: Encode
    columns: Sequence[str] | None
    run_id: str
    form: Form | None = None


class Format(NamedTuple):
    """A form of output: the suffixes that stand for it, and its sinks, of which it may lack some."""

    suffixes: tuple[str, ...]
    may_be_compressed: bool
    file: Callable[[Path, Output], Sink]
    stream: Callable[[BinaryIO, Output], Sink] | None = None
    folder: Callable[[Path, Output, Take], Sink] | None = None


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "ndjson": Format(
            (".ndjson", ".jsonl"),
            True,
            lambda path, output: NdjsonFileSink(path, output.encode),
            stream=lambda stream, output: NdjsonSink(stream, output.encode),
        ),
        "csv": Format(
            (".csv",),
            True,
            lambda path, output: CsvFileSink(path, output.columns),
            stream=lambda stream, output: CsvSink(stream, output.columns),
        ),
        "parquet": Format(
            (".parquet",),
            False,
            lambda path, output: ParquetSink(path, output.columns),
            folder=lambda path, output, take: DatasetSink(
                path, output.run_id, output.columns, take, output.form
            ),
        ),
    }
)


def open_sink(
    to: str | None,
    *,
    encode: Encode,
    run_id: str,
    columns: Sequence[str] | None = None,
    format: str | None = None,
    stdout: BinaryIO | None = None,
    store: Callable[[], ObjectStore] | None = None,
    firehose: Callable[[str, Encode], Sink] | None = None,
    search: Callable[[str, Encode], Sink] | None = None,
    table: Callable[[str, Output], Sink] | None = None,
    form: Form | None = None,
) -> Sink:
    """
    Open the sink for an output: None or ``-`` is standard output, a folder or a name that ends with ``/`` a dataset.

    A name that begins with ``s3://`` is an object or folder in what ``store`` opens, ``firehose://NAME`` a stream that
    ``firehose`` opens, ``opensearch+https://HOST/NAME`` an index that ``search`` opens, ``iceberg://NAMESPACE.TABLE`` a
    table that ``table`` opens.

    A file's format is that of its suffix, unless ``format`` names one of ``FORMATS``; the suffixes ``.gz`` and ``.zst``
    compress NDJSON and CSV in any case. ``run_id`` keeps the files of two runs in one dataset apart; ``form`` is what
    its files and folders are, if not flows by the hour. Raises ``FormatError`` where there is no such format or it
    does not fit, ``SinkError`` where the output cannot be written.
    """
    if format is not None and format not in FORMATS:
        raise FormatError(f"unknown format {format!r} (known: {', '.join(FORMATS)})")
    if to is not None and is_stream_url(to):
        return _open_documents(to, encode, format, firehose)
    if to is not None and is_search_url(to):
        return _open_documents(to, encode, format, search)
    output = Output(encode, columns, run_id, form)
    if to is not None and is_table_url(to):
        return _open_table(to, output, format, table)
    if to is None or to == "-":
        stream = FORMATS[format or "ndjson"].stream
        if stream is None:
            raise FormatError(f"{format} does not go to standard output: name a file or folder")
        return stream(stdout or sys.stdout.buffer, output)
    in_store = is_object_url(to)
    if "://" in to and not in_store:
        # As a path it would make a folder of the name ``https:``.
        raise FormatError(f"no output is known by the name {to!r} (known: {', '.join(_SCHEMES)})")
    if to.endswith("/") or (not in_store and Path(to).is_dir()):
        folder = FORMATS[format or "parquet"].folder
        if folder is None:
            raise FormatError(
                f"{to!r} is a folder, which takes parquet alone, not {format}: name a file"
            )
        if in_store:
            return _open_object_folder(to, store, lambda path, take: folder(path, output, take))
        return folder(Path(to), output, lambda file: file)
    chosen = FORMATS[format or _format_of(to)]
    if in_store:
        return _open_object(to, store, lambda path: chosen.file(path, output))
    return chosen.file(Path(to), output)


def _open_documents(
    to: str, encode: Encode, format: str | None, opener: Callable[[str, Encode], Sink] | None
) -> Sink:
    if format not in (None, "ndjson"):
        raise FormatError(f"{to!r} takes documents alone, not {format}")
    if opener is None:
        raise SinkError(f"{to!r} is not written here")
    return opener(to, encode)


def _open_table(
    to: str, output: Output, format: str | None, table: Callable[[str, Output], Sink] | None
) -> Sink:
    if format not in (None, "parquet"):
        raise FormatError(f"{to!r} is a table, whose files are parquet, not {format}")
    if table is None:
        raise SinkError(f"{to!r} is an Iceberg table, which is not written here")
    return table(to, output)


def _open_object(
    to: str, store: Callable[[], ObjectStore] | None, open_file: Callable[[Path], Sink]
) -> Sink:
    # Only an output in S3 needs a temporary folder.
    from vpcflow.sinks.objects import ObjectSink

    return ObjectSink(_opened(to, store), parse_object_url(to), open_file)


def _open_object_folder(
    to: str, store: Callable[[], ObjectStore] | None, open_folder: Callable[[Path, Take], Sink]
) -> Sink:
    from vpcflow.sinks.objects import ObjectFolderSink

    return ObjectFolderSink(_opened(to, store), parse_object_url(to), open_folder)


def _opened(to: str, store: Callable[[], ObjectStore] | None) -> ObjectStore:
    if store is None:
        raise SinkError(f"{to!r} is in S3, which is not written here")
    return store()


def _format_of(name: str) -> str:
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    packed = bool(suffixes) and suffixes[-1] in _COMPRESSED
    suffix = suffixes[-2 if packed else -1] if len(suffixes) > packed else ""
    for known, form in FORMATS.items():
        if suffix in form.suffixes and (form.may_be_compressed or not packed):
            return known
    raise FormatError(f"no format is known by the name {name!r} (known: {_known()})")


def _known() -> str:
    plain = [suffix for form in FORMATS.values() for suffix in form.suffixes]
    packed = [s for form in FORMATS.values() if form.may_be_compressed for s in form.suffixes]
    return (
        f"{', '.join(plain)}; {', '.join(packed)} also with {' or '.join(_COMPRESSED)}; "
        "a folder, whose name ends with '/'; else give --format"
    )
