"""
The inventory as the AWS CLI prints it: a file for each ``aws ec2 describe-…`` command.

https://docs.aws.amazon.com/cli/latest/reference/ec2/describe-network-interfaces.html and its neighbours
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

import orjson

from vpcflow.generate.connectivity_files import (
    describe_network_acls,
    describe_transit_gateway_vpc_attachments,
    describe_transit_gateways,
    describe_vpc_peering_connections,
)
from vpcflow.generate.instance_files import describe_instances
from vpcflow.generate.interface_files import describe_network_interfaces
from vpcflow.generate.network import ACCOUNT_ID, REGION, ZONES, digest
from vpcflow.generate.scenario import INTERVAL_S, utc
from vpcflow.generate.text import TAG_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from vpcflow.generate.network import Network, Rule, Tags
    from vpcflow.generate.scenario import Scenario

_BUCKET = "flow-logs-example"
_CREATED_BEFORE_S = 90 * 86_400


def write_inventory(network: Network, scenario: Scenario, to: Path) -> None:
    """Write all files into the directory ``to``, which is made where it does not exist."""
    to.mkdir(parents=True, exist_ok=True)
    answers: dict[str, Any] = {
        "describe-network-interfaces": describe_network_interfaces(network, scenario.capture_s),
        "describe-security-groups": describe_security_groups(network),
        "describe-security-group-rules": describe_security_group_rules(network),
        "describe-instances": describe_instances(network, scenario.capture_s),
        "describe-subnets": describe_subnets(network),
        "describe-vpcs": describe_vpcs(network),
        "describe-managed-prefix-lists": describe_managed_prefix_lists(network),
        "describe-flow-logs": describe_flow_logs(network, scenario),
        "describe-vpc-peering-connections": describe_vpc_peering_connections(network),
        "describe-network-acls": describe_network_acls(network),
        "describe-transit-gateways": describe_transit_gateways(),
        "describe-transit-gateway-vpc-attachments": describe_transit_gateway_vpc_attachments(),
    }
    for prefix_list in network.prefix_lists:
        answers[f"get-managed-prefix-list-entries_{prefix_list.id}"] = {
            "Entries": [
                {"Cidr": cidr, "Description": text} if text else {"Cidr": cidr}
                for cidr, text in prefix_list.entries
            ]
        }
    for name, answer in answers.items():
        text = orjson.dumps(answer, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        (to / f"{name}.json").write_bytes(text)


def describe_vpcs(network: Network) -> dict[str, Any]:
    return {
        "Vpcs": [
            {
                "OwnerId": ACCOUNT_ID,
                "InstanceTenancy": "default",
                "Ipv6CidrBlockAssociationSet": [
                    {
                        "AssociationId": f"vpc-cidr-assoc-0{digest(vpc.id + '/ipv6', 16)}",
                        "Ipv6CidrBlock": vpc.ipv6_cidr,
                        "Ipv6CidrBlockState": {"State": "associated"},
                        "NetworkBorderGroup": REGION,
                        "Ipv6Pool": "Amazon",
                    }
                ],
                "CidrBlockAssociationSet": [
                    {
                        "AssociationId": f"vpc-cidr-assoc-0{digest(f'{vpc.id}/{cidr}', 16)}",
                        "CidrBlock": cidr,
                        "CidrBlockState": {"State": "associated"},
                    }
                    for cidr in vpc.cidrs
                ],
                "IsDefault": False,
                "Tags": _tags((("Name", vpc.name),)),
                "VpcId": vpc.id,
                "State": "available",
                "CidrBlock": vpc.cidrs[0],
                "DhcpOptionsId": "dopt-0123456789abcdef0",
            }
            for vpc in network.vpcs
        ]
    }


def describe_subnets(network: Network) -> dict[str, Any]:
    used: dict[str, int] = {}
    for eni in network.enis:
        used[eni.subnet_id] = used.get(eni.subnet_id, 0) + len(eni.ipv4) + 16 * len(eni.prefixes)
    return {
        "Subnets": [
            {
                "AvailabilityZoneId": ZONES[subnet.zone],
                "MapCustomerOwnedIpOnLaunch": False,
                "OwnerId": ACCOUNT_ID,
                "AssignIpv6AddressOnCreation": subnet.public,
                "Ipv6CidrBlockAssociationSet": [
                    {
                        "AssociationId": f"subnet-cidr-assoc-0{digest(subnet.id + '/ipv6', 16)}",
                        "Ipv6CidrBlock": subnet.ipv6_cidr,
                        "Ipv6CidrBlockState": {"State": "associated"},
                    }
                ],
                "Tags": _tags((("Name", subnet.name),)),
                "SubnetArn": f"arn:aws:ec2:{REGION}:{ACCOUNT_ID}:subnet/{subnet.id}",
                "EnableDns64": False,
                "Ipv6Native": False,
                "PrivateDnsNameOptionsOnLaunch": {
                    "HostnameType": "ip-name",
                    "EnableResourceNameDnsARecord": False,
                    "EnableResourceNameDnsAAAARecord": False,
                },
                "SubnetId": subnet.id,
                "State": "available",
                "VpcId": subnet.vpc_id,
                "CidrBlock": subnet.cidr,
                # AWS keeps five addresses of each subnet for itself.
                "AvailableIpAddressCount": ipaddress.IPv4Network(subnet.cidr).num_addresses
                - 5
                - used.get(subnet.id, 0),
                "AvailabilityZone": subnet.zone,
                "DefaultForAz": False,
                "MapPublicIpOnLaunch": subnet.public,
            }
            for subnet in network.subnets
        ]
    }


def describe_security_groups(network: Network) -> dict[str, Any]:
    rules: dict[tuple[str, bool], list[Rule]] = {}
    for rule in network.rules:
        rules.setdefault((rule.group_id, rule.egress), []).append(rule)
    peered = _peered_groups(network)
    return {
        "SecurityGroups": [
            {
                "GroupId": group.id,
                "IpPermissionsEgress": _permissions(rules.get((group.id, True), []), peered),
                "Tags": _tags((("Name", group.name),)),
                "VpcId": group.vpc_id,
                "SecurityGroupArn": f"arn:aws:ec2:{REGION}:{ACCOUNT_ID}:security-group/{group.id}",
                "OwnerId": ACCOUNT_ID,
                "GroupName": group.name,
                "Description": group.description,
                "IpPermissions": _permissions(rules.get((group.id, False), []), peered),
            }
            for group in network.groups
        ]
    }


def _peered_groups(network: Network) -> dict[tuple[str, str], dict[str, str]]:
    """Give what is told of a group in a peered VPC, besides its id, where a group's rules refer to it."""
    vpc_of = {group.id: group.vpc_id for group in network.groups}
    ends = {
        ends: peering
        for peering in network.peerings
        for ends in (
            (peering.requester_vpc_id, peering.accepter_vpc_id),
            (peering.accepter_vpc_id, peering.requester_vpc_id),
        )
    }
    return {
        (rule.group_id, rule.peer): {
            "VpcId": vpc_of[rule.peer],
            "VpcPeeringConnectionId": peering.id,
            "PeeringStatus": peering.status,
        }
        for rule in network.rules
        if rule.peer in vpc_of
        and (peering := ends.get((vpc_of[rule.group_id], vpc_of[rule.peer]))) is not None
    }


