"""Which security group rules admitted a flow, and why one was rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow.codes import REJECT_CAUSES, RULE_MATCHES, RULE_NOTES
from vpcflow.dictionaries import coalesce, dictionary_array, texts_of
from vpcflow.enrich.judgement import judged

if TYPE_CHECKING:
    from vpcflow.enrich.answers import Answers
    from vpcflow.enrich.judgement import Judgement

_MATCHES, _NOTES, _CAUSES = map(tuple, (RULE_MATCHES, RULE_NOTES, REJECT_CAUSES))


def add_rules(flows: pa.RecordBatch, answers: Answers) -> dict[str, pa.Array]:
    """
    Write ``rule_ids``, ``rule_match``, ``rule_note`` and ``reject_cause``: what flags and rules alone tell of a record.

    An accepted record of the end that opened its connection has all the rules, of all groups of its interface, that
    admit it, as they were in force at its time; an answer has none, unless its connection is not tracked. Who opened it
    is what the record itself tells: see ``initiator``. Null without rules in the inventory; ``rule_match`` is null too
    where the interface has no groups, and for Transit Gateway flows. Reads ``direction``.

    ``reject_cause`` is AWS's ``reject_reason`` where it is logged; else what rules and network ACLs say of the packet.
    """
    found = judged(flows, answers)
    cause = dictionary_array(found.cause.astype(np.int32), texts_of(_CAUSES))
    return {
        "rule_ids": _ids(found, answers)
        if answers.wants("rule_ids")
        else answers.nulls("rule_ids"),
        "rule_match": dictionary_array(found.match.astype(np.int32), texts_of(_MATCHES)),
        "rule_note": dictionary_array(found.note.astype(np.int32), texts_of(_NOTES)),
        "reject_cause": coalesce(answers.column("reject_reason"), cause),
    }


def _ids(found: Judgement, answers: Answers) -> pa.ListArray:
    guards = answers.reference.guards
    if guards is None or not found.has_rules.any():
        return answers.nulls("rule_ids")
    rules, codes = np.unique(found.rules.values, return_inverse=True)
    elements = dictionary_array(_codes(codes), guards.book.keys.take(pa.array(rules)))
    offsets = pa.array(found.rules.offsets.astype(np.int32))
    return pa.ListArray.from_arrays(offsets, elements, mask=pa.array(~found.has_rules))


def _codes(codes: npt.NDArray[np.intp]) -> npt.NDArray[np.int32]:
    return codes.reshape(-1).astype(np.int32)
