"""
What vpcflow found out, as OCSF's ``enrichments``: each of an attribute of the event, named with its value.

The inventory's whole answer on the interface, that on the peer, and places that are not of an endpoint's ``ip``.
https://schema.ocsf.io/1.8.0/objects/enrichment
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vpcflow.schemas.ocsf.ends import ENDPOINTS, PLACE, SIDES
from vpcflow.schemas.ocsf.values import kept, present, texts
from vpcflow.schemas.ocsf.words import PATHS

if TYPE_CHECKING:
    import pyarrow as pa

    from vpcflow.schemas.ocsf.ends import Ends
    from vpcflow.schemas.ocsf.values import Rows, Texts

DATA = "enrichments[].data."
"""How the table of fields begins the paths of what is in an enrichment."""

PROVIDER = "vpcflow"
INTERFACE, PEER, LOCATION = "network_interface", "peer", "location"

_IN_DATA = tuple(column for column, path in PATHS.items() if path.startswith(DATA))
_PEER = tuple(column for column in _IN_DATA if column.startswith("peer_"))
_INTERFACE = tuple(column for column in _IN_DATA if column not in _PEER)
_SYSTEM = ("as_number", "as_org")

PLACES = {
    side: (*(f"{side}_geo_{name}" for name in PLACE), *(f"{side}_{name}" for name in _SYSTEM))
    for side in SIDES
}
"""The columns of a place, by side."""


class Enrichment(NamedTuple):
    """Additional data on an attribute: its path, its value, the kind of data, and the columns these are."""

    name: pa.DictionaryArray
    value: pa.DictionaryArray
    type: str
    data: dict[str, pa.Array]


def enrichments_of(ends: Ends) -> list[Enrichment]:
    """Give the enrichments that any of the rows has; a row has the null name and value, and no data, where not."""
    values = ends.values
    interface = values.texts("interface_id").or_else(values.texts("tgw_src_eni"))
    at_interface = texts(ends.own, [f"{path}.interface_uid" for path in ENDPOINTS])
    # The peer is at the destination of an egress flow, and of a Transit Gateway's.
    at_peer = np.where(ends.has_peer, 1 - ends.own, np.int32(1)).astype(np.int32)
    peer = texts(at_peer, [f"{path}.ip" for path in ENDPOINTS[:2]])
    found = [
        _enrichment(INTERFACE, at_interface, interface, _columns(ends, _INTERFACE)),
        _enrichment(PEER, peer, values.texts("peer_addr"), _columns(ends, _PEER)),
        *(_place(ends, side) for side in SIDES),
    ]
    return [one for one in found if one is not None]


def _place(ends: Ends, side: str) -> Enrichment | None:
    """Give what was found of an address that is not the endpoint's, and coordinates alone: a location has a name."""
    middle, values = ends.middle[side], ends.values
    path = ENDPOINTS[SIDES.index(side)]
    attribute = texts(
        np.where(middle.valid, np.int32(0), np.int32(1)), [f"{path}.intermediate_ips", f"{path}.ip"]
    )
    places, systems = PLACES[side][: len(PLACE)], PLACES[side][len(PLACE) :]
    apart = _present(ends, places) & ~ends.located[side]
    if not (apart | (_present(ends, systems) & middle.valid)).any():
        return None
    data = {name: kept(values.array(name), apart) for name in places}
    data |= {name: kept(values.array(name), middle.valid) for name in systems}
    address = middle.or_else(values.texts(f"{side}addr"))
    return _enrichment(LOCATION, attribute, address, data)


def _present(ends: Ends, names: tuple[str, ...]) -> Rows:
    return present([ends.values.array(name) for name in names], ends.rows)


def _columns(ends: Ends, names: tuple[str, ...]) -> dict[str, pa.Array | None]:
    return {name: ends.values.array(name) for name in names}


def _enrichment(
    kind: str, name: Texts, value: Texts, data: dict[str, pa.Array | None]
) -> Enrichment | None:
    arrays = {column: array for column, array in data.items() if array is not None}
    has_data = present(arrays.values(), len(value.codes))
    rows = has_data & value.valid
    if not rows.any():
        return None
    if not np.array_equal(rows, has_data):
        known = {column: kept(array, rows) for column, array in arrays.items()}
        arrays = {column: array for column, array in known.items() if array is not None}
    return Enrichment(name.where(rows).array(), value.where(rows).array(), kind, arrays)
