"""
Dashboards as the saved objects that OpenSearch Dashboards and Kibana import: one JSON object a line.

An id says whose object it is, so that the same dashboards can be put up for several indexes, and putting them up again
replaces them. Links between dashboards are by id too.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from vpcflow.dashboards.documents import Documents, documents_of
from vpcflow.dashboards.index_pattern import index_pattern_attributes
from vpcflow.dashboards.model import TIME, Controls, Dashboard, Panel, Records, Row
from vpcflow.dashboards.pages import DASHBOARDS
from vpcflow.dashboards.products import MIGRATION_VERSIONS, PANEL_VERSION, Product
from vpcflow.dashboards.queries import query
from vpcflow.dashboards.visualizations import (
    controls_state,
    panel_colours,
    panel_state,
    text_state,
)
from vpcflow.schemas import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SavedObject = dict[str, Any]
"""A saved object as the products export it: type, id, attributes, references, migrationVersion."""

_GRID = 48
_TEXT_HEIGHT = 7
_NO_QUERY = {"query": "", "language": "kuery"}
_SOURCE = "kibanaSavedObjectMeta.searchSourceJSON.index"


def render(
    product: Product,
    name: str,
    schemas: Iterable[str] = tuple(SCHEMAS),
    *,
    space: str | None = None,
) -> bytes:
    """
    Write the saved objects for documents of these schemas in the index, alias or data stream ``name``.

    Since Kibana 8 an id is there once for all spaces, and an import to a second one makes up others, which links do
    not follow: ``space`` makes ids its own.
    """
    return b"".join(
        json.dumps(saved, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        for schema in schemas
        for saved in saved_objects(product, documents_of(schema), name, space=space)
    )


def saved_objects(
    product: Product, documents: Documents, name: str, *, space: str | None = None
) -> Iterator[SavedObject]:
    """Yield the index pattern, then the panels of each dashboard that the documents can answer, and the dashboard."""
    writer = _Writer(product, documents, name, space)
    yield writer.index_pattern()
    pages = [page for page in DASHBOARDS if documents.has(page.needs)]
    for page in pages:
        yield from writer.dashboard(page, pages)


def fit(documents: Documents, product: Product, row: Row) -> list[Panel | Controls | Records]:
    """Give the panels of a row that the product has and the documents can answer, as they can answer them."""
    fitted = (_fitted(documents, product, panel) for panel in row.panels)
    return [panel for panel in fitted if panel is not None]


def widths(shares: Sequence[int]) -> list[int]:
    """Share a row's breadth, 48 units, out; what does not divide goes to the last."""
    unit = _GRID // sum(shares)
    given = [unit * share for share in shares]
    given[-1] += _GRID - sum(given)
    return given


def slug(title: str) -> str:
    """Give the part of an id that stands for a title: lower case, and hyphens for what is neither letter nor digit."""
    return re.sub("[^a-z0-9]+", "-", title.lower()).strip("-")


def _fitted(
    documents: Documents, product: Product, panel: Panel | Controls | Records
) -> Panel | Controls | Records | None:
    if isinstance(panel, Panel):
        return documents.fitted(panel)
    return panel if isinstance(panel, Records) or product.has_controls else None


