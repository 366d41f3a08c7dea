"""
Compares what panels show with what DuckDB gives on the same flows.

The search is made of the saved object (``saved_objects``), the SQL of the table of panels (``panel_sql``): neither
knows the other.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import pyarrow as pa
import pytest
from opensearch_server import OpenSearchServer, Refused
from panel_sql import Flows, Level
from saved_objects import Saved, read

from vpcflow.dashboards import DASHBOARDS, PRODUCTS, render
from vpcflow.dashboards.documents import documents_of
from vpcflow.dashboards.model import Metric, Panel, Records, Terms
from vpcflow.dashboards.saved_objects import slug
from vpcflow.index_install import install_template
from vpcflow.schemas import SCHEMAS

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


class Indexed(NamedTuple):
    """Flows in an index of a schema, the same for DuckDB, and the dashboards as they were imported."""

    server: OpenSearchServer
    schema: str
    flows: Flows
    saved: dict[str, Saved]

    def search(self, body: dict[str, Any]) -> dict[str, Any]:
        (pattern,) = [o.title for o in self.saved.values() if o.type == "index-pattern"]
        return self.server.ask("POST", f"{pattern}/_search", body)


@contextmanager
def indexed_flows(
    server: OpenSearchServer, product: str, schema: str, batches: Sequence[pa.RecordBatch]
) -> Iterator[Indexed]:
    """Put the templates and the flows into a server, which is empty afterwards."""
    name = f"dashboards-{schema}"
    install_template(Endpoint(server), schema, name)
    documents = (buffer for batch in batches for buffer in SCHEMAS[schema].encode(batch))
    assert not bulk(server, f"{name}-2026.01.15", documents)["errors"]
    server.ask("POST", f"{name}-*/_refresh")
    flows = Flows(pa.Table.from_batches(batches), EXPRESSIONS[schema], documents_of(schema).value)
    objects = read(render(PRODUCTS[product], name, [schema]))
    yield Indexed(server, schema, flows, {one.id: one for one in objects})
    server.ask("DELETE", f"{name}-*")


def bulk(server: OpenSearchServer, index: str, documents: Iterator[pa.Buffer]) -> dict[str, Any]:
    lines = b"".join(bytes(buffer) for buffer in documents).splitlines()
    body = b"".join(b'{"index":{}}\n' + line + b"\n" for line in lines)
    headers = {"Content-Type": "application/x-ndjson"}
    asked = urllib.request.Request(f"{server.url}/{index}/_bulk", body, headers, method="POST")
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return json.loads(answer.read())


def check_panels(indexed: Indexed) -> None:
    """Ask for every panel, and compare; none may be left out, and none may be empty."""
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
    return indexed.saved.get(f"dashboards-{indexed.schema}-{indexed.schema}-{page}-{slug(title)}")


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
