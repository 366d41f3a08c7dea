"""Geolocation: MMDB files of places and of autonomous systems, and others who know them."""

from vpcflow.geo.database import GeoDatabase, open_geo
from vpcflow.geo.lookup import GeoLookup
from vpcflow.geo.place_table import Places

__all__ = ["GeoDatabase", "GeoLookup", "Places", "open_geo"]
