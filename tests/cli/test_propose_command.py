from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import boto3
import orjson
import pyarrow.parquet as pq
import pytest
from commands import Outcome, Vpcflow
from emulator import ENVIRONMENT
from moto_server import moto_server

ACCOUNT = "123456789012"
HEADER = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action"
    " log-status tcp-flags flow-direction"
)


def eni(number: int, address: str, group: str) -> dict[str, Any]:
    return {
        "NetworkInterfaceId": f"eni-{number}",
        "InterfaceType": "interface",
        "OwnerId": ACCOUNT,
        "VpcId": "vpc-1",
        "AvailabilityZone": "eu-west-1a",
        "PrivateIpAddress": address,
        "PrivateIpAddresses": [{"PrivateIpAddress": address, "Primary": True}],
        "Groups": [{"GroupId": group, "GroupName": group}],
    }


def rule(rule_id: str, group: str, ports: tuple[int, int], cidr: str) -> dict[str, Any]:
    return {
        "SecurityGroupRuleId": rule_id,
        "GroupId": group,
        "GroupOwnerId": ACCOUNT,
        "IsEgress": False,
        "IpProtocol": "tcp",
        "FromPort": ports[0],
        "ToPort": ports[1],
        "CidrIpv4": cidr,
        "Description": "Orders",
    }


def flow(src: str, port: int) -> str:
    return f"5 {ACCOUNT} eni-1 {src} 10.0.1.1 50000 {port} 6 5 400 1000 1060 ACCEPT OK 2 ingress"


FLOWS = [flow("10.0.2.10", 443), flow("10.0.2.11", 443), flow("192.0.2.7", 22)]
RULES = [
    rule("sgr-1", "sg-app", (0, 65535), "10.0.0.0/8"),
    rule("sgr-2", "sg-app", (22, 22), "192.0.2.0/24"),
]


class Proposing:
    """Runs the command on files of its own."""

    def __init__(self, vpcflow: Vpcflow, folder: Path, rules: list[Any], app: str, web: str):
        self._vpcflow, self.folder = vpcflow, folder
        answers = {
            "enis": {
                "NetworkInterfaces": [
                    eni(1, "10.0.1.1", app),
                    eni(2, "10.0.2.10", web),
                    eni(3, "10.0.2.11", web),
                ]
            },
            "groups": {
                "SecurityGroups": [
                    {"GroupId": g, "GroupName": g, "OwnerId": ACCOUNT, "VpcId": "vpc-1"}
                    for g in (app, web)
                ]
            },
            "rules": {"SecurityGroupRules": rules},
        }
        (folder / "inventory").mkdir()
        for name, answer in answers.items():
            (folder / "inventory" / f"{name}.json").write_text(json.dumps(answer, default=str))
        (folder / "flows.log").write_text("\n".join([HEADER, *FLOWS, ""]))

    def __call__(self, *arguments: str, verb: str = "propose") -> Outcome:
        known = ["--inventory", str(self.folder / "inventory"), str(self.folder / "flows.log")]
        return self._vpcflow("rules", verb, *arguments, *known)


@pytest.fixture
def propose(vpcflow: Vpcflow, tmp_path: Path) -> Proposing:
    return Proposing(vpcflow, tmp_path, RULES, "sg-app", "sg-web")


def test_proposals_are_told_with_what_they_rest_on_and_what_speaks_against_them(
    propose: Proposing,
) -> None:
    found = propose()

    assert found.status == 0, found.err
    assert "groups: sg-app (sg-app) ingress: the peers' security groups" in found.out.decode()
    assert "  - sgr-1  tcp 0-65535 from 10.0.0.0/8  'Orders'\n" in found.out.decode()
    assert "  + tcp 443 from sg-web  'Orders'\n" in found.out.decode()
    assert "seen: 2 connections of 2 peers to port 443" in found.out.decode()
    assert "risk: few connections were seen: 2" in found.out.decode()
    assert "1 proposal: of 2 rules 1 go, 1 come" in found.out.decode()


def test_the_json_is_a_change_that_cuts_nothing(propose: Proposing) -> None:
    change = propose("--to", str(propose.folder / "change.json"))
    replayed = propose("--change", str(propose.folder / "change.json"), verb="replay")

    written = orjson.loads((propose.folder / "change.json").read_bytes())
    assert (change.status, replayed.status) == (0, 0), replayed.err
    assert written["remove"] == ["sgr-1"]
    assert [one["ReferencedGroupInfo"]["GroupId"] for one in written["add"]] == ["sg-web"]


