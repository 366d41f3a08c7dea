"""Tables of facts, and the words in them, that the views of an inventory share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from vpcflow.codes import PROTOCOLS
from vpcflow.inventory import text_of_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from vpcflow.inventory import Validity


def facts(title: str, rows: Mapping[str, str | None]) -> Table:
    """Make a table with a row for each fact that is there."""
    table = empty_facts(title)
    for name, value in rows.items():
        if value:
            table.add_row(name, Text(value))
    return table


def empty_facts(title: str) -> Table:
    """Make the table that `facts` fills."""
    table = Table(title=title, title_justify="left", show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    return table


def seen(version: Validity[Any]) -> str:
    """Say from when to when a version was seen."""
    start, end = text_of_time(version.valid_from), text_of_time(version.valid_to)
    return start if start == end else f"{start} to {end}"


def tags_text(tags: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{key}={value}" for key, value in tags)


def protocol_text(protocol: int) -> str:
    """Name an IANA number; -1 is all."""
    return "all" if protocol == -1 else PROTOCOLS.get(protocol, str(protocol))


def ports_text(first: int | None, last: int | None) -> str:
    """Write a range of ports; null is all."""
    if first is None:
        return "all"
    return str(first) if last in {None, first} else f"{first}-{last}"


def icmp_text(icmp_type: int, icmp_code: int | None) -> str:
    return f"type {icmp_type}" + ("" if icmp_code is None else f" code {icmp_code}")
