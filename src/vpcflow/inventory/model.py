"""
What the inventory knows of AWS: network interfaces, security groups and the rest, as they were at one moment.

All values are immutable, hashable and compare by content; two equal objects are one *version*. Lists are tuples, in an
order that does not depend on who wrote them, so that two captures of an unchanged object are equal.
A `Snapshot` is a set of them captured together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vpcflow.inventory.connectivity import (
        NetworkAcl,
        TransitGateway,
        TransitGatewayAttachment,
        VpcPeeringConnection,
    )

Tags = tuple[tuple[str, str], ...]
"""Tags as (key, value), sorted by key."""

Scope = tuple[str | None, str | None]
"""An account and a region, as far as they are known: a snapshot tells nothing of what is outside its scopes."""

Gap = tuple[str, Scope]
"""A kind of object (a field of `Snapshot`) that was not wholly captured in a scope."""

_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d+")


@lru_cache(maxsize=4096)
def region_of(zone_or_arn: str | None) -> str | None:
    """
    Give the region in the name of an Availability Zone, Local Zone or Wavelength Zone, or in an ARN; None without one.

    >>> region_of("us-west-2-lax-1a"), region_of("arn:aws:ec2:eu-west-1:123456789012:subnet/subnet-1")
    ('us-west-2', 'eu-west-1')
    """
    if not zone_or_arn:
        return None
    if zone_or_arn.startswith("arn:"):
        parts = zone_or_arn.split(":")
        return parts[3] or None if len(parts) > 3 else None
    found = _REGION.match(zone_or_arn)
    return found.group() if found else None


@dataclass(frozen=True, slots=True)
class PrivateAddress:
    """A private IPv4 address of an ENI."""

    address: str
    is_primary: bool = False


@dataclass(frozen=True, slots=True)
class GroupRef:
    """A security group as an ENI names it."""

    group_id: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class ConnectionTracking:
    """Idle timeouts of tracked connections in seconds; null is AWS's default."""

    tcp_established_timeout_s: int | None = None
    udp_stream_timeout_s: int | None = None
    udp_timeout_s: int | None = None


@dataclass(frozen=True, slots=True)
class Eni:
    """
    A network interface.

    ``private_addresses`` has the primary first, the others sorted as text; the other lists are sorted.
    ``ipv4_prefixes`` and ``ipv6_prefixes`` are delegated prefixes, as CIDRs. ``instance_id`` is null where it is
    attached to none. ``managed_by`` is AWS's ``RequesterId`` of a requester-managed interface.
    """

    interface_id: str
    interface_type: str | None = None
    owner_id: str | None = None
    vpc_id: str | None = None
    subnet_id: str | None = None
    availability_zone: str | None = None
    az_id: str | None = None
    description: str | None = None
    private_addresses: tuple[PrivateAddress, ...] = ()
    public_addresses: tuple[str, ...] = ()
    ipv6_addresses: tuple[str, ...] = ()
    ipv4_prefixes: tuple[str, ...] = ()
    ipv6_prefixes: tuple[str, ...] = ()
    groups: tuple[GroupRef, ...] = ()
    attachment_id: str | None = None
    instance_id: str | None = None
    instance_owner_id: str | None = None
    requester_managed: bool = False
    managed_by: str | None = None
    source_dest_check: bool | None = None
    connection_tracking: ConnectionTracking | None = None
    tags: Tags = ()

    @property
    def scope(self) -> Scope:
        return self.owner_id, region_of(self.availability_zone)

    @property
    def addresses(self) -> tuple[str, ...]:
        """All single addresses: private, public and IPv6; the delegated prefixes are apart."""
        private = tuple(a.address for a in self.private_addresses)
        return private + self.public_addresses + self.ipv6_addresses


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    """A security group; ``vpc_ids`` are its own VPC and those it is associated with, sorted."""

    group_id: str
    name: str | None = None
    description: str | None = None
    owner_id: str | None = None
    region: str | None = None
    vpc_ids: tuple[str, ...] = ()
    tags: Tags = ()

    @property
    def scope(self) -> Scope:
        return self.owner_id, self.region


@dataclass(frozen=True, slots=True)
class SecurityGroupRule:
    """
    A rule of a security group, with exactly one of the four kinds of counterpart.

    ``rule_id`` (``sgr-…``) is null where it comes from ``IpPermissions``, which has no ids. ``protocol`` is the IANA
    number, -1 for all. ``from_port`` and ``to_port`` are null for all; for ICMP they are type and code.
    """

    group_id: str
    rule_id: str | None = None
    group_owner_id: str | None = None
    region: str | None = None
    is_egress: bool = False
    protocol: int = -1
    from_port: int | None = None
    to_port: int | None = None
    ipv4_cidr: str | None = None
    ipv6_cidr: str | None = None
    prefix_list_id: str | None = None
    referenced_group_id: str | None = None
    referenced_account_id: str | None = None
    referenced_vpc_id: str | None = None
    description: str | None = None
    tags: Tags = ()

    @property
    def scope(self) -> Scope:
        return self.group_owner_id, self.region

    @property
    def direction(self) -> str:
        return "egress" if self.is_egress else "ingress"

    @property
    def counterpart(self) -> str | None:
        """The CIDR, prefix list or security group the rule lets through."""
        return self.ipv4_cidr or self.ipv6_cidr or self.prefix_list_id or self.referenced_group_id

    @property
    def key(self) -> str:
        """The rule's id, or what stands in for it: all that makes two rules of a group different for AWS."""
        if self.rule_id:
            return self.rule_id
        ports = f"{self.from_port}-{self.to_port}"
        return f"{self.group_id} {self.direction} {self.protocol} {ports} {self.counterpart}"


