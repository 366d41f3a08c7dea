"""What differs between the search servers that take our documents: all of it is in the table ``PRODUCTS``."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from vpcflow.index_types import TAGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vpcflow.index_types import Property

    Lifecycle = Literal["ism", "ilm"]

_KEPT: Property = MappingProxyType({"type": "object", "enabled": False})
"""An object of any keys that is kept and not searched, where there is no type of one field for it."""

_FLAT_OBJECT_SINCE = (2, 7)


class Product(NamedTuple):
    """
    A search server: how it indexes an object of any keys, and which kind of policy deletes old indexes, if any.

    ``components``: whether index templates may be composed. ``any_time_field``: whether a data stream's time may have
    another name than ``@timestamp``.
    """

    name: str
    tags: Property
    lifecycle: Lifecycle | None
    components: bool
    any_time_field: bool


OPENSEARCH = Product("opensearch", TAGS, "ism", components=True, any_time_field=True)
ELASTICSEARCH = Product(
    "elasticsearch",
    # https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/flattened
    MappingProxyType({"type": "flattened"}),
    "ilm",
    components=True,
    any_time_field=False,
)

PRODUCTS: Mapping[str, Product] = MappingProxyType(
    {
        product.name: product
        for product in (
            OPENSEARCH,
            # flat_object came with 2.7.
            OPENSEARCH._replace(name="opensearch-1", tags=_KEPT),
            ELASTICSEARCH,
            # The Apache-licensed builds up to 7.10.2 lack what is X-Pack: flattened, ILM and data streams among it.
            ELASTICSEARCH._replace(name="elasticsearch-oss", tags=_KEPT, lifecycle=None),
            # It names no component templates among what it supports, and has life-cycle policies of its own.
            # https://docs.aws.amazon.com/opensearch-service/latest/developerguide/serverless-genref.html
            Product("serverless", _KEPT, None, components=False, any_time_field=True),
        )
    }
)


def product_of(banner: Any) -> Product:
    """
    Tell the product by its answer to ``GET /``; one that does not say what it is counts as the current OpenSearch.

    >>> product_of({"version": {"number": "8.15.0", "build_flavor": "default"}}).name
    'elasticsearch'
    >>> product_of({"version": {"distribution": "opensearch", "number": "1.3.2"}}).name
    'opensearch-1'
    """
    version = banner.get("version") if isinstance(banner, dict) else None
    if not isinstance(version, dict):
        return OPENSEARCH
    if version.get("distribution") == "opensearch":
        # In its compatibility mode it gives the number 7.10.2, whatever it is: then the safe answer.
        number = _number(version)
        is_new = _FLAT_OBJECT_SINCE <= number < (7, 0)
        return PRODUCTS["opensearch" if is_new else "opensearch-1"]
    flavor = version.get("build_flavor", "")
    if not flavor:
        return OPENSEARCH
    # One that was built of the sources says "unknown", and has no X-Pack either.
    return ELASTICSEARCH if flavor == "default" else PRODUCTS["elasticsearch-oss"]


def _number(version: Mapping[str, Any]) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", str(version.get("number", "")))
    return (int(found[1]), int(found[2])) if found else (0, 0)
