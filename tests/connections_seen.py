"""Tables of connections for tests, judged by a rule book as `rules.connections` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from vpcflow.rules.connections import CONNECTIONS
from vpcflow.rules.openings import opening_packets

if TYPE_CHECKING:
    from vpcflow.admission import RuleBook
    from vpcflow.inventory import Inventory


class Seen(NamedTuple):
    """A connection as an interface saw it; direction None where nobody knows who opened it."""

    interface_id: str
    local_addr: str
    peer_addr: str
    local_port: int = 0
    peer_port: int = 0
    direction: str | None = "ingress"
    protocol: int = 6
    first: int = 1000
    packets: int = 10
    rejected_by: str | None = None


def connections_seen(inventory: Inventory, book: RuleBook, *seen: Seen) -> pa.RecordBatch:
    """Make a batch of ``CONNECTIONS``: accepted unless no rule admits it, or something rejected it."""
    bare = [_row(inventory, book, number, one) for number, one in enumerate(seen)]
    batch = pa.RecordBatch.from_pylist(bare, CONNECTIONS)
    is_egress = np.array([one.direction == "egress" for one in seen], np.bool_)
    admitted = book.admit(opening_packets(batch, is_egress))
    for place, (row, one) in enumerate(zip(bare, seen)):
        found = admitted.rules[admitted.offsets[place] : admitted.offsets[place + 1]].tolist()
        row["peer_row"] = int(admitted.peer_row[place])
        if one.direction is None:
            row["action"] = "REJECT" if one.rejected_by else "ACCEPT"
        elif one.rejected_by or not found:
            row["action"], row["reject_cause"] = "REJECT", one.rejected_by or "security_group"
        else:
            row["rules"], row["rule_match"] = found, "unique" if len(found) == 1 else "ambiguous"
    return pa.RecordBatch.from_pylist(bare, CONNECTIONS)


def _row(inventory: Inventory, book: RuleBook, number: int, one: Seen) -> dict[str, Any]:
    found = inventory.interfaces_of(
        pa.array([one.interface_id]).dictionary_encode(),
        np.array([one.first], np.int64),
        np.array([one.first], np.int64),
    )
    return {
        "connection_id": f"{number:032x}",
        "interface_id": one.interface_id,
        "eni_row": int(found.rows[0]),
        "peer_row": -1,
        "protocol": one.protocol,
        "local_addr": one.local_addr,
        "local_port": one.local_port,
        "peer_addr": one.peer_addr,
        "peer_port": one.peer_port,
        "direction": one.direction,
        "action": "ACCEPT",
        "first": one.first,
        "last": one.first + 60,
        "packets": one.packets,
        "bytes": one.packets * 100,
        "rules": None,
        "rule_match": None,
        "settled": True,
    }
