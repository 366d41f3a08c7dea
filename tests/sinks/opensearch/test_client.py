"""What goes over the wire by opensearch-py, and what an answer, or none, is made of."""

from __future__ import annotations

import base64
import gzip
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from https_server import Server, say, serve, write_certificate

from vpcflow.errors import AwsError, SinkError
from vpcflow.sinks.opensearch.client import Access, ClientServer, open_server
from vpcflow.sinks.opensearch.server import Answer, NoAnswer, PatientServer
from vpcflow.sinks.opensearch.url import SearchUrl


class Wire:
    """A server that keeps what it was sent, and answers as told."""

    def __init__(self, server: Server) -> None:
        self.url = SearchUrl("127.0.0.1", server.port, "flows", is_secure=False)
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answers = [say(200, b"{}", Content_Type="application/json")]
        server.answer = self._answer

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.requests.append((handler.command, handler.path, headers, body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        answer(handler)

    @property
    def headers(self) -> dict[str, str]:
        return self.requests[-1][2]


@pytest.fixture
def wire() -> Iterator[Wire]:
    with serve(say(200, b"{}"), None) as server:
        yield Wire(server)


def opened(wire: Wire, **access: Any) -> ClientServer:
    return open_server(wire.url, Access(**access))


def test_a_bulk_request_is_gzipped_lines_as_they_were_given(wire: Wire):
    body = gzip.compress(b'{"index":{}}\n{}\n')

    answer = opened(wire).bulk("_bulk?filter_path=errors", body)

    (method, path, headers, sent) = wire.requests[0]
    assert (method, path, sent) == ("POST", "/_bulk?filter_path=errors", body)
    assert (headers["content-type"], headers["content-encoding"]) == (
        "application/x-ndjson",
        "gzip",
    )
    assert answer == Answer(200, {})


def test_a_question_is_json(wire: Wire):
    opened(wire).ask("PUT", "_index_template/flows", {"priority": 200})

    (method, path, headers, sent) = wire.requests[0]
    assert (method, path, sent) == ("PUT", "/_index_template/flows", b'{"priority":200}')
    assert headers["content-type"] == "application/json"


def test_no_product_is_asked_for(wire: Wire):
    opened(wire).ask("GET", "_alias/flows")

    assert [path for _, path, _, _ in wire.requests] == ["/_alias/flows"]


def test_a_user_an_api_key_or_a_signer_lets_in(wire: Wire):
    signed: list[Any] = []

    def sign(method: str, url: str, body: bytes | None) -> dict[str, str]:
        signed.append((method, url.removeprefix(wire.url.server), body))
        return {"authorization": "signed"}

    found = []
    for access in ({"user": "writer", "password": "p:w"}, {"api_key": "a2V5"}, {"sign": sign}, {}):
        opened(wire, **access).bulk("_bulk", b"zipped")
        found.append(wire.headers.get("authorization"))

    basic = base64.b64encode(b"writer:p:w").decode()
    assert found == [f"Basic {basic}", "ApiKey a2V5", "signed", None]
    assert signed == [("POST", "/_bulk", b"zipped")]


def test_secrets_are_not_shown():
    access = Access("writer", "open-sesame", "a2V5")

    assert "sesame" not in repr(access) and "a2V5" not in str(access)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 429, 500, 503])
def test_any_status_is_an_answer_and_nothing_is_repeated(wire: Wire, status: int):
    body = b'{"error": {"type": "t", "reason": "r"}, "status": 1}'
    wire.answers = [say(status, body, Content_Type="application/json; charset=UTF-8")]

    answer = opened(wire).bulk("_bulk", b"")

    assert (answer.status, answer.text, answer.error_type) == (status, "t: r", "t")
    assert len(wire.requests) == 1


def test_a_proxys_word_is_told_as_it_is(wire: Wire):
    wire.answers = [say(502, b"<html>Bad Gateway</html>", Content_Type="text/html")]

    answer = opened(wire).bulk("_bulk", b"")

    assert (answer.status, answer.text) == (502, "<html>Bad Gateway</html>")


def test_a_server_that_is_not_there_was_sent_nothing():
    with serve(say(200, b"{}"), None) as server:
        url = SearchUrl("127.0.0.1", server.port, "flows", is_secure=False)

    with pytest.raises(NoAnswer, match="Connection refused") as raised:
        open_server(url).ask("GET", "")

    assert (raised.value.sent, raised.value.permanent) == (False, False)


def test_a_connection_that_ends_leaves_open_whether_it_was_carried_out(wire: Wire):
    wire.answers = [lambda handler: handler.connection.shutdown(socket.SHUT_RDWR)]

    with pytest.raises(NoAnswer) as raised:
        opened(wire).bulk("_bulk", b"x")

    assert (raised.value.sent, raised.value.permanent) == (True, False)


def test_an_answer_that_is_cut_off_is_none(wire: Wire):
    wire.answers = [say(200, b'{"errors":', Content_Type="application/json")]

    with pytest.raises(NoAnswer) as raised:
        opened(wire).bulk("_bulk", b"x")

    assert raised.value.sent


@pytest.mark.parametrize("permanent", [True, False])
def test_credentials_that_cannot_be_had_are_no_fault_of_the_server(wire: Wire, permanent: bool):
    def sign(*_: object) -> dict[str, str]:
        raise AwsError("no credentials", code="NoCredentialsError", permanent=permanent)

    with pytest.raises(NoAnswer, match="no credentials") as raised:
        opened(wire, sign=sign).bulk("_bulk", b"x")

    assert (raised.value.sent, raised.value.permanent) == (False, permanent)


def test_a_certificate_is_verified_unless_it_is_signed_by_whom_we_trust(tmp_path: Path):
    certificate = write_certificate(tmp_path / "server.pem")

    with serve(say(200, b"{}", Content_Type="application/json"), certificate) as server:
        url = SearchUrl("127.0.0.1", server.port, "flows")
        answer = open_server(url, ca_file=str(certificate)).ask("GET", "")
        with pytest.raises(NoAnswer, match="--ca-file") as raised:
            open_server(url).ask("GET", "")

    assert answer.status == 200
    assert (raised.value.sent, raised.value.permanent) == (False, True)
    assert len(server.paths) == 1


def test_a_file_of_authorities_that_is_none_is_an_error(tmp_path: Path):
    (tmp_path / "ca.pem").write_text("nothing")

    for path in (tmp_path / "ca.pem", tmp_path / "missing.pem"):
        with pytest.raises(SinkError, match="cannot use --ca-file"):
            open_server(SearchUrl("h", 443, "flows"), ca_file=str(path))


def patient(wire: Wire, within_s: float = 60) -> tuple[PatientServer, list[float]]:
    waits: list[float] = []
    return PatientServer(
        opened(wire),
        within_s=within_s,
        clock=lambda: sum(waits),
        sleep=waits.append,
        random=lambda: 1.0,
    ), waits


def test_what_may_come_right_is_asked_again(wire: Wire):
    wire.answers = [say(503, b""), say(429, b""), *wire.answers]
    server, waits = patient(wire)

    assert server.ask("GET", "").status == 200
    assert waits == [0.25, 0.5]


def test_what_does_not_come_right_in_time_is_the_answer(wire: Wire):
    wire.answers = [say(503, b"")]
    server, waits = patient(wire, within_s=10)

    assert server.ask("GET", "").status == 503
    assert sum(waits) < 10


def test_what_cannot_come_right_is_not_asked_again(wire: Wire):
    wire.answers = [say(403, b"")]
    server, waits = patient(wire)

    assert (server.ask("GET", "").status, waits) == (403, [])
