"""Every panel of every dashboard, asked of a real server, beside DuckDB on the same flows."""

from __future__ import annotations

import ipaddress
import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet
from opensearch_server import OpenSearchServer, Refused
from panel_sql import Flows, Level
from saved_objects import Saved, read
from simulated import simulated

import vpcflow
from vpcflow.dashboards import DASHBOARDS, PRODUCTS, render
from vpcflow.dashboards.documents import documents_of
from vpcflow.dashboards.model import Metric, Panel, Records, Terms
from vpcflow.dashboards.saved_objects import _slug
from vpcflow.file_schema import TEXT
from vpcflow.generate import LAYOUTS
from vpcflow.geo import open_geo
from vpcflow.index_install import install_template
from vpcflow.inventory import load_inventory
from vpcflow.schemas import SCHEMAS

pytestmark = pytest.mark.integration

SINCE, UNTIL = "2026-01-15T00:00:00.000Z", "2026-01-16T00:00:00.000Z"

EXPRESSIONS: dict[str, dict[str, str]] = {
    "flat": {},
    # The original knows a direction only where it knows the interface, and writes places that it does not know as "".
    "appender": {
        "direction": "CASE WHEN security_group_ids IS NULL THEN NULL"
        " WHEN direction = 'ingress' THEN 'inbound' WHEN direction = 'egress' THEN 'outbound' END",
        "src_geo_country_name": "coalesce(src_geo_country_name, '')",
        "src_geo_country_code": "coalesce(src_geo_country_code, '')",
    },
    # Numbers that are names are keywords there, and durations nanoseconds.
    "ecs": {
        "protocol": "protocol::VARCHAR",
        "version": "version::VARCHAR",
        "duration_s": "duration_s * 1000000000",
    },
    # An endpoint's address is that in the packet; what is known of another stands elsewhere.
    "ocsf": {
        "srcaddr": "coalesce(pkt_srcaddr, srcaddr)",
        "dstaddr": "coalesce(pkt_dstaddr, dstaddr)",
        "action": "CASE action WHEN 'ACCEPT' THEN 'Allowed' WHEN 'REJECT' THEN 'Blocked' END",
        "direction": "CASE direction WHEN 'ingress' THEN 'Inbound' WHEN 'egress' THEN 'Outbound' END",
        "version": "version::VARCHAR",
        "duration_s": "duration_s * 1000",
        "peer_scope": "CASE WHEN peer_addr IS NOT NULL THEN peer_scope END",
    },
}
"""What documents hold otherwise than flows do, in SQL."""

PLACES = {
    "0.0.0.0/2": ("US", "United States", "Seattle", 47.6, -122.3, 64496, "Example West"),
    "64.0.0.0/2": ("DE", "Germany", "Berlin", 52.5, 13.4, 64497, "Example East"),
    "128.0.0.0/2": ("JP", "Japan", "Tokyo", 35.7, 139.7, 64498, "Example Far East"),
}
"""The rest of the world has no place."""


class Answer(NamedTuple):
    status: int
    body: Any

    @property
    def text(self) -> str:
        return str(self.body)


class Endpoint:
    def __init__(self, server: OpenSearchServer) -> None:
        self._server = server

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        try:
            return Answer(200, self._server.ask(method, path, body))
        except Refused as refused:
            return Answer(refused.status, refused.body)


@pytest.fixture(scope="module")
def batches(tmp_path_factory: pytest.TempPathFactory) -> list[pa.RecordBatch]:
    """Flows of a company, with all that can be told of them, and some causes that no simulation has."""
    folder = tmp_path_factory.mktemp("company")
    report = simulated(folder, records=3_000, layout=LAYOUTS["v11"])
    inventory = load_inventory(
        report.inventory, captured_at=report.scenario.capture_s, warn=lambda _: None
    )
    reference = vpcflow.Reference(
        inventory=inventory,
        geo=open_geo(database(folder / "city.mmdb", "Test-City", city)),
        asn=open_geo(database(folder / "asn.mmdb", "Test-ASN", system)),
    )
    return [
        with_causes(vpcflow.enrich(batch, reference)) for batch in vpcflow.read(str(report.logs))
    ]


