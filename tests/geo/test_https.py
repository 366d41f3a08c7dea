"""The transport of ipstack's requests against a server on this machine, with and without faults."""

from __future__ import annotations

import logging
import traceback
from collections import Counter
from contextlib import closing

import orjson
import pyarrow as pa
import pytest
from https_server import say, serve, trusting, write_certificate

from vpcflow.addresses import parse_addresses
from vpcflow.geo.https import Https
from vpcflow.geo.ipstack import IpStack, Limits

HERE = "192.175.48.1"
KEY = "sentinel0123456789abcdef"
PATH = f"/{HERE}?access_key={KEY}"
PLACE = orjson.dumps({"ip": HERE, "country_code": "US", "city": "Seattle"})


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return write_certificate(tmp_path_factory.mktemp("tls") / "certificate.pem")


@pytest.fixture
def server(certificate):
    with serve(say(200, PLACE), certificate) as server:
        yield server


@pytest.fixture
def get(server, certificate):
    with closing(Https("127.0.0.1", server.port, context=trusting(certificate))) as get:
        yield get


def hang(handler):
    handler.server.ended.wait()


def drip(handler):
    """Send a byte now and then, for ever: no single read takes long."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    while not handler.server.ended.wait(0.02):
        handler.wfile.write(b" ")


def cut_off(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(PLACE)
    handler.close_connection = True


def close(handler):
    handler.close_connection = True


def no_http(handler):
    handler.wfile.write(f"what is {handler.path}\r\n\r\n".encode())
    handler.close_connection = True


def chunked(handler):
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for piece in (PLACE[:5], PLACE[5:], b""):
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))


def test_status_and_body_come_back_whole(get, server):
    server.answer = say(404, PLACE)

    answer = get(PATH, 5.0)

    assert answer == (404, PLACE)
    assert server.paths == [PATH]


@pytest.mark.parametrize("answer", [chunked, say(200, PLACE, Connection="close")])
def test_any_way_to_send_a_body_is_read(get, server, answer):
    server.answer = answer

    found = [get(PATH, 5.0) for _ in range(2)]

    assert found == [(200, PLACE)] * 2


def test_a_connection_is_used_again(get, server):
    for _ in range(3):
        get(PATH, 5.0)

    assert (len(server.paths), server.connections) == (3, 1)


def test_a_kept_connection_that_was_closed_meanwhile_is_made_anew(get, server):
    get(PATH, 5.0)
    server.answer = lambda handler: (setattr(server, "answer", say(200, PLACE)), close(handler))

    answer = get(PATH, 5.0)

    assert answer == (200, PLACE)
    assert server.connections == 2


def test_a_connection_that_lay_idle_for_long_is_not_used(server, certificate):
    now = [0.0]
    context = trusting(certificate)
    get = Https("127.0.0.1", server.port, context=context, monotonic=lambda: now[0])

    with closing(get):
        get(PATH, 5.0)
        now[0] += 31
        get(PATH, 5.0)

    assert server.connections == 2


def test_a_certificate_that_nobody_vouches_for_ends_it_before_the_request(server):
    get = Https("127.0.0.1", server.port)

    with pytest.raises(OSError, match="certificate verify failed"):
        get(PATH, 5.0)

    assert server.paths == []


def test_a_certificate_of_another_name_ends_it_before_the_request(server, certificate):
    get = Https("localhost", server.port, context=trusting(certificate))

    with pytest.raises(OSError, match="certificate verify failed"):
        get(PATH, 5.0)

    assert server.paths == []


def test_there_is_no_plain_http(certificate):
    with serve(say(200, PLACE), None) as server:
        get = Https("127.0.0.1", server.port, context=trusting(certificate))

        with pytest.raises(OSError):
            get(PATH, 5.0)

        assert server.paths == []


def test_a_redirect_is_not_followed(get, server):
    server.answer = say(301, b"", Location=f"http://127.0.0.1:{server.port}/elsewhere")

    status, _ = get(PATH, 5.0)

    assert status == 301
    assert server.paths == [PATH]


@pytest.mark.parametrize("answer", [hang, drip])
def test_waiting_ends_when_the_time_is_up(get, server, answer):
    server.answer = answer

    with pytest.raises(TimeoutError):
        get(PATH, 0.15)


def test_without_time_nothing_is_asked(get, server):
    with pytest.raises(TimeoutError):
        get(PATH, 0.0)

    assert server.connections == 0


def test_an_answer_has_a_limit(get, server):
    server.answer = say(200, b" " * (4 * 1024 * 1024 + 1))

    with pytest.raises(OSError):
        get(PATH, 5.0)


FAULTS = {
    "hang": hang,
    "drip": drip,
    "cut off": cut_off,
    "close": close,
    "no http": no_http,
    "endless": say(200, b" " * (4 * 1024 * 1024 + 1)),
    "redirect": say(302, b"", Location=f"https://127.0.0.1/?access_key={KEY}"),
    "server fault": say(500, f"no {PATH}".encode()),
    "too often": say(429, b"{}"),
    "no JSON": say(200, f"<html>{PATH}".encode()),
    "refused": say(200, orjson.dumps({"success": False, "error": {"code": 101, "info": PATH}})),
    "another's": say(200, orjson.dumps({"ip": KEY, "country_code": "US"})),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_no_failure_tells_the_key(get, server, fault, caplog, capfd):
    """The key is in no log of any level, no output, no count, no error and nothing that an error hangs on."""
    server.answer = fault
    caplog.set_level(logging.DEBUG)
    counts: Counter[str] = Counter()
    wait_s = 0.7 if fault in (hang, drip) else 10.0
    lookup = IpStack(lambda: KEY, get, limits=Limits(wait_s=wait_s), counts=counts)
    told = []

    blank = lookup.places(parse_addresses(pa.array([HERE]))).column("city").to_pylist()
    try:
        get(PATH, 0.3)
    except OSError as error:
        told += [traceback.format_exc(), *chain(error)]
    out, err = capfd.readouterr()

    told += [caplog.text, out, err, str(counts), repr(lookup), repr(get), str(vars(lookup))]
    assert blank == [None]
    assert counts["geo_misses"] == 1
    assert server.paths
    assert [text for text in told if KEY in text] == []


def chain(error: BaseException | None) -> list[str]:
    """Give the words of an error and of all errors it came from, shown or not."""
    told = []
    while error is not None:
        told += [repr(error), str(error), str(error.args)]
        error = error.__cause__ or error.__context__
    return told


def test_a_key_that_breaks_a_request_is_not_told(get):
    with pytest.raises(OSError) as raised:
        get(f"/{HERE}?access_key={KEY}\r\n", 5.0)

    assert [text for text in chain(raised.value) if KEY in text] == []


def test_places_come_over_https(get):
    counts: Counter[str] = Counter()
    lookup = IpStack(lambda: KEY, get, limits=Limits(), counts=counts)

    places = lookup.places(parse_addresses(pa.array([HERE])))

    assert places.column("city").to_pylist() == ["Seattle"]
    assert counts == {"geo_requests": 1}


def test_a_service_that_hangs_holds_a_batch_up_for_no_longer_than_it_may(get, server):
    server.answer = hang
    counts: Counter[str] = Counter()
    lookup = IpStack(lambda: KEY, get, limits=Limits(wait_s=0.4), counts=counts)
    addresses = parse_addresses(pa.array([f"192.175.48.{i}" for i in range(200)]))

    blank = lookup.places(addresses).column("city").to_pylist()

    assert blank == [None] * 200
    assert counts["geo_requests"] <= 8
    assert counts["geo_time_spent"] == 200
