"""From a judged part to rows of ``CONNECTIONS``, and to the columns of its flow records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow.admission.verdicts import NOTES, NULL, UNKNOWN
from vpcflow.codes import (
    DIRECTIONS,
    INITIATOR_BASES,
    INITIATOR_CONFIDENCE,
    REJECT_CAUSES,
    RULE_MATCHES,
    RULE_NOTES,
)
from vpcflow.dictionaries import dictionary_array, texts_of
from vpcflow.rules.address_texts import address_column
from vpcflow.rules.asking import NO_SET
from vpcflow.rules.connections import CONNECTIONS
from vpcflow.rules.initiator import FLAGS, MIRROR, NOBODY, STATE
from vpcflow.rules.sightings import ACCEPT, EGRESS, INGRESS, NO_ACTION, REJECT, mixed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpcflow.rules.judge import Judge, Judged
    from vpcflow.rules.sessions import Sessions

Bools = npt.NDArray[np.bool_]
Int8s = npt.NDArray[np.int8]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

ACTIONS = ("ACCEPT", "REJECT")
CONFIDENCE = np.array([*(INITIATOR_CONFIDENCE[basis] for basis in INITIATOR_BASES), np.nan])


class RecordAnswers(NamedTuple):
    """
    What is known of flow records, a row each, of those that are sightings.

    ``initiator`` is 0 for the source and 1 for the destination; ``basis``, ``match`` and ``note`` are indices of their
    sets in ``codes``; ``rules`` numbers a set of ``RuleSets``; ``cause`` is an index of ``causes``; -1 is null.
    """

    row: Int64s
    id_high: Words
    id_low: Words
    initiator: Int8s
    basis: Int8s
    match: Int8s
    note: Int8s
    rules: Int32s
    cause: Int32s


def record_answers(judged: Judged, kept: Bools) -> RecordAnswers:
    """Answer for the flow records of the connections that are ``kept``."""
    sessions = judged.opened.sessions
    columns, units = sessions.columns, judged.units
    at = np.flatnonzero(kept[sessions.session])
    unit = units.of_sighting[at]
    is_request = judged.is_request[at]
    accepted = columns.action[at] == ACCEPT
    has_unit = (unit >= 0) & accepted
    replies = np.where(has_unit, units.replies[unit], NO_SET)
    match = np.where(is_request, units.match[unit], units.reply_match[unit])
    # An interface without groups has no rules, whichever way.
    match = np.where(units.match[unit] == NULL, NULL, match)
    note = np.where(
        is_request | (units.match[unit] == NULL),
        units.note[unit],
        np.where(replies != NO_SET, NOTES["untracked_reply"], NULL),
    )
    rules = np.where(is_request, units.rules[unit], replies)
    rules = np.where((match == UNKNOWN) | (match == NULL), NO_SET, rules)
    edge = judged.edge[sessions.sight[at]]
    unknown = np.where(
        judged.has_opener[at],
        NOTES["no_direction"],
        np.where(edge, NOTES["edge_of_recording"], NOTES["no_initiator"]),
    )
    words = connection_words(sessions)
    session = sessions.session[at]
    return RecordAnswers(
        columns.row[at],
        words[0][session],
        words[1][session],
        np.where(judged.has_opener[at], (~is_request).astype(np.int8), NULL),
        _bases(judged)[at],
        np.where(accepted, np.where(has_unit, match, UNKNOWN), NULL),
        np.where(accepted, np.where(has_unit, note, unknown), NULL),
        np.where(has_unit, rules, NO_SET),
        _causes(judged)[at],
    )


def connection_rows(
    judged: Judged, judge: Judge, kept: Bools, settled: Bools, reasons: Sequence[str]
) -> pa.RecordBatch:
    """Make the rows of ``CONNECTIONS`` of the connections that are ``kept``; ``settled`` is of connections too."""
    opened = judged.opened
    sessions, units = opened.sessions, judged.units
    columns = sessions.columns
    sights = np.flatnonzero(kept[sessions.session[opened.first]])
    at = opened.first[sights]
    session = sessions.session[at]
    unit = units.of_sight[sights]
    has_opener = judged.openers.opener[session] != NOBODY
    has_direction = has_opener & (columns.egress[at] >= 0)
    local_opens = judged.local_opens[sights]
    action = _actions(judged)[sights]
    has_unit = (unit >= 0) & (action == ACCEPT)
    unknown = np.where(
        has_opener,
        NOTES["no_direction"],
        np.where(judged.edge[sights], NOTES["edge_of_recording"], NOTES["no_initiator"]),
    )
    accepted = action == ACCEPT
    match = np.where(accepted, np.where(has_unit, units.match[unit], UNKNOWN), NULL)
    note = np.where(accepted, np.where(has_unit, units.note[unit], unknown), NULL)
    rules = np.where(has_unit & (match != UNKNOWN), units.rules[unit], NO_SET)
    basis = _sight_bases(judged)[sights]
    totals = _totals(sessions)
    local, peer = columns.take(at).ends()
    words = connection_words(sessions)
    direction = np.where(local_opens, np.int32(EGRESS), np.int32(INGRESS))
    arrays = [
        id_column(words[0][session], words[1][session]),
        dictionary_array(columns.interface[at], judge.interface_ids),
        pa.array(opened.rows[at]),
        pa.array(units.peer_row[unit]),
        pa.array(columns.protocol[at].astype(np.int32)),
        address_column(local),
        pa.array(columns.local_port[at]),
        address_column(peer),
        pa.array(columns.peer_port[at]),
        _coded(np.where(has_direction, direction, -1), DIRECTIONS),
        _coded(basis, tuple(INITIATOR_BASES)),
        pa.array(CONFIDENCE[basis], mask=basis < 0),
        _coded(action, ACTIONS),
        *(pa.array(total[sights]) for total in totals),
        judge.sets.lists(rules),
        _coded(match, tuple(RULE_MATCHES)),
        _coded(note, tuple(RULE_NOTES)),
        judge.sets.lists(np.where(has_unit, units.replies[unit], NO_SET)),
        _coded(_sight_causes(judged)[sights], (*REJECT_CAUSES, *reasons)),
        pa.array(settled[session]),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=CONNECTIONS)


def connection_words(sessions: Sessions) -> tuple[Words, Words]:
    """Hash the two sockets, the protocol and the first second of each connection to 128 bits."""
    at = sessions.firsts
    start = sessions.columns.start[at].astype(np.uint64)
    local, peer = sessions.columns.local_socket[at], sessions.columns.peer_socket[at]
    high = mixed(sessions.key[at] + mixed(start))
    return high, mixed(high ^ mixed(np.minimum(local, peer)))


def id_column(high: Words, low: Words) -> pa.StringArray:
    """Write words as 32 hexadecimal digits."""
    count = len(high)
    octets = np.stack([high, low], axis=1).astype(">u8").view(np.uint8).reshape(-1)
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    text = np.stack([digits[octets >> 4], digits[octets & 15]], axis=1)
    offsets = np.arange(0, 32 * (count + 1), 32, dtype=np.int32)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(text.tobytes()))


def _coded(codes: npt.NDArray[Any], values: tuple[str, ...]) -> pa.DictionaryArray:
    return dictionary_array(codes.astype(np.int32), texts_of(values))


def _bases(judged: Judged) -> Int8s:
    """Give the basis of each sighting: what its own flags tell, those of its interface, or those of the other."""
    sessions, openers = judged.opened.sessions, judged.openers
    basis = openers.basis[sessions.session]
    told = judged.opened.told != NOBODY
    here = _told_at(judged)[sessions.sight]
    by_flags = np.where(told, np.int8(FLAGS), np.where(here, np.int8(STATE), np.int8(MIRROR)))
    return np.where(basis == FLAGS, by_flags, basis)


def _sight_bases(judged: Judged) -> Int8s:
    openers = judged.openers
    basis = openers.basis[judged.opened.sessions.session[judged.opened.first]]
    return np.where((basis == FLAGS) & ~_told_at(judged), np.int8(MIRROR), basis)


def _told_at(judged: Judged) -> Bools:
    """Tell at which sights a record's flags tell who opened the connection."""
    sessions = judged.opened.sessions
    told = judged.opened.told != NOBODY
    return np.bincount(sessions.sight[told], minlength=len(sessions.sight_firsts)) > 0


