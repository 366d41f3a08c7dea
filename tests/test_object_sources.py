"""Objects in S3 as inputs: which are found, which are listed for a time range, and how they are read ahead."""

from __future__ import annotations

import gzip
import io
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from stores import FakeStore

from vpcflow.errors import AwsError, FormatError, SourceError
from vpcflow.object_store import parse_object_url
from vpcflow.pipeline import read_flows
from vpcflow.sources import Input
from vpcflow.sources.files import find_inputs, read_input
from vpcflow.sources.objects import find_objects, read_ahead
from vpcflow.stats import Books
from vpcflow.time_range import ALWAYS, TimeRange

ACCOUNT = "123456789012"
ORG = "o-a1b2c3d4e5"
LINE = b"2 123456789012 eni-0a 10.0.1.20 198.51.100.1 40001 443 6 1 100 1766000000 1766000059 ACCEPT OK\n"


def name(at: datetime, flow_log: str = "fl-0a1b") -> str:
    return f"{ACCOUNT}_vpcflowlogs_eu-west-1_{flow_log}_{at:%Y%m%dT%H%MZ}_0123abcd.log.gz"


def default(at: datetime) -> str:
    return f"AWSLogs/{ACCOUNT}/vpcflowlogs/eu-west-1/{at:%Y/%m/%d}/{name(at)}"


def hourly(at: datetime) -> str:
    return f"AWSLogs/{ACCOUNT}/vpcflowlogs/eu-west-1/{at:%Y/%m/%d/%H}/{name(at)}"


def of_an_organisation(at: datetime) -> str:
    return f"central/AWSLogs/{ORG}/{ACCOUNT}/vpcflowlogs/eu-west-1/{at:%Y/%m/%d}/{name(at)}"


def hive(at: datetime) -> str:
    above = f"AWSLogs/aws-account-id={ACCOUNT}/aws-service=vpcflowlogs/aws-region=eu-west-1"
    return f"{above}/year={at:%Y}/month={at:%m}/day={at:%d}/{name(at)}"


def hourly_hive(at: datetime) -> str:
    above = f"logs/AWSLogs/aws-account-id={ACCOUNT}/aws-service=vpcflowlogs/aws-region=eu-west-1"
    return f"{above}/year={at:%Y}/month={at:%m}/day={at:%d}/hour={at:%H}/{name(at)}"


LAYOUTS = (default, hourly, of_an_organisation, hive, hourly_hive)
layouts = pytest.mark.parametrize("layout", LAYOUTS)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def times(since: str | None, until: str | None) -> TimeRange:
    return TimeRange(*(None if t is None else at(t).timestamp() for t in (since, until)))


def keys(store: FakeStore, url: str, times: TimeRange = ALWAYS) -> list[str]:
    found = find_objects(store, url, times=times)
    assert all(one.name.startswith("s3://logs/") for one in found)
    return [one.name.removeprefix("s3://logs/") for one in found]


def store(*keys: str) -> FakeStore:
    return FakeStore({"logs": dict.fromkeys(keys, b"")})


# ---- finding


def test_an_object_is_named_by_its_whole_key() -> None:
    assert keys(store("a/b", "a/b.log", "a/b/c"), "s3://logs/a/b") == ["a/b"]


@pytest.mark.parametrize("url", ["s3://logs/a", "s3://logs/a/"])
def test_a_folder_is_read_whole_and_never_another_that_begins_like_it(url: str) -> None:
    assert keys(store("a/2", "a/1", "a/d/3", "ab/4", "z"), url) == ["a/1", "a/2", "a/d/3"]


@pytest.mark.parametrize("url", ["s3://logs", "s3://logs/", "S3://logs/"])
def test_a_bucket_is_read_whole(url: str) -> None:
    assert keys(store("z", "a/1", "é"), url) == ["a/1", "z", "é"]


def test_hidden_names_and_marks_of_folders_are_passed_over_below_the_address() -> None:
    objects = store("_a/b/", "_a/b/1.log", "_a/b/_SUCCESS", "_a/b/.x/1", "_a/b/_tmp/1")

    assert keys(objects, "s3://logs/_a/b/") == ["_a/b/1.log"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("d/*.log", ["d/(1).log", "d/1.log"]),
        ("d/?.log*", ["d/1.log", "d/2.log.gz"]),
        ("d/[13].log", ["d/1.log"]),
        ("d/[!1].log.gz", ["d/2.log.gz"]),
        ("d/**/*.log", ["d/(1).log", "d/1.log", "d/e/3.log", "d/e/f/4.log"]),
        ("*/e", ["d/e/3.log", "d/e/f/4.log"]),
        ("d/e*/", ["d/e/3.log", "d/e/f/4.log"]),
        ("d/(1).lo*", ["d/(1).log"]),
    ],
)
def test_globs_match_as_those_of_files_do(pattern: str, found: list[str]) -> None:
    objects = store("d/(1).log", "d/1.log", "d/2.log.gz", "d/e/3.log", "d/e/f/4.log", "x/1.txt")

    assert keys(objects, f"s3://logs/{pattern}") == found


