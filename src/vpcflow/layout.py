"""
Layouts: which fields a line holds, in which order.

A layout is never guessed from the number of columns or from the ``version`` value, which is only the highest version
among the chosen fields: https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

import pyarrow as pa

from vpcflow.errors import FormatError
from vpcflow.fields import DEFAULT_LAYOUT, FIELD_BY_NAME, TGW_DEFAULT_LAYOUT, Kind

_NAME = re.compile(r"[a-z][a-z0-9-]*\Z")


class Layout(NamedTuple):
    """The names of a line's fields in order, in AWS's spelling; unknown names are kept as given, in lower case."""

    names: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The column names: with underscores."""
        return tuple(name.replace("-", "_") for name in self.names)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """How each value is checked; unknown fields are text."""
        return tuple(FIELD_BY_NAME[n].kind if n in FIELD_BY_NAME else "text" for n in self.names)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The names that are not in the table of fields."""
        return tuple(name for name in self.names if name not in FIELD_BY_NAME)

    def __str__(self) -> str:
        return " ".join(f"${{{name}}}" for name in self.names)


DEFAULT = Layout(DEFAULT_LAYOUT)
TGW_DEFAULT = Layout(TGW_DEFAULT_LAYOUT)


def parse_log_format(text: str) -> Layout:
    """
    Read a layout as AWS spells it (``${version} ${account-id}``), or as names divided by white space or commas.

    Raises ``FormatError`` when there is no name, a name is no name, or a name stands there twice.

    >>> parse_log_format("${version} ${srcaddr}").columns
    ('version', 'srcaddr')
    """
    names = tuple(_normal(token) for token in re.split(r"[\s,]+", text.strip()) if token)
    wrong = [name for name in names if not _NAME.match(name)]
    if not names or wrong:
        raise FormatError(
            f"log format {text!r} does not name fields"
            + (f": {wrong[0]!r} is no field name" if wrong else "")
            + " (known: run `vpcflow fields`)"
        )
    _refuse_duplicates(names)
    return Layout(names)


def header_layout(line: bytes) -> Layout | None:
    """
    Give the layout a header line states, or None where the line is no header.

    A header is a line whose every token is spelt like a field name and of which at least half are names of known
    fields; upper case, underscores and ``${…}`` do not matter. Raises ``FormatError`` naming duplicates.
    """
    try:
        tokens = line.decode("ascii").split()
    except UnicodeDecodeError:
        return None
    names = tuple(_normal(token) for token in tokens)
    known = sum(name in FIELD_BY_NAME for name in names)
    if not known or known * 2 < len(names) or not all(map(_NAME.match, names)):
        return None
    _refuse_duplicates(names)
    return Layout(names)


def schema_of(layout: Layout) -> pa.Schema:
    """Give the schema of a batch of this layout: texts are dictionaries, numbers of their Parquet type."""
    return pa.schema(
        [pa.field(c, batch_type(k)) for c, k in zip(layout.columns, layout.kinds, strict=True)]
    )


def batch_type(kind: Kind) -> pa.DataType:
    """Give the type of a column in a batch."""
    if kind == "int32":
        return pa.int32()
    if kind in ("int64", "time"):
        return pa.int64()
    return pa.dictionary(pa.int32(), pa.string())


def _normal(token: str) -> str:
    if token.startswith("${") and token.endswith("}"):
        token = token[2:-1]
    return token.lower().replace("_", "-")


def _refuse_duplicates(names: tuple[str, ...]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise FormatError(f"log format names a field more than once: {', '.join(twice)}")
