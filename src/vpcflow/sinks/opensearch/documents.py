"""
What a bulk request holds: documents as they were encoded, each after the line that says where it goes and as what.

Both are texts of Arrow, cut out of the buffers they were written to; laying some of them one after the other is one
``take``, and no document becomes an object of Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from isal import igzip

from vpcflow.fragments import constant_parts, nested
from vpcflow.json_lines import lines
from vpcflow.partitions import flow_times

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vpcflow.fragments import AnyPart
    from vpcflow.json_lines import Encode

    Places = npt.NDArray[np.int64]

Layout = Literal["daily", "rollover", "stream", "single"]
"""
Indexes of a day ``NAME-…`` with the alias NAME; indexes ``NAME-000001`` and on, written to by the alias; a data stream;
or one index.
"""

MAX_BYTES = 4 << 20
MAX_DOCUMENTS = 5_000
"""Of a request, before it is zipped. Amazon's smaller domains take 10 MiB, and gain nothing from requests that long."""

FIRST_REVISION = 1
UNDATED = "undated"
"""Follows the index's name where a flow has no time, as ``partitions`` tells it."""

_DAY_S = 86_400
_NEWLINE = 10
_GZIP_LEVEL = 1


class Placing(NamedTuple):
    """
    Where documents go: a name, and the layout of what has it.

    ``has_ids`` is False for a serverless collection of time series, which refuses documents that bring their id.
    """

    name: str
    layout: Layout = "daily"
    has_ids: bool = True

    @property
    def path(self) -> str:
        """Where bulk requests go: only the index of a day is named with each document."""
        return "_bulk" if self.layout == "daily" else f"{self.name}/_bulk"

    @property
    def has_versions(self) -> bool:
        """Tell whether a document comes with its revision: a data stream takes none but new ones."""
        return self.has_ids and self.layout != "stream"

    @property
    def meets_itself(self) -> bool:
        """Tell whether a repeated delivery surely finds what is there: the same id in the same index."""
        return self.has_ids and self.layout in ("daily", "single")


class Documents(NamedTuple):
    """
    Documents of flows in order, with their actions; both are lines.

    ``versions`` are those of the actions; ``sources`` and ``numbers`` say where each flow was read, null or not.
    """

    actions: pa.BinaryArray
    texts: pa.BinaryArray
    versions: npt.NDArray[np.int64]
    sources: pa.Array
    numbers: pa.Array

    @property
    def rows(self) -> int:
        return len(self.texts)

    @property
    def size_bytes(self) -> int:
        """What all of them take in a request, before it is zipped."""
        return _size(self.actions) + _size(self.texts)

    def slice(self, start: int, count: int) -> Documents:
        return Documents(*(column[start : start + count] for column in self))

    def body(self, places: Places) -> bytes:
        """Lay the documents of these places out as the gzipped body of a bulk request."""
        both = pa.concat_arrays([self.actions, self.texts])
        order = np.stack([places, places + self.rows], axis=1).ravel()
        taken = pc.take(both, pa.array(order), boundscheck=False)
        _, offsets, data = taken.buffers()
        end = int(np.frombuffer(offsets, np.int32)[len(taken)])
        return bytes(igzip.compress(memoryview(data)[:end], _GZIP_LEVEL))


def documents_of(flows: pa.RecordBatch, placing: Placing, encode: Encode) -> Iterator[Documents]:
    """
    Give the documents of flows in order, a buffer of the encoder's at a time, cut to the limits of a request.

    The flows need ``event_id`` where there are ids. A document over the limit of bytes is by itself.
    """
    versions = _versions(flows)
    actions = _lines_of(*lines(_actions(flows, placing, versions), flows.num_rows))
    sources = _column(flows, "source_object", pa.string())
    numbers = _column(flows, "source_line", pa.int64())
    start = 0
    for buffer in encode(flows):
        texts = _lines_of(buffer)
        here = slice(start, start + len(texts))
        start = here.stop
        yield from _cut(
            Documents(actions[here], texts, versions[here], sources[here], numbers[here])
        )


