"""ipstack by the rules of its answers: a fake transport, clocks that are set, calls made on the spot."""

from __future__ import annotations

import ipaddress
from collections import Counter
from concurrent.futures import Executor, Future
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import orjson
import pyarrow as pa
import pytest

from vpcflow.addresses import parse_addresses
from vpcflow.errors import AwsError
from vpcflow.geo.counted import COUNTED, REASONS
from vpcflow.geo.ipstack import IpStack, Limits

# Reachable addresses that no host has (AS112's, RFC 7534 and 7535), and as many neighbours as a test needs.
HERE, THERE, HERE_V6 = "192.175.48.1", "192.31.196.1", "2620:4f:8000::1"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()
SEATTLE = {
    "country_code": "US",
    "country_name": "United States",
    "region_code": "WA",
    "region_name": "Washington",
    "city": "Seattle",
    "latitude": 47.6,
    "longitude": -122.3,
}
NOWHERE = dict.fromkeys(SEATTLE)


def public(count: int) -> list[str]:
    return [str(ipaddress.ip_address("192.175.48.0") + i) for i in range(count)]


def error(code, kind="some_error"):
    return {"success": False, "error": {"code": code, "type": kind, "info": "words"}}


class Clock:
    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


class Here(Executor):
    """Runs what it is given at once, where it is given."""

    def submit(self, call, /, *args, **kwargs):
        future = Future()
        future.set_result(call(*args, **kwargs))
        return future


class Ipstack:
    """
    The service: a place for every address, or what ``answer`` gives for the addresses asked for.

    Each request takes ``takes_s`` of the clock.
    """

    def __init__(self, answer=None, takes_s=0.0):
        self.answer = answer or (lambda asked: [{"ip": ip, **SEATTLE} for ip in asked])
        self.takes_s = takes_s
        self.wall, self.monotonic = Clock(NOW), Clock(0.0)
        self.asked: list[list[str]] = []
        self.paths: list[str] = []

    def __call__(self, path, within_s):
        self.paths.append(path)
        asked = urlsplit(path).path.removeprefix("/").split(",")
        self.asked.append(asked)
        self.monotonic.now_s += min(self.takes_s, within_s)
        if self.takes_s > within_s:
            raise TimeoutError
        answer = self.answer(asked)
        if isinstance(answer, Exception):
            raise answer
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        if isinstance(body, list) and len(asked) == 1:
            body = body[0]
        return status, body if isinstance(body, bytes) else orjson.dumps(body)

    def lookup(self, *, key=lambda: "a-key", **limits):
        self.counts: Counter[str] = Counter()
        return IpStack(
            key,
            self,
            limits=Limits(**limits),
            counts=self.counts,
            clock=self.wall,
            monotonic=self.monotonic,
            executor=Here(),
        )

    @property
    def reasons(self):
        return {name: count for name, count in self.counts.items() if name in REASONS}


def cities(lookup, *texts):
    places = lookup.places(parse_addresses(pa.array(texts, pa.string())))
    return places.column("city").to_pylist()


def test_a_place_has_what_ipstack_says():
    service = Ipstack()
    places = service.lookup().places(parse_addresses(pa.array([HERE, None, HERE_V6])))

    found = {name: places.column(name).to_pylist() for name in SEATTLE}

    assert found == {name: [value, None, value] for name, value in SEATTLE.items()}
    assert service.asked == [[HERE], [HERE_V6]]
    assert service.counts == {"geo_requests": 2}


def test_the_key_goes_in_the_query_quoted():
    service = Ipstack()

    cities(service.lookup(key=lambda: " k&y?=1\n"), HERE)

    assert parse_qs(urlsplit(service.paths[0]).query) == {"access_key": ["k&y?=1"]}


def test_each_public_address_is_asked_for_once():
    service = Ipstack()
    lookup = service.lookup()

    first = cities(lookup, HERE, "10.0.0.1", HERE, "192.0.2.1", "no address", THERE)
    again = cities(lookup, THERE, HERE)

    assert first == ["Seattle", None, "Seattle", None, None, "Seattle"]
    assert again == ["Seattle", "Seattle"]
    assert service.asked == [[HERE], [THERE]]


