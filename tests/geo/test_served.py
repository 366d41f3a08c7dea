"""Databases that are fetched, looked at anew, and counted where they fail."""

from __future__ import annotations

import hashlib
from collections import Counter

import pyarrow as pa
import pytest

from vpcflow.addresses import parse_addresses
from vpcflow.errors import AwsError
from vpcflow.geo import open_geo
from vpcflow.geo.counted import COUNTED
from vpcflow.geo.served import FetchedDatabase, ServedDatabase, Version

HERE, THERE = "192.175.48.1", "192.31.196.1"
BUILT_S = 1767225600
DAY_S = 86_400


class Kept:
    """A file that is kept elsewhere; ``fault`` is raised instead of an answer, ``cut`` bytes come at most."""

    def __init__(self, data: bytes) -> None:
        self.put(data)
        self.fault: Exception | None = None
        self.cut: int | None = None
        self.sha256: str | None = None
        self.looks: list[str | None] = []
        self.size_bytes: int | None = None
        self.reads = 0

    def put(self, data: bytes) -> None:
        self.data, self.mark = data, hashlib.md5(data).hexdigest()

    def newer(self, mark):
        self.looks.append(mark)
        if self.fault is not None:
            raise self.fault
        if mark == self.mark:
            return None
        return Version(self.mark, self.size_bytes or len(self.data), self.sha256, self._pieces())

    def _pieces(self):
        self.reads += 1
        for at in range(0, len(self.data), 1000):
            yield self.data[: self.cut][at : at + 1000]


class Clock:
    now_s = BUILT_S + DAY_S

    def __call__(self):
        return self.now_s


@pytest.fixture
def database_of(write_mmdb):
    """Give the bytes of a database that knows one city for all that is public."""

    def make(city, type_="Test-City"):
        record = {"country_code": "US", "city": city}
        path = write_mmdb({"192.175.48.0/24": record}, type_=type_, name=f"{city}.mmdb")
        return path.read_bytes()

    return make


@pytest.fixture
def fetched(tmp_path, database_of):
    kept, clock, counts = Kept(database_of("Seattle")), Clock(), Counter()
    folder = tmp_path / "folder"
    folder.mkdir()
    database = FetchedDatabase(
        kept, "place", counts=counts, every_s=3600, folder=folder, clock=clock
    )
    return database, kept, clock, counts, folder


def city(database, address=HERE, counts=None):
    places = ServedDatabase(database.current, counts).places(parse_addresses(pa.array([address])))
    return places.column("city").to_pylist()[0]


def test_nothing_is_fetched_before_the_first_address(fetched):
    database, kept, _, _, _ = fetched

    looks = list(kept.looks)

    assert (looks, city(database), kept.looks) == ([], "Seattle", [None])


def test_it_is_looked_at_anew_when_it_is_time_and_fetched_where_it_changed(fetched, database_of):
    database, kept, clock, counts, _ = fetched
    first_mark = kept.mark

    found = [city(database)]
    kept.put(database_of("Paris"))
    clock.now_s += 3599
    found.append(city(database))
    clock.now_s += 1
    found.append(city(database))
    clock.now_s += 3600
    found.append(city(database))

    assert found == ["Seattle", "Seattle", "Paris", "Paris"]
    assert kept.looks == [None, first_mark, kept.mark]
    assert counts == {}


def test_no_file_is_left_on_the_disk(fetched, database_of):
    database, kept, clock, _, folder = fetched

    city(database)
    kept.put(database_of("Paris"))
    clock.now_s += 3600
    city(database)

    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "breaks",
    [
        lambda kept: setattr(kept, "fault", AwsError("no", code="AccessDenied", permanent=True)),
        lambda kept: setattr(kept, "fault", OSError("broken")),
        lambda kept: kept.put(b"no database"),
        lambda kept: kept.put(b""),
        lambda kept: setattr(kept, "cut", 700),
        lambda kept: setattr(kept, "sha256", "0" * 64),
        lambda kept: setattr(kept, "size_bytes", len(kept.data) + 1),
    ],
    ids=["refused", "broken", "no database", "empty", "cut off", "another hash", "a byte short"],
)
def test_what_cannot_be_fetched_leaves_the_old_in_use(fetched, database_of, breaks):
    database, kept, clock, counts, folder = fetched

    city(database)
    kept.put(database_of("Paris"))
    breaks(kept)
    clock.now_s += 3600
    found = city(database)

    assert found == "Seattle"
    assert counts == {"geo_refresh_failed": 1}
    assert list(folder.iterdir()) == []


