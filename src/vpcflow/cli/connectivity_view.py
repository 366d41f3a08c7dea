"""What ``vpcflow inventory show`` shows of peering connections, network ACLs and transit gateways."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from vpcflow.cli.facts import facts, icmp_text, ports_text, protocol_text, seen, tags_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from vpcflow.inventory import (
        Inventory,
        NetworkAcl,
        NetworkAclEntry,
        PeeredVpc,
        TransitGateway,
        TransitGatewayAttachment,
        Validity,
        VpcPeeringConnection,
    )


def connectivity(inventory: Inventory, what: str) -> Iterator[RenderableType]:
    """Show all versions of what has this id; nothing where nothing of these kinds has it."""
    history = inventory.history
    yield from map(_peering, history.vpc_peering_connections.get(what, ()))
    for version in history.network_acls.get(what, ()):
        yield _acl(version)
        yield _entries(version.value)
    yield from map(_gateway, history.transit_gateways.get(what, ()))
    yield from map(_attachment, history.transit_gateway_attachments.get(what, ()))


def _peering(version: Validity[VpcPeeringConnection]) -> Table:
    one = version.value
    rows = {
        "seen": seen(version),
        "status": one.status,
        "requester": _end(one.requester),
        "accepter": _end(one.accepter),
        "tags": tags_text(one.tags),
    }
    return facts(one.peering_id, rows)


def _end(end: PeeredVpc) -> str:
    return ", ".join(filter(None, (end.vpc_id, end.owner_id, end.region, *end.cidrs)))


def _acl(version: Validity[NetworkAcl]) -> Table:
    one = version.value
    rows = {
        "seen": seen(version),
        "account": one.owner_id,
        "VPC": one.vpc_id,
        "default": str(one.is_default).lower(),
        "subnets": ", ".join(one.subnet_ids),
        "tags": tags_text(one.tags),
    }
    return facts(one.network_acl_id, rows)


def _entries(acl: NetworkAcl) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("number", "direction", "action", "protocol", "ports", "CIDR"):
        table.add_column(column, overflow="fold")
    for entry in acl.entries:
        direction = "egress" if entry.is_egress else "ingress"
        action = "allow" if entry.allow else "deny"
        cells = (str(entry.number), direction, action, protocol_text(entry.protocol), _ports(entry),
                 entry.cidr or "-")  # fmt: skip
        table.add_row(*map(Text, cells))
    return table


def _ports(entry: NetworkAclEntry) -> str:
    if entry.icmp_type is not None:
        return icmp_text(entry.icmp_type, entry.icmp_code)
    return ports_text(entry.from_port, entry.to_port)


def _gateway(version: Validity[TransitGateway]) -> Table:
    one = version.value
    rows = {
        "seen": seen(version),
        "account": one.owner_id,
        "region": one.region,
        "state": one.state,
        "group references": _enabled(one.security_group_referencing),
        "tags": tags_text(one.tags),
    }
    return facts(one.transit_gateway_id, rows)


def _attachment(version: Validity[TransitGatewayAttachment]) -> Table:
    one = version.value
    rows = {
        "seen": seen(version),
        "transit gateway": one.transit_gateway_id,
        "account": one.owner_id,
        "VPC": one.vpc_id,
        "subnets": ", ".join(one.subnet_ids),
        "state": one.state,
        "group references": _enabled(one.security_group_referencing),
        "tags": tags_text(one.tags),
    }
    return facts(one.attachment_id, rows)


def _enabled(referencing: bool | None) -> str | None:
    return None if referencing is None else ("enabled" if referencing else "disabled")
