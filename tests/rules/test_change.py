from __future__ import annotations

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inventories import ACCOUNT, eni, inventory, snapshot

from vpcflow.errors import FormatError
from vpcflow.inventory import (
    PrefixList,
    PrefixListEntry,
    SecurityGroup,
    SecurityGroupRule,
)
from vpcflow.rules.change import Change, document, read_change

SSH: dict[str, Any] = {
    "GroupId": "sg-a",
    "IsEgress": False,
    "IpProtocol": "tcp",
    "FromPort": 22,
    "ToPort": 22,
    "CidrIpv4": "192.0.2.0/24",
}


def change_of(**parts: Any) -> Change:
    return read_change(orjson.dumps(parts))


def fault_of(**parts: Any) -> str:
    with pytest.raises(FormatError) as raised:
        change_of(**parts)
    return str(raised.value)


def without(name: str, **others: Any) -> dict[str, Any]:
    return {key: value for key, value in SSH.items() if key != name} | others


def test_a_rule_is_read_as_describe_security_group_rules_writes_it() -> None:
    written = {
        "SecurityGroupRuleId": "sgr-1",
        "GroupId": "sg-a",
        "GroupOwnerId": ACCOUNT,
        "IsEgress": False,
        "IpProtocol": "tcp",
        "FromPort": 5432,
        "ToPort": 5433,
        "ReferencedGroupInfo": {"GroupId": "sg-b", "UserId": ACCOUNT, "VpcId": "vpc-a"},
        "Description": "from the web servers",
        "SecurityGroupRuleArn": f"arn:aws:ec2:eu-west-1:{ACCOUNT}:security-group-rule/sgr-1",
        "Tags": [{"Key": "team", "Value": "data"}],
    }

    change = change_of(remove=["sgr-2"], add=[written])

    rule = SecurityGroupRule(
        "sg-a", "sgr-1", ACCOUNT, "eu-west-1", False, 6, 5432, 5433,
        referenced_group_id="sg-b", referenced_account_id=ACCOUNT, referenced_vpc_id="vpc-a",
        description="from the web servers", tags=(("team", "data"),),
    )  # fmt: skip
    assert change == Change(("sgr-2",), (rule,))


def test_either_part_may_be_missing_and_rules_need_no_id() -> None:
    removing, adding = change_of(remove=["sgr-1", "sgr-1"]), change_of(add=[SSH])

    assert removing == Change(("sgr-1",))
    assert adding.add[0].key == "sg-a ingress 6 22-22 192.0.2.0/24"


