"""Country names and region codes of ISO 3166, for databases that lack them; only where there is one answer."""

from __future__ import annotations

import unicodedata
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@cache
def country_name(country_code: str) -> str | None:
    """
    Give the everyday name of a country by its two-letter code, None for codes ISO 3166-1 does not have.

    >>> country_name("BO")
    'Bolivia'
    """
    return _country_names().get(country_code.upper())


@cache
def region_code(country_code: str, region_name: str) -> str | None:
    """
    Give the ISO 3166-2 code, without the country, of the country's only subdivision of that name.

    Case and accents do not count. None where no subdivision has the name, or several have.

    >>> region_code("US", "Washington"), region_code("CA", "Quebec")
    ('WA', 'QC')
    """
    return _codes_of(country_code.upper()).get(_fold(region_name))


@cache
def _country_names() -> Mapping[str, str]:
    return {
        entry["alpha_2"]: entry.get("common_name", entry["name"]) for entry in _entries("3166-1")
    }


@cache
def _codes_of(country_code: str) -> Mapping[str, str | None]:
    codes: dict[str, str | None] = {}
    for code, region_name in _regions().get(country_code, ()):
        name = _fold(region_name)
        codes[name] = None if name in codes else code
    return codes


@cache
def _regions() -> Mapping[str, Sequence[tuple[str, str]]]:
    """Give code and name of the subdivisions of each country."""
    found: dict[str, list[tuple[str, str]]] = {}
    for entry in _entries("3166-2"):
        country, _, code = entry["code"].partition("-")
        found.setdefault(country, []).append((code, entry["name"]))
    return found


def _entries(standard: str) -> list[dict[str, str]]:
    """Read one of pycountry's tables: to import it and have it make its objects takes ten times as long."""
    spec = find_spec("pycountry")
    assert spec is not None and spec.origin is not None
    file = Path(spec.origin).parent / "databases" / f"iso{standard}.json"
    entries: list[dict[str, str]] = orjson.loads(file.read_bytes())[standard]
    return entries


def _fold(text: str) -> str:
    if text.isascii():
        return text.casefold().strip()
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold().strip()
