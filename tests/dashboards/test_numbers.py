"""Every panel of every dashboard, asked of a real server, beside DuckDB on the same flows."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import pyarrow as pa
import pytest
from opensearch_server import OpenSearchServer
from panel_numbers import Indexed, check_panels, indexed_flows

from vpcflow.dashboards.documents import documents_of
from vpcflow.schemas import SCHEMAS

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module", params=list(SCHEMAS))
def indexed(
    request: pytest.FixtureRequest,
    batches: list[pa.RecordBatch],
    opensearch_process: OpenSearchServer,
) -> Iterator[Indexed]:
    with indexed_flows(opensearch_process, "opensearch", request.param, batches) as found:
        yield found
    opensearch_process.clear()


def test_every_panel_gives_the_numbers_that_duckdb_gives(indexed: Indexed):
    check_panels(indexed)


@pytest.mark.parametrize("cidr", ["10.20.1.0/24", "10.20.0.0/16", "128.0.0.0/2", "2600::/12"])
def test_a_network_as_a_filter_finds_what_duckdb_finds(indexed: Indexed, cidr: str):
    field = documents_of(indexed.schema).field("srcaddr")

    found = indexed.search({"query": {"match_phrase": {field: cidr}}, "track_total_hits": True})

    network = ipaddress.ip_network(cidr)
    addresses = indexed.flows.one("SELECT list(srcaddr) FROM flows WHERE srcaddr IS NOT NULL")
    inside = [a for a in addresses if ipaddress.ip_address(a) in network]
    assert found["hits"]["total"]["value"] == len(inside) > 0


def test_a_distance_and_a_box_find_what_duckdb_finds(indexed: Indexed):
    field = documents_of(indexed.schema).point("src_geo_latitude")
    if field is None:
        return
    near_berlin = {"geo_distance": {"distance": "300km", field: {"lat": 53.5, "lon": 10.0}}}
    asia = {
        "geo_bounding_box": {
            field: {"top_left": {"lat": 60, "lon": 60}, "bottom_right": {"lat": 0, "lon": 179}}
        }
    }

    counts = [
        indexed.search({"query": query, "track_total_hits": True})["hits"]["total"]["value"]
        for query in (near_berlin, asia)
    ]

    assert counts == [
        indexed.flows.one(f"SELECT count(*) FROM flows WHERE src_geo_city = '{name}'")
        for name in ("Berlin", "Tokyo")
    ]
    assert all(counts)
