from __future__ import annotations

import gzip
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from vpcflow.errors import InventoryError
from vpcflow.inventory import (
    ConnectionTracking,
    Eni,
    FlowLog,
    GroupRef,
    Inventory,
    PrefixList,
    PrefixListEntry,
    PrivateAddress,
    SecurityGroupRule,
    Snapshot,
    load_inventory,
)
from vpcflow.inventory.aws_cli import is_unwanted

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = "123456789012"
INTERFACE: dict[str, Any] = {
    "Association": {"PublicIp": "203.0.113.9", "IpOwnerId": "amazon"},
    "Attachment": {"AttachmentId": "eni-attach-1", "InstanceId": "i-1", "InstanceOwnerId": ACCOUNT},
    "AvailabilityZone": "eu-west-1a",
    "ConnectionTrackingConfiguration": {"TcpEstablishedTimeout": 350},
    "Description": "front door",
    "Groups": [{"GroupName": "web", "GroupId": "sg-b"}, {"GroupName": "all", "GroupId": "sg-a"}],
    "InterfaceType": "interface",
    "Ipv4Prefixes": [{"Ipv4Prefix": "10.0.1.16/28"}],
    "Ipv6Addresses": [{"Ipv6Address": "2001:db8::5"}],
    "Ipv6Prefixes": [{"Ipv6Prefix": "2001:db8:0:0:1::/80"}],
    "NetworkInterfaceId": "eni-1",
    "OwnerId": ACCOUNT,
    "PrivateIpAddress": "10.0.0.5",
    "PrivateIpAddresses": [
        {
            "Primary": False,
            "PrivateIpAddress": "10.0.0.4",
            "Association": {"PublicIp": "203.0.113.8"},
        },
        {
            "Primary": True,
            "PrivateIpAddress": "10.0.0.5",
            "Association": {"PublicIp": "203.0.113.9"},
        },
    ],
    "RequesterId": "amazon-elb",
    "RequesterManaged": True,
    "SourceDestCheck": False,
    "SubnetId": "subnet-1",
    "TagSet": [{"Key": "z", "Value": "1"}, {"Key": "a", "Value": ""}],
    "VpcId": "vpc-1",
}
GROUP = {
    "GroupId": "sg-a",
    "GroupName": "all",
    "OwnerId": ACCOUNT,
    "VpcId": "vpc-1",
    "IpPermissions": [
        {
            "IpProtocol": "tcp",
            "FromPort": 22,
            "ToPort": 22,
            "IpRanges": [{"CidrIp": "192.0.2.0/24", "Description": "office"}],
            "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}],
            "PrefixListIds": [{"PrefixListId": "pl-1"}],
            "UserIdGroupPairs": [{"GroupId": "sg-b", "UserId": "210987654321"}],
        }
    ],
    "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
}
RULE = {
    "SecurityGroupRuleId": "sgr-1",
    "GroupId": "sg-a",
    "GroupOwnerId": ACCOUNT,
    "IsEgress": False,
    "IpProtocol": "icmp",
    "FromPort": 8,
    "ToPort": -1,
    "CidrIpv4": "192.0.2.0/24",
}


class Words(list[str]):
    """What a warning function was told."""

    def __call__(self, text: str) -> None:
        self.append(text)


