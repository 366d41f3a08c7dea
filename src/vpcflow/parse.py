"""
Parse lines into flows: columnar over a whole block, line by line only for those that fail it.

``careful.check_line`` defines what a flow record is; everything here is a faster way to the same answer. A block goes
through the CSV reader in one piece; where that refuses, lines that plainly fit are told apart by a regular expression,
the others are checked one by one, and what is left is read again (``linewise``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vpcflow import careful, columns, linewise
from vpcflow.layout import DEFAULT, Layout
from vpcflow.plain import has_lone_return, has_long_line, may_have_hexadecimal, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from vpcflow.lines import Lines
    from vpcflow.rejects import Reject


class Parsed(NamedTuple):
    """
    What a block held: the rows of the batches and the rejects together are the records found.

    A batch holds records of one layout or of several, with a column for each of their names; batches are in the order
    of the lines, and so are their rows. Where only some of the layouts hold all that identifies a record,
    ``linewise.BY_PLACE`` marks the rows of the others. ``layout`` is that of the last header line, or None before any;
    ``stated`` are the layouts of the block's own header lines, each once.
    """

    batches: tuple[pa.RecordBatch, ...]
    rejects: tuple[Reject, ...]
    headers: int
    blanks: int
    layout: Layout | None
    stated: tuple[Layout, ...] = ()


def parse(block: Lines, *, layout: Layout | None = None, possible: Sequence[Layout] = ()) -> Parsed:
    """
    Parse a block of lines; the only error, on any bytes, is ``BadHeader`` for a header that names a field twice.

    ``layout`` is that of the last header line, and wins. Before any header a line has one of the ``possible`` layouts
    (``--log-format``, the account's flow logs), or where none is given AWS's default: version 2's, or the Transit
    Gateway's where the second token is ``TransitGateway``.
    """
    whole = not has_long_line(block.data)
    fast = _parse_whole(block.data, block, layout, possible) if whole else None
    if fast is not None:
        return fast
    text = plain(block.data)
    if whole and text != block.data:
        fast = _parse_whole(text, block, layout, possible)
    return fast or Parsed(*linewise.parse_lines(text, block, layout, possible))


def _parse_whole(
    text: bytes, block: Lines, layout: Layout | None, possible: Sequence[Layout]
) -> Parsed | None:
    """Read the block in one piece where it has one layout, perhaps stated in its first line; None where it has not."""
    stated = linewise.header_at(0, text[: text.find(b"\n") + 1])
    headers = int(stated is not None)
    if stated is not None:
        layout, text = stated, text[text.find(b"\n") + 1 :]
    only = layout or _only(possible, text)
    if only is None or careful.all_text(only) or _has_traps(text):
        return None
    table = columns.read_csv(text, only)
    rows = len(block.numbers) - headers
    if table is None or table.num_rows != rows or columns.has_negative(table):
        return None
    table = columns.encode_texts(table)
    if columns.has_loose_text(table) or columns.has_stamp(table):
        return None
    if layout is None and not possible and _mixes_defaults(table):
        return None
    batch, rejects, _ = columns.finish(table, only, block, np.arange(headers, headers + rows))
    batches = (batch,) if batch.num_rows else ()
    return Parsed(batches, tuple(rejects), headers, 0, layout, (stated,) if stated else ())


def _has_traps(text: bytes) -> bool:
    """Tell whether the CSV reader might take lines or numbers for something else than they are."""
    return may_have_hexadecimal(text) or has_lone_return(text)


def _only(possible: Sequence[Layout], text: bytes) -> Layout | None:
    if not possible:
        return linewise.default_layout(text[: text.find(b"\n")])
    return possible[0] if len(set(possible)) == 1 else None


def _mixes_defaults(table: pa.Table) -> bool:
    """Tell whether some lines are not of the default layout all were read by: the second token is what counts."""
    second = table.column(1).combine_chunks()
    texts: list[str] = second.dictionary.to_pylist()
    if table.num_columns == len(DEFAULT.names):
        return linewise.TRANSIT_GATEWAY in texts
    return texts != [linewise.TRANSIT_GATEWAY] or bool(second.null_count)