def test_an_answer_is_believed_until_it_expires():
    service = Ipstack()
    lookup = service.lookup(keep_s=100.0)

    cities(lookup, HERE)
    service.wall.now_s += 99
    cities(lookup, HERE)
    service.wall.now_s += 1
    cities(lookup, HERE)

    assert service.asked == [[HERE], [HERE]]


def test_what_is_remembered_is_bounded():
    service = Ipstack()
    lookup = service.lookup(most_remembered=8, month=1000)

    for address in public(40):
        cities(lookup, address)

    assert len(lookup._remembered) <= 8


def test_an_address_without_a_place_is_remembered_as_such():
    service = Ipstack(lambda asked: {"ip": asked[0], **NOWHERE})
    lookup = service.lookup()

    found = cities(lookup, HERE) + cities(lookup, HERE)

    assert found == [None, None]
    assert len(service.asked) == 1
    assert service.counts == {"geo_requests": 1, "geo_unknown": 2, "geo_misses": 2}


def test_a_place_known_in_part_is_a_place():
    service = Ipstack(
        lambda asked: {"ip": asked[0], **NOWHERE, "country_code": "BO", "latitude": 1}
    )

    places = service.lookup().places(parse_addresses(pa.array([HERE])))

    assert places.column("country_name").to_pylist() == ["Bolivia"]
    assert places.column("latitude").to_pylist() == [None]
    assert service.reasons == {}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (error(101), "geo_key_refused"),
        ((401, error(101)), "geo_key_refused"),
        (error(102), "geo_account_inactive"),
        (error(103), "geo_refused"),
        (error(104), "geo_quota_spent"),
        ((429, error(104)), "geo_quota_spent"),
        (error(105), "geo_https_not_in_plan"),
        (error(106), "geo_address_refused"),
        (error(303), "geo_refused"),
        (error(987), "geo_refused"),
        (error("987"), "geo_refused"),
        ({"success": False}, "geo_refused"),
        ({"success": False, "error": "no"}, "geo_refused"),
        ((429, b"slow down"), "geo_rate_limited"),
        ((500, b"oops"), "geo_bad_status"),
        ((301, b""), "geo_bad_status"),
        ((404, error(404)), "geo_bad_status"),
        ((503, {"ip": HERE, **SEATTLE}), "geo_bad_status"),
        (b"<html>", "geo_bad_answer"),
        (b"", "geo_bad_answer"),
        (b"\xff", "geo_bad_answer"),
        (b"[" * 100_000, "geo_bad_answer"),
        (b"null", "geo_bad_answer"),
        (b"[]", "geo_bad_answer"),
        ({}, "geo_bad_answer"),
        (["a", "b"], "geo_bad_answer"),
        ({"ip": THERE, **SEATTLE}, "geo_bad_answer"),
        (SEATTLE, "geo_bad_answer"),
        ({"ip": HERE, "city": "Seattle"}, "geo_bad_answer"),
        (TimeoutError(), "geo_timed_out"),
        (ConnectionResetError(), "geo_unreachable"),
        (OSError(), "geo_unreachable"),
    ],
)
def test_an_answer_that_is_no_place_is_a_blank_with_a_reason(answer, reason):
    service = Ipstack(lambda asked: answer)

    found = cities(service.lookup(), HERE)

    assert found == [None]
    assert service.counts == {"geo_requests": 1, "geo_misses": 1, reason: 1}
    assert service.counts.keys() <= COUNTED.keys()


@pytest.mark.parametrize("key", ["", "  ", "two words", "new\nline", "schlüssel"])
def test_what_can_be_no_key_is_not_sent(key):
    service = Ipstack()

    found = cities(service.lookup(key=lambda: key), HERE, THERE)

    assert found == [None, None]
    assert service.asked == []
    assert service.reasons == {"geo_no_key": 2}


def test_a_key_that_cannot_be_read_leaves_places_blank():
    def no_key():
        raise AwsError("no such parameter", code="ParameterNotFound", permanent=True)

    service = Ipstack()

    found = cities(service.lookup(key=no_key), HERE)

    assert found == [None]
    assert service.reasons == {"geo_no_key": 1}


