"""
What the recording says for each rule: which connections it admitted, and which it might have.

Connections are put together that no proposal can tell apart: those of one peer and port that the same rules admitted.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow.addresses import Addresses, parse_addresses
from vpcflow.rules.openings import is_egress, is_text, opening_packets
from vpcflow.rules.permissions import names_icmp_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vpcflow.admission import RuleBook
    from vpcflow.rules.present import Present

Bools = npt.NDArray[np.bool_]
Int64s = npt.NDArray[np.int64]

_KEYS = ["cover", "protocol", "port", "peer", "groups", "is_sure"]
_SUMS = [("connections", "sum"), ("first", "min"), ("last", "max")]
_MANY_ROWS = 1 << 20
_EMPTY = pa.table(
    {
        **{name: pa.array([], pa.int64()) for name in ("cover", "protocol", "port")},
        "peer": pa.array([], pa.string()),
        "groups": pa.array([], pa.int64()),
        "is_sure": pa.array([], pa.bool_()),
        **{name: pa.array([], pa.int64()) for name, _ in _SUMS},
    }
)

T = TypeVar("T")


class Cover(NamedTuple):
    """
    The rules, as places in ``Present.rules``, one of which has to stay for some connections; or all of them.

    All where each is for some ICMP messages only: a flow log does not tell which of them it was.
    """

    rules: frozenset[int]
    needs_all: bool = False


class Evidence(NamedTuple):
    """
    Rows of connections that the same rules admitted, of one protocol, port and peer.

    ``cover`` indexes ``covers``, ``peer`` both ``addresses`` and ``texts``, and ``groups`` the ``group_sets``: the
    groups through which references reach the peer. ``is_sure`` is false where nobody knows who opened them or what
    else might have admitted them: then the rules would have admitted them, had they asked.
    """

    covers: tuple[Cover, ...]
    group_sets: tuple[frozenset[str], ...]
    texts: tuple[str, ...]
    addresses: Addresses
    cover: Int64s
    protocol: Int64s
    port: Int64s
    peer: Int64s
    groups: Int64s
    is_sure: Bools
    connections: Int64s
    first: Int64s
    last: Int64s
    replies: Counter[int]
    uncertain: frozenset[int]
    without_rule: int
    without_interface: int

    def rows(self, at: npt.NDArray[np.bool_] | npt.NDArray[np.integer]) -> Evidence:
        """Give some rows alone."""
        names = ("cover", "protocol", "port", "peer", "groups", "is_sure", "connections", "first", "last")  # fmt: skip
        return self._replace(**{name: getattr(self, name)[at] for name in names})

    @property
    def size(self) -> int:
        return len(self.cover)


class EvidenceBuilder:
    """
    Collects evidence from batches of ``CONNECTIONS`` whose rules are those of ``book``.

    Holds a row for each distinct protocol, port, peer and set of rules.
    """

    def __init__(self, book: RuleBook, present: Present) -> None:
        self._book = book
        self._present = present
        self._number = np.array([present.numbers.get(rule.key, -1) for rule in book.rules], np.int64)  # fmt: skip
        self._covers: dict[Cover, int] = {}
        self._known: dict[tuple[tuple[int, ...], bool], int] = {}
        self._group_sets: dict[frozenset[str], int] = {frozenset(): 0}
        self._groups_of_row: dict[int, int] = {-1: 0}
        self._tables: list[pa.Table] = []
        self._rows = self._compact = 0
        self._replies: Counter[int] = Counter()
        self._uncertain: set[int] = set()
        self._without_rule = self._without_interface = 0

    def add(self, connections: pa.RecordBatch) -> None:
        """Take a batch of ``CONNECTIONS`` in."""
        is_accepted = is_text(connections, "action", "ACCEPT")
        accepted = _where(connections, is_accepted)
        has_opener = _bools(accepted.column("direction").is_valid())
        has_rules = _bools(accepted.column("rules").is_valid())
        is_guarded = _bools(accepted.column("rule_match").is_valid())
        self._add_explained(_where(accepted, has_opener & has_rules))
        self._add_replies(_where(accepted, has_opener))
        asked = _where(accepted, has_opener & ~has_rules & is_guarded)
        self._add_possible(asked, is_egress(asked))
        unknown = _where(accepted, ~has_opener)
        for egress in (False, True):
            self._add_possible(unknown, np.full(unknown.num_rows, egress))

    def evidence(self) -> Evidence:
        """Give all there is, the same whatever the order it came in."""
        table = _together(self._tables)
        peers = table.column("peer").combine_chunks().dictionary_encode()
        covers, cover = _ordered(list(self._covers), lambda c: (sorted(c.rules), c.needs_all))
        sets, groups = _ordered(list(self._group_sets), lambda g: sorted(g))
        found = Evidence(
            covers=covers,
            group_sets=sets,
            texts=tuple(peers.dictionary.to_pylist()),
            addresses=parse_addresses(peers.dictionary),
            cover=cover[_ints(table, "cover")],
            protocol=_ints(table, "protocol"),
            port=_ints(table, "port"),
            peer=peers.indices.to_numpy().astype(np.int64),
            groups=groups[_ints(table, "groups")],
            is_sure=_bools(table.column("is_sure").combine_chunks()),
            connections=_ints(table, "connections"),
            first=_ints(table, "first"),
            last=_ints(table, "last"),
            replies=self._replies,
            uncertain=frozenset(self._uncertain),
            without_rule=self._without_rule,
            without_interface=self._without_interface,
        )
        return found

    def _add_explained(self, connections: pa.RecordBatch) -> None:
        rules = connections.column("rules")
        flat, offsets = rules.flatten().to_numpy(), rules.offsets.to_numpy()
        self._add_rows(
            connections,
            is_egress(connections),
            flat,
            (offsets - offsets[0]).astype(np.int64),
            connections.column("peer_row").to_numpy(),
            is_sure=True,
        )

    def _add_possible(self, connections: pa.RecordBatch, egress: Bools) -> None:
        """Take in what was accepted, and would have been admitted by these rules had it asked in this direction."""
        is_known = connections.column("eni_row").to_numpy() >= 0
        self._without_interface += int(np.count_nonzero(~is_known))
        connections, egress = _where(connections, is_known), egress[is_known]
        if not connections.num_rows:
            return
        packets = opening_packets(connections, egress)
        found = self._book.admit(packets)
        self._add_rows(
            connections, egress, found.rules, found.offsets, found.peer_row, is_sure=False
        )
        places = np.flatnonzero(found.uncertain)
        pairs = {*zip(packets.row[places].tolist(), egress[places].tolist(), strict=True)}
        for row, is_out in pairs:
            self._uncertain.update(self._uncertain_rules(row, is_out))

    def _uncertain_rules(self, row: int, is_out: bool) -> Iterable[int]:
        """Give the rules of an interface whose counterparts the inventory may not know all of."""
        groups = {group.group_id for group in self._book.inventory.versions[row].eni.groups}
        for number, rule in enumerate(self._present.rules):
            is_open = rule.referenced_group_id is not None or rule.prefix_list_id is not None
            if is_open and rule.group_id in groups and rule.is_egress == is_out:
                yield number

    def _add_replies(self, connections: pa.RecordBatch) -> None:
        column = connections.column("reply_rules")
        for place, count in Counter(column.flatten().to_pylist()).items():
            if (number := int(self._number[place])) >= 0:
                self._replies[number] += count

    def _add_rows(
        self,
        connections: pa.RecordBatch,
        egress: Bools,
        rules: npt.NDArray[np.integer],
        offsets: Int64s,
        peer_row: npt.NDArray[np.integer],
        *,
        is_sure: bool,
    ) -> None:
        protocol = connections.column("protocol").to_numpy()
        cover = self._covers_of(rules, offsets, (protocol == 1) | (protocol == 58))
        if is_sure:
            self._without_rule += int(np.count_nonzero(cover < 0))
        port = np.where(egress, *(connections.column(f"{e}_port").to_numpy() for e in ("peer", "local")))  # fmt: skip
        count = connections.num_rows
        table = pa.table(
            {
                "cover": cover,
                "protocol": protocol.astype(np.int64),
                "port": port.astype(np.int64),
                "peer": connections.column("peer_addr").cast(pa.string()),
                "groups": self._groups_of(peer_row),
                "is_sure": np.full(count, is_sure),
                "connections": np.ones(count, np.int64),
                "first": connections.column("first"),
                "last": connections.column("last"),
            }
        ).filter(pa.array(cover >= 0))
        self._tables.append(_together([table]))
        self._rows += self._tables[-1].num_rows
        if self._rows > 2 * self._compact + _MANY_ROWS:
            self._tables = [_together(self._tables)]
            self._rows = self._compact = self._tables[0].num_rows

    def _covers_of(self, rules: npt.NDArray[np.integer], offsets: Int64s, icmp: Bools) -> Int64s:
        """Give the place in ``_covers`` of each list of rules; -1 where none of them is in force any more."""
        found = np.full(len(offsets) - 1, -1, np.int64)
        lengths = np.diff(offsets)
        for length in np.unique(lengths[lengths > 0]).tolist():
            at = np.flatnonzero(lengths == length)
            lists = rules[offsets[at][:, None] + np.arange(length)]
            keys = np.column_stack([lists, icmp[at]])
            distinct, which = np.unique(keys, axis=0, return_inverse=True)
            codes = [self._cover_of(tuple(row[:-1]), bool(row[-1])) for row in distinct.tolist()]
            found[at] = np.array(codes, np.int64)[which.reshape(-1)]
        return found

    def _cover_of(self, rules: tuple[int, ...], icmp: bool) -> int:
        known = self._known.get((rules, icmp))
        if known is None:
            known = self._known[rules, icmp] = self._new_cover(rules, icmp)
        return known

    def _new_cover(self, rules: tuple[int, ...], icmp: bool) -> int:
        numbers = {int(self._number[rule]) for rule in rules} - {-1}
        if not numbers:
            return -1
        typed = {n for n in numbers if names_icmp_type(self._present.rules[n])} if icmp else set()
        cover = Cover(frozenset(numbers - typed or numbers), needs_all=numbers == typed)
        return self._covers.setdefault(cover, len(self._covers))

    def _groups_of(self, peer_row: npt.NDArray[np.integer]) -> Int64s:
        distinct, which = np.unique(peer_row, return_inverse=True)
        codes = [self._groups_of_peer(row) for row in distinct.tolist()]
        return np.array(codes, np.int64)[which]

    def _groups_of_peer(self, row: int) -> int:
        """Number the groups a peer had, and still has, where it still is."""
        if row not in self._groups_of_row:
            eni = self._book.inventory.versions[row].eni
            groups = {group.group_id for group in eni.groups}
            now = self._present.interfaces.get(eni.interface_id)
            if now is not None:
                groups &= {group.group_id for group in now.groups}
            self._groups_of_row[row] = self._group_sets.setdefault(
                frozenset(groups), len(self._group_sets)
            )
        return self._groups_of_row[row]


def _together(tables: list[pa.Table]) -> pa.Table:
    """Add rows up that say the same."""
    if not tables:
        return _EMPTY
    found = pa.concat_tables(tables).group_by(_KEYS).aggregate(_SUMS)
    names = {f"{name}_{how}": name for name, how in _SUMS}
    renamed = found.rename_columns([names.get(name, name) for name in found.column_names])
    return renamed.select(_EMPTY.column_names)


def _ordered(items: list[T], key: Callable[[T], Any]) -> tuple[tuple[T, ...], Int64s]:
    """Sort items, and give the new place of each old one."""
    order = sorted(range(len(items)), key=lambda place: key(items[place]))
    places = np.zeros(len(items), np.int64)
    places[order] = np.arange(len(items))
    return tuple(items[place] for place in order), places


def _where(connections: pa.RecordBatch, wanted: Bools) -> pa.RecordBatch:
    return connections if wanted.all() else connections.filter(pa.array(wanted))


def _bools(column: pa.Array) -> Bools:
    return np.asarray(column.to_numpy(zero_copy_only=False))


def _ints(table: pa.Table, name: str) -> Int64s:
    return np.asarray(table.column(name).to_numpy())
