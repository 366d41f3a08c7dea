"""The versions of network interfaces as columns, one row a version, ready for ``take``."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpcflow.inventory.model import Eni, Tags


class EniVersion(NamedTuple):
    """An ENI as it was at some time, with the name its instance had."""

    eni: Eni
    instance_name: str | None


class InterfaceTable(NamedTuple):
    """
    All versions of all ENIs: every field is a column of one row a version; null where not known.

    Text is ``dictionary<int32, string>`` with distinct values, groups are lists of that, sorted by group id, names in
    the order of the ids (null elements where a name is not known). ``tags`` are lists of structs of key and value, both
    text, sorted by key.
    """

    interface_id: pa.DictionaryArray
    type: pa.DictionaryArray
    owner_id: pa.DictionaryArray
    description: pa.DictionaryArray
    instance_id: pa.DictionaryArray
    instance_name: pa.DictionaryArray
    vpc_id: pa.DictionaryArray
    subnet_id: pa.DictionaryArray
    az_id: pa.DictionaryArray
    tags: pa.ListArray
    security_group_ids: pa.ListArray
    security_group_names: pa.ListArray


def interface_table(versions: Sequence[EniVersion]) -> InterfaceTable:
    """Lay out versions as columns, in their order."""
    enis = [version.eni for version in versions]
    return InterfaceTable(
        interface_id=_text([e.interface_id for e in enis]),
        type=_text([e.interface_type for e in enis]),
        owner_id=_text([e.owner_id for e in enis]),
        description=_text([e.description for e in enis]),
        instance_id=_text([e.instance_id for e in enis]),
        instance_name=_text([v.instance_name for v in versions]),
        vpc_id=_text([e.vpc_id for e in enis]),
        subnet_id=_text([e.subnet_id for e in enis]),
        az_id=_text([e.az_id for e in enis]),
        tags=_tags([e.tags for e in enis]),
        security_group_ids=_lists([[g.group_id for g in e.groups] for e in enis]),
        security_group_names=_lists([[g.name for g in e.groups] for e in enis]),
    )


def _text(values: Sequence[str | None]) -> pa.DictionaryArray:
    return pa.array(values, pa.string()).dictionary_encode()


def _tags(values: Sequence[Tags]) -> pa.ListArray:
    keys = _text([key for value in values for key, _ in value])
    texts = _text([text for value in values for _, text in value])
    structs = pa.StructArray.from_arrays([keys, texts], ["key", "value"])
    return pa.ListArray.from_arrays(_offsets(values), structs)


def _lists(values: Sequence[Sequence[str | None]]) -> pa.ListArray:
    items = _text([item for value in values for item in value])
    return pa.ListArray.from_arrays(_offsets(values), items)


def _offsets(values: Sequence[Sequence[object]]) -> pa.Int32Array:
    return pa.array([0, *accumulate(map(len, values))], pa.int32())
