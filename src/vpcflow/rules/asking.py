"""What is asked of the rules about the connections of a part, each question once, and the answers in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vpcflow.admission import verdicts
from vpcflow.dictionaries import with_last
from vpcflow.rules.fitting import ends_of

if TYPE_CHECKING:
    from vpcflow.admission import RuleBook
    from vpcflow.rules.rule_sets import RuleSets
    from vpcflow.rules.sessions import Sessions

Bools = npt.NDArray[np.bool_]
Int8s = npt.NDArray[np.int8]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Places = npt.NDArray[np.intp]

NO_SET = np.int32(-1)


class Units(NamedTuple):
    """
    The questions: a sight in a stretch of time in which the inventory gives one answer, and its answers.

    ``of_sighting`` is each sighting's unit, ``of_sight`` each sight's first, -1 for none. ``match`` and ``note`` are
    indices of ``codes.RULE_MATCHES`` and ``RULE_NOTES``, -1 for null; ``rules`` and ``replies`` numbers of rule sets:
    those that admit the opening packet, and those that its replies need (-1: none, they are tracked). What is of units
    has one item more, for unit -1.
    """

    of_sighting: Int64s
    of_sight: Int64s
    match: Int8s
    note: Int8s
    rules: Int32s
    replies: Int32s
    reply_match: Int8s
    peer_row: Int32s


class Question(NamedTuple):
    """Which sightings are asked about: those where ``asked``; ``local_opens`` and ``unseen`` are of their sights."""

    asked: Bools
    local_opens: Bools
    unseen: Bools


def ask(
    sessions: Sessions,
    question: Question,
    rows: Int32s,
    stretch: Int64s,
    book: RuleBook,
    sets: RuleSets,
) -> Units:
    """
    Ask for the rules that admit each connection's opening packet at each of its interfaces.

    ``rows`` are the interface versions of all sightings, ``stretch`` numbers the times between which the inventory
    changes. ``unseen`` marks sights whose opening was not recorded, and whose initiator was inferred: where nothing
    admits them, nothing follows.
    """
    asked = np.flatnonzero(question.asked)
    width = int(stretch.max(initial=0)) + 1
    keys = sessions.sight[asked] * width + stretch[asked]
    distinct, at, number = np.unique(keys, return_index=True, return_inverse=True)
    sight = distinct // width
    of_sighting = np.full(len(question.asked), -1, np.int64)
    of_sighting[asked] = number
    of_sight = np.full(len(sessions.sight_firsts), -1, np.int64)
    # From the last to the first, so that the first stays.
    of_sight[sight[::-1]] = np.arange(len(sight))[::-1]
    places = asked[at]
    ends = ends_of(sessions, places, rows[places])
    opens = question.local_opens[sight]
    packets = ends.opened(opens)
    admitted = book.admit(packets)
    initiator_port = np.where(opens, ends.local_port, ends.peer_port)
    replies = book.reply(packets, initiator_port, admitted)
    match, note = verdicts.accepted(book, packets, admitted, unseen=question.unseen[sight])
    reply_sets = sets.number(replies.offsets, replies.rules)
    untracked = replies.counts > 0
    reply_match = np.where(untracked, verdicts.matched(replies.counts), verdicts.RESPONSE)
    rules = np.where(match == verdicts.NULL, NO_SET, sets.number(admitted.offsets, admitted.rules))
    return Units(
        of_sighting,
        of_sight,
        with_last(match, verdicts.NULL),
        with_last(note, verdicts.NULL),
        with_last(rules, NO_SET),
        with_last(np.where(untracked, reply_sets, NO_SET), NO_SET),
        with_last(reply_match, verdicts.NULL),
        with_last(admitted.peer_row, -1),
    )
