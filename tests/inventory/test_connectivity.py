from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from inventories import ACCOUNT, REGION, SCOPE, inventory, snapshot

from vpcflow.errors import InventoryError
from vpcflow.inventory import (
    NetworkAcl,
    NetworkAclEntry,
    PeeredVpc,
    Snapshot,
    TransitGateway,
    TransitGatewayAttachment,
    Validity,
    VpcPeeringConnection,
    load_inventory,
    merge_snapshots,
)
from vpcflow.inventory.merge import within

if TYPE_CHECKING:
    from pathlib import Path

OTHER = "210987654321"
ELSEWHERE = (OTHER, "us-east-1")
T = 1_700_000_000

PEERING: dict[str, Any] = {
    "VpcPeeringConnectionId": "pcx-1",
    "Status": {"Code": "active", "Message": "Active"},
    "RequesterVpcInfo": {
        "VpcId": "vpc-a",
        "OwnerId": ACCOUNT,
        "Region": REGION,
        "CidrBlock": "10.0.0.0/16",
        "CidrBlockSet": [{"CidrBlock": "10.1.0.0/16"}, {"CidrBlock": "10.0.0.0/16"}],
        "Ipv6CidrBlockSet": [{"Ipv6CidrBlock": "2001:db8::/56"}],
    },
    "AccepterVpcInfo": {"VpcId": "vpc-b", "OwnerId": OTHER, "Region": "us-east-1"},
    "Tags": [{"Key": "Name", "Value": "to shared services"}],
}
REQUESTER = PeeredVpc("vpc-a", ACCOUNT, REGION, ("10.0.0.0/16", "10.1.0.0/16", "2001:db8::/56"))
ACCEPTER = PeeredVpc("vpc-b", OTHER, "us-east-1")
KNOWN = VpcPeeringConnection(
    "pcx-1", "active", REQUESTER, ACCEPTER, ACCOUNT, REGION, (("Name", "to shared services"),)
)
ACL: dict[str, Any] = {
    "NetworkAclId": "acl-1",
    "VpcId": "vpc-a",
    "OwnerId": ACCOUNT,
    "IsDefault": False,
    "Associations": [
        {"NetworkAclAssociationId": f"aclassoc-{n}", "NetworkAclId": "acl-1", "SubnetId": f"subnet-{n}"}
        for n in (2, 1)
    ],
    "Entries": [],
    "Tags": [],
}  # fmt: skip
ATTACHMENT: dict[str, Any] = {
    "TransitGatewayAttachmentId": "tgw-attach-1",
    "TransitGatewayId": "tgw-1",
    "VpcId": "vpc-a",
    "VpcOwnerId": ACCOUNT,
    "State": "available",
    "SubnetIds": ["subnet-2", "subnet-1"],
    "Options": {"SecurityGroupReferencingSupport": "enable"},
}


def load(directory: Path, **answers: Any) -> Snapshot:
    """Save each answer to a file of that name, and load what is one capture."""
    for name, answer in answers.items():
        (directory / f"{name}.json").write_text(json.dumps(answer))
    (found,) = load_inventory(directory, captured_at=T, warn=pytest.fail).snapshots
    return found


def subnet_of(vpc_id: str, owner_id: str, region: str) -> dict[str, Any]:
    """Give an answer that shows a subnet, which tells in which region its VPC is."""
    subnet = {"SubnetId": "subnet-1", "VpcId": vpc_id, "OwnerId": owner_id}
    return {"Subnets": [{**subnet, "AvailabilityZone": f"{region}a"}]}


def test_a_peering_connection_is_read_with_both_its_ends(tmp_path: Path) -> None:
    found = load(tmp_path, peerings={"VpcPeeringConnections": [PEERING]})

    assert found.vpc_peering_connections == (KNOWN,)
    assert found.vpc_peering_connections[0].is_active
    assert found.kinds == {"vpc_peering_connections"}


def test_a_peering_connection_that_is_over_is_not_active(tmp_path: Path) -> None:
    over = {"VpcPeeringConnectionId": "pcx-1", "Status": {"Code": "deleted"}}

    found = load(tmp_path, peerings={"VpcPeeringConnections": [over]})

    assert found.vpc_peering_connections == (VpcPeeringConnection("pcx-1", "deleted"),)
    assert not found.vpc_peering_connections[0].is_active


def test_a_peering_connection_belongs_to_the_end_that_was_captured(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        peerings={"VpcPeeringConnections": [PEERING]},
        subnets=subnet_of("vpc-b", OTHER, "us-east-1"),
    )

    assert found.vpc_peering_connections == (replace(KNOWN, owner_id=OTHER, region="us-east-1"),)
    assert found.scopes == (ELSEWHERE,)


@pytest.mark.parametrize("scope", [SCOPE, ELSEWHERE])
def test_a_peering_connection_that_ends_is_missed_at_either_end(scope: tuple[str, str]) -> None:
    there = within(snapshot(T, scopes=[], vpc_peering_connections=(KNOWN,)), scope)
    gone = snapshot(T + 60, scopes=[scope], vpc_peering_connections=())
    back = replace(there, captured_at=T + 120)

    found = inventory(there, gone, back).history.vpc_peering_connections["pcx-1"]

    assert [(v.valid_from, v.valid_to) for v in found] == [(T, T), (T + 120, T + 120)]


