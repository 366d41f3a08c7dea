"""
Which VPCs a reference to a security group reaches, seen from a VPC.

Its own; those it has an active peering connection with, in the same Region; and, for inbound rules alone, those
attached to the same transit gateway where security group referencing is enabled at the gateway and at both attachments.
https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html
https://docs.aws.amazon.com/vpc/latest/tgw/tgw-vpc-attachments.html

AWS takes a rule that refers to a group of another VPC only where there is such a way. Where the way may be there and
was not captured, the rule is evidence enough.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import permutations
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from vpcflow.admission.in_force import ALWAYS_SINCE, ALWAYS_UNTIL, in_force
from vpcflow.inventory import TransitGateway, TransitGatewayAttachment, VpcPeeringConnection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vpcflow.admission.in_force import InForce
    from vpcflow.inventory import Inventory, SecurityGroupRule
    from vpcflow.inventory.model import Scope

Int64s = npt.NDArray[np.int64]

T = TypeVar("T", VpcPeeringConnection, TransitGateway, TransitGatewayAttachment)

Way = tuple[str, bool]
"""A VPC, and whether a rule is an egress one."""


class Reach:
    """The VPCs reached from each VPC and direction, in periods of time between which nothing changes."""

    def __init__(self, inventory: Inventory, rules: Iterable[SecurityGroupRule]) -> None:
        captured = _Captured(inventory)
        self._referred = _referred(inventory, rules)
        self._captured = captured
        windows = [one.window for some in captured.all for one in some]
        times = {w.since for w in windows} | {
            w.until + 1 for w in windows if w.until < ALWAYS_UNTIL
        }
        self.times = np.array(sorted(times - {ALWAYS_SINCE}), np.int64)
        self._known: dict[tuple[int, str, bool], frozenset[str]] = {}
        self._ways: dict[int, dict[Way, set[str]]] = {}

    def period(self, time_s: Int64s) -> Int64s:
        """Give the period each time is in."""
        return np.searchsorted(self.times, time_s, "right")

    def vpcs(self, period: int, vpc_id: str, *, is_egress: bool) -> frozenset[str]:
        """Give the VPCs whose interfaces a reference reaches from ``vpc_id``, itself included."""
        key = period, vpc_id, is_egress
        if key not in self._known:
            if period not in self._ways:
                self._ways[period] = self._open(period)
            way = vpc_id, is_egress
            open_ = self._ways[period].get(way, set())
            maybe = {
                other
                for other in self._referred.get(way, ())
                if self._captured.may_reach(vpc_id, other, is_egress=is_egress)
            }
            self._known[key] = frozenset({vpc_id, *open_, *maybe})
        return self._known[key]

    def _open(self, period: int) -> dict[Way, set[str]]:
        time_s = int(self.times[period - 1]) if period else ALWAYS_SINCE
        return self._captured.open_at(time_s)


class _Captured:
    """Peering connections and transit gateways as they were captured, and of which VPCs they were not."""

    def __init__(self, inventory: Inventory) -> None:
        snapshots = inventory.snapshots
        self._snapshots = snapshots
        self.connections = in_force(
            snapshots,
            "vpc_peering_connections",
            lambda s: s.vpc_peering_connections,
            # Each end is captured for itself, and may be by two accounts.
            lambda p: f"{p.peering_id} {p.scope}",
        )
        self.attachments = in_force(
            snapshots,
            "transit_gateway_attachments",
            lambda s: s.transit_gateway_attachments,
            lambda a: a.attachment_id,
        )
        self.gateways = in_force(
            snapshots,
            "transit_gateways",
            lambda s: s.transit_gateways,
            lambda g: g.transit_gateway_id,
        )
        self._scopes = _scopes_of_vpcs(inventory)
        self._covered: dict[tuple[str, str], bool] = {}

    @property
    def all(
        self,
    ) -> tuple[
        list[InForce[VpcPeeringConnection]],
        list[InForce[TransitGatewayAttachment]],
        list[InForce[TransitGateway]],
    ]:
        return self.connections, self.attachments, self.gateways

    def may_reach(self, vpc_id: str, other: str, *, is_egress: bool) -> bool:
        """Tell whether there may be a way that no snapshot would show."""
        if not self._covers("vpc_peering_connections", vpc_id):
            return True
        if is_egress:
            return False
        kind = "transit_gateway_attachments"
        return not (self._covers(kind, vpc_id) and self._covers(kind, other))

    def open_at(self, time_s: int) -> dict[Way, set[str]]:
        """Give the ways that were open, but for those within a VPC."""
        open_: dict[Way, set[str]] = defaultdict(set)
        for peering in _at(self.connections, time_s):
            ids = [end.vpc_id for end in peering.ends if end.vpc_id]
            regions = {end.region for end in peering.ends if end.region}
            if peering.is_active and len(ids) == 2 and len(regions) < 2:
                for one, other in permutations(ids):
                    open_[one, False].add(other)
                    open_[one, True].add(other)
        refuses = {
            gateway.transit_gateway_id
            for gateway in _at(self.gateways, time_s)
            if gateway.security_group_referencing is False
        }
        attached: dict[str, set[str]] = defaultdict(set)
        for attachment in _at(self.attachments, time_s):
            gateway_id, vpc_id = attachment.transit_gateway_id, attachment.vpc_id
            if gateway_id and vpc_id and gateway_id not in refuses and _takes_part(attachment):
                attached[gateway_id].add(vpc_id)
        for vpc_ids in attached.values():
            for one, other in permutations(sorted(vpc_ids), 2):
                open_[one, False].add(other)
        return open_

    def _covers(self, kind: str, vpc_id: str) -> bool:
        if (kind, vpc_id) not in self._covered:
            scope = self._scopes.get(vpc_id)
            self._covered[kind, vpc_id] = scope is not None and any(
                snapshot.covers(kind, scope) for snapshot in self._snapshots
            )
        return self._covered[kind, vpc_id]


def _takes_part(attachment: TransitGatewayAttachment) -> bool:
    # Where EC2 does not say, an attachment takes part: that is its default.
    return attachment.is_available and attachment.security_group_referencing is not False


def _at(windows: Sequence[InForce[T]], time_s: int) -> Iterator[T]:
    return (one.value for one in windows if one.window.since <= time_s <= one.window.until)


def _scopes_of_vpcs(inventory: Inventory) -> dict[str, Scope]:
    found: dict[str, Scope] = {}
    for snapshot in inventory.snapshots:
        found.update({vpc.vpc_id: vpc.scope for vpc in snapshot.vpcs})
    for version in inventory.versions:
        if version.eni.vpc_id is not None:
            found.setdefault(version.eni.vpc_id, version.eni.scope)
    return found


def _referred(inventory: Inventory, rules: Iterable[SecurityGroupRule]) -> dict[Way, set[str]]:
    """Give for each VPC and direction the VPCs of the groups that rules of its groups refer to."""
    vpcs: dict[str, set[str]] = defaultdict(set)
    for snapshot in inventory.snapshots:
        for group in snapshot.security_groups:
            vpcs[group.group_id].update(group.vpc_ids)
    for version in inventory.versions:
        if version.eni.vpc_id is not None:
            for ref in version.eni.groups:
                vpcs[ref.group_id].add(version.eni.vpc_id)
    found: dict[Way, set[str]] = defaultdict(set)
    for rule in rules:
        if rule.referenced_group_id is None:
            continue
        named = {rule.referenced_vpc_id} if rule.referenced_vpc_id else set()
        for vpc_id in vpcs.get(rule.group_id, ()):
            found[vpc_id, rule.is_egress] |= named | vpcs.get(rule.referenced_group_id, set())
    return found
