"""What the rules' answers mean for packets that were accepted, or rejected: numbers of the words in ``codes``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vpcflow.codes import REJECT_CAUSES, RULE_MATCHES, RULE_NOTES

if TYPE_CHECKING:
    from vpcflow.admission.acls import NetworkAcls
    from vpcflow.admission.packets import Admitted, Bools, Int8s, Int64s, Packets
    from vpcflow.admission.rule_book import RuleBook

UNIQUE, AMBIGUOUS, NONE, RESPONSE, UNKNOWN = (
    np.int8(tuple(RULE_MATCHES).index(name))
    for name in ("unique", "ambiguous", "none", "response", "unknown")
)
_BY_COUNT = np.array([NONE, UNIQUE, AMBIGUOUS], np.int8)
NOTES = {name: np.int8(number) for number, name in enumerate(RULE_NOTES)}
NULL = np.int8(-1)
"""Stands for null, of matches and of notes."""

SECURITY_GROUP, NETWORK_ACL, NETWORK_ACL_OR_LATE, CAUSE_UNKNOWN = (
    np.int8(tuple(REJECT_CAUSES).index(name))
    for name in ("security_group", "network_acl", "network_acl_or_late_packet", "unknown")
)


class Verdicts(NamedTuple):
    """Of each packet an index of ``codes.RULE_MATCHES`` and one of ``codes.RULE_NOTES``, -1 for null."""

    match: Int8s
    note: Int8s


def accepted(
    book: RuleBook, packets: Packets, admitted: Admitted, *, unseen: Bools | None = None
) -> Verdicts:
    """
    Put into words what admitted opening packets that were accepted.

    ``unseen`` marks those whose connection may have been opened before it was recorded: what admits them now tells
    nothing then. Where an interface has no groups there is no match, and a note that says so.
    """
    count = admitted.counts
    match = matched(count)
    note = np.where((count > 0) & admitted.approximate, NOTES["icmp_type_not_logged"], NULL)
    nothing = np.flatnonzero(count == 0)
    if len(nothing):
        match[nothing], note[nothing] = _unmatched(
            book, packets.take(nothing), admitted.uncertain[nothing],
            np.zeros(len(nothing), np.bool_) if unseen is None else unseen[nothing],
        )  # fmt: skip
        is_free = (packets.row >= 0) & ~book.has_groups[packets.row]
        match[is_free], note[is_free] = NULL, NOTES["no_security_groups"]
    return Verdicts(match, note)


def matched(count: Int64s) -> Int8s:
    """Say of packets that so many rules admit how they match."""
    return _BY_COUNT[np.minimum(count, 2)]


def _unmatched(book: RuleBook, packets: Packets, uncertain: Bools, unseen: Bools) -> Verdicts:
    """Explain accepted packets that no rule in force admits."""
    before = book.admit_ever(packets).counts > 0
    match = np.where((uncertain | unseen) & ~before, UNKNOWN, NONE)
    note = np.select(
        [before, uncertain, unseen],
        [NOTES["rule_removed"], NOTES["inventory_gap"], NOTES["edge_of_recording"]],
        NOTES["unexplained"],
    )
    return Verdicts(match.astype(np.int8), note.astype(np.int8))


def refused(book: RuleBook, packets: Packets, admitted: Admitted) -> Bools:
    """
    Tell which packets the groups of their interface would surely have turned away.

    Not those at an interface that is not known or has no groups, nor those that what the inventory lacks might admit,
    nor those that a rule of another time admits: a connection outlives the rule that admitted it.
    """
    surely: Bools = (admitted.counts == 0) & ~admitted.uncertain & (packets.row >= 0)
    surely[surely] = book.has_groups[packets.row[surely]]
    if book.has_history and surely.any():
        asked = np.flatnonzero(surely)
        surely[asked] = book.admit_ever(packets.take(asked)).counts == 0
    return surely


def rejected(book: RuleBook, acls: NetworkAcls, packets: Packets, admitted: Admitted) -> Int8s:
    """
    Say why packets were rejected: indices of ``codes.REJECT_CAUSES``.

    Where no rule admits the packet, its interface's groups are. Where rules do, or there are no groups, it is a network
    ACL that denies it, if the inventory has that; else it may be an ACL, or the packet came when its connection was
    tracked no longer.
    """
    is_known = packets.row >= 0
    passes = is_known & ((admitted.counts > 0) | ~book.has_groups[packets.row])
    cause = np.where(admitted.uncertain | ~is_known, CAUSE_UNKNOWN, SECURITY_GROUP)
    cause[passes] = NETWORK_ACL_OR_LATE
    asked = np.flatnonzero(passes)
    cause[asked[denied(acls, packets.take(asked))]] = NETWORK_ACL
    return cause


def denied(acls: NetworkAcls, packets: Packets) -> Bools:
    """Tell which packets the network ACL of their subnet surely denies."""
    if not len(packets.row):
        return np.zeros(0, np.bool_)
    verdict = acls.verdict(
        packets.row, packets.is_egress, packets.protocol, packets.port, packets.peer, packets.time_s
    )
    return np.asarray(verdict == 0)
