"""Country names and region codes of ISO 3166, for databases that lack them; only where there is one answer."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@cache
def country_name(country_code: str) -> str | None:
    """
    Give the everyday name of a country by its two-letter code, None for codes ISO 3166-1 does not have.

    >>> country_name("BO")
    'Bolivia'
    """
    # pycountry reads its tables at first use, which takes some 80 ms: databases with names and codes need none of it.
    import pycountry

    country = pycountry.countries.get(alpha_2=country_code)
    if country is None:
        return None
    return str(getattr(country, "common_name", country.name))


@cache
def region_code(country_code: str, region_name: str) -> str | None:
    """
    Give the ISO 3166-2 code, without the country, of the country's only subdivision of that name.

    Case and accents do not count. None where no subdivision has the name, or several have.

    >>> region_code("US", "Washington"), region_code("CA", "Quebec")
    ('WA', 'QC')
    """
    return _regions(country_code).get(_fold(region_name))


@cache
def _regions(country_code: str) -> Mapping[str, str | None]:
    import pycountry

    codes: dict[str, str | None] = {}
    for subdivision in pycountry.subdivisions.get(country_code=country_code) or ():  # type: ignore[no-untyped-call]
        name = _fold(subdivision.name)
        codes[name] = None if name in codes else subdivision.code.partition("-")[2]
    return codes


def _fold(text: str) -> str:
    if text.isascii():
        return text.casefold().strip()
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold().strip()
