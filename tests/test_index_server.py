"""
The templates on a real server: it takes them, and documents of every schema and of the whole corpus under them.

The server has no ISM and no ILM: policies are compared with the makers' documentation only, by hand.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest
from flow_batches import ENRICHED, batch
from opensearch_server import ELASTICSEARCH, OpenSearchServer, Refused, running_server

from vpcflow.enrich import Reference, enrich
from vpcflow.errors import SinkError
from vpcflow.index_install import ask_product, begin_rollover, install_template
from vpcflow.index_template import VERSION, index_template
from vpcflow.pipeline import Layouts, read_flows
from vpcflow.schemas import SCHEMAS
from vpcflow.sources.files import find_inputs, read_input
from vpcflow.stats import Books

CORPUS = Path(__file__).parent / "corpus"
FILES = Path(__file__).parents[1] / "deploy" / "opensearch" / "opensearch"
BIG = 2**53 + 1
FLOW = ENRICHED | {
    "bytes": BIG,
    "eni_tags": [{"key": "Name", "value": "web"}, {"key": "a.b", "value": "c"}],
}
FOREIGN = {"team_name", "cost_centre"}
"""Fields of the corpus that no table knows."""

QUERIES: dict[str, dict[str, Any]] = {
    "flat": {
        "cidr": {"term": {"srcaddr": "198.51.100.0/24"}},
        "not this cidr": {"bool": {"must_not": {"term": {"srcaddr": "203.0.113.0/24"}}}},
        "long": {"term": {"bytes": BIG}},
        "keyword": {"term": {"security_group_ids": "sg-0a1b2c3d4e5f60718"}},
        "time": {"range": {"end": {"gte": "2023-11-14", "lt": "2023-11-15", "format": "yyyy-MM-dd"}}},
    },
    "appender": {
        "cidr": {"term": {"srcaddr": "198.51.100.0/24"}},
        "long": {"term": {"bytes": BIG}},
        "keyword": {"term": {"source-city": "Seattle"}},
        "time": {"range": {"@timestamp": {"gte": "2023-11-14", "lt": "2023-11-15"}}},
        "near": {
            "geo_distance": {"distance": "10km", "source-location": {"lat": 47.6, "lon": -122.3}}
        },
    },
    "ecs": {
        "cidr": {"term": {"source.ip": "198.51.100.0/24"}},
        "long": {"term": {"network.bytes": BIG}},
        "keyword": {"term": {"vpcflow.security_group_ids": "sg-0a1b2c3d4e5f60718"}},
        "time": {"range": {"@timestamp": {"gte": "2023-11-14", "lt": "2023-11-15"}}},
        "near": {
            "geo_distance": {"distance": "10km", "source.geo.location": {"lat": 47.6, "lon": -122.3}}
        },
    },
    "ocsf": {
        "cidr": {"term": {"src_endpoint.ip": "198.51.100.0/24"}},
        "long": {"term": {"traffic.bytes": BIG}},
        "keyword": {"term": {"dst_endpoint.interface_uid": "eni-0a1b2c3d4e5f60718"}},
        "time": {"range": {"end_time": {"gte": "2023-11-14", "lt": "2023-11-15", "format": "yyyy-MM-dd"}}},
        "near": {
            "geo_distance": {
                "distance": "10km",
                "src_endpoint.location.geohash": {"lat": 47.6, "lon": -122.3},
            }
        },
    },
}  # fmt: skip


class Answer(NamedTuple):
    status: int
    body: Any

    @property
    def text(self) -> str:
        return str(self.body)


class Endpoint(NamedTuple):
    """The server as those see it that install."""

    server: OpenSearchServer

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        try:
            return Answer(200, self.server.ask(method, path, body))
        except Refused as refused:
            return Answer(refused.status, refused.body)


def corpus() -> Iterator[pa.RecordBatch]:
    """Yield the flows of the corpus, enriched as far as that goes without an inventory."""
    files = [str(path) for path in sorted(CORPUS.iterdir()) if "expected" not in path.name]
    for source in find_inputs(files):
        for flows in read_flows(read_input(source), Books(), layouts=Layouts([])):
            yield enrich(flows, Reference())


def bulk(server: OpenSearchServer, index: str, documents: Sequence[bytes]) -> list[Any]:
    """Write documents, and give what the server says of those that it refuses."""
    request = urllib.request.Request(
        f"{server.url}/{index}/_bulk?refresh=true",
        b"".join(b'{"create":{}}\n' + document + b"\n" for document in documents),
        {"Content-Type": "application/x-ndjson"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        items = json.load(answer)["items"]
    return [item["create"]["error"] for item in items if "error" in item["create"]]


def documents_of(schema: str, flows: pa.RecordBatch) -> list[bytes]:
    return b"".join(SCHEMAS[schema].encode(flows)).splitlines()


def check_schema(server: OpenSearchServer, schema: str) -> None:
    """Install a schema's templates twice, write, and search as the types promise."""
    endpoint = Endpoint(server)
    assert install_template(endpoint, schema, "flows")
    assert not install_template(endpoint, schema, "flows")

    refused = bulk(server, "flows-2023.11.14", documents_of(schema, batch([FLOW])))

    assert refused == []
    assert list(server.ask("GET", "_alias/flows")) == ["flows-2023.11.14"]
    counts = {
        what: server.ask("POST", "flows/_count", {"query": query})["count"]
        for what, query in QUERIES[schema].items()
    }
    assert counts == dict.fromkeys(counts, 1)


