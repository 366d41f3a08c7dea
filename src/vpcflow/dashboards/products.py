"""What differs between OpenSearch Dashboards and Kibana: all that is known of it, in one table."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from vpcflow.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Product(NamedTuple):
    """
    A product: the header its API asks for, and whether its dashboards may hold lists to choose values from.

    Kibana shows such lists (``input_control_vis``) up to version 9, marked as what will be taken away; what took their
    place is an attribute of dashboards that version 7 refuses. A click on any value filters there as well.
    """

    name: str
    title: str
    xsrf_header: str
    has_controls: bool


PRODUCTS: Mapping[str, Product] = MappingProxyType(
    {
        product.name: product
        for product in (
            Product("opensearch", "OpenSearch Dashboards", "osd-xsrf", True),
            Product("elasticsearch", "Kibana", "kbn-xsrf", False),
        )
    }
)

# The versions whose form the objects have. A product brings older ones up to its own and refuses newer ones: these are
# the last that Kibana 7.10 and OpenSearch Dashboards, which began as its copy, have in common.
MIGRATION_VERSIONS: Mapping[str, str] = MappingProxyType(
    {"index-pattern": "7.6.0", "search": "7.9.3", "visualization": "7.10.0", "dashboard": "7.9.3"}
)
PANEL_VERSION = "7.10.0"


def product_of(name: str) -> Product:
    """Give the product of this name; raises ``FormatError``."""
    if name not in PRODUCTS:
        raise FormatError(f"unknown product {name!r} (known: {', '.join(PRODUCTS)})")
    return PRODUCTS[name]
