"""
Tally connections by the rules that admitted them.

A tally is a handful of tables that can be added up, written down and read again, so that a recording of months need not
be read twice. Rules are named by their keys: their numbers are those of one inventory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow.dictionaries import codes_of, dictionary_array, numbered
from vpcflow.inventory import distinct_numbers
from vpcflow.rules.openings import is_egress, is_text, numbers, opening_packets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vpcflow.admission import RuleBook

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_COMPACT_ROWS = 1 << 20

# Millions of pairs as text would take gigabytes.
_TEXT = pa.dictionary(pa.int32(), pa.string())

# The columns that tell rows apart, and how the others are added up.
_KEYS = {
    "rules": ("rule",),
    "peers": ("rule", "peer"),
    "peer_groups": ("rule", "group_id"),
    "ports": ("rule", "port"),
    "interfaces": ("interface_id",),
}
SCHEMAS: Mapping[str, pa.Schema] = {
    "rules": pa.schema(
        [
            ("rule", pa.string()),
            ("connections", pa.int64()),
            ("unique_connections", pa.int64()),
            ("replies", pa.int64()),
            ("unjudged", pa.int64()),
            ("bytes", pa.int64()),
            ("packets", pa.int64()),
            ("first", pa.int64()),
            ("last", pa.int64()),
        ]
    ),
    "peers": pa.schema([("rule", _TEXT), ("peer", _TEXT), ("connections", pa.int64())]),
    "peer_groups": pa.schema([("rule", _TEXT), ("group_id", _TEXT), ("connections", pa.int64())]),
    "ports": pa.schema([("rule", _TEXT), ("port", pa.int32()), ("connections", pa.int64())]),
    "interfaces": pa.schema([("interface_id", pa.string()), ("connections", pa.int64())]),
}
"""
The tables of a tally.

