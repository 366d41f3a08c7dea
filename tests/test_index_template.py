"""The index templates: every column has its property, and what a schema writes is what it maps."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from flow_batches import ENRICHED, batch

from vpcflow.errors import SinkError
from vpcflow.fields import ADDED, FIELDS
from vpcflow.index_lifecycle import ilm_policy, ism_policy
from vpcflow.index_products import ELASTICSEARCH, OPENSEARCH, PRODUCTS, Product, product_of
from vpcflow.index_template import VERSION, component_templates, index_template
from vpcflow.index_types import index_type
from vpcflow.schemas import SCHEMAS


def mappings(schema: str, product: Product = OPENSEARCH) -> dict[str, Any]:
    body = component_templates(schema, product)[f"vpcflow-mappings-{schema}"]
    return body["template"]["mappings"]


def properties(schema: str, product: Product = OPENSEARCH) -> dict[str, Any]:
    return mappings(schema, product)["properties"]


def types_of(properties: dict[str, Any]) -> set[str]:
    found = set()
    for value in properties.values():
        found |= types_of(value["properties"]) if "properties" in value else {value["type"]}
    return found


def unmapped(value: Any, mapped: dict[str, Any], path: str = "") -> set[str]:
    """Give the paths of a document that have no property; what is kept as one thing is not looked into."""
    found = set()
    for name, inner in value.items():
        here = f"{path}.{name}" if path else name
        for one in inner if isinstance(inner, list) else [inner]:
            if name not in mapped:
                found.add(here)
            elif isinstance(one, dict) and "properties" in mapped[name]:
                found |= unmapped(one, mapped[name]["properties"], here)
    return found


def test_every_column_has_a_property():
    columns = [field.column for field in FIELDS] + [added.column for added in ADDED]

    kinds = {index_type(column)["type"] for column in columns}

    assert kinds <= {"keyword", "ip", "date", "integer", "long", "double", "flat_object"}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_what_a_schema_writes_is_mapped(schema: str):
    (line,) = b"".join(SCHEMAS[schema].encode(batch([ENRICHED]))).splitlines()

    assert not unmapped(json.loads(line), properties(schema))


def test_the_original_document_gets_what_its_dashboards_need():
    mapped = {name: value["type"] for name, value in properties("appender").items()}

    assert mapped["@timestamp"] == "date"
    assert mapped["source-location"] == "geo_point"
    assert mapped["srcaddr"] == mapped["destaddr"] == "ip"
    assert (
        mapped["interface-id"] == mapped["security-group-ids"] == mapped["account-id"] == "keyword"
    )
    assert mapped["start"] == mapped["bytes"] == "long"


def test_an_address_that_is_none_does_not_cost_the_document():
    assert properties("flat")["srcaddr"] == {"type": "ip", "ignore_malformed": True}
    settings = index_template("flat", "flows")["template"]["settings"]["index"]
    assert settings["mapping.ignore_malformed"] is True


def test_a_text_that_no_schema_knows_is_a_keyword_and_never_a_date():
    (rule,) = mappings("flat")["dynamic_templates"]

    assert rule["texts"]["mapping"] == {"type": "keyword", "ignore_above": 1024}
    assert mappings("flat")["date_detection"] is False


def test_indexes_of_days_have_the_alias_of_their_name():
    template = index_template("flat", "flows")

    assert template["index_patterns"] == ["flows-*"]
    assert template["template"]["aliases"] == {"flows": {}}
    assert template["composed_of"] == ["vpcflow-settings", "vpcflow-mappings-flat"]


def test_of_two_names_that_both_fit_an_index_the_longer_counts():
    templates = [index_template("flat", "flows"), index_template("flat", "flows-east")]

    assert templates[0]["priority"] < templates[1]["priority"]


@pytest.mark.parametrize("product", PRODUCTS.values(), ids=PRODUCTS)
@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_product_gets_only_types_that_it_has(schema: str, product: Product):
    templates = [*component_templates(schema, product).values(), index_template(schema, "flows", product)]  # fmt: skip
    (mapped,) = [
        body["template"]["mappings"] for body in templates if "mappings" in body["template"]
    ]

    found = types_of(mapped["properties"])

    foreign = {"flat_object", "flattened", "object"} - {product.tags["type"]}
    assert not found & foreign
    assert ("eni_tags" in mapped["properties"]) == (schema == "flat")


def test_a_product_that_composes_no_templates_gets_one_with_all_in_it():
    product = PRODUCTS["serverless"]

    template = index_template("flat", "flows", product, "single")

    assert component_templates("flat", product) == {}
    assert template["template"]["mappings"]["properties"]["eni_tags"] == {
        "type": "object",
        "enabled": False,
    }
    assert "composed_of" not in template
    assert "settings" not in template["template"]


def test_a_data_stream_counts_time_by_the_field_that_the_schema_has():
    template = index_template("flat", "flows", OPENSEARCH, "stream")

    assert template["data_stream"] == {"timestamp_field": {"name": "end"}}
    assert template["index_patterns"] == ["flows"]
    assert "aliases" not in template["template"]


def test_elasticsearch_makes_a_data_stream_only_of_documents_with_a_timestamp():
    assert index_template("appender", "flows", ELASTICSEARCH, "stream")["data_stream"] == {}

    with pytest.raises(SinkError, match="needs documents with @timestamp, which flat has not"):
        index_template("flat", "flows", ELASTICSEARCH, "stream")


def test_an_index_is_led_to_its_policy_as_the_product_has_it():
    ilm = index_template("flat", "flows", ELASTICSEARCH, "rollover", policy=True)
    ism = index_template("flat", "flows", OPENSEARCH, "rollover", policy=True)

    assert ilm["template"]["settings"]["index"] == {
        "lifecycle.name": "vpcflow_flows",
        "lifecycle.rollover_alias": "flows",
        "mapping.ignore_malformed": True,
    }
    assert ism["template"]["settings"]["index"] == {
        "plugins.index_state_management.rollover_alias": "flows",
        "mapping.ignore_malformed": True,
    }


def test_what_is_put_says_whose_it_is_of_which_schema_and_contents():
    flat, other = index_template("flat", "flows"), index_template("flat", "other")

    assert flat["_meta"] | {"digest": "…"} == {
        "managed_by": "vpcflow",
        "schema": "flat",
        "version": 1,
        "digest": "…",
    }
    assert flat["_meta"]["digest"] != other["_meta"]["digest"]


@pytest.mark.parametrize(
    ("banner", "name"),
    [
        ({"number": "2.19.1", "distribution": "opensearch"}, "opensearch"),
        ({"number": "3.2.0", "distribution": "opensearch"}, "opensearch"),
        ({"number": "2.5.0", "distribution": "opensearch"}, "opensearch-1"),
        ({"number": "7.10.2", "distribution": "opensearch"}, "opensearch-1"),
        ({"number": "7.10.2", "build_flavor": "oss"}, "elasticsearch-oss"),
        ({"number": "7.10.2", "build_flavor": "unknown"}, "elasticsearch-oss"),
        ({"number": "7.17.9", "build_flavor": "default"}, "elasticsearch"),
        ({"number": "9.1.0", "build_flavor": "default"}, "elasticsearch"),
        ({}, "opensearch"),
    ],
)
def test_a_product_is_known_by_what_it_says_of_itself(banner: dict[str, str], name: str):
    assert product_of({"version": banner}).name == name


def test_a_policy_deletes_indexes_of_longer_ago():
    ism, ilm = ism_policy("flows", keep_days=35)["policy"], ilm_policy(keep_days=35)["policy"]

    young, old = ism["states"]
    assert young["transitions"] == [{"state_name": "old", "conditions": {"min_index_age": "35d"}}]
    assert old["actions"] == [{"delete": {}}]
    assert ism["ism_template"][0]["index_patterns"] == ["flows-*"]
    assert ilm["phases"]["delete"] == {"min_age": "35d", "actions": {"delete": {}}}


def test_a_policy_that_goes_by_size_begins_indexes_and_counts_days_from_when_they_were_full():
    ism, ilm = ism_policy("flows", "stream", 35)["policy"], ilm_policy("stream", 35)["policy"]

    young, _ = ism["states"]
    assert young["actions"] == [{"rollover": {"min_primary_shard_size": "40gb"}}]
    assert young["transitions"][0]["conditions"] == {"min_rollover_age": "35d"}
    assert ism["ism_template"][0]["index_patterns"] == ["flows"]
    assert ilm["phases"]["hot"]["actions"] == {"rollover": {"max_primary_shard_size": "40gb"}}


def test_a_policy_without_days_deletes_nothing():
    ism, ilm = ism_policy("flows", "rollover")["policy"], ilm_policy("rollover")["policy"]

    assert [state["name"] for state in ism["states"]] == ["young"]
    assert ilm["phases"].keys() == {"hot"}


def test_a_change_of_the_templates_is_a_new_version_of_them():
    """A server keeps what is not older: once this version is released, raise VERSION with every new digest."""
    bodies = [
        [component_templates(schema, product), index_template(schema, "flows", product)]
        for product in PRODUCTS.values()
        for schema in SCHEMAS
    ]

    digest = hashlib.sha256(json.dumps(bodies, sort_keys=True).encode()).hexdigest()[:16]

    assert (VERSION, digest) == (1, "1e50f4c8e1080593")
