"""A replay in few rows: its entries by group, peer and port."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from vpcflow.rules.replay import Replay

SUMMARY = pa.schema(
    [
        ("outcome", pa.string()),
        ("groups", pa.string()),
        ("direction", pa.string()),
        ("peer", pa.string()),
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

``groups`` are those whose rules admit them, before or after the change. ``peer`` are the peer's groups where it is an
interface that group references reach, else its address. ``port`` is the responder's. ``connections`` counts each once
for every interface that saw it.
"""

_KEYS = SUMMARY.names[1:6]


def summarize(replay: Replay) -> pa.Table:
    """Give the refused, then the admitted, the most connections first."""
    both = [("refused", replay.refused), ("admitted", replay.admitted)]
    return pa.concat_tables([_summary(outcome, entries) for outcome, entries in both])


def _summary(outcome: str, entries: pa.Table) -> pa.Table:
    facts = pa.table(
        {
            "groups": pc.binary_join(entries.column("rule_group_ids"), ", "),
            "direction": entries.column("direction").cast(pa.string()),
            "peer": _peers(entries),
            "protocol": entries.column("protocol"),
            "port": entries.column("responder_port"),
            "packets": entries.column("packets"),
            "bytes": entries.column("bytes"),
            "first": entries.column("first"),
            "last": entries.column("last"),
        }
    )
    found = facts.group_by(_KEYS).aggregate(
        [([], "count_all"), ("packets", "sum"), ("bytes", "sum"), ("first", "min"), ("last", "max")]
    )
    aggregated = ("count_all", "packets_sum", "bytes_sum", "first_min", "last_max")
    columns = [found.column(name) for name in (*_KEYS, *aggregated)]
    outcomes = pa.array([outcome] * found.num_rows, pa.string())
    table = pa.Table.from_arrays([outcomes, *columns], SUMMARY.names).cast(SUMMARY)
    order = [("connections", "descending"), *((key, "ascending") for key in _KEYS)]
    return table.sort_by(order)


def _peers(entries: pa.Table) -> pa.ChunkedArray:
    groups = pc.binary_join(entries.column("peer_group_ids"), ", ")
    ends = (entries.column(f"{end}_addr").cast(pa.string()) for end in ("responder", "initiator"))
    address = pc.if_else(pc.equal(entries.column("direction"), "egress"), *ends)
    return pc.if_else(pc.not_equal(groups, "").fill_null(False), groups, address)
