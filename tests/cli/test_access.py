"""Which of AWS's services a host is of, so that requests to it are signed."""

from __future__ import annotations

import pytest

from vpcflow.cli.access import API_KEY, service_of


@pytest.mark.parametrize(
    ("host", "service"),
    [
        ("search-flows-abc.eu-west-1.es.amazonaws.com", "es"),
        ("vpc-flows-abc.cn-north-1.es.amazonaws.com.cn", "es"),
        ("search-flows-abc.aos.eu-west-1.on.aws", "es"),
        ("abc.eu-west-1.aoss.amazonaws.com", "aoss"),
        ("search.example.com", None),
        ("es.amazonaws.com.example.com", None),
    ],
)
def test_requests_to_amazons_hosts_are_signed(host: str, service: str | None):
    assert service_of(host, None, {}) == service


def test_an_api_key_is_taken_before_a_signature():
    assert service_of("search-flows-abc.eu-west-1.es.amazonaws.com", None, {API_KEY: "k"}) is None


def test_a_host_of_ones_own_is_signed_for_as_is_asked():
    assert service_of("search.example.com", "aoss", {}) == "aoss"
