"""
What a dashboard is made of: rows of panels, said in columns.

Where a column lies in a document is its schema's business; how a panel is written down is a product's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

TIME = "@time"
"""Stands for the time of a document, whatever its schema calls it."""


class Is(NamedTuple):
    """The column has one of these values, as flows hold them."""

    column: str
    values: tuple[str, ...]


class Known(NamedTuple):
    """The column has a value."""

    column: str


class Not(NamedTuple):
    """The opposite."""

    of: Is | Known


Condition = Is | Known | Not


class Metric(NamedTuple):
    """What is measured of the records of a bucket; ``column`` is None for their count."""

    kind: Literal["count", "sum", "avg", "min", "max", "cardinality"]
    column: str | None
    label: str


class Terms(NamedTuple):
    """
    A bucket for each of the ``size`` values with most of the panel's first metric.

    ``missing`` is a bucket of its own for records without a value, which are left out otherwise; ``other`` one for
    the values that are not among them.
    """

    column: str
    label: str
    size: int = 10
    missing: bool = False
    other: bool = False


class OverTime(NamedTuple):
    """A bucket for each piece of the time shown, as long as the product finds fit."""


class Causes(NamedTuple):
    """A bucket for each label, of the records its conditions hold for."""

    filters: tuple[tuple[str, tuple[Condition, ...]], ...]


class Grid(NamedTuple):
    """A bucket for each square of the map that has records; the column is a latitude, its longitude goes along."""

    latitude: str


Bucket = Terms | OverTime | Causes | Grid

Form = Literal[
    "table", "pie", "line", "area", "histogram", "metric", "heatmap", "tagcloud", "region_map", "tile_map"
]  # fmt: skip
"""As both products call them; in a heat map the first bucket goes across and the second down."""


class Panel(NamedTuple):
    """A visualization: metrics of the records ``where`` all conditions hold, in buckets within buckets."""

    title: str
    form: Form
    metrics: tuple[Metric, ...]
    buckets: tuple[Bucket, ...] = ()
    where: tuple[Condition, ...] = ()
    width: int = 1

    def columns(self) -> Iterator[str]:
        """Yield what has to be in a document and countable there, ``TIME`` aside."""
        yield from (m.column for m in self.metrics if m.column not in (None, TIME))
        yield from (column for bucket in self.buckets for column in _bucket_columns(bucket))
        yield from (_condition_column(condition) for condition in self.where)


class Controls(NamedTuple):
    """Lists to choose values from, which then filter the whole dashboard; where a product has such."""

    columns: tuple[tuple[str, str], ...]
    width: int = 1


class Records(NamedTuple):
    """The records themselves, newest first: those of these columns that the schema has."""

    title: str
    names: tuple[str, ...]
    where: tuple[Condition, ...] = ()
    width: int = 1


class Row(NamedTuple):
    """Panels beside each other, ``height`` units high; they share the row's breadth by their widths."""

    height: int
    panels: tuple[Panel | Controls | Records, ...]


class Dashboard(NamedTuple):
    """
    A page: its question and what to look for, in Markdown, stand at the head, with links to the other pages.

    A schema that lacks one of the columns it ``needs`` has no such page; one that lacks a column of a panel, no such
    panel.
    """

    slug: str
    title: str
    text: str
    needs: tuple[str, ...]
    rows: tuple[Row, ...]


def _bucket_columns(bucket: Bucket) -> Iterator[str]:
    if isinstance(bucket, Terms):
        yield bucket.column
    elif isinstance(bucket, Causes):
        for _, conditions in bucket.filters:
            yield from (_condition_column(condition) for condition in conditions)
    elif isinstance(bucket, Grid):
        yield bucket.latitude


def _condition_column(condition: Condition) -> str:
    return condition.of.column if isinstance(condition, Not) else condition.column
