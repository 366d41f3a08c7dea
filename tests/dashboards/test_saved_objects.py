"""Dashboards as a product would find them in its import: whole, in its own terms, and asking only for what is there."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pytest
from flow_batches import ENRICHED, batch
from saved_objects import Saved, read, terms_of

from vpcflow.dashboards import DASHBOARDS, PRODUCTS, render
from vpcflow.dashboards.documents import Documents, documents_of
from vpcflow.dashboards.model import Is, Metric, Panel, Terms
from vpcflow.dashboards.pages import RULE_USAGE
from vpcflow.dashboards.saved_objects import saved_objects, widths
from vpcflow.fields import ADDED_BY_COLUMN, FIELD_BY_COLUMN
from vpcflow.schemas import SCHEMAS

NAME = "flows"
ALL = {product: read(render(PRODUCTS[product], NAME)) for product in PRODUCTS}
PAGES = [
    pytest.param(one, id=f"{product} {one.id}")
    for product, found in ALL.items()
    for one in found
    if one.type == "dashboard"
]

NUMBERS = {"integer", "long", "short", "double", "float"}
NEEDS = {
    "sum": NUMBERS,
    "avg": NUMBERS,
    "min": NUMBERS | {"date"},
    "max": NUMBERS | {"date"},
    "cardinality": {"keyword", "ip", "date"} | NUMBERS,
    "terms": {"keyword", "ip", "boolean"} | NUMBERS,
    "list": {"keyword", "ip", "boolean"} | NUMBERS,
    "date_histogram": {"date"},
    "geohash_grid": {"geo_point"},
    "query": {"keyword", "ip", "boolean", "date"} | NUMBERS,
    "column": {"keyword", "ip", "boolean", "date"} | NUMBERS,
}
"""For what a field is asked, and the types that can answer."""


def schema_of(one: Saved) -> Documents:
    return documents_of(one.id.removeprefix(f"{NAME}-").split("-")[0])


@pytest.mark.parametrize("product", PRODUCTS)
def test_no_two_objects_have_an_id(product: str):
    ids = Counter((one.type, one.id) for one in ALL[product])

    assert [id_ for id_, times in ids.items() if times > 1] == []


@pytest.mark.parametrize("product", PRODUCTS)
def test_references_lead_to_objects_that_come_before(product: str):
    order = {(one.type, one.id): n for n, one in enumerate(ALL[product])}

    astray = [
        (one.id, reference["id"])
        for n, one in enumerate(ALL[product])
        for reference in one.body["references"]
        if order.get((reference["type"], reference["id"]), n) >= n
    ]

    assert astray == []


@pytest.mark.parametrize("product", PRODUCTS)
def test_references_are_those_that_are_used_by_name(product: str):
    for one in ALL[product]:
        text = json.dumps(one.body["attributes"])

        used = re.findall(r'RefName\\?\\?": ?\\?\\?"([^"\\]+)', text)

        assert sorted(used) == sorted(r["name"] for r in one.body["references"]), one.id


@pytest.mark.parametrize("product", PRODUCTS)
def test_json_within_json_can_be_read(product: str):
    for one in ALL[product]:
        attributes = one.body["attributes"]
        inner = {k: v for k, v in attributes.items() if k.endswith(("JSON", "State", "Map"))}
        inner |= attributes.get("kibanaSavedObjectMeta", {})

        assert all(isinstance(json.loads(text), (dict, list)) for text in inner.values()), one.id


@pytest.mark.parametrize("product", PRODUCTS)
def test_fields_are_in_the_index_template_with_a_type_that_answers(product: str):
    unfit = [
        (one.id, field, use, schema_of(one).type_of(field))
        for one in ALL[product]
        for field, use in one.fields()
        if schema_of(one).type_of(field) not in NEEDS[use]
    ]

    assert unfit == []


@pytest.mark.parametrize("product", PRODUCTS)
def test_versions_are_those_that_kibana_7_10_and_opensearch_dashboards_know(product: str):
    versions = {
        (type_, version)
        for one in ALL[product]
        for type_, version in one.body["migrationVersion"].items()
    }

    assert versions == {
        ("index-pattern", "7.6.0"),
        ("search", "7.9.3"),
        ("visualization", "7.10.0"),
        ("dashboard", "7.9.3"),
    }


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_bucket_for_what_is_missing_is_asked_of_texts_alone(product: str):
    types = {
        schema_of(one).type_of(agg["params"]["field"])
        for one in ALL[product]
        for agg in one.state.get("aggs", [])
        if agg["params"].get("missingBucket")
    }

    assert types == {"keyword"}


@pytest.mark.parametrize("page", PAGES)
def test_panels_do_not_overlap_and_fill_each_row(page: Saved):
    taken: Counter[tuple[int, int]] = Counter()
    for panel in page.panels:
        grid = panel["gridData"]
        assert grid["i"] == panel["panelIndex"]
        taken.update(
            (x, y)
            for x in range(grid["x"], grid["x"] + grid["w"])
            for y in range(grid["y"], grid["y"] + grid["h"])
        )

    height = max(y for _, y in taken) + 1
    assert set(taken) == {(x, y) for x in range(48) for y in range(height)}
    assert set(taken.values()) == {1}


@pytest.mark.parametrize("page", PAGES)
def test_every_dashboard_links_to_the_others_of_its_index(page: Saved):
    prefix = f"{NAME}-{schema_of(page).schema}-"
    others = {id_ for type_, id_ in page.all if type_ == "dashboard" and id_.startswith(prefix)} - {
        page.id
    }

    text = page.referred("panel_0").state["params"]["markdown"]

    assert set(re.findall(r"\(#/view/([^)]+)\)", text)) == others


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("product", PRODUCTS)
def test_every_schema_has_the_dashboard_of_the_original_with_its_eight_panels(
    product: str, schema: str
):
    (page,) = [o for o in ALL[product] if o.id == f"{NAME}-{schema}-sg-dashboard"]

    titles = [panel["title"] for panel in page.panels if "title" in panel]

    assert titles == [
        "SecurityGroups",
        "Destination",
        "Destination Port",
        "Source IP",
        "Action",
        "Protocol",
        "Direction",
        "All",
    ]


@pytest.mark.parametrize("product", PRODUCTS)
def test_flat_documents_have_every_dashboard_but_those_of_columns_to_come(product: str):
    pages = {
        o.id.removeprefix(f"{NAME}-flat-")
        for o in ALL[product]
        if o.type == "dashboard" and "-flat-" in o.id
    }

    expected = {
        page.slug for page in DASHBOARDS if set(page.needs) <= {*FIELD_BY_COLUMN, *ADDED_BY_COLUMN}
    }

    assert pages == expected


def test_rule_usage_is_there_where_documents_have_its_columns():
    flat = SCHEMAS["flat"]
    without_rules = flat._replace(
        place=lambda column: None if column.startswith("rule_") else flat.place(column)
    )

    def slugs(documents: Documents) -> set[str]:
        found = saved_objects(PRODUCTS["opensearch"], documents, NAME)
        return {o["id"] for o in found if o["type"] == "dashboard"}

    missing = slugs(Documents(flat)) - slugs(Documents(without_rules))

    assert missing == {f"{NAME}-flat-{RULE_USAGE.slug}"}


def test_lists_to_choose_from_are_left_to_opensearch_dashboards():
    kinds = {
        product: {one.state["type"] for one in found if one.type == "visualization"}
        for product, found in ALL.items()
    }

    assert kinds["opensearch"] - kinds["elasticsearch"] == {"input_control_vis"}


def test_titles_within_a_dashboard_tell_panels_apart():
    for page in DASHBOARDS:
        titles = Counter(
            panel.title for row in page.rows for panel in row.panels if isinstance(panel, Panel)
        )

        assert [title for title, times in titles.items() if times > 1] == [], page.slug


@pytest.mark.parametrize(
    "form",
    sorted(
        {
            panel.form
            for page in DASHBOARDS
            for row in page.rows
            for panel in row.panels
            if isinstance(panel, Panel)
        }
    ),
)
def test_forms_have_as_many_metrics_and_buckets_as_the_products_allow(form: str):
    panels = [
        p
        for page in DASHBOARDS
        for row in page.rows
        for p in row.panels
        if isinstance(p, Panel) and p.form == form
    ]

    metrics = {len(panel.metrics) for panel in panels}
    buckets = {len(panel.buckets) for panel in panels}

    if form not in ("table", "metric", "line"):
        assert metrics == {1}
    if form in ("region_map", "tile_map", "tagcloud"):
        assert buckets == {1}
    if form == "metric":
        assert buckets == {0}


def test_the_pattern_shows_bytes_as_such_and_ports_without_thousands():
    (pattern,) = [
        o for o in ALL["opensearch"] if o.type == "index-pattern" and o.id == f"{NAME}-flat"
    ]
    formats = json.loads(pattern.body["attributes"]["fieldFormatMap"])

    assert pattern.title == NAME
    assert formats["bytes"] == {"id": "bytes"}
    assert formats["dstport"] == {"id": "number", "params": {"pattern": "0"}}


@pytest.mark.parametrize(
    ("schema", "column"),
    [
        ("flat", "duration_s"),
        ("ecs", "duration_s"),
        ("ecs", "inventory_age_s"),
        ("ocsf", "duration_s"),
    ],
)
def test_lengths_of_time_show_as_seconds_whatever_documents_hold(schema: str, column: str):
    (pattern,) = [
        o for o in ALL["opensearch"] if o.type == "index-pattern" and o.id == f"{NAME}-{schema}"
    ]
    documents = documents_of(schema)
    field = documents.field(column)
    written = at(document(schema, {**ENRICHED, column: 60}), field or "")

    params = json.loads(pattern.body["attributes"]["fieldFormatMap"])[field]["params"]

    per_second = {"seconds": 1, "milliseconds": 10**3, "nanoseconds": 10**9}
    assert written / per_second[params["inputFormat"]] == 60
    assert params["outputFormat"] == "asSeconds"


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_pattern_knows_every_field_of_the_template(schema: str):
    (pattern,) = [
        o for o in ALL["opensearch"] if o.type == "index-pattern" and o.id == f"{NAME}-{schema}"
    ]

    names = {field["name"] for field in json.loads(pattern.body["attributes"]["fields"])}

    assert names - {"_id", "_index", "_source"} == set(documents_of(schema).fields)


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ((1,), [48]),
        ((1, 1, 1), [16, 16, 16]),
        ((2, 1, 1), [24, 12, 12]),
        ((1,) * 5, [9, 9, 9, 9, 12]),
    ],
)
def test_a_row_is_shared_out_to_the_last_unit(shares: tuple[int, ...], expected: list[int]):
    assert widths(shares) == expected


def asked() -> list[tuple[str, str]]:
    """Give all values that panels ask for, with their columns."""
    found = {
        (condition.column, value)
        for page in DASHBOARDS
        if page is not RULE_USAGE
        for row in page.rows
        for panel in row.panels
        if isinstance(panel, Panel)
        for condition in panel.where
        if isinstance(condition, Is)
        for value in condition.values
    }
    return sorted(found)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_values_asked_for_are_spelt_as_documents_spell_them(schema: str):
    documents = documents_of(schema)
    given = {**ENRICHED, "peer_addr": ENRICHED["srcaddr"], "version": 8}

    astray = [
        (field, value, at(document(schema, {**given, column: value}), field))
        for column, value in asked()
        if (field := documents.field(column)) is not None
        and at(document(schema, {**given, column: value}), field) != documents.value(column, value)
    ]

    assert astray == []


def document(schema: str, values: dict[str, Any]) -> dict[str, Any]:
    """Encode one flow of these values."""
    return json.loads(b"".join(bytes(one) for one in SCHEMAS[schema].encode(batch([values]))))


def at(body: Any, path: str) -> Any:
    """Give what a server finds at a path: in objects, in those of a list, or in a member with dots in its name."""
    if isinstance(body, list):
        return next((found for one in body if (found := at(one, path)) is not None), None)
    if not isinstance(body, dict) or path in body:
        return body.get(path) if isinstance(body, dict) else None
    name, _, rest = path.partition(".")
    return at(body.get(name), rest)


def test_a_condition_of_no_value_is_asked_with_a_star():
    (cause, *_) = [o for o in ALL["opensearch"] if o.id == f"{NAME}-flat-rejects-causes"]

    first = cause.buckets()[0]["params"]["filters"][0]["input"]["query"]

    assert first == "not reject_reason: *"
    assert [term["field"] for term in terms_of(first)] == ["reject_reason"]


def test_a_panel_goes_without_further_metrics_of_what_documents_lack():
    records, groups, peers = (
        Metric("count", None, "Records"),
        Metric("cardinality", "security_group_ids", "Groups"),
        Metric("cardinality", "peer_addr", "Peers"),
    )
    by_group = (Terms("security_group_ids", "Group"),)
    appender = documents_of("appender")

    totals = appender.fitted(Panel("Totals", "metric", (peers, records, groups)))
    table = appender.fitted(Panel("Table", "table", (records, peers), by_group))
    by_peers = appender.fitted(Panel("By peers", "table", (peers, records), by_group))

    assert totals is not None and totals.metrics == (records, groups)
    assert table is not None and table.metrics == (records,)
    assert by_peers is None


@pytest.mark.parametrize(
    ("schema", "source", "destination"),
    [
        ("flat", None, None),
        ("appender", "source-location", None),
        ("ecs", "source.geo.location", "destination.geo.location"),
        ("ocsf", "src_endpoint.location.geohash", "dst_endpoint.location.geohash"),
    ],
)
def test_a_place_is_the_point_of_its_own_side(
    schema: str, source: str | None, destination: str | None
):
    documents = documents_of(schema)

    points = [documents.point(f"{side}_geo_latitude") for side in ("src", "dst")]

    assert points == [source, destination]
