"""How OpenSearch is to index a column: from the tables of fields, as all that is derived from them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from vpcflow.fields import ADDED_BY_COLUMN, FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    Property = Mapping[str, Any]
    """A property of a mapping, as OpenSearch spells it: ``{"type": "ip"}``."""

KEYWORD: Property = MappingProxyType({"type": "keyword", "ignore_above": 1024})
"""Ids, names and codes: found whole, counted and sorted, never cut into words."""

ADDRESS: Property = MappingProxyType({"type": "ip", "ignore_malformed": True})
"""What is no address costs the field its index, not the document."""

LONG: Property = MappingProxyType({"type": "long"})
DATE: Property = MappingProxyType({"type": "date"})
SECONDS: Property = MappingProxyType({"type": "date", "format": "epoch_second"})
POINT: Property = MappingProxyType({"type": "geo_point"})
TAGS: Property = MappingProxyType({"type": "flat_object"})
"""An object of any keys, searched as ``eni_tags.Name``: one field of the index, not one for each key."""

_KINDS = MappingProxyType({field.column: field.kind for field in FIELDS})
_ADDRESSES_ADDED = frozenset({"peer_addr"})
_NUMBERS = MappingProxyType(
    {pa.int32(): "integer", pa.int64(): "long", pa.float64(): "double", pa.bool_(): "boolean"}
)
_TYPES = MappingProxyType({field.column: field.type for field in FIELDS})


def index_type(column: str) -> Property:
    """
    Give the property for a column of the tables; raises ``KeyError`` where neither has it.

    >>> index_type("srcaddr")["type"], index_type("end")["format"], index_type("bytes")["type"]
    ('ip', 'epoch_second', 'long')
    """
    kind = _KINDS.get(column)
    if kind == "address" or column in _ADDRESSES_ADDED:
        return ADDRESS
    if kind == "time":
        return SECONDS
    return _of_arrow(_TYPES[column] if kind else ADDED_BY_COLUMN[column].type)


def _of_arrow(type_: pa.DataType) -> Property:
    if pa.types.is_list(type_):
        return TAGS if pa.types.is_struct(type_.value_type) else KEYWORD
    if type_ in _NUMBERS:
        return MappingProxyType({"type": _NUMBERS[type_]})
    return KEYWORD