def _permissions(
    rules: Sequence[Rule], peered: Mapping[tuple[str, str], dict[str, str]]
) -> list[dict[str, Any]]:
    """Gather rules by protocol and ports, as ``describe-security-groups`` does."""
    found: dict[tuple[str, int, int], dict[str, Any]] = {}
    for rule in rules:
        key = (rule.protocol, rule.from_port, rule.to_port)
        ports = {} if rule.protocol == "-1" else {"FromPort": key[1], "ToPort": key[2]}
        permission = found.setdefault(
            key,
            {
                "IpProtocol": rule.protocol,
                **ports,
                "UserIdGroupPairs": [],
                "IpRanges": [],
                "Ipv6Ranges": [],
                "PrefixListIds": [],
            },
        )
        text = {"Description": rule.description} if rule.description else {}
        if rule.peer.startswith("sg-"):
            far = peered.get((rule.group_id, rule.peer), {})
            permission["UserIdGroupPairs"].append(
                {**text, "UserId": ACCOUNT_ID, "GroupId": rule.peer, **far}
            )
        elif rule.peer.startswith("pl-"):
            permission["PrefixListIds"].append({**text, "PrefixListId": rule.peer})
        elif ":" in rule.peer:
            permission["Ipv6Ranges"].append({**text, "CidrIpv6": rule.peer})
        else:
            permission["IpRanges"].append({**text, "CidrIp": rule.peer})
    return list(found.values())


