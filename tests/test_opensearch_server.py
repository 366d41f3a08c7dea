"""The real server that tests write to: what it keeps, and what it says where it cannot run."""

from __future__ import annotations

from pathlib import Path

import pytest
from opensearch_server import OPENSEARCH, OpenSearchServer, Refused


@pytest.mark.integration
def test_what_was_answered_for_survives_a_kill(opensearch: OpenSearchServer) -> None:
    opensearch.ask("PUT", "flows-2026.01.01/_doc/1?version=1&version_type=external", {"a": 1})
    url = opensearch.url

    opensearch.kill()
    opensearch.start()

    assert opensearch.url == url
    assert opensearch.ask("GET", "flows-2026.01.01/_doc/1")["_source"] == {"a": 1}


@pytest.mark.integration
def test_a_test_begins_with_nothing(opensearch: OpenSearchServer) -> None:
    opensearch.ask("PUT", "_component_template/part", {"template": {}})
    opensearch.ask(
        "PUT",
        "_index_template/stream",
        {"index_patterns": ["stream*"], "data_stream": {}, "composed_of": ["part"]},
    )
    opensearch.ask("POST", "stream/_doc", {"@timestamp": 0})
    opensearch.ask("PUT", "flows", {"aliases": {"all": {}}})

    opensearch.clear()

    assert opensearch.ask("GET", "_cat/indices?format=json&expand_wildcards=all") == []
    assert opensearch.ask("GET", "_index_template")["index_templates"] == []
    with pytest.raises(Refused, match="404"):
        opensearch.ask("GET", "_component_template/part")


def test_a_server_that_is_not_there_is_said(tmp_path: Path) -> None:
    product = OPENSEARCH._replace(jars=tmp_path / "none")

    with pytest.raises(pytest.skip.Exception, match=r"Java|run `make integration`"):
        OpenSearchServer(product, tmp_path)