class _Writer:
    """Writes the objects of one schema and index."""

    def __init__(
        self, product: Product, documents: Documents, name: str, space: str | None
    ) -> None:
        self._product = product
        self._documents = documents
        self._name = name
        self._prefix = "-".join(filter(None, (name, documents.schema, space)))
        self._pattern = {"type": "index-pattern", "id": self._prefix}

    def index_pattern(self) -> SavedObject:
        # The alias of the indexes of days, the data stream or the index: nothing else that begins so.
        attributes = index_pattern_attributes(self._documents, self._name)
        return _object("index-pattern", self._prefix, attributes, [])

    def dashboard(self, page: Dashboard, pages: Sequence[Dashboard]) -> Iterator[SavedObject]:
        panels: list[dict[str, Any]] = []
        references: list[dict[str, str]] = []
        for saved, place, is_text in self._laid_out(page, pages):
            yield saved
            panels.append(_panel(len(panels), saved, place, is_text=is_text))
            reference = {"type": saved["type"], "id": saved["id"]}
            references.append({"name": f"panel_{len(references)}", **reference})
        attributes = {
            "title": self._title(page),
            "description": page.text,
            "hits": 0,
            "panelsJSON": _json(panels),
            "optionsJSON": _json({"useMargins": True, "hidePanelTitles": False}),
            "version": 1,
            "timeRestore": True,
            "timeFrom": "now-24h",
            "timeTo": "now",
            "kibanaSavedObjectMeta": {
                "searchSourceJSON": _json({"query": _NO_QUERY, "filter": []})
            },
        }
        yield _object("dashboard", self._id(page.slug), attributes, references)

    def _laid_out(
        self, page: Dashboard, pages: Sequence[Dashboard]
    ) -> Iterator[tuple[SavedObject, tuple[int, int, int, int], bool]]:
        """Yield each object with its place, from the top down, and whether it is one without a title of its own."""
        head = self._text(page, pages)
        yield head, (0, 0, _GRID, _TEXT_HEIGHT), True
        y = _TEXT_HEIGHT
        for row in page.rows:
            panels = fit(self._documents, self._product, row)
            if not panels:
                continue
            x = 0
            for panel, width in zip(panels, widths([panel.width for panel in panels])):
                yield self._saved(page, panel), (x, y, width, row.height), False
                x += width
            y += row.height

    def _saved(self, page: Dashboard, panel: Panel | Controls | Records) -> SavedObject:
        if isinstance(panel, Records):
            return self._search(page, panel)
        if isinstance(panel, Controls):
            return self._controls(page, panel)
        title = f"{self._title(page)}: {panel.title}"
        state = panel_state(self._documents, panel, title)
        return self._visualization(
            page,
            panel.title,
            state,
            [{"name": _SOURCE, **self._pattern}],
            source={
                "query": query(self._documents, panel.where),
                "filter": [],
                "indexRefName": _SOURCE,
            },
        )

    def _text(self, page: Dashboard, pages: Sequence[Dashboard]) -> SavedObject:
        links = " · ".join(
            f"**{other.title}**"
            if other is page
            else f"[{other.title}](#/view/{self._id(other.slug)})"
            for other in pages
        )
        title = "What to look for"
        state = text_state(f"{links}\n\n{page.text}", f"{self._title(page)}: {title}")
        return self._visualization(page, title, state, [], source={})

    def _controls(self, page: Dashboard, controls: Controls) -> SavedObject:
        title = "Choose"
        state = controls_state(self._documents, controls, f"{self._title(page)}: {title}")
        references = [
            {"name": one["indexPatternRefName"], **self._pattern}
            for one in state["params"]["controls"]
        ]
        return self._visualization(page, title, state, references, source={})

    def _visualization(
        self,
        page: Dashboard,
        title: str,
        state: dict[str, Any],
        references: list[dict[str, str]],
        *,
        source: dict[str, Any],
    ) -> SavedObject:
        attributes = {
            "title": state["title"],
            "description": "",
            "visState": _json(state),
            "uiStateJSON": _json(panel_colours(self._documents) if source else {}),
            "version": 1,
            "kibanaSavedObjectMeta": {"searchSourceJSON": _json(source)},
        }
        id_ = self._id(f"{page.slug}-{slug(title)}")
        return _object("visualization", id_, attributes, references)

    def _search(self, page: Dashboard, records: Records) -> SavedObject:
        columns = [path for c in records.names if (path := self._documents.field(c)) is not None]
        source = {
            "query": query(self._documents, records.where),
            "filter": [],
            "highlightAll": True,
            "version": True,
            "indexRefName": _SOURCE,
        }
        attributes = {
            "title": f"{self._title(page)}: {records.title}",
            "description": "",
            "hits": 0,
            "columns": columns,
            "sort": [[self._documents.field(TIME), "desc"]],
            "version": 1,
            "kibanaSavedObjectMeta": {"searchSourceJSON": _json(source)},
        }
        id_ = self._id(f"{page.slug}-{slug(records.title)}")
        return _object("search", id_, attributes, [{"name": _SOURCE, **self._pattern}])

    def _id(self, slug: str) -> str:
        return f"{self._prefix}-{slug}"

    def _title(self, page: Dashboard) -> str:
        """Give the title as lists show it: whose flows, in which schema, and which page."""
        return f"[{self._name} {self._documents.schema}] {page.title}"


def _object(
    type_: str, id_: str, attributes: dict[str, Any], references: Sequence[dict[str, str]]
) -> SavedObject:
    return {
        "type": type_,
        "id": id_,
        "attributes": attributes,
        "references": references,
        "migrationVersion": {type_: MIGRATION_VERSIONS[type_]},
    }


def _panel(
    n: int, saved: SavedObject, place: tuple[int, int, int, int], *, is_text: bool
) -> dict[str, Any]:
    """Give the entry of a dashboard's panel; there its title is short, since the page's is above it."""
    x, y, width, height = place
    title = saved["attributes"]["title"].partition("]")[2].partition(": ")[2]
    shown = {"hidePanelTitles": True} if is_text else {"title": title}
    return {
        "version": PANEL_VERSION,
        "panelIndex": str(n),
        "gridData": {"x": x, "y": y, "w": width, "h": height, "i": str(n)},
        "embeddableConfig": shown,
        "panelRefName": f"panel_{n}",
        **({} if is_text else {"title": title}),
    }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