def test_a_key_that_looks_like_a_glob_is_itself_first() -> None:
    assert keys(store("a[1].log", "a1.log"), "s3://logs/a[1].log") == ["a[1].log"]


@pytest.mark.parametrize("url", ["s3://logs/none", "s3://logs/none/", "s3://logs/n*"])
@pytest.mark.parametrize("of", [ALWAYS, TimeRange(since=1)])
def test_what_is_not_there_is_an_error_that_names_it(url: str, of: TimeRange) -> None:
    with pytest.raises(SourceError, match=r"no such object.*s3://logs/n"):
        find_objects(store("a"), url, times=of)


@pytest.mark.parametrize("url", ["s3://", "s3:///key", "s3://a b/", "http://logs/"])
def test_what_is_no_address_is_an_error(url: str) -> None:
    with pytest.raises(FormatError, match="s3://BUCKET/KEY"):
        parse_object_url(url)


def test_what_other_services_log_is_neither_read_nor_looked_into() -> None:
    logs = [layout(at("2026-01-31T07:05")) for layout in (default, hive)]
    others = [
        f"AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1/2026/01/31/x.json.gz",
        f"AWSLogs/{ORG}/{ACCOUNT}/Config/x.json.gz",
        f"AWSLogs/aws-account-id={ACCOUNT}/aws-service=route53/x.log.gz",
    ]
    objects = store(*logs, *others)

    for url in ("s3://logs", "s3://logs/AWSLogs/", f"s3://logs/AWSLogs/{ACCOUNT}"):
        assert set(keys(objects, url)) <= set(logs)

    assert not [p for p in objects.listed if "CloudTrail" in p or "Config" in p or "route53" in p]


def test_a_store_that_refuses_is_an_error() -> None:
    with pytest.raises(AwsError, match="no bucket other"):
        find_objects(store(), "s3://other/")


# ---- of a time range


@layouts
def test_only_the_folders_of_a_time_range_are_listed(layout: Callable[[datetime], str]) -> None:
    days = [at(f"2026-{month:02}-{day:02}T10:00") for month in (1, 2) for day in range(1, 29)]
    objects = store(*map(layout, days))

    found = keys(objects, "s3://logs/", times("2026-02-10T09:00", "2026-02-10T11:00"))

    assert found == [layout(at("2026-02-10T10:00"))]
    dated = [p for p in objects.listed if re.search("[/=]2026", p)]
    assert all(re.search("02/10/|month=02/day=10/", p) for p in dated)
    assert len(dated) == (2 if "hour" in layout.__name__ else 1)


@layouts
@pytest.mark.parametrize(
    ("since", "until", "wanted"),
    [("2026-02-28T01:00", None, [28]), (None, "2026-02-01T12:00", [1])],
)
def test_of_a_range_open_on_one_side_folders_outside_are_not_looked_into(
    layout: Callable[[datetime], str], since: str | None, until: str | None, wanted: list[int]
) -> None:
    objects = store(*(layout(at(f"2026-02-{day:02}T10:00")) for day in range(1, 29)))

    found = keys(objects, "s3://logs/", times(since, until))

    assert found == [layout(at(f"2026-02-{day:02}T10:00")) for day in wanted]
    days = {p for p in objects.listed if re.search("02/[0-9]{2}/$|day=[0-9]{2}/$", p)}
    assert len(days) == 1


@pytest.mark.parametrize(
    ("folder", "layout"),
    [
        (f"AWSLogs/{ACCOUNT}/vpcflowlogs/eu-west-1/", default),
        (f"AWSLogs/aws-account-id={ACCOUNT}/aws-service=vpcflowlogs/aws-region=eu-west-1/", hive),
    ],
)
def test_of_a_regions_folder_the_days_are_listed_at_once(
    folder: str, layout: Callable[[datetime], str]
) -> None:
    objects = store(*(layout(at(f"2026-02-{day:02}T10:00")) for day in range(1, 29)))

    keys(objects, f"s3://logs/{folder}", times("2026-02-10T09:00", "2026-02-11T11:00"))

    assert sorted(objects.listed) == [
        layout(at(f"2026-02-{day}T10:00")).rpartition("/")[0] + "/" for day in (10, 11)
    ]


