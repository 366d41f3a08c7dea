"""What holds for every test: no network, no luck, and with ``CI=true`` no skipping."""

from __future__ import annotations

import os
import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from opensearch_server import OpenSearchServer

# The same examples on every machine and in every run: a failure is found by whoever causes it.
hypothesis.settings.register_profile("default", derandomize=True, database=None, deadline=None)
hypothesis.settings.register_profile("ci", parent=hypothesis.settings.get_profile("default"))
hypothesis.settings.register_profile(
    "soak", parent=hypothesis.settings.get_profile("default"), max_examples=1_000
)


def _ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true"}


hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if _ci() else "default")
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _fail_if_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _fail_if_skipped((yield))


def _fail_if_skipped(report: Any) -> Any:
    """Turn a skip into a failure where CI runs: a promise that nobody checks there is none. An xfail is no skip."""
    if report.skipped and _ci() and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI=true does not allow: {reason}"
    return report


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Generator[None, None, None]:
    """Let sockets of this process reach this machine alone."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex
    lookup = socket.getaddrinfo

    def guarded_lookup(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host is not None and not _is_here(host):
            raise RuntimeError(f"a test asked for the address of {host!r}: tests have no network")
        return lookup(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", _guard(connect))
        patch.setattr(socket.socket, "connect_ex", _guard(connect_ex))
        patch.setattr(socket, "getaddrinfo", guarded_lookup)
        yield


def _guard(connect: Any) -> Any:
    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_here(address[0]):
            raise RuntimeError(f"a test connected to {address[0]!r}: tests have no network")
        return connect(self, address)

    return guarded


def _is_here(host: str | bytes) -> bool:
    text = host.decode() if isinstance(host, bytes) else host
    if text in {"", "localhost"}:
        return True
    try:
        return ip_address(text).is_loopback
    except ValueError:
        return False


@pytest.fixture(scope="session")
def opensearch_process(
    tmp_path_factory: pytest.TempPathFactory,
) -> Generator[OpenSearchServer, None, None]:
    """A real OpenSearch for all tests that ask for one: it takes seconds to start."""
    # Few tests do, and none of them is fast.
    from opensearch_server import OPENSEARCH, running_server

    with running_server(OPENSEARCH, tmp_path_factory.mktemp("opensearch")) as server:
        yield server


@pytest.fixture
def opensearch(opensearch_process: OpenSearchServer) -> Generator[OpenSearchServer, None, None]:
    """A real OpenSearch that holds nothing; a test may kill it."""
    yield opensearch_process
    if not opensearch_process.running:
        opensearch_process.start()
    opensearch_process.clear()
