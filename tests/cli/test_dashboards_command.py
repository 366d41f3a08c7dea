"""``vpcflow dashboards``: what it sends to servers that answer as documented, and what it says of those that do not."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from commands import Vpcflow
from fake_dashboards import FakeCluster, FakeDashboards, form_file
from https_server import Server, say, serve, write_certificate

OPENSEARCH = {"version": {"distribution": "opensearch", "number": "2.19.1"}}
ELASTICSEARCH = {"version": {"number": "8.15.0", "build_flavor": "default"}}
BASIC = "Basic " + base64.b64encode(b"ann:opens3same").decode()

Start = Callable[[Callable[[BaseHTTPRequestHandler], None]], str]


@pytest.fixture
def start() -> Iterator[Start]:
    """Serve, in plain HTTP, and give the address."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def started(answer: Callable[[BaseHTTPRequestHandler], None]) -> str:
            server: Server = stack.enter_context(serve(answer, None))
            return f"http://127.0.0.1:{server.port}"

        yield started


def test_one_command_puts_it_all_up(vpcflow: Vpcflow, start: Start):
    cluster, dashboards = FakeCluster(OPENSEARCH), FakeDashboards("osd-xsrf")

    done = vpcflow(
        *("dashboards", "install", "--product", "opensearch", "--name", "flows"),
        *("--cluster", start(cluster), "--dashboards", start(dashboards), "--keep-days", "30"),
    )

    assert done.status == 0, done.err
    assert cluster.puts == [
        "_plugins/_ism/policies/vpcflow_flows",
        "_component_template/vpcflow-settings",
        "_component_template/vpcflow-mappings-flat",
        "_index_template/flows",
    ]
    kinds = [type_ for type_, _ in dashboards.objects[""]]
    assert kinds.count("index-pattern") == 1
    assert kinds.count("dashboard") == 7
    assert "'[flows flat]'" in done.err


def test_again_replaces_the_dashboards_and_leaves_the_rest(vpcflow: Vpcflow, start: Start):
    cluster, dashboards = FakeCluster(OPENSEARCH), FakeDashboards("osd-xsrf")
    command = (
        *("dashboards", "install", "--product", "opensearch", "--keep-days", "30"),
        *("--cluster", start(cluster), "--dashboards", start(dashboards)),
    )
    vpcflow(*command)
    first, puts = json.dumps(sorted(dashboards.objects[""])), len(cluster.puts)

    done = vpcflow(*command)

    assert done.status == 0, done.err
    assert json.dumps(sorted(dashboards.objects[""])) == first
    assert len(cluster.puts) == puts
    assert done.err.count("already there") == 2


def test_a_user_is_let_in_and_nothing_shows_the_password(
    vpcflow: Vpcflow, start: Start, monkeypatch: pytest.MonkeyPatch
):
    cluster, dashboards = FakeCluster(OPENSEARCH, BASIC), FakeDashboards("osd-xsrf", BASIC)
    monkeypatch.setenv("VPCFLOW_OPENSEARCH_USER", "ann")
    monkeypatch.setenv("VPCFLOW_OPENSEARCH_PASSWORD", "opens3same")

    done = vpcflow(
        *("dashboards", "install", "--product", "opensearch"),
        *("--cluster", start(cluster), "--dashboards", start(dashboards)),
    )

    assert done.status == 0, done.err
    assert "opens3same" not in done.err and BASIC not in done.err


def test_an_api_key_goes_to_kibana_with_its_header_and_space(
    vpcflow: Vpcflow, start: Start, monkeypatch: pytest.MonkeyPatch
):
    cluster = FakeCluster(ELASTICSEARCH, "ApiKey a2V5")
    dashboards = FakeDashboards("kbn-xsrf", "ApiKey a2V5")
    monkeypatch.setenv("VPCFLOW_OPENSEARCH_API_KEY", "a2V5")

    done = vpcflow(
        *("dashboards", "install", "--product", "elasticsearch", "--schema", "appender"),
        *("--name", "flows", "--space", "net ops", "--keep-days", "7"),
        *("--cluster", start(cluster), "--dashboards", start(dashboards)),
    )

    assert done.status == 0, done.err
    assert cluster.puts[0] == "_ilm/policy/vpcflow_flows"
    assert ("dashboard", "flows-appender-net ops-sg-dashboard") in dashboards.objects["net%20ops"]


