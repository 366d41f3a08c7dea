"""The versions of network interfaces as columns, one row a version, ready for ``take``."""

from __future__ import annotations

from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from vpcflow.errors import InventoryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpcflow.inventory.model import Eni, Tags


class EniVersion(NamedTuple):
    """An ENI as it was at some time, with the name its instance had."""

    eni: Eni
    instance_name: str | None


class InterfaceTable:
    """
    All versions of all ENIs: every field is a column of one row a version, made at first use; null where not known.

    What a hand has written may not be of the types it should be: then the first use raises ``InventoryError``.

    Text is ``dictionary<int32, string>`` with distinct values, groups are lists of that, sorted by group id, names in
    the order of the ids (null elements where a name is not known). ``tags`` are lists of structs of key and value, both
    text, sorted by key.
    """

    def __init__(self, versions: Sequence[EniVersion]) -> None:
        self._versions = versions
        self._enis = [version.eni for version in versions]

    def make_all(self) -> None:
        """Make all columns now, so that a value that is no text raises ``InventoryError`` here."""
        for name, column in vars(InterfaceTable).items():
            if isinstance(column, cached_property):
                getattr(self, name)

    @cached_property
    def interface_id(self) -> pa.DictionaryArray:
        return _text([e.interface_id for e in self._enis])

    @cached_property
    def type(self) -> pa.DictionaryArray:
        return _text([e.interface_type for e in self._enis])

    @cached_property
    def owner_id(self) -> pa.DictionaryArray:
        return _text([e.owner_id for e in self._enis])

    @cached_property
    def description(self) -> pa.DictionaryArray:
        return _text([e.description for e in self._enis])

    @cached_property
    def instance_id(self) -> pa.DictionaryArray:
        return _text([e.instance_id for e in self._enis])

    @cached_property
    def instance_name(self) -> pa.DictionaryArray:
        return _text([version.instance_name for version in self._versions])

    @cached_property
    def vpc_id(self) -> pa.DictionaryArray:
        return _text([e.vpc_id for e in self._enis])

    @cached_property
    def subnet_id(self) -> pa.DictionaryArray:
        return _text([e.subnet_id for e in self._enis])

    @cached_property
    def az_id(self) -> pa.DictionaryArray:
        return _text([e.az_id for e in self._enis])

    @cached_property
    def tags(self) -> pa.ListArray:
        return _tags([e.tags for e in self._enis])

    @cached_property
    def security_group_ids(self) -> pa.ListArray:
        return _lists([[g.group_id for g in e.groups] for e in self._enis])

    @cached_property
    def security_group_names(self) -> pa.ListArray:
        return _lists([[g.name for g in e.groups] for e in self._enis])


def _text(values: Sequence[str | None]) -> pa.DictionaryArray:
    try:
        return pa.array(values, pa.string()).dictionary_encode()
    except (TypeError, ValueError) as error:
        wrong = next(value for value in values if not isinstance(value, str | None))
        raise InventoryError(
            f"a network interface has {wrong!r} where EC2 gives text; capture the inventory anew"
        ) from error


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
