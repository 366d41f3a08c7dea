"""The history of all objects: which version of each was seen from when to when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from vpcflow.inventory.timeline import Entries, runs_of, timeline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vpcflow.inventory.connectivity import (
        NetworkAcl,
        TransitGateway,
        TransitGatewayAttachment,
        VpcPeeringConnection,
    )
    from vpcflow.inventory.model import (
        Eni,
        Instance,
        PrefixList,
        Scope,
        SecurityGroup,
        SecurityGroupRule,
        Snapshot,
        Subnet,
        Vpc,
    )


class _Scoped(Protocol):
    @property
    def scope(self) -> Scope: ...


T = TypeVar("T", bound=_Scoped)


class Validity(NamedTuple, Generic[T]):
    """
    A version of an object and when it was seen, in Unix seconds, both included.

    Outside the interval it may have been in force too: what came before the first snapshot and after the last is not
    known. With one snapshot both ends are its time.
    """

    valid_from: int
    valid_to: int
    value: T


class History(NamedTuple):
    """
    The validity intervals of every object, by its id, in order of time.

    Rules are found by `SecurityGroupRule.key`: their id, where they have one.
    """

    interfaces: dict[str, tuple[Validity[Eni], ...]]
    security_groups: dict[str, tuple[Validity[SecurityGroup], ...]]
    security_group_rules: dict[str, tuple[Validity[SecurityGroupRule], ...]]
    prefix_lists: dict[str, tuple[Validity[PrefixList], ...]]
    instances: dict[str, tuple[Validity[Instance], ...]]
    subnets: dict[str, tuple[Validity[Subnet], ...]]
    vpcs: dict[str, tuple[Validity[Vpc], ...]]
    vpc_peering_connections: dict[str, tuple[Validity[VpcPeeringConnection], ...]]
    network_acls: dict[str, tuple[Validity[NetworkAcl], ...]]
    transit_gateways: dict[str, tuple[Validity[TransitGateway], ...]]
    transit_gateway_attachments: dict[str, tuple[Validity[TransitGatewayAttachment], ...]]


def history(snapshots: Sequence[Snapshot]) -> History:
    """Work out the validity intervals of all objects of snapshots sorted by time."""
    return History(
        interfaces=_validity(
            snapshots, "interfaces", lambda s: s.interfaces, lambda e: e.interface_id
        ),
        security_groups=_validity(
            snapshots, "security_groups", lambda s: s.security_groups, lambda g: g.group_id
        ),
        security_group_rules=_validity(
            snapshots, "security_group_rules", lambda s: s.security_group_rules, lambda r: r.key
        ),
        prefix_lists=_validity(
            snapshots, "prefix_lists", lambda s: s.prefix_lists, lambda p: p.prefix_list_id
        ),
        instances=_validity(snapshots, "instances", lambda s: s.instances, lambda i: i.instance_id),
        subnets=_validity(snapshots, "subnets", lambda s: s.subnets, lambda s: s.subnet_id),
        vpcs=_validity(snapshots, "vpcs", lambda s: s.vpcs, lambda v: v.vpc_id),
        vpc_peering_connections=_validity(
            snapshots,
            "vpc_peering_connections",
            lambda s: s.vpc_peering_connections,
            lambda p: p.peering_id,
        ),
        network_acls=_validity(
            snapshots, "network_acls", lambda s: s.network_acls, lambda a: a.network_acl_id
        ),
        transit_gateways=_validity(
            snapshots,
            "transit_gateways",
            lambda s: s.transit_gateways,
            lambda t: t.transit_gateway_id,
        ),
        transit_gateway_attachments=_validity(
            snapshots,
            "transit_gateway_attachments",
            lambda s: s.transit_gateway_attachments,
            lambda t: t.attachment_id,
        ),
    )


def _validity(
    snapshots: Sequence[Snapshot],
    kind: str,
    objects: Callable[[Snapshot], tuple[T, ...]],
    key: Callable[[T], str],
) -> dict[str, tuple[Validity[T], ...]]:
    asked = [snapshot for snapshot in snapshots if kind in snapshot.kinds]
    entries: Entries[T, T] = Entries(lambda one: (key(one), one.scope, one))
    seen = [entries.of(objects(snapshot)) for snapshot in asked]
    line = timeline(asked, kind, entries.scopes)
    times = line.times.tolist()
    return {
        k: tuple(Validity(times[r.first], times[r.last], r.value) for r in runs)
        for k, runs in runs_of(line, seen).items()
    }
