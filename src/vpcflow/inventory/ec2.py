"""
From EC2's answers, as the AWS CLI prints them and its SDKs return them, to the model: one function for each shape.

Field names are those of https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Types.html. All of them may be
missing but the id: then KeyError is raised.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from vpcflow.inventory.connectivity import (
    NetworkAcl,
    NetworkAclEntry,
    PeeredVpc,
    TransitGateway,
    TransitGatewayAttachment,
    VpcPeeringConnection,
)
from vpcflow.inventory.model import (
    ConnectionTracking,
    Eni,
    FlowLog,
    GroupRef,
    Instance,
    PrefixList,
    PrefixListEntry,
    PrivateAddress,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
    Tags,
    Vpc,
    region_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Raw = Mapping[str, Any]

# An account has far fewer groups than references to them.
_group_ref = lru_cache(maxsize=1 << 14)(GroupRef)

_PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58, "all": -1}


class GroupVpcAssociation(NamedTuple):
    """A VPC a security group is associated with besides its own."""

    group_id: str
    vpc_id: str


def eni(raw: Raw) -> Eni:
    """Read an element of ``NetworkInterfaces``."""
    attachment = raw.get("Attachment") or {}
    return Eni(
        interface_id=raw["NetworkInterfaceId"],
        interface_type=raw.get("InterfaceType") or None,
        owner_id=raw.get("OwnerId") or None,
        vpc_id=raw.get("VpcId") or None,
        subnet_id=raw.get("SubnetId") or None,
        availability_zone=raw.get("AvailabilityZone") or None,
        az_id=raw.get("AvailabilityZoneId") or None,
        description=raw.get("Description") or None,
        private_addresses=_private_addresses(raw),
        public_addresses=_public_addresses(raw),
        ipv6_addresses=_all(raw.get("Ipv6Addresses"), "Ipv6Address"),
        ipv4_prefixes=_all(raw.get("Ipv4Prefixes"), "Ipv4Prefix"),
        ipv6_prefixes=_all(raw.get("Ipv6Prefixes"), "Ipv6Prefix"),
        groups=_groups(raw),
        attachment_id=attachment.get("AttachmentId") or None,
        instance_id=attachment.get("InstanceId") or None,
        instance_owner_id=attachment.get("InstanceOwnerId") or None,
        requester_managed=bool(raw.get("RequesterManaged")),
        managed_by=raw.get("RequesterId") or None,
        source_dest_check=raw.get("SourceDestCheck"),
        connection_tracking=_connection_tracking(raw.get("ConnectionTrackingConfiguration") or {}),
        # The one resource whose answer calls its tags TagSet.
        tags=tags(raw.get("TagSet") or raw.get("Tags")),
    )


def _all(listed: list[Raw] | None, name: str) -> tuple[str, ...]:
    return _sorted(one[name] for one in listed) if listed else ()


def _private_addresses(raw: Raw) -> tuple[PrivateAddress, ...]:
    primary = raw.get("PrivateIpAddress")
    listed: Sequence[Raw] = raw.get("PrivateIpAddresses") or ()
    # Nearly always there is one: to sort it would take longer than all the rest.
    if len(listed) == 1 and listed[0]["PrivateIpAddress"] == primary:
        return (PrivateAddress(primary, bool(listed[0].get("Primary", True))),)
    found = {
        a["PrivateIpAddress"]: bool(a.get("Primary", a["PrivateIpAddress"] == primary))
        for a in listed
    }
    if primary:
        found.setdefault(primary, True)
    ordered = sorted(found.items(), key=lambda a: (not a[1], a[0]))
    return tuple([PrivateAddress(address, is_primary) for address, is_primary in ordered])


def _public_addresses(raw: Raw) -> tuple[str, ...]:
    """Collect Elastic and auto-assigned addresses, and those of Wavelength carriers and Outposts' customers."""
    associations = [
        a for one in raw.get("PrivateIpAddresses") or () if (a := one.get("Association"))
    ]
    if own := raw.get("Association"):
        associations.append(own)
    if not associations:
        return ()
    names = ("PublicIp", "CarrierIp", "CustomerOwnedIp")
    return _sorted(a[name] for a in associations for name in names if a.get(name))


