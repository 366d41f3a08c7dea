from __future__ import annotations

from typing import Any

import pytest
from ec2_fake import ACCOUNT, FakeEc2, raw_eni

from vpcflow.aws.describe import ALL, WHAT_FLOWS_NEED, capture, interfaces_by_id
from vpcflow.aws.ec2 import Ec2
from vpcflow.errors import AwsError
from vpcflow.inventory import PrefixListEntry, Snapshot

SCOPE = (ACCOUNT, "eu-west-1")
T = 1_700_000_000
OPTIONAL = [one.operation for one in ALL[2:]]


class Captured:
    """A capture of a fake EC2, with what was said."""

    def __init__(self, ec2: FakeEc2, **options: Any) -> None:
        self.said: list[str] = []
        self.ec2 = Ec2(ec2, SCOPE)
        self.snapshot: Snapshot = capture(
            self.ec2, clock=lambda: T + 0.7, warn=self.said.append, **options
        )


def account(enis: int = 1) -> FakeEc2:
    """Make an account with something of every kind."""
    rule = {"GroupId": "sg-a", "IsEgress": False, "IpProtocol": "tcp", "GroupOwnerId": ACCOUNT}
    instance = {"InstanceId": "i-a", "Tags": [{"Key": "Name", "Value": "web"}], "VpcId": "vpc-a"}
    ec2 = FakeEc2(
        describe_network_interfaces=[raw_eni(n) for n in range(enis)],
        describe_security_groups=[{"GroupId": "sg-a", "GroupName": "web", "VpcId": "vpc-a"}],
        describe_security_group_rules=[{**rule, "SecurityGroupRuleId": "sgr-a"}],
        describe_security_group_vpc_associations=[{"GroupId": "sg-a", "VpcId": "vpc-b"}],
        describe_instances=[{"OwnerId": ACCOUNT, "Instances": [instance]}],
        describe_subnets=[{"SubnetId": "subnet-a", "AvailabilityZoneId": "euw1-az1"}],
        describe_vpcs=[{"VpcId": "vpc-a", "OwnerId": ACCOUNT, "CidrBlock": "10.0.0.0/8"}],
        describe_flow_logs=[{"FlowLogId": "fl-a", "LogFormat": "${srcaddr}"}],
        describe_vpc_peering_connections=[
            {
                "VpcPeeringConnectionId": "pcx-a",
                "Status": {"Code": "active"},
                "RequesterVpcInfo": {
                    "VpcId": "vpc-z",
                    "OwnerId": "210987654321",
                    "Region": "us-east-1",
                },
                "AccepterVpcInfo": {"VpcId": "vpc-a", "OwnerId": ACCOUNT, "Region": "eu-west-1"},
            }
        ],
        describe_network_acls=[{"NetworkAclId": "acl-a", "VpcId": "vpc-a", "OwnerId": ACCOUNT}],
        describe_transit_gateways=[{"TransitGatewayId": "tgw-a", "OwnerId": ACCOUNT}],
        describe_transit_gateway_vpc_attachments=[
            {
                "TransitGatewayAttachmentId": "tgw-attach-a",
                "VpcOwnerId": ACCOUNT,
                "State": "available",
            }
        ],
        describe_managed_prefix_lists=[{"PrefixListId": "pl-a", "Version": 3, "OwnerId": ACCOUNT}],
    )
    ec2.entries["pl-a"] = [{"Cidr": "192.0.2.0/24", "Description": "office"}]
    return ec2


def test_a_capture_has_all_kinds_and_is_dated_when_it_began() -> None:
    captured = Captured(account()).snapshot

    assert captured.captured_at == T
    assert captured.scopes == (SCOPE,)
    assert captured.gaps == ()
    assert captured.interfaces[0].az_id == "euw1-az1"
    assert captured.security_groups[0].vpc_ids == ("vpc-a", "vpc-b")
    assert captured.security_group_rules[0].rule_id == "sgr-a"
    assert captured.instances[0].name == "web"
    assert captured.vpcs[0].cidrs == ("10.0.0.0/8",)
    assert captured.flow_logs[0].log_format == "${srcaddr}"
    assert captured.prefix_lists[0].entries == (PrefixListEntry("192.0.2.0/24", "office"),)
    things = (
        *captured.security_groups,
        *captured.instances,
        *captured.vpcs,
        *captured.prefix_lists,
    )
    assert {thing.region for thing in things} == {"eu-west-1"}
    between_vpcs = (
        *captured.vpc_peering_connections,
        *captured.network_acls,
        *captured.transit_gateways,
        *captured.transit_gateway_attachments,
    )
    assert [thing.scope for thing in between_vpcs] == [SCOPE] * 4


