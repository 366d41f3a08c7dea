"""What enriched flows tell at a glance: who talks to whom, what is turned away, where visitors are."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Counted = tuple[tuple[str, ...], int, int]

_COLUMNS = [
    "action",
    "direction",
    "bytes",
    "local_port",
    "protocol_name",
    "peer_scope",
    "security_group_ids",
    "security_group_names",
    "peer_security_group_ids",
    "src_geo_country_name",
    "source_object",
    "source_line",
]
_TOP = 5


class Row(NamedTuple):
    """One line of a table: what, how many records, how many bytes."""

    what: str
    records: int
    bytes: int


class Highlights(NamedTuple):
    """
    Counts of an enriched dataset, its top rows, most records first, and where a telling record was read.

    The example is a file and a line in it.
    """

    records: int
    accepted: int
    rejected: int
    pairs: list[Row]
    rejected_ports: list[Row]
    countries: list[Row]
    example: tuple[str, int]


def highlights(dataset: Path) -> Highlights:
    """
    Count what is in a dataset of enriched flows.

    Pairs count what came in at a network interface from another of the inventory, so that each packet counts once;
    countries are those of internet addresses that sent it something.
    """
    # A fifth of a second to import, and only the demo reads a dataset.
    import pyarrow.dataset as ds

    table = ds.dataset(dataset, format="parquet", partitioning="hive").to_table(columns=_COLUMNS)
    ingress = table.filter(pc.equal(table["direction"], "ingress"))
    visitors = ingress.filter(pc.equal(ingress["peer_scope"], "internet"))
    refused = ingress.filter(pc.equal(ingress["action"], "REJECT"))
    actions = Counter(table["action"].to_pylist())
    return Highlights(
        table.num_rows,
        actions["ACCEPT"],
        actions["REJECT"],
        _pairs(ingress.filter(pc.equal(ingress["action"], "ACCEPT"))),
        _top(_counted(refused, ["local_port", "protocol_name"]), _port),
        _top(_counted(visitors, ["src_geo_country_name"]), lambda key: key[0]),
        _example([refused.filter(pc.equal(refused["peer_scope"], "internet")), ingress, table]),
    )


def _example(tables: list[pa.Table]) -> tuple[str, int]:
    """Choose the first record of the first table that has one."""
    for table in tables:
        if table.num_rows:
            places = table.select(["source_object", "source_line"])
            first = places.sort_by([("source_object", "ascending"), ("source_line", "ascending")])
            return first["source_object"][0].as_py(), first["source_line"][0].as_py()
    return "", 0


def _counted(table: pa.Table, keys: list[str]) -> list[Counted]:
    sums = table.group_by(keys).aggregate([("bytes", "count"), ("bytes", "sum")]).to_pylist()
    return [
        (tuple(row[key] for key in keys), row["bytes_count"], row["bytes_sum"] or 0)
        for row in sums
        if all(row[key] is not None for key in keys)
    ]


def _top(counted: list[Counted], name: Callable[[tuple[str, ...]], str]) -> list[Row]:
    rows = [Row(name(key), records, size) for key, records, size in counted]
    return sorted(rows, key=lambda row: (-row.records, row.what))[:_TOP]


def _port(key: tuple[str, ...]) -> str:
    port, protocol = key
    return f"{protocol}/{port}" if port else protocol


def _pairs(table: pa.Table) -> list[Row]:
    """Count pairs of groups, both ways together; where an interface has several groups, they are named together."""
    names = _group_names(table)
    joined = pa.table(
        {
            "one": _joined(table["peer_security_group_ids"]),
            "other": _joined(table["security_group_ids"]),
            "bytes": table["bytes"],
        }
    )
    both: dict[tuple[str, ...], list[int]] = {}
    for key, records, size in _counted(joined, ["one", "other"]):
        sums = both.setdefault(tuple(sorted(key)), [0, 0])
        sums[0] += records
        sums[1] += size

    def named(ids: str) -> str:
        return "+".join(names.get(ident, ident) for ident in ids.split())

    return _top(
        [(key, records, size) for key, (records, size) in both.items()],
        lambda key: f"{named(key[0])} ↔ {named(key[1])}",
    )


def _joined(lists: pa.ChunkedArray) -> pa.Array:
    array = lists.combine_chunks().cast(pa.list_(pa.string()))
    return pc.binary_join(array, " ")


def _group_names(table: pa.Table) -> dict[str, str]:
    ids = pc.list_flatten(table["security_group_ids"]).to_pylist()
    labels = pc.list_flatten(table["security_group_names"]).to_pylist()
    return {i: n for i, n in zip(ids, labels, strict=True) if n}
