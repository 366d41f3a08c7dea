"""
Put saved objects up through the import of OpenSearch Dashboards or Kibana, over those of the same ids.

https://www.elastic.co/guide/en/kibana/7.10/saved-objects-api-import.html; OpenSearch Dashboards has kept it, with a
header of its own name.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from vpcflow.errors import SinkError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vpcflow.dashboards.products import Product
    from vpcflow.dashboards.web import Answer, Web

_API = "api/saved_objects/_import?overwrite=true"
_SHOWN_ERRORS = 5


class Imported(NamedTuple):
    """How many objects are there now, and which got another id: links between dashboards do not find those."""

    objects: int
    renamed: tuple[str, ...] = ()


def import_objects(
    web: Web,
    product: Product,
    ndjson: bytes,
    *,
    tenant: str | None = None,
    space: str | None = None,
) -> Imported:
    """
    Import them into a tenant of OpenSearch Dashboards' security, or a space of Kibana; without, the default.

    Raises ``SinkError`` where the server refuses any of them, with each object's reason.
    """
    path = f"s/{quote(space, safe='')}/{_API}" if space else _API
    content_type, body = _multipart(ndjson)
    headers = {"Content-Type": content_type, product.xsrf_header: "true"}
    if tenant:
        headers["securitytenant"] = tenant
    answer = web.send("POST", path, body, headers)
    if answer.status != 200 or not isinstance(answer.body, dict):
        raise _refused(answer, product, web.address)
    return _imported(answer.body, product, len(ndjson.splitlines()))


def _multipart(ndjson: bytes) -> tuple[str, bytes]:
    """Give the content type and body of a form with one file, whose name has to end in ``.ndjson``."""
    boundary = hashlib.sha256(ndjson).hexdigest()
    head = (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="file"; filename="vpcflow.ndjson"\r\n'
        "Content-Type: application/ndjson\r\n\r\n"
    )
    body = head.encode() + ndjson + f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body


def _imported(body: Mapping[str, Any], product: Product, sent: int) -> Imported:
    count = int(body.get("successCount", 0))
    errors = body.get("errors") or []
    if errors or not body.get("success") or count != sent:
        listed = "; ".join(map(_error, errors[:_SHOWN_ERRORS]))
        more = f"; and {len(errors) - _SHOWN_ERRORS} more" if len(errors) > _SHOWN_ERRORS else ""
        raise SinkError(
            f"{product.title} took {count:,} of {sent:,} objects: {listed or 'it does not say why'}{more}"
        )
    results: Sequence[Mapping[str, Any]] = body.get("successResults") or []
    renamed = [
        f"{one['type']} {one['id']}"
        for one in results
        if one.get("destinationId", one.get("id")) != one.get("id")
    ]
    return Imported(count, tuple(renamed))


def _error(one: Mapping[str, Any]) -> str:
    """Say why an object was refused: a conflict, a type or a reference that is not known, or the server's words."""
    error = one.get("error") or {}
    kind = error.get("type", "unknown")
    missing = ", ".join(f"{r.get('type')} {r.get('id')}" for r in error.get("references") or [])
    reason = error.get("message") or missing
    return f"{one.get('type')} {one.get('id')}: {kind}{f' ({reason})' if reason else ''}"


def _refused(answer: Answer, product: Product, address: str) -> SinkError:
    if 300 <= answer.status < 400:
        what = f"sends on to {answer.location!r}, which may be a page to log in at"
    elif answer.status == 200:
        what = "answers with what is no JSON"
    else:
        what = f"answers with {answer.status}: {answer.text}"
    return SinkError(f"{address} {what}; {_advice(answer, product)}")


def _advice(answer: Answer, product: Product) -> str:
    said = answer.text
    if "xsrf" in said:
        other = "opensearch" if product.name == "elasticsearch" else "elasticsearch"
        return f"it is no {product.title}: try --product {other}"
    if answer.status == 401:
        return (
            "set VPCFLOW_OPENSEARCH_USER and VPCFLOW_OPENSEARCH_PASSWORD, or VPCFLOW_OPENSEARCH_API_KEY,"
            " or give --sign"
        )
    if answer.status == 403:
        return (
            "you have to be allowed to write saved objects there: ask who runs it, or name another --tenant"
            " or --space"
        )
    if answer.status == 413:
        return "its savedObjects.maxImportPayloadBytes has to be larger"
    if answer.status == 422 or "more recent version" in said:
        return "its version is too old: these objects are for Kibana 7.10, OpenSearch Dashboards 1.0 and newer ones"
    if answer.status in (429, 502, 503, 504):
        return "it may be starting: try again, nothing is lost by it"
    return (
        f"see that {product.title} is at this address, with its path: https://HOST/_dashboards in Amazon's domains,"
        " https://HOST/_plugin/kibana in those of Elasticsearch"
    )
