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
    is_nested = any(isinstance(record.get(key), dict | list) for key in _NESTED_KEYS)
    return _nested_place(record) if is_nested else _flat_place(record)


_NESTED_KEYS = ("country", "city", "subdivisions", "location", "continent", "registered_country")
_NOTHING: Mapping[str, object] = MappingProxyType({})


def _nested_place(record: Mapping[str, object]) -> Place:
    country, location = _mapping(record.get("country")), _mapping(record.get("location"))
    subdivisions = record.get("subdivisions")
    region = _mapping(subdivisions[0] if isinstance(subdivisions, list) and subdivisions else None)
    return _place(
        record,
        country_code=country.get("iso_code"),
        country_name=_mapping(country.get("names")).get("en"),
        region_code=region.get("iso_code"),
        region_name=_mapping(region.get("names")).get("en"),
        city=_mapping(_mapping(record.get("city")).get("names")).get("en"),
        latitude=location.get("latitude"),
        longitude=location.get("longitude"),
    )


def _flat_place(record: Mapping[str, object]) -> Place:
    return _place(
        record,
        country_code=record.get("country_code"),
        country_name=None,
        region_code=None,
        region_name=record.get("state1"),
        city=record.get("city"),
        latitude=record.get("latitude"),
        longitude=record.get("longitude"),
    )


def _place(
    record: Mapping[str, object],
    *,
    country_code: object,
    country_name: object,
    region_code: object,
    region_name: object,
    city: object,
    latitude: object,
    longitude: object,
) -> Place:
    country, region, code = _text(country_code), _text(region_name), _text(region_code)
    name = _text(country_name)
    if country and not name:
        name = iso.country_name(country)
    if country and region and not code:
        code = iso.region_code(country, region)
    return Place(
        country,
        name,
        code,
        region,
        _text(city),
        *_degrees(latitude, longitude),
        _as_number(record.get("autonomous_system_number")),
        _text(record.get("autonomous_system_organization")),
    )


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else _NOTHING


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
