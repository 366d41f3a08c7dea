"""What else decides whether packets pass: peering connections and transit gateways between VPCs, and network ACLs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vpcflow.inventory.model import Scope, Tags


@dataclass(frozen=True, slots=True)
class PeeredVpc:
    """An end of a VPC peering connection; ``cidrs`` are IPv4 and IPv6, sorted, and empty until it is active."""

    vpc_id: str | None = None
    owner_id: str | None = None
    region: str | None = None
    cidrs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VpcPeeringConnection:
    """
    A VPC peering connection.

    ``status`` is EC2's code (``active``, ``pending-acceptance``, ``deleted``, …): those that are over are listed for
    a while. ``owner_id`` and ``region`` are of the end it was captured at, the requester's where that is not known.
    """

    peering_id: str
    status: str | None = None
    requester: PeeredVpc = PeeredVpc()
    accepter: PeeredVpc = PeeredVpc()
    owner_id: str | None = None
    region: str | None = None
    tags: Tags = ()

    @property
    def scope(self) -> Scope:
        return self.owner_id, self.region

    @property
    def is_active(self) -> bool:
        """Whether packets may pass."""
        return self.status == "active"

    @property
    def ends(self) -> tuple[PeeredVpc, PeeredVpc]:
        return self.requester, self.accepter


def at_end(peering: VpcPeeringConnection, end: PeeredVpc) -> VpcPeeringConnection:
    """State at which end a peering connection was captured."""
    return replace(peering, owner_id=end.owner_id, region=end.region)


@dataclass(frozen=True, slots=True)
class NetworkAclEntry:
    """
    A rule of a network ACL; of one direction, the first by ``number`` that matches decides.

    ``protocol`` is the IANA number, -1 for all; ``cidr`` is IPv4 or IPv6. ``from_port`` and ``to_port`` are null for
    all ports, ``icmp_type`` and ``icmp_code`` for all types and codes.
    """

    number: int
    is_egress: bool = False
    allow: bool = False
    protocol: int = -1
    cidr: str | None = None
    from_port: int | None = None
    to_port: int | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None


@dataclass(frozen=True, slots=True)
class NetworkAcl:
    """
    A network ACL; ``subnet_ids`` are those it guards, sorted.

    ``entries`` are sorted by direction, ingress first, and number. Among them are the last ones (32767 for IPv4, 32768
    for IPv6), which deny the rest; what no entry matches is denied too.
    """

    network_acl_id: str
    vpc_id: str | None = None
    owner_id: str | None = None
    region: str | None = None
    is_default: bool = False
    subnet_ids: tuple[str, ...] = ()
    entries: tuple[NetworkAclEntry, ...] = ()
    tags: Tags = ()

    @property
    def scope(self) -> Scope:
        return self.owner_id, self.region


@dataclass(frozen=True, slots=True)
class TransitGateway:
    """
    A transit gateway; ``owner_id`` may be another account, which shares it.

    ``security_group_referencing`` tells whether rules of a VPC may refer to groups of others that are attached, null
    where EC2 did not say: https://docs.aws.amazon.com/vpc/latest/tgw/tgw-vpc-attachments.html
    """

    transit_gateway_id: str
    owner_id: str | None = None
    region: str | None = None
    state: str | None = None
    security_group_referencing: bool | None = None
    tags: Tags = ()

    @property
    def scope(self) -> Scope:
        return self.owner_id, self.region


@dataclass(frozen=True, slots=True)
class TransitGatewayAttachment:
    """
    A VPC's attachment to a transit gateway; ``owner_id`` is the VPC's.

    ``security_group_referencing`` is the attachment's own option: references need it at both attachments and at the
    gateway.
    """

    attachment_id: str
    transit_gateway_id: str | None = None
    vpc_id: str | None = None
    owner_id: str | None = None
    region: str | None = None
    state: str | None = None
    security_group_referencing: bool | None = None
    subnet_ids: tuple[str, ...] = ()
    tags: Tags = ()

    @property
    def scope(self) -> Scope:
        return self.owner_id, self.region

    @property
    def is_available(self) -> bool:
        """Whether packets may pass: also while it is changed."""
        return self.state in {"available", "modifying"}
