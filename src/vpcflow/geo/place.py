"""
A place out of a record of a geolocation database, whichever of the two common layouts it has.

Nested is MaxMind's (https://dev.maxmind.com/geoip/docs/databases/city-and-country), also DB-IP's; flat is
ip-location-db's. Records of autonomous systems are the same in both.
"""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from vpcflow.geo import iso

if TYPE_CHECKING:
    from collections.abc import Mapping


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
    is_nested = any(isinstance(record.get(key), dict | list) for key in CONTAINERS)
    return place_of(
        *(_nested if is_nested else _flat)(record),
        record.get("autonomous_system_number"),
        record.get("autonomous_system_organization"),
    )


def place_of(
    country_code: object,
    country_name: object,
    region_code: object,
    region_name: object,
    city: object,
    latitude: object,
    longitude: object,
    as_number: object = None,
    as_org: object = None,
) -> Place:
    """Make a place of values as somebody else has them, by the rules of ``read_place``."""
    return Place(
        *names_of(country_code, country_name, region_code, region_name),
        text_of(city),
        *degrees_of(latitude, longitude),
        as_number_of(as_number),
        text_of(as_org),
    )


def names_of(
    country_code: object, country_name: object, region_code: object, region_name: object
) -> tuple[str | None, str | None, str | None, str | None]:
    """Make the first four fields of a place."""
    code, region = text_of(country_code), text_of(region_name)
    return (
        code,
        text_of(country_name) or (iso.country_name(code) if code else None),
        text_of(region_code) or (iso.region_code(code, region) if code and region else None),
        region,
    )


def text_of(value: object) -> str | None:
    """Give a text that is one and is not empty."""
    return value if isinstance(value, str) and value else None


def degrees_of(latitude: object, longitude: object) -> tuple[float | None, float | None]:
    """Give degrees north and east, both or neither."""
    north, east = number_of(latitude), number_of(longitude)
    if north is None or east is None or abs(north) > 90 or abs(east) > 180:
        return None, None
    return north, east


def number_of(value: object) -> float | None:
    """Read a finite number, also as text."""
    if type(value) is float:
        return value if math.isfinite(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def as_number_of(value: object) -> int | None:
    """Read an AS number, also as text and as ``AS64496``; 0 is nobody's (RFC 7607)."""
    if isinstance(value, str):
        digits = value.upper().removeprefix("AS")
        value = int(digits) if digits.isascii() and digits.isdigit() else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 < value < 1 << 32 else None


# Most records have the first: records are read by the thousand.
CONTAINERS = ("country", "city", "subdivisions", "location", "continent", "registered_country")
"""Where one of these holds something, the record is nested."""

_Values = tuple[object, object, object, object, object, object, object]
_NOTHING: Mapping[str, object] = MappingProxyType({})


def _nested(record: Mapping[str, object]) -> _Values:
    """Give country code and name, region code and name, city, latitude and longitude, whatever they are."""
    country, location = _mapping(record.get("country")), _mapping(record.get("location"))
    subdivisions = record.get("subdivisions")
    region = _mapping(subdivisions[0] if isinstance(subdivisions, list) and subdivisions else None)
    return (
        country.get("iso_code"),
        _mapping(country.get("names")).get("en"),
        region.get("iso_code"),
        _mapping(region.get("names")).get("en"),
        _mapping(_mapping(record.get("city")).get("names")).get("en"),
        location.get("latitude"),
        location.get("longitude"),
    )


def _flat(record: Mapping[str, object]) -> _Values:
    """Give the same of a flat record, which has neither country names nor region codes."""
    country, region, city = (record.get(key) for key in ("country_code", "state1", "city"))
    return country, None, None, region, city, record.get("latitude"), record.get("longitude")


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else _NOTHING
