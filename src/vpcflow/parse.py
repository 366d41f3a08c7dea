"""
Parse lines into flows: columnar over a whole block, line by line only for those that fail it.

``careful.check_line`` defines what a flow record is; everything here is a faster way to the same answer. A block is
read as columns in one piece, and the few lines that do not fit are looked at on their own (``linewise``). Where that is
no use (headers within the block, several layouts), lines that plainly fit are told apart by a regular expression, the
others are checked one by one, and what is left is read again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vpcflow import careful, columns, linewise
from vpcflow.layout import DEFAULT, Layout
from vpcflow.plain import has_long_line, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
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
    if fast is not None:
        return fast
    read = linewise.parse_lines(text, block, layout, possible)
    return Parsed(read.batches, read.rejects, read.headers, read.blanks, read.layout, read.stated)


def _parse_whole(
    text: bytes, block: Lines, layout: Layout | None, possible: Sequence[Layout]
) -> Parsed | None:
    """Read the block in one piece where it has one layout, perhaps stated in its first line; None where it has not."""
    stated = linewise.header_at(0, text[: text.find(b"\n") + 1])
    headers = int(stated is not None)
    if stated is not None:
        layout, text = stated, text[text.find(b"\n") + 1 :]
    only = layout or _only(possible, text)
    if only is None or careful.all_text(only):
        return None
    read = columns.read_lines(text, only, len(block.numbers) - headers)
    if read is None or columns.has_stamp(read.batch):
        return None
    if layout is None and not possible and _mixes_defaults(read.batch):
        return None
    at = np.delete(np.arange(headers, len(block.numbers)), read.misfits)
    batch, rejects, good = columns.finish(read.batch, only, block, at)
    batches = (batch,) if batch.num_rows else ()
    whole = Parsed(batches, tuple(rejects), headers, 0, layout, (stated,) if stated else ())
    if not len(read.misfits):
        return whole
    return _with_misfits(
        whole, at[good], block, read.misfits.astype(np.int64) + headers, layout, possible
    )


def _with_misfits(
    read: Parsed,
    at: npt.NDArray[np.int64],
    block: Lines,
    misfits: npt.NDArray[np.int64],
    layout: Layout | None,
    possible: Sequence[Layout],
) -> Parsed | None:
    """Add what the lines at the places ``misfits`` are; None where one is a header, or of a layout of its own."""
    few = block.only(misfits)
    try:
        rest = linewise.parse_lines(plain(few.data), few, layout, possible)
    except linewise.BadHeader:
        return None
    batches = read.batches + rest.batches
    if rest.headers or len({batch.schema for batch in batches}) > 1:
        return None
    if rest.batches:
        places = [at, *(misfits[few_at] for few_at in rest.at)]
        batches = (columns.merge(batches, places[-len(batches) :]),)
    rejects = tuple(sorted((*read.rejects, *rest.rejects), key=lambda r: r.line))
    return read._replace(batches=batches, rejects=rejects, blanks=rest.blanks)


def _only(possible: Sequence[Layout], text: bytes) -> Layout | None:
    if not possible:
        return linewise.default_layout(text[: text.find(b"\n")])
    return possible[0] if len(set(possible)) == 1 else None


def _mixes_defaults(batch: pa.RecordBatch) -> bool:
    """Tell whether some lines are not of the default layout all were read by: the second token is what counts."""
    second = batch.column(1)
    texts: list[str] = second.dictionary.to_pylist()
    if batch.num_columns == len(DEFAULT.names):
        return linewise.TRANSIT_GATEWAY in texts
    return texts != [linewise.TRANSIT_GATEWAY] or bool(second.null_count)