``rules`` counts for each rule the connections it admitted, those it alone did, those whose replies needed it (which
are among the connections), and those of unknown initiator that it might have admitted; bytes and packets are those of
the connections, both ways; first and last are Unix seconds, null where nothing was admitted. The others count
connections by peer address, by security group of the peer, by port of the responder, and by interface.
"""


class Tally:
    """Counts the connections of one book of rules."""

    def __init__(self, book: RuleBook) -> None:
        self._book = book
        keys = book.keys.dictionary_encode()
        self._keys = keys.dictionary
        self._key_of_rule = np.append(codes_of(keys), np.int32(-1)).astype(np.int64)
        self._group_ids = pa.array(book.group_ids, pa.string())
        self._loose: dict[str, list[pa.Table]] = {name: [] for name in SCHEMAS}
        self._loose_rows = self._compact_rows = 0

    def add(self, connections: pa.RecordBatch) -> None:
        """Count a batch of ``CONNECTIONS``."""
        accepted = connections.filter(pa.array(is_text(connections, "action", "ACCEPT")))
        if not accepted.num_rows:
            return
        rows, keys = self._exploded(accepted.column("rules"))
        reply_rows, reply_keys = self._exploded(accepted.column("reply_rules"))
        self._count_rules(accepted, rows, keys, replies=False)
        self._count_rules(accepted, reply_rows, reply_keys, replies=True)
        self._count_peers(accepted, np.append(rows, reply_rows), np.append(keys, reply_keys))
        self._count_ports(accepted, rows, keys)
        self._count_unjudged(accepted)
        self._put("interfaces", pa.table({
            "interface_id": accepted.column("interface_id").cast(pa.string()),
            "connections": pa.array(np.ones(accepted.num_rows, np.int64)),
        }))  # fmt: skip
        if self._loose_rows > max(_COMPACT_ROWS, self._compact_rows):
            self.tables()

    def add_tables(self, tables: Mapping[str, pa.Table]) -> None:
        """Add what another tally counted."""
        for name, table in tables.items():
            self._put(name, table)

    def tables(self) -> dict[str, pa.Table]:
        """Give what was counted: in each table one row for what tells its rows apart, in no order."""
        found = {name: _added_up(name, tables) for name, tables in self._loose.items()}
        self._loose = {name: [table] for name, table in found.items()}
        self._loose_rows, self._compact_rows = 0, found["peers"].num_rows
        return found

    def _exploded(self, lists: pa.ListArray) -> tuple[Int64s, Int64s]:
        """Give a row for each rule of each list, by its key; a rule's versions count once."""
        offsets = lists.offsets.to_numpy().astype(np.int64)
        length = np.diff(offsets)
        if lists.null_count:
            length[~np.asarray(lists.is_valid())] = 0
        rows = np.repeat(np.arange(len(length)), length)
        at = np.arange(len(rows)) - np.repeat(np.cumsum(length) - length, length)
        keys = self._key_of_rule[lists.values.to_numpy()[at + np.repeat(offsets[:-1], length)]]
        if len(self._keys) == len(self._key_of_rule) - 1:
            # Each rule has one version.
            return rows, keys
        pairs = np.unique(rows * (len(self._keys) + 1) + keys)
        return np.divmod(pairs, len(self._keys) + 1)

    def _count_rules(
        self, accepted: pa.RecordBatch, rows: Int64s, keys: Int64s, *, replies: bool
    ) -> None:
        count = len(self._keys)
        alone = np.bincount(rows, minlength=accepted.num_rows)[rows] == 1
        first, last = np.full(count, np.iinfo(np.int64).max), np.full(count, -1, np.int64)
        np.minimum.at(first, keys, numbers(accepted, "first")[rows])
        np.maximum.at(last, keys, numbers(accepted, "last")[rows])
        totals = {}
        for name in ("bytes", "packets"):
            totals[name] = np.zeros(count, np.int64)
            np.add.at(totals[name], keys, numbers(accepted, name)[rows])
        connections = np.bincount(keys, minlength=count)
        self._put_rules(
            connections=connections,
            unique_connections=np.bincount(keys[alone], minlength=count),
            replies=connections if replies else None,
            first=pa.array(first, mask=connections == 0),
            last=pa.array(last, mask=connections == 0),
            **totals,
        )

    def _count_peers(self, accepted: pa.RecordBatch, rows: Int64s, keys: Int64s) -> None:
        peers = accepted.column("peer_addr")
        width = len(peers.dictionary) + 1
        codes = codes_of(peers).astype(np.int64)
        pairs, counts = _counted(keys * width + codes[rows] + 1)
        rule, peer = np.divmod(pairs, width)
        self._put("peers", pa.table({
            "rule": dictionary_array(rule.astype(np.int32), self._keys),
            "peer": dictionary_array(peer.astype(np.int32) - 1, peers.dictionary),
            "connections": pa.array(counts),
        }))  # fmt: skip
        peer_row = numbers(accepted, "peer_row")[rows]
        held = peer_row >= 0
        width = len(self._book.groups_of_row.offsets)
        pairs, counts = _counted(keys[held] * width + peer_row[held])
        rule, row = np.divmod(pairs, width)
        # Each peer's groups, of which each counts.
        which, at = self._book.groups_of_row.expand(row)
        width = len(self._group_ids) + 1
        groups = rule[which] * width + self._book.groups_of_row.values[at].astype(np.int64)
        pairs, code = distinct_numbers(groups)
        sums = np.zeros(len(pairs), np.int64)
        np.add.at(sums, code, counts[which])
        rule, group = np.divmod(pairs, width)
        self._put("peer_groups", pa.table({
            "rule": dictionary_array(rule.astype(np.int32), self._keys),
            "group_id": dictionary_array(group.astype(np.int32), self._group_ids),
            "connections": pa.array(sums),
        }))  # fmt: skip

    def _count_ports(self, accepted: pa.RecordBatch, rows: Int64s, keys: Int64s) -> None:
        port = np.where(
            is_egress(accepted), numbers(accepted, "peer_port"), numbers(accepted, "local_port")
        )
        pairs, counts = _counted(keys << 16 | port[rows])
        self._put("ports", pa.table({
            "rule": dictionary_array((pairs >> 16).astype(np.int32), self._keys),
            "port": pa.array((pairs & 0xFFFF).astype(np.int32)),
            "connections": pa.array(counts),
        }))  # fmt: skip

    def _count_unjudged(self, accepted: pa.RecordBatch) -> None:
        """Count for each rule the connections it might have admitted, as nobody knows who opened them or what did."""
        unknown = accepted.filter(pa.array(is_text(accepted, "rule_match", "unknown")))
        if not unknown.num_rows:
            return
        has_opener = np.asarray(unknown.column("direction").is_valid())
        outward = is_egress(unknown)
        counts = np.zeros(len(self._keys), np.int64)
        for egress in (False, True):
            asked = unknown.filter(pa.array(~has_opener | (outward == egress)))
            side = np.full(asked.num_rows, egress)
            found = self._book.admit_ever(opening_packets(asked, side))
            rows = np.repeat(np.arange(asked.num_rows), np.diff(found.offsets))
            pairs = np.unique(rows * (len(self._keys) + 1) + self._key_of_rule[found.rules])
            counts += np.bincount(pairs % (len(self._keys) + 1), minlength=len(counts))
        self._put_rules(unjudged=counts)

    def _put_rules(self, **columns: Int64s | pa.Array | None) -> None:
        nothing = pa.array(np.zeros(len(self._keys), np.int64))
        absent = pa.nulls(len(self._keys), pa.int64())
        arrays = [self._keys]
        for name in SCHEMAS["rules"].names[1:]:
            given = columns.get(name)
            if given is None:
                arrays.append(absent if name in ("first", "last") else nothing)
            else:
                arrays.append(given if isinstance(given, pa.Array) else pa.array(given))
        self._put("rules", pa.Table.from_arrays(arrays, schema=SCHEMAS["rules"]))

    def _put(self, name: str, table: pa.Table) -> None:
        if table.num_rows:
            self._loose[name].append(table.cast(SCHEMAS[name]))
            # Rules and interfaces are few, whatever is counted: only what grows counts.
            self._loose_rows += table.num_rows if name == "peers" else 0


