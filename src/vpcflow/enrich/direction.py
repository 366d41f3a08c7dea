"""Whether a flow came in or went out, seen from the network interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow.codes import DIRECTIONS
from vpcflow.dictionaries import codes_of, dictionary_array, texts_of

if TYPE_CHECKING:
    from vpcflow.enrich.answers import Answers

_INGRESS, _EGRESS = DIRECTIONS.index("ingress"), DIRECTIONS.index("egress")
_LOG, _ADDRESS = 0, 1


def add_direction(flows: pa.RecordBatch, answers: Answers) -> dict[str, pa.Array]:
    """
    Write ``direction``: AWS's ``flow_direction`` where the log has it (since version 5), else inferred.

    Inferred ``egress`` when ``srcaddr`` is an address of the interface (any: secondary, public, IPv6, of a delegated
    prefix), ``ingress`` when ``dstaddr`` is. Null when neither or both, as at an interface that forwards: never a
    guess. A ``flow_direction`` that is neither of the two counts as not logged. Transit Gateway flows have no
    interface to infer from. https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
    """
    direction = _logged(answers.column("flow_direction"))
    is_logged = direction >= 0
    unsettled = ~(is_logged | answers.at_gateway)
    if _have_address(answers, unsettled):
        direction = np.where(unsettled, _inferred(answers), direction)
    basis = np.where(is_logged, np.int32(_LOG), np.int32(_ADDRESS))
    basis[direction < 0] = -1
    return {
        "direction": dictionary_array(direction, texts_of(DIRECTIONS)),
        "direction_basis": dictionary_array(basis, texts_of(("log", "address"))),
    }


def _logged(column: pa.DictionaryArray) -> npt.NDArray[np.int32]:
    if column.null_count == len(column):
        return np.full(len(column), -1, np.int32)
    known = {name: code for code, name in enumerate(DIRECTIONS)}
    meant = [known.get(text.lower(), -1) for text in column.dictionary.to_pylist()]
    # A null row's code is -1: it takes the item added at the end.
    return np.array([*meant, -1], np.int32)[codes_of(column)]


def _have_address(answers: Answers, rows: npt.NDArray[np.bool_]) -> bool:
    """Tell whether any of these rows has an address: NODATA rows have no direction to look for."""
    return any(
        bool((rows & (codes_of(answers.column(name)) >= 0)).any())
        for name in ("srcaddr", "dstaddr")
    )


def _inferred(answers: Answers) -> npt.NDArray[np.int32]:
    outward, inward = answers.owns("srcaddr"), answers.owns("dstaddr")
    meaning = np.array([-1, _EGRESS, _INGRESS, -1], np.int32)
    return meaning.take(outward + np.int8(2) * inward)