def _groups(raw: Raw) -> tuple[GroupRef, ...]:
    listed: Sequence[Raw] = raw.get("Groups") or ()
    if len(listed) == 1:
        return (_group_ref(listed[0]["GroupId"], listed[0].get("GroupName") or None),)
    groups = {g["GroupId"]: g.get("GroupName") or None for g in listed}
    return tuple([_group_ref(group_id, groups[group_id]) for group_id in sorted(groups)])


def _connection_tracking(raw: Raw) -> ConnectionTracking | None:
    if not raw:
        return None
    return ConnectionTracking(
        raw.get("TcpEstablishedTimeout"), raw.get("UdpStreamTimeout"), raw.get("UdpTimeout")
    )


def security_group(raw: Raw) -> SecurityGroup:
    """Read an element of ``SecurityGroups``; its rules are read by `permissions`."""
    return SecurityGroup(
        group_id=raw["GroupId"],
        name=raw.get("GroupName") or None,
        description=raw.get("Description") or None,
        owner_id=raw.get("OwnerId") or None,
        region=region_of(raw.get("SecurityGroupArn")),
        vpc_ids=(raw["VpcId"],) if raw.get("VpcId") else (),
        tags=tags(raw.get("Tags")),
    )


def security_group_rule(raw: Raw) -> SecurityGroupRule:
    """Read an element of ``SecurityGroupRules``."""
    referenced = raw.get("ReferencedGroupInfo") or {}
    return SecurityGroupRule(
        group_id=raw["GroupId"],
        rule_id=raw["SecurityGroupRuleId"],
        group_owner_id=raw.get("GroupOwnerId") or None,
        region=region_of(raw.get("SecurityGroupRuleArn")),
        is_egress=bool(raw["IsEgress"]),
        protocol=_protocol(raw["IpProtocol"]),
        from_port=_port(raw.get("FromPort")),
        to_port=_port(raw.get("ToPort")),
        ipv4_cidr=raw.get("CidrIpv4") or None,
        ipv6_cidr=raw.get("CidrIpv6") or None,
        prefix_list_id=raw.get("PrefixListId") or None,
        referenced_group_id=referenced.get("GroupId") or None,
        referenced_account_id=referenced.get("UserId") or None,
        referenced_vpc_id=referenced.get("VpcId") or None,
        description=raw.get("Description") or None,
        tags=tags(raw.get("Tags")),
    )


def permissions(raw: Raw) -> Iterator[SecurityGroupRule]:
    """Read ``IpPermissions`` and ``IpPermissionsEgress`` of a group: a rule without id for each counterpart."""
    for name in ("IpPermissions", "IpPermissionsEgress"):
        for permission in raw.get(name) or ():
            rule = SecurityGroupRule(
                group_id=raw["GroupId"],
                group_owner_id=raw.get("OwnerId") or None,
                region=region_of(raw.get("SecurityGroupArn")),
                is_egress=name == "IpPermissionsEgress",
                protocol=_protocol(permission["IpProtocol"]),
                from_port=_port(permission.get("FromPort")),
                to_port=_port(permission.get("ToPort")),
            )
            for counterpart in _counterparts(permission):
                yield replace(rule, **counterpart)


def _counterparts(permission: Raw) -> Iterator[dict[str, Any]]:
    for r in permission.get("IpRanges") or ():
        yield {"ipv4_cidr": r["CidrIp"], "description": r.get("Description")}
    for r in permission.get("Ipv6Ranges") or ():
        yield {"ipv6_cidr": r["CidrIpv6"], "description": r.get("Description")}
    for r in permission.get("PrefixListIds") or ():
        yield {"prefix_list_id": r["PrefixListId"], "description": r.get("Description")}
    for r in permission.get("UserIdGroupPairs") or ():
        yield {
            "referenced_group_id": r["GroupId"],
            "referenced_account_id": r.get("UserId"),
            "referenced_vpc_id": r.get("VpcId"),
            "description": r.get("Description"),
        }


def group_vpc_association(raw: Raw) -> GroupVpcAssociation | None:
    """Read an element of ``SecurityGroupVpcAssociations``; None where it is not in force."""
    if raw.get("State", "associated") != "associated":
        return None
    return GroupVpcAssociation(raw["GroupId"], raw["VpcId"])


