"""
The index templates that a search server needs before the first document, which would fix a mapping of its own guess.

For each schema one component template has the mappings, and another the settings, so that a template of one's own can
be composed of them too. All say in ``_meta`` what they are of; ``index_install`` puts them where they are to be.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Literal

from vpcflow.errors import SinkError
from vpcflow.index_products import OPENSEARCH
from vpcflow.index_types import KEYWORD
from vpcflow.schemas import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vpcflow.index_products import Product
    from vpcflow.index_types import Property

    Body = dict[str, Any]
    """What is sent, as JSON."""

    Layout = Literal["daily", "rollover", "stream", "single"]
    """
    Indexes of a day ``NAME-…`` with the alias NAME; indexes ``NAME-000001`` and on, written to by the alias; a data
    stream; or one index.
    """

VERSION = 1
"""Of all templates: one more with every change of a mapping or setting that was released."""

MANAGED_BY = "vpcflow"

SETTINGS_COMPONENT = "vpcflow-settings"

POLICY = "vpcflow_"
"""Begins the name of the policy by which old indexes are deleted; the index's name ends it."""

_PRIORITY = 200
"""Above those that the servers bring along, which match everything."""

_SETTINGS = {
    # A flow's words are those of its neighbours: the deflating codec makes an index a third smaller.
    "codec": "best_compression",
    # Amazon's domains would make five of each day, and a node may hold a thousand.
    "number_of_shards": 1,
    # Flow logs are minutes late: a search need not find a document within the second.
    "refresh_interval": "30s",
}


def mappings_component(schema: str) -> str:
    """Name the component template that has a schema's mappings."""
    return f"vpcflow-mappings-{schema}"


def priority(name: str) -> int:
    """Give a longer name the higher priority: of ``flows-*`` and ``flows-east-*`` the latter is meant."""
    return _PRIORITY + len(name)


def component_templates(schema: str, product: Product = OPENSEARCH) -> dict[str, Body]:
    """Give the bodies of ``PUT _component_template/…`` by name; none where a product knows no component templates."""
    if not product.components:
        return {}
    return {
        SETTINGS_COMPONENT: _signed({"template": {"settings": {"index": dict(_SETTINGS)}}}),
        mappings_component(schema): _signed(
            {"template": {"mappings": _mappings(schema, product)}}, schema
        ),
    }


def index_template(
    schema: str,
    name: str,
    product: Product = OPENSEARCH,
    layout: Layout = "daily",
    *,
    policy: bool = False,
) -> Body:
    """
    Give the body of ``PUT _index_template/NAME`` for documents of a schema; ``policy``: whether one is installed.

    A text that the schema does not know of becomes a keyword; a value that its field cannot hold costs the field its
    index, not the document. Raises ``SinkError`` where a data stream cannot be of this schema.
    https://docs.opensearch.org/latest/im-plugin/index-templates/
    """
    settings: Body = {"index": _policy_settings(name, product, layout) if policy else {}}
    template: Body = {"settings": settings}
    body: Body = {
        "index_patterns": [name if layout in ("stream", "single") else f"{name}-*"],
        "priority": priority(name),
        "template": template,
    }
    if layout == "daily":
        template["aliases"] = {name: {}}
    if layout == "stream":
        body["data_stream"] = _data_stream(schema, product)
    else:
        # A data stream has to be able to hold every time stamp.
        settings["index"]["mapping.ignore_malformed"] = True
    if product.components:
        body["composed_of"] = [SETTINGS_COMPONENT, mappings_component(schema)]
    else:
        # Of the settings, a collection sees to its shards and refreshing by itself.
        template["mappings"] = _mappings(schema, product)
        del template["settings"]
    return _signed(body, schema, policy=policy)


def _signed(body: Body, schema: str | None = None, *, policy: bool = False) -> Body:
    """Say in ``_meta`` whose it is, and of which contents, as a server gives a body back in a form of its own."""
    text = json.dumps(body, sort_keys=True)
    meta: Body = {"managed_by": MANAGED_BY, "version": VERSION}
    if schema:
        meta["schema"] = schema
    if policy:
        meta["policy"] = True
    return {**body, "_meta": {**meta, "digest": hashlib.sha256(text.encode()).hexdigest()[:16]}}


def _mappings(schema: str, product: Product) -> Body:
    return {
        # A text that looks like a date would become one, and the next, which does not, would be refused.
        "date_detection": False,
        "dynamic_templates": [
            {"texts": {"match_mapping_type": "string", "mapping": dict(KEYWORD)}}
        ],
        "properties": _properties(SCHEMAS[schema].mapping(), product),
    }


def _properties(properties: Mapping[str, Property], product: Product) -> Body:
    return {name: _property(value, product) for name, value in properties.items()}


def _property(value: Property, product: Product) -> Body:
    if value.get("type") == "flat_object":
        return dict(product.tags)
    if "properties" in value:
        return {**value, "properties": _properties(value["properties"], product)}
    return dict(value)


def _policy_settings(name: str, product: Product, layout: Layout) -> Body:
    """Give what leads an index to its policy: ILM's is named here, ISM's names the index itself."""
    settings: Body = {}
    if product.lifecycle == "ilm":
        settings["lifecycle.name"] = POLICY + name
    if layout == "rollover" and product.lifecycle:
        setting = {
            "ism": "plugins.index_state_management.rollover_alias",
            "ilm": "lifecycle.rollover_alias",
        }
        settings[setting[product.lifecycle]] = name
    return settings


def _data_stream(schema: str, product: Product) -> Body:
    field = SCHEMAS[schema].time_field
    if field == "@timestamp":
        return {}
    if not product.any_time_field:
        raise SinkError(
            f"a data stream of {product.name} needs documents with @timestamp, which {schema} has not; take the schema"
            " ecs or appender"
        )
    return {"timestamp_field": {"name": field}}