def describe_security_group_rules(network: Network) -> dict[str, Any]:
    peered = _peered_groups(network)
    return {
        "SecurityGroupRules": [
            {
                "SecurityGroupRuleId": rule.id,
                "GroupId": rule.group_id,
                "GroupOwnerId": ACCOUNT_ID,
                "IsEgress": rule.egress,
                "IpProtocol": rule.protocol,
                "FromPort": rule.from_port,
                "ToPort": rule.to_port,
                **_peer(rule.peer, peered.get((rule.group_id, rule.peer), {})),
                **({"Description": rule.description} if rule.description else {}),
                "Tags": [],
                "SecurityGroupRuleArn": (
                    f"arn:aws:ec2:{REGION}:{ACCOUNT_ID}:security-group-rule/{rule.id}"
                ),
            }
            for rule in network.rules
        ]
    }


def _peer(peer: str, far: dict[str, str]) -> dict[str, Any]:
    if peer.startswith("sg-"):
        return {"ReferencedGroupInfo": {"GroupId": peer, "UserId": ACCOUNT_ID, **far}}
    if peer.startswith("pl-"):
        return {"PrefixListId": peer}
    return {"CidrIpv6" if ":" in peer else "CidrIpv4": peer}


def describe_managed_prefix_lists(network: Network) -> dict[str, Any]:
    return {
        "PrefixLists": [
            {
                "PrefixListId": pl.id,
                "AddressFamily": "IPv4",
                "State": "create-complete",
                "PrefixListArn": f"arn:aws:ec2:{REGION}:{_arn_owner(pl.owner_id)}:prefix-list/{pl.id}",
                "PrefixListName": pl.name,
                # Of AWS's own lists neither size nor version is told.
                **({"MaxEntries": 10, "Version": 1} if pl.owner_id != "AWS" else {}),
                "Tags": [],
                "OwnerId": pl.owner_id,
            }
            for pl in network.prefix_lists
        ]
    }


def _arn_owner(owner_id: str) -> str:
    return "aws" if owner_id == "AWS" else owner_id


def describe_flow_logs(network: Network, scenario: Scenario) -> dict[str, Any]:
    has_tags = any("-tag" in name for name in scenario.layout)
    created = utc(scenario.start_s - _CREATED_BEFORE_S)
    names = {vpc.id: vpc.name for vpc in network.vpcs}
    return {
        "FlowLogs": [
            {
                "CreationTime": created.isoformat(timespec="milliseconds"),
                "DeliverLogsStatus": "SUCCESS",
                "FlowLogId": log.id,
                "FlowLogStatus": "ACTIVE",
                "ResourceId": log.vpc_id,
                "TrafficType": "ALL",
                "LogDestinationType": "s3",
                "LogDestination": f"arn:aws:s3:::{_BUCKET}",
                "LogFormat": " ".join(f"${{{name}}}" for name in scenario.layout),
                "Tags": _tags((("Name", f"{names[log.vpc_id]} flow log"),)),
                "MaxAggregationInterval": INTERVAL_S,
                "DestinationOptions": {
                    "FileFormat": "plain-text",
                    "HiveCompatiblePartitions": False,
                    "PerHourPartition": False,
                },
                **({"TagFieldSpecifications": _tag_fields()} if has_tags else {}),
            }
            for log in network.flow_logs
        ]
    }


def _tag_fields() -> list[dict[str, Any]]:
    return [
        {"ResourceType": resource, "TagKeys": list(keys)} for resource, keys in TAG_KEYS.items()
    ]


def _tags(tags: Tags | Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags]
