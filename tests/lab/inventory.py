"""The VPC as the AWS CLI describes it: a JSON file for each of its commands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lab.vpc import ACCOUNT_ID, ALL, REGION, VPC_ID

if TYPE_CHECKING:
    from pathlib import Path

    from lab.vpc import Interface, Rule, Subnet, Vpc

_ZONE = f"{REGION}a"
_PROTOCOLS = {-1: "-1", 1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6"}


def write_inventory(vpc: Vpc, folder: Path) -> None:
    """Write the files of a snapshot into a folder."""
    folder.mkdir(parents=True)
    answers: dict[str, dict[str, Any]] = {
        "describe-network-interfaces": {
            "NetworkInterfaces": [_interface(one, vpc) for one in vpc.interfaces]
        },
        "describe-security-groups": {
            "SecurityGroups": [_group(*one) for one in vpc.groups.items()]
        },
        "describe-security-group-rules": {
            "SecurityGroupRules": [describe_rule(one) for one in vpc.rules]
        },
        "describe-managed-prefix-lists": {
            "PrefixLists": [_prefix_list(*one) for one in vpc.prefix_lists.items()]
        },
        "describe-subnets": {"Subnets": [_subnet(one) for one in vpc.subnets]},
        "describe-vpcs": {"Vpcs": [_vpc()]},
        "describe-instances": {"Reservations": [{"Instances": _instances(vpc)}]},
        "describe-network-acls": {"NetworkAcls": [_open_acl(vpc)]},
        "describe-vpc-peering-connections": {"VpcPeeringConnections": []},
        "describe-transit-gateways": {"TransitGateways": []},
        "describe-transit-gateway-vpc-attachments": {"TransitGatewayVpcAttachments": []},
    }
    for list_id, cidrs in vpc.prefix_lists.items():
        answers[f"get-managed-prefix-list-entries_{list_id}"] = {
            "Entries": [{"Cidr": cidr} for cidr in cidrs]
        }
    for name, answer in answers.items():
        (folder / f"{name}.json").write_text(json.dumps(answer, indent=4))


def describe_rule(rule: Rule) -> dict[str, Any]:
    """Describe a rule as ``describe-security-group-rules`` does."""
    everything = rule.protocol == ALL or rule.first_port is None
    return {
        "SecurityGroupRuleId": rule.id,
        "GroupId": rule.group_id,
        "GroupOwnerId": ACCOUNT_ID,
        "IsEgress": rule.is_egress,
        "IpProtocol": _PROTOCOLS.get(rule.protocol, str(rule.protocol)),
        "FromPort": -1 if everything else rule.first_port,
        "ToPort": -1 if everything else rule.last_port,
        **_counterpart(rule.counterpart),
        "Tags": [],
    }


def _counterpart(counterpart: str) -> dict[str, Any]:
    if counterpart.startswith("sg-"):
        return {"ReferencedGroupInfo": {"GroupId": counterpart, "UserId": ACCOUNT_ID}}
    if counterpart.startswith("pl-"):
        return {"PrefixListId": counterpart}
    return {"CidrIpv6" if ":" in counterpart else "CidrIpv4": counterpart}


def _interface(one: Interface, vpc: Vpc) -> dict[str, Any]:
    association = {"IpOwnerId": ACCOUNT_ID, "PublicDnsName": "", "PublicIp": one.public}
    attached = {"InstanceId": one.instance_id} if one.instance_id else {}
    return {
        **({"Association": association} if one.public else {}),
        "Attachment": {"AttachmentId": "eni-attach-0123456789abcdef0", **attached},
        "AvailabilityZone": _ZONE,
        "Description": one.name,
        "Groups": [{"GroupId": id_, "GroupName": vpc.groups[id_]} for id_ in one.group_ids],
        "InterfaceType": "interface" if one.group_ids else "nat_gateway",
        "Ipv6Addresses": [{"Ipv6Address": address} for address in one.ipv6],
        "NetworkInterfaceId": one.id,
        "OwnerId": ACCOUNT_ID,
        "PrivateIpAddress": one.ipv4[0],
        "PrivateIpAddresses": [
            {
                **({"Association": association} if one.public and address == one.ipv4[0] else {}),
                "Primary": address == one.ipv4[0],
                "PrivateIpAddress": address,
            }
            for address in one.ipv4
        ],
        "RequesterManaged": not one.group_ids,
        "SourceDestCheck": bool(one.group_ids),
        "Status": "in-use",
        "SubnetId": next(s.id for s in vpc.subnets if s.name == one.subnet),
        "TagSet": [{"Key": "Name", "Value": one.name}],
        "VpcId": VPC_ID,
    }


def _group(group_id: str, name: str) -> dict[str, Any]:
    return {
        "GroupId": group_id, "GroupName": name, "Description": name, "OwnerId": ACCOUNT_ID,
        "VpcId": VPC_ID, "Tags": [],
    }  # fmt: skip


def _prefix_list(list_id: str, cidrs: tuple[str, ...]) -> dict[str, Any]:
    return {
        "PrefixListId": list_id,
        "AddressFamily": "IPv6" if ":" in cidrs[0] else "IPv4",
        "State": "create-complete",
        "PrefixListArn": f"arn:aws:ec2:{REGION}:{ACCOUNT_ID}:prefix-list/{list_id}",
        "PrefixListName": "offices",
        "MaxEntries": 5,
        "Version": 1,
        "OwnerId": ACCOUNT_ID,
    }


def _subnet(one: Subnet) -> dict[str, Any]:
    return {
        "SubnetId": one.id, "VpcId": VPC_ID, "OwnerId": ACCOUNT_ID, "AvailabilityZone": _ZONE,
        "CidrBlock": one.ipv4,
        "Ipv6CidrBlockAssociationSet": [
            {"Ipv6CidrBlock": one.ipv6, "Ipv6CidrBlockState": {"State": "associated"}}
        ],
    }  # fmt: skip


def _vpc() -> dict[str, Any]:
    return {
        "VpcId": VPC_ID, "OwnerId": ACCOUNT_ID, "State": "available", "CidrBlock": "10.0.0.0/16",
        "CidrBlockAssociationSet": [
            {"CidrBlock": "10.0.0.0/16", "CidrBlockState": {"State": "associated"}}
        ],
        "Ipv6CidrBlockAssociationSet": [
            {"Ipv6CidrBlock": "2001:db8:0:100::/56", "Ipv6CidrBlockState": {"State": "associated"}}
        ],
    }  # fmt: skip


def _instances(vpc: Vpc) -> list[dict[str, Any]]:
    return [
        {"InstanceId": one.instance_id, "VpcId": VPC_ID, "State": {"Name": "running"}}
        for one in vpc.interfaces
        if one.instance_id
    ]


def _open_acl(vpc: Vpc) -> dict[str, Any]:
    """Describe the network ACL that lets all through, as every VPC has one."""
    entries = [
        {
            "Ipv6CidrBlock" if ":" in cidr else "CidrBlock": cidr,
            "Egress": is_egress, "Protocol": "-1", "RuleAction": "allow", "RuleNumber": number,
        }
        for is_egress in (True, False)
        for number, cidr in ((100, "0.0.0.0/0"), (101, "::/0"))
    ]  # fmt: skip
    return {
        "NetworkAclId": "acl-0aaaaaaaaaaaaaaa1",
        "VpcId": VPC_ID,
        "OwnerId": ACCOUNT_ID,
        "IsDefault": True,
        "Associations": [
            {
                "NetworkAclAssociationId": f"aclassoc-{one.id.removeprefix('subnet-')}",
                "NetworkAclId": "acl-0aaaaaaaaaaaaaaa1",
                "SubnetId": one.id,
            }
            for one in vpc.subnets
        ],
        "Entries": entries,
        "Tags": [],
    }
