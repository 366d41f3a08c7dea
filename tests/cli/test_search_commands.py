"""`vpcflow enrich` to a real OpenSearch: what it puts there, says, and ends with."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from commands import Vpcflow
from opensearch_server import OpenSearchServer
from search_proxy import Bulk, Forward, Reply, busy_every_other_time, search_proxy
from searching import INDEXES, count, log_file, url_of

pytestmark = pytest.mark.integration

FLOWS = 20_000


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return log_file(tmp_path / "flows.log", FLOWS)


@pytest.fixture
def short(tmp_path: Path) -> Path:
    return log_file(tmp_path / "short.log", 100)


def test_an_index_for_each_day_has_the_template_and_the_alias(
    vpcflow: Vpcflow, opensearch: OpenSearchServer, short: Path
):
    done = vpcflow("enrich", "--geo", "off", "--to", url_of(opensearch.netloc), short)

    assert (done.status, "100 records found = 100 delivered" in done.err) == (0, True)
    assert count(opensearch) == 100
    assert sorted(opensearch.ask("GET", "_alias/flows")) == INDEXES
    for index in INDEXES:
        mapping = opensearch.ask("GET", f"{index}/_mapping")[index]["mappings"]
        assert mapping["properties"]["srcaddr"]["type"] == "ip"


def test_a_run_that_is_repeated_is_all_duplicates_and_ends_with_0(
    vpcflow: Vpcflow, opensearch: OpenSearchServer, log: Path
):
    first, second = (
        vpcflow("enrich", "--geo", "off", "--to", url_of(opensearch.netloc), log) for _ in range(2)
    )

    assert (first.status, second.status) == (0, 0)
    assert f"{FLOWS:,} records found = {FLOWS:,} delivered" in first.err
    assert f"+ {FLOWS:,} duplicates" in second.err
    assert count(opensearch) == FLOWS


def test_a_schema_without_an_event_id_has_it_as_its_documents_ids(
    vpcflow: Vpcflow, opensearch: OpenSearchServer, short: Path
):
    command = ("enrich", "--geo", "off", "--schema", "appender", "--to")

    for _ in range(2):
        done = vpcflow(*command, url_of(opensearch.netloc), short)

    assert (done.status, "100 duplicates" in done.err, count(opensearch)) == (0, True, 100)
    (hit,) = opensearch.ask("GET", "flows/_search?size=1")["hits"]["hits"]
    assert (len(hit["_id"]), "event_id" in hit["_source"]) == (32, False)


def test_a_killed_run_that_is_run_again_has_each_flow_once(
    vpcflow: Vpcflow, opensearch: OpenSearchServer, log: Path
):
    written, over = threading.Barrier(3), threading.Event()

    def way(bulk: Bulk, forward: Forward) -> Reply | None:
        if bulk.number < 2:
            reply = forward(bulk.pairs)
            written.wait(60)
            return reply
        over.wait(60)
        return None

    with search_proxy(opensearch.netloc, way) as proxy:
        command = [sys.executable, "-m", "vpcflow", "enrich", "--geo", "off", "--to"]
        with subprocess.Popen([*command, url_of(proxy.netloc), log]) as process:
            try:
                written.wait(60)
            finally:
                process.send_signal(signal.SIGKILL)
        over.set()
    there = count(opensearch)

    done = vpcflow("enrich", "--geo", "off", "--to", url_of(opensearch.netloc), log)

    assert process.returncode == -signal.SIGKILL
    assert 0 < there < FLOWS
    assert done.status == 0
    assert f"= {FLOWS - there:,} delivered" in done.err
    assert f"+ {there:,} duplicates" in done.err
    assert count(opensearch) == FLOWS


def test_a_busy_server_is_said_once_and_gets_all(
    vpcflow: Vpcflow, opensearch: OpenSearchServer, log: Path
):
    with search_proxy(opensearch.netloc, busy_every_other_time) as proxy:
        done = vpcflow("enrich", "--geo", "off", "--to", url_of(proxy.netloc), log)

    assert done.status == 0
    assert done.err.count("it goes again, for up to 900 s") == 1
    assert count(opensearch) == FLOWS


def test_a_server_that_is_away_too_long_ends_it_with_1_and_the_count(
    vpcflow: Vpcflow, opensearch: OpenSearchServer, short: Path
):
    opensearch.kill()

    done = vpcflow(
        *("enrich", "--geo", "off", "--retry-for", "1", "--no-template", "--to"),
        url_of(opensearch.netloc),
        short,
    )

    assert done.status == 1
    assert "takes no more" in done.err and "Connection refused" in done.err
    assert "100 documents that were read are not written" in done.err
    assert "100 records found = 0 delivered + 0 filtered + 0 rejected + 100 failed" in done.err


def test_a_refused_document_is_a_reject_that_says_where_it_was(
    vpcflow: Vpcflow, opensearch: OpenSearchServer, short: Path
):
    strict = {"mappings": {"dynamic": "strict", "properties": {"srcport": {"type": "byte"}}}}
    opensearch.ask(
        "PUT", "_index_template/strict", {"index_patterns": ["flows-*"], "template": strict}
    )

    done = vpcflow(
        *("enrich", "--geo", "off", "--columns", "srcport", "--no-template"),
        *("--rejects", "rejects.ndjson", "--to"),
        url_of(opensearch.netloc),
        short,
    )

    rejects = [json.loads(line) for line in Path("rejects.ndjson").read_text().splitlines()]
    assert done.status == 1
    assert "100 refused_by_index" in done.err
    assert (rejects[0]["source"], rejects[0]["line"]) == (str(short), 1)
    assert "mapper_parsing_exception" in rejects[0]["text"]


@pytest.mark.parametrize("layout", ["stream", "rollover", "single"])
def test_other_layouts_hold_the_flows_and_say_what_they_lack(
    vpcflow: Vpcflow, opensearch: OpenSearchServer, short: Path, layout: str
):
    command = ("enrich", "--geo", "off", "--schema", "appender", "--index", layout, "--to")

    first, second = (vpcflow(*command, url_of(opensearch.netloc), short) for _ in range(2))

    opensearch.ask("POST", "flows/_refresh")
    assert (first.status, second.status) == (0, 0)
    assert "100 duplicates" in second.err
    assert opensearch.ask("GET", "flows/_count")["count"] == 100
    assert ("is there twice" in first.err) == (layout != "single")


@pytest.mark.parametrize("layout", ["stream", "rollover"])
def test_after_a_rollover_a_repeated_delivery_doubles(
    vpcflow: Vpcflow, opensearch: OpenSearchServer, short: Path, layout: str
):
    command = ("enrich", "--geo", "off", "--schema", "appender", "--index", layout, "--to")
    vpcflow(*command, url_of(opensearch.netloc), short)
    opensearch.ask("POST", "flows/_rollover")

    done = vpcflow(*command, url_of(opensearch.netloc), short)

    opensearch.ask("POST", "flows/_refresh")
    assert (done.status, "= 100 delivered" in done.err) == (0, True)
    assert opensearch.ask("GET", "flows/_count")["count"] == 200


def test_no_template_leaves_the_server_its_own(
    vpcflow: Vpcflow, opensearch: OpenSearchServer, short: Path
):
    vpcflow("enrich", "--geo", "off", "--no-template", "--to", url_of(opensearch.netloc), short)

    assert opensearch.ask("GET", "_index_template")["index_templates"] == []
    assert count(opensearch) == 100
