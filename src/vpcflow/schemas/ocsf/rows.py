"""
OCSF events as rows of nested columns, for Parquet: every row has the same columns, whatever its flow's log had.

Types are those Security Lake writes for its own sources: times are numbers of milliseconds, ``unmapped`` is a map of
texts. What is of any type in the schema is JSON: ``enrichments``' data, and lists in ``unmapped``.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa

from vpcflow.fragments import column_parts, json_texts, member, nested
from vpcflow.json_lines import lines
from vpcflow.schemas.ocsf.enrichments import PROVIDER
from vpcflow.schemas.ocsf.events import UNMAPPED, events_of
from vpcflow.schemas.ocsf.paths import mapping
from vpcflow.schemas.ocsf.values import Account, Constant, Enumerated
from vpcflow.schemas.ocsf.words import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vpcflow.schemas.ocsf.enrichments import Enrichment
    from vpcflow.schemas.ocsf.events import Events
    from vpcflow.schemas.ocsf.values import Value

    Leaves: TypeAlias = dict[str, pa.Array]

_TEXT = pa.string()
_TYPES = {
    "boolean": pa.bool_(),
    "date": pa.int64(),
    "double": pa.float64(),
    "integer": pa.int32(),
    "long": pa.int64(),
}
_LISTS = ("profiles", "intermediate_ips")
_ENRICHMENT = pa.struct([(name, _TEXT) for name in ("name", "value", "type", "provider", "data")])


@functools.cache
def row_schema() -> pa.Schema:
    """Give the schema of the rows: the index mapping's members, in Arrow's types."""
    return pa.schema([_field(name, kind) for name, kind in mapping().items()])


def rows_of(flows: pa.RecordBatch) -> pa.RecordBatch:
    """Give the events of flows as rows of ``row_schema``; an object of nothing is null."""
    events = events_of(flows)
    leaves = dict(leaf for path, value in events.members for leaf in _leaves(path, value, events))
    leaves["unmapped"] = _map({**_under(UNMAPPED, leaves), **_others(events)}, events.rows)
    leaves["enrichments"] = _list(events.enrichments, events.rows)
    columns = [_column(field, field.name, leaves, events.rows) for field in row_schema()]
    return pa.RecordBatch.from_arrays(columns, schema=row_schema())


def _field(name: str, kind: Mapping[str, object]) -> pa.Field:
    inner = kind.get("properties")
    if name == "unmapped":
        return pa.field(name, pa.map_(_TEXT, _TEXT))
    if name == "enrichments":
        return pa.field(name, pa.list_(_ENRICHMENT))
    if isinstance(inner, dict):
        return pa.field(name, pa.struct([_field(*one) for one in inner.items()]))
    if name in _LISTS:
        return pa.field(name, pa.list_(_TEXT))
    return pa.field(name, _TYPES.get(str(kind["type"]), _TEXT))


def _leaves(path: str, value: Value, events: Events) -> Iterator[tuple[str, pa.Array]]:
    if isinstance(value, Constant):
        yield path, _repeated(value.value, events.rows)
    elif isinstance(value, Account):
        yield f"{path}.uid", value.uid
        for name, constant in (("type", ACCOUNT.caption), ("type_id", ACCOUNT.id)):
            yield f"{path}.{name}", _repeated_where(constant, value.uid)
    elif isinstance(value, Enumerated):
        captions = pa.array([meaning.caption for meaning in value.meanings], _TEXT)
        yield f"{path}_id", value.ids
        yield path, captions.take(pa.array(value.numbers, mask=value.numbers < 0))
    else:
        yield path, value


def _repeated(value: object, rows: int) -> pa.Array:
    kind = pa.list_(_TEXT) if isinstance(value, tuple) else None
    return pa.repeat(pa.scalar(list(value) if isinstance(value, tuple) else value, kind), rows)


def _repeated_where(value: object, column: pa.Array) -> pa.Array:
    """Give the value to the rows that the column has one for."""
    places = np.zeros(len(column), np.int32)
    valid = np.asarray(column.is_valid().to_numpy(zero_copy_only=False), np.bool_)
    return pa.array([value]).take(pa.array(places, mask=~valid))


def _column(field: pa.Field, path: str, leaves: Leaves, rows: int) -> pa.Array:
    if not pa.types.is_struct(field.type):
        found = leaves.get(path)
        return pa.nulls(rows, field.type) if found is None else _plain(found).cast(field.type)
    children = [_column(child, f"{path}.{child.name}", leaves, rows) for child in field.type]
    present = np.zeros(rows, np.bool_)
    for child in children:
        if child.null_count < rows:
            present |= np.asarray(child.is_valid().to_numpy(zero_copy_only=False), np.bool_)
    return pa.StructArray.from_arrays(children, fields=[*field.type], mask=pa.array(~present))


def _plain(array: pa.Array) -> pa.Array:
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _under(prefix: str, leaves: Leaves) -> Leaves:
    return {p.removeprefix(prefix): a for p, a in leaves.items() if p.startswith(prefix)}


def _others(events: Events) -> Leaves:
    return {f"other.{name}": array for name, array in events.others.items()}


def _map(values: Leaves, rows: int) -> pa.MapArray:
    """Give each row the keys it has values for, and these as text; lists are JSON."""
    texts = [_plain(json_texts(a) if pa.types.is_list(a.type) else a) for a in values.values()]
    texts = [array.cast(_TEXT) for array in texts]
    row, column = _where(texts, rows)
    bounds = np.append(0, np.cumsum(np.bincount(row, minlength=rows)))
    keys = pa.array(values, _TEXT).take(pa.array(column))
    items = pa.concat_arrays([*texts, pa.nulls(0, _TEXT)]).take(pa.array(column * rows + row))
    return pa.MapArray.from_arrays(pa.array(bounds, pa.int32()), keys, items)


def _list(enrichments: list[Enrichment], rows: int) -> pa.ListArray:
    structs = [_structs(one, rows) for one in enrichments]
    row, column = _where([one.field("name") for one in structs], rows)
    bounds = np.append(0, np.cumsum(np.bincount(row, minlength=rows)))
    every = pa.concat_arrays([*structs, pa.nulls(0, _ENRICHMENT)])
    elements = every.take(pa.array(column * rows + row))
    return pa.ListArray.from_arrays(pa.array(bounds, pa.int32()), elements)


def _structs(enrichment: Enrichment, rows: int) -> pa.StructArray:
    data = nested((name, column_parts(member(name), a)) for name, a in enrichment.data.items())
    texts = b"".join(map(bytes, lines(data, rows)))
    columns = [
        _plain(enrichment.name),
        _plain(enrichment.value),
        _repeated(enrichment.type, rows),
        _repeated(PROVIDER, rows),
        _texts(texts, rows),
    ]
    return pa.StructArray.from_arrays(columns, fields=[*_ENRICHMENT])


def _texts(text: bytes, rows: int) -> pa.StringArray:
    """Give each line as a text, without its line feed."""
    characters = np.frombuffer(text, np.uint8)
    is_end = characters == ord("\n")
    ends = np.flatnonzero(is_end) - np.arange(rows)
    bounds = np.append(0, ends).astype(np.int32)
    buffers = [None, pa.py_buffer(bounds), pa.py_buffer(characters[~is_end])]
    return pa.Array.from_buffers(_TEXT, rows, buffers)


def _where(arrays: list[pa.Array], rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the row and the column of each value there is, row by row."""
    valid = np.zeros((rows, len(arrays)), np.bool_)
    for column, array in enumerate(arrays):
        valid[:, column] = array.is_valid().to_numpy(zero_copy_only=False)
    found = np.nonzero(valid)
    return found[0], found[1]
