"""Compose: sources to flows, flows to enriched flows, enriched flows to a sink, with the books kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from vpcflow.enrich import enrich
from vpcflow.errors import FormatError
from vpcflow.fields import ADDED_BY_COLUMN, FIELD_BY_COLUMN
from vpcflow.layout import parse_log_format
from vpcflow.lines import Lines
from vpcflow.linewise import BY_PLACE, BadHeader
from vpcflow.parse import Parsed, parse
from vpcflow.sources import Block, Documents, Fault, Rows
from vpcflow.tables import parse_documents, parse_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    import pyarrow as pa

    from vpcflow.enrich import Reference
    from vpcflow.inventory import FlowLog
    from vpcflow.layout import Layout
    from vpcflow.rejects import Reject
    from vpcflow.sinks import Settled
    from vpcflow.stats import Books
    from vpcflow.time_range import TimeRange

    Warn = Callable[[str], None]


class Sink(Protocol):
    """What takes flows: ``write`` gives the number of rows it has taken."""

    def write(self, batch: pa.RecordBatch, /) -> int: ...


@runtime_checkable
class SettlingSink(Protocol):
    """A sink that may learn only later what became of the flows it took; when it is closed it knows of all."""

    def settled(self) -> Settled:
        """Tell what has become known since this was asked last; all other flows taken are delivered."""
        ...


class Layouts:
    """
    The layouts lines may have before any header: those of ``--log-format``, else the account's flow logs'.

    ``of_group`` maps a CloudWatch log group to the layouts of the flow logs that write to it; lines of a group
    that is not in it may have any of ``others``.
    """

    def __init__(
        self,
        stated: Sequence[Layout] = (),
        *,
        of_group: dict[str, tuple[Layout, ...]] | None = None,
        others: Sequence[Layout] = (),
    ) -> None:
        self.stated = tuple(stated)
        self._of_group = of_group or {}
        self._others = tuple(others)

    def possible(self, log_group: str | None) -> tuple[Layout, ...]:
        """Give the possible layouts of lines of a log group, or of lines that are of none; empty: AWS's defaults."""
        return self.stated or self._of_group.get(log_group or "", self._others)


def layouts_of(
    stated: Sequence[Layout],
    flow_logs: Iterable[FlowLog],
    warn: Warn,
    *,
    others: Iterable[FlowLog] | None = None,
) -> Layouts:
    """
    Give the layouts stated, else those of an account's flow logs by log group; a format that makes no sense is said.

    Lines of no group known may have any of ``others``, by default of all.
    """
    of_group: dict[str, dict[Layout, None]] = {}
    layout_of: dict[FlowLog, Layout] = {}
    for flow_log in flow_logs:
        try:
            layout = parse_log_format(flow_log.log_format) if flow_log.log_format else None
        except FormatError as error:
            warn(f"the inventory's flow log {flow_log.flow_log_id}: {error}")
            continue
        if layout is not None:
            layout_of[flow_log] = layout
            of_group.setdefault(flow_log.log_group_name or "", {})[layout] = None
    of_group.pop("", None)
    wanted = layout_of if others is None else others
    return Layouts(
        stated,
        of_group={group: tuple(layouts) for group, layouts in of_group.items()},
        others=tuple(dict.fromkeys(layout_of[one] for one in wanted if one in layout_of)),
    )


