"""Changes as commands of the AWS CLI: what they say, and that they do and undo it on moto's EC2."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import orjson
import pytest
from emulator import ENVIRONMENT
from moto_server import moto_server

from vpcflow.inventory import SecurityGroupRule, ec2
from vpcflow.rules.aws_commands import commands, script, undo_commands
from vpcflow.rules.proposals import Step

WIDE = SecurityGroupRule(
    "sg-a", "sgr-1", protocol=6, from_port=8000, to_port=9000, ipv4_cidr="10.0.0.0/8",
    description="Orders & more; don't", tags=(("team", "shop"),),
)  # fmt: skip
NARROW = replace(WIDE, rule_id=None, from_port=8080, to_port=8080, ipv4_cidr="10.0.1.0/24")
GROUP = replace(NARROW, ipv4_cidr=None, referenced_group_id="sg-b", referenced_account_id="123456789012")  # fmt: skip


def options(command: str) -> tuple[str, dict[str, list[str]]]:
    """Read a command as a shell would: its operation, and the values of each option."""
    words = shlex.split(command)
    assert words[:2] == ["aws", "ec2"]
    found: dict[str, list[str]] = {}
    for word in words[3:]:
        if word.startswith("--"):
            found[word] = values = []
        else:
            values.append(word)
    return words[2], found


def test_rules_are_added_before_others_go() -> None:
    step = Step(["narrowed"], [WIDE], [NARROW, GROUP])

    told = [options(command) for command in commands([step])]

    assert told[0] == (
        "authorize-security-group-ingress",
        {
            "--group-id": ["sg-a"],
            "--ip-permissions": [
                '[{"IpProtocol":"tcp","FromPort":8080,"ToPort":8080,'
                '"IpRanges":[{"CidrIp":"10.0.1.0/24","Description":"Orders & more; don\'t"}],'
                '"UserIdGroupPairs":[{"GroupId":"sg-b","UserId":"123456789012",'
                '"Description":"Orders & more; don\'t"}]}]'
            ],
            "--tag-specifications": [
                '[{"ResourceType":"security-group-rule","Tags":[{"Key":"team","Value":"shop"}]}]'
            ],
        },
    )
    assert told[1:] == [
        (
            "revoke-security-group-ingress",
            {"--group-id": ["sg-a"], "--security-group-rule-ids": ["sgr-1"]},
        )
    ]


def test_undoing_adds_what_went_and_takes_what_came_by_what_it_is() -> None:
    step = Step([], [WIDE], [NARROW])

    told = [options(command) for command in undo_commands([step])]

    assert [operation for operation, _ in told] == [
        "authorize-security-group-ingress",
        "revoke-security-group-ingress",
    ]
    assert '"FromPort":8000' in told[0][1]["--ip-permissions"][0]
    assert '"FromPort":8080' in told[1][1]["--ip-permissions"][0]


def test_what_was_done_last_is_undone_first() -> None:
    steps = [Step([], [replace(WIDE, group_id=group)], []) for group in ("sg-a", "sg-b")]

    groups = [options(command)[1]["--group-id"] for command in undo_commands(steps)]

    assert groups == [["sg-b"], ["sg-a"]]


@pytest.mark.parametrize(
    ("rule", "permission"),
    [
        (
            SecurityGroupRule("sg-a", is_egress=True, ipv4_cidr="0.0.0.0/0"),
            {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
        ),
        (
            SecurityGroupRule("sg-a", protocol=17, ipv6_cidr="::/0"),
            {"IpProtocol": "udp", "FromPort": 0, "ToPort": 65535, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]},
        ),
        (
            SecurityGroupRule("sg-a", protocol=58, from_port=128, prefix_list_id="pl-1"),
            {"IpProtocol": "icmpv6", "FromPort": 128, "ToPort": -1, "PrefixListIds": [{"PrefixListId": "pl-1"}]},
        ),
        (
            SecurityGroupRule("sg-a", protocol=47, referenced_group_id="sg-b"),
            {"IpProtocol": "47", "UserIdGroupPairs": [{"GroupId": "sg-b"}]},
        ),
    ],
)  # fmt: skip
def test_each_kind_of_rule_is_a_permission(
    rule: SecurityGroupRule, permission: dict[str, Any]
) -> None:
    operation, told = options(next(commands([Step([], [], [rule])])))

    assert operation == f"authorize-security-group-{rule.direction}"
    assert orjson.loads(told["--ip-permissions"][0]) == [permission]


def test_a_rule_with_a_region_is_changed_there_and_one_without_id_by_what_it_is() -> None:
    rule = replace(WIDE, rule_id=None, region="eu-west-1")

    operation, told = options(next(commands([Step([], [rule], [])])))

    assert operation == "revoke-security-group-ingress"
    assert told["--region"] == ["eu-west-1"]
    assert "--ip-permissions" in told


def test_words_are_comments_whatever_is_in_them() -> None:
    written = script([Step(["of sg-a\naws ec2 delete-vpc"], [WIDE], [])])

    assert "# of sg-a\n# aws ec2 delete-vpc\n" in written
    assert "\naws ec2 delete-vpc" not in written


def test_a_script_with_no_step_does_nothing(tmp_path: Path) -> None:
    file = tmp_path / "change.sh"
    file.write_text(script([]))

    done = [subprocess.run(["sh", file, *word]).returncode for word in ([], ["undo"], ["typo"])]

    assert done == [0, 0, 2]


@pytest.mark.integration
def test_the_script_changes_the_rules_of_an_account_and_takes_it_back(tmp_path: Path) -> None:
    with moto_server() as url:
        access = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        client = boto3.client("ec2", endpoint_url=url, region_name="eu-west-1", **access)
        web, app = (
            client.create_security_group(GroupName=name, Description=name)["GroupId"]
            for name in ("web", "app")
        )
        _authorize(client, app, tags=[{"Key": "team", "Value": "shop"}])
        before = _rules(client, app)
        file = tmp_path / "change.sh"
        file.write_text(script(_steps(client, app, web)))
        environment = os.environ | {
            "PATH": f"{ENVIRONMENT}:{os.environ['PATH']}",
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "eu-west-1",
        }

        subprocess.run(["sh", file], env=environment, check=True, stdout=subprocess.DEVNULL)
        changed = _rules(client, app)
        subprocess.run(["sh", file, "undo"], env=environment, check=True, stdout=subprocess.DEVNULL)
        after = _rules(client, app)

    assert after == before
    assert [
        (r["FromPort"], r["ToPort"], r.get("CidrIpv4"), r.get("Description"), r["Tags"])
        for r in changed
        if not r["IsEgress"]
    ] == [
        (8080, 8080, "10.0.1.0/24", "Orders & more; don't", [{"Key": "team", "Value": "shop"}]),
        (8080, 8080, None, None, [{"Key": "team", "Value": "shop"}]),
    ]
    assert [r["CidrIpv4"] for r in changed if r["IsEgress"]] == ["10.0.0.0/8"]


def _authorize(client: Any, group: str, tags: list[dict[str, str]]) -> None:
    client.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 8000,
                "ToPort": 9000,
                "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "Orders & more; don't"}],
                "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
            }
        ],
        TagSpecifications=[{"ResourceType": "security-group-rule", "Tags": tags}],
    )


def _steps(client: Any, app: str, web: str) -> list[Step]:
    found = [ec2.security_group_rule(raw) for raw in _described(client, app)]
    wide, other = sorted((r for r in found if not r.is_egress), key=lambda r: r.ipv4_cidr is None)
    egress = next(r for r in found if r.is_egress)
    narrow = replace(wide, rule_id=None, from_port=8080, to_port=8080, ipv4_cidr="10.0.1.0/24")
    from_web = replace(
        narrow, ipv4_cidr=None, referenced_group_id=web, referenced_account_id="123456789012"
    )
    inside = replace(egress, rule_id=None, ipv4_cidr="10.0.0.0/8")
    return [
        Step(["unused"], [other], []),
        Step(["narrowed"], [wide], [narrow, from_web]),
        Step(["egress"], [egress], [inside]),
    ]


def _described(client: Any, group: str) -> list[dict[str, Any]]:
    filters = [{"Name": "group-id", "Values": [group]}]
    return list(client.describe_security_group_rules(Filters=filters)["SecurityGroupRules"])


def _rules(client: Any, group: str) -> list[dict[str, Any]]:
    """Describe the rules, without their ids, in an order that does not depend on these."""
    found = [
        {key: value for key, value in raw.items() if key not in ("SecurityGroupRuleId", "SecurityGroupRuleArn")}
        for raw in _described(client, group)
    ]  # fmt: skip
    return sorted(found, key=lambda raw: str(sorted(raw.items())))
