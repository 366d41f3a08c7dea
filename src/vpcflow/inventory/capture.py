"""Put the answers of several EC2 calls together: one snapshot of what there was."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from vpcflow.errors import InventoryError
from vpcflow.inventory import ec2
from vpcflow.inventory.connectivity import (
    NetworkAcl,
    TransitGatewayAttachment,
    VpcPeeringConnection,
    at_end,
)
from vpcflow.inventory.model import (
    Eni,
    GroupRef,
    PrefixList,
    Scope,
    SecurityGroup,
    SecurityGroupRule,
    Snapshot,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    Warn = Callable[[str], None]

T = TypeVar("T")
V = TypeVar("V", NetworkAcl, TransitGatewayAttachment)


class Page(NamedTuple):
    """
    A list out of an answer of EC2.

    ``key`` is its name there, one of `KINDS`; ``origin`` says where it comes from, for messages. ``prefix_list_id``
    is the list that ``Entries`` are of: the answer itself doesn't say.
    """

    key: str
    objects: Sequence[dict[str, Any]]
    origin: str
    prefix_list_id: str = ""


KINDS: dict[str, tuple[str, ...]] = {
    "NetworkInterfaces": ("interfaces",),
    "SecurityGroups": ("security_groups", "security_group_rules"),
    "SecurityGroupRules": ("security_group_rules",),
    "SecurityGroupVpcAssociations": (),
    "PrefixLists": ("prefix_lists",),
    "Entries": ("prefix_lists",),
    "Reservations": ("instances",),
    "Subnets": ("subnets",),
    "Vpcs": ("vpcs",),
    "FlowLogs": ("flow_logs",),
    "VpcPeeringConnections": ("vpc_peering_connections",),
    "NetworkAcls": ("network_acls",),
    "TransitGateways": ("transit_gateways",),
    "TransitGatewayVpcAttachments": ("transit_gateway_attachments",),
}
"""The lists that are understood, and the fields of a `Snapshot` that each fills."""


def snapshot_of(
    pages: Iterable[Page],
    *,
    captured_at: int,
    origin: str,
    warn: Warn,
    kinds: Collection[str] | None = None,
) -> Snapshot:
    """
    Make a snapshot of all pages together; ``kinds`` are the fields of it that are wanted, None for all.

    What is on two pages counts once; where they differ the later page wins, with a warning. Raises InventoryError that
    names the page where an object lacks what EC2 always gives.
    """
    by_key: dict[str, list[Page]] = defaultdict(list)
    for page in pages:
        by_key[page.key].append(page)
    of_raw = _Collector(by_key, warn)
    subnets = of_raw.collect("Subnets", lambda raw: [ec2.subnet(raw)], "subnet_id")
    interfaces = of_raw.collect("NetworkInterfaces", lambda raw: [ec2.eni(raw)], "interface_id")
    groups = of_raw.collect("SecurityGroups", lambda raw: [ec2.security_group(raw)], "group_id")
    vpcs = of_raw.collect("Vpcs", lambda raw: [ec2.vpc(raw)], "vpc_id")
    instances = of_raw.collect("Reservations", ec2.instances, "instance_id")
    regions = _Regions([*interfaces, *subnets], [*instances, *groups])
    groups = _with_associations(groups, of_raw, warn)
    groups = [g if g.region else replace(g, region=regions.of_vpcs(g.vpc_ids)) for g in groups]
    wants_rules = kinds is None or "security_group_rules" in kinds
    given = {kind for key in by_key for kind in KINDS[key]}
    snapshot = Snapshot(
        captured_at=captured_at,
        kinds=frozenset(given if kinds is None else given.intersection(kinds)),
        interfaces=tuple(_completed(interfaces, {s.subnet_id: s.az_id for s in subnets}, groups)),
        security_groups=tuple(groups),
        security_group_rules=tuple(_rules(of_raw, groups, regions)) if wants_rules else (),
        prefix_lists=tuple(_prefix_lists(of_raw, regions)),
        instances=tuple(instances),
        subnets=tuple(subnets),
        vpcs=tuple(replace(v, region=regions.of_vpcs((v.vpc_id,))) for v in vpcs),
        flow_logs=tuple(of_raw.collect("FlowLogs", lambda r: [ec2.flow_log(r)], "flow_log_id")),
        **_between_vpcs(of_raw, regions, {*regions.by_vpc, *(v.vpc_id for v in vpcs)}),
        origin=origin,
    )
    return replace(snapshot, scopes=scopes_seen(snapshot))


def scopes_seen(snapshot: Snapshot) -> tuple[Scope, ...]:
    """Give the accounts and regions of a snapshot's objects, sorted; an account alone only where no region is known."""
    found = {
        thing.scope
        for things in (
            snapshot.interfaces, snapshot.subnets, snapshot.instances, snapshot.security_groups,
            snapshot.security_group_rules, snapshot.vpcs, snapshot.prefix_lists,
        )
        for thing in things
    }  # fmt: skip
    whole = {scope for scope in found if None not in scope}
    accounts = {account for account, _ in whole}
    rest = {s for s in found if s[0] is not None and s[1] is None and s[0] not in accounts}
    return tuple(sorted(whole | rest, key=lambda s: (s[0] or "", s[1] or "")))


