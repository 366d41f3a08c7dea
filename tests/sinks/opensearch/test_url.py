"""The address of an output on a search server."""

from __future__ import annotations

import pytest

from vpcflow.errors import FormatError
from vpcflow.sinks.opensearch.url import SearchUrl, is_search_url, parse_search_url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("opensearch+https://h.example.com/flows", SearchUrl("h.example.com", 443, "flows")),
        ("opensearch+https://h:9200/vpc-flows_1.2", SearchUrl("h", 9200, "vpc-flows_1.2")),
        ("opensearch+http://localhost/flows", SearchUrl("localhost", 9200, "flows", False)),
        ("opensearch+http://127.0.0.1:9201/flows", SearchUrl("127.0.0.1", 9201, "flows", False)),
        ("opensearch+http://[::1]:9201/flows", SearchUrl("::1", 9201, "flows", False)),
    ],
)
def test_an_address_names_a_server_and_an_index(text: str, url: SearchUrl):
    assert is_search_url(text)
    assert parse_search_url(text) == url


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("opensearch+https://h", "names no index"),
        ("opensearch+https://h/", "names no index"),
        ("opensearch+https:///flows", "names no index"),
        ("opensearch+https://h/Flows", "of a-z, 0-9"),
        ("opensearch+https://h/_flows", "names no index"),
        ("opensearch+https://h/a/b", "names no index"),
        ("opensearch+https://h/flows?pipeline=x", "something after its name"),
        ("opensearch+https://h:port/flows", "no such port"),
        ("opensearch+https://h:0/flows", "no such port"),
        ("opensearch+https://h:99999/flows", "no such port"),
        ("https://h/flows", "names no search server"),
    ],
)
def test_what_names_none_is_refused(text: str, fault: str):
    with pytest.raises(FormatError, match=fault):
        parse_search_url(text)


@pytest.mark.parametrize("host", ["search.example.com", "10.0.0.1", "192.0.2.1", "[2001:db8::1]"])
def test_flows_cross_no_network_without_tls(host: str):
    with pytest.raises(FormatError, match="for a server on this machine"):
        parse_search_url(f"opensearch+http://{host}/flows")


@pytest.mark.parametrize(
    "text",
    [
        "opensearch+https://writer:open-sesame@h/flows",
        "opensearch+http://writer:open-sesame@h/FLOWS",
        "https://writer:open-sesame@h/flows",
        "opensearch+https://writer:12/open-sesame@h/flows",
    ],
)
def test_a_password_in_an_address_is_refused_and_not_shown(text: str):
    with pytest.raises(FormatError, match="VPCFLOW_OPENSEARCH_PASSWORD") as raised:
        parse_search_url(text)

    assert "open-sesame" not in str(raised.value)


@pytest.mark.parametrize("text", ["?api_key=open-sesame", "#open-sesame"])
def test_what_follows_the_name_is_refused_and_not_shown(text: str):
    with pytest.raises(FormatError) as raised:
        parse_search_url(f"opensearch+https://h/flows{text}")

    assert "open-sesame" not in str(raised.value)


@pytest.mark.parametrize("text", [None, "-", "out/", "https://h/flows", "firehose://flows"])
def test_other_outputs_are_no_addresses_of_a_search_server(text: str | None):
    assert not is_search_url(text)