def test_a_tenant_is_named_and_a_path_is_kept(vpcflow: Vpcflow, start: Start):
    dashboards = FakeDashboards("osd-xsrf", path="/_dashboards")

    done = vpcflow(
        *("dashboards", "install", "--product", "opensearch", "--tenant", "global"),
        *("--dashboards", f"{start(dashboards)}/_dashboards/"),
    )

    assert done.status == 0, done.err
    assert list(dashboards.objects) == ["global"]


def test_requests_are_signed_for_a_domain(
    vpcflow: Vpcflow, start: Start, monkeypatch: pytest.MonkeyPatch
):
    dashboards = FakeDashboards("osd-xsrf")
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
    ):
        monkeypatch.setenv(name, value)

    done = vpcflow(
        *("dashboards", "install", "--product", "opensearch", "--sign", "es"),
        *("--dashboards", start(dashboards)),
    )

    assert done.status == 0, done.err
    (headers,) = dashboards.headers
    assert "/eu-west-1/es/aws4_request" in headers["Authorization"]
    assert headers["X-Amz-Content-SHA256"]
    assert headers.get_all("Host") == [headers["Host"]]


def test_certificates_are_checked(vpcflow: Vpcflow, tmp_path: Path):
    certificate = write_certificate(tmp_path / "server.pem")
    dashboards = FakeDashboards("osd-xsrf")

    with serve(dashboards, certificate) as server:
        address = f"https://127.0.0.1:{server.port}"
        command = ("dashboards", "install", "--product", "opensearch", "--dashboards", address)
        unknown = vpcflow(*command)
        known = vpcflow(*command, "--ca-file", certificate)

    assert unknown.status == 1
    assert "its certificate cannot be trusted" in unknown.err
    assert known.status == 0, known.err


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            say(401, b'{"message": "Unauthorized"}'),
            "401: Unauthorized; set VPCFLOW_OPENSEARCH_USER",
        ),
        (say(403, b'{"message": "Forbidden"}'), "403: Forbidden; you have to be allowed to write"),
        (say(404, b"<html>not here</html>"), "404: .*https://HOST/_dashboards in Amazon's domains"),
        (say(413, b"{}"), "savedObjects.maxImportPayloadBytes has to be larger"),
        (
            say(503, b"OpenSearch Dashboards server is not ready yet"),
            "not ready yet; it may be starting",
        ),
        (
            say(302, b"", Location="/app/login"),
            "sends on to '/app/login', which may be a page to log in at",
        ),
        (say(200, b"<html>log in</html>"), "answers with what is no JSON"),
    ],
)
def test_what_keeps_it_from_being_put_up_is_said_with_what_to_do(
    vpcflow: Vpcflow, start: Start, answer: Callable[[BaseHTTPRequestHandler], None], said: str
):
    import re

    def read_and_answer(handler: BaseHTTPRequestHandler) -> None:
        handler.rfile.read(int(handler.headers["Content-Length"]))
        answer(handler)

    done = vpcflow(
        *("dashboards", "install", "--product", "opensearch"),
        *("--dashboards", start(read_and_answer)),
    )

    assert done.status == 1
    assert re.search(said, done.err), done.err


def test_a_server_of_the_other_product_is_told(vpcflow: Vpcflow, start: Start):
    done = vpcflow(
        *("dashboards", "install", "--product", "opensearch"),
        *("--dashboards", start(FakeDashboards("kbn-xsrf"))),
    )

    assert done.status == 1
    assert "it is no OpenSearch Dashboards: try --product elasticsearch" in done.err


def test_a_search_server_of_the_other_product_gets_nothing(vpcflow: Vpcflow, start: Start):
    cluster = FakeCluster(ELASTICSEARCH)

    done = vpcflow("dashboards", "install", "--product", "opensearch", "--cluster", start(cluster))

    assert done.status == 2
    assert "is elasticsearch" in done.err
    assert cluster.puts == []


def test_objects_that_are_refused_are_named_with_their_reasons(vpcflow: Vpcflow, start: Start):
    dashboards = FakeDashboards("osd-xsrf")
    dashboards.refused["vpc-flow-logs-flat-rejects"] = {
        "type": "unknown",
        "message": "mapping set to strict",
        "statusCode": 400,
    }

    done = vpcflow(
        "dashboards", "install", "--product", "opensearch", "--dashboards", start(dashboards)
    )

    assert done.status == 1
    assert "85 of 86 objects" in done.err
    assert "dashboard vpc-flow-logs-flat-rejects: unknown (mapping set to strict)" in done.err