class _Collector:
    """Reads the pages of a snapshot, of any kind."""

    def __init__(self, by_key: dict[str, list[Page]], warn: Warn) -> None:
        self._by_key = by_key
        self._warn = warn

    def pages(self, key: str) -> list[Page]:
        return self._by_key.get(key, [])

    def read(
        self, key: str, make: Callable[[dict[str, Any]], Iterable[T]]
    ) -> Iterator[tuple[Page, T]]:
        """Give all objects of this key with their page, in order."""
        for page in self.pages(key):
            for i, raw in enumerate(page.objects):
                try:
                    for one in make(raw):
                        yield page, one
                except (KeyError, TypeError, ValueError, AttributeError) as error:
                    raise InventoryError(
                        f"{page.origin}: {key}[{i}] is not as EC2 describes it ({_what(error)});"
                        " give the AWS CLI's output unchanged, as --output json prints it"
                    ) from error

    def collect(
        self, key: str, make: Callable[[dict[str, Any]], Iterable[T]], id_field: str
    ) -> list[T]:
        """Give the distinct objects of this key, sorted by id."""
        found: dict[str, tuple[Page, T]] = {}
        for page, one in self.read(key, make):
            one_id = getattr(one, id_field)
            before = found.get(one_id)
            if before is not None and before[1] != one:
                self._warn(
                    f"{one_id} is both in {before[0].origin} and in {page.origin}, and differs:"
                    f" taken as in {page.origin}"
                )
            found[one_id] = page, one
        return [found[one_id][1] for one_id in sorted(found)]


def _what(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)


class _Regions:
    """Tells the region of objects whose answer has none: that of their VPC, or the only one there is."""

    def __init__(self, zoned: Iterable[Any], others: Iterable[Any]) -> None:
        by_vpc = {one.vpc_id: one.scope[1] for one in zoned if one.scope[1]}
        self.by_vpc: dict[str | None, str] = by_vpc
        seen = {*by_vpc.values(), *(one.region for one in others if one.region)}
        self.only: str | None = seen.pop() if len(seen) == 1 else None

    def of_vpcs(self, vpc_ids: Iterable[str]) -> str | None:
        found = [self.by_vpc[v] for v in vpc_ids if v in self.by_vpc]
        return found[0] if found else self.only


def _with_associations(
    groups: list[SecurityGroup], of_raw: _Collector, warn: Warn
) -> list[SecurityGroup]:
    vpcs: dict[str, set[str]] = {group.group_id: set(group.vpc_ids) for group in groups}
    for page, one in of_raw.read(
        "SecurityGroupVpcAssociations", lambda raw: [ec2.group_vpc_association(raw)]
    ):
        if one is None:
            continue
        if one.group_id in vpcs:
            vpcs[one.group_id].add(one.vpc_id)
        else:
            warn(f"{page.origin}: {one.group_id} is in no describe-security-groups: left out")
    return [replace(g, vpc_ids=tuple(sorted(vpcs[g.group_id]))) for g in groups]


def _completed(
    interfaces: Iterable[Eni], az_ids: dict[str, str | None], groups: Iterable[SecurityGroup]
) -> Iterator[Eni]:
    """Fill in what other answers know: the zone's id, and names of groups."""
    names = {group.group_id: group.name for group in groups}
    for one in interfaces:
        az_id = one.az_id or az_ids.get(one.subnet_id or "")
        refs = one.groups
        if any(ref.name is None for ref in refs):
            refs = tuple(GroupRef(r.group_id, r.name or names.get(r.group_id)) for r in refs)
        same = az_id == one.az_id and refs is one.groups
        yield one if same else replace(one, az_id=az_id, groups=refs)


