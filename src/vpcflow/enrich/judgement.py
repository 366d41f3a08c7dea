"""
What flags and rules tell of each record by itself: who opened its connection, what admitted it, why it was rejected.

Two enrichers write it down. All that rules are asked of the records' own interfaces is asked at once.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vpcflow.admission import Lists, verdicts
from vpcflow.admission.lists import offsets_of
from vpcflow.admission.packets import joined
from vpcflow.codes import INITIATOR_BASES
from vpcflow.dictionaries import codes_of, with_last
from vpcflow.enrich.openers import DST, LOCAL, PEER, SRC, TCP, Answered, by_flags, by_rules
from vpcflow.enrich.seen import numbers, seen

if TYPE_CHECKING:
    import pyarrow as pa

    from vpcflow.admission import Guards, RuleBook
    from vpcflow.enrich.answers import Answers
    from vpcflow.enrich.seen import Seen

Bools = npt.NDArray[np.bool_]
Int8s = npt.NDArray[np.int8]
Int32s = npt.NDArray[np.int32]
Places = npt.NDArray[np.intp]

_FLAGS, _RULES = (np.int32(tuple(INITIATOR_BASES).index(basis)) for basis in ("flags", "rules"))
_ACTIONS = {"ACCEPT": 1, "REJECT": 2}
_RULE_COLUMNS = ("rule_ids", "rule_match", "rule_note", "reject_cause")


class Judgement(NamedTuple):
    """
    Of each record: indices of ``codes.INITIATORS``, ``INITIATOR_BASES``, ``RULE_MATCHES``, ``RULE_NOTES`` and
    ``REJECT_CAUSES``, -1 for null; ``rules`` are places in ``RuleBook.rules``, ``has_rules`` false for null.
    """

    initiator: Int32s
    basis: Int32s
    match: Int8s
    note: Int8s
    cause: Int8s
    rules: Lists
    has_rules: Bools


class _Cases(NamedTuple):
    """Where the records are that were accepted, and those that were rejected."""

    accepted: Bools
    rejected: Bools


def judged(flows: pa.RecordBatch, answers: Answers) -> Judgement:
    """Judge the records; reads ``direction``. Rules are asked no more than the wanted columns need."""
    if answers.judgement is None:
        answers.judgement = _judged(flows, answers)
    return answers.judgement


def _judged(flows: pa.RecordBatch, answers: Answers) -> Judgement:
    found = _by_flags(flows)
    guards = answers.reference.guards
    if guards is None:
        return found
    cases = _cases(answers)
    wants_rules = any(map(answers.wants, _RULE_COLUMNS))
    if not wants_rules:
        cases = _Cases(cases.accepted & (found.initiator < 0), np.zeros(flows.num_rows, np.bool_))
    if not (cases.accepted.any() or cases.rejected.any()):
        return found
    here = seen(flows, answers)
    is_guarded = here.known & with_last(guards.book.has_groups, False)[here.row]
    told, out, in_, rejected = _ask(here, found, guards.book, cases, is_guarded)
    opener = by_rules(here, out, in_, guards.book)
    found = _with_openers(found, here, out.at, opener)
    if not wants_rules:
        return found
    found = _admitted(found, here, guards.book, _opening(here, told, out, in_, opener))
    found = _unasked(found, here, cases.accepted, is_guarded)
    cause = np.where(cases.rejected, verdicts.CAUSE_UNKNOWN, np.int8(-1))
    may_open = (here.protocol != TCP) | (found.initiator == SRC)
    may_open |= numbers(flows, "tcp_flags", -1) < 0
    cause[rejected.at] = _causes(here, guards, rejected, may_open[rejected.at])
    return found._replace(cause=cause)


def _by_flags(flows: pa.RecordBatch) -> Judgement:
    """Begin with what flags tell, and nothing of rules."""
    count = flows.num_rows
    initiator = by_flags(flows)
    return Judgement(
        initiator,
        np.where(initiator >= 0, _FLAGS, np.int32(-1)),
        np.full(count, verdicts.NULL, np.int8),
        np.full(count, verdicts.NULL, np.int8),
        np.full(count, -1, np.int8),
        Lists(np.zeros(count + 1, np.int64), np.zeros(0, np.int32)),
        np.zeros(count, np.bool_),
    )


def _cases(answers: Answers) -> _Cases:
    """Find the records by their action; those of a Transit Gateway, which no rules guard, are of neither."""
    column = answers.column("action")
    words = [_ACTIONS.get(text, 0) for text in column.dictionary.to_pylist()]
    action = np.array([*words, 0], np.int8)[codes_of(column)]
    action[answers.at_gateway] = 0
    return _Cases(*(action == word for word in _ACTIONS.values()))


def _ask(
    here: Seen, found: Judgement, book: RuleBook, cases: _Cases, is_guarded: Bools
) -> list[Answered]:
    """
    Ask the rules of the records' interfaces for all packets in question.

    Those are the opening packets of accepted records whose initiator is told; those of the others, as if the local end
    had opened them, and as if the peer had; and rejected packets, as they were.
    """
    told, untold = (
        np.flatnonzero(cases.accepted & is_guarded & one)
        for one in (found.initiator >= 0, found.initiator < 0)
    )
    rejected = np.flatnonzero(cases.rejected & here.known)
    questions = [
        (told, (found.initiator[told] == SRC) == here.egress[told]),
        (untold, np.ones(len(untold), np.bool_)),
        (untold, np.zeros(len(untold), np.bool_)),
        (rejected, here.egress[rejected]),
    ]
    at, egress = (np.concatenate(columns) for columns in zip(*questions))
    packets = here.packets(at, egress)
    admitted = book.admit(packets)
    ends = np.cumsum([0, *(len(places) for places, _ in questions)]).tolist()
    return [
        Answered(at[first:last], packets.part(first, last), admitted.part(first, last))
        for first, last in pairwise(ends)
    ]


def _with_openers(
    found: Judgement, here: Seen, at: Places, opener: npt.NDArray[np.int8]
) -> Judgement:
    decided = np.flatnonzero(opener >= 0)
    at = at[decided]
    initiator, basis = found.initiator.copy(), found.basis.copy()
    initiator[at] = np.where((opener[decided] == LOCAL) == here.egress[at], SRC, DST)
    basis[at] = _RULES
    return found._replace(initiator=initiator, basis=basis)


def _opening(
    here: Seen, told: Answered, out: Answered, in_: Answered, opener: npt.NDArray[np.int8]
) -> Answered:
    """Give the opening packets of all accepted records of which it is known who opened them."""
    local, peer = np.flatnonzero(opener == LOCAL), np.flatnonzero(opener == PEER)
    at = np.concatenate([told.at, out.at[local], in_.at[peer]])
    egress = [told.packets.is_egress, out.packets.is_egress[local], in_.packets.is_egress[peer]]
    admitted = joined([told.admitted, out.admitted.take(local), in_.admitted.take(peer)])
    return Answered(at, here.packets(at, np.concatenate(egress)), admitted)


def _admitted(found: Judgement, here: Seen, book: RuleBook, opening: Answered) -> Judgement:
    """Say what admitted records: those that opened the connection, and those that answer."""
    at, match, note = opening.at, found.match.copy(), found.note.copy()
    is_request = found.initiator[at] == SRC
    requests, answers = np.flatnonzero(is_request), np.flatnonzero(~is_request)
    asked = opening.admitted.take(requests)
    match[at[requests]], note[at[requests]] = verdicts.accepted(
        book, opening.packets.take(requests), asked
    )
    answered, back = opening.packets.take(answers), at[answers]
    initiator_port = np.where(answered.is_egress, here.local_port[back], here.peer_port[back])
    replies = book.reply(answered, initiator_port, opening.admitted.take(answers))
    untracked = replies.counts > 0
    match[back] = np.where(untracked, verdicts.matched(replies.counts), verdicts.RESPONSE)
    note[back] = np.where(untracked, verdicts.NOTES["untracked_reply"], verdicts.NULL)
    places = np.concatenate([at[requests], back])
    both = joined([asked, replies]).take(np.argsort(places))
    counts = np.zeros(len(match), np.int64)
    counts[np.sort(places)] = both.counts
    has_rules = (match >= 0) & (match != verdicts.RESPONSE) & (match != verdicts.UNKNOWN)
    return found._replace(
        match=match, note=note, rules=Lists(offsets_of(counts), both.rules), has_rules=has_rules
    )


def _unasked(found: Judgement, here: Seen, is_accepted: Bools, is_guarded: Bools) -> Judgement:
    """Say of the other accepted records why there is no match."""
    match, note = found.match.copy(), found.note.copy()
    has_row = here.row >= 0
    # A regional NAT gateway is recorded without an interface.
    resource = here.answers.column("resource_id").is_valid().to_numpy(zero_copy_only=False)
    is_free = is_accepted & np.where(has_row, here.known & ~is_guarded, resource)
    note[is_free] = verdicts.NOTES["no_security_groups"]
    left = is_accepted & ~is_free & (match < 0)
    match[left] = verdicts.UNKNOWN
    note[left & is_guarded] = verdicts.NOTES["no_initiator"]
    note[left & has_row & ~is_guarded] = verdicts.NOTES["no_direction"]
    note[left & ~has_row] = verdicts.NOTES["inventory_gap"]
    return found._replace(match=match, note=note)


def _causes(here: Seen, guards: Guards, rejected: Answered, may_open: Bools) -> Int8s:
    """
    Say why records were rejected.

    A packet that surely opened nothing needs no rule where its connection is tracked: that no rule admits it makes the
    groups the cause only if they would have refused the connection too.
    """
    if not len(rejected.at):
        return np.zeros(0, np.int8)
    packets = rejected.packets
    cause = verdicts.rejected(guards.book, guards.acls, packets, rejected.admitted)
    late = np.flatnonzero((cause == verdicts.SECURITY_GROUP) & ~may_open)
    if len(late):
        opening = here.packets(rejected.at[late], ~packets.is_egress[late])
        maybe = late[~verdicts.refused(guards.book, opening, guards.book.admit(opening))]
        is_denied = verdicts.denied(guards.acls, packets.take(maybe))
        cause[maybe] = np.where(is_denied, verdicts.NETWORK_ACL, verdicts.CAUSE_UNKNOWN)
    return cause
