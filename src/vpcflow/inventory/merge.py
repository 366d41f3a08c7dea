"""Several accounts and regions, each captured apart, as one snapshot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vpcflow.errors import InventoryError
from vpcflow.inventory.connectivity import VpcPeeringConnection, at_end
from vpcflow.inventory.model import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vpcflow.inventory.model import Gap, Scope

_IDS: dict[str, Callable[[Any], str]] = {
    "interfaces": lambda one: str(one.interface_id),
    "security_groups": lambda one: str(one.group_id),
    "security_group_rules": lambda one: str(one.key),
    "prefix_lists": lambda one: str(one.prefix_list_id),
    "instances": lambda one: str(one.instance_id),
    "subnets": lambda one: str(one.subnet_id),
    "vpcs": lambda one: str(one.vpc_id),
    "flow_logs": lambda one: str(one.flow_log_id),
    "vpc_peering_connections": lambda one: str(one.peering_id),
    "network_acls": lambda one: str(one.network_acl_id),
    "transit_gateways": lambda one: str(one.transit_gateway_id),
    "transit_gateway_attachments": lambda one: str(one.attachment_id),
}

_WITH_REGION = (
    "security_groups", "security_group_rules", "prefix_lists", "instances", "vpcs", "network_acls",
    "transit_gateways", "transit_gateway_attachments",
)  # fmt: skip


def merge_snapshots(snapshots: Sequence[Snapshot], *, origin: str) -> Snapshot:
    """
    Put snapshots of different accounts and regions together; the time is that of the earliest.

    What two of them show (a shared subnet, an interface in a shared VPC) is taken as its owner sees it. A kind that
    was captured in some scopes only becomes a gap of the others. Raises InventoryError where there are none.
    """
    if not snapshots:
        raise InventoryError(f"{origin}: no account and region was captured")
    kinds = frozenset(kind for snapshot in snapshots for kind in snapshot.kinds)
    return Snapshot(
        captured_at=min(snapshot.captured_at for snapshot in snapshots),
        scopes=tuple(sorted({s for one in snapshots for s in one.scopes}, key=_order)),
        gaps=_gaps(snapshots, kinds),
        kinds=kinds,
        origin=origin,
        **{kind: _distinct(snapshots, kind) for kind in kinds},
    )


def _gaps(snapshots: Sequence[Snapshot], kinds: frozenset[str]) -> tuple[Gap, ...]:
    found = {
        (kind, scope)
        for snapshot in snapshots
        for scope in snapshot.scopes
        for kind in kinds
        if not snapshot.covers(kind, scope)
    }
    return tuple(sorted(found, key=lambda gap: (gap[0], _order(gap[1]))))


def _distinct(snapshots: Sequence[Snapshot], kind: str) -> tuple[Any, ...]:
    """Give the objects of a kind, each once, in the order a single capture has."""
    id_of = _IDS[kind]
    found: dict[str, Any] = {}
    for snapshot in snapshots:
        for one in getattr(snapshot, kind):
            key = id_of(one)
            if key not in found or getattr(one, "scope", None) in snapshot.scopes:
                found[key] = one
    if kind == "security_group_rules":
        return tuple(sorted(found.values(), key=lambda rule: (rule.group_id, rule.key)))
    return tuple(found[key] for key in sorted(found))


def within(snapshot: Snapshot, scope: Scope) -> Snapshot:
    """State that a snapshot is of one account and region, which is also where objects without a region are."""
    known: dict[str, Any] = {
        kind: tuple(
            one if one.region else replace(one, region=scope[1]) for one in getattr(snapshot, kind)
        )
        for kind in _WITH_REGION
    }
    peerings = tuple(_captured_in(scope, one) for one in snapshot.vpc_peering_connections)
    return replace(snapshot, scopes=(scope,), vpc_peering_connections=peerings, **known)


def _captured_in(scope: Scope, peering: VpcPeeringConnection) -> VpcPeeringConnection:
    ends = (end for end in peering.ends if (end.owner_id, end.region) == scope)
    return at_end(peering, next(ends, peering.requester))


def share(snapshot: Snapshot, before: Snapshot) -> Snapshot:
    """Give the snapshot with the objects of one before where they are equal: a history is smaller in memory so."""
    shared: dict[str, Any] = {}
    for kind in snapshot.kinds:
        known = {one: one for one in getattr(before, kind)}
        shared[kind] = tuple(known.get(one, one) for one in getattr(snapshot, kind))
    return replace(snapshot, **shared)


def _order(scope: Scope) -> tuple[str, str]:
    return scope[0] or "", scope[1] or ""
