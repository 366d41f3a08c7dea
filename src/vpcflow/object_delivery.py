"""
From new objects to documents on a stream or Parquet files: each object by itself, so that none costs another.

An object may come twice, as queues deliver at least once. Its records then have the same event ids, and its Parquet
files the same names: the second time replaces the first.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from vpcflow.enrich import ENRICHED, enrich
from vpcflow.errors import AwsError, VpcflowError
from vpcflow.linewise import BY_PLACE
from vpcflow.pipeline import read_flows
from vpcflow.sinks.dataset import DatasetSink
from vpcflow.sinks.firehose import put_all
from vpcflow.sinks.opensearch.writer import REFUSED
from vpcflow.sources import Input
from vpcflow.sources.files import read_input
from vpcflow.stats import Books

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from vpcflow.enrich import Reference
    from vpcflow.object_store import ObjectStore, ObjectUrl
    from vpcflow.pending_file import Pending
    from vpcflow.pipeline import Layouts
    from vpcflow.schemas import Schema
    from vpcflow.sinks.firehose import PutResult, Stream


class Put(Protocol):
    """``put_all``."""

    def __call__(
        self, stream: Stream, records: Sequence[bytes], /, *, within_s: float
    ) -> PutResult: ...


_GONE = frozenset({"NoSuchKey", "NoSuchVersion"})
_ROWS_AT_ONCE = 10_000  # some 5 MB of documents, twice that as separate texts


class Taken(NamedTuple):
    """
    What an output has made of flows: those that surely are there, those that were there, those it refuses for good.

    What is in none of these is not there, and comes again.
    """

    delivered: int = 0
    duplicates: int = 0
    refused: int = 0

    @property
    def settled(self) -> int:
        return sum(self)


class References(Protocol):
    """Where flows find what they are read and enriched by."""

    def layouts(self, stream_arn: str | None) -> Layouts: ...

    def reference(self, flows: Sequence[pa.RecordBatch]) -> Reference: ...


class ObjectOutput(Protocol):
    """The flows of one object on their way."""

    def write(self, flows: pa.RecordBatch, /) -> Taken:
        """Take the flows, and tell what surely became of them; raises ``OSError`` where none was taken."""
        ...

    def close(self) -> None:
        """Deliver what was taken; raises ``OSError`` or ``VpcflowError`` where not all of it surely is."""
        ...

    def abort(self) -> int:
        """Deliver nothing more, and give how many of those taken are not delivered for that."""
        ...


class Output(Protocol):
    """
    Where the flows of objects go; ``columns`` are those wanted of the ones that are added, None for all.

    ``counts`` are of what moved, by the names of the metrics, ``errors`` of refusals by their codes; whoever reads them
    may empty them.
    """

    counts: Counter[str]
    errors: Counter[str]

    @property
    def columns(self) -> frozenset[str] | None: ...

    def holds(self, url: ObjectUrl) -> bool:
        """Tell whether an object is part of the output itself."""
        ...

    def open(self, source: ObjectUrl, remaining_s: Callable[[], float]) -> ObjectOutput:
        """Begin the output of an object, for which so many seconds are left."""
        ...


class Unfinished(VpcflowError):
    """An object could not be read or handed on as a whole."""


class Delivered(NamedTuple):
    """
    What became of an object: its books, which balance; ``error`` where it has to come again.

    ``is_gone``: it was not there any more.
    """

    books: Books
    error: VpcflowError | None = None
    is_gone: bool = False


class ObjectDelivery:
    """
    Reads objects, enriches what is in them, and hands it on.

    ``passing`` are the values that pass of a column such as ``action``; missing values pass always.
    """

    def __init__(
        self,
        store: ObjectStore,
        references: References,
        output: Output,
        *,
        passing: Mapping[str, frozenset[str]],
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._references = references
        self._output = output
        self._passing = {name: pa.array(sorted(values)) for name, values in passing.items()}
        self._warn = warn

    def deliver(self, url: ObjectUrl, remaining_s: Callable[[], float]) -> Delivered:
        """
        Hand on an object; never raises for what is in it, for the store or for the output.

        What can be read of a damaged object is handed on, and ``error`` says what could not. An object that is gone is
        no error: no repetition would bring it back. Nothing is begun once no time remains.
        """
        books = Books(inputs=1)
        try:
            body = self._store.open(url.bucket, url.key)
        except AwsError as error:
            return Delivered(books, None if error.code in _GONE else error, error.code in _GONE)
        with body:
            return self._deliver(Input(str(url), None, lambda: body), url, books, remaining_s)

    def _deliver(
        self, source: Input, url: ObjectUrl, books: Books, remaining_s: Callable[[], float]
    ) -> Delivered:
        output = self._output.open(url, remaining_s)
        try:
            why = self._write_all(self._flows(source, books), output, books, remaining_s)
            if not why:
                output.close()
                return Delivered(books, _unfinished(url, books))
            error: VpcflowError = Unfinished(f"{url}: {why}")
        except (OSError, VpcflowError) as fault:
            error = fault if isinstance(fault, VpcflowError) else Unfinished(f"{url}: {fault}")
        back = output.abort()
        books.delivered -= back
        books.failed += back
        return Delivered(books, error)

    def _flows(self, source: Input, books: Books) -> Iterator[pa.RecordBatch]:
        layouts = self._references.layouts(None)
        return read_flows(read_input(source), books, layouts=layouts, warn=self._warn)

    def _write_all(
        self,
        flows: Iterator[pa.RecordBatch],
        output: ObjectOutput,
        books: Books,
        remaining_s: Callable[[], float],
    ) -> str:
        """Write until the end, or until not all that is read is taken: then give why, else ''."""
        for batch in flows:
            # Until it is known better, which an exception might prevent.
            books.failed += batch.num_rows
            if remaining_s() <= 0:
                return "the time of the function is over before its end"
            chosen = self._chosen(batch)
            books.filtered += batch.num_rows - chosen.num_rows
            books.failed -= batch.num_rows - chosen.num_rows
            taken = output.write(self._enriched(chosen)) if chosen.num_rows else Taken()
            books.delivered += taken.delivered
            books.duplicates += taken.duplicates
            books.rejected.update({REFUSED: taken.refused} if taken.refused else {})
            books.failed -= taken.settled
            if taken.settled < chosen.num_rows:
                return "not all of it was taken, and the rest is not read"
        return ""

    def _chosen(self, flows: pa.RecordBatch) -> pa.RecordBatch:
        for name, values in self._passing.items():
            if name in flows.schema.names:
                column = flows.column(name).cast(pa.string())
                flows = flows.filter(pc.or_(pc.is_in(column, values), pc.is_null(column)))
        return flows

    def _enriched(self, flows: pa.RecordBatch) -> pa.RecordBatch:
        reference = self._references.reference([flows])
        done = enrich(flows, reference, columns=self._output.columns)
        return done.drop_columns([BY_PLACE]) if BY_PLACE in done.schema.names else done


def _unfinished(url: ObjectUrl, books: Books) -> Unfinished | None:
    """Say why an object that was read and handed on has to come again all the same."""
    if books.faults:
        return Unfinished(f"{books.faults[0].source} {books.faults[0].reason}")
    if refused := books.rejected[REFUSED]:
        return Unfinished(f"{url}: {refused:,} of its documents were refused")
    return None


class StreamOutput:
    """Documents of flows, each a record of a Firehose stream that ends with a line feed."""

    def __init__(self, stream: Stream, schema: Schema, put: Put = put_all) -> None:
        self._columns = None if schema.columns is None else ENRICHED.intersection(schema.columns)
        self.counts: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self._stream = stream
        self._encode = schema.encode
        self._put = put

    @property
    def columns(self) -> frozenset[str] | None:
        return self._columns

    def holds(self, _: ObjectUrl) -> bool:
        return False

    def open(self, source: ObjectUrl, remaining_s: Callable[[], float]) -> _Documents:
        return _Documents(self, remaining_s)

    def put(self, flows: pa.RecordBatch, within_s: float) -> int:
        """Put the documents of flows on the stream, and give how many it has surely taken."""
        text = b"".join(self._encode(flows))
        documents = [line + b"\n" for line in text.split(b"\n")[:-1]]
        result = self._put(self._stream, documents, within_s=within_s)
        taken = [len(one) for one, code in zip(documents, result.codes) if code is None]
        self.counts.update(
            output_records=len(taken),
            output_bytes=sum(taken),
            puts=result.calls,
            puts_refused=result.refusals,
            puts_unanswered=result.unanswered,
            possible_duplicates=result.possible_duplicates,
        )
        self.errors.update(result.reasons)
        return len(taken)


class _Documents:
    """The documents of one object: what the stream has taken cannot be taken back."""

    def __init__(self, output: StreamOutput, remaining_s: Callable[[], float]) -> None:
        self._output = output
        self._remaining_s = remaining_s

    def write(self, flows: pa.RecordBatch) -> Taken:
        taken = 0
        for start in range(0, flows.num_rows, _ROWS_AT_ONCE):
            some = flows.slice(start, _ROWS_AT_ONCE)
            new = self._output.put(some, self._remaining_s())
            taken += new
            if new < some.num_rows:
                break
        return Taken(taken)

    def close(self) -> None:
        pass

    def abort(self) -> int:
        return 0


class ParquetOutput:
    """
    Parquet files by day and hour in a folder in S3, as ``sinks.dataset`` lays them out.

    They are named after their object's address, so that those of the same object replace each other.
    """

    def __init__(self, store: ObjectStore, folder: ObjectUrl) -> None:
        self.counts: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self._store = store
        self._folder = folder

    @property
    def columns(self) -> None:
        return None

    def holds(self, url: ObjectUrl) -> bool:
        return url.bucket == self._folder.bucket and url.key.startswith(self._folder.folder)

    def open(self, source: ObjectUrl, _: Callable[[], float]) -> _Files:
        run_id = hashlib.sha256(str(source).encode()).hexdigest()[:24]
        return _Files(run_id, self._put)

    def _put(self, place: str, file: Path) -> None:
        data = file.read_bytes()
        self._store.put(self._folder.bucket, self._folder.folder + place, data)
        self.counts["output_bytes"] += len(data)


class _Files:
    """The files of one object, made in a temporary folder; put one by one at the end, each in one step."""

    def __init__(self, run_id: str, put: Callable[[str, Path], None]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="vpcflow-", ignore_cleanup_errors=True)
        self._put = put
        self._root = Path(self._folder.name).resolve()
        self._sink = DatasetSink(self._root, run_id, take=self._take)
        self._rows = 0

    def write(self, flows: pa.RecordBatch) -> Taken:
        taken = self._sink.write(flows)
        self._rows += taken
        return Taken(taken)

    def close(self) -> None:
        self._sink.close()
        self._folder.cleanup()

    def abort(self) -> int:
        self._sink.abort()
        self._folder.cleanup()
        return self._rows

    def _take(self, file: Pending) -> Pending:
        place = file.path.relative_to(self._root).as_posix()
        return _PutFile(file, lambda: self._put(place, file.writable))


class _PutFile:
    """A file that is put in S3 where another would be renamed."""

    def __init__(self, file: Pending, put: Callable[[], None]) -> None:
        self.path = file.path
        self.writable = file.writable
        self._file = file
        self._put = put

    def commit(self) -> None:
        self._put()
        self._file.discard()

    def discard(self) -> None:
        self._file.discard()
