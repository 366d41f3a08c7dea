"""The same panels asked of Elasticsearch, the last under Apache's licence."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest
from opensearch_server import ELASTICSEARCH, OpenSearchServer, running_server
from panel_numbers import check_panels, indexed_flows

from vpcflow.schemas import SCHEMAS

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def elasticsearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSearchServer]:
    with running_server(ELASTICSEARCH, tmp_path_factory.mktemp("elasticsearch")) as server:
        yield server


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_panel_gives_the_numbers_that_duckdb_gives(
    elasticsearch: OpenSearchServer, batches: list[pa.RecordBatch], schema: str
):
    with indexed_flows(elasticsearch, "elasticsearch", schema, batches) as indexed:
        check_panels(indexed)
