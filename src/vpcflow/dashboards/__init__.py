"""Dashboards for OpenSearch Dashboards and Kibana, for documents of any schema; from one table of pages and panels."""

from vpcflow.dashboards.pages import DASHBOARDS
from vpcflow.dashboards.products import PRODUCTS, Product, product_of
from vpcflow.dashboards.saved_objects import render

__all__ = ["DASHBOARDS", "PRODUCTS", "Product", "product_of", "render"]
