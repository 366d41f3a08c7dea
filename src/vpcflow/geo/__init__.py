"""Geolocation: MMDB files of places and of autonomous systems."""

from vpcflow.geo.database import GeoDatabase, open_geo
from vpcflow.geo.place_table import Places

__all__ = ["GeoDatabase", "Places", "open_geo"]
