"""The index template: every column has its property, and what a schema writes is what it maps."""

from __future__ import annotations

import json

import pytest
from flow_batches import ENRICHED, batch

from vpcflow.fields import ADDED, FIELDS
from vpcflow.index_template import index_template, without_flat_objects
from vpcflow.index_types import index_type
from vpcflow.schemas import SCHEMAS


def properties(schema: str) -> dict[str, dict[str, object]]:
    return index_template(schema, "flows")["template"]["mappings"]["properties"]


def test_every_column_has_a_property():
    columns = [field.column for field in FIELDS] + [added.column for added in ADDED]

    kinds = {index_type(column)["type"] for column in columns}

    assert kinds <= {"keyword", "ip", "date", "integer", "long", "double", "flat_object"}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_what_a_schema_writes_is_mapped(schema: str):
    (line,) = b"".join(SCHEMAS[schema].encode(batch([ENRICHED]))).splitlines()

    document = json.loads(line)

    assert document.keys() <= properties(schema).keys()


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


def test_the_template_covers_the_index_and_those_it_rotates_to():
    assert index_template("flat", "flows")["index_patterns"] == ["flows", "flows-*"]


def test_a_collection_gets_no_flat_objects_and_all_else_as_it_is():
    template = index_template("flat", "flows")

    plain = without_flat_objects(template)

    inner = plain["template"]["mappings"]["properties"]
    assert inner["eni_tags"] == {"type": "object", "enabled": False}
    assert {**inner, "eni_tags": {"type": "flat_object"}} == properties("flat")


def test_the_template_is_json():
    assert json.loads(json.dumps(index_template("flat", "flows"))) == index_template(
        "flat", "flows"
    )