def _counted(values: Int64s) -> tuple[Int64s, Int64s]:
    distinct, code = distinct_numbers(values)
    return distinct, np.bincount(code, minlength=len(distinct))


def _added_up(name: str, tables: list[pa.Table]) -> pa.Table:
    schema, keys = SCHEMAS[name], list(_KEYS[name])
    if not tables:
        return schema.empty_table()
    if len(keys) == 2:
        pairs = pairs_added_up(pa.concat_tables(tables))
        return pairs.cast(schema)
    how = {"first": "min", "last": "max"}
    sums = [(n, how.get(n, "sum")) for n in schema.names if n not in keys]
    added = pa.concat_tables(tables).group_by(keys).aggregate(sums)
    renamed = added.select([*keys, *(f"{n}_{f}" for n, f in sums)]).rename_columns(
        [*keys, *(n for n, _ in sums)]
    )
    return renamed.cast(schema).combine_chunks()


def pairs_added_up(table: pa.Table) -> pa.Table:
    """Add up the connections of pairs, the first two columns: by numbers, as text takes several times as long."""
    (first, one), (second, other) = (numbered(column) for column in table.columns[:2])
    width = len(second) + 1
    pairs, code = distinct_numbers(one * width + other)
    sums = np.zeros(len(pairs), np.int64)
    np.add.at(sums, code, table.column("connections").to_numpy())
    one, other = np.divmod(pairs, width)
    # What is null has the number after all.
    other = np.where(other == len(second), -1, other)
    columns = [
        dictionary_array(one.astype(np.int32), first),
        dictionary_array(other.astype(np.int32), second),
        pa.array(sums),
    ]
    return pa.Table.from_arrays(columns, names=table.column_names)
