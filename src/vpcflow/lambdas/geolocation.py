"""Who knows the places of addresses, as the settings of a function say."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from vpcflow.errors import FormatError, ReferenceDataError, SettingsError
from vpcflow.geo import GeoDatabase, GeoLookup, open_geo
from vpcflow.geo.ipstack import HOST, IpStack, Limits
from vpcflow.geo.served import FetchedDatabase, Origin, ServedDatabase, count_age
from vpcflow.object_store import ObjectUrl, is_object_url, parse_object_url

if TYPE_CHECKING:
    from vpcflow.geo.database import Kind
    from vpcflow.geo.ipstack import Transport
    from vpcflow.lambdas.settings import Settings


class Geolocation(NamedTuple):
    """
    Look-ups of places and of autonomous systems; None where the settings ask for none. They never raise.

    ``counts`` gets the names in ``vpcflow.geo.counted.COUNTED``; whoever reads them may empty it.
    """

    geo: GeoLookup | None
    asn: GeoLookup | None
    counts: Counter[str]


# Imported where they are wanted: a function that locates nothing need not wait for them.


def _stored_database(url: ObjectUrl) -> Origin:
    from vpcflow.aws.clients import IN_A_FUNCTION
    from vpcflow.aws.s3 import S3
    from vpcflow.aws.stored_database import StoredDatabase

    return StoredDatabase(url, lambda: S3(patience=IN_A_FUNCTION))


def _secret_parameter(name: str) -> Callable[[], str]:
    from vpcflow.aws.parameters import SecretParameter

    return SecretParameter(name)


def _https() -> Transport:
    from vpcflow.geo.https import Https

    return Https(HOST)


class Services(NamedTuple):
    """Where what is not in the settings comes from: objects in S3, secrets, ipstack's answers."""

    origin: Callable[[ObjectUrl], Origin] = _stored_database
    secret: Callable[[str], Callable[[], str]] = _secret_parameter
    transport: Callable[[], Transport] = _https


IN_AWS = Services()


def open_geolocation(
    settings: Settings,
    *,
    clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
    services: Services = IN_AWS,
) -> Geolocation:
    """
    Make the look-ups that the settings of a function ask for; nothing is called or fetched before the first address.

    Raises ``SettingsError`` where the settings contradict each other, or a database in a local file cannot be used.
    """
    counts: Counter[str] = Counter()

    def database(setting: str, kind: Kind, counted: Counter[str] | None) -> GeoLookup | None:
        name = getattr(settings, setting.lower())
        if name is None:
            return None
        if not is_object_url(name):
            known = _local(setting, name, kind)
            count_age(known, counts, clock())
            return ServedDatabase(lambda: known, counted)
        origin = services.origin(_object_url(setting, name))
        fetched = FetchedDatabase(
            origin, kind, counts=counts, every_s=settings.geo_cache_s, clock=clock
        )
        return ServedDatabase(fetched.current, counted)

    if not settings.geolocation_enabled:
        return Geolocation(None, None, counts)
    geo: GeoLookup | None
    if _provider(settings) == "mmdb":
        geo = database("GEO_DATABASE", "place", counts)
    else:
        geo = IpStack(
            services.secret(settings.geolocation_api_key_name),
            services.transport(),
            limits=_limits(settings),
            counts=counts,
            clock=clock,
            monotonic=monotonic,
        )
    return Geolocation(geo, database("ASN_DATABASE", "asn", None), counts)


def _provider(settings: Settings) -> str:
    provider: str = settings.geolocation_provider
    if provider == "auto":
        return "mmdb" if settings.geo_database else "ipstack"
    if provider == "mmdb" and not settings.geo_database:
        raise SettingsError(
            "GEOLOCATION_PROVIDER='mmdb': needs GEO_DATABASE, the path or s3:// address of an MMDB file"
        )
    return provider


def _limits(settings: Settings) -> Limits:
    return Limits(
        month=settings.geo_monthly_budget,
        wait_s=settings.geo_wait_ms / 1000,
        keep_s=settings.geo_cache_s,
        bulk=settings.geo_bulk,
    )


def _local(setting: str, path: str, kind: Kind) -> GeoDatabase:
    try:
        return open_geo(path, kind)
    except ReferenceDataError as error:
        raise SettingsError(f"{setting}={path!r}: {error}") from error


def _object_url(setting: str, text: str) -> ObjectUrl:
    try:
        url = parse_object_url(text)
    except FormatError as error:
        raise SettingsError(f"{setting}={text!r}: {error}") from error
    if not url.name:
        raise SettingsError(f"{setting}={text!r}: names no file: write s3://BUCKET/FILE.mmdb")
    return url