def prefix_list(raw: Raw) -> PrefixList:
    """Read an element of ``PrefixLists``, of either call; only ``describe-prefix-lists`` has entries there."""
    cidrs = raw.get("Cidrs")
    return PrefixList(
        prefix_list_id=raw["PrefixListId"],
        name=raw.get("PrefixListName") or None,
        owner_id=raw.get("OwnerId") or None,
        region=region_of(raw.get("PrefixListArn")),
        address_family=raw.get("AddressFamily") or None,
        version=raw.get("Version"),
        entries=None if cidrs is None else tuple(PrefixListEntry(c) for c in sorted(cidrs)),
        max_entries=raw.get("MaxEntries"),
        tags=tags(raw.get("Tags")),
    )


def prefix_list_entry(raw: Raw) -> PrefixListEntry:
    """Read an element of ``Entries``."""
    return PrefixListEntry(raw["Cidr"], raw.get("Description") or None)


def instances(raw: Raw) -> Iterator[Instance]:
    """Read an element of ``Reservations``."""
    for one in raw.get("Instances") or ():
        yield Instance(
            instance_id=one["InstanceId"],
            owner_id=raw.get("OwnerId") or None,
            region=region_of((one.get("Placement") or {}).get("AvailabilityZone")),
            vpc_id=one.get("VpcId") or None,
            tags=tags(one.get("Tags")),
        )


def subnet(raw: Raw) -> Subnet:
    """Read an element of ``Subnets``."""
    ipv6 = (a["Ipv6CidrBlock"] for a in _in_force(raw, "Ipv6CidrBlock"))
    ipv4 = (raw["CidrBlock"],) if raw.get("CidrBlock") else ()
    return Subnet(
        subnet_id=raw["SubnetId"],
        vpc_id=raw.get("VpcId") or None,
        owner_id=raw.get("OwnerId") or None,
        availability_zone=raw.get("AvailabilityZone") or None,
        az_id=raw.get("AvailabilityZoneId") or None,
        cidrs=_sorted((*ipv4, *ipv6)),
        tags=tags(raw.get("Tags")),
    )


def vpc(raw: Raw) -> Vpc:
    """Read an element of ``Vpcs``."""
    ipv4 = {a["CidrBlock"] for a in _in_force(raw, "CidrBlock")}
    ipv6 = {a["Ipv6CidrBlock"] for a in _in_force(raw, "Ipv6CidrBlock")}
    if raw.get("CidrBlock"):
        ipv4.add(raw["CidrBlock"])
    return Vpc(
        vpc_id=raw["VpcId"],
        owner_id=raw.get("OwnerId") or None,
        cidrs=_sorted(ipv4 | ipv6),
        tags=tags(raw.get("Tags")),
    )


def _in_force(raw: Raw, name: str) -> Iterator[Raw]:
    """Give the associations of CIDR blocks that are neither failed nor gone."""
    for association in raw.get(f"{name}AssociationSet") or ():
        state = (association.get(f"{name}State") or {}).get("State", "associated")
        if state in {"associated", "associating", "disassociating"}:
            yield association


def flow_log(raw: Raw) -> FlowLog:
    """Read an element of ``FlowLogs``."""
    fields = {
        spec["ResourceType"]: tuple(spec.get("TagKeys") or ())
        for spec in raw.get("TagFieldSpecifications") or ()
    }
    return FlowLog(
        flow_log_id=raw["FlowLogId"],
        resource_id=raw.get("ResourceId") or None,
        log_format=raw.get("LogFormat") or None,
        traffic_type=raw.get("TrafficType") or None,
        log_destination_type=raw.get("LogDestinationType") or None,
        log_destination=raw.get("LogDestination") or None,
        log_group_name=raw.get("LogGroupName") or None,
        max_aggregation_interval_s=raw.get("MaxAggregationInterval"),
        file_format=(raw.get("DestinationOptions") or {}).get("FileFormat") or None,
        tag_fields=tuple(sorted(fields.items())),
        tags=tags(raw.get("Tags")),
    )


