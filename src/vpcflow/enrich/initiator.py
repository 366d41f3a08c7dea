"""The end of a flow that opened its connection: the one whose packets need a security group rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow.codes import INITIATOR_BASES, INITIATOR_CONFIDENCE, INITIATORS
from vpcflow.dictionaries import dictionary_array, texts_of

if TYPE_CHECKING:
    from vpcflow.enrich.answers import Answers

_TCP, _SYN, _ACK = 6, 2, 16
_SRC, _DST = INITIATORS.index("src"), INITIATORS.index("dst")
_BASES = tuple(INITIATOR_BASES)
_FLAGS = _BASES.index("flags")
_CONFIDENCE = np.array([*(INITIATOR_CONFIDENCE[basis] for basis in _BASES), 0.0])


def add_initiator(flows: pa.RecordBatch, answers: Answers) -> dict[str, pa.Array]:
    """
    Write ``initiator``, ``initiator_basis`` and ``initiator_confidence``: what the record itself tells.

    TCP flags, which are OR-ed over the interval: SYN without ACK is sent by the end that opens, SYN with ACK by the
    other. AWS logs ACK only with SYN, so that records of neither end's first packets have 0, and no initiator.
    https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html, field tcp-flags
    """
    initiator = by_flags(flows)
    basis = np.where(initiator >= 0, np.int32(_FLAGS), np.int32(-1))
    return {
        "initiator": dictionary_array(initiator, texts_of(INITIATORS)),
        "initiator_basis": dictionary_array(basis, texts_of(_BASES)),
        "initiator_confidence": pa.array(_CONFIDENCE[basis], mask=basis < 0),
    }


def by_flags(flows: pa.RecordBatch) -> npt.NDArray[np.int32]:
    """Give each flow's initiator by its TCP flags, an index into ``codes.INITIATORS``; -1 where they do not tell."""
    found = np.full(flows.num_rows, -1, np.int32)
    if not {"protocol", "tcp_flags"} <= set(flows.schema.names):
        return found
    flags, protocol = _numbers(flows, "tcp_flags"), _numbers(flows, "protocol")
    opens = (protocol == _TCP) & ((flags & _SYN) != 0)
    found[opens] = np.where((flags[opens] & _ACK) != 0, np.int32(_DST), np.int32(_SRC))
    return found


def _numbers(flows: pa.RecordBatch, name: str) -> npt.NDArray[np.int32]:
    column = flows.column(name)
    if column.null_count:
        column = column.fill_null(0)
    return np.asarray(column.to_numpy(zero_copy_only=False), np.int32)
