"""
Connections as they were seen at network interfaces: what usage, proposals and replays work on.

A connection is seen at one interface, or at two where both its ends are recorded; each is a row of its own.
"""

from __future__ import annotations

import pyarrow as pa

_TEXT = pa.dictionary(pa.int32(), pa.string())

CONNECTIONS = pa.schema(
    [
        pa.field("connection_id", pa.string(), nullable=False),
        pa.field("interface_id", _TEXT),
        pa.field("eni_row", pa.int32(), nullable=False),
        pa.field("peer_row", pa.int32(), nullable=False),
        pa.field("protocol", pa.int32(), nullable=False),
        pa.field("local_addr", _TEXT),
        pa.field("local_port", pa.int32(), nullable=False),
        pa.field("peer_addr", _TEXT),
        pa.field("peer_port", pa.int32(), nullable=False),
        pa.field("direction", _TEXT),
        pa.field("initiator_basis", _TEXT),
        pa.field("initiator_confidence", pa.float64()),
        pa.field("action", _TEXT),
        pa.field("first", pa.int64(), nullable=False),
        pa.field("last", pa.int64(), nullable=False),
        pa.field("packets", pa.int64(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("rules", pa.list_(pa.int32())),
        pa.field("rule_match", _TEXT),
        pa.field("rule_note", _TEXT),
        pa.field("reply_rules", pa.list_(pa.int32())),
        pa.field("reject_cause", _TEXT),
        pa.field("settled", pa.bool_(), nullable=False),
    ]
)
"""
A row a connection and network interface.

``eni_row`` is the interface's version when it was first seen, ``peer_row`` that of the interface which holds the peer's
address where group references reach it: rows of ``Inventory.interfaces``, -1 where unknown. Addresses are those of the
packets (``pkt_…``) where logged, else as logged; ports are 0 for protocols without. ``direction`` is that of the
opening packet, seen from the interface: ``egress`` where the local end opened the connection, ``ingress`` where the
peer did, null where that is not known. ``action`` is what became of the opening side's packets: ``ACCEPT``, or
``REJECT`` where none was accepted; where the initiator is not known, ``REJECT`` where nothing was accepted at all.
``first`` and ``last`` are Unix seconds of the first and last packet seen, ``packets`` and ``bytes`` count both ways.

``rules`` are the rules that admitted the opening packet, as indices into ``RuleBook.rules``, null where ``rule_match``
is null or ``unknown``; ``reply_rules`` those that its replies needed, where the connection is not tracked, else null.
``reject_cause`` is null unless packets were rejected: those of the opening side, else the replies. ``settled`` says
that no later record can change the row.
"""
