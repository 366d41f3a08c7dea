"""The long proofs: a million documents with all that goes wrong at once, and the last open-source Elasticsearch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opensearch_server import ELASTICSEARCH, OPENSEARCH, OpenSearchServer, running_server
from search_proxy import Bulk, Forward, Reply, busy_for_some, losing_answers, search_proxy
from searching import INDEXES, count, deliver_log, event_ids, ids_of, log_file, url_of

pytestmark = pytest.mark.soak

MILLION = 1_000_000
FEWER = 50_000


@pytest.fixture
def opensearch_for_long(tmp_path: Path) -> Iterator[OpenSearchServer]:
    with running_server(OPENSEARCH, tmp_path / "opensearch", heap_mb=1024) as server:
        yield server


@pytest.fixture(scope="module")
def elasticsearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSearchServer]:
    with running_server(ELASTICSEARCH, tmp_path_factory.mktemp("elasticsearch")) as server:
        yield server


@pytest.fixture
def emptied(elasticsearch: OpenSearchServer) -> Iterator[OpenSearchServer]:
    yield elasticsearch
    for path in ("*", "_index_template/*", "_component_template/*"):
        elasticsearch.ask("DELETE", path)


def killing(server: OpenSearchServer, *at: int) -> Callable[[int], None]:
    """Kill the server when so many flows are taken, and start it again."""
    left = [*at]

    def kill(taken: int) -> None:
        if left and taken >= left[0]:
            del left[0]
            server.kill()
            server.launch()

    return kill


def refusing_and_losing(bulk: Bulk, forward: Forward) -> Reply | None:
    """Refuse one document in 97, and lose one answer in ten."""
    if bulk.number % 10 == 3:
        forward(bulk.pairs)
        return None
    return busy_for_some(97)(bulk, forward)


def test_a_million_flows_are_there_once_whatever_goes_wrong(
    opensearch_for_long: OpenSearchServer, tmp_path: Path
) -> None:
    server = opensearch_for_long
    log = log_file(tmp_path / "flows.log", MILLION)

    with search_proxy(server.netloc, refusing_and_losing) as proxy:
        books = deliver_log(
            log, proxy.netloc, rows=5000, at=killing(server, 300_000, 700_000), retry_for_s=600
        )
    server.wait()

    assert (books.delivered, books.duplicates, books.missed) == (MILLION, 0, 0)
    assert count(server) == MILLION
    assert set(event_ids(server)) == set(ids_of(log))


def test_elasticsearch_that_is_killed_twice_has_each_flow_once(
    emptied: OpenSearchServer, tmp_path: Path
) -> None:
    log = log_file(tmp_path / "flows.log", FEWER)

    books = deliver_log(log, emptied.netloc, at=killing(emptied, 15_000, 35_000))
    emptied.wait()
    again = deliver_log(log, emptied.netloc)

    assert (books.delivered, books.duplicates, books.missed) == (FEWER, 0, 0)
    assert (again.delivered, again.duplicates, again.missed) == (0, FEWER, 0)
    assert sorted(event_ids(emptied)) == sorted(ids_of(log))


@pytest.mark.parametrize("way", [busy_for_some(7), losing_answers(2)])
def test_elasticsearch_gets_what_is_refused_or_not_answered_once(
    emptied: OpenSearchServer, tmp_path: Path, way
) -> None:
    log = log_file(tmp_path / "flows.log", 10_000)

    with search_proxy(emptied.netloc, way) as proxy:
        books = deliver_log(log, proxy.netloc)

    assert (books.delivered, books.duplicates, books.missed) == (10_000, 0, 0)
    assert count(emptied) == 10_000


def test_elasticsearch_takes_the_templates_and_a_repeated_run(
    emptied: OpenSearchServer, tmp_path: Path
) -> None:
    log = log_file(tmp_path / "flows.log", 1000)
    command = [sys.executable, "-m", "vpcflow", "enrich", "--geo", "off", "--schema", "ecs"]
    command += ["--to", url_of(emptied.netloc), str(log)]

    first, second = (subprocess.run(command, capture_output=True, check=True) for _ in range(2))

    assert b"1,000 records found = 1,000 delivered" in first.stderr
    assert b"1,000 duplicates" in second.stderr
    assert sorted(emptied.ask("GET", "_alias/flows")) == INDEXES
    mapping = emptied.ask("GET", f"{INDEXES[0]}/_mapping")[INDEXES[0]]["mappings"]
    assert mapping["properties"]["source"]["properties"]["ip"]["type"] == "ip"
