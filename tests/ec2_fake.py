"""EC2 in memory, as a client of boto3's: it pages, counts, and refuses what it is told to."""

from __future__ import annotations

from collections import Counter
from typing import Any

from botocore.exceptions import ClientError

_LISTS = {
    "describe_network_interfaces": "NetworkInterfaces",
    "describe_security_groups": "SecurityGroups",
    "describe_security_group_rules": "SecurityGroupRules",
    "describe_security_group_vpc_associations": "SecurityGroupVpcAssociations",
    "describe_managed_prefix_lists": "PrefixLists",
    "describe_instances": "Reservations",
    "describe_subnets": "Subnets",
    "describe_vpcs": "Vpcs",
    "describe_flow_logs": "FlowLogs",
    "describe_vpc_peering_connections": "VpcPeeringConnections",
    "describe_network_acls": "NetworkAcls",
    "describe_transit_gateways": "TransitGateways",
    "describe_transit_gateway_vpc_attachments": "TransitGatewayVpcAttachments",
    "get_managed_prefix_list_entries": "Entries",
}
# As botocore's model has them; without MaxResults EC2 gives all at once, or refuses.
_MOST = {"describe_managed_prefix_lists": 100, "get_managed_prefix_list_entries": 100}

ACCOUNT = "123456789012"


def raw_eni(number: int, **fields: Any) -> dict[str, Any]:
    """Make a network interface as EC2 describes it."""
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return {
        "NetworkInterfaceId": f"eni-{number:017x}",
        "OwnerId": ACCOUNT,
        "AvailabilityZone": "eu-west-1a",
        "VpcId": "vpc-a",
        "SubnetId": "subnet-a",
        "InterfaceType": "interface",
        "PrivateIpAddress": address,
        "PrivateIpAddresses": [{"PrivateIpAddress": address, "Primary": True}],
        "Groups": [{"GroupId": "sg-a", "GroupName": "web"}],
        **fields,
    }


class FakeEc2:
    """
    EC2 of one account and region. ``lists`` has the objects by the call that lists them, ``entries`` those of prefix
    lists; ``refused`` has calls with the error code they get. ``asked`` are all calls with their parameters. It
    ``fills`` but one of so many places in a page, as EC2 may: few objects then take the calls of many.
    """

    def __init__(self, *, fills: int = 1, **lists: list[dict[str, Any]]) -> None:
        self.lists = lists
        self.entries: dict[str, list[dict[str, Any]]] = {}
        self.refused: dict[str, str] = {}
        self._fills = fills
        self.asked: list[tuple[str, dict[str, Any]]] = []

    @property
    def calls(self) -> Counter[str]:
        return Counter(operation for operation, _ in self.asked)

    def __getattr__(self, operation: str) -> Any:
        if operation not in _LISTS:
            raise AttributeError(operation)
        return lambda **parameters: self._answer(operation, parameters)

    def _answer(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((operation, parameters))
        if operation in self.refused:
            code = self.refused[operation]
            raise ClientError({"Error": {"Code": code, "Message": "refused"}}, operation)
        size = parameters["MaxResults"]
        assert 5 <= size <= _MOST.get(operation, 1000)
        size = max(size // self._fills, 1)
        objects = self._objects(operation, parameters)
        start = int(parameters.get("NextToken", 0))
        answer: dict[str, Any] = {_LISTS[operation]: objects[start : start + size]}
        if start + size < len(objects):
            answer["NextToken"] = str(start + size)
        return answer

    def _objects(self, operation: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        if operation == "get_managed_prefix_list_entries":
            return self.entries[parameters["PrefixListId"]]
        objects = self.lists.get(operation, [])
        for one in parameters.get("Filters", ()):
            assert one["Name"] == "network-interface-id"
            assert len(one["Values"]) <= 200
            objects = [o for o in objects if o["NetworkInterfaceId"] in one["Values"]]
        return objects
