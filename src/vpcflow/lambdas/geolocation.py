"""Who knows the places of addresses, as the settings of a function say."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from vpcflow.errors import ReferenceDataError, SettingsError
from vpcflow.geo import GeoLookup, open_geo

if TYPE_CHECKING:
    from vpcflow.geo.database import Kind
    from vpcflow.lambdas.settings import Settings


class Geolocation(NamedTuple):
    """
    Look-ups of places and of autonomous systems; None where the settings ask for none. They never raise.

    ``counts`` are of the names in ``vpcflow.geo.counted.COUNTED``, and only grow.
    """

    geo: GeoLookup | None
    asn: GeoLookup | None
    counts: Counter[str]


def open_geolocation(settings: Settings, *, clock: Callable[[], float] = time.time) -> Geolocation:
    """
    Make the look-ups that the settings of a function ask for; nothing is called or fetched before the first address.

    Raises ``SettingsError`` where the settings contradict each other, or a database in a local file cannot be used.
    """
    counts: Counter[str] = Counter()
    geo = None
    if settings.geolocation_enabled and settings.geo_database:
        geo = _database("GEO_DATABASE", settings.geo_database, "place")
    asn = None
    if settings.asn_database:
        asn = _database("ASN_DATABASE", settings.asn_database, "asn")
    return Geolocation(geo, asn, counts)


def _database(setting: str, path: str, kind: Kind) -> GeoLookup:
    try:
        return open_geo(path, kind)
    except ReferenceDataError as error:
        raise SettingsError(f"{setting}={path!r}: {error}") from error
