"""Instances as ``aws ec2 describe-instances`` prints them, less what no inventory reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vpcflow.generate.interface_files import (
    association,
    groups,
    mac,
    private_addresses,
    private_dns,
)
from vpcflow.generate.network import ACCOUNT_ID, digest
from vpcflow.generate.scenario import utc

if TYPE_CHECKING:
    from vpcflow.generate.network import Eni, Instance, Network

_LAUNCHED_BEFORE_S = 30 * 86_400


def describe_instances(network: Network, capture_s: int) -> dict[str, Any]:
    """Give all instances, a reservation each; ``capture_s`` is when AWS was asked, Unix seconds."""
    names = {group.id: group.name for group in network.groups}
    zones = {subnet.id: subnet.zone for subnet in network.subnets}
    enis = {eni.instance_id: eni for eni in network.enis if eni.instance_id}
    return {
        "Reservations": [
            {
                "ReservationId": f"r-0{digest(instance.id + '/reservation', 16)}",
                "OwnerId": ACCOUNT_ID,
                "Groups": [],
                "Instances": [_instance(instance, enis[instance.id], names, zones, capture_s)],
            }
            for instance in network.instances
        ]
    }


def _instance(
    instance: Instance, eni: Eni, names: dict[str, str], zones: dict[str, str], capture_s: int
) -> dict[str, Any]:
    launched = utc(capture_s - _LAUNCHED_BEFORE_S - int(digest(eni.id, 6), 16))
    time = launched.isoformat(timespec="seconds")
    return {
        "Architecture": "arm64",
        "ClientToken": digest(instance.id + "/token", 32),
        "EbsOptimized": True,
        "EnaSupport": True,
        "Hypervisor": "xen",
        "NetworkInterfaces": [_interface(eni, names, time)],
        "RootDeviceName": "/dev/xvda",
        "RootDeviceType": "ebs",
        "SecurityGroups": groups(eni, names),
        "SourceDestCheck": True,
        "Tags": [{"Key": key, "Value": value} for key, value in instance.tags],
        "VirtualizationType": "hvm",
        "InstanceId": instance.id,
        "ImageId": "ami-0123456789abcdef0",
        "State": {"Code": 16, "Name": "running"},
        "PrivateDnsName": private_dns(eni.ipv4[0]),
        "PublicDnsName": association(eni)["PublicDnsName"] if eni.public else "",
        "StateTransitionReason": "",
        "AmiLaunchIndex": 0,
        "ProductCodes": [],
        "InstanceType": instance.type,
        "LaunchTime": time,
        "Placement": {
            "AvailabilityZone": zones[eni.subnet_id],
            "GroupName": "",
            "Tenancy": "default",
        },
        "Monitoring": {"State": "disabled"},
        "SubnetId": eni.subnet_id,
        "VpcId": eni.vpc_id,
        "PrivateIpAddress": eni.ipv4[0],
        **({"PublicIpAddress": eni.public} if eni.public else {}),
    }


def _interface(eni: Eni, names: dict[str, str], time: str) -> dict[str, Any]:
    return {
        **({"Association": association(eni)} if eni.public else {}),
        "Attachment": {
            "AttachTime": time,
            "AttachmentId": f"eni-attach-0{digest(eni.id + '/attachment', 16)}",
            "DeleteOnTermination": True,
            "DeviceIndex": 0,
            "Status": "attached",
            "NetworkCardIndex": 0,
        },
        "Description": eni.description,
        "Groups": groups(eni, names),
        "Ipv6Addresses": [{"Ipv6Address": a, "IsPrimaryIpv6": False} for a in eni.ipv6],
        "MacAddress": mac(eni),
        "NetworkInterfaceId": eni.id,
        "OwnerId": ACCOUNT_ID,
        "PrivateDnsName": private_dns(eni.ipv4[0]),
        "PrivateIpAddress": eni.ipv4[0],
        "PrivateIpAddresses": private_addresses(eni),
        "SourceDestCheck": True,
        "Status": "in-use",
        "SubnetId": eni.subnet_id,
        "VpcId": eni.vpc_id,
        "InterfaceType": eni.type,
    }