@pytest.mark.parametrize(
    ("given", "protocol", "ports"),
    [
        ({"IpProtocol": "-1"}, -1, (None, None)),
        ({"IpProtocol": "-1", "FromPort": -1, "ToPort": -1}, -1, (None, None)),
        ({"IpProtocol": "47", "FromPort": 0, "ToPort": 65535}, 47, (None, None)),
        ({"IpProtocol": 17, "FromPort": 53, "ToPort": 53}, 17, (53, 53)),
        ({"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1}, 1, (8, None)),
        ({"IpProtocol": "icmpv6"}, 58, (None, None)),
    ],
)
def test_protocols_and_ports_are_read(given: Any, protocol: int, ports: Any) -> None:
    rule = {"GroupId": "sg-a", "IsEgress": True, "PrefixListId": "pl-1", **given}

    (read,) = change_of(add=[rule]).add

    assert (read.protocol, (read.from_port, read.to_port)) == (protocol, ports)


def test_host_bits_of_a_block_are_cleared_as_ec2_does() -> None:
    ipv4 = SSH | {"CidrIpv4": "100.68.0.18/18"}
    ipv6 = without("CidrIpv4", CidrIpv6="2001:DB8:0:0::1/64")

    change = change_of(add=[ipv4, ipv6])

    assert [rule.counterpart for rule in change.add] == ["100.68.0.0/18", "2001:db8::/64"]


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        (7, "add[0]: 7 is no rule: write it as describe-security-group-rules does"),
        (without("IpProtocol"), "add[0]: IpProtocol is missing"),
        (without("GroupId"), "add[0]: GroupId is missing"),
        (without("IsEgress"), "add[0]: IsEgress is missing"),
        (without("FromPort"), "add[0]: FromPort is missing"),
        (SSH | {"GroupId": 7}, "add[0]: GroupId is no text: 7"),
        (SSH | {"IsEgress": "false"}, "add[0]: IsEgress is neither true nor false: 'false'"),
        (
            SSH | {"IpProtocol": "ssh"},
            "add[0]: IpProtocol is none: 'ssh' (tcp, udp, icmp, icmpv6, -1 for all, or a number up to 255)",
        ),
        (SSH | {"ToPort": 65536}, "add[0]: ToPort is no number from 0 to 65535: 65536"),
        (SSH | {"FromPort": -1, "ToPort": -1}, "add[0]: FromPort is no number from 0 to 65535: -1"),
        (SSH | {"FromPort": True}, "add[0]: FromPort is no number from 0 to 65535: True"),
        (SSH | {"FromPort": 23}, "add[0]: FromPort is greater than ToPort: 23 > 22"),
        (
            SSH | {"IpProtocol": "icmp", "FromPort": -1, "ToPort": 0},
            "add[0]: ToPort is an ICMP code, 0, and FromPort no type: all types have all codes",
        ),
        (
            without("CidrIpv4"),
            "add[0]: has no counterpart: a rule has exactly one of"
            " CidrIpv4, CidrIpv6, PrefixListId, ReferencedGroupInfo",
        ),
        (SSH | {"CidrIpv6": "::/0"}, "add[0]: has CidrIpv4 and CidrIpv6: a rule has exactly one of"),
        (SSH | {"CidrIpv4": "192.0.2.1"}, "add[0]: CidrIpv4 is no IPv4 CIDR block: '192.0.2.1'"),
        (SSH | {"CidrIpv4": "::/0"}, "add[0]: CidrIpv4 is no IPv4 CIDR block: '::/0'"),
        (
            SSH | {"CidrIpv4": "192.0.2.0/255.255.255.0"},
            "add[0]: CidrIpv4 is no IPv4 CIDR block: '192.0.2.0/255.255.255.0'",
        ),
        (
            without("CidrIpv4", ReferencedGroupInfo={"UserId": ACCOUNT}),
            "add[0]: ReferencedGroupInfo.GroupId is missing",
        ),
        (
            without("CidrIpv4", ReferencedGroupInfo="sg-b"),
            "add[0]: ReferencedGroupInfo is no object with a \"GroupId\": 'sg-b'",
        ),
        (SSH | {"Tags": {"a": "b"}}, 'add[0]: Tags is no list of {"Key": …, "Value": …}'),
    ],
)  # fmt: skip
def test_what_is_no_rule_is_told_with_its_place(rule: Any, fault: str) -> None:
    assert fault_of(add=[rule]).startswith(fault)


def test_all_faults_are_told_at_once() -> None:
    told = fault_of(remove=["sgr-1", 7], add=[SSH, SSH, without("IpProtocol", ToPort=0)])

    assert told == "remove[1]: 7 is no rule id (sgr-…); add[2]: IpProtocol is missing"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"{", "the change is no JSON: "),
        (b"[]", "the change is no JSON object: "),
        (b"{}", "the change has neither remove nor add"),
        (b'{"delete": []}', "the change has unknown keys: delete (known: remove, add)"),
        (b'{"remove": "sgr-1"}', "remove is no list"),
    ],
)
def test_what_is_no_change_is_refused(text: bytes, fault: str) -> None:
    with pytest.raises(FormatError) as raised:
        read_change(text)

    assert str(raised.value).startswith(fault)


def test_two_added_rules_of_one_id_are_refused() -> None:
    rule = SSH | {"SecurityGroupRuleId": "sgr-1"}

    assert (
        fault_of(add=[rule, SSH, rule]) == "add[2]: SecurityGroupRuleId is that of add[0]: 'sgr-1'"
    )


_PORTS = st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(sorted)
_COUNTERPARTS = st.sampled_from(
    [
        {"ipv4_cidr": "192.0.2.0/24"},
        {"ipv6_cidr": "2001:db8::/32"},
        {"prefix_list_id": "pl-1"},
        {"referenced_group_id": "sg-b"},
        {"referenced_group_id": "sg-b", "referenced_account_id": ACCOUNT, "referenced_vpc_id": "vpc-b"},
    ]
)  # fmt: skip