def test_entries_of_a_network_acl_are_in_the_order_they_are_tried(tmp_path: Path) -> None:
    deny = {"Protocol": "-1", "RuleAction": "deny", "RuleNumber": 32767, "CidrBlock": "0.0.0.0/0"}
    entries = [
        {**deny, "Egress": True},
        {**deny, "Egress": False},
        {
            "Egress": False, "Protocol": "6", "RuleAction": "allow", "RuleNumber": 100,
            "CidrBlock": "192.0.2.0/24", "PortRange": {"From": 22, "To": 23},
        },
        {
            "Egress": False, "Protocol": "58", "RuleAction": "allow", "RuleNumber": 99,
            "Ipv6CidrBlock": "2001:db8::/32", "IcmpTypeCode": {"Type": 128, "Code": -1},
        },
    ]  # fmt: skip

    found = load(
        tmp_path,
        acls={"NetworkAcls": [{**ACL, "Entries": entries}]},
        subnets=subnet_of("vpc-a", ACCOUNT, REGION),
    )

    assert found.network_acls == (
        NetworkAcl(
            "acl-1", "vpc-a", ACCOUNT, REGION, False, ("subnet-1", "subnet-2"),
            (
                NetworkAclEntry(99, False, True, 58, "2001:db8::/32", icmp_type=128),
                NetworkAclEntry(100, False, True, 6, "192.0.2.0/24", 22, 23),
                NetworkAclEntry(32767, False, False, -1, "0.0.0.0/0"),
                NetworkAclEntry(32767, True, False, -1, "0.0.0.0/0"),
            ),
        ),
    )  # fmt: skip


def test_an_entry_without_its_number_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match=r"acls\.json: NetworkAcls\[0\] is not as EC2 .*RuleN"):
        load(tmp_path, acls={"NetworkAcls": [{**ACL, "Entries": [{}]}]})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"SecurityGroupReferencingSupport": "enable"}, True),
        ({"SecurityGroupReferencingSupport": "disable"}, False),
        ({}, None),
    ],
)
def test_attachments_and_gateways_tell_whether_groups_can_be_referenced(
    tmp_path: Path, options: dict[str, str], expected: bool | None
) -> None:
    gateway = {
        "TransitGatewayId": "tgw-1",
        "TransitGatewayArn": f"arn:aws:ec2:{REGION}:{OTHER}:transit-gateway/tgw-1",
        "OwnerId": OTHER,
        "State": "available",
        "Options": options,
    }

    found = load(
        tmp_path,
        gateways={"TransitGateways": [gateway]},
        attachments={"TransitGatewayVpcAttachments": [{**ATTACHMENT, "Options": options}]},
        subnets=subnet_of("vpc-a", ACCOUNT, REGION),
    )

    assert found.transit_gateways == (
        TransitGateway("tgw-1", OTHER, REGION, "available", expected),
    )
    assert found.transit_gateway_attachments == (
        TransitGatewayAttachment(
            "tgw-attach-1", "tgw-1", "vpc-a", ACCOUNT, REGION, "available", expected,
            ("subnet-1", "subnet-2"),
        ),
    )  # fmt: skip


def test_a_gateway_another_account_shares_makes_no_scope_of_that_account(tmp_path: Path) -> None:
    arn = f"arn:aws:ec2:{REGION}:{OTHER}:transit-gateway/tgw-1"
    shared = {"TransitGatewayId": "tgw-1", "TransitGatewayArn": arn, "OwnerId": OTHER}

    found = load(
        tmp_path,
        gateways={"TransitGateways": [shared]},
        subnets=subnet_of("vpc-a", ACCOUNT, REGION),
    )

    assert found.scopes == (SCOPE,)


@pytest.mark.parametrize(
    ("state", "expected"),
    [("available", True), ("modifying", True), ("pending", False), ("deleted", False)],
)
def test_an_attachment_carries_packets_while_it_is_there(state: str, expected: bool) -> None:
    assert TransitGatewayAttachment("tgw-attach-1", state=state).is_available is expected


def test_what_two_accounts_see_of_a_peering_connection_is_there_once() -> None:
    views = [
        within(snapshot(T, scopes=[], vpc_peering_connections=(KNOWN,)), scope)
        for scope in (SCOPE, ELSEWHERE)
    ]

    merged = merge_snapshots(views, origin="x")

    assert [one.peering_id for one in merged.vpc_peering_connections] == ["pcx-1"]


def test_a_capture_of_before_ends_no_history_of_what_it_did_not_ask_for() -> None:
    acl = NetworkAcl("acl-1", "vpc-a", ACCOUNT, REGION)
    attached = TransitGatewayAttachment("tgw-attach-1", owner_id=ACCOUNT, region=REGION)
    gateway = TransitGateway("tgw-1", ACCOUNT, REGION)
    fields: dict[str, Any] = {
        "network_acls": (acl,),
        "transit_gateways": (gateway,),
        "transit_gateway_attachments": (attached,),
    }

    known = inventory(snapshot(T, **fields), snapshot(T + 60), snapshot(T + 120, **fields)).history

    assert known.network_acls == {"acl-1": (Validity(T, T + 120, acl),)}
    assert known.transit_gateways == {"tgw-1": (Validity(T, T + 120, gateway),)}
    assert known.transit_gateway_attachments == {"tgw-attach-1": (Validity(T, T + 120, attached),)}