@pytest.mark.parametrize("code", [101, 102, 105])
def test_some_refusals_stop_the_calls_for_an_hour(code):
    service = Ipstack(lambda asked: error(code))
    lookup = service.lookup()

    cities(lookup, *public(10))
    service.wall.now_s += 3599
    cities(lookup, *public(10))
    asked_within_the_hour = len(service.asked)
    service.wall.now_s += 1
    cities(lookup, HERE)

    assert (asked_within_the_hour, len(service.asked)) == (1, 2)
    assert list(service.reasons.values()) == [21]


def test_a_spent_quota_stops_the_calls_until_the_month_ends():
    service = Ipstack(lambda asked: error(104))
    lookup = service.lookup()
    december = datetime(2026, 12, 1, tzinfo=UTC).timestamp()

    cities(lookup, HERE)
    service.wall.now_s = december - 1
    cities(lookup, HERE)
    asked_in_november = len(service.asked)
    service.wall.now_s = december
    cities(lookup, HERE)

    assert (asked_in_november, len(service.asked)) == (1, 2)
    assert service.reasons == {"geo_quota_spent": 3}


def test_too_many_requests_rest_for_a_minute():
    service = Ipstack(lambda asked: (429, b""))
    lookup = service.lookup()

    cities(lookup, *public(3))
    service.wall.now_s += 60
    cities(lookup, *public(3))

    assert len(service.asked) == 2
    assert service.reasons == {"geo_rate_limited": 6}


def test_a_service_that_fails_three_times_in_a_row_is_left_alone_for_a_minute():
    service = Ipstack(lambda asked: (500, b""))
    lookup = service.lookup()

    cities(lookup, *public(5))
    cities(lookup, *public(5))
    service.wall.now_s += 60
    cities(lookup, *public(5))

    assert len(service.asked) == 6
    assert service.reasons == {"geo_bad_status": 15}


def test_the_longest_rest_is_kept():
    answers = [(500, b""), (500, b""), [error(104), {}]]
    service = Ipstack(lambda _: answers.pop(0))
    lookup = service.lookup(bulk=True)
    for _ in range(3):
        cities(lookup, HERE, THERE)

    service.wall.now_s += 3600
    cities(lookup, HERE, THERE)

    assert len(service.asked) == 3
    assert service.reasons["geo_quota_spent"] == 3


def test_a_failure_now_and_then_stops_nothing():
    service = Ipstack()
    service.answer = lambda asked: (
        (500, b"") if len(service.asked) % 3 else {"ip": asked[0], **SEATTLE}
    )

    cities(service.lookup(), *public(30))

    assert len(service.asked) == 30
    assert service.reasons == {"geo_bad_status": 20}


def test_an_address_that_ipstack_takes_for_none_is_not_asked_for_again():
    service = Ipstack(lambda asked: error(106))
    lookup = service.lookup()

    cities(lookup, HERE)
    cities(lookup, HERE)

    assert len(service.asked) == 1


def test_addresses_go_by_fifties_where_the_plan_has_it():
    service = Ipstack()

    found = cities(service.lookup(month=100_000, bulk=True), *public(120))

    assert found == ["Seattle"] * 120
    assert [len(asked) for asked in service.asked] == [50, 50, 20]
    assert service.counts == {"geo_requests": 3}


def test_in_a_bulk_answer_each_address_has_its_own():
    def answer(asked):
        return [{"ip": asked[0], **SEATTLE}, error(106), {"ip": THERE, **SEATTLE, "city": "Paris"}]

    service = Ipstack(answer)

    found = cities(service.lookup(bulk=True), *public(3))

    assert found == ["Seattle", None, None]
    assert service.reasons == {"geo_address_refused": 1, "geo_bad_answer": 1}


@pytest.mark.parametrize("answer", [b"[]", {"ip": HERE, **SEATTLE}, [None, None, None]])
def test_a_bulk_answer_of_another_shape_is_none(answer):
    service = Ipstack(lambda asked: answer)

    found = cities(service.lookup(bulk=True), *public(3))

    assert found == [None] * 3
    assert service.reasons == {"geo_bad_answer": 3}


