"""Parse a block whose lines differ (headers within, several layouts, bad lines), still mostly as columns."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vpcflow import careful, columns
from vpcflow.errors import FormatError
from vpcflow.layout import DEFAULT, TGW_DEFAULT, Layout, header_layout
from vpcflow.plain import MAX_LINE_BYTES, has_long_line
from vpcflow.rejects import Reject, reject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vpcflow.fields import Kind
    from vpcflow.lines import Lines

# What surely fits; what does not match is looked at with care. Eighteen digits fit 64 bits, nine fit 32.
_PATTERNS: dict[Kind, str] = {
    "int32": r"(?:-|[0-9]{1,9})",
    "int64": r"(?:-|[0-9]{1,18})",
    "time": r"(?:-|[0-9]{1,14})",
    "address": r"(?:-|[0-9A-Fa-f.:]{2,45})",
    "text": r"[!-~]+",
    "tag": r"[!-~]+",
}

TRANSIT_GATEWAY = "TransitGateway"

# A header line has nothing but names; what matches is looked at closely.
_NAMES = r"^(?:(?:[A-Za-z][A-Za-z0-9_-]*|\$\{[A-Za-z][A-Za-z0-9_-]*\})(?: |$))+$"

# Layouts that share a batch have their names as columns in it, null for those of the others.
_MAX_NAMES = 256

_IDENTIFYING = frozenset(
    "interface_id srcaddr dstaddr srcport dstport protocol start end action".split()
)


BY_PLACE = "_by_place"
"""The column that marks the records only their place identifies, in a batch where that is not so of all or none."""


class _Span(NamedTuple):
    """Lines from ``first`` up to ``end``, all of these layouts; ``stated``: by a header line."""

    first: int
    end: int
    layouts: tuple[Layout, ...]


class Linewise(NamedTuple):
    """What ``parse.Parsed`` has, and for each batch the places of its rows in the block, counted from 0."""

    batches: tuple[pa.RecordBatch, ...]
    at: tuple[npt.NDArray[np.int64], ...]
    rejects: tuple[Reject, ...]
    headers: int
    blanks: int
    layout: Layout | None
    stated: tuple[Layout, ...]


class BadHeader(FormatError):
    """A header line names a field more than once; ``place`` is where it is in the block, counted from 0."""

    def __init__(self, text: str, place: int) -> None:
        super().__init__(text)
        self.place = place


def header_at(place: int, line: bytes) -> Layout | None:
    """Give the layout a header line states, or None; raises ``BadHeader`` with the line's place in the block."""
    try:
        return header_layout(line)
    except FormatError as error:
        raise BadHeader(str(error), place) from error


def identity_gaps(names: Iterable[str]) -> frozenset[str]:
    """Give the columns that identify a flow and are missing: where there are any, its place must identify it."""
    return _IDENTIFYING - frozenset(names)


def parse_lines(
    plain: bytes, block: Lines, layout: Layout | None, possible: Sequence[Layout]
) -> Linewise:
    """Parse plain lines one group of layouts at a time."""
    sheet = _Sheet(plain, block)
    headers = _headers(sheet, [layout] if layout else list(possible) or [DEFAULT])
    parts: list[tuple[pa.RecordBatch, npt.NDArray[np.int64]]] = []
    rejects: list[Reject] = []
    for group in _groups(sheet, _spans(len(sheet.lines), headers, layout, possible), rejects):
        parts.extend(_parse_group(sheet, group, rejects))
    rejects.sort(key=lambda r: r.line)
    return Linewise(
        tuple(batch for batch, _ in parts),
        tuple(at for _, at in parts),
        tuple(rejects),
        headers=len(headers),
        blanks=sheet.blanks,
        layout=headers[-1][1] if headers else layout,
        stated=tuple(dict.fromkeys(stated for _, stated in headers)),
    )


