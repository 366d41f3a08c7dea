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
from vpcflow.plain import MAX_LINE_BYTES
from vpcflow.rejects import Reject, reject

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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

_IDENTIFYING = frozenset(
    "interface_id srcaddr dstaddr srcport dstport protocol start end action".split()
)


class _Span(NamedTuple):
    """Lines from ``first`` up to ``end``, all of these layouts; ``stated``: by a header line."""

    first: int
    end: int
    layouts: tuple[Layout, ...]


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


def identity_gaps(names: Sequence[str]) -> frozenset[str]:
    """Give the columns that identify a flow and are missing: where there are any, its place must identify it."""
    return _IDENTIFYING - frozenset(names)


def parse_lines(
    plain: bytes, block: Lines, layout: Layout | None, possible: Sequence[Layout]
) -> tuple[tuple[pa.RecordBatch, ...], tuple[Reject, ...], int, int, Layout | None]:
    """Parse plain lines one group at a time; the parts of ``parse.Parsed``, in its order."""
    sheet = _Sheet(plain)
    headers = _headers(sheet, [layout] if layout else list(possible) or [DEFAULT])
    batches: list[pa.RecordBatch] = []
    rejects: list[Reject] = []
    for span in _spans(len(sheet.lines), headers, layout, possible):
        for group, rows in _runs(_assign(sheet, span, block, rejects)):
            _parse_group(sheet, group, rows, block, batches, rejects)
    rejects.sort(key=lambda r: r.line)
    last = headers[-1][1] if headers else layout
    return tuple(batches), tuple(rejects), len(headers), sheet.blanks, last


class _Sheet:
    """The lines of a block, and which of them surely fit a layout, asked once a layout."""

    def __init__(self, plain: bytes) -> None:
        lines = plain.split(b"\n")
        self.lines = lines[:-1] if lines and not lines[-1] else lines
        self.blank = np.fromiter((not line for line in self.lines), np.bool_, len(self.lines))
        self.blanks = int(self.blank.sum())
        self._array = pa.array(self.lines, pa.binary())
        self._fits: dict[Layout, npt.NDArray[np.bool_]] = {}

    def fits(self, layout: Layout) -> npt.NDArray[np.bool_]:
        if layout not in self._fits:
            mask = pc.match_substring_regex(self._array, _pattern(layout))
            short = pc.less_equal(pc.binary_length(self._array), MAX_LINE_BYTES)
            self._fits[layout] = pc.and_(mask, short).to_numpy(zero_copy_only=False)
        return self._fits[layout]


def _headers(sheet: _Sheet, layouts: Sequence[Layout]) -> list[tuple[int, Layout]]:
    """Find all header lines: they fit no layout that has numbers, so only lines that don't fit are looked at."""
    suspect = ~sheet.blank
    for layout in layouts:
        if not careful.all_text(layout):
            suspect &= ~sheet.fits(layout)
    found = ((i, header_at(i, sheet.lines[i])) for i in np.flatnonzero(suspect).tolist())
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


def _assign(
    sheet: _Sheet, span: _Span, block: Lines, rejects: list[Reject]
) -> list[tuple[int, Layout]]:
    """Say for each line of a span which layout it has; a line that could have several is rejected here."""
    rows = [i for i in range(span.first, span.end) if not sheet.blank[i]]
    if len(span.layouts) == 1:
        return [(i, span.layouts[0]) for i in rows]
    if not span.layouts:
        return [(i, _default_layout(sheet.lines[i])) for i in rows]
    assigned = []
    for i in rows:
        layout = _choose(sheet.lines[i], span.layouts)
        if layout is None:
            rejects.append(_reject(block, i, "ambiguous_layout"))
        else:
            assigned.append((i, layout))
    return assigned


def _default_layout(line: bytes) -> Layout:
    tokens = line.split(b" ", 2)
    return TGW_DEFAULT if len(tokens) > 1 and tokens[1] == b"TransitGateway" else DEFAULT


def _choose(line: bytes, layouts: Sequence[Layout]) -> Layout | None:
    """Choose the layout whose check the line passes, the nearest in length if none; None if several pass."""
    count = line.count(b" ") + 1
    same = [layout for layout in layouts if len(layout.names) == count]
    if len(same) == 1:
        return same[0]
    passed = [layout for layout in same if isinstance(careful.check_line(line, layout), bytes)]
    if len(passed) > 1:
        return None
    return passed[0] if passed else min(same or layouts, key=lambda w: abs(len(w.names) - count))


def _runs(
    assigned: Sequence[tuple[int, Layout]],
) -> Iterator[tuple[frozenset[Layout], list[tuple[int, Layout]]]]:
    """Cut into runs whose layouts may share a batch: they lack the same of what identifies a flow."""
    run: list[tuple[int, Layout]] = []
    key = None
    for i, layout in assigned:
        here = _kin(layout)
        if run and here != key:
            yield frozenset(w for _, w in run), run
            run = []
        key = here
        run.append((i, layout))
    if run:
        yield frozenset(w for _, w in run), run


@functools.lru_cache(maxsize=64)
def _kin(layout: Layout) -> tuple[frozenset[str], bool]:
    return identity_gaps(layout.columns), "tgw-src-eni" in layout.names


def _parse_group(
    sheet: _Sheet,
    layouts: frozenset[Layout],
    rows: Sequence[tuple[int, Layout]],
    block: Lines,
    batches: list[pa.RecordBatch],
    rejects: list[Reject],
) -> None:
    parts, places = [], []
    for layout in sorted(layouts):
        at, lines = _checked(sheet, [i for i, w in rows if w == layout], layout, block, rejects)
        if not lines:
            continue
        table = columns.read_csv(b"\n".join(lines), layout)
        if table is None or table.num_rows != len(lines):
            raise AssertionError(f"checked lines do not read as columns of {layout}")
        batch, failed, good = columns.finish(table, layout, block, at)
        rejects.extend(failed)
        parts.append(batch)
        places.append(at[good])
    if parts and (merged := columns.merge(parts, places)).num_rows:
        batches.append(merged)


def _checked(
    sheet: _Sheet, rows: Sequence[int], layout: Layout, block: Lines, rejects: list[Reject]
) -> tuple[npt.NDArray[np.int64], list[bytes]]:
    """Keep the lines that fit or prove to be right, in canonical text, with their places; reject the others."""
    fits = sheet.fits(layout)
    at, lines = [], []
    for i in rows:
        line: bytes | str = sheet.lines[i]
        if not fits[i]:
            line = careful.check_line(sheet.lines[i], layout)
        if isinstance(line, str):
            rejects.append(_reject(block, i, line))
        else:
            at.append(i)
            lines.append(line)
    return np.array(at, np.int64), lines


def _reject(block: Lines, place: int, reason: str) -> Reject:
    return reject(block.source, int(block.numbers[place]), reason, block.raw(place))


@functools.lru_cache(maxsize=64)
def _pattern(layout: Layout) -> str:
    return "^" + " ".join(_PATTERNS[kind] for kind in layout.kinds) + "$"
