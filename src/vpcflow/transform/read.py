"""
Read the lines of all records together, as columns, and say of each line what became of it.

A line's number in the batch (from 1) is its ``source_line``, so that each row is found back. Header lines count within
their record alone.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vpcflow.errors import FormatError
from vpcflow.layout import DEFAULT, TGW_DEFAULT, Layout, header_layout, parse_log_format
from vpcflow.lines import Lines
from vpcflow.linewise import BadHeader, choose, gather
from vpcflow.parse import parse
from vpcflow.plain import plain
from vpcflow.transform.cut import cut

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt
    import pyarrow as pa

    from vpcflow.pipeline import Layouts
    from vpcflow.transform.unpack import Unpacked

AMBIGUOUS = "?"
"""Stands for the layout of a line that goes back on the stream as it could have several: so it ends as it began."""

_MAX_LAYOUT_CHARS = 8192


class Read(NamedTuple):
    """
    What the lines are: ``batches`` of flows in order, and the reason for each line, by place, that is no flow record.

    ``headers`` are the places of header lines.
    """

    batches: tuple[pa.RecordBatch, ...]
    bad: Mapping[int, str]
    headers: frozenset[int]


class _Group(NamedTuple):
    """Lines that may have the same layouts: their places, and these layouts."""

    places: npt.NDArray[np.int64]
    possible: tuple[Layout, ...]


@dataclass
class _Findings:
    batches: list[pa.RecordBatch] = field(default_factory=list)
    bad: dict[int, str] = field(default_factory=dict)
    headers: set[int] = field(default_factory=set)


def read(unpacked: Unpacked, layouts: Layouts, source: str) -> Read:
    """
    Parse all lines. Joined ones are cut first: the lists of ``unpacked`` are longer then.

    ``source`` tells this batch from all others: it goes into the ids of records that only their place identifies.
    """
    every = np.arange(len(unpacked.lines))
    found = _Findings()
    for group in _groups(unpacked, layouts, every, found):
        _read_group(unpacked, group, source, found)
    joined = [place for place in found.bad if unpacked.bare[place]]
    if joined and (cuts := _cuts(unpacked, layouts, joined)):
        _replace(unpacked, cuts)
        return read(unpacked, layouts, source)
    return Read(gather(found.batches), found.bad, frozenset(found.headers))


def possible_layouts(unpacked: Unpacked, layouts: Layouts, place: int) -> tuple[Layout, ...]:
    """
    Give the layouts a line may have: its envelope's, else ``LOG_FORMAT``, else its log group's; empty: AWS's defaults.

    Raises ``FormatError`` where the envelope's makes no sense.
    """
    stated = unpacked.layouts[place]
    if stated is not None:
        return (_layout_of(stated),)
    return layouts.possible(unpacked.log_groups[place])


def layout_on_the_way(unpacked: Unpacked, layouts: Layouts, place: int) -> str | None:
    """Say what layout a line has that goes back on the stream, where its log group is no longer known; None: any."""
    stated, log_group = unpacked.layouts[place], unpacked.log_groups[place]
    possible = () if stated is not None else layouts.possible(log_group)
    if not possible or (log_group is None and len(possible) == 1):
        return stated
    chosen = choose(plain(unpacked.lines[place]), possible)
    return AMBIGUOUS if chosen is None else str(chosen)


def _groups(
    unpacked: Unpacked, layouts: Layouts, places: npt.NDArray[np.int64], found: _Findings
) -> Iterable[_Group]:
    """Gather the lines that may have the same layouts; the few of a layout that makes no sense are bad."""
    stated, log_groups = unpacked.layouts, unpacked.log_groups
    keys = set(zip(stated, log_groups))
    if len(keys) == 1:
        numbers = dict.fromkeys(keys, places)
    else:
        gathered: dict[tuple[str | None, str | None], list[int]] = {}
        for place in places.tolist():
            gathered.setdefault((stated[place], log_groups[place]), []).append(place)
        numbers = {key: np.array(some) for key, some in gathered.items()}
    groups: dict[tuple[Layout, ...], list[npt.NDArray[np.int64]]] = {}
    for (text, _), some in numbers.items():
        try:
            possible = possible_layouts(unpacked, layouts, int(some[0]))
        except FormatError:
            reason = "ambiguous_layout" if text == AMBIGUOUS else "bad_envelope"
            found.bad.update(dict.fromkeys(some.tolist(), reason))
        else:
            groups.setdefault(possible, []).append(some)
    return [_Group(np.sort(np.concatenate(some)), possible) for possible, some in groups.items()]


def _read_group(unpacked: Unpacked, group: _Group, source: str, found: _Findings) -> None:
    block = _block(unpacked, group.places, source)
    try:
        parsed = parse(block, possible=group.possible)
    except BadHeader:
        parsed = None
    if parsed is None or parsed.headers:
        _read_with_headers(unpacked, group, source, found)
        return
    found.batches.extend(parsed.batches)
    found.bad.update((reject.line - 1, reject.reason) for reject in parsed.rejects)


def _read_with_headers(unpacked: Unpacked, group: _Group, source: str, found: _Findings) -> None:
    """Read what has header lines in it: they tell the layout of what follows in their record, and of nothing else."""
    stated: dict[Layout, list[int]] = {}
    rest: list[int] = []
    record, layout, spoilt = -1, None, False
    for place in group.places.tolist():
        if unpacked.records[place] != record:
            record, layout, spoilt = unpacked.records[place], None, False
        try:
            header = header_layout(plain(unpacked.lines[place]))
        except FormatError:
            header, spoilt = None, True
        if header is not None:
            layout, spoilt = header, False
            found.headers.add(place)
            unpacked.layouts[place] = str(header)
        elif spoilt:
            # Of what follows a header that names a field twice the layout cannot be told.
            found.bad[place] = "ambiguous_layout"
        elif layout is None:
            rest.append(place)
        else:
            unpacked.layouts[place] = str(layout)
            stated.setdefault(layout, []).append(place)
    groups = [_Group(np.array(some), (of_them,)) for of_them, some in stated.items()]
    if rest:
        groups.append(_Group(np.array(rest), group.possible))
    for one in groups:
        parsed = parse(_block(unpacked, one.places, source), possible=one.possible)
        found.batches.extend(parsed.batches)
        found.bad.update((reject.line - 1, reject.reason) for reject in parsed.rejects)


def _block(unpacked: Unpacked, places: npt.NDArray[np.int64], source: str) -> Lines:
    if len(places) == len(unpacked.lines):
        lines, ids = unpacked.lines, unpacked.event_ids
    else:
        at = places.tolist()
        lines, ids = [unpacked.lines[i] for i in at], [unpacked.event_ids[i] for i in at]
    data = b"\n".join(lines) + b"\n" if lines else b""
    return Lines(data, source, places + 1, ids if any(ids) else None)


def _cuts(unpacked: Unpacked, layouts: Layouts, joined: Sequence[int]) -> dict[int, list[bytes]]:
    cuts = {}
    for place in joined:
        try:
            possible = possible_layouts(unpacked, layouts, place) or (DEFAULT, TGW_DEFAULT)
        except FormatError:
            continue
        pieces = cut(unpacked.lines[place], possible)
        if len(pieces) > 1:
            cuts[place] = pieces
    return cuts


def _replace(unpacked: Unpacked, cuts: Mapping[int, list[bytes]]) -> None:
    """Put the pieces in the place of the lines they were cut from; they are not cut again."""
    lines, records, attempts = unpacked.lines, unpacked.records, unpacked.attempts
    ids, layouts, groups, bare = (
        unpacked.event_ids,
        unpacked.layouts,
        unpacked.log_groups,
        unpacked.bare,
    )
    places = range(len(lines))
    unpacked.lines, unpacked.records, unpacked.attempts = [], [], []
    unpacked.event_ids, unpacked.layouts, unpacked.log_groups, unpacked.bare = [], [], [], []
    for place in places:
        for piece in cuts.get(place, [lines[place]]):
            unpacked.add_line(
                records[place],
                piece,
                event_id=ids[place],
                layout=layouts[place],
                log_group=groups[place],
                attempt=attempts[place],
                bare=bare[place] and place not in cuts,
            )


@functools.lru_cache(maxsize=256)
def _layout_of(text: str) -> Layout:
    if len(text) > _MAX_LAYOUT_CHARS:
        raise FormatError("a layout that long names no fields")
    return parse_log_format(text)
