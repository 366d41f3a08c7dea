"""What tests of enrichers are written with: flows from text, an inventory from a few interfaces."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from vpcflow.enrich import Reference, enrich
from vpcflow.fields import FIELD_BY_COLUMN, FIELDS
from vpcflow.inventory import Eni, GroupRef, Inventory, PrivateAddress, Snapshot, Vpc

TEXT = pa.dictionary(pa.int32(), pa.string())
CAPTURED_AT = 1_700_000_000
ACCOUNT = "123456789012"


def flows(layout: str, *lines: str) -> pa.RecordBatch:
    """Make a batch of a layout of column names and lines of values, ``-`` for null; checks nothing."""
    names = layout.split()
    rows = [line.split() for line in lines]
    columns = [_column(name, [row[i] for row in rows]) for i, name in enumerate(names)]
    return pa.RecordBatch.from_arrays(columns, names)


def all_fields(rows: int, *, null: bool = False) -> pa.RecordBatch:
    """Make a batch with every field of the table, of VPC and Transit Gateway, each value a plausible one or null."""
    values = {"address": "10.0.0.5", "text": "x", "tag": "x", "time": str(CAPTURED_AT)}
    columns = [_column(f.column, ["-" if null else values.get(f.kind, "6")] * rows) for f in FIELDS]
    return pa.RecordBatch.from_arrays(columns, [f.column for f in FIELDS])


def eni(
    interface_id: str, addresses: str = "", *, vpc: str = "vpc-a", groups: str = "", **more: Any
) -> Eni:
    """Make an interface of addresses (the primary first) and group ids divided by spaces."""
    private = tuple(PrivateAddress(a, i == 0) for i, a in enumerate(addresses.split()))
    refs = tuple(GroupRef(group, f"name of {group}") for group in groups.split())
    return Eni(interface_id, vpc_id=vpc, private_addresses=private, groups=refs, **more)


def snapshot(*things: Eni | Vpc, at: int = CAPTURED_AT, **more: Any) -> Snapshot:
    """Capture interfaces and VPCs, and whatever else is named."""
    return Snapshot(
        at,
        kinds=frozenset({"interfaces", "vpcs", *more}),
        interfaces=tuple(t for t in things if isinstance(t, Eni)),
        vpcs=tuple(t for t in things if isinstance(t, Vpc)),
        **more,
    )


def inventory(*things: Eni | Vpc) -> Inventory:
    """Make an inventory of one snapshot."""
    return Inventory([snapshot(*things)])


def added(batch: pa.RecordBatch, columns: str, reference: Reference) -> list[tuple[Any, ...]]:
    """Enrich, and give the named columns row by row."""
    names = columns.split()
    own = [name for name in names if name not in batch.schema.names]
    result = enrich(batch, reference, columns=own)
    return list(zip(*(result.column(name).to_pylist() for name in names)))


def _column(name: str, values: list[str]) -> pa.Array:
    field = FIELD_BY_COLUMN[name]
    texts = pa.array([None if value == "-" else value for value in values], pa.string())
    return (
        texts.dictionary_encode().cast(TEXT)
        if field.type == pa.string()
        else texts.cast(field.type)
    )