@st.composite
def rules(draw: Any) -> SecurityGroupRule:
    protocol = draw(st.sampled_from([-1, 1, 6, 17, 47, 58]))
    ports = draw(_PORTS) if protocol in (6, 17) else (None, None)
    if protocol in (1, 58):
        ports = draw(st.sampled_from([(None, None), (8, None), (3, 4), (0, 0)]))
    return SecurityGroupRule(
        "sg-a",
        is_egress=draw(st.booleans()),
        protocol=protocol,
        from_port=ports[0],
        to_port=ports[1],
        description=draw(st.sampled_from([None, "why"])),
        tags=draw(st.sampled_from([(), (("a", ""), ("b", "2"))])),
        **draw(_COUNTERPARTS),
    )


@given(st.lists(rules(), max_size=4))
def test_what_is_written_is_read_again(added: list[SecurityGroupRule]) -> None:
    change = Change(("sgr-1", "sg-a ingress 6 22-22 192.0.2.0/24"), tuple(added))

    assert read_change(orjson.dumps(document(change))) == change


def test_a_rule_for_all_tcp_ports_is_written_as_ec2_takes_it() -> None:
    every = SecurityGroupRule("sg-a", protocol=6, ipv4_cidr="192.0.2.0/24")

    (written,) = document(Change(add=(every,)))["add"]

    assert (written["FromPort"], written["ToPort"]) == (0, 65535)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 70000) | st.sampled_from(["", "tcp", "sg-a", "::/0", "10.0.0.0/8"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from([*SSH, "remove", "add", "ReferencedGroupInfo", "Tags"]), inner),
)  # fmt: skip


@given(st.lists(_JSON | st.dictionaries(st.sampled_from(sorted(SSH)), _JSON), max_size=3), _JSON)
def test_no_json_raises_anything_but_a_format_error(add: list[Any], remove: Any) -> None:
    with contextlib.suppress(FormatError):
        change_of(add=[SSH | one if isinstance(one, dict) else one for one in add], remove=remove)


KNOWN = inventory(
    snapshot(
        100,
        eni(1, "10.0.0.1", groups="sg-a sg-of-an-interface"),
        security_groups=(SecurityGroup("sg-a"), SecurityGroup("sg-b")),
        security_group_rules=(SecurityGroupRule("sg-a", "sgr-1", protocol=6),),
        prefix_lists=(
            PrefixList("pl-1", entries=(PrefixListEntry("192.0.2.0/24"),)),
            PrefixList("pl-empty", entries=None),
        ),
    )
)


def test_a_change_of_what_the_inventory_knows_has_no_faults() -> None:
    change = change_of(
        remove=["sgr-1"],
        add=[
            SSH | {"SecurityGroupRuleId": "sgr-1"},
            SSH | {"GroupId": "sg-of-an-interface"},
            SSH | {"SecurityGroupRuleId": "sgr-new"},
            without("CidrIpv4", PrefixListId="pl-1"),
            without("CidrIpv4", ReferencedGroupInfo={"GroupId": "sg-b"}),
        ],
    )

    assert change.faults(KNOWN) == ()


def test_what_the_inventory_does_not_know_is_told_with_its_place() -> None:
    change = change_of(
        remove=["sgr-1", "sgr-2"],
        add=[
            SSH | {"GroupId": "sg-c"},
            without("CidrIpv4", PrefixListId="pl-2"),
            without("CidrIpv4", PrefixListId="pl-empty"),
            without("CidrIpv4", ReferencedGroupInfo={"GroupId": "sg-c"}),
        ],
    )

    assert change.faults(KNOWN) == (
        "remove[1]: the inventory knows no rule 'sgr-2'",
        "add[0]: the inventory knows no security group 'sg-c'",
        "add[1]: the inventory knows no prefix list 'pl-2'",
        "add[2]: the inventory has no entries of the prefix list 'pl-empty'",
        "add[3]: the inventory knows no security group 'sg-c', which it refers to",
    )


def test_an_id_that_exists_and_is_not_removed_is_a_fault() -> None:
    change = change_of(add=[SSH | {"SecurityGroupRuleId": "sgr-1"}])

    assert change.faults(KNOWN) == (
        "add[0]: the inventory has a rule 'sgr-1' already, which is not removed",
    )


def test_an_inventory_without_rules_knows_none() -> None:
    faults = Change(("sgr-1",)).faults(inventory(snapshot(100, eni(1, "10.0.0.1"))))

    assert faults == ("remove[0]: the inventory knows no rule 'sgr-1'",)
