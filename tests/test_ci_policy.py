"""The rules of ``conftest.py`` that hold the tests themselves."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")

SKIPPING = """
import pytest

@pytest.mark.skip(reason="not today")
def test_marked(): ...

def test_while_running():
    pytest.skip("nor now")

@pytest.mark.xfail(strict=True)
def test_known_to_fail():
    assert False

def test_well(): ...
"""


@pytest.fixture
def inner(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest(CONFTEST.read_text())
    return pytester


def test_a_skipped_test_is_a_failure_in_ci(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    inner.makepyfile(SKIPPING)

    result = inner.runpytest_inprocess()

    result.assert_outcomes(failed=1, errors=1, xfailed=1, passed=1)
    result.stdout.fnmatch_lines(["*skipped, which CI=true does not allow: *not today"])


def test_a_module_skipped_at_import_is_a_failure_in_ci(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    inner.makepyfile("import pytest; pytest.importorskip('no_such_module_at_all')")

    result = inner.runpytest_inprocess()

    assert result.ret != pytest.ExitCode.OK
    result.assert_outcomes(errors=1)


def test_skipping_is_allowed_elsewhere(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    inner.makepyfile(SKIPPING)

    result = inner.runpytest_inprocess()

    result.assert_outcomes(skipped=2, xfailed=1, passed=1)


def test_tests_cannot_connect_to_another_machine() -> None:
    with socket.socket() as outside, pytest.raises(RuntimeError, match="no network"):
        outside.connect(("192.0.2.1", 443))


def test_tests_cannot_look_up_a_name() -> None:
    with pytest.raises(RuntimeError, match="no network"):
        socket.getaddrinfo("example.org", 443)


def test_tests_can_connect_to_this_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        here = server.getsockname()

        with socket.create_connection(here) as client:
            assert client.getpeername() == here
