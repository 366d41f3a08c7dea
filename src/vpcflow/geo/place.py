"""
A place out of a record of a geolocation database, whichever of the two common layouts it has.

Nested is MaxMind's (https://dev.maxmind.com/geoip/docs/databases/city-and-country), also DB-IP's; flat is
ip-location-db's. Records of autonomous systems are the same in both.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from vpcflow.geo import iso


class Place(NamedTuple):
    """
    Where an address is and who announces it; None where not known.

    ``region_code`` is ISO 3166-2 without the country; degrees north and east are both known or both not.
    """

    country_code: str | None = None
    country_name: str | None = None
    region_code: str | None = None
    region_name: str | None = None
    city: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    as_number: int | None = None
    as_org: str | None = None


def read_place(record: object) -> Place:
    """
    Read a record; what it lacks, holds as ``''``, or holds in an unknown form is None.

    The country is the one the address is in (``country``), never the one it is registered in. Country names and
    region codes the record lacks are ISO's, where there is one answer.
    """
    if not isinstance(record, dict):
        return Place()
    is_nested = any(isinstance(record.get(key), dict | list) for key in _NESTED_KEYS)
    place = _nested_place(record) if is_nested else _flat_place(record)
    return _with_iso_names(place)._replace(
        as_number=_as_number(record.get("autonomous_system_number")),
        as_org=_text(record.get("autonomous_system_organization")),
    )


_NESTED_KEYS = ("country", "city", "subdivisions", "location", "continent", "registered_country")


def _nested_place(record: dict[str, object]) -> Place:
    subdivisions = record.get("subdivisions")
    region = subdivisions[0] if isinstance(subdivisions, list) and subdivisions else None
    latitude, longitude = _degrees(
        _inner(record, "location", "latitude"), _inner(record, "location", "longitude")
    )
    return Place(
        country_code=_text(_inner(record, "country", "iso_code")),
        country_name=_text(_inner(record, "country", "names", "en")),
        region_code=_text(_inner(region, "iso_code")),
        region_name=_text(_inner(region, "names", "en")),
        city=_text(_inner(record, "city", "names", "en")),
        latitude=latitude,
        longitude=longitude,
    )


def _flat_place(record: dict[str, object]) -> Place:
    latitude, longitude = _degrees(record.get("latitude"), record.get("longitude"))
    return Place(
        country_code=_text(record.get("country_code")),
        region_name=_text(record.get("state1")),
        city=_text(record.get("city")),
        latitude=latitude,
        longitude=longitude,
    )


def _with_iso_names(place: Place) -> Place:
    if place.country_code is None:
        return place
    name, code = place.country_name, place.region_code
    if name is None:
        name = iso.country_name(place.country_code)
    if code is None and place.region_name is not None:
        code = iso.region_code(place.country_code, place.region_name)
    return place._replace(country_name=name, region_code=code)


def _inner(record: object, *keys: str) -> object:
    for key in keys:
        record = record.get(key) if isinstance(record, dict) else None
    return record


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _degrees(latitude: object, longitude: object) -> tuple[float | None, float | None]:
    north, east = _number(latitude), _number(longitude)
    if north is None or east is None or abs(north) > 90 or abs(east) > 180:
        return None, None
    return north, east


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _as_number(value: object) -> int | None:
    """Read an AS number, also as text and as ``AS64496``; 0 is nobody's (RFC 7607)."""
    if isinstance(value, str):
        digits = value.upper().removeprefix("AS")
        value = int(digits) if digits.isascii() and digits.isdigit() else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 < value < 1 << 32 else None
