"""The index template that OpenSearch needs before the first document, which would fix a mapping of its own guess."""

from __future__ import annotations

from typing import Any

from vpcflow.schemas import SCHEMAS

_PRIORITY = 200
"""Above those that OpenSearch brings along, which match everything."""


def index_template(schema: str, index: str) -> dict[str, Any]:
    """
    Give the body of ``PUT _index_template/…`` for documents of a schema, in the index and what Firehose rotates it to.

    A text that the schema does not know of becomes a keyword. https://docs.opensearch.org/latest/im-plugin/index-templates/
    """
    return {
        "index_patterns": [index, f"{index}-*"],
        "priority": _PRIORITY,
        "template": {
            "mappings": {
                "dynamic_templates": [
                    {"texts": {"match_mapping_type": "string", "mapping": {"type": "keyword"}}}
                ],
                "properties": {
                    name: dict(value) for name, value in SCHEMAS[schema].mapping().items()
                },
            }
        },
    }


def without_flat_objects(template: dict[str, Any]) -> dict[str, Any]:
    """Give the template for a serverless collection: objects of any keys are kept there, and not searched."""
    inner = template["template"]
    properties = {
        name: {"type": "object", "enabled": False} if value["type"] == "flat_object" else value
        for name, value in inner["mappings"]["properties"].items()
    }
    mappings = {**inner["mappings"], "properties": properties}
    return {**template, "template": {**inner, "mappings": mappings}}
