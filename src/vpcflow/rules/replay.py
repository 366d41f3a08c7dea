"""
Replay: which of the recorded connections a change of the rules would refuse, and which it would admit.

A connection needs a rule for its opening packet. Whatever follows needs none: the replies of a tracked connection are
let through, and an untracked one whose reply rule is gone becomes a tracked one. So a connection is refused where all
rules that admitted its opening packet are removed and no other admits it.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vpcflow.admission import NetworkAcls
from vpcflow.rules.openings import (
    at_peers,
    is_egress,
    is_text,
    numbers,
    opening_packets,
    with_peers,
)
from vpcflow.rules.replay_entries import (
    JUDGED,
    UNJUDGED,
    EntryMaker,
    in_order,
    rule_lists,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vpcflow.admission import Admitted, RuleBook
    from vpcflow.inventory import Inventory
    from vpcflow.rules.change import Change

Bools = npt.NDArray[np.bool_]

_AT_ONCE = 65_536
_NO_TEXT = pa.scalar(None, pa.string())


class Replay(NamedTuple):
    """
    What a change would have done; a row a connection and interface, in order of time.

    ``refused`` (of the schema ``JUDGED``) were accepted by rules and would be by none; ``admitted`` (``JUDGED``) were
    rejected for want of a rule and would find one; of ``unjudged`` (``UNJUDGED``) it is not known who opened them.
    ``incomplete`` says what the inventory doesn't know of the change.

    Of all ``connections``, ``unexplained`` were accepted though no rule of the inventory is known to admit them: what
    the change does to them is not known either, and they are in no list.
    """

    refused: pa.Table
    admitted: pa.Table
    unjudged: pa.Table
    incomplete: tuple[str, ...]
    connections: int
    unexplained: int


def replay(
    inventory: Inventory,
    book: RuleBook,
    change: Change,
    connections: Iterable[pa.RecordBatch],
    *,
    max_age_s: int = 3600,
    max_stale_s: int | None = None,
) -> Replay:
    """
    Run connections, batches of ``CONNECTIONS`` whose rules are those of ``book``, against the changed rules.

    ``max_age_s`` and ``max_stale_s`` are what ``book`` was made with.
    """
    replaying = Replaying(inventory, book, change, max_age_s=max_age_s, max_stale_s=max_stale_s)
    for batch in connections:
        replaying.add(batch)
    return replaying.result()


class Replaying:
    """A replay under way: holds what it has found, some 150 bytes an entry, and nothing of other connections."""

    def __init__(
        self,
        inventory: Inventory,
        book: RuleBook,
        change: Change,
        *,
        max_age_s: int = 3600,
        max_stale_s: int | None = None,
    ) -> None:
        self._incomplete = change.faults(inventory)
        self._book = book
        self._changed = change.changed_book(inventory, max_age_s=max_age_s, max_stale_s=max_stale_s)
        self._acls = NetworkAcls(inventory)
        self._maker = EntryMaker(inventory, book, self._changed)
        removed = set(change.remove)
        self._stays = np.array([key not in removed for key in book.keys.to_pylist()], np.bool_)
        self._is_touched = _touched_rows(inventory, book, change)
        self._refused = _Pile(self._find_refused)
        self._admitted = _Pile(self._find_admitted)
        self._unjudged = _Pile(self._list_unjudged)
        self._connections = self._unexplained = 0

    def add(self, connections: pa.RecordBatch) -> None:
        """Judge a batch of ``CONNECTIONS``."""
        self._connections += connections.num_rows
        has_opener = _bools(connections.column("direction").is_valid())
        is_accepted = is_text(connections, "action", "ACCEPT")
        is_explained = _bools(pc.greater(pc.list_value_length(connections.column("rules")), 0))
        has_no_groups = _bools(connections.column("rule_match").is_null())
        lacked_a_rule = ~is_accepted & is_text(connections, "reject_cause", "security_group")
        is_open_question = has_opener & is_accepted & ~is_explained & ~has_no_groups
        self._unexplained += int(np.count_nonzero(is_open_question))
        self._refused.add(self._doubtful(connections, has_opener & is_accepted & is_explained))
        self._admitted.add(
            _where(connections, has_opener & lacked_a_rule & self._touched(connections))
        )
        self._unjudged.add(_where(connections, ~has_opener))

    def result(self) -> Replay:
        """Give what was found, in an order that doesn't depend on that of the connections."""
        return Replay(
            refused=in_order(self._refused.entries(), JUDGED),
            admitted=in_order(self._admitted.entries(), JUDGED),
            unjudged=in_order(self._unjudged.entries(), UNJUDGED),
            incomplete=self._incomplete,
            connections=self._connections,
            unexplained=self._unexplained,
        )

    def _doubtful(self, connections: pa.RecordBatch, admitted: Bools) -> pa.RecordBatch:
        """Give those that were admitted by no rule that stays: one is enough, so most need no second look."""
        connections = _where(connections, admitted)
        return _where(connections, ~_any(self._stays, connections.column("rules")))

    def _find_refused(self, connections: pa.RecordBatch) -> pa.RecordBatch:
        after = self._changed.admit(opening_packets(connections, is_egress(connections)))
        entries = self._maker.judged(connections, rule_lists(after), is_unsure=after.uncertain)
        return _where(entries, after.counts == 0)

    def _find_admitted(self, connections: pa.RecordBatch) -> pa.RecordBatch:
        after = self._changed.admit(opening_packets(connections, is_egress(connections)))
        is_admitted = after.counts > 0
        connections = _where(with_peers(connections, after.peer_row), is_admitted)
        egress = is_egress(connections)
        at_peer = at_peers(connections, egress)
        return self._maker.judged(
            connections,
            rule_lists(after).filter(pa.array(is_admitted)),
            network_acl=self._acls.verdict(*opening_packets(connections, egress)),
            peer_admits=_verdict(self._changed.admit(at_peer), at_peer.row),
        )

    def _list_unjudged(self, connections: pa.RecordBatch) -> pa.RecordBatch:
        is_accepted = is_text(connections, "action", "ACCEPT")
        could_be_refused = np.zeros(connections.num_rows, np.bool_)
        could_be_admitted = np.zeros(connections.num_rows, np.bool_)
        peer_row = numbers(connections, "peer_row").copy()
        touched = np.flatnonzero(self._touched(connections))
        asked = connections.take(pa.array(touched))
        for opened_here in (False, True):
            packets = opening_packets(asked, np.full(len(touched), opened_here))
            before, after = self._book.admit(packets), self._changed.admit(packets)
            could_be_refused[touched] |= (before.counts > 0) & (after.counts == 0)
            could_be_admitted[touched] |= (before.counts == 0) & (after.counts > 0)
            peer_row[touched] = np.maximum(peer_row[touched], before.peer_row)
        could_be = pc.if_else(
            pa.array(is_accepted & could_be_refused),
            "refused",
            pc.if_else(pa.array(~is_accepted & could_be_admitted), "admitted", _NO_TEXT),
        )
        return self._maker.unjudged(with_peers(connections, peer_row), could_be)

    def _touched(self, connections: pa.RecordBatch) -> Bools:
        return self._is_touched.take(numbers(connections, "eni_row"))