def test_what_has_no_room_on_the_disk_is_not_read(fetched):
    database, kept, _, counts, folder = fetched
    kept.size_bytes = 1 << 60

    assert city(database) is None
    assert kept.reads == 0
    assert counts == {"geo_refresh_failed": 1}
    assert list(folder.iterdir()) == []


def test_a_database_of_another_kind_is_not_taken(fetched, database_of):
    database, kept, _, counts, _ = fetched
    kept.put(database_of("Paris", type_="Test-ASN"))

    assert city(database) is None
    assert counts == {"geo_refresh_failed": 1}


def test_after_a_failure_it_is_looked_at_five_minutes_later(fetched):
    database, kept, clock, counts, _ = fetched
    kept.fault = OSError("broken")

    found = [city(database)]
    clock.now_s += 299
    found.append(city(database))
    kept.fault = None
    clock.now_s += 1
    found.append(city(database))

    assert found == [None, None, "Seattle"]
    assert counts == {"geo_refresh_failed": 1}


def test_a_hash_that_is_told_is_compared(fetched):
    database, kept, _, counts, _ = fetched
    kept.sha256 = hashlib.sha256(kept.data).hexdigest().upper()

    assert city(database) == "Seattle"
    assert counts == {}


def test_an_old_database_is_counted_at_each_look(fetched):
    database, _, clock, counts, _ = fetched
    clock.now_s = BUILT_S + 91 * DAY_S

    for _ in range(3):
        city(database)
        clock.now_s += 3600

    assert counts == {"geo_database_old": 3}


def test_what_an_ended_process_left_behind_is_removed(fetched):
    database, _, clock, _, folder = fetched
    left = folder / "vpcflow-geo-abc.mmdb"
    left.write_bytes(b"half")
    others = folder / "another.mmdb"
    others.write_bytes(b"whole")

    clock.now_s = left.stat().st_mtime + 3601
    city(database)

    assert list(folder.iterdir()) == [others]


def test_addresses_without_a_place_are_counted_by_reason(fetched):
    database, kept, _, _, _ = fetched
    counts: Counter[str] = Counter()
    served = ServedDatabase(database.current, counts)
    addresses = parse_addresses(pa.array([HERE, THERE, "10.0.0.1", "no address", None]))

    kept.fault = OSError("broken")
    missing = served.places(addresses).column("city").to_pylist()
    kept.fault = None
    database._look_s = 0
    found = served.places(addresses).column("city").to_pylist()

    assert (missing, found) == ([None] * 5, ["Seattle", *[None] * 4])
    assert counts == {"geo_misses": 3, "geo_database_missing": 2, "geo_unknown": 1}
    assert counts.keys() <= COUNTED.keys()


def test_a_damaged_database_leaves_places_blank(write_mmdb):
    path = write_mmdb({"192.175.48.0/24": {"country_code": "US", "city": "Seattle"}})
    data = bytearray(path.read_bytes())
    at = data.index(b"\x00" * 16) + 16
    data[at : at + 8] = b"\xff" * 8
    path.write_bytes(data)
    counts: Counter[str] = Counter()
    database = open_geo(path)

    places = ServedDatabase(lambda: database, counts).places(parse_addresses(pa.array([HERE])))

    assert places.column("city").to_pylist() == [None]
    assert counts == {"geo_misses": 1, "geo_database_corrupt": 1}
