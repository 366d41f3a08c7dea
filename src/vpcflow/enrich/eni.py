"""The network interface a flow was recorded at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpcflow.dictionaries import row_indices

if TYPE_CHECKING:
    import pyarrow as pa

    from vpcflow.enrich.answers import Answers

_ATTRIBUTES = {
    "eni_type": "type",
    "eni_owner_id": "owner_id",
    "eni_description": "description",
    "eni_instance_id": "instance_id",
    "eni_instance_name": "instance_name",
    "eni_vpc_id": "vpc_id",
    "eni_subnet_id": "subnet_id",
    "eni_az_id": "az_id",
    "eni_tags": "tags",
}
"""Column to column of the inventory's interfaces."""


def add_eni(flows: pa.RecordBatch, answers: Answers) -> dict[str, pa.Array]:
    """
    Write the ``eni_…`` columns: what the inventory says of the interface at the flow's time.

    Null without an inventory, and where it does not know the interface (``inventory_state`` is ``unknown`` there).
    Of a Transit Gateway flow it is the interface of the source's attachment, ``tgw_src_eni``.
    """
    inventory, own = answers.reference.inventory, answers.own
    if inventory is None or own is None:
        return {column: answers.nulls(column) for column in _ATTRIBUTES}
    rows = row_indices(own.rows)
    return {
        column: getattr(inventory.interfaces, attribute).take(rows)
        for column, attribute in _ATTRIBUTES.items()
    }
