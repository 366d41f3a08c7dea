"""
``docs/walkthrough.md`` does what it says: its commands are run in a fresh checkout, against the emulator.

A comment before a block tells what this test does otherwise: ``<!-- not run: why -->`` leaves the block out,
``<!-- before: command -->`` runs what the reader has done already, or what stands for it. Where the emulator is not
AWS: documents are there once a line has come through and are not compressed, functions reach nothing but this machine,
and they run in its Python, for which ``make build`` is told to build.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from deployed import run
from emulator import ROOT, Emulator

pytestmark = pytest.mark.integration

PAGE = ROOT / "docs" / "walkthrough.md"
_PART = re.compile(
    r"^## (?P<heading>.+)$"
    r"|^<!-- (?P<what>before|not run): (?P<text>.+) -->$"
    r"|^```sh\n(?P<block>(?:.*\n)*?)```$",
    re.MULTILINE,
)


def commands_of(page: str) -> dict[str, str]:
    """Give the commands of each section, in order, as the comments have them run."""
    sections: dict[str, str] = {}
    heading, is_left_out = "", False
    for part in _PART.finditer(page):
        if part["heading"]:
            heading = part["heading"]
        elif part["what"] == "not run":
            is_left_out = True
        else:
            if not is_left_out:
                sections[heading] = sections.get(heading, "") + (
                    part["block"] or part["text"] + "\n"
                )
            is_left_out = False
    return sections


def checkout(folder: Path) -> Path:
    """Copy what the repository has; the environments are those that are installed, and newer than all of it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        source, copy = ROOT / name, folder / name
        if name and source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy)
            os.utime(copy, (0, 0))
    for environment in (".venv", ".venv-sam"):
        (folder / environment).symlink_to((ROOT / environment).resolve())
    return folder


def run_in_turn(
    sections: Mapping[str, str], folder: Path, environment: Mapping[str, str]
) -> dict[str, str]:
    """Run the sections in one shell; gives what each printed. The first command that fails is the last."""
    script = folder.parent / "walkthrough.sh"
    script.write_text(
        "".join(f"echo '==== {heading}'\n{commands}" for heading, commands in sections.items())
    )
    done = run("bash", "-euo", "pipefail", script, environment=environment, folder=folder)
    _, *printed = re.split(r"^==== ", done, flags=re.MULTILINE)
    return dict(text.split("\n", 1) for text in printed)


def json_lines(text: str) -> list[dict[str, Any]]:
    return [orjson.loads(part) for part in re.split(r"[\t\n]", text) if part.startswith("{")]


def everything(emulator: Emulator) -> dict[str, set[str]]:
    """Give what an account has of all that the stack makes."""
    ask = emulator.client
    rules = ask("events").list_rules()["Rules"]
    return {
        "buckets": {one["Name"] for one in ask("s3").list_buckets()["Buckets"]},
        "log groups": {
            one["logGroupName"] for one in ask("logs").describe_log_groups()["logGroups"]
        },
        "functions": {one["FunctionName"] for one in ask("lambda").list_functions()["Functions"]},
        "layers": {one["LayerName"] for one in ask("lambda").list_layers()["Layers"]},
        "streams": set(ask("firehose").list_delivery_streams()["DeliveryStreamNames"]),
        "queues": set(ask("sqs").list_queues().get("QueueUrls", ())),
        "roles": {one["RoleName"] for one in ask("iam").list_roles()["Roles"]},
        "rules": {one["Name"] for one in rules},
        "parameters": {one["Name"] for one in ask("ssm").describe_parameters()["Parameters"]},
        "alarms": {one["AlarmName"] for one in ask("cloudwatch").describe_alarms()["MetricAlarms"]},
        "dashboards": {
            one["DashboardName"] for one in ask("cloudwatch").list_dashboards()["DashboardEntries"]
        },
    }


class Walk(NamedTuple):
    """What was there before, and what each section of the page printed."""

    folder: Path
    group: str
    before: Mapping[str, set[str]]
    printed: Mapping[str, str]


@pytest.fixture(scope="module")
def walk(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Walk:
    folder = checkout(tmp_path_factory.mktemp("walk") / "vpcflow")
    group = an_interface(emulator)
    before = everything(emulator)
    sections = commands_of(PAGE.read_text())
    return Walk(folder, group, before, run_in_turn(sections, folder, emulator.environment))


def an_interface(emulator: Emulator) -> str:
    """Make the account's only interface; gives its security group."""
    ec2 = emulator.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]
    group = ec2.create_security_group(GroupName="web", Description="web", VpcId=subnet["VpcId"])[
        "GroupId"
    ]
    ec2.create_network_interface(SubnetId=subnet["SubnetId"], Groups=[group])
    return str(group)


def left(emulator: Emulator, walk: Walk) -> dict[str, set[str]]:
    """Give what is there that was not there before, but for the log group of the reader's own."""
    mine = {"/vpc/flow-logs"}
    now = {kind: names - walk.before[kind] - mine for kind, names in everything(emulator).items()}
    return {kind: names for kind, names in now.items() if names}


def test_comments_decide_what_is_run() -> None:
    page = (
        "## A\n```sh\none\n```\n<!-- not run: no -->\n\n```sh\ntwo\n```\n"
        "## B\n<!-- before: three -->\n```sh\nfour\n```\n"
    )

    assert commands_of(page) == {"A": "one\n", "B": "three\nfour\n"}


def test_documents_have_the_groups_of_the_interface(walk: Walk) -> None:
    documents = json_lines(walk.printed["See the documents"])

    assert [one["security-group-ids"] for one in documents] == [[walk.group]] * 3


def test_functions_say_what_they_did(walk: Walk) -> None:
    said = json_lines(walk.printed["See what the functions say"])

    assert {one["function"] for one in said} == {"ingestor", "decorator"}
    delivered = [one.get("records_delivered", 0) for one in said if one["function"] == "decorator"]
    assert sum(delivered) == 5 * 50 + 1


def test_cleaning_up_leaves_what_it_names_and_nothing_else(emulator: Emulator, walk: Walk) -> None:
    named = walk.printed["Clean up"]

    found = left(emulator, walk)

    assert set(found) == {"buckets", "log groups"}
    assert all(name in named for names in found.values() for name in names)
