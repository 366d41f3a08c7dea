"""Network interfaces as ``aws ec2 describe-network-interfaces`` prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vpcflow.generate.network import ACCOUNT_ID, ZONES, digest
from vpcflow.generate.scenario import utc

if TYPE_CHECKING:
    from vpcflow.generate.network import Eni, Network, Subnet

_ATTACHED_BEFORE_S = 30 * 86_400


def describe_network_interfaces(network: Network, capture_s: int) -> dict[str, Any]:
    """Give all ENIs; ``capture_s`` is when AWS was asked, Unix seconds."""
    subnets = {subnet.id: subnet for subnet in network.subnets}
    names = {group.id: group.name for group in network.groups}
    return {
        "NetworkInterfaces": [
            _interface(eni, subnets[eni.subnet_id], names, capture_s) for eni in network.enis
        ]
    }


def _interface(eni: Eni, subnet: Subnet, names: dict[str, str], capture_s: int) -> dict[str, Any]:
    return {
        **({"Association": association(eni)} if eni.public else {}),
        **({"Attachment": _attachment(eni, capture_s)} if eni.attached else {}),
        "AvailabilityZone": subnet.zone,
        "AvailabilityZoneId": ZONES[subnet.zone],
        "Description": eni.description,
        "Groups": groups(eni, names),
        "InterfaceType": eni.type,
        "Ipv6Addresses": [{"Ipv6Address": a, "IsPrimaryIpv6": False} for a in eni.ipv6],
        "MacAddress": mac(eni),
        "NetworkInterfaceId": eni.id,
        "OwnerId": ACCOUNT_ID,
        "PrivateDnsName": private_dns(eni.ipv4[0]),
        "PrivateIpAddress": eni.ipv4[0],
        "PrivateIpAddresses": private_addresses(eni),
        **({"Ipv4Prefixes": [{"Ipv4Prefix": p} for p in eni.prefixes]} if eni.prefixes else {}),
        **({"RequesterId": eni.requester} if eni.requester else {}),
        "RequesterManaged": eni.requester is not None,
        "SourceDestCheck": eni.type != "nat_gateway",
        "Status": "in-use" if eni.attached else "available",
        "SubnetId": eni.subnet_id,
        "TagSet": [{"Key": key, "Value": value} for key, value in eni.tags],
        "VpcId": eni.vpc_id,
        **({"Ipv6Address": eni.ipv6[0]} if eni.ipv6 else {}),
        "Operator": {"Managed": False},
    }


def _attachment(eni: Eni, capture_s: int) -> dict[str, Any]:
    kind = "ela-attach" if eni.type in ("nat_gateway", "vpc_endpoint", "lambda") else "eni-attach"
    attached = utc(capture_s - _ATTACHED_BEFORE_S - int(digest(eni.id, 6), 16))
    owner = ACCOUNT_ID if eni.instance_id else eni.requester or ACCOUNT_ID
    return {
        "AttachTime": attached.isoformat(timespec="milliseconds"),
        "AttachmentId": f"{kind}-0{digest(eni.id + '/attachment', 16)}",
        "DeleteOnTermination": eni.instance_id is not None,
        "DeviceIndex": 0 if eni.instance_id else 1,
        "NetworkCardIndex": 0,
        **({"InstanceId": eni.instance_id} if eni.instance_id else {}),
        "InstanceOwnerId": owner,
        "Status": "attached",
    }


def association(eni: Eni) -> dict[str, str]:
    """Give the public address of an ENI, which must have one."""
    assert eni.public is not None
    return {
        "IpOwnerId": "amazon" if eni.requester != "amazon-elb" else "amazon-elb",
        "PublicDnsName": f"ec2-{eni.public.replace('.', '-')}.compute-1.amazonaws.com",
        "PublicIp": eni.public,
    }


def groups(eni: Eni, names: dict[str, str]) -> list[dict[str, str]]:
    return [{"GroupId": group_id, "GroupName": names[group_id]} for group_id in eni.group_ids]


def private_addresses(eni: Eni) -> list[dict[str, Any]]:
    return [
        {
            **({"Association": association(eni)} if eni.public and number == 0 else {}),
            "Primary": number == 0,
            "PrivateDnsName": private_dns(address),
            "PrivateIpAddress": address,
        }
        for number, address in enumerate(eni.ipv4)
    ]


def private_dns(address: str) -> str:
    return f"ip-{address.replace('.', '-')}.ec2.internal"


def mac(eni: Eni) -> str:
    """Make up a MAC address: locally administered, one for each ENI."""
    digits = "0e" + digest(eni.id + "/mac", 10)
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))
