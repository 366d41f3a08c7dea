"""
The address of an Iceberg table: ``iceberg://[CATALOG/]NAMESPACE.TABLE[?PROPERTY=VALUE]``.

CATALOG is a name of pyiceberg's configuration, or a folder (it begins with ``/``, ``./`` or ``../``): then the catalog
is a SQLite file in that folder, and the folder the warehouse.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl

from vpcflow.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEME = "iceberg://"
DEFAULT_CATALOG = "default"

_FORM = (
    "write iceberg://CATALOG/NAMESPACE.TABLE, CATALOG a name of pyiceberg's configuration,"
    " or iceberg:///FOLDER/NAMESPACE.TABLE"
)
_PART = re.compile(r"[^\s./?#%]+")
_CATALOG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_SECRET = re.compile(r"secret|token|password|credential|access-key|authorization", re.IGNORECASE)


class TableAddress(NamedTuple):
    """A table; ``folder`` is that of an embedded catalog, else None, and ``properties`` add to the configuration."""

    catalog: str
    folder: str | None
    table: tuple[str, ...]
    properties: Mapping[str, str] = MappingProxyType({})

    @property
    def name(self) -> str:
        """What a person may call it; no property is in it."""
        return f"{self.folder or self.catalog}/{'.'.join(self.table)}"


def is_table_url(to: object) -> bool:
    """Tell whether something names an Iceberg table."""
    return isinstance(to, str) and to[: len(SCHEME)].lower() == SCHEME


def is_secret(name: str) -> bool:
    """Tell by its name whether a catalog's property holds what nobody may see."""
    return _SECRET.search(name) is not None


def parse_table_url(to: str) -> TableAddress:
    """
    Read the address; raises ``FormatError``, also where a secret is in it.

    >>> parse_table_url("iceberg://lake/network.flows")
    TableAddress(catalog='lake', folder=None, table=('network', 'flows'), properties=mappingproxy({}))
    >>> parse_table_url("iceberg://./lake/network.flows").folder
    './lake'
    """
    address, has_query, query = to[len(SCHEME) :].partition("?")
    place, _, table = address.rpartition("/")
    parts = tuple(table.split("."))
    if len(parts) < 2 or not all(map(_PART.fullmatch, parts)):
        raise FormatError(f"{_shown(to)} names no table with its namespace: {_FORM}")
    if address.startswith(("/", "./", "../")):
        if has_query:
            raise FormatError(f"{_shown(to)}: the catalog of a folder takes no properties")
        return TableAddress(DEFAULT_CATALOG, place or "/", parts)
    catalog = place or DEFAULT_CATALOG
    if not _CATALOG.fullmatch(catalog):
        raise FormatError(f"{_shown(to)} names no catalog: {_FORM}")
    return TableAddress(catalog, None, parts, MappingProxyType(_properties(to, query)))


def _properties(to: str, query: str) -> dict[str, str]:
    try:
        found = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    except ValueError:
        raise FormatError(f"{_shown(to)}: write properties as ?NAME=VALUE&NAME=VALUE") from None
    if secret := [name for name in found if is_secret(name)]:
        raise FormatError(
            f"{_shown(to)}: {', '.join(secret)} would be seen by all who list processes: "
            f"set it in the environment (PYICEBERG_CATALOG__…) or .pyiceberg.yaml"
        )
    return found


def _shown(to: str) -> str:
    """Quote the address without its properties, of which one may be a secret."""
    return repr(to.partition("?")[0])
