"""What ``vpcflow inventory show`` shows: tables of an inventory, of an ENI, of a security group."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from vpcflow.addresses import is_address
from vpcflow.cli.connectivity_view import connectivity
from vpcflow.cli.facts import (
    empty_facts,
    facts,
    icmp_text,
    ports_text,
    protocol_text,
    seen,
    tags_text,
)
from vpcflow.errors import InventoryError
from vpcflow.inventory import networks_of, text_of_time
from vpcflow.inventory.networks import network

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from vpcflow.inventory import Eni, Inventory, SecurityGroup, SecurityGroupRule, Validity

_MOST_ROWS = 20
_MOST_IDS = 5
_ICMP = (1, 58)


def summarize(inventory: Inventory) -> Iterator[RenderableType]:
    """Show how much of what there is, when it was captured, and the VPCs."""
    times = inventory.capture_times
    shown = empty_facts("inventory")
    shown.add_row("snapshots", f"{len(times):,}")
    shown.add_row("captured", text_of_time(times[0]))
    if len(times) > 1:
        shown.add_row("to", text_of_time(times[-1]))
        shown.add_row("longest gap", _duration(max(b - a for a, b in pairwise(times))))
    shown.add_row("accounts", _ids(sorted({account for account, _ in inventory.scopes if account})))
    shown.add_row("regions", _ids(sorted({region for _, region in inventory.scopes if region})))
    for name, objects in inventory.history._asdict().items():
        versions = sum(map(len, objects.values()))
        changes = f" in {versions:,} versions" if versions > len(objects) else ""
        shown.add_row(name.replace("_", " "), f"{len(objects):,}{changes}")
    shown.add_row("flow logs", f"{len(inventory.flow_logs):,}")
    yield shown
    if inventory.history.vpcs:
        yield _vpcs(inventory)


def describe(inventory: Inventory, what: str) -> Iterator[RenderableType]:
    """Show all versions of what has this id, or of the ENIs that had an address; InventoryError if none."""
    history = inventory.history
    if what in history.interfaces:
        yield from map(_eni, history.interfaces[what])
    elif what in history.security_groups:
        yield from map(_group, history.security_groups[what])
        yield _rules(what, inventory)
    elif is_address(what):
        yield from _holders(inventory, what)
    elif shown := list(connectivity(inventory, what)):
        yield from shown
    else:
        raise InventoryError(
            f"{what!r} is no network interface, security group, network ACL, peering connection, transit gateway,"
            " attachment or address of this inventory: run `vpcflow inventory show PATH` to see what it holds"
        )


def _vpcs(inventory: Inventory) -> Table:
    newest = [versions[-1].value for versions in inventory.history.vpcs.values()]
    count = Counter(v[-1].value.vpc_id for v in inventory.history.interfaces.values())
    table = Table(
        "VPC", "name", "account", "region", "CIDRs", "interfaces", box=None, pad_edge=False
    )
    for vpc in sorted(newest, key=lambda v: -count[v.vpc_id])[:_MOST_ROWS]:
        name = dict(vpc.tags).get("Name", "")
        cells = (vpc.vpc_id, name, vpc.owner_id, vpc.region, ", ".join(vpc.cidrs))
        table.add_row(*(Text(cell or "-") for cell in cells), f"{count[vpc.vpc_id]:,}")
    if len(newest) > _MOST_ROWS:
        table.add_row(f"… and {len(newest) - _MOST_ROWS:,} more")
    return table


def _eni(version: Validity[Eni]) -> Table:
    eni = version.value
    primary = {a.address for a in eni.private_addresses if a.is_primary}
    private = (a + " (primary)" if a in primary else a for a in _private(eni))
    rows = {
        "seen": seen(version),
        "description": eni.description,
        "type": eni.interface_type,
        "account": eni.owner_id,
        "VPC": eni.vpc_id,
        "subnet": eni.subnet_id,
        "zone": ", ".join(filter(None, (eni.availability_zone, eni.az_id))),
        "instance": eni.instance_id,
        "managed by": eni.managed_by if eni.requester_managed else None,
        "private": ", ".join(private),
        "public": ", ".join(eni.public_addresses),
        "IPv6": ", ".join(eni.ipv6_addresses),
        "prefixes": ", ".join((*eni.ipv4_prefixes, *eni.ipv6_prefixes)),
        "groups": ", ".join(
            f"{g.group_id} ({g.name})" if g.name else g.group_id for g in eni.groups
        ),
        "source/dest check": None
        if eni.source_dest_check is None
        else str(eni.source_dest_check).lower(),
        "tags": tags_text(eni.tags),
    }
    return facts(eni.interface_id, rows)


def _private(eni: Eni) -> list[str]:
    return [a.address for a in eni.private_addresses]


def _group(version: Validity[SecurityGroup]) -> Table:
    group = version.value
    rows = {
        "seen": seen(version),
        "name": group.name,
        "description": group.description,
        "account": group.owner_id,
        "VPCs": ", ".join(group.vpc_ids),
        "tags": tags_text(group.tags),
    }
    return facts(group.group_id, rows)


def _rules(group_id: str, inventory: Inventory) -> Table:
    columns = ["rule", "direction", "protocol", "ports", "peer", "description"]
    if len(inventory.snapshots) > 1:
        columns.append("seen")
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    versions = (v for of_one in inventory.history.security_group_rules.values() for v in of_one)
    of_group = (v for v in versions if v.value.group_id == group_id)
    for version in sorted(of_group, key=lambda v: (v.value.direction, v.value.key, v.valid_from)):
        rule = version.value
        cells = (rule.rule_id or "-", rule.direction, protocol_text(rule.protocol), _ports(rule),
                 rule.counterpart or "-", rule.description or "", seen(version))  # fmt: skip
        table.add_row(*map(Text, cells[: len(columns)]))
    return table


def _ports(rule: SecurityGroupRule) -> str:
    if rule.from_port is not None and rule.protocol in _ICMP:
        return icmp_text(rule.from_port, rule.to_port)
    return ports_text(rule.from_port, rule.to_port)


def _holders(inventory: Inventory, address: str) -> Iterator[RenderableType]:
    wanted = network(address)
    width = 32 if wanted is not None and wanted.is_ipv4 else 128
    found = [
        version
        for versions in inventory.history.interfaces.values()
        for version in versions
        if wanted is not None
        and any(
            n.is_ipv4 == wanted.is_ipv4
            and n.number >> (width - n.bits) == wanted.number >> (width - n.bits)
            for n in networks_of(version.value)
        )
    ]
    if not found:
        raise InventoryError(f"no network interface of this inventory has had {address}")
    yield from map(_eni, found)


def _ids(ids: list[str]) -> str:
    shown = ", ".join(ids[:_MOST_IDS]) or "-"
    return shown if len(ids) <= _MOST_IDS else f"{shown} and {len(ids) - _MOST_IDS:,} more"


def _duration(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h" if seconds < 172_800 else f"{seconds // 86_400} days"