def _actions(judged: Judged) -> Int8s:
    """Give what became of the opening side's packets at each sight; of all, where the opener is not known."""
    sessions = judged.opened.sessions
    action = sessions.columns.action
    accepted, rejected = (_per_sight(sessions, action == one) for one in (ACCEPT, REJECT))
    request_rejected = _per_sight(sessions, (action == REJECT) & judged.is_request)
    request_accepted = _per_sight(sessions, (action == ACCEPT) & judged.is_request)
    turned_away = np.where(
        judged.openers.opener[sessions.session[judged.opened.first]] != NOBODY,
        request_rejected & ~request_accepted,
        rejected & ~accepted,
    )
    return np.where(
        turned_away,
        np.int8(REJECT),
        np.where(accepted | rejected, np.int8(ACCEPT), np.int8(NO_ACTION)),
    )


def _causes(judged: Judged) -> Int32s:
    """Give the cause of each sighting: AWS's own reason, which is numbered after ours, comes first."""
    columns = judged.opened.sessions.columns
    reason = columns.reason
    rejected = (columns.action == REJECT) | (reason >= 0)
    return np.where(
        rejected, np.where(reason >= 0, reason + len(REJECT_CAUSES), judged.cause), np.int32(-1)
    )


def _sight_causes(judged: Judged) -> Int32s:
    """Give the cause of each sight: that of the first rejected packet of the opening side, else of any."""
    sessions = judged.opened.sessions
    cause = _causes(judged)
    found = np.full(len(sessions.sight_firsts), -1, np.int32)
    for wanted in ((cause >= 0), (cause >= 0) & judged.is_request):
        at = np.flatnonzero(wanted)[::-1]
        found[sessions.sight[at]] = cause[at]
    return found


def _per_sight(sessions: Sessions, mask: Bools) -> Bools:
    return np.bincount(sessions.sight[mask], minlength=len(sessions.sight_firsts)) > 0


def _totals(sessions: Sessions) -> tuple[Int64s, Int64s, Int64s, Int64s]:
    """Give first and last second, packets and bytes of each sight; a record that is there twice counts once."""
    if not len(sessions.sight_firsts):
        return (np.zeros(0, np.int64),) * 4
    columns, order, firsts = sessions.columns, sessions.sight_order, sessions.sight_firsts
    once = ~sessions.again[order]
    return (
        np.minimum.reduceat(columns.start[order], firsts),
        np.maximum.reduceat(columns.end[order], firsts),
        np.add.reduceat(columns.packets[order] * once, firsts),
        np.add.reduceat(columns.bytes[order] * once, firsts),
    )


def settled_sessions(sessions: Sessions, idle_s: Int64s, newest_s: int, late_s: int) -> Bools:
    """
    Tell which connections no later record can change.

    Closed ones, and those that were idle for longer than they are tracked, once their last record is older than
    ``late_s`` before the newest.
    """
    if not len(sessions.firsts):
        return np.zeros(0, np.bool_)
    last = np.maximum.reduceat(sessions.columns.end, sessions.firsts)
    waits = np.where(sessions.closed, 0, idle_s)
    return np.asarray(last + waits + late_s < newest_s)