def joined(parts: Sequence[Documents]) -> Documents:
    """Put documents together, in order; at least one part."""
    if len(parts) == 1:
        return parts[0]
    actions, texts, versions, sources, numbers = zip(*parts)
    return Documents(
        pa.concat_arrays(actions),
        pa.concat_arrays(texts),
        np.concatenate(versions),
        pa.concat_arrays(sources),
        pa.concat_arrays(numbers),
    )


def _actions(
    flows: pa.RecordBatch, placing: Placing, versions: npt.NDArray[np.int64]
) -> list[AnyPart]:
    """Say of each flow where it goes: ``{"index":{"_index":…,"_id":…,"version":1,"version_type":"external"}}``."""
    action = "create" if placing.layout == "stream" else "index"
    members: list[tuple[str, pa.Array]] = []
    if placing.layout == "daily":
        members.append((f"{action}._index", _indexes(flow_times(flows), placing.name)))
    if placing.has_ids:
        members.append((f"{action}._id", flows.column("event_id")))
    if placing.has_versions:
        members.append((f"{action}.version", pa.array(versions)))
        members.append((f"{action}.version_type", _constant("external", flows.num_rows)))
    if not members:
        return [*constant_parts(f',"{action}":{{}}', flows.num_rows)]
    return nested(members)


def _indexes(times: npt.NDArray[np.int64], name: str) -> pa.DictionaryArray:
    """Name the index of each flow by the day of its end."""
    days, codes = np.unique(np.where(times < 0, -1, times // _DAY_S), return_inverse=True)
    dates = np.datetime_as_string(days.astype("M8[D]")).tolist()
    names = [
        f"{name}-{UNDATED if day < 0 else date.replace('-', '.')}"
        for day, date in zip(days.tolist(), dates)
    ]
    return pa.DictionaryArray.from_arrays(codes.astype(np.int32), names)


def _constant(text: str, rows: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), [text])


def _versions(flows: pa.RecordBatch) -> npt.NDArray[np.int64]:
    names = flows.schema.names
    # A field of the log that no table has is text, whatever it is called.
    if "revision" not in names or not pa.types.is_integer(flows.schema.field("revision").type):
        return np.full(flows.num_rows, FIRST_REVISION)
    column = flows.column("revision").cast(pa.int64()).fill_null(FIRST_REVISION)
    # A negative version would have the server refuse the request, its neighbours with it.
    return np.asarray(np.maximum(column.to_numpy(), FIRST_REVISION))


def _column(flows: pa.RecordBatch, name: str, kind: pa.DataType) -> pa.Array:
    if name not in flows.schema.names:
        return pa.nulls(flows.num_rows, kind)
    return flows.column(name).cast(kind)


def _lines_of(*buffers: pa.Buffer) -> pa.BinaryArray:
    """Make each line a value, with its end; the text stays where it is, if it is in one buffer."""
    text = buffers[0] if len(buffers) == 1 else pa.py_buffer(b"".join(buffers))
    ends = np.flatnonzero(np.frombuffer(text, np.uint8) == _NEWLINE) + 1
    offsets = pa.py_buffer(np.append(0, ends).astype(np.int32))
    return pa.Array.from_buffers(pa.binary(), len(ends), [None, offsets, text])


def _cut(documents: Documents) -> Iterator[Documents]:
    """Cut to pieces that each fit into a request; a single one always does."""
    start = 0
    ends = np.cumsum(_sizes(documents.actions) + _sizes(documents.texts))
    while start < documents.rows:
        before = int(ends[start - 1]) if start else 0
        fits = int(np.searchsorted(ends, before + MAX_BYTES, "right"))
        stop = min(max(fits, start + 1), start + MAX_DOCUMENTS)
        yield documents.slice(start, stop - start)
        start = stop


def _sizes(texts: pa.BinaryArray) -> npt.NDArray[np.int64]:
    return np.asarray(pc.binary_length(texts).to_numpy()).astype(np.int64)


def _size(texts: pa.BinaryArray) -> int:
    offsets = np.frombuffer(texts.buffers()[1], np.int32)
    return int(offsets[texts.offset + len(texts)] - offsets[texts.offset])