def vpc_peering_connection(raw: Raw) -> VpcPeeringConnection:
    """Read an element of ``VpcPeeringConnections``, as captured at the requester's end."""
    requester = _peered_vpc(raw.get("RequesterVpcInfo") or {})
    return VpcPeeringConnection(
        peering_id=raw["VpcPeeringConnectionId"],
        status=(raw.get("Status") or {}).get("Code") or None,
        requester=requester,
        accepter=_peered_vpc(raw.get("AccepterVpcInfo") or {}),
        owner_id=requester.owner_id,
        region=requester.region,
        tags=tags(raw.get("Tags")),
    )


def _peered_vpc(raw: Raw) -> PeeredVpc:
    ipv4 = _all(raw.get("CidrBlockSet"), "CidrBlock")
    ipv6 = _all(raw.get("Ipv6CidrBlockSet"), "Ipv6CidrBlock")
    first = (raw["CidrBlock"],) if raw.get("CidrBlock") else ()
    return PeeredVpc(
        vpc_id=raw.get("VpcId") or None,
        owner_id=raw.get("OwnerId") or None,
        region=raw.get("Region") or None,
        cidrs=_sorted((*first, *ipv4, *ipv6)),
    )


def network_acl(raw: Raw) -> NetworkAcl:
    """Read an element of ``NetworkAcls``."""
    entries = map(_network_acl_entry, raw.get("Entries") or ())
    return NetworkAcl(
        network_acl_id=raw["NetworkAclId"],
        vpc_id=raw.get("VpcId") or None,
        owner_id=raw.get("OwnerId") or None,
        is_default=bool(raw.get("IsDefault")),
        subnet_ids=_all(raw.get("Associations"), "SubnetId"),
        entries=tuple(sorted(entries, key=lambda e: (e.is_egress, e.number, e.cidr or ""))),
        tags=tags(raw.get("Tags")),
    )


def _network_acl_entry(raw: Raw) -> NetworkAclEntry:
    ports = raw.get("PortRange") or {}
    icmp = raw.get("IcmpTypeCode") or {}
    return NetworkAclEntry(
        number=raw["RuleNumber"],
        is_egress=bool(raw["Egress"]),
        allow=raw["RuleAction"] == "allow",
        protocol=_protocol(raw["Protocol"]),
        cidr=raw.get("CidrBlock") or raw.get("Ipv6CidrBlock") or None,
        from_port=ports.get("From"),
        to_port=ports.get("To"),
        icmp_type=_port(icmp.get("Type")),
        icmp_code=_port(icmp.get("Code")),
    )


def transit_gateway(raw: Raw) -> TransitGateway:
    """Read an element of ``TransitGateways``."""
    return TransitGateway(
        transit_gateway_id=raw["TransitGatewayId"],
        owner_id=raw.get("OwnerId") or None,
        region=region_of(raw.get("TransitGatewayArn")),
        state=raw.get("State") or None,
        security_group_referencing=_security_group_referencing(raw),
        tags=tags(raw.get("Tags")),
    )


def transit_gateway_attachment(raw: Raw) -> TransitGatewayAttachment:
    """Read an element of ``TransitGatewayVpcAttachments``."""
    return TransitGatewayAttachment(
        attachment_id=raw["TransitGatewayAttachmentId"],
        transit_gateway_id=raw.get("TransitGatewayId") or None,
        vpc_id=raw.get("VpcId") or None,
        owner_id=raw.get("VpcOwnerId") or None,
        state=raw.get("State") or None,
        security_group_referencing=_security_group_referencing(raw),
        subnet_ids=_sorted(raw.get("SubnetIds") or ()),
        tags=tags(raw.get("Tags")),
    )


def _security_group_referencing(raw: Raw) -> bool | None:
    support = (raw.get("Options") or {}).get("SecurityGroupReferencingSupport")
    return None if not support else support == "enable"


def tags(raw: list[dict[str, str]] | None) -> Tags:
    """Read a list of ``{"Key": …, "Value": …}``."""
    return tuple(sorted([(tag["Key"], tag.get("Value") or "") for tag in raw])) if raw else ()


def _protocol(text: str) -> int:
    """Give the IANA number; EC2 writes these four as names and -1 for all."""
    return _PROTOCOLS[text] if text in _PROTOCOLS else int(text)


def _port(port: int | None) -> int | None:
    # -1 is "all", for ports as for ICMP types and codes; IpPermissions leaves ports out instead.
    return None if port == -1 else port


def _sorted(texts: Any) -> tuple[str, ...]:
    return tuple(sorted(set(texts)))
