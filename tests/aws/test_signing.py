"""Signatures, checked by a server on this machine that knows the secret and signs what it got once more."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import opensearchpy
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, RefreshableCredentials
from moto_server import moto_server

from vpcflow.aws.opensearch import OpenSearch
from vpcflow.aws.signing import Signer, open_signer
from vpcflow.errors import AwsError

SECRETS = {"AKIDEXAMPLE": "secret", "AKIDLATER": "another secret"}
SIGNED = {"host", "x-amz-content-sha256", "x-amz-date"}


class Server(ThreadingHTTPServer):
    """Answers with 403 what is not signed as AWS wants it; ``bodies`` are those it took, ``keys`` who signed."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: list[bytes] = []
        self.keys: list[str] = []
        self.services: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        is_good = self._is_signed(body)
        if is_good:
            self.server.bodies.append(body)
        answer = b'{"took":1,"errors":false,"items":[]}' if is_good else b'{"message":"signature"}'
        self.send_response(200 if is_good else 403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_PUT = do_POST

    def _is_signed(self, body: bytes) -> bool:
        kind, _, rest = self.headers["Authorization"].partition(" ")
        said = dict(part.strip().split("=", 1) for part in rest.split(","))
        key, _, region, service, _ = said["Credential"].split("/")
        names = said["SignedHeaders"].split(";")
        request = AWSRequest(self.command, f"http://{self.headers['Host']}{self.path}", data=body)
        for name in names:
            request.headers[name] = self.headers[name]
        request.context["timestamp"] = self.headers["X-Amz-Date"]
        auth = SigV4Auth(Credentials(key, SECRETS[key]), service, region)
        text = auth.string_to_sign(request, auth.canonical_request(request))
        self.server.keys.append(key)
        self.server.services.append(service)
        return (
            kind == "AWS4-HMAC-SHA256"
            and set(names) >= SIGNED
            and auth.signature(text, request) == said["Signature"]
            and self.headers["X-Amz-Content-SHA256"] == hashlib.sha256(body).hexdigest()
        )

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def client_of(server: Server, auth: Any, **options: Any) -> opensearchpy.OpenSearch:
    hosts = [{"host": "127.0.0.1", "port": server.server_port}]
    return opensearchpy.OpenSearch(hosts, http_auth=auth, max_retries=0, **options)


@pytest.mark.parametrize("service", ["es", "aoss"])
@pytest.mark.parametrize("compress", [True, False])
def test_requests_of_opensearch_py_are_signed(service: Any, compress: bool, server: Server):
    client = client_of(server, open_signer(service), http_compress=compress)
    lines = '{"index":{}}\n{"srcaddr":"192.0.2.1"}\n'

    client.bulk(body=lines, index="flows-2026.11.24", params={"filter_path": "took,items.*.error"})
    client.indices.get_alias(name="flows,other", params={"expand_wildcards": "open,hidden"})

    (body, _) = server.bodies
    assert (gzip.decompress(body) if compress else body).decode() == lines
    assert server.services == [service, service]


def test_a_wrong_secret_is_refused(server: Server):
    signer = Signer(Credentials("AKIDEXAMPLE", "no"), "eu-west-1", "es")

    with pytest.raises(opensearchpy.AuthorizationException):
        client_of(server, signer).info()


def test_what_is_set_up_is_signed_by_the_same(server: Server):
    endpoint = OpenSearch(f"http://127.0.0.1:{server.server_port}/", "aoss")

    first = endpoint.ask("PUT", "_index_template/flows", {"index_patterns": ["flows-*"]})
    second = endpoint.ask("PUT", "_plugins/_ism/policies/x?if_seq_no=7&if_primary_term=1", {})

    assert (first.status, second.status) == (200, 200)


def test_credentials_that_run_out_are_had_anew(server: Server):
    def later() -> dict[str, Any]:
        expiry = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        return {
            "access_key": "AKIDLATER",
            "secret_key": SECRETS["AKIDLATER"],
            "token": "t",
            "expiry_time": expiry,
        }

    spent = datetime.now(UTC) - timedelta(hours=1)
    credentials = RefreshableCredentials("AKIDEXAMPLE", "secret", "t", spent, later, "test")

    client_of(server, Signer(credentials, "eu-west-1", "es")).info()

    assert server.keys == ["AKIDLATER"]
    assert len(server.bodies) == 1


def test_a_session_token_is_signed_too():
    headers = Signer(Credentials("AKIDEXAMPLE", "secret", "token"), "eu-west-1", "es")(
        "GET", "https://search.example.com/"
    )

    assert headers["X-Amz-Security-Token"] == "token"
    assert "x-amz-security-token" in headers["Authorization"]


def test_without_credentials_it_is_said_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(AwsError, match="sign requests to es") as raised:
        open_signer("es", region="eu-west-1")

    assert raised.value.permanent


@pytest.mark.integration
def test_a_role_signs_where_one_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with moto_server() as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)

        signer = open_signer(
            "es", region="eu-west-1", role_arn="arn:aws:iam::210987654321:role/flows"
        )
        headers = signer("GET", "https://search.example.com/")

    assert "testing/" not in headers["Authorization"]
    assert headers["X-Amz-Security-Token"]