def save(directory: Path, **answers: Any) -> Path:
    """Write each answer to a file of that name."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, answer in answers.items():
        (directory / f"{name}.json").write_text(json.dumps(answer))
    return directory


def load(path: Path, *, at: float | None = 1000) -> tuple[Inventory, Words]:
    words = Words()
    return load_inventory(path, captured_at=at, warn=words), words


def only(path: Path) -> Snapshot:
    """Load what is one capture and needs no warning."""
    inventory, words = load(path)
    assert words == []
    assert len(inventory.snapshots) == 1
    return inventory.snapshots[0]


def test_an_interface_is_read_with_all_it_has(tmp_path: Path) -> None:
    save(tmp_path, a={"NetworkInterfaces": [INTERFACE]})

    snapshot = only(tmp_path)

    assert snapshot.interfaces == (
        Eni(
            interface_id="eni-1",
            interface_type="interface",
            owner_id=ACCOUNT,
            vpc_id="vpc-1",
            subnet_id="subnet-1",
            availability_zone="eu-west-1a",
            az_id=None,
            description="front door",
            private_addresses=(PrivateAddress("10.0.0.5", True), PrivateAddress("10.0.0.4", False)),
            public_addresses=("203.0.113.8", "203.0.113.9"),
            ipv6_addresses=("2001:db8::5",),
            ipv4_prefixes=("10.0.1.16/28",),
            ipv6_prefixes=("2001:db8:0:0:1::/80",),
            groups=(GroupRef("sg-a", "all"), GroupRef("sg-b", "web")),
            attachment_id="eni-attach-1",
            instance_id="i-1",
            instance_owner_id=ACCOUNT,
            requester_managed=True,
            managed_by="amazon-elb",
            source_dest_check=False,
            connection_tracking=ConnectionTracking(350),
            tags=(("a", ""), ("z", "1")),
        ),
    )
    assert snapshot.scopes == ((ACCOUNT, "eu-west-1"),)
    assert snapshot.kinds == {"interfaces"}


def test_a_minimal_interface_is_read_too(tmp_path: Path) -> None:
    save(
        tmp_path,
        a={"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "PrivateIpAddress": "10.0.0.1"}]},
    )

    interfaces = only(tmp_path).interfaces

    assert interfaces == (Eni("eni-1", private_addresses=(PrivateAddress("10.0.0.1", True),)),)


def test_the_zone_id_is_the_subnets_where_the_interface_has_none(tmp_path: Path) -> None:
    subnet = {"SubnetId": "subnet-1", "AvailabilityZoneId": "euw1-az2"}
    stated = {**INTERFACE, "NetworkInterfaceId": "eni-2", "AvailabilityZoneId": "euw1-az3"}
    save(tmp_path, a={"NetworkInterfaces": [INTERFACE, stated]}, b={"Subnets": [subnet]})

    interfaces = only(tmp_path).interfaces

    assert [one.az_id for one in interfaces] == ["euw1-az2", "euw1-az3"]


def test_rules_come_from_ip_permissions_only_for_groups_described_without_rules(
    tmp_path: Path,
) -> None:
    other = {**GROUP, "GroupId": "sg-c", "IpPermissions": []}
    save(tmp_path, groups={"SecurityGroups": [GROUP, other]}, rules={"SecurityGroupRules": [RULE]})

    rules = only(tmp_path).security_group_rules

    assert rules == (
        SecurityGroupRule(
            "sg-a", "sgr-1", ACCOUNT, protocol=1, from_port=8, ipv4_cidr="192.0.2.0/24"
        ),
        SecurityGroupRule("sg-c", None, ACCOUNT, is_egress=True, ipv4_cidr="0.0.0.0/0"),
    )


def test_each_counterpart_of_ip_permissions_is_a_rule(tmp_path: Path) -> None:
    save(tmp_path, groups={"SecurityGroups": [GROUP]})

    ingress = [r for r in only(tmp_path).security_group_rules if not r.is_egress]

    assert [r.counterpart for r in ingress] == ["192.0.2.0/24", "2001:db8::/32", "pl-1", "sg-b"]
    assert {(r.rule_id, r.protocol, r.from_port, r.to_port) for r in ingress} == {(None, 6, 22, 22)}
    assert ingress[0].description == "office"
    assert ingress[3].referenced_account_id == "210987654321"


def test_a_group_is_in_its_own_and_its_associated_vpcs(tmp_path: Path) -> None:
    associations = [
        {"GroupId": "sg-a", "VpcId": "vpc-2", "State": "associated"},
        {"GroupId": "sg-a", "VpcId": "vpc-3", "State": "disassociated"},
    ]
    save(tmp_path, a={"SecurityGroups": [GROUP]}, b={"SecurityGroupVpcAssociations": associations})

    groups = only(tmp_path).security_groups

    assert groups[0].vpc_ids == ("vpc-1", "vpc-2")


def test_entries_go_to_the_prefix_list_in_their_files_name(tmp_path: Path) -> None:
    save(
        tmp_path,
        lists={
            "PrefixLists": [{"PrefixListId": "pl-1", "PrefixListName": "offices", "Version": 3}]
        },
        **{"get-managed-prefix-list-entries_pl-1": {"Entries": [{"Cidr": "198.51.100.0/24"}]}},
        **{"entries-pl-2": {"Entries": []}},
    )

    lists = only(tmp_path).prefix_lists

    assert lists == (
        PrefixList("pl-1", "offices", version=3, entries=(PrefixListEntry("198.51.100.0/24"),)),
        PrefixList("pl-2", entries=()),
    )


@pytest.mark.parametrize("name", ["entries", "entries_pl-1_pl-2"])
def test_entries_of_no_certain_prefix_list_are_an_error_that_says_how_to_name_the_file(
    tmp_path: Path, name: str
) -> None:
    save(tmp_path, **{name: {"Entries": [{"Cidr": "198.51.100.0/24"}]}})

    with pytest.raises(
        InventoryError, match=rf"{name}.json.*get-managed-prefix-list-entries_pl-0123"
    ):
        load(tmp_path)


def test_a_list_of_awss_own_has_its_entries_with_it(tmp_path: Path) -> None:
    managed = {"PrefixListId": "pl-1", "PrefixListName": "s3", "Version": 1, "OwnerId": "AWS"}
    old_style = {"PrefixListId": "pl-1", "PrefixListName": "s3", "Cidrs": ["198.51.100.0/24"]}
    save(tmp_path, a={"PrefixLists": [managed]}, b={"PrefixLists": [old_style]})

    (found,) = only(tmp_path).prefix_lists

    assert (found.owner_id, found.entries) == ("AWS", (PrefixListEntry("198.51.100.0/24"),))


def test_instances_name_their_interfaces(tmp_path: Path) -> None:
    instance = {"InstanceId": "i-1", "Tags": [{"Key": "Name", "Value": "web-1"}]}
    reservation = {"OwnerId": ACCOUNT, "Instances": [instance]}
    save(tmp_path, a={"NetworkInterfaces": [INTERFACE]}, b={"Reservations": [reservation]})

    inventory, _ = load(tmp_path)

    assert inventory.interfaces.instance_name.to_pylist() == ["web-1"]


def test_blocks_a_vpc_no_longer_has_are_left_out(tmp_path: Path) -> None:
    vpc = {
        "VpcId": "vpc-1",
        "CidrBlock": "10.0.0.0/16",
        "CidrBlockAssociationSet": [
            {"CidrBlock": "10.0.0.0/16", "CidrBlockState": {"State": "associated"}},
            {"CidrBlock": "10.8.0.0/16", "CidrBlockState": {"State": "associated"}},
            {"CidrBlock": "10.9.0.0/16", "CidrBlockState": {"State": "disassociated"}},
        ],
        "Ipv6CidrBlockAssociationSet": [
            {"Ipv6CidrBlock": "2001:db8::/56", "Ipv6CidrBlockState": {"State": "associated"}}
        ],
    }
    save(tmp_path, a={"Vpcs": [vpc]})

    assert only(tmp_path).vpcs[0].cidrs == ("10.0.0.0/16", "10.8.0.0/16", "2001:db8::/56")


def test_a_flow_log_is_read_with_its_layout_and_tags(tmp_path: Path) -> None:
    flow_log = {
        "FlowLogId": "fl-1",
        "ResourceId": "vpc-1",
        "LogFormat": "${version} ${instance-tag}",
        "TrafficType": "ALL",
        "LogDestinationType": "s3",
        "LogDestination": "arn:aws:s3:::logs",
        "MaxAggregationInterval": 60,
        "DestinationOptions": {"FileFormat": "parquet"},
        "TagFieldSpecifications": [{"ResourceType": "instance", "TagKeys": ["team", "app"]}],
    }
    save(tmp_path, a={"FlowLogs": [flow_log]})

    inventory, _ = load(tmp_path)

    assert inventory.flow_logs == (
        FlowLog(
            "fl-1", "vpc-1", "${version} ${instance-tag}", "ALL", "s3", "arn:aws:s3:::logs",
            max_aggregation_interval_s=60, file_format="parquet", tag_fields=(("instance", ("team", "app")),),
        ),
    )  # fmt: skip


def test_groups_have_the_region_of_their_vpc(tmp_path: Path) -> None:
    far = {
        **INTERFACE,
        "NetworkInterfaceId": "eni-2",
        "VpcId": "vpc-2",
        "AvailabilityZone": "us-east-1b",
    }
    groups = [GROUP, {**GROUP, "GroupId": "sg-b", "VpcId": "vpc-2"}]
    save(tmp_path, a={"NetworkInterfaces": [INTERFACE, far]}, b={"SecurityGroups": groups})

    snapshot = only(tmp_path)

    assert [g.region for g in snapshot.security_groups] == ["eu-west-1", "us-east-1"]
    assert snapshot.scopes == ((ACCOUNT, "eu-west-1"), (ACCOUNT, "us-east-1"))


def test_pages_of_one_kind_are_merged(tmp_path: Path) -> None:
    second = {**INTERFACE, "NetworkInterfaceId": "eni-2"}
    save(
        tmp_path, a={"NetworkInterfaces": [INTERFACE]}, b={"NetworkInterfaces": [INTERFACE, second]}
    )

    assert [one.interface_id for one in only(tmp_path).interfaces] == ["eni-1", "eni-2"]


def test_of_two_files_that_differ_the_later_wins_with_a_warning(tmp_path: Path) -> None:
    changed = {**INTERFACE, "Description": "changed"}
    save(tmp_path, a={"NetworkInterfaces": [INTERFACE]}, b={"NetworkInterfaces": [changed]})

    inventory, words = load(tmp_path)

    assert inventory.interfaces.description.to_pylist() == ["changed"]
    assert len(words) == 1
    assert "eni-1 is both in" in words[0]


def test_one_page_of_several_is_warned_about(tmp_path: Path) -> None:
    save(tmp_path, a={"NetworkInterfaces": [INTERFACE], "NextToken": "more"})

    _, words = load(tmp_path)

    assert len(words) == 1
    assert "a.json is one page of several" in words[0]


def test_each_directory_is_a_capture_of_its_own(tmp_path: Path) -> None:
    far = {**INTERFACE, "NetworkInterfaceId": "eni-2", "AvailabilityZone": "us-east-1b"}
    save(tmp_path / "near", a={"NetworkInterfaces": [INTERFACE]})
    save(tmp_path / "far", a={"NetworkInterfaces": [far]})

    inventory, _ = load(tmp_path)

    assert [s.scopes for s in inventory.snapshots] == [
        ((ACCOUNT, "us-east-1"),),
        ((ACCOUNT, "eu-west-1"),),
    ]


def test_without_a_capture_time_the_newest_file_tells_it_with_a_warning(tmp_path: Path) -> None:
    save(tmp_path, a={"NetworkInterfaces": [INTERFACE]}, b={"Subnets": []})
    os.utime(tmp_path / "a.json", (500, 500))
    os.utime(tmp_path / "b.json", (700, 700))

    inventory, words = load(tmp_path, at=None)

    assert inventory.capture_times == (700,)
    assert len(words) == 1
    assert "1970-01-01T00:11:40Z" in words[0]


def test_a_file_with_nothing_that_is_wanted_is_not_read(tmp_path: Path) -> None:
    save(tmp_path, a={"NetworkInterfaces": [INTERFACE]})
    nameless = {"Reservations": [{"Instances": [{"ImageId": "ami-1"}]}]}
    (tmp_path / "b.json").write_text(json.dumps(nameless, indent=4))

    found = load_inventory(tmp_path, captured_at=1, warn=print, kinds={"interfaces"})

    assert found.snapshots[0].kinds == {"interfaces"}
    assert len(found.snapshots[0].interfaces) == 1
    with pytest.raises(InventoryError, match="InstanceId"):
        load(tmp_path)


@pytest.mark.parametrize("indent", [None, 1, 4, "\t"])
@pytest.mark.parametrize(
    ("answer", "is_one"),
    [
        ({"Vpcs": [{"VpcId": "vpc-1", "Tags": [{"Key": "]", "Value": "\n"}]}]}, True),
        ({"Vpcs": [{"VpcId": "vpc-1"}], "NetworkInterfaces": [INTERFACE]}, False),
        ({"NetworkInterfaces": [INTERFACE]}, False),
        ({"Vpcs": [{"VpcId": "vpc-1"}], "NextToken": "x"}, False),
        ({"Vpcs": []}, False),
        ({"Volumes": [{"VolumeId": "vol-1"}]}, False),
    ],
)
def test_a_file_is_passed_over_only_where_it_is_sure_to_hold_one_list_that_is_not_wanted(
    answer: dict[str, Any], is_one: bool, indent: int | str | None
) -> None:
    text = json.dumps(answer, indent=indent).encode()

    assert is_unwanted(text, {"interfaces"}) == (is_one and indent is not None)
    assert not is_unwanted(text[:-3], {"interfaces"})
    assert not is_unwanted(text, {"interfaces", "vpcs"})


def test_rules_that_are_not_wanted_are_not_made(tmp_path: Path) -> None:
    group = {"GroupId": "sg-1", "IpPermissions": [{"IpProtocol": "no protocol", "IpRanges": [{}]}]}
    save(tmp_path, a={"SecurityGroups": [group]})

    found = load_inventory(tmp_path, captured_at=1, warn=print, kinds={"security_groups"})

    assert [g.group_id for g in found.snapshots[0].security_groups] == ["sg-1"]
    assert found.snapshots[0].kinds == {"security_groups"}


def test_a_single_file_is_an_inventory(tmp_path: Path) -> None:
    save(tmp_path, a={"NetworkInterfaces": [INTERFACE]}, b={"Subnets": []})

    assert only(tmp_path / "a.json").kinds == {"interfaces"}


def test_what_is_not_json_is_left_out_with_one_warning(tmp_path: Path) -> None:
    save(tmp_path, a={"NetworkInterfaces": [INTERFACE]})
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "fetch.sh").write_text("aws …")
    (tmp_path / ".hidden.json").write_text("{")

    _, words = load(tmp_path)

    assert words == [f"{tmp_path}: left out what is not JSON: fetch.sh, notes.txt"]


def test_json_nobody_knows_is_left_out_with_a_warning(tmp_path: Path) -> None:
    save(tmp_path, a={"NetworkInterfaces": [INTERFACE]}, b={"Buckets": []})

    _, words = load(tmp_path)

    assert len(words) == 1
    assert (
        "b.json is left out: neither a snapshot nor an answer with one of NetworkInterfaces"
        in words[0]
    )


def test_files_of_powershell_and_gzip_are_read(tmp_path: Path) -> None:
    first = json.dumps({"NetworkInterfaces": [INTERFACE]})
    second = json.dumps({"NetworkInterfaces": [{**INTERFACE, "NetworkInterfaceId": "eni-2"}]})
    third = json.dumps({"Subnets": []})
    (tmp_path / "a.json").write_text(first, encoding="utf-16")
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(second.encode()))
    (tmp_path / "c.json").write_text(third, encoding="utf-8-sig")

    snapshot = only(tmp_path)

    assert len(snapshot.interfaces) == 2
    assert snapshot.kinds == {"interfaces", "subnets"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"NetworkInterfaces": [', "a.json: not JSON"),
        (b"", "a.json: empty"),
        (b"\x1f\x8b\x08\x00broken", "a.json: cannot be read"),
        (
            b'{"NetworkInterfaces": [{}]}',
            r"a.json: NetworkInterfaces\[0\] is not as EC2 .*'NetworkInterfaceId'",
        ),
        (b'{"NetworkInterfaces": ["eni-1"]}', r"a.json: NetworkInterfaces\[0\] is not as EC2"),
        (b'{"SecurityGroupRules": [{"GroupId": "sg-a"}]}', "'SecurityGroupRuleId'"),
    ],
)
def test_a_file_that_cannot_be_right_is_an_error_that_names_it(
    tmp_path: Path, content: bytes, says: str
) -> None:
    (tmp_path / "a.json").write_bytes(content)

    with pytest.raises(InventoryError, match=says):
        load(tmp_path)


@pytest.mark.parametrize("content", [b"[]", b'{"Buckets": []}', b"12"])
def test_a_file_given_by_name_must_be_known(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)

    with pytest.raises(InventoryError, match="neither a snapshot nor"):
        load(tmp_path / "a.json")


def test_an_empty_directory_is_an_error_that_says_what_to_save(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="describe-network-interfaces"):
        load(tmp_path)


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="no such file"):
        load(tmp_path / "nowhere")
