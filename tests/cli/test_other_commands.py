"""``explain``, ``fields``, ``demo``, ``--version`` and the help of every command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
import typer
from commands import Vpcflow

from vpcflow.cli import command_line
from vpcflow.fields import ADDED, FIELDS

REJECTED = "2 123456789012 eni-0a1b2c3d4e5f60718 203.0.113.9 10.0.1.24 40000 22 6 1 40 1700000001 1700000059 REJECT OK"


def test_explain_a_line(vpcflow: Vpcflow) -> None:
    done = vpcflow("explain", "--quiet", REJECTED)

    assert done.status == 0
    assert done.out.decode().splitlines() == [
        "On 2023-11-14 from 22:13:21 to 22:14:19 UTC, TCP (1 packet, 40 bytes) from 203.0.113.9 port 40000"
        " to 10.0.1.24 port 22 was rejected at eni-0a1b2c3d4e5f60718.",
        "A security group or network ACL did not allow it, or the connection was closed already.",
    ]


def test_explain_a_line_of_a_file(vpcflow: Vpcflow, tmp_path: Path) -> None:
    (tmp_path / "flows.log").write_text(
        REJECTED + "\n" + REJECTED.replace("203.0.113.9", "198.51.100.7") + "\n"
    )

    done = vpcflow("explain", "--quiet", "--line", "2", "flows.log")

    assert "from 198.51.100.7 port 40000" in done.out.decode()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["2 123 eni-1 x"], "line 1 of the record is no flow record: fewer tokens than the layout"),
        (["missing.log"], "'missing.log' is neither a file nor a flow log line"),
        (["--line", "9", REJECTED], "the record has no flow record in line 9"),
    ],
)
def test_explain_says_why_it_cannot(vpcflow: Vpcflow, arguments: list[str], words: str) -> None:
    done = vpcflow("explain", "--quiet", *arguments)

    assert done.status == 1
    assert words in done.err


def test_explain_a_record_of_a_transit_gateway(vpcflow: Vpcflow) -> None:
    line = (
        "6 TransitGateway 123456789012 tgw-0a1b tgw-attach-0a1b 123456789012 210987654321 vpc-0a1b vpc-0c2d"
        " subnet-0a1b subnet-0c2d eni-0a1b eni-0c2d use1-az1 use1-az2 tgw-attach-0c2d 10.0.1.20 10.1.1.20"
        " 40001 443 6 10 4840 1700000000 1700000058 OK IPv4 1200 0 3 0"
    )

    done = vpcflow("explain", "--quiet", line)

    said = done.out.decode()
    assert "(10 packets, 4,840 bytes) from 10.0.1.20 port 40001 to 10.1.1.20 port 443" in said
    assert (
        "It was seen at transit gateway tgw-0a1b, attachment tgw-attach-0a1b (the other side's is"
        " tgw-attach-0c2d), from vpc-0a1b of account 123456789012 to vpc-0c2d of account 210987654321."
    ) in said
    assert "Packets were lost: 1,200 for want of a route, 3 for being larger than the MTU." in said


def test_explain_a_record_without_traffic(vpcflow: Vpcflow) -> None:
    line = "2 123456789012 eni-0a1b2c3d4e5f60718 - - - - - - - 1700000000 1700000060 - SKIPDATA"

    done = vpcflow("explain", "--quiet", line)

    assert "had records skipped by AWS" in done.out.decode()


def test_fields_lists_every_column_once(vpcflow: Vpcflow) -> None:
    done = vpcflow("fields")

    columns = [line.split()[0] for line in done.out.decode().splitlines()]
    assert columns == [f.column for f in FIELDS] + [a.column for a in ADDED]


def test_fields_of_a_version_as_json(vpcflow: Vpcflow) -> None:
    done = vpcflow("fields", "--version", "10", "--json")

    (row,) = [orjson.loads(line) for line in done.out.splitlines()]
    assert row["name"] == "encryption-status"
    assert row["type"] == "int32"


def test_fields_as_json_tell_where_a_column_lies_in_each_schema(vpcflow: Vpcflow) -> None:
    done = vpcflow("fields", "--json")

    rows = {row["column"]: row for row in map(orjson.loads, done.out.splitlines())}
    assert rows["srcaddr"]["ecs"] == "source.ip"
    assert rows["direction"]["ecs"] == "network.direction"
    assert rows["direction"]["ocsf"] == "connection_info.direction"


def test_version_names_engine_and_data(vpcflow: Vpcflow) -> None:
    done = vpcflow("--version")

    assert done.status == 0
    assert done.out.decode().startswith("vpcflow ")
    for word in ("pyarrow", "flow log fields", "geolocation: none"):
        assert word in done.out.decode()


def test_the_demo_shows_what_it_wrote(
    vpcflow: Vpcflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")

    first = vpcflow("demo", "--to", "demo", "--minutes", "1")
    again = vpcflow("demo", "--to", "demo", "--minutes", "1")

    said = first.out.decode()
    assert first.status == again.status == 0
    assert "going on without geolocation" in first.err
    assert "load-balancer ↔" in said
    assert "tcp/22" in said
    assert "explain --inventory demo/inventory" in said
    assert list((tmp_path / "demo/enriched").rglob("*.parquet"))


def test_the_demo_does_not_empty_a_directory_that_is_not_its_own(
    vpcflow: Vpcflow, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("keep")

    done = vpcflow("demo", "--to", "mine")

    assert done.status == 1
    assert (tmp_path / "mine/letter.txt").read_text() == "keep"


def commands() -> list[list[str]]:
    root = typer.main.get_command(command_line())
    found = []
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found += [[name], *([name, sub] for sub in inner or ())]
    return found


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_the_help_of_each_command_has_two_examples(vpcflow: Vpcflow, command: list[str]) -> None:
    done = vpcflow(*command, "--help")

    examples = [
        line for line in done.out.decode().splitlines() if f"vpcflow {' '.join(command)}" in line
    ]
    assert done.status == 0
    assert len([line for line in examples if not line.startswith("Usage")]) >= 2


def test_a_command_imports_nothing_that_only_others_need() -> None:
    code = (
        "import sys; sys.argv = ['vpcflow', 'parse', '--help']\n"
        "from vpcflow.__main__ import main\n"
        "try: main()\n"
        "finally: print('LOADED', *sys.modules)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )

    loaded = set(done.stdout.partition("LOADED")[2].split())
    assert "vpcflow.cli.parse" in loaded
    foreign = {"rich", "pydantic", "pandas", "maxminddb", "vpcflow.generate", "vpcflow.cli.demo"}
    assert not loaded & foreign


def test_a_wrong_command_is_told_from_all_there_are(vpcflow: Vpcflow) -> None:
    done = vpcflow("enrihc")

    assert done.status == 2
    assert "enrich" in done.err
