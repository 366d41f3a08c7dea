"""Against a real OpenSearch: whatever fails in between, each flow is there once."""

from __future__ import annotations

from pathlib import Path

import pytest
from opensearch_server import OpenSearchServer
from search_proxy import busy_every_other_time, busy_for_some, losing_answers, search_proxy
from searching import count, deliver_log, event_ids, ids_of, log_file

from vpcflow.sinks.opensearch import writer

pytestmark = pytest.mark.integration

FLOWS = 50_000


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return log_file(tmp_path_factory.mktemp("log") / "flows.log", FLOWS)


@pytest.fixture
def small_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand documents a request: so that some are on their way whenever something fails."""
    monkeypatch.setattr(writer, "MAX_DOCUMENTS", 1000)


@pytest.mark.usefixtures("small_requests")
def test_a_server_that_is_killed_twice_while_it_is_written_to_has_each_flow_once(
    opensearch: OpenSearchServer, log: Path
) -> None:
    kills = [15_000, 35_000]

    def kill(taken: int) -> None:
        if kills and taken >= kills[0]:
            del kills[0]
            opensearch.kill()
            opensearch.launch()

    books = deliver_log(log, opensearch.netloc, at=kill)
    opensearch.wait()

    assert kills == []
    assert (books.delivered, books.duplicates, books.missed) == (FLOWS, 0, 0)
    assert sorted(event_ids(opensearch)) == sorted(ids_of(log))

    again = deliver_log(log, opensearch.netloc)

    assert (again.delivered, again.duplicates, again.missed) == (0, FLOWS, 0)
    assert count(opensearch) == FLOWS


@pytest.mark.usefixtures("small_requests")
def test_a_server_that_is_busy_half_of_the_time_gets_each_flow_once(
    opensearch: OpenSearchServer, log: Path
) -> None:
    with search_proxy(opensearch.netloc, busy_every_other_time) as proxy:
        books = deliver_log(log, proxy.netloc)

    assert proxy.bulks >= 100
    assert (books.delivered, books.duplicates, books.missed) == (FLOWS, 0, 0)
    assert count(opensearch) == FLOWS


@pytest.mark.usefixtures("small_requests")
@pytest.mark.parametrize("way", [losing_answers(3), busy_for_some(7)])
def test_lost_answers_and_refused_documents_cost_no_flow_and_double_none(
    opensearch: OpenSearchServer, tmp_path: Path, way
) -> None:
    log = log_file(tmp_path / "short.log", 10_000)

    with search_proxy(opensearch.netloc, way) as proxy:
        books = deliver_log(log, proxy.netloc)

    assert (books.delivered, books.duplicates, books.missed) == (10_000, 0, 0)
    assert sorted(event_ids(opensearch)) == sorted(ids_of(log))
