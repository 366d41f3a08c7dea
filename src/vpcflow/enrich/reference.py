"""All lookup data of a run in one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vpcflow.aws_ranges import AwsRanges
    from vpcflow.geo import GeoLookup
    from vpcflow.inventory import Inventory
    from vpcflow.networks import Networks


@dataclass(frozen=True)
class Reference:
    """
    What flows are enriched from; None for what was not given: its columns are null then.

    ``max_age_s`` is how far from a snapshot an answer still counts as ``nearest``, ``max_stale_s`` how far it counts
    at all (None: no limit).
    """

    inventory: Inventory | None = None
    geo: GeoLookup | None = None
    asn: GeoLookup | None = None
    aws_ranges: AwsRanges | None = None
    networks: Networks | None = None
    max_age_s: int = 3600
    max_stale_s: int | None = None
