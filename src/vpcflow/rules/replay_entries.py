"""What a replay lists: an entry a connection and interface, as columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vpcflow.rules.openings import is_egress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpcflow.admission import Admitted, RuleBook
    from vpcflow.inventory import Inventory

Bools = npt.NDArray[np.bool_]

_TEXT = pa.dictionary(pa.int32(), pa.string())
_TEXTS = pa.list_(pa.string())

_ENDS = ("initiator", "responder")
_SEEN = [("first", pa.int64()), ("last", pa.int64()), ("packets", pa.int64()), ("bytes", pa.int64())]  # fmt: skip

JUDGED = pa.schema(
    [
        ("initiator_addr", _TEXT),
        ("initiator_port", pa.int32()),
        ("responder_addr", _TEXT),
        ("responder_port", pa.int32()),
        ("protocol", pa.int32()),
        ("interface_id", _TEXT),
        ("direction", _TEXT),
        *_SEEN,
        ("group_ids", _TEXTS),
        ("peer_interface_id", _TEXT),
        ("peer_group_ids", _TEXTS),
        ("rules_before", _TEXTS),
        ("rules_after", _TEXTS),
        ("rule_group_ids", _TEXTS),
        ("is_unsure", pa.bool_()),
        ("network_acl", pa.string()),
        ("peer_admits", pa.bool_()),
        ("connection_id", pa.string()),
    ]
)
"""
A connection that would be refused or admitted.

``first`` and ``last`` are Unix seconds. ``group_ids`` are the interface's groups, ``peer_group_ids`` those of the
interface that holds the peer's address where group references reach it, else null. ``rules_before`` and ``rules_after``
are the rules that admit it, by `SecurityGroupRule.key`, ``rule_group_ids`` the groups these are in. ``is_unsure`` says
that what the inventory doesn't know might admit it all the same. ``network_acl`` is ``allow`` or ``deny``,
``peer_admits`` what the rules of the interface at the other end say; both are told of what would be admitted alone, and
null where that is not known.
"""

UNJUDGED = pa.schema(
    [
        ("local_addr", _TEXT),
        ("local_port", pa.int32()),
        ("peer_addr", _TEXT),
        ("peer_port", pa.int32()),
        ("protocol", pa.int32()),
        ("interface_id", _TEXT),
        ("action", _TEXT),
        *_SEEN,
        ("group_ids", _TEXTS),
        ("peer_interface_id", _TEXT),
        ("peer_group_ids", _TEXTS),
        ("could_be", pa.string()),
        ("connection_id", pa.string()),
    ]
)
"""
A connection nobody knows the opener of.