def check_corpus(server: OpenSearchServer, schema: str) -> None:
    """Write all flows of the corpus; nothing is refused, and no field got a type by guess but a keyword."""
    install_template(Endpoint(server), schema, "flows")
    documents = [document for flows in corpus() for document in documents_of(schema, flows)]

    refused = bulk(server, "flows-2023.11.14", documents)

    assert refused == []
    assert server.ask("GET", "flows/_count")["count"] == len(documents) > 100
    mapped = server.ask("GET", "flows-2023.11.14/_mapping")["flows-2023.11.14"]["mappings"]
    (component,) = server.ask("GET", f"_component_template/vpcflow-mappings-{schema}")[
        "component_templates"
    ]
    promised = component["component_template"]["template"]["mappings"]["properties"]
    types = {
        name: value.get("type")
        for name, value in mapped["properties"].items()
        if name not in promised
    }
    assert set(types.values()) <= {"keyword"}
    assert types.keys() == (FOREIGN if schema == "flat" else set())


@pytest.mark.integration
@pytest.mark.parametrize("schema", SCHEMAS)
def test_opensearch_takes_the_templates_of_a_schema_and_searches_by_its_types(
    schema: str, opensearch: OpenSearchServer
):
    check_schema(opensearch, schema)


@pytest.mark.integration
@pytest.mark.parametrize("schema", SCHEMAS)
def test_opensearch_takes_every_flow_of_the_corpus(schema: str, opensearch: OpenSearchServer):
    check_corpus(opensearch, schema)


@pytest.mark.integration
@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_files_to_be_put_by_hand_are_what_is_installed(
    schema: str, opensearch: OpenSearchServer
):
    for name in ("vpcflow-settings", f"vpcflow-mappings-{schema}"):
        body = json.loads((FILES / "component_template" / f"{name}.json").read_text())
        opensearch.ask("PUT", f"_component_template/{name}", body)
    template = json.loads((FILES / "index_template" / f"{schema}.json").read_text())
    opensearch.ask("PUT", "_index_template/vpc-flow-logs", template)

    assert not install_template(Endpoint(opensearch), schema, "vpc-flow-logs", policy=True)


@pytest.mark.integration
def test_tags_of_any_keys_are_searched_and_are_one_field(opensearch: OpenSearchServer):
    install_template(Endpoint(opensearch), "flat", "flows")

    bulk(opensearch, "flows-2023.11.14", documents_of("flat", batch([FLOW])))

    query = {"query": {"term": {"eni_tags.Name": "web"}}}
    assert opensearch.ask("POST", "flows/_count", query)["count"] == 1
    mapped = opensearch.ask("GET", "flows/_mapping")["flows-2023.11.14"]["mappings"]
    assert mapped["properties"]["eni_tags"] == {"type": "flat_object"}