def test_a_row_of_parquet_has_all_of_a_proposal(propose: Proposing) -> None:
    propose("--to", str(propose.folder / "proposals.parquet"))

    (row,) = pq.read_table(propose.folder / "proposals.parquet").to_pylist()
    assert (row["kind"], row["remove"], row["added"]) == (
        "groups",
        ["sgr-1"],
        ["tcp 443 from sg-web"],
    )
    assert (row["connections"], row["peers"], row["ports"], row["blocked"]) == (2, 2, "443", 0)


def test_the_script_has_the_commands_and_those_that_undo_them(propose: Proposing) -> None:
    found = propose("--format", "aws-cli")

    commands = [
        line.split()[2] for line in found.out.decode().splitlines() if line.startswith("aws ec2 ")
    ]
    assert commands == ["authorize-security-group-ingress", "revoke-security-group-ingress"] * 2
    assert "1 proposal: of 2 rules 1 go, 1 come" in found.err


def test_exceptions_are_kept_and_expired_ones_said(propose: Proposing) -> None:
    keep = propose.folder / "keep.csv"
    keep.write_text(
        "rule,reason,expires\nsgr-1,audit,2999-12-31\nsgr-2,old,2020-01-01\nsgr-9,gone,\n"
    )

    found = propose("--exceptions", str(keep))

    assert "0 proposals" in found.out.decode()
    assert "left as they are: 1 rule, exception: its owner wants it kept" in found.out.decode()
    assert "the exception for sgr-2 (line 3: old) expired on 2020-01-01" in found.err
    assert "the inventory has no rule 'sgr-9', an exception (line 4)" in found.err


def test_a_fault_in_the_exceptions_is_told_with_its_line(propose: Proposing) -> None:
    (propose.folder / "keep.csv").write_text("rule,reason\nsgr-1,\n")

    found = propose("--exceptions", str(propose.folder / "keep.csv"))

    assert found.status == 1
    assert "line 2: gives no reason" in found.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--kind", "wild"], "unknown kinds: wild (known: unused"),
        (["--format", "yaml"], "unknown format 'yaml' (known: table, json, csv, parquet, aws-cli)"),
        (["--rules-per-group", "500"], "500 rules a group times 5 groups an interface is 2,500"),
    ],
)
def test_wrong_options_are_told_before_anything_is_read(
    propose: Proposing, arguments: list[str], said: str
) -> None:
    found = propose(*arguments)

    assert found.status == 2
    assert said in found.err


def test_kinds_groups_and_proof_can_be_asked_for(propose: Proposing) -> None:
    asked = [["--kind", "unused"], ["--group", "sg-web"], ["--proven"], ["--kind", "groups"]]

    counts = [propose("--format", "csv", *one).out.count(b"\n") - 1 for one in asked]

    assert counts == [0, 0, 0, 1]


@pytest.mark.integration
def test_the_script_changes_an_account_and_takes_it_back(vpcflow: Vpcflow, tmp_path: Path) -> None:
    with moto_server() as url:
        access = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        client = boto3.client("ec2", endpoint_url=url, region_name="eu-west-1", **access)
        app, web = (
            client.create_security_group(GroupName=name, Description=name)["GroupId"]
            for name in ("app", "web")
        )
        client.authorize_security_group_ingress(
            GroupId=app,
            IpPermissions=[
                {
                    "IpProtocol": "tcp",
                    "FromPort": low,
                    "ToPort": high,
                    "IpRanges": [{"CidrIp": cidr, "Description": "Orders"}],
                }
                for low, high, cidr in ((0, 65535, "10.0.0.0/8"), (22, 22, "192.0.2.0/24"))
            ],
        )
        before = described(client, app)
        script = tmp_path / "change.sh"
        proposing = Proposing(vpcflow, tmp_path, before, app, web)
        environment = os.environ | {
            "PATH": f"{ENVIRONMENT}:{os.environ['PATH']}",
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "eu-west-1",
        }

        proposing("--to", str(script))
        subprocess.run(["sh", script], env=environment, check=True, stdout=subprocess.DEVNULL)
        changed = described(client, app)
        subprocess.run(
            ["sh", script, "undo"], env=environment, check=True, stdout=subprocess.DEVNULL
        )
        after = described(client, app)

    assert essence(after) == essence(before) != essence(changed)
    assert [r["ReferencedGroupInfo"]["GroupId"] for r in changed if "ReferencedGroupInfo" in r] == [web]  # fmt: skip


def described(client: Any, group: str) -> list[dict[str, Any]]:
    filters = [{"Name": "group-id", "Values": [group]}]
    return list(client.describe_security_group_rules(Filters=filters)["SecurityGroupRules"])


def essence(rules: list[dict[str, Any]]) -> list[str]:
    """Spell rules without the ids that EC2 gives."""
    ids = ("SecurityGroupRuleId", "SecurityGroupRuleArn")
    return sorted(str(sorted((k, str(v)) for k, v in one.items() if k not in ids)) for one in rules)