class _Pile:
    """Connections that wait until they are many, as to ask the rules about few takes as long."""

    def __init__(self, make: Callable[[pa.RecordBatch], pa.RecordBatch]) -> None:
        self._make = make
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0
        self._entries: list[pa.RecordBatch] = []

    def add(self, connections: pa.RecordBatch) -> None:
        if connections.num_rows:
            self._waiting.append(connections)
            self._rows += connections.num_rows
        if self._rows >= _AT_ONCE:
            self._empty()

    def entries(self) -> list[pa.RecordBatch]:
        """Give the entries made of all of them."""
        if self._waiting:
            self._empty()
        return self._entries

    def _empty(self) -> None:
        together = pa.Table.from_batches(self._waiting).unify_dictionaries().combine_chunks()
        self._entries.append(self._make(together.to_batches()[0]))
        self._waiting, self._rows = [], 0


def _touched_rows(inventory: Inventory, book: RuleBook, change: Change) -> Bools:
    """Tell of each interface version whether one of its groups loses or gains a rule; at -1, the unknown: false."""
    removed = set(change.remove)
    groups = {rule.group_id for rule in book.rules if rule.key in removed}
    groups |= {rule.group_id for rule in change.add}
    touched = [any(g.group_id in groups for g in v.eni.groups) for v in inventory.versions]
    return np.array([*touched, False], np.bool_)


def _verdict(admitted: Admitted, row: npt.NDArray[np.int32]) -> pa.Array:
    """Tell whether rules admit each packet; null where that is not known."""
    found = admitted.counts > 0
    is_known = (row >= 0) & (found | ~admitted.uncertain)
    return pa.array(found, mask=~is_known)


def _any(wanted: Bools, lists: pa.ListArray) -> Bools:
    """Tell which lists of indices have a wanted one."""
    offsets, indices = lists.offsets.to_numpy(), lists.values.to_numpy()
    count = np.concatenate([[0], np.cumsum(wanted[indices])])
    return np.asarray(count[offsets[1:]] > count[offsets[:-1]])


def _where(rows: pa.RecordBatch, wanted: Bools) -> pa.RecordBatch:
    return rows if wanted.all() else rows.filter(pa.array(wanted))


def _bools(column: pa.Array) -> Bools:
    return np.asarray(column.fill_null(False).to_numpy(zero_copy_only=False))
