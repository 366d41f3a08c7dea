"""What flows are geolocated from, whoever knows: a database, a service, a database that is fetched anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from vpcflow.geo.place_table import NO_PLACE, Places, PlaceTableBuilder

if TYPE_CHECKING:
    from vpcflow.addresses import Addresses


class GeoLookup(Protocol):
    """Addresses to places, best distinct ones; an address whose place is not known has ``NO_PLACE``."""

    def places(self, addresses: Addresses) -> Places: ...


def no_places(addresses: Addresses) -> Places:
    """Give what a look-up gives that knows nothing."""
    rows = np.full(len(addresses.valid), NO_PLACE, np.intp)
    return Places(rows, rows, PlaceTableBuilder().table())
