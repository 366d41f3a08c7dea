"""Where the source and the destination address are, and which autonomous systems announce them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from vpcflow.dictionaries import codes_of

if TYPE_CHECKING:
    from vpcflow.enrich.answers import Answers
    from vpcflow.geo import GeoLookup

_PLACE_FIELDS = (
    "country_code",
    "country_name",
    "region_code",
    "region_name",
    "city",
    "latitude",
    "longitude",
)
_AS_FIELDS = ("as_number", "as_org")


def add_src_geo(flows: pa.RecordBatch, answers: Answers) -> dict[str, pa.Array]:
    """
    Write the place and the autonomous system of ``srcaddr``.

    It is the address as at the network interface, also where ``pkt_srcaddr`` is another. Null without someone to ask,
    where nobody knows the address, and for private, reserved and documentation addresses.
    """
    return _add_geo("src", answers)


def add_dst_geo(flows: pa.RecordBatch, answers: Answers) -> dict[str, pa.Array]:
    """Write the place and the autonomous system of ``dstaddr``, by the rules of ``add_src_geo``."""
    return _add_geo("dst", answers)


def _add_geo(side: str, answers: Answers) -> dict[str, pa.Array]:
    address, reference = f"{side}addr", answers.reference
    return {
        **_look_up(answers, address, reference.geo, {f"{side}_geo_{n}": n for n in _PLACE_FIELDS}),
        **_look_up(answers, address, reference.asn, {f"{side}_{n}": n for n in _AS_FIELDS}),
    }


def _look_up(
    answers: Answers, address: str, lookup: GeoLookup | None, columns: dict[str, str]
) -> dict[str, pa.Array]:
    """Write columns from the fields of ``Place`` named beside them."""
    if lookup is None:
        return {column: answers.nulls(column) for column in columns}
    found = lookup.places(answers.addresses(address))
    places = found.spread(codes_of(answers.column(address)))
    return {column: places.column(field) for column, field in columns.items()}
