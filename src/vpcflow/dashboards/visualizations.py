"""
Panels as both products write them down: the ``visState`` of a visualization.

Of the forms that both have had since Kibana 7.10: what is counted how is in ``aggs``, how it is drawn in ``params``.
Kibana 8 and 9 show the two kinds of maps with their Maps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vpcflow.dashboards.model import Causes, Controls, Grid, OverTime, Terms
from vpcflow.dashboards.queries import query

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vpcflow.dashboards.documents import Documents
    from vpcflow.dashboards.model import Bucket, Metric, Panel

_ACCEPTED, _REJECTED = "#54B399", "#E7664C"
_WORLD = {
    "id": "world_countries",
    "layerId": "elastic_maps_service.World Countries",
    "name": "World Countries",
    "origin": "elastic_maps_service",
    "isEMS": True,
    "format": {"type": "geojson"},
    "fields": [
        {"type": "id", "name": "iso2", "description": "ISO 3166-1 alpha-2 Code"},
        {"type": "id", "name": "iso3", "description": "ISO 3166-1 alpha-3 Code"},
        {"type": "name", "name": "name", "description": "Name"},
    ],
}


def panel_state(documents: Documents, panel: Panel, title: str) -> dict[str, Any]:
    """Give the state of a panel whose fields are all there."""
    metrics = [_metric(documents, str(n), m) for n, m in enumerate(panel.metrics, 1)]
    first = len(metrics) + 1
    buckets = [
        _bucket(documents, str(n), bucket, schema)
        for n, (bucket, schema) in enumerate(zip(panel.buckets, _schemas(panel)), first)
    ]
    params = _PARAMS.get(panel.form, _chart)(panel)
    return {"title": title, "type": panel.form, "aggs": [*metrics, *buckets], "params": params}


def panel_colours(documents: Documents) -> dict[str, Any]:
    """Give the colours of values that have one, whatever chart they are in."""
    colours = {"ACCEPT": _ACCEPTED, "REJECT": _REJECTED}
    return {"vis": {"colors": {documents.value("action", name): c for name, c in colours.items()}}}


def text_state(markdown: str, title: str) -> dict[str, Any]:
    """Give the state of a panel of text."""
    params = {"fontSize": 12, "openLinksInNewTab": False, "markdown": markdown}
    return {"title": title, "type": "markdown", "aggs": [], "params": params}


def controls_state(documents: Documents, controls: Controls, title: str) -> dict[str, Any]:
    """Give the state of lists to choose from; their patterns are references ``control_N_index_pattern``."""
    there = [(c, label) for c, label in controls.columns if documents.has((c,))]
    lists = [
        {
            "id": column,
            "fieldName": documents.field(column),
            "label": label,
            "type": "list",
            "parent": "",
            "indexPatternRefName": f"control_{n}_index_pattern",
            "options": {
                "type": "terms",
                "multiselect": True,
                "dynamicOptions": documents.type_of(documents.field(column) or "") == "keyword",
                "size": 20,
                "order": "desc",
            },
        }
        for n, (column, label) in enumerate(there)
    ]
    params = {
        "controls": lists,
        "updateFiltersOnChange": True,
        "useTimeFilter": True,
        "pinFilters": False,
    }
    return {"title": title, "type": "input_control_vis", "aggs": [], "params": params}


def _metric(documents: Documents, id_: str, metric: Metric) -> dict[str, Any]:
    params: dict[str, Any] = {"customLabel": metric.label}
    if metric.column is not None:
        params = {"field": documents.field(metric.column), **params}
    return _agg(id_, metric.kind, "metric", params)


def _bucket(documents: Documents, id_: str, bucket: Bucket, schema: str) -> dict[str, Any]:
    if isinstance(bucket, OverTime):
        params: dict[str, Any] = {
            "field": documents.time_field,
            "interval": "auto",
            "drop_partials": False,
            "min_doc_count": 1,
            "extended_bounds": {},
            "customLabel": "Time",
        }
        return _agg(id_, "date_histogram", schema, params)
    if isinstance(bucket, Causes):
        filters = [{"input": query(documents, c), "label": label} for label, c in bucket.filters]
        return _agg(id_, "filters", schema, {"filters": filters})
    if isinstance(bucket, Grid):
        params = {
            "field": documents.point(bucket.latitude),
            "autoPrecision": True,
            "precision": 2,
            "useGeocentroid": True,
            "isFilteredByCollar": True,
        }
        return _agg(id_, "geohash_grid", schema, params)
    return _agg(id_, "terms", schema, _terms(documents, bucket))


def _terms(documents: Documents, terms: Terms) -> dict[str, Any]:
    return {
        "field": documents.field(terms.column),
        "orderBy": "1",
        "order": "desc",
        "size": terms.size,
        "otherBucket": terms.other,
        "otherBucketLabel": "Other",
        "missingBucket": terms.missing,
        "missingBucketLabel": "–",
        "customLabel": terms.label,
    }


def _agg(id_: str, type_: str, schema: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"id": id_, "enabled": True, "type": type_, "schema": schema, "params": params}


def _schemas(panel: Panel) -> Sequence[str]:
    """Give what the form calls each bucket: rows of a table, rings of a pie, the line below and those above it."""
    several = len(panel.buckets)
    if panel.form == "table":
        return ["bucket"] * several
    if panel.form == "pie":
        return ["segment"] * several
    return ["segment", *["group"] * (several - 1)]


def _table(panel: Panel) -> dict[str, Any]:
    return {
        "perPage": 10,
        "showPartialRows": False,
        "showMetricsAtAllLevels": False,
        "sort": {"columnIndex": None, "direction": None},
        "showTotal": False,
        "totalFunc": "sum",
        "percentageCol": "",
    }


def _pie(panel: Panel) -> dict[str, Any]:
    return {
        "type": "pie",
        "addTooltip": True,
        "addLegend": True,
        "legendPosition": "right",
        "isDonut": True,
        "labels": {"show": False, "values": True, "last_level": True, "truncate": 100},
    }


def _total(panel: Panel) -> dict[str, Any]:
    return {
        "type": "metric",
        "addTooltip": True,
        "addLegend": False,
        "metric": {
            "percentageMode": False,
            "useRanges": False,
            "colorSchema": "Green to Red",
            "metricColorMode": "None",
            "colorsRange": [{"from": 0, "to": 10000}],
            "labels": {"show": True},
            "invertColors": False,
            "style": {
                "bgFill": "#000",
                "bgColor": False,
                "labelColor": False,
                "subText": "",
                "fontSize": 28,
            },
        },
    }


def _heat(panel: Panel) -> dict[str, Any]:
    labels = {"show": False, "rotate": 0, "overwriteColor": False, "color": "black"}
    return {
        "type": "heatmap",
        "addTooltip": True,
        "addLegend": True,
        "enableHover": False,
        "legendPosition": "right",
        "times": [],
        "colorsNumber": 6,
        "colorSchema": "Blues",
        "setColorRange": False,
        "colorsRange": [],
        "invertColors": False,
        "percentageMode": False,
        "valueAxes": [
            {
                "id": "ValueAxis-1",
                "type": "value",
                "show": False,
                "scale": {"type": "linear", "defaultYExtents": False},
                "labels": labels,
            }
        ],
    }


def _cloud(panel: Panel) -> dict[str, Any]:
    return {
        "scale": "linear",
        "orientation": "single",
        "minFontSize": 14,
        "maxFontSize": 54,
        "showLabel": False,
    }


def _chart(panel: Panel) -> dict[str, Any]:
    """Give how lines, areas and bars are drawn; what is stacked adds up, what is not stands for itself."""
    mode = "normal" if panel.form == "line" else "stacked"
    title = panel.metrics[0].label if len(panel.metrics) == 1 else ""
    return {
        "type": panel.form,
        "grid": {"categoryLines": False},
        "categoryAxes": [
            {
                "id": "CategoryAxis-1",
                "type": "category",
                "position": "bottom",
                "show": True,
                "style": {},
                "scale": {"type": "linear"},
                "labels": {"show": True, "filter": True, "truncate": 100},
                "title": {},
            }
        ],
        "valueAxes": [
            {
                "id": "ValueAxis-1",
                "name": "LeftAxis-1",
                "type": "value",
                "position": "left",
                "show": True,
                "style": {},
                "scale": {"type": "linear", "mode": "normal"},
                "labels": {"show": True, "rotate": 0, "filter": False, "truncate": 100},
                "title": {"text": title},
            }
        ],
        "seriesParams": [
            {
                "show": True,
                "type": panel.form,
                "mode": mode,
                "data": {"label": metric.label, "id": str(n)},
                "valueAxis": "ValueAxis-1",
                "drawLinesBetweenPoints": True,
                "lineWidth": 2,
                "showCircles": panel.form == "line",
                "interpolate": "linear",
            }
            for n, metric in enumerate(panel.metrics, 1)
        ],
        "addTooltip": True,
        "addLegend": True,
        "legendPosition": "right",
        "times": [],
        "addTimeMarker": False,
        "labels": {"show": False},
        "thresholdLine": {
            "show": False,
            "value": 10,
            "width": 1,
            "style": "full",
            "color": _REJECTED,
        },
    }


def _countries(panel: Panel) -> dict[str, Any]:
    return {
        **_map(),
        "colorSchema": "Yellow to Red",
        "isDisplayWarning": False,
        "outlineWeight": 1,
        "showAllShapes": True,
        "emsHotLink": "",
        "selectedLayer": _WORLD,
        "selectedJoinField": _WORLD["fields"][0],  # type: ignore[index]
    }


def _places(panel: Panel) -> dict[str, Any]:
    return {
        **_map(),
        "colorSchema": "Yellow to Red",
        "mapType": "Scaled Circle Markers",
        "isDesaturated": True,
        "heatClusterSize": 1.5,
    }


def _map() -> dict[str, Any]:
    return {
        "addTooltip": True,
        "legendPosition": "bottomright",
        "mapZoom": 2,
        "mapCenter": [20, 0],
        "wms": {"enabled": False, "options": {"format": "image/png", "transparent": True}},
    }


_PARAMS: dict[str, Callable[[Panel], dict[str, Any]]] = {
    "table": _table,
    "pie": _pie,
    "metric": _total,
    "heatmap": _heat,
    "tagcloud": _cloud,
    "region_map": _countries,
    "tile_map": _places,
}
