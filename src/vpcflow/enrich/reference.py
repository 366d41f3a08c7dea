"""All lookup data of a run in one value."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from vpcflow.admission import Guards

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

    @cached_property
    def guards(self) -> Guards | None:
        """The inventory's rules and network ACLs, made ready at first use; None where it has no rules."""
        if self.inventory is None:
            return None
        if all("security_group_rules" not in one.kinds for one in self.inventory.snapshots):
            return None
        return Guards.of(self.inventory, max_age_s=self.max_age_s, max_stale_s=self.max_stale_s)