def test_of_a_range_of_years_only_folders_that_are_there_are_listed() -> None:
    objects = store(default(at("2026-02-10T10:00")))

    found = keys(objects, "s3://logs/", times("1970-01-02T00:00", "2100-01-01T00:00"))

    assert len(found) == 1
    assert len(objects.listed) < 20


@layouts
@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2026-01-31T23:55", "2026-02-01T00:05"),
        ("2026-01-31T23:50", "2026-01-31T23:51"),
        ("2026-02-01T00:00", None),
        (None, "2026-02-01T00:00"),
        ("2025-01-01T00:00", "2026-12-31T00:00"),
    ],
)
def test_objects_across_the_borders_of_hours_days_and_months_are_found(
    layout: Callable[[datetime], str], since: str | None, until: str | None
) -> None:
    before, after = layout(at("2026-01-31T23:55")), layout(at("2026-02-01T00:00"))

    found = keys(store(before, after), "s3://logs/", times(since, until))

    assert found == [before, after]


@layouts
@pytest.mark.parametrize(
    ("named", "is_listed"),
    [
        ("2026-01-31T11:45", False),
        ("2026-01-31T11:50", True),
        ("2026-01-31T12:59", True),
        ("2026-01-31T13:59", True),
        ("2026-01-31T14:00", False),
    ],
)
def test_the_margin_takes_objects_named_somewhat_earlier_and_later_than_their_records(
    layout: Callable[[datetime], str], named: str, is_listed: bool
) -> None:
    other = layout(at("2026-01-31T12:30"))
    objects = store(other, layout(at(named)))

    found = keys(objects, "s3://logs/", times("2026-01-31T12:00", "2026-01-31T13:00"))

    assert (layout(at(named)) in found) == is_listed
    assert other in found


@pytest.mark.parametrize(
    "url",
    [
        f"s3://logs/AWSLogs/{ACCOUNT}/vpcflowlogs/eu-west-1/",
        f"s3://logs/AWSLogs/{ACCOUNT}/vpcflowlogs/eu-west-1/2026/02",
        f"s3://logs/AWSLogs/{ACCOUNT}/vpcflowlogs/eu-*/",
        f"s3://logs/AWSLogs/{ACCOUNT[:6]}*/vpcflowlogs/",
    ],
)
def test_a_time_range_goes_with_any_address(url: str) -> None:
    objects = store(*(default(at(f"2026-02-{day:02}T10:00")) for day in range(1, 29)))

    found = keys(objects, url, times("2026-02-10T09:00", "2026-02-11T09:00"))

    assert found == [default(at("2026-02-10T10:00"))]


def test_objects_that_no_name_dates_are_all_taken() -> None:
    objects = store("copies/a.log.gz", f"copies/{name(at('2026-01-01T00:00'))}", "2025/01/01/x.log")

    found = keys(objects, "s3://logs/", times("2026-02-01T00:00", None))

    assert found == ["2025/01/01/x.log", "copies/a.log.gz"]


def test_folders_that_are_no_dates_are_looked_into() -> None:
    odd = f"AWSLogs/{ACCOUNT}/vpcflowlogs/eu-west-1/2026/13/45/x.log"

    assert keys(store(odd), "s3://logs/", times("2026-02-01T00:00", None)) == [odd]


def test_a_time_without_objects_is_said_and_no_error() -> None:
    said: list[str] = []
    objects = store(default(at("2026-01-31T10:00")))

    of = times("2026-02-10T09:00", "2026-02-11T09:00")
    found = find_objects(objects, "s3://logs/AWSLogs/", times=of, warn=said.append)

    assert (found, said) == ([], ["no object of s3://logs/AWSLogs/ is of that time"])


def test_an_object_named_by_its_key_is_read_whenever_it_is_of() -> None:
    key = default(at("2026-01-31T10:00"))

    assert keys(store(key), f"s3://logs/{key}", times("2026-02-10T09:00", None)) == [key]


# ---- reading


def read(objects: FakeStore, *urls: str) -> tuple[list[str], Books]:
    books = Books()
    inputs = find_inputs(urls, objects=lambda url: find_objects(objects, url))
    origins = [
        f"{row['source_object']}:{row['source_line']}"
        for one in read_ahead(inputs)
        for batch in read_flows(read_input(one), books)
        for row in batch.to_pylist()
    ]
    return origins, books


