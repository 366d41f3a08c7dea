"""A replay in few rows: its entries by group, peer and port."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from vpcflow.rules.replay import Replay

_TEXTS = pa.list_(pa.string())

SUMMARY = pa.schema(
    [
        ("outcome", pa.string()),
        ("group_ids", _TEXTS),
        ("direction", pa.string()),
        ("peer_group_ids", _TEXTS),
        ("peer_addr", pa.string()),
        ("protocol", pa.int32()),
        ("port", pa.int32()),
        ("connections", pa.int64()),
        ("packets", pa.int64()),
        ("bytes", pa.int64()),
        ("first", pa.int64()),
        ("last", pa.int64()),
    ]
)
"""
Connections of one outcome (``refused`` or ``admitted``) that have groups, direction, peer, protocol and port in common.

``group_ids`` are the groups whose rules admit them, before or after the change. The peer is told by its groups where it
is an interface that group references reach, else by its address. ``port`` is the responder's. ``connections`` counts
each once for every interface that saw it.
"""

_KEYS = SUMMARY.names[1:7]


def summarize(replay: Replay) -> pa.Table:
    """Give the refused, then the admitted, the most connections first."""
    both = [("refused", replay.refused), ("admitted", replay.admitted)]
    return pa.concat_tables([_summary(outcome, entries) for outcome, entries in both])


def _summary(outcome: str, entries: pa.Table) -> pa.Table:
    peer_groups = pc.binary_join(entries.column("peer_group_ids"), ",")
    is_in_groups = pc.not_equal(peer_groups, "").fill_null(False)
    none = pa.scalar(None, pa.string())
    facts = pa.table(
        {
            "group_ids": pc.binary_join(entries.column("rule_group_ids"), ","),
            "direction": entries.column("direction").cast(pa.string()),
            "peer_group_ids": pc.if_else(is_in_groups, peer_groups, none),
            "peer_addr": pc.if_else(is_in_groups, none, _peer_addresses(entries)),
            "protocol": entries.column("protocol"),
            "port": entries.column("responder_port"),
            "packets": entries.column("packets"),
            "bytes": entries.column("bytes"),
            "first": entries.column("first"),
            "last": entries.column("last"),
        }
    )
    sums = [("packets", "sum"), ("bytes", "sum"), ("first", "min"), ("last", "max")]
    found = facts.group_by(_KEYS).aggregate([([], "count_all"), *sums])
    order = [("count_all", "descending"), *((key, "ascending") for key in _KEYS)]
    found = found.sort_by(order)
    aggregated = ("count_all", *("_".join(one) for one in sums))
    columns = [found.column(name) for name in (*_KEYS, *aggregated)]
    columns = [
        pc.split_pattern(column, ",") if field.type == _TEXTS else column
        for field, column in zip(list(SUMMARY)[1:], columns)
    ]
    outcomes = pa.array([outcome] * found.num_rows, pa.string())
    return pa.Table.from_arrays([outcomes, *columns], SUMMARY.names).cast(SUMMARY)


def _peer_addresses(entries: pa.Table) -> pa.ChunkedArray:
    ends = (entries.column(f"{end}_addr").cast(pa.string()) for end in ("responder", "initiator"))
    return pc.if_else(pc.equal(entries.column("direction"), "egress"), *ends)