def _rules(
    of_raw: _Collector, groups: list[SecurityGroup], regions: _Regions
) -> Iterator[SecurityGroupRule]:
    """Give the rules of ``SecurityGroupRules``, and of ``IpPermissions`` for the groups that have none there."""
    rules = of_raw.collect("SecurityGroupRules", lambda r: [ec2.security_group_rule(r)], "rule_id")
    covered = {rule.group_id for rule in rules}
    others: dict[str, SecurityGroupRule] = {}
    by_group: dict[str, Page] = {}
    for page, one in of_raw.read(
        "SecurityGroups", lambda raw: () if raw["GroupId"] in covered else ec2.permissions(raw)
    ):
        if by_group.setdefault(one.group_id, page) is not page:
            # The later page of a group wins, with all its rules: `collect` has warned where they differ.
            others = {k: r for k, r in others.items() if r.group_id != one.group_id}
            by_group[one.group_id] = page
        others[one.key] = one
    region_of_group = {group.group_id: group.region for group in groups}
    for rule in sorted((*rules, *others.values()), key=lambda r: (r.group_id, r.key)):
        region = rule.region or region_of_group.get(rule.group_id) or regions.only
        yield rule if region == rule.region else replace(rule, region=region)


def _between_vpcs(
    of_raw: _Collector, regions: _Regions, vpc_ids: Collection[str | None]
) -> dict[str, Any]:
    """Give what lies between VPCs and around subnets, by field of a `Snapshot`."""
    peerings = of_raw.collect(
        "VpcPeeringConnections", lambda r: [ec2.vpc_peering_connection(r)], "peering_id"
    )
    acls = of_raw.collect("NetworkAcls", lambda r: [ec2.network_acl(r)], "network_acl_id")
    gateways = of_raw.collect(
        "TransitGateways", lambda r: [ec2.transit_gateway(r)], "transit_gateway_id"
    )
    attachments = of_raw.collect(
        "TransitGatewayVpcAttachments",
        lambda r: [ec2.transit_gateway_attachment(r)],
        "attachment_id",
    )
    return {
        "vpc_peering_connections": tuple(_at_known_end(p, vpc_ids) for p in peerings),
        "network_acls": tuple(_in_region(acl, regions) for acl in acls),
        "transit_gateways": tuple(gateways),
        "transit_gateway_attachments": tuple(_in_region(a, regions) for a in attachments),
    }


def _at_known_end(
    peering: VpcPeeringConnection, vpc_ids: Collection[str | None]
) -> VpcPeeringConnection:
    """Say where it was captured: at the accepter where only its VPC was captured too, else at the requester."""
    return at_end(
        peering, next((e for e in peering.ends if e.vpc_id in vpc_ids), peering.requester)
    )


def _in_region(one: V, regions: _Regions) -> V:
    return replace(one, region=regions.of_vpcs((one.vpc_id or "",)))


def _prefix_lists(of_raw: _Collector, regions: _Regions) -> Iterator[PrefixList]:
    """Give each list with its entries, which come from an answer of their own or from ``describe-prefix-lists``."""
    found: dict[str, PrefixList] = {}
    for _, one in of_raw.read("PrefixLists", lambda raw: [ec2.prefix_list(raw)]):
        before = found.get(one.prefix_list_id, one)
        # describe-prefix-lists knows the entries, describe-managed-prefix-lists all else.
        fuller, other = (before, one) if one.version is None else (one, before)
        entries = other.entries if fuller.entries is None else fuller.entries
        found[one.prefix_list_id] = replace(fuller, entries=entries)
    entries_of: dict[str, set[Any]] = defaultdict(set)
    for page in of_raw.pages("Entries"):
        # An empty list is known to be empty.
        entries_of[page.prefix_list_id].update(())
    for page, entry in of_raw.read("Entries", lambda raw: [ec2.prefix_list_entry(raw)]):
        entries_of[page.prefix_list_id].add(entry)
    for list_id, entries_found in entries_of.items():
        known = found.get(list_id, PrefixList(list_id))
        ordered = tuple(sorted(entries_found, key=lambda e: (e.cidr, e.description or "")))
        found[list_id] = replace(known, entries=ordered)
    for list_id in sorted(found):
        yield replace(found[list_id], region=found[list_id].region or regions.only)
