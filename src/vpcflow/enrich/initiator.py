"""The end of a flow that opened its connection: the one whose packets need a security group rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from vpcflow.codes import INITIATOR_BASES, INITIATOR_CONFIDENCE, INITIATORS
from vpcflow.dictionaries import dictionary_array, texts_of
from vpcflow.enrich.judgement import judged

if TYPE_CHECKING:
    from vpcflow.enrich.answers import Answers

_BASES = tuple(INITIATOR_BASES)
_CONFIDENCE = np.array([*(INITIATOR_CONFIDENCE[basis] for basis in _BASES), 0.0])


def add_initiator(flows: pa.RecordBatch, answers: Answers) -> dict[str, pa.Array]:
    """
    Write ``initiator``, ``initiator_basis`` and ``initiator_confidence``: what the record itself tells.

    Its TCP flags do where there are SYNs; of other accepted records the rules of the inventory, where those of the
    interface, or of the peer's, would have turned away one of the two had it opened the connection. Else null: more
    takes other records of the connection. Reads ``direction``.
    """
    found = judged(flows, answers)
    return {
        "initiator": dictionary_array(found.initiator, texts_of(INITIATORS)),
        "initiator_basis": dictionary_array(found.basis, texts_of(_BASES)),
        "initiator_confidence": pa.array(_CONFIDENCE[found.basis], mask=found.basis < 0),
    }