def city(place: tuple[Any, ...]) -> dict[str, Any]:
    return {
        "country": {"iso_code": place[0], "names": {"en": place[1]}},
        "city": {"names": {"en": place[2]}},
        "location": {"latitude": place[3], "longitude": place[4]},
    }


def system(place: tuple[Any, ...]) -> dict[str, Any]:
    return {"autonomous_system_number": place[5], "autonomous_system_organization": place[6]}


def database(path: Path, type_: str, record: Callable[[tuple[Any, ...]], dict[str, Any]]) -> Path:
    writer = MMDBWriter(4, type_, languages=["en"], description="test", float_type="f64")
    for cidr, place in PLACES.items():
        writer.insert_network(IPSet([cidr]), record(place))
    writer.to_db_file(str(path))
    return path


def with_causes(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Say of some rejects that AWS named the cause, of some records that there was no traffic or interface."""
    rng = np.random.default_rng(batch.num_rows)
    rejected = np.array([action == "REJECT" for action in batch["action"].to_pylist()])
    cause = np.where(rejected, rng.choice(["", "BPA", "EC"], batch.num_rows), "")
    batch = replaced(batch, "reject_reason", pa.array(cause, mask=cause == ""))
    for name, value in (("inventory_state", "unknown"), ("log_status", "NODATA")):
        few = rng.random(batch.num_rows) < 0.02
        values = [value if other else v for v, other in zip(batch[name].to_pylist(), few)]
        batch = replaced(batch, name, pa.array(values))
    return batch


def replaced(batch: pa.RecordBatch, name: str, values: pa.Array) -> pa.RecordBatch:
    column = values.dictionary_encode().cast(TEXT)
    return batch.set_column(batch.schema.get_field_index(name), name, column)


class Indexed(NamedTuple):
    """Flows in an index of a schema, the same for DuckDB, and the dashboards as they were imported."""

    server: OpenSearchServer
    schema: str
    flows: Flows
    saved: dict[str, Saved]

    def search(self, body: dict[str, Any]) -> dict[str, Any]:
        (pattern,) = [o.title for o in self.saved.values() if o.type == "index-pattern"]
        return self.server.ask("POST", f"{pattern}/_search", body)


@pytest.fixture(scope="module", params=list(SCHEMAS))
def indexed(
    request: pytest.FixtureRequest,
    batches: list[pa.RecordBatch],
    opensearch_process: OpenSearchServer,
) -> Iterator[Indexed]:
    schema, server = request.param, opensearch_process
    name = f"dashboards-{schema}"
    install_template(Endpoint(server), schema, name)
    documents = (buffer for batch in batches for buffer in SCHEMAS[schema].encode(batch))
    assert not bulk(server, f"{name}-2026.01.15", documents)["errors"]
    server.ask("POST", f"{name}-*/_refresh")
    table = pa.Table.from_batches(batches)
    flows = Flows(table, EXPRESSIONS[schema], documents_of(schema).value)
    objects = read(render(PRODUCTS["opensearch"], name, [schema]))
    yield Indexed(server, schema, flows, {one.id: one for one in objects})
    server.clear()


def bulk(server: OpenSearchServer, index: str, documents: Iterator[pa.Buffer]) -> dict[str, Any]:
    lines = b"".join(bytes(buffer) for buffer in documents).splitlines()
    body = b"".join(b'{"index":{}}\n' + line + b"\n" for line in lines)
    headers = {"Content-Type": "application/x-ndjson"}
    asked = urllib.request.Request(f"{server.url}/{index}/_bulk", body, headers, method="POST")
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return json.loads(answer.read())


def test_every_panel_gives_the_numbers_that_duckdb_gives(indexed: Indexed):
    compared, empty = [], []
    for page in DASHBOARDS:
        for row in page.rows:
            for panel in row.panels:
                saved = find(indexed, page.slug, getattr(panel, "title", None))
                if saved is None:
                    continue
                found = indexed.search(saved.search(SINCE, UNTIL))
                if isinstance(panel, Records):
                    compare_records(indexed, panel, found)
                else:
                    assert isinstance(panel, Panel)
                    fitted = documents_of(indexed.schema).fitted(panel)
                    assert fitted is not None
                    compare(saved, fitted, found, indexed.flows.levels(fitted))
                compared.append(saved.id)
                if is_empty(found):
                    empty.append(saved.id)

    asking = {one.id for one in indexed.saved.values() if one.is_query}
    assert set(compared) == asking
    assert empty == []


def is_empty(found: dict[str, Any]) -> bool:
    """Whether there was nothing to compare."""
    inner = [one["buckets"] for one in found.get("aggregations", {}).values() if "buckets" in one]
    return not found["hits"]["total"]["value"] or not all(inner)


def find(indexed: Indexed, page: str, title: str | None) -> Saved | None:
    if title is None:
        return None
    return indexed.saved.get(f"dashboards-{indexed.schema}-{indexed.schema}-{page}-{_slug(title)}")


def compare_records(indexed: Indexed, panel: Records, found: dict[str, Any]) -> None:
    count, times = indexed.flows.newest(panel.where, 500)

    assert found["hits"]["total"]["value"] == count
    assert [hit["sort"][0] for hit in found["hits"]["hits"]] == times


def compare(saved: Saved, panel: Panel, found: dict[str, Any], levels: list[Level]) -> None:
    """Compare the metrics of each bucket that was answered, and that no other had belonged in its place."""
    total = {"doc_count": found["hits"]["total"]["value"], **found.get("aggregations", {})}
    walk(saved, panel, total, (), levels)


def walk(
    saved: Saved, panel: Panel, bucket: dict[str, Any], keys: tuple[Any, ...], levels: list[Level]
) -> None:
    metrics = tuple(value_of(bucket, agg) for agg in saved.metrics())
    expected = levels[len(keys)].get(keys)
    assert expected is not None, f"{saved.id}: no bucket {keys} in DuckDB"
    assert metrics == tuple(map(near, panel.metrics, expected)), f"{saved.id}: {keys}"
    if len(keys) == len(panel.buckets):
        return
    below = panel.buckets[len(keys)]
    inner = buckets_of(bucket[saved.buckets()[len(keys)]["id"]])
    candidates = {k: m for k, m in levels[len(keys) + 1].items() if k[:-1] == keys}
    if isinstance(below, Terms):
        best = sorted((m[0] for m in candidates.values()), reverse=True)[: below.size]
        order = [value_of(b, saved.metrics()[0]) for _, b in inner]
        assert order == [near(panel.metrics[0], value) for value in best], f"{saved.id}: {keys}"
    else:
        assert {k for k, b in inner if b["doc_count"]} == {k[-1] for k in candidates}, saved.id
    for key, one in inner:
        if one["doc_count"]:
            walk(saved, panel, one, (*keys, key), levels)


def buckets_of(found: dict[str, Any]) -> list[tuple[Any, dict[str, Any]]]:
    if isinstance(found["buckets"], dict):
        return list(found["buckets"].items())
    return [(bucket["key"], bucket) for bucket in found["buckets"]]


def value_of(bucket: dict[str, Any], agg: dict[str, Any]) -> Any:
    return bucket["doc_count"] if agg["type"] == "count" else bucket[agg["id"]]["value"]


def near(metric: Metric, value: Any) -> Any:
    """Distinct values are counted exactly only while they are few."""
    if value is None or metric.kind not in ("avg", "cardinality"):
        return value
    return pytest.approx(value, rel=0.01 if metric.kind == "cardinality" else 1e-9)


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