``could_be`` is ``refused`` or ``admitted`` where it would be, had the one or the other end opened it; else null.
"""


class EntryMaker:
    """Makes entries of connections, with what the inventory and the rules before and after the change say of them."""

    def __init__(self, inventory: Inventory, before: RuleBook, after: RuleBook) -> None:
        self._interfaces = inventory.interfaces
        self._keys = before.keys.to_pylist(), after.keys.to_pylist()
        self._groups_before = [rule.group_id for rule in before.rules]
        self._groups_after = [rule.group_id for rule in after.rules]

    def judged(
        self,
        connections: pa.RecordBatch,
        rules_after: pa.ListArray,
        *,
        is_unsure: Bools | None = None,
        network_acl: npt.NDArray[np.int8] | None = None,
        peer_admits: pa.Array | None = None,
    ) -> pa.RecordBatch:
        """Make entries of the schema ``JUDGED``; ``rules_after`` are indices into the changed rules."""
        count = connections.num_rows
        before = connections.column("rules")
        keys_before, keys_after = self._keys
        columns = self._seen(connections) | _ends(connections) | {
            "direction": connections.column("direction"),
            "rules_before": _spelt(before, keys_before),
            "rules_after": _spelt(rules_after, keys_after),
            "rule_group_ids": _united(
                _spelt(before, self._groups_before), _spelt(rules_after, self._groups_after)
            ),
            "is_unsure": pa.array(np.zeros(count, np.bool_) if is_unsure is None else is_unsure),
            "network_acl": pa.nulls(count, pa.string()) if network_acl is None else _words(network_acl),
            "peer_admits": pa.nulls(count, pa.bool_()) if peer_admits is None else peer_admits,
        }  # fmt: skip
        return _batch(columns, JUDGED)

    def unjudged(self, connections: pa.RecordBatch, could_be: pa.Array) -> pa.RecordBatch:
        """Make entries of the schema ``UNJUDGED``."""
        own = ("local_addr", "local_port", "peer_addr", "peer_port", "action")
        columns = self._seen(connections) | {name: connections.column(name) for name in own}
        return _batch(columns | {"could_be": could_be}, UNJUDGED)

    def _seen(self, connections: pa.RecordBatch) -> dict[str, pa.Array]:
        own = ("protocol", "interface_id", "first", "last", "packets", "bytes", "connection_id")
        row, peer_row = _rows(connections, "eni_row"), _rows(connections, "peer_row")
        groups = self._interfaces.security_group_ids
        return {name: connections.column(name) for name in own} | {
            "group_ids": groups.take(row).cast(_TEXTS),
            "peer_interface_id": self._interfaces.interface_id.take(peer_row),
            "peer_group_ids": groups.take(peer_row).cast(_TEXTS),
        }


def rule_lists(admitted: Admitted) -> pa.ListArray:
    """Give the rules that admit each packet as lists."""
    return pa.ListArray.from_arrays(
        pa.array(admitted.offsets, pa.int32()), pa.array(admitted.rules, pa.int32())
    )


def in_order(batches: Sequence[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    """Give the entries by time, then by what tells them apart."""
    table = pa.Table.from_batches(batches, schema).unify_dictionaries().combine_chunks()
    ends = [name for name in schema.names if name.endswith(("_addr", "_port"))]
    names = ["first", "connection_id", "interface_id", *ends, "last"]
    # Dictionaries are numbered as their values came: they are compared as text.
    keys = pa.table(
        {
            name: column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
            for name, column in zip(names, map(table.column, names))
        }
    )
    return table.take(pc.sort_indices(keys, [(name, "ascending") for name in names]))


def _ends(connections: pa.RecordBatch) -> dict[str, pa.Array]:
    """Give address and port of initiator and responder."""
    opened_here = pa.array(is_egress(connections))
    found = {}
    for part in ("addr", "port"):
        local, peer = (connections.column(f"{end}_{part}") for end in ("local", "peer"))
        if part == "addr":
            local, peer = local.cast(pa.string()), peer.cast(pa.string())
        found[f"initiator_{part}"] = pc.if_else(opened_here, local, peer)
        found[f"responder_{part}"] = pc.if_else(opened_here, peer, local)
    return found


def _spelt(lists: pa.ListArray, names: Sequence[str]) -> pa.Array:
    """Put names in the place of indices, each once, in order."""
    # Connections are many, distinct lists of rules few.
    made: dict[tuple[int, ...], list[str]] = {}
    spelt = []
    for indices in map(tuple, lists.fill_null([]).to_pylist()):
        if indices not in made:
            made[indices] = sorted({names[index] for index in indices})
        spelt.append(made[indices])
    return pa.array(spelt, _TEXTS)


def _united(one: pa.Array, other: pa.Array) -> pa.Array:
    """Unite lists, of which one of each two is empty: nothing was both refused and admitted."""
    return pc.if_else(pc.greater(pc.list_value_length(one), 0), one, other)


def _rows(connections: pa.RecordBatch, name: str) -> pa.Array:
    """Give rows of interfaces to take, null for the unknown."""
    rows = connections.column(name).to_numpy()
    return pa.array(rows, mask=rows < 0)


def _words(verdicts: npt.NDArray[np.int8]) -> pa.Array:
    words = np.array(["deny", "allow", None], object)
    return pa.array(words[verdicts], pa.string())


def _batch(columns: dict[str, pa.Array], schema: pa.Schema) -> pa.RecordBatch:
    arrays = [_as(columns[field.name], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _as(column: pa.Array, wanted: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(wanted) and not pa.types.is_dictionary(column.type):
        return column.dictionary_encode()
    return column if column.type == wanted else column.cast(wanted)
