"""
Saved objects read back as a product reads them: what they refer to, what fields they ask for, and the search they make.

The search is derived from the saved object alone, by the rules of the products' own sources, so that what is checked
is what is imported.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

MISSING = "__missing__"
"""What a product has the server call the bucket of records without a value."""

Query = dict[str, Any]


class Saved(NamedTuple):
    """A saved object, and all that it may refer to."""

    body: dict[str, Any]
    all: dict[tuple[str, str], dict[str, Any]]

    @property
    def id(self) -> str:
        return self.body["id"]

    @property
    def type(self) -> str:
        return self.body["type"]

    @property
    def title(self) -> str:
        return self.body["attributes"]["title"]

    @property
    def state(self) -> dict[str, Any]:
        """The parsed ``visState``; empty for what is no visualization."""
        return json.loads(self.body["attributes"].get("visState", "{}"))

    @property
    def source(self) -> dict[str, Any]:
        return json.loads(self.body["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])

    @property
    def panels(self) -> list[dict[str, Any]]:
        return json.loads(self.body["attributes"]["panelsJSON"])

    @property
    def is_query(self) -> bool:
        """Whether it asks the server, as texts and dashboards do not."""
        return "indexRefName" in self.source if self.type in ("visualization", "search") else False

    def referred(self, name: str) -> Saved:
        """Give the object that a reference of this name leads to; there is exactly one."""
        (reference,) = [r for r in self.body["references"] if r["name"] == name]
        return Saved(self.all[(reference["type"], reference["id"])], self.all)

    @property
    def time_field(self) -> str:
        pattern = self.referred(self.source["indexRefName"])
        return pattern.body["attributes"]["timeFieldName"]

    def buckets(self) -> list[dict[str, Any]]:
        return [agg for agg in self.state["aggs"] if agg["schema"] != "metric"]

    def metrics(self) -> list[dict[str, Any]]:
        return [agg for agg in self.state["aggs"] if agg["schema"] == "metric"]

    def fields(self) -> Iterator[tuple[str, str]]:
        """Yield each field that is asked for, and how: a kind of aggregation, ``query``, ``list`` or ``column``."""
        state = self.state
        for agg in state.get("aggs", []):
            if "field" in agg["params"]:
                yield agg["params"]["field"], agg["type"]
            for one in agg["params"].get("filters", []):
                yield from ((field, "query") for field in fields_of(one["input"]["query"]))
        for control in state.get("params", {}).get("controls", []):
            yield control["fieldName"], "list"
        if self.is_query:
            yield from ((field, "query") for field in fields_of(self.source["query"]["query"]))
        if self.type == "search":
            yield from ((field, "column") for field in self.body["attributes"]["columns"])

    def search(self, since: str, until: str) -> Query:
        """Give the body of the search for records of a time, ISO 8601."""
        times = {"gte": since, "lte": until, "format": "strict_date_optional_time"}
        filters = [*kql(self.source["query"]["query"]), {"range": {self.time_field: times}}]
        body: Query = {"query": {"bool": {"filter": filters}}, "track_total_hits": True}
        if self.type == "search":
            order = [{field: way} for field, way in self.body["attributes"]["sort"]]
            return {**body, "size": 500, "sort": order}
        return {**body, "size": 0, "aggs": _levels(self.buckets(), self.metrics())}


def read(ndjson: bytes) -> list[Saved]:
    bodies = [json.loads(line) for line in ndjson.splitlines()]
    found = {(body["type"], body["id"]): body for body in bodies}
    return [Saved(body, found) for body in bodies]


def _levels(buckets: list[dict[str, Any]], metrics: list[dict[str, Any]]) -> Query:
    """Give the aggregations: each level has the metrics, as pies ask for, and the next level below it."""
    own = {
        m["id"]: {m["type"]: {"field": m["params"]["field"]}}
        for m in metrics
        if m["type"] != "count"
    }
    if not buckets:
        return own
    first, *rest = buckets
    counts = {m["id"] for m in metrics if m["type"] == "count"}
    return {**own, first["id"]: {**_bucket(first, counts), "aggs": _levels(rest, metrics)}}


def _bucket(agg: dict[str, Any], counts: set[str]) -> Query:
    params = agg["params"]
    if agg["type"] == "terms":
        by = "_count" if params["orderBy"] in counts else params["orderBy"]
        terms = {"field": params["field"], "size": params["size"], "order": {by: params["order"]}}
        return {"terms": {**terms, **({"missing": MISSING} if params["missingBucket"] else {})}}
    if agg["type"] == "date_histogram":
        times = {"fixed_interval": "1m", "time_zone": "UTC", "min_doc_count": 1}
        return {"date_histogram": {"field": params["field"], **times}}
    if agg["type"] == "filters":
        named = {
            f["label"]: {"bool": {"filter": kql(f["input"]["query"])}} for f in params["filters"]
        }
        return {"filters": {"filters": named}}
    assert agg["type"] == "geohash_grid"
    return {"geohash_grid": {"field": params["field"], "precision": params["precision"]}}


_TERM = re.compile(r'(?P<no>not )?(?P<field>[\w@.-]+): (?P<value>\*|"[^"]*"|\([^)]*\))')


def terms_of(text: str) -> list[re.Match[str]]:
    """Take a query of ours apart: terms that all hold. Fails for what is none, as the products' parser would."""
    terms = []
    for part in text.split(" and ") if text else []:
        term = _TERM.fullmatch(part)
        assert term is not None, f"no query: {part}"
        terms.append(term)
    return terms


def fields_of(text: str) -> list[str]:
    return [term["field"] for term in terms_of(text)]


def kql(text: str) -> list[Query]:
    """
    Give the clauses that the products make of a query.

    https://github.com/elastic/kibana/blob/7.10/src/plugins/data/common/es_query/kuery/functions/is.ts: a star asks
    whether there is a value, what stands in quotation marks becomes a phrase.
    """
    clauses = []
    for term in terms_of(text):
        values = re.findall('"([^"]*)"', term["value"])
        should = [{"match_phrase": {term["field"]: value}} for value in values]
        clause: Query = (
            {"bool": {"should": should, "minimum_should_match": 1}}
            if should
            else {"exists": {"field": term["field"]}}
        )
        clauses.append({"bool": {"must_not": [clause]}} if term["no"] else clause)
    return clauses
