"""The custom resource, against an OpenSearch and a CloudFormation that listen on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest

from vpcflow.lambdas import index_setup
from vpcflow.lambdas.index_setup import handler, respond

WRITER = "arn:aws:iam::123456789012:role/delivery"


class Request(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: Any


class Server(ThreadingHTTPServer):
    """Takes every request and remembers it; ``answers`` gives a status by path, else it is 200."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[Request] = []
        self.answers: dict[str, tuple[int, str]] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def to_cloudformation(self) -> list[Any]:
        return [one.body for one in self.requests if one.path.startswith("/cloudformation")]

    def to_opensearch(self) -> list[Request]:
        return [one for one in self.requests if not one.path.startswith("/cloudformation")]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append(
            Request(self.command, self.path, headers, json.loads(body) if body else None)
        )
        status, text = self.server.answers.get(self.path, (200, "{}"))
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST = do_PUT

    def log_message(self, format: str, *args: object) -> None:
        pass


class Context:
    def __init__(self, left_s: float = 300) -> None:
        self._left_s = left_s

    def get_remaining_time_in_millis(self) -> int:
        return int(self._left_s * 1000)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def event(server: Server, request: str = "Create", **properties: str) -> dict[str, Any]:
    return {
        "RequestType": request,
        "ResponseURL": f"{server.url}/cloudformation?X-Amz-Signature=abc",
        "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/flows/1",
        "RequestId": "1",
        "LogicalResourceId": "OpenSearchIndex",
        "ResourceProperties": {
            "Endpoint": server.url,
            "Service": "es",
            "Index": "flows",
            "Schema": "appender",
            "WriterRoleArn": WRITER,
            "AdminArn": "",
            "KeepDays": "0",
            "SetupRoleArn": "",
            **properties,
        },
    }


@pytest.mark.parametrize("service", ["es", "aoss"])
def test_the_index_is_set_up_by_signed_requests(service: str, server: Server):
    handler(event(server, Service=service), Context())

    put = next(
        one
        for one in server.to_opensearch()
        if one.method == "PUT" and "mappings" in one.body["template"]
    )
    assert (
        put.path
        == {
            "es": "/_component_template/vpcflow-mappings-appender",
            "aoss": "/_index_template/flows",
        }[service]
    )
    assert put.body["template"]["mappings"]["properties"]["source-location"] == {
        "type": "geo_point"
    }
    assert f"/eu-west-1/{service}/aws4_request" in put.headers["authorization"]
    assert "x-amz-content-sha256" in put.headers["authorization"]
    assert put.headers["x-amz-security-token"] == "token"


def test_cloudformation_hears_of_success_and_gets_the_name_of_the_index(server: Server):
    handler(event(server), Context())

    (answer,) = server.to_cloudformation()
    assert answer["Status"] == "SUCCESS"
    assert answer["Data"] == {"Index": "flows"}
    assert answer["PhysicalResourceId"] == f"{server.url}/flows"
    assert (answer["RequestId"], answer["LogicalResourceId"]) == ("1", "OpenSearchIndex")


def test_the_answer_has_no_content_type_which_its_url_would_refuse(server: Server):
    handler(event(server), Context())

    (answer,) = [one for one in server.requests if one.path.startswith("/cloudformation")]
    assert answer.headers.get("content-type", "") == ""


def test_cloudformation_hears_of_what_opensearch_refuses(server: Server):
    server.answers["/_index_template/flows"] = (400, '{"error":"unknown setting"}')

    handler(event(server), Context())

    (answer,) = server.to_cloudformation()
    assert answer["Status"] == "FAILED"
    assert "unknown setting" in answer["Reason"]


def test_cloudformation_hears_in_time_of_what_never_gets_ready(server: Server):
    server.answers["/_index_template/flows"] = (503, "not yet")

    handler(event(server), Context(left_s=10))

    (answer,) = server.to_cloudformation()
    assert answer["Status"] == "FAILED"
    assert "503" in answer["Reason"]


@pytest.mark.parametrize("wrong", [{"Service": "elastic"}, {"Schema": "ecs9"}])
def test_a_wrong_property_is_named(wrong: dict[str, str], server: Server):
    handler(event(server, **wrong), Context())

    ((name, value),) = wrong.items()
    (answer,) = server.to_cloudformation()
    assert f"{name}={value!r}: may be" in answer["Reason"]


def test_a_delete_asks_nothing_of_opensearch_and_succeeds(server: Server):
    gone = {**event(server, "Delete"), "PhysicalResourceId": "https://gone.example/flows"}

    handler(gone, Context())

    (answer,) = server.to_cloudformation()
    assert answer["Status"] == "SUCCESS"
    assert answer["PhysicalResourceId"] == "https://gone.example/flows"
    assert not server.to_opensearch()


def test_cloudformation_hears_of_a_defect_of_ours_too(server: Server):
    def broken(properties: Any, within_s: float) -> dict[str, str]:
        raise ImportError("no module named pyarrow")

    written: list[str] = []

    respond(event(server), Context(), broken, index_setup.put, write=written.append)

    (answer,) = server.to_cloudformation()
    assert answer["Status"] == "FAILED"
    assert answer["Reason"] == "ImportError: no module named pyarrow"
    assert json.loads(written[0])["level"] == "ERROR"
