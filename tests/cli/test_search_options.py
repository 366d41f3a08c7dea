"""Options of an output on a search server: what is refused before anything is read or sent."""

from __future__ import annotations

import subprocess
import sys

import pytest
from commands import Vpcflow

URL = "opensearch+https://search.example.com/flows"
LINE = b"2 123456789012 eni-1 192.0.2.1 198.51.100.1 1 2 6 1 40 1700000000 1700000060 ACCEPT OK"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--to", URL, "--index", "weekly"], "known: daily, rollover, stream, single"),
        (["--to", URL, "--sign", "s3"], "known: es, aoss"),
        (["--to", URL, "--format", "parquet"], "takes documents alone"),
        (["--to", "opensearch+https://u:p@h/flows"], "VPCFLOW_OPENSEARCH_USER"),
        (["--to", "opensearch+http://h/flows"], "unencrypted"),
        (["--index", "single"], "go with --to opensearch+https://… alone"),
        (["--to", "out.ndjson", "--no-template"], "go with --to opensearch+https://… alone"),
        (["--retry-for", "5"], "go with --to opensearch+https://… alone"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(vpcflow: Vpcflow, arguments: list[str], words: str):
    done = vpcflow("enrich", "--geo", "off", *arguments, given=LINE)

    assert (done.status, words in done.err) == (2, True), done.err


def test_flows_that_are_only_parsed_have_no_id_and_are_refused(vpcflow: Vpcflow):
    done = vpcflow("parse", "--to", URL, given=LINE)

    assert (done.status, "use `vpcflow enrich`" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"USER": "writer"}, "VPCFLOW_OPENSEARCH_PASSWORD is not"),
        ({"USER": "writer", "PASSWORD": "open-sesame", "API_KEY": "a2V5"}, "give one"),
    ],
)
def test_an_environment_that_says_too_little_or_too_much_is_wrong_usage(
    vpcflow: Vpcflow, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], words: str
):
    for name, value in settings.items():
        monkeypatch.setenv(f"VPCFLOW_OPENSEARCH_{name}", value)

    done = vpcflow("enrich", "--geo", "off", "--to", URL, given=LINE)

    assert (done.status, words in done.err) == (2, True)
    assert "sesame" not in done.err and "a2V5" not in done.err


@pytest.mark.parametrize("host", ["x.eu-west-1.es.amazonaws.com", "x.eu-west-1.aoss.amazonaws.com"])
def test_a_server_in_aws_is_asked_with_signatures_unless_there_is_a_user(
    vpcflow: Vpcflow, monkeypatch: pytest.MonkeyPatch, host: str
):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "none")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "none")

    done = vpcflow("enrich", "--geo", "off", "--to", f"opensearch+https://{host}/flows", given=LINE)

    assert (done.status, "sign requests" in done.err) == (1, True), done.err


def test_without_opensearch_py_it_is_said_what_to_install():
    program = (
        "import sys\n"
        "sys.modules['opensearchpy'] = None\n"
        f"sys.argv = ['vpcflow', 'enrich', '--geo', 'off', '--to', '{URL}']\n"
        "from vpcflow.__main__ import main\n"
        "main()"
    )

    done = subprocess.run([sys.executable, "-c", program], input=LINE, capture_output=True)

    assert done.returncode == 1
    assert b"pip install 'vpcflow[opensearch]'" in done.stderr