class _Sheet:
    """The lines of a block, and which of them surely fit a layout, asked once a line and layout."""

    def __init__(self, plain: bytes, block: Lines) -> None:
        lines = plain.split(b"\n")
        self.lines = lines[:-1] if lines and not lines[-1] else lines
        self.block = block
        self._array = pa.array(self.lines, pa.binary())
        self.too_long = _too_long(block, len(self.lines))
        empty = pc.equal(pc.binary_length(self._array), 0).to_numpy(zero_copy_only=False)
        self.blank = empty & ~self.too_long
        self.blanks = int(self.blank.sum())
        self._fits: dict[Layout, npt.NDArray[np.bool_]] = {}

    def all_fits(self, layout: Layout) -> npt.NDArray[np.bool_]:
        if layout not in self._fits:
            self._fits[layout] = self._match(self._array, _pattern(layout)) & ~self.too_long
        return self._fits[layout]

    def fits(self, layout: Layout, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        if layout in self._fits:
            return self._fits[layout][rows]
        return (
            self._match(self._array.take(pa.array(rows)), _pattern(layout)) & ~self.too_long[rows]
        )

    def may_be_headers(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return rows[self._match(self._array.take(pa.array(rows)), _NAMES)]

    def reject(self, place: int, reason: str) -> Reject:
        block = self.block
        return reject(block.source, int(block.numbers[place]), reason, block.raw(place))

    def _match(self, lines: pa.Array, pattern: str) -> npt.NDArray[np.bool_]:
        found = pc.match_substring_regex(lines, pattern)
        return np.asarray(found.to_numpy(zero_copy_only=False), np.bool_)


def _too_long(block: Lines, count: int) -> npt.NDArray[np.bool_]:
    """Mark lines that are too long as they came: of such a line a source may have kept only a part."""
    if not has_long_line(block.data):
        return np.zeros(count, np.bool_)
    return np.array([len(block.raw(i)) > MAX_LINE_BYTES for i in range(count)])


def _headers(sheet: _Sheet, layouts: Sequence[Layout]) -> list[tuple[int, Layout]]:
    """Find all header lines: they fit no layout that has numbers, so only lines that don't fit are looked at."""
    suspect = ~(sheet.blank | sheet.too_long)
    for layout in layouts:
        if not careful.all_text(layout):
            suspect &= ~sheet.all_fits(layout)
    rows = sheet.may_be_headers(np.flatnonzero(suspect)).tolist()
    found = ((i, header_at(i, sheet.lines[i])) for i in rows)
    return [(i, layout) for i, layout in found if layout is not None]


def _spans(
    count: int,
    headers: Sequence[tuple[int, Layout]],
    layout: Layout | None,
    possible: Sequence[Layout],
) -> Iterator[_Span]:
    first = 0
    layouts = (layout,) if layout else tuple(dict.fromkeys(possible))
    for place, stated in headers:
        yield _Span(first, place, layouts)
        first, layouts = place + 1, (stated,)
    yield _Span(first, count, layouts)


def _groups(
    sheet: _Sheet, spans: Iterable[_Span], rejects: list[Reject]
) -> Iterator[dict[Layout, list[int]]]:
    """Gather the lines of each layout; layouts share a group, and so a batch, while they have few names in all."""
    group: dict[Layout, list[int]] = {}
    names: set[str] = set()
    for span in spans:
        names.update(*(layout.names for layout in span.layouts))
        if len(names) > _MAX_NAMES and group:
            yield group
            group, names = {}, set().union(*(layout.names for layout in span.layouts))
        _assign(sheet, span, group, rejects)
    yield group


def _assign(
    sheet: _Sheet, span: _Span, group: dict[Layout, list[int]], rejects: list[Reject]
) -> None:
    """Say for each line of a span which layout it has; a line that could have several is rejected here."""
    rows = (np.flatnonzero(~sheet.blank[span.first : span.end]) + span.first).tolist()
    if len(span.layouts) == 1:
        group.setdefault(span.layouts[0], []).extend(rows)
        return
    for i in rows:
        line = sheet.lines[i]
        layout = choose(line, span.layouts) if span.layouts else default_layout(line)
        if layout is None:
            rejects.append(sheet.reject(i, "ambiguous_layout"))
        else:
            group.setdefault(layout, []).append(i)


def default_layout(line: bytes) -> Layout:
    """Give AWS's default layout: the second token tells a Transit Gateway's line from a network interface's."""
    tokens = line.split(b" ", 2)
    return TGW_DEFAULT if tokens[1:2] == [TRANSIT_GATEWAY.encode()] else DEFAULT


def choose(line: bytes, layouts: Sequence[Layout]) -> Layout | None:
    """Choose the layout whose check a plain line passes, the nearest in length if none; None if several pass."""
    count = line.count(b" ") + 1
    same = [layout for layout in layouts if len(layout.names) == count]
    if len(same) == 1:
        return same[0]
    passed = [layout for layout in same if isinstance(careful.check_line(line, layout), bytes)]
    if len(passed) > 1:
        return None
    return passed[0] if passed else min(same or layouts, key=lambda w: abs(len(w.names) - count))


def _parse_group(
    sheet: _Sheet, group: dict[Layout, list[int]], rejects: list[Reject]
) -> Iterator[tuple[pa.RecordBatch, npt.NDArray[np.int64]]]:
    """Parse the lines of each layout as columns, and put them into one batch, in their order, with their places."""
    parts: list[pa.RecordBatch] = []
    places: list[npt.NDArray[np.int64]] = []
    for layout, rows in group.items():
        at, lines = _checked(sheet, np.array(rows, np.int64), layout, rejects)
        if not lines:
            continue
        read = columns.read_checked(b"\n".join(lines), layout, len(lines))
        batch, failed, good = columns.finish(read, layout, sheet.block, at)
        rejects.extend(failed)
        if batch.num_rows:
            parts.append(batch)
            places.append(at[good])
    if parts:
        yield columns.merge(_marked(parts), places), np.sort(np.concatenate(places))


def gather(batches: Sequence[pa.RecordBatch]) -> tuple[pa.RecordBatch, ...]:
    """Put batches of one source into few, in the order of their lines; they share one while it has few names in all."""
    parts: list[pa.RecordBatch] = []
    names: set[str] = set()
    gathered = []
    for batch in batches:
        names.update(batch.schema.names)
        if len(names) > _MAX_NAMES and parts:
            gathered.append(parts)
            parts, names = [], set(batch.schema.names)
        parts.append(batch)
    gathered.append(parts)
    return tuple(_in_order(parts) for parts in gathered if parts)


def _in_order(parts: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(parts) == 1:
        return parts[0]
    return columns.merge(_marked(parts), [part.column("source_line").to_numpy() for part in parts])


def _marked(parts: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """Mark what identifies the records of parts that are to be one batch, where its columns would not tell."""
    gaps = [bool(identity_gaps(part.schema.names)) for part in parts]
    merged = {name for part in parts for name in part.schema.names}
    if BY_PLACE not in merged and set(gaps) == {bool(identity_gaps(merged))}:
        return parts
    return [
        part
        if BY_PLACE in part.schema.names
        else part.append_column(BY_PLACE, pa.array(np.full(part.num_rows, gap)))
        for part, gap in zip(parts, gaps)
    ]


def _checked(
    sheet: _Sheet, rows: npt.NDArray[np.int64], layout: Layout, rejects: list[Reject]
) -> tuple[npt.NDArray[np.int64], list[bytes]]:
    """Keep the lines that fit or prove to be right, in canonical text, with their places; reject the others."""
    fits = sheet.fits(layout, rows)
    lines: list[bytes | None] = [sheet.lines[i] for i in rows.tolist()]
    for at in np.flatnonzero(~fits).tolist():
        place = int(rows[at])
        checked = (
            "line_too_long"
            if sheet.too_long[place]
            else careful.check_line(sheet.lines[place], layout)
        )
        lines[at] = checked if isinstance(checked, bytes) else None
        if isinstance(checked, str):
            rejects.append(sheet.reject(place, checked))
    kept = [line for line in lines if line is not None]
    if len(kept) < len(lines):
        rows = rows[[line is not None for line in lines]]
    return rows, kept


@functools.lru_cache(maxsize=64)
def _pattern(layout: Layout) -> str:
    return "^" + " ".join(_PATTERNS[kind] for kind in layout.kinds) + "$"