@pytest.mark.integration
def test_an_older_template_is_replaced_and_a_newer_one_is_not(opensearch: OpenSearchServer):
    endpoint = Endpoint(opensearch)
    older = index_template("flat", "flows")
    older["_meta"]["version"] = 0
    newer = index_template("flat", "others")
    newer["_meta"]["version"] = 1_000
    install_template(endpoint, "flat", "some")
    opensearch.ask("PUT", "_index_template/flows", older)
    opensearch.ask("PUT", "_index_template/others", newer)

    assert install_template(endpoint, "flat", "flows")
    assert not install_template(endpoint, "flat", "others")

    versions = {
        one["name"]: one["index_template"]["_meta"]["version"]
        for one in opensearch.ask("GET", "_index_template")["index_templates"]
    }
    assert versions == {"flows": VERSION, "others": 1_000, "some": VERSION}


@pytest.mark.integration
def test_the_template_of_stacks_before_gives_way(opensearch: OpenSearchServer):
    opensearch.ask(
        "PUT",
        "_index_template/flows",
        {
            "index_patterns": ["flows", "flows-*"],
            "priority": 200,
            "template": {"mappings": {"properties": {"srcaddr": {"type": "ip"}}}},
        },
    )

    assert install_template(Endpoint(opensearch), "flat", "flows")

    (found,) = opensearch.ask("GET", "_index_template/flows")["index_templates"]
    assert found["index_template"]["index_patterns"] == ["flows-*"]


@pytest.mark.integration
def test_an_index_in_the_place_of_the_alias_is_said(opensearch: OpenSearchServer):
    opensearch.ask("PUT", "flows")

    with pytest.raises(SinkError, match="'flows' is an index"):
        install_template(Endpoint(opensearch), "flat", "flows")


@pytest.mark.integration
def test_names_of_which_one_begins_the_other_live_side_by_side(opensearch: OpenSearchServer):
    install_template(Endpoint(opensearch), "flat", "flows")
    install_template(Endpoint(opensearch), "appender", "flows-east")

    opensearch.ask("PUT", "flows-east-2023.11.14")

    assert list(opensearch.ask("GET", "_alias/flows-east")) == ["flows-east-2023.11.14"]
    with pytest.raises(Refused, match="404"):
        opensearch.ask("GET", "_alias/flows")


@pytest.mark.integration
def test_a_value_that_no_field_can_hold_does_not_cost_the_document(opensearch: OpenSearchServer):
    install_template(Endpoint(opensearch), "flat", "flows")
    (document,) = documents_of("flat", batch([ENRICHED]))
    odd = json.loads(document) | {
        "srcport": "a",
        "srcaddr": "nowhere",
        "end": "x",
        "new": "2023-11-14",
    }
    dateless = odd | {"new": "no date"}

    refused = bulk(
        opensearch, "flows-2023.11.14", [json.dumps(one).encode() for one in (odd, dateless)]
    )

    assert refused == []


@pytest.mark.integration
@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_data_stream_takes_documents_of_a_schema(schema: str, opensearch: OpenSearchServer):
    install_template(Endpoint(opensearch), schema, "flows", layout="stream")

    refused = bulk(opensearch, "flows", documents_of(schema, batch([FLOW])))

    assert refused == []
    (stream,) = opensearch.ask("GET", "_data_stream/flows")["data_streams"]
    assert stream["template"] == "flows"


@pytest.mark.integration
def test_a_rollover_begins_with_an_index_that_the_alias_writes_to(opensearch: OpenSearchServer):
    endpoint = Endpoint(opensearch)
    install_template(endpoint, "flat", "flows", layout="rollover")
    assert begin_rollover(endpoint, "flows")
    assert not begin_rollover(endpoint, "flows")
    bulk(opensearch, "flows", documents_of("flat", batch([FLOW])))

    rolled = opensearch.ask("POST", "flows/_rollover", {"conditions": {"max_docs": 1}})

    assert (rolled["rolled_over"], rolled["new_index"]) == (True, "flows-000002")


@pytest.fixture(scope="module")
def elasticsearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSearchServer]:
    with running_server(ELASTICSEARCH, tmp_path_factory.mktemp("elasticsearch")) as server:
        yield server


@pytest.mark.soak
@pytest.mark.parametrize("schema", SCHEMAS)
def test_elasticsearch_takes_the_templates_and_the_corpus(
    schema: str, elasticsearch: OpenSearchServer
):
    assert ask_product(Endpoint(elasticsearch)).name == "elasticsearch-oss"

    check_schema(elasticsearch, schema)
    elasticsearch.ask("DELETE", "flows-*")
    check_corpus(elasticsearch, schema)
    elasticsearch.ask("DELETE", "flows-*")