def read_flows(
    blocks: Iterable[Block],
    books: Books,
    *,
    layouts: Layouts | None = None,
    on_rejects: Callable[[Sequence[Reject]], None] = lambda _: None,
    warn: Warn = lambda _: None,
) -> Iterator[pa.RecordBatch]:
    """
    Parse the blocks of one input to batches of flows; all else that is in them goes to the books.

    A header line that makes no sense, and a table that is no flow log, end the input with a fault.
    """
    layouts = layouts or Layouts()
    in_force: Layout | None = None
    fault: Fault | None = None
    for block in blocks:
        if isinstance(block, Fault):
            books.count_fault(block)
            continue
        try:
            if isinstance(block, Rows):
                rows = parse_rows(block.batch, block.source, block.first)
                batches, rejects, unknown = (rows.batch,), rows.rejects, rows.unknown
            elif isinstance(block, Documents):
                found = block.found
                rows = parse_documents(found.rows, block.source, found.numbers)
                batches, unknown = (rows.batch,), rows.unknown
                rejects = tuple(sorted((*found.rejects, *rows.rejects), key=lambda r: r.line))
                books.headers += found.headers
                books.blanks += found.blanks
            else:
                possible = layouts.possible(block.log_group)
                parsed, fault = _parse(block, in_force, possible)
                _count_marks(books, block, parsed.headers, parsed.blanks)
                _warn_of_other_header(layouts, parsed.stated, warn)
                in_force = parsed.layout
                batches = parsed.batches
                rejects = tuple(sorted((*block.rejects, *parsed.rejects), key=lambda r: r.line))
                unknown = _unknown(batches)
        except FormatError as error:
            books.count_fault(Fault(block.source, str(error), 0))
            return
        for name in unknown:
            warn(unknown_field(name))
        books.count_rejects(rejects)
        if rejects:
            on_rejects(rejects)
        for batch in batches:
            books.count_flows(batch)
            if batch.num_rows:
                yield batch
        if fault is not None:
            books.count_fault(fault)
            return


def within(
    flows: Iterable[pa.RecordBatch], times: TimeRange, books: Books
) -> Iterator[pa.RecordBatch]:
    """Leave out the flows outside a time range, and count them as filtered; ``TimeRange.of`` says which they are."""
    for batch in flows:
        kept = times.of(batch)
        books.filtered += batch.num_rows - kept.num_rows
        if kept.num_rows:
            yield kept


def deliver(
    flows: Iterable[pa.RecordBatch],
    sink: Sink,
    books: Books,
    *,
    reference: Reference | None = None,
    columns: Collection[str] | None = None,
    on_rejects: Callable[[Sequence[Reject]], None] = lambda _: None,
) -> None:
    """
    Enrich the flows where there is a reference, write them, and count what the sink has taken as delivered.

    Of a sink that settles later it counts so until the sink tells more: once that is closed, call ``settle``.
    """
    for batch in flows:
        done = batch if reference is None else enrich(batch, reference, columns=columns)
        if BY_PLACE in done.schema.names:
            done = done.drop_columns(BY_PLACE)
        # Until it is known better, which an exception might prevent.
        books.failed += done.num_rows
        taken = sink.write(done)
        books.delivered += taken
        books.failed -= taken
        settle(sink, books, on_rejects)


def settle(
    sink: Sink, books: Books, on_rejects: Callable[[Sequence[Reject]], None] = lambda _: None
) -> None:
    """Count what a sink has learnt of flows that were counted as delivered, if it is one that learns it later."""
    if not isinstance(sink, SettlingSink):
        return
    settled = sink.settled()
    books.settle(settled)
    if settled.rejects:
        on_rejects(settled.rejects)


def _parse(
    block: Lines, layout: Layout | None, possible: Sequence[Layout]
) -> tuple[Parsed, Fault | None]:
    """Parse a block up to a header that names a field twice: what follows it cannot be told."""
    try:
        return parse(block, layout=layout, possible=possible), None
    except BadHeader as error:
        line = int(block.numbers[error.place])
        fault = Fault(block.source, f"line {line}: {error}", 0)
        return parse(block.before(error.place), layout=layout, possible=possible), fault


def _count_marks(books: Books, block: Lines, headers: int, blanks: int) -> None:
    books.headers += headers + block.headers
    books.blanks += blanks
    books.controls += block.controls


def _unknown(batches: Sequence[pa.RecordBatch]) -> tuple[str, ...]:
    names = dict.fromkeys(name for batch in batches for name in batch.schema.names)
    known = {*FIELD_BY_COLUMN, *ADDED_BY_COLUMN, BY_PLACE}
    return tuple(name for name in names if name not in known)


def _warn_of_other_header(layouts: Layouts, headers: Sequence[Layout], warn: Warn) -> None:
    if layouts.stated and not set(headers) <= set(layouts.stated):
        warn("a header line differs from --log-format; the header is followed")


def unknown_field(column: str) -> str:
    """Say that a field is not in the table of fields."""
    return f"unknown field {column!r} is kept as a text column (known: run `vpcflow fields`)"
