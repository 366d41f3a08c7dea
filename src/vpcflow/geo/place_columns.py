"""Places of thousands of records at once, in columns: where compiled code found the values of the records."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vpcflow.geo.place import CONTAINERS, Place, as_number_of, names_of, number_of, text_of
from vpcflow.geo.place_table import PlaceColumns
from vpcflow.native import CONTAINER, FLOAT, INTEGER, NOTHING, TEXT, UNSURE, Values

if TYPE_CHECKING:
    from collections.abc import Callable

    Section = npt.NDArray[np.uint8]
    Bools = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]

_NESTED = {
    "country_code": "country/iso_code",
    "country_name": "country/names/en",
    "region_code": "subdivisions//iso_code",
    "region_name": "subdivisions//names/en",
    "city": "city/names/en",
    "latitude": "location/latitude",
    "longitude": "location/longitude",
}
_FLAT = {
    "country_code": "country_code",
    "region_name": "state1",
    "city": "city",
    "latitude": "latitude",
    "longitude": "longitude",
}
_EITHER = {
    "as_number": "autonomous_system_number",
    "as_org": "autonomous_system_organization",
}
PATHS = tuple(dict.fromkeys((*CONTAINERS, *_NESTED.values(), *_FLAT.values(), *_EITHER.values())))
"""Where in a record of either layout the values are that places are made of; see ``native.find_values``."""

_NAMES = Place._fields[:4]
_PLACE_OF = {path: place for place, path in enumerate(PATHS)}


def place_columns(values: Values, section: Section) -> PlaceColumns | None:
    """
    Give the places, by the rules of ``read_place``, of records whose ``values`` lie along ``PATHS``.

    ``section`` is the data section of the file. None where a record has to be looked at more closely.
    """
    if (values.kinds == UNSURE).any():
        return None
    is_nested = (values.kinds[[_PLACE_OF[path] for path in CONTAINERS]] == CONTAINER).any(axis=0)
    columns = {field: _column(values, field, is_nested) for field in Place._fields}
    try:
        texts = {field: _texts(columns[field], section) for field in (*_NAMES, "city", "as_org")}
        north, east = (
            _numbers(columns[field], section, number_of) for field in ("latitude", "longitude")
        )
        systems = _numbers(_whole(columns["as_number"]), section, as_number_of)
    except UnicodeDecodeError:
        return None
    names = zip(*map(cache(names_of), *(texts[name] for name in _NAMES)))
    is_known = (np.abs(north) <= 90) & (np.abs(east) <= 180)
    return PlaceColumns(
        texts | dict(zip(_NAMES, names)),
        {
            "latitude": np.where(is_known, north, np.nan),
            "longitude": np.where(is_known, east, np.nan),
            "as_number": np.where((systems > 0) & (systems < 1 << 32), systems, np.nan),
        },
    )


def _column(values: Values, field: str, is_nested: Bools) -> Values:
    """Give the values of a field: from where nested records have it, and from where flat ones have."""
    if field in _EITHER:
        return _along(values, _EITHER[field])
    nested = _along(values, _NESTED[field])
    if is_nested.all():
        return nested
    if field not in _FLAT:
        return nested._replace(kinds=np.where(is_nested, nested.kinds, np.uint8(NOTHING)))
    flat = _along(values, _FLAT[field])
    return Values(
        np.where(is_nested, nested.kinds, flat.kinds),
        np.where(is_nested, nested.places, flat.places),
        np.where(is_nested, nested.numbers, flat.numbers),
    )


def _along(values: Values, path: str) -> Values:
    place = _PLACE_OF[path]
    return Values(values.kinds[place], values.places[place], values.numbers[place])


def _whole(column: Values) -> Values:
    return column._replace(kinds=np.where(column.kinds == FLOAT, np.uint8(NOTHING), column.kinds))


def _texts(column: Values, section: Section) -> list[str | None]:
    """Give the texts, None where there is none; each place is decoded once, as most records share theirs."""
    is_text = column.kinds == TEXT
    places = np.where(is_text, column.places, -1).tolist()
    sizes = dict(zip(places, column.numbers.tolist()))
    data = section.data
    known = {
        place: text_of(str(data[place : place + size], "utf-8"))
        for place, size in sizes.items()
        if place >= 0
    }
    return list(map(known.get, places))


def _numbers(column: Values, section: Section, read: Callable[[object], float | None]) -> Floats:
    """Give the numbers, also those that are written as text, NaN where there is none."""
    numbers = np.full(len(column.kinds), np.nan)
    floats, integers = column.kinds == FLOAT, column.kinds == INTEGER
    numbers[floats] = column.numbers[floats].view(np.float64)
    numbers[integers] = column.numbers[integers]
    if len(texts := np.flatnonzero(column.kinds == TEXT)):
        written = _texts(column, section)
        numbers[texts] = [read(written[place]) for place in texts.tolist()]
    return numbers
