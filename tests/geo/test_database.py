from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest

from vpcflow.addresses import parse_addresses
from vpcflow.errors import ReferenceDataError
from vpcflow.geo import GeoDatabase, open_geo

# Documentation addresses have no place. These are reachable ones that no host has: AS112's (RFC 7534, 7535).
HERE, THERE, HERE_V6 = "192.175.48.1", "192.31.196.1", "2620:4f:8000::1"
_SEATTLE = {"country_code": "US", "state1": "Washington", "city": "Seattle"}
_PLACES = {
    "192.175.48.0/24": {**_SEATTLE, "latitude": "47.6", "longitude": "-122.3"},
    "192.31.196.0/24": {"country_code": "FR", "city": "Paris", "latitude": 48.9, "longitude": 2.3},
    "2620:4f:8000::/48": {"country_code": "US", "state1": "", "city": "", "latitude": ""},
}
_DAY_S = 86_400
_BUILT_S = 1767225600


def find(database, texts, *names):
    places = database.places(parse_addresses(pa.array(texts, pa.string())))
    return [places.column(name).to_pylist() for name in names]


def test_addresses_are_found_whatever_their_version_and_order(write_mmdb):
    database = open_geo(write_mmdb(_PLACES))

    countries, regions, cities, latitudes = find(
        database,
        [THERE, HERE_V6, None, "no address", HERE, "8.8.8.8"],
        "country_name",
        "region_code",
        "city",
        "latitude",
    )

    assert countries == ["France", "United States", None, None, "United States", None]
    assert regions == [None, None, None, None, "WA", None]
    assert cities == ["Paris", None, None, None, "Seattle", None]
    assert latitudes == [48.9, None, None, None, 47.6, None]


def test_the_same_is_found_the_second_time(write_mmdb):
    database = open_geo(write_mmdb(_PLACES))
    texts = [HERE, THERE, HERE_V6, "8.8.8.8"]

    first = find(database, texts, "country_code", "city", "longitude")
    again = find(database, texts[::-1], "country_code", "city", "longitude")

    assert again == [column[::-1] for column in first]


@pytest.mark.parametrize(
    "text",
    ["10.0.0.1", "100.64.0.1", "169.254.0.1", "192.0.2.1", "224.0.0.1", "2001:db8::1", "fd00::1"],
)
def test_an_address_that_is_nobodys_has_no_place_whatever_the_database_says(write_mmdb, text):
    everywhere = {half: {"country_code": "US", "city": "Seattle"} for half in ("::/1", "8000::/1")}
    database = open_geo(write_mmdb(everywhere))

    assert find(database, [text, HERE], "city") == [[None, "Seattle"]]


def test_places_are_spread_to_flows_with_null_for_those_without_address(write_mmdb):
    database = open_geo(write_mmdb(_PLACES))

    places = database.places(parse_addresses(pa.array([HERE, THERE])))
    cities = places.spread(np.array([1, -1, 0, 1], np.int32)).column("city")

    assert cities.to_pylist() == ["Paris", None, "Seattle", "Paris"]
    assert cities.type == pa.dictionary(pa.int32(), pa.string())


def test_dictionaries_are_distinct_and_long_ones_hold_only_what_occurs(write_mmdb):
    blocks = {
        f"11.{i >> 8}.{i & 255}.0/24": {"country_code": "US", "city": f"City {i}"}
        for i in range(1500)
    }
    database = open_geo(write_mmdb(blocks))
    every = [f"11.{i >> 8}.{i & 255}.{host}" for i in range(1500) for host in (1, 2)]

    find(database, every, "city")
    some = database.places(
        parse_addresses(pa.array(["11.1.1.1", "11.0.7.1", "11.1.1.2", "10.0.0.1"]))
    )
    cities, countries = some.column("city"), some.column("country_code")

    assert cities.to_pylist() == ["City 257", "City 7", "City 257", None]
    assert sorted(cities.dictionary.to_pylist()) == ["City 257", "City 7"]
    assert countries.dictionary.to_pylist() == ["US"]


def test_memory_is_bounded_and_what_was_given_out_stays(write_mmdb):
    database = GeoDatabase(write_mmdb(_PLACES), max_addresses=1)
    texts = [HERE, THERE, HERE_V6]

    given = database.places(parse_addresses(pa.array(texts)))
    again = [find(database, [text], "city")[0][0] for text in texts * 2]

    assert given.column("city").to_pylist() == ["Seattle", "Paris", None]
    assert again == ["Seattle", "Paris", None] * 2


def test_threads_may_share_a_database(write_mmdb):
    blocks = {f"11.0.{i}.0/24": {"country_code": "US", "city": f"City {i}"} for i in range(256)}
    database = GeoDatabase(write_mmdb(blocks), max_addresses=300)

    def cities(start):
        numbers = [(start + i) % 256 for i in range(200)]
        found = find(database, [f"11.0.{i}.{start % 200}" for i in numbers], "city")[0]
        return found == [f"City {i}" for i in numbers]

    with ThreadPoolExecutor(4) as pool:
        right = list(pool.map(cities, range(64)))

    assert all(right)


def test_an_asn_database_gives_numbers_and_organisations(write_mmdb):
    record = {"autonomous_system_number": 112, "autonomous_system_organization": "DNS-OARC"}
    database = open_geo(write_mmdb({"192.175.48.0/24": record}, type_="Test-ASN"), "asn")

    numbers, organisations = find(database, [HERE, THERE], "as_number", "as_org")

    assert numbers == [112, None]
    assert organisations == ["DNS-OARC", None]


@pytest.mark.parametrize(
    ("type_", "kind", "option"),
    [("GeoLite2-ASN", "place", "--asn"), ("DBIP-City-Lite", "asn", "--geo")],
)
def test_a_database_of_the_other_kind_is_an_error_that_names_its_option(
    write_mmdb, type_, kind, option
):
    path = write_mmdb(_PLACES, type_=type_)

    with pytest.raises(ReferenceDataError, match=option):
        open_geo(path, kind)


@pytest.mark.parametrize("kind", ["place", "asn"])
@pytest.mark.parametrize("type_", ["geo-whois-asn-country", "anything"])
def test_a_database_that_may_be_of_either_kind_is_taken_at_its_word(write_mmdb, type_, kind):
    database = open_geo(write_mmdb(_PLACES, type_=type_), kind)

    assert database.type == type_


@pytest.mark.parametrize(
    ("type_", "name", "attribution"),
    [
        ("DBIP-City-Lite", "x.mmdb", "IP Geolocation by DB-IP (https://db-ip.com)"),
        ("anything", "dbip-city-ipv4.mmdb", "IP Geolocation by DB-IP (https://db-ip.com)"),
        ("GeoLite2-City", "x.mmdb", "GeoLite Data created by MaxMind"),
        ("GeoIP2-City", "x.mmdb", None),
    ],
)
def test_the_attribution_is_the_one_the_licence_asks_for(write_mmdb, type_, name, attribution):
    database = open_geo(write_mmdb(_PLACES, type_=type_, name=name))

    assert (database.attribution is None) == (attribution is None)
    assert attribution is None or attribution in database.attribution


@pytest.mark.parametrize(("days", "is_old"), [(0, False), (90, False), (91, True)])
def test_a_database_is_old_after_ninety_days(write_mmdb, days, is_old):
    database = open_geo(write_mmdb(_PLACES))

    notice = database.age_notice(_BUILT_S + days * _DAY_S)

    assert str(database.build_date) == "2026-01-01"
    assert (notice is not None) == is_old
    assert notice is None or f"{days} days old" in notice