def test_other_ids_are_told_since_links_do_not_follow(vpcflow: Vpcflow, start: Start):
    dashboards = FakeDashboards("kbn-xsrf")
    dashboards.taken = {"vpc-flow-logs-flat-overview"}

    done = vpcflow(
        "dashboards", "install", "--product", "elasticsearch", "--dashboards", start(dashboards)
    )

    assert done.status == 0
    assert "1 of them have other ids" in done.err and "--space" in done.err


def test_no_server_is_told(vpcflow: Vpcflow):
    with serve(say(200, b""), None) as server:
        address = f"http://127.0.0.1:{server.port}"

    done = vpcflow("dashboards", "install", "--product", "opensearch", "--dashboards", address)

    assert done.status == 1
    assert f"cannot reach {address}: Connection refused" in done.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--product solr --cluster http://127.0.0.1:1", "unknown product 'solr'"),
        ("--product opensearch", "neither --cluster nor --dashboards"),
        (
            "--product opensearch --dashboards http://127.0.0.1:1 --keep-days 3",
            "give --cluster too",
        ),
        ("--product opensearch --cluster http://127.0.0.1:1 --space x", "OpenSearch has tenants"),
        ("--product elasticsearch --cluster http://127.0.0.1:1 --tenant x", "Kibana has spaces"),
        ("--product opensearch --cluster http://search.example.com", "write https://"),
        ("--product opensearch --cluster https://ann:x@search.example.com", "has a user in it"),
        ("--product opensearch --cluster https://h:1/ann:x@search.example.com", "has a user in it"),
        ("--product opensearch --cluster https://h/?key=ann:x", "something after its path"),
        ("--product opensearch --cluster search.example.com", "is no address"),
        ("--product opensearch --cluster http://127.0.0.1:1 --name Flows", "--name 'Flows'"),
        ("--product opensearch --cluster http://127.0.0.1:1 --schema x", "unknown schema 'x'"),
        ("--product opensearch --cluster http://127.0.0.1:1 --index x", "unknown --index 'x'"),
        ("--product opensearch --cluster http://127.0.0.1:1 --sign x", "unknown --sign 'x'"),
        ("--product opensearch --cluster http://127.0.0.1:1 --ca-file x", "--ca-file 'x'"),
    ],
)
def test_options_that_make_no_sense_are_refused(vpcflow: Vpcflow, options: str, said: str):
    done = vpcflow("dashboards", "install", *options.split())

    assert done.status == 2
    assert said in done.err
    assert "ann:x" not in done.err


def test_two_ways_to_be_let_in_are_one_too_many(vpcflow: Vpcflow, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VPCFLOW_OPENSEARCH_USER", "ann")
    monkeypatch.setenv("VPCFLOW_OPENSEARCH_API_KEY", "a2V5")

    done = vpcflow(
        "dashboards", "install", "--product", "opensearch", "--cluster", "http://127.0.0.1:1"
    )

    assert done.status == 2
    assert "give one" in done.err and "a2V5" not in done.err


def test_rendered_objects_are_those_that_are_installed(vpcflow: Vpcflow, start: Start):
    dashboards = FakeDashboards("kbn-xsrf")
    sent: list[bytes] = []

    def keep(handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        sent.append(form_file(handler.headers["Content-Type"], body)[0])
        say(200, b'{"success": true, "successCount": 74}')(handler)

    rendered = vpcflow("dashboards", "render", "--product", "elasticsearch", "--schema", "flat")
    vpcflow("dashboards", "install", "--product", "elasticsearch", "--dashboards", start(keep))

    assert sent == [rendered.out]
    assert dashboards.objects == {}


def test_a_key_with_the_end_of_a_line_is_not_shown(
    vpcflow: Vpcflow, start: Start, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("VPCFLOW_OPENSEARCH_API_KEY", "a2V5\n")

    done = vpcflow(
        *("dashboards", "install", "--product", "opensearch"),
        *("--dashboards", start(FakeDashboards("osd-xsrf"))),
    )

    assert done.status == 1
    assert "a character that no header may have" in done.err
    assert "a2V5" not in done.err