def test_twenty_thousand_interfaces_take_twenty_pages_and_each_other_list_one() -> None:
    ec2 = account(enis=20_000)

    captured = Captured(ec2)

    assert len(captured.snapshot.interfaces) == 20_000
    assert ec2.calls["describe_network_interfaces"] == 20
    assert captured.ec2.calls == sum(ec2.calls.values()) == 20 + 13
    assert ec2.asked[0] == (
        "describe_network_interfaces",
        {"MaxResults": 1000, "IncludeManagedResources": True},
    )


def test_an_account_without_interfaces_was_captured_all_the_same() -> None:
    captured = Captured(FakeEc2()).snapshot

    assert captured.covers("interfaces", SCOPE)
    assert captured.interfaces == ()


@pytest.mark.parametrize("operation", ["describe_network_interfaces", "describe_security_groups"])
def test_without_interfaces_or_groups_there_is_no_capture(operation: str) -> None:
    ec2 = account()
    ec2.refused[operation] = "UnauthorizedOperation"

    with pytest.raises(AwsError, match=r"ec2:Describe(NetworkInterfaces|SecurityGroups)"):
        Captured(ec2)


@pytest.mark.parametrize("operation", OPTIONAL)
def test_any_other_call_that_is_refused_is_said_and_never_counts_as_empty(operation: str) -> None:
    ec2 = account()
    ec2.refused[operation] = "UnauthorizedOperation"

    captured = Captured(ec2)

    assert len(captured.said) == 1
    assert "without ec2:Describe" in captured.said[0]
    covered = {
        "describe_instances": "instances",
        "describe_subnets": "subnets",
        "describe_vpcs": "vpcs",
        "describe_flow_logs": "flow_logs",
        "describe_managed_prefix_lists": "prefix_lists",
        "describe_vpc_peering_connections": "vpc_peering_connections",
        "describe_network_acls": "network_acls",
        "describe_transit_gateways": "transit_gateways",
        "describe_transit_gateway_vpc_attachments": "transit_gateway_attachments",
    }
    if kind := covered.get(operation):
        assert not captured.snapshot.covers(kind, SCOPE)
        assert captured.snapshot.gaps == ((kind, SCOPE),)


def test_prefix_lists_whose_entries_may_not_be_read_are_known_by_name_and_said_once() -> None:
    ec2 = account()
    lists = ec2.lists["describe_managed_prefix_lists"]
    lists.append({"PrefixListId": "pl-b", "Version": 1})
    ec2.refused["get_managed_prefix_list_entries"] = "UnauthorizedOperation"

    captured = Captured(ec2)

    assert [one.entries for one in captured.snapshot.prefix_lists] == [None, None]
    assert ec2.calls["get_managed_prefix_list_entries"] == len(captured.said) == 1


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "InternalError"])
def test_a_call_that_is_not_answered_in_the_end_fails_the_capture(code: str) -> None:
    ec2 = account()
    ec2.refused["describe_vpcs"] = code

    with pytest.raises(AwsError, match=code):
        Captured(ec2)


def test_entries_of_a_prefix_list_are_read_again_only_where_its_version_is_another() -> None:
    ec2 = account()
    before = Captured(ec2).snapshot
    ec2.entries["pl-a"] = [{"Cidr": "198.51.100.0/24"}]

    same = Captured(ec2, known=before.prefix_lists).snapshot
    ec2.lists["describe_managed_prefix_lists"][0]["Version"] = 4
    changed = Captured(ec2, known=before.prefix_lists).snapshot

    assert same.prefix_lists == before.prefix_lists
    assert changed.prefix_lists[0].entries == (PrefixListEntry("198.51.100.0/24"),)
    assert ec2.calls["get_managed_prefix_list_entries"] == 2


def test_what_flows_need_is_asked_without_groups_and_rules() -> None:
    ec2 = account()

    captured = Captured(ec2, questions=WHAT_FLOWS_NEED).snapshot

    assert sum(ec2.calls.values()) == 5
    assert captured.interfaces[0].groups[0].name == "web"
    assert not captured.covers("security_groups", SCOPE)


def test_interfaces_are_looked_up_by_a_filter_which_forgives_unknown_ones() -> None:
    ec2 = account(enis=3)

    found = interfaces_by_id(Ec2(ec2, SCOPE), ["eni-0123456789", "eni-" + "0" * 16 + "2"])

    assert [one.addresses for one in found] == [("10.0.0.2",)]
    assert ec2.asked[0][1]["IncludeManagedResources"] is True