@dataclass(frozen=True, slots=True)
class PrefixListEntry:
    """A CIDR of a prefix list."""

    cidr: str
    description: str | None = None


@dataclass(frozen=True, slots=True)
class PrefixList:
    """
    A managed prefix list; ``entries`` is null where they were not captured.

    ``max_entries`` is how many it may have, which is what a rule that names it counts as; null for AWS's own lists.
    """

    prefix_list_id: str
    name: str | None = None
    owner_id: str | None = None
    region: str | None = None
    address_family: str | None = None
    version: int | None = None
    entries: tuple[PrefixListEntry, ...] | None = None
    max_entries: int | None = None
    tags: Tags = ()

    @property
    def scope(self) -> Scope:
        # Lists of AWS's own are in every account: "AWS" is no account that is captured.
        return (None if self.owner_id == "AWS" else self.owner_id), self.region


@dataclass(frozen=True, slots=True)
class Instance:
    """An EC2 instance."""

    instance_id: str
    owner_id: str | None = None
    region: str | None = None
    vpc_id: str | None = None
    tags: Tags = ()

    @property
    def scope(self) -> Scope:
        return self.owner_id, self.region

    @property
    def name(self) -> str | None:
        """Its ``Name`` tag."""
        return dict(self.tags).get("Name")


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet; ``cidrs`` are IPv4 and IPv6, sorted as text."""

    subnet_id: str
    vpc_id: str | None = None
    owner_id: str | None = None
    availability_zone: str | None = None
    az_id: str | None = None
    cidrs: tuple[str, ...] = ()
    tags: Tags = ()

    @property
    def scope(self) -> Scope:
        return self.owner_id, region_of(self.availability_zone)


@dataclass(frozen=True, slots=True)
class Vpc:
    """A VPC; ``cidrs`` are all its IPv4 and IPv6 blocks, sorted as text."""

    vpc_id: str
    owner_id: str | None = None
    region: str | None = None
    cidrs: tuple[str, ...] = ()
    tags: Tags = ()

    @property
    def scope(self) -> Scope:
        return self.owner_id, self.region


@dataclass(frozen=True, slots=True)
class FlowLog:
    """A flow log: where its records go, and in which layout (``log_format``, in AWS's ``${…}`` spelling)."""

    flow_log_id: str
    resource_id: str | None = None
    log_format: str | None = None
    traffic_type: str | None = None
    log_destination_type: str | None = None
    log_destination: str | None = None
    log_group_name: str | None = None
    max_aggregation_interval_s: int | None = None
    file_format: str | None = None
    tag_fields: tuple[tuple[str, tuple[str, ...]], ...] = ()
    tags: Tags = ()

    @property
    def bucket(self) -> str | None:
        """The bucket it writes to, out of the ARN that is its destination; None where that is none."""
        name = (self.log_destination or "").partition(":s3:::")[2].partition("/")[0]
        return name or None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    What was captured at one time.

    ``captured_at`` is Unix seconds. ``kinds`` names the fields below that were captured: one that is not in it is empty
    because nobody asked, and says nothing of what existed. ``scopes`` are the accounts and regions it covers, sorted;
    ``gaps`` what was not wholly captured there, sorted: of these kinds there may be objects in it, and may have been
    others.
    """

    captured_at: int
    scopes: tuple[Scope, ...] = ()
    kinds: frozenset[str] = frozenset()
    interfaces: tuple[Eni, ...] = ()
    security_groups: tuple[SecurityGroup, ...] = ()
    security_group_rules: tuple[SecurityGroupRule, ...] = ()
    prefix_lists: tuple[PrefixList, ...] = ()
    instances: tuple[Instance, ...] = ()
    subnets: tuple[Subnet, ...] = ()
    vpcs: tuple[Vpc, ...] = ()
    flow_logs: tuple[FlowLog, ...] = ()
    vpc_peering_connections: tuple[VpcPeeringConnection, ...] = ()
    network_acls: tuple[NetworkAcl, ...] = ()
    transit_gateways: tuple[TransitGateway, ...] = ()
    transit_gateway_attachments: tuple[TransitGatewayAttachment, ...] = ()
    origin: str = ""
    gaps: tuple[Gap, ...] = ()

    def covers(self, kind: str, scope: Scope) -> bool:
        """Tell whether an object of this kind and scope would be in the snapshot, had it existed."""
        return kind in self.kinds and any(
            _overlap(scope, s) and (kind, s) not in self.gaps
            for s in self.scopes or ((None, None),)
        )


def _overlap(one: Scope, other: Scope) -> bool:
    return all(a is None or b is None or a == b for a, b in zip(one, other, strict=True))
