"""``vpcflow dashboards install`` and the sink, one after the other, on a real search server."""

from __future__ import annotations

import json

import pytest
from commands import Vpcflow
from fake_dashboards import FakeDashboards
from https_server import serve
from opensearch_server import OpenSearchServer
from saved_objects import read

from vpcflow.dashboards import PRODUCTS, render
from vpcflow.schemas import SCHEMAS

pytestmark = pytest.mark.integration

FLOW = b"2 123456789012 eni-0a1b2c3d 203.0.113.9 10.0.1.24 4711 22 6 1 40 1768467541 1768467600 REJECT OK"


@pytest.mark.parametrize("schema", SCHEMAS)
def test_what_is_installed_answers_for_what_is_written_after_it(
    vpcflow: Vpcflow, opensearch: OpenSearchServer, schema: str
):
    dashboards = FakeDashboards("osd-xsrf")
    with serve(dashboards, None) as server:
        install = (
            *("dashboards", "install", "--product", "opensearch", "--schema", schema),
            *("--name", "flows", "--cluster", opensearch.url),
            *("--dashboards", f"http://127.0.0.1:{server.port}"),
        )
        first, again = vpcflow(*install), vpcflow(*install)
    to = f"opensearch+http://{opensearch.netloc}/flows"

    written = vpcflow("enrich", "--geo", "off", "--schema", schema, "--to", to, given=FLOW)
    opensearch.ask("POST", "flows/_refresh")

    assert (first.status, again.status, written.status) == (0, 0, 0), first.err + written.err
    assert "put up" in first.err and "already there" in again.err
    assert opensearch.ask("GET", "flows/_count")["count"] == 1
    ndjson = render(PRODUCTS["opensearch"], "flows", [schema])
    assert [json.loads(line) for line in ndjson.splitlines()] == list(
        dashboards.objects[""].values()
    )
    (action,) = [one for one in read(ndjson) if one.id == f"flows-{schema}-sg-dashboard-action"]
    body = action.search("2026-01-15T00:00:00Z", "2026-01-16T00:00:00Z")
    found = opensearch.ask(
        "POST", f"{action.referred(action.source['indexRefName']).title}/_search", body
    )
    assert [bucket["doc_count"] for bucket in found["aggregations"]["2"]["buckets"]] == [1]


def test_a_server_without_policies_says_so(vpcflow: Vpcflow, opensearch: OpenSearchServer):
    done = vpcflow(
        *("dashboards", "install", "--product", "opensearch", "--name", "flows"),
        *("--cluster", opensearch.url, "--keep-days", "30"),
    )

    assert done.status == 1
    assert "_plugins/_ism/policies/vpcflow_flows" in done.err
    assert opensearch.ask("GET", "_index_template")["index_templates"] == []