@pytest.mark.parametrize("code", [303, 105])
def test_bulk_that_the_plan_lacks_falls_back_to_single_requests_for_good(code):
    service = Ipstack(lambda asked: error(code) if len(asked) > 1 else {"ip": asked[0], **SEATTLE})
    lookup = service.lookup(bulk=True)

    first = cities(lookup, *public(60))
    cities(lookup, THERE, HERE_V6)

    assert first == ["Seattle"] * 60
    assert [len(asked) for asked in service.asked] == [50] + [1] * 62
    assert service.reasons == {}


def test_https_that_the_plan_lacks_is_told_from_bulk_that_it_lacks():
    service = Ipstack(lambda asked: error(105))

    found = cities(service.lookup(bulk=True), *public(60))

    assert found == [None] * 60
    assert [len(asked) for asked in service.asked] == [50, 1]
    assert service.reasons == {"geo_https_not_in_plan": 60}


def test_the_requests_of_a_month_are_given_out_as_it_goes_by():
    service = Ipstack()
    lookup = service.lookup(month=720)

    cities(lookup, *public(100))
    at_once = len(service.asked)
    service.wall.now_s += 3600
    cities(lookup, *public(100))

    assert (at_once, len(service.asked)) == (50, 51)
    assert service.reasons == {"geo_budget_spent": 50 + 49}


def test_a_month_never_has_more_than_its_budget_and_the_next_has_its_own():
    service = Ipstack()
    lookup = service.lookup(month=3)

    cities(lookup, *public(10))
    service.wall.now_s += 5 * 86_400
    cities(lookup, *public(10))
    in_november = len(service.asked)
    service.wall.now_s += 5 * 86_400
    cities(lookup, *public(20))

    assert (in_november, len(service.asked)) == (3, 6)


def test_a_budget_of_nothing_asks_nothing():
    service = Ipstack()

    cities(service.lookup(month=0), HERE)

    assert service.asked == []
    assert service.reasons == {"geo_budget_spent": 1}


def test_each_address_of_a_bulk_request_counts_against_the_month():
    service = Ipstack()

    cities(service.lookup(month=60, bulk=True), *public(100))

    assert [len(asked) for asked in service.asked] == [50]


def test_bulk_that_was_refused_costs_one_request():
    service = Ipstack(lambda asked: error(303) if len(asked) > 1 else {"ip": asked[0], **SEATTLE})

    cities(service.lookup(month=50, bulk=True), *public(50))

    assert len(service.asked) == 50


def test_five_thousand_new_addresses_take_no_longer_than_they_may():
    service = Ipstack(takes_s=0.1)
    lookup = service.lookup(month=1_000_000, wait_s=2.0)

    found = cities(lookup, *public(5000))
    took_s = service.monotonic.now_s

    assert took_s <= 2.0
    assert 10 <= found.count("Seattle") == len(service.asked) <= 20
    assert service.reasons == {"geo_time_spent": 5000 - len(service.asked)}


def test_little_time_is_enough_for_one_quick_answer():
    service = Ipstack(takes_s=0.05)

    found = cities(service.lookup(wait_s=0.1), *public(10))

    assert found.count("Seattle") == len(service.asked) == 2


def test_look_ups_that_follow_each_other_share_the_time():
    service = Ipstack(takes_s=0.1)
    lookup = service.lookup(month=1_000_000, wait_s=2.0)
    texts = public(5000)

    for first in range(0, 5000, 500):
        cities(lookup, *texts[first : first + 500])

    assert service.monotonic.now_s <= 2.5


def test_addresses_left_for_want_of_time_are_looked_up_with_later_batches():
    service = Ipstack(takes_s=0.1)
    lookup = service.lookup(month=1_000_000, wait_s=2.0)
    texts = public(30)

    first = cities(lookup, *texts)
    service.monotonic.now_s += 10
    later = cities(lookup, *texts)

    assert None in first
    assert later == ["Seattle"] * 30


def test_time_that_was_cut_short_says_nothing_against_ipstack():
    service = Ipstack(takes_s=0.6)
    lookup = service.lookup(wait_s=0.5)

    for _ in range(5):
        cities(lookup, HERE)
        service.monotonic.now_s += 10

    assert len(service.asked) == 5
    assert service.reasons == {"geo_time_spent": 5}