def test_records_carry_the_address_of_their_object() -> None:
    objects = FakeStore({"logs": {f"{i:02}.log.gz": gzip.compress(LINE * 2) for i in range(30)}})

    origins, books = read(objects, "s3://logs/")

    assert origins == [f"s3://logs/{i:02}.log.gz:{line}" for i in range(30) for line in (1, 2)]
    assert (books.found, books.faults) == (60, [])


def test_parquet_in_a_store_is_read_whole() -> None:
    stream = io.BytesIO()
    table = pa.table({"srcaddr": ["192.0.2.1"] * 70_000, "srcport": [1] * 70_000})
    pq.write_table(table, stream)
    objects = FakeStore({"logs": {"a.log.parquet": stream.getvalue(), "b": LINE}})

    origins, _ = read(objects, "s3://logs/")

    assert len(origins) == 70_001
    assert origins[69_999] == "s3://logs/a.log.parquet:70000"


def test_an_address_named_twice_is_read_once() -> None:
    origins, _ = read(FakeStore({"logs": {"a": LINE, "b": LINE}}), "s3://logs/", "s3://logs/b")

    assert origins == ["s3://logs/a:1", "s3://logs/b:1"]


def test_an_object_that_cannot_be_read_costs_none_of_the_others() -> None:
    objects = FakeStore({"logs": {"a": LINE, "b": LINE, "c": LINE}})
    inputs = find_inputs(["s3://logs/"], objects=lambda url: find_objects(objects, url))
    objects.refused.add("b")

    books = Books()
    flows = [b for one in read_ahead(inputs) for b in read_flows(read_input(one), books)]

    assert len(flows) == 2
    assert [(f.source, f.reason) for f in books.faults] == [
        ("s3://logs/b", "cannot be read (AccessDenied)")
    ]


def test_without_a_store_an_address_is_no_input() -> None:
    with pytest.raises(SourceError, match="s3://logs/"):
        find_inputs(["s3://logs/"])


class Stage:
    """Inputs that tell when they are opened, read and closed."""

    def __init__(self, count: int, data: bytes = b"x" * 10) -> None:
        self.opened: list[int] = []
        self.data = data
        self.lock = threading.Lock()
        self.arrived = [threading.Event() for _ in range(count)]
        self.streams: dict[int, io.BytesIO] = {}
        self.inputs = [Input(f"s3://logs/{i}", None, self._opener(i)) for i in range(count)]

    def _opener(self, place: int) -> Callable[[], BinaryIO]:
        def open_it() -> BinaryIO:
            with self.lock:
                self.opened.append(place)
                self.streams[place] = io.BytesIO(self.data)
            self.arrived[place].set()
            return self.streams[place]

        return open_it


def test_the_next_objects_are_begun_while_one_is_read_and_no_more() -> None:
    stage = Stage(10)
    ahead = read_ahead(stage.inputs, objects=3)

    with ahead[0].open() as first:
        for place in range(4):
            assert stage.arrived[place].wait(10)
        data = first.read()

    assert data == stage.data
    assert sorted(stage.opened) == [0, 1, 2, 3]


def test_each_object_is_opened_once_and_read_whole_beyond_what_is_held() -> None:
    stage = Stage(5, bytes(range(200)))
    ahead = read_ahead(stage.inputs, objects=2, size_bytes=64)

    read = [one.open().read() for one in ahead]

    assert read == [stage.data] * 5
    assert sorted(stage.opened) == [0, 1, 2, 3, 4]


def test_an_object_that_is_passed_by_is_closed() -> None:
    stage = Stage(3, bytes(100))
    ahead = read_ahead(stage.inputs, objects=1, size_bytes=10)
    ahead[0].open()
    assert stage.arrived[1].wait(10)

    ahead[2].open().read()

    assert stage.streams[1].closed


def test_a_fault_is_met_where_it_is_and_not_before() -> None:
    class Breaking(io.BytesIO):
        """Breaks at its end once, and then says that it is whole."""

        faults = iter([OSError("broken")])

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            if not data and (fault := next(self.faults, None)):
                raise fault
            return data

    breaking = Input("s3://logs/a", None, lambda: Breaking(b"x" * 30))
    whole = Input("s3://logs/b", None, io.BytesIO)
    stream = read_ahead([breaking, whole])[0].open()

    assert stream.read(20) + stream.read(20) == b"x" * 30
    with pytest.raises(OSError, match="broken"):
        stream.read(20)


def test_local_inputs_among_objects_stay_as_they_are() -> None:
    local = Input("a.log", 1, lambda: io.BytesIO(b"local"))
    stage = Stage(2)
    mixed = read_ahead([stage.inputs[0], local, stage.inputs[1]])

    assert mixed[1] is local
    assert [one.open().read() for one in mixed] == [stage.data, b"local", stage.data]
