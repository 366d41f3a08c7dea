"""What lies between VPCs and around subnets, as ``aws ec2 describe-network-acls`` and its neighbours print it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vpcflow.generate.network import ACCOUNT_ID, REGION, digest

if TYPE_CHECKING:
    from vpcflow.generate.network import Network, NetworkAcl, NetworkAclEntry, Peering, Vpc

_NUMBERS = {"-1": "-1", "icmp": "1", "tcp": "6", "udp": "17", "icmpv6": "58"}


def describe_vpc_peering_connections(network: Network) -> dict[str, Any]:
    vpcs = {vpc.id: vpc for vpc in network.vpcs}
    return {"VpcPeeringConnections": [_peering(one, vpcs) for one in network.peerings]}


def _peering(peering: Peering, vpcs: dict[str, Vpc]) -> dict[str, Any]:
    is_active = peering.status == "active"
    return {
        "AccepterVpcInfo": _end(vpcs[peering.accepter_vpc_id], is_active=is_active),
        "RequesterVpcInfo": _end(vpcs[peering.requester_vpc_id], is_active=is_active),
        "Status": {"Code": peering.status, "Message": peering.status.capitalize()},
        "Tags": _name(peering.name),
        "VpcPeeringConnectionId": peering.id,
    }


def _end(vpc: Vpc, *, is_active: bool) -> dict[str, Any]:
    """Give an end; its blocks are told while the connection is active."""
    blocks = {
        "CidrBlock": vpc.cidrs[0],
        "Ipv6CidrBlockSet": [{"Ipv6CidrBlock": vpc.ipv6_cidr}],
        "CidrBlockSet": [{"CidrBlock": cidr} for cidr in vpc.cidrs],
    }
    return {
        **(blocks if is_active else {}),
        "OwnerId": ACCOUNT_ID,
        "VpcId": vpc.id,
        "Region": REGION,
    }


def describe_network_acls(network: Network) -> dict[str, Any]:
    return {"NetworkAcls": [_acl(acl) for acl in network.network_acls]}


def _acl(acl: NetworkAcl) -> dict[str, Any]:
    return {
        "Associations": [
            {
                "NetworkAclAssociationId": f"aclassoc-0{digest(f'{acl.id}/{subnet_id}', 16)}",
                "NetworkAclId": acl.id,
                "SubnetId": subnet_id,
            }
            for subnet_id in acl.subnet_ids
        ],
        "Entries": [_entry(entry) for entry in acl.entries],
        "IsDefault": acl.is_default,
        "NetworkAclId": acl.id,
        "Tags": _name(acl.name) if acl.name else [],
        "VpcId": acl.vpc_id,
        "OwnerId": ACCOUNT_ID,
    }


def _entry(entry: NetworkAclEntry) -> dict[str, Any]:
    ports: dict[str, Any] = {}
    if entry.protocol in ("tcp", "udp"):
        ports = {"PortRange": {"From": entry.from_port, "To": entry.to_port}}
    elif entry.protocol in ("icmp", "icmpv6"):
        ports = {"IcmpTypeCode": {"Type": entry.from_port, "Code": entry.to_port}}
    return {
        "Ipv6CidrBlock" if ":" in entry.cidr else "CidrBlock": entry.cidr,
        "Egress": entry.egress,
        **ports,
        "Protocol": _NUMBERS[entry.protocol],
        "RuleAction": "allow" if entry.allow else "deny",
        "RuleNumber": entry.number,
    }


def describe_transit_gateways() -> dict[str, Any]:
    """Give what an account without any is told."""
    return {"TransitGateways": []}


def describe_transit_gateway_vpc_attachments() -> dict[str, Any]:
    return {"TransitGatewayVpcAttachments": []}


def _name(name: str) -> list[dict[str, str]]:
    return [{"Key": "Name", "Value": name}]
