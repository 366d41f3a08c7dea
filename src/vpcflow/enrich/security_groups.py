"""The security groups that guarded the network interface at the flow's time, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from vpcflow.codes import INVENTORY_STATES
from vpcflow.dictionaries import dictionary_array, row_indices, texts_of

if TYPE_CHECKING:
    from vpcflow.enrich.answers import Answers

_COLUMNS = (
    "security_group_ids",
    "security_group_names",
    "inventory_state",
    "inventory_age_s",
)
_UNKNOWN = INVENTORY_STATES.index("unknown")


def add_security_groups(flows: pa.RecordBatch, answers: Answers) -> dict[str, pa.Array]:
    """
    Write the groups of the flow's own interface, with the state and the age of that answer.

    Without an inventory all four are null. With one, ``inventory_state`` is never null: a row whose interface is
    unknown, or that names none (``-``, as of a regional NAT gateway), or that has no time, is ``unknown``, and the
    other three are null. An interface that had no groups has empty lists.
    """
    inventory, own = answers.reference.inventory, answers.own
    if inventory is None or own is None:
        return {column: answers.nulls(column) for column in _COLUMNS}
    rows = row_indices(own.rows)
    # To take lists costs most of all.
    lists = {
        column: getattr(inventory.interfaces, column).take(rows)
        for column in ("security_group_ids", "security_group_names")
        if answers.wants(column)
    }
    return {
        **lists,
        "inventory_state": dictionary_array(own.state.astype(np.int32), texts_of(INVENTORY_STATES)),
        "inventory_age_s": pa.array(own.age_s, mask=own.state == _UNKNOWN),
    }
