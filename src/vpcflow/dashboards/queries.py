"""Conditions in the language that both products' filters are written in: KQL, which OpenSearch calls DQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpcflow.dashboards.model import Known, Not

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpcflow.dashboards.documents import Documents
    from vpcflow.dashboards.model import Condition


def query(documents: Documents, conditions: Sequence[Condition]) -> dict[str, str]:
    """
    Give the query of a saved object for records all conditions hold for; the fields have to be there.

    https://www.elastic.co/guide/en/kibana/7.10/kuery-query.html, https://docs.opensearch.org/latest/dashboards/discover/dql/
    """
    return {"query": " and ".join(_text(documents, c) for c in conditions), "language": "kuery"}


def _text(documents: Documents, condition: Condition) -> str:
    if isinstance(condition, Not):
        return f"not {_text(documents, condition.of)}"
    field = documents.field(condition.column)
    if isinstance(condition, Known):
        return f"{field}: *"
    values = [f'"{documents.value(condition.column, value)}"' for value in condition.values]
    return f"{field}: {values[0]}" if len(values) == 1 else f"{field}: ({' or '.join(values)})"
