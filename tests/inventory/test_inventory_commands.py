from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from inventories import eni, snapshot
from typer.testing import CliRunner

from vpcflow.cli.inventory import app
from vpcflow.errors import InventoryError
from vpcflow.inventory import (
    NetworkAcl,
    NetworkAclEntry,
    PeeredVpc,
    SecurityGroup,
    SecurityGroupRule,
    TransitGateway,
    TransitGatewayAttachment,
    Vpc,
    VpcPeeringConnection,
    write_snapshot,
)

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

T = 1_700_000_000


def run(*arguments: object) -> Result:
    """Run a command; errors that the command line would put into words are raised."""
    result = CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "120"})
    if isinstance(result.exception, InventoryError):
        raise result.exception
    return result


def save_interface(directory: Path, number: int) -> Path:
    directory.mkdir()
    interface = {"NetworkInterfaceId": f"eni-{number}", "OwnerId": "123456789012", "VpcId": "vpc-a"}
    (directory / "enis.json").write_text(json.dumps({"NetworkInterfaces": [interface]}))
    return directory


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """A history of two snapshots, in which a group gets a second rule."""
    group = SecurityGroup(
        "sg-a", "web", owner_id="123456789012", region="eu-west-1", vpc_ids=("vpc-a",)
    )
    fields = {"protocol": 6, "from_port": 443, "to_port": 443, "group_owner_id": "123456789012"}
    rules = [
        SecurityGroupRule("sg-a", f"sgr-{i}", region="eu-west-1", ipv4_cidr=cidr, **fields)
        for i, cidr in enumerate(["192.0.2.0/24", "198.51.100.0/24"])
    ]
    one = eni(1, "10.0.0.1", ipv4_prefixes=("10.0.1.0/28",), description="front door")
    vpc = Vpc("vpc-a", "123456789012", "eu-west-1", ("10.0.0.0/16",), (("Name", "prod"),))
    for i in range(2):
        captured = snapshot(
            T + 3600 * i,
            one,
            security_groups=(group,),
            security_group_rules=tuple(rules[: i + 1]),
            vpcs=(vpc,),
        )
        write_snapshot(captured, tmp_path / f"{i}.json")
    return tmp_path


def test_import_makes_one_snapshot_of_several_directories(tmp_path: Path) -> None:
    first, second = save_interface(tmp_path / "a", 1), save_interface(tmp_path / "b", 2)

    result = run(
        "import",
        first,
        second,
        "--to",
        tmp_path / "all.json",
        "--captured-at",
        "2026-01-31T12:00:00Z",
    )

    assert result.exit_code == 0
    assert "2 network interfaces" in result.stderr
    written = json.loads((tmp_path / "all.json").read_text())
    assert written["captured_at"] == "2026-01-31T12:00:00Z"
    assert [one["interface_id"] for one in written["interfaces"]] == ["eni-1", "eni-2"]


def test_import_into_a_directory_names_the_file_after_its_time(tmp_path: Path) -> None:
    source = save_interface(tmp_path / "a", 1)

    run("import", source, "--to", f"{tmp_path}/history/", "--captured-at", T)

    assert [file.name for file in (tmp_path / "history").iterdir()] == [
        "snapshot-2023-11-14T221320Z.json.gz"
    ]


def test_import_of_a_snapshot_is_an_error(history: Path) -> None:
    with pytest.raises(InventoryError, match="is a snapshot already"):
        run("import", history, "--to", history / "all.json")


def test_show_sums_an_inventory_up(history: Path) -> None:
    shown = " ".join(run("show", history).stdout.split())

    for part in (
        "2023-11-14T22:13:20Z", "60 min", "123456789012", "eu-west-1", "security group rules 2", "prod", "10.0.0.0/16",
    ):  # fmt: skip
        assert part in shown


@pytest.mark.parametrize("what", ["eni-1", "10.0.0.1", "10.0.1.9"])
def test_show_finds_an_interface_by_id_address_and_prefix(history: Path, what: str) -> None:
    shown = run("show", history, what).stdout

    for part in (
        "eni-1",
        "front door",
        "10.0.0.1 (primary)",
        "sg-a (a)",
        "2023-11-14T22:13:20Z to 2023-11-14T23:13:20Z",
    ):
        assert part in shown


def test_show_lists_the_rules_of_a_group_and_when_they_were_seen(history: Path) -> None:
    shown = run("show", history, "sg-a").stdout

    lines = {line.split()[0]: line for line in shown.splitlines() if line.startswith("sgr-")}
    assert "tcp" in lines["sgr-0"] and "443" in lines["sgr-0"] and "192.0.2.0/24" in lines["sgr-0"]
    assert lines["sgr-1"].rstrip().endswith("2023-11-14T23:13:20Z")


@pytest.mark.parametrize(
    ("what", "parts"),
    [
        ("acl-1", ["vpc-a", "subnet-1, subnet-2", "100 ingress allow tcp 22-23 192.0.2.0/24",
                   "32767 egress deny all all 0.0.0.0/0", "110 ingress deny icmp type 8 0.0.0.0/0"]),
        ("pcx-1", ["active", "vpc-a, 123456789012, eu-west-1, 10.0.0.0/16", "vpc-b, 210987654321"]),
        ("tgw-1", ["210987654321", "group references enabled"]),
        ("tgw-attach-1", ["tgw-1", "vpc-a", "available", "group references disabled"]),
    ],
)  # fmt: skip
def test_show_finds_what_lies_between_vpcs_by_id(
    tmp_path: Path, what: str, parts: list[str]
) -> None:
    entries = (
        NetworkAclEntry(100, False, True, 6, "192.0.2.0/24", 22, 23),
        NetworkAclEntry(110, False, False, 1, "0.0.0.0/0", icmp_type=8),
        NetworkAclEntry(32767, True, False, -1, "0.0.0.0/0"),
    )
    peered = (
        PeeredVpc("vpc-a", "123456789012", "eu-west-1", ("10.0.0.0/16",)),
        PeeredVpc("vpc-b", "210987654321"),
    )
    captured = snapshot(
        T,
        network_acls=(
            NetworkAcl("acl-1", "vpc-a", subnet_ids=("subnet-1", "subnet-2"), entries=entries),
        ),
        vpc_peering_connections=(VpcPeeringConnection("pcx-1", "active", *peered),),
        transit_gateways=(
            TransitGateway("tgw-1", "210987654321", security_group_referencing=True),
        ),
        transit_gateway_attachments=(
            TransitGatewayAttachment(
                "tgw-attach-1",
                "tgw-1",
                "vpc-a",
                state="available",
                security_group_referencing=False,
            ),
        ),
    )
    write_snapshot(captured, tmp_path / "a.json")

    shown = " ".join(run("show", tmp_path, what).stdout.split())

    for part in (what, *parts):
        assert part in shown


@pytest.mark.parametrize("what", ["eni-9", "sg-9", "10.9.9.9", "2001:db8::9", "web"])
def test_show_of_what_is_not_there_is_an_error_that_names_it(history: Path, what: str) -> None:
    with pytest.raises(InventoryError, match=what):
        run("show", history, what)


@pytest.mark.parametrize("verb", ["import", "show"])
def test_help_has_two_examples(verb: str) -> None:
    shown = run(verb, "--help").stdout

    assert shown.count(f"vpcflow inventory {verb} ") == 2
