from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from inventories import SCOPE, eni, snapshot

from vpcflow.errors import InventoryError
from vpcflow.inventory import (
    ConnectionTracking,
    FlowLog,
    GroupRef,
    Instance,
    NetworkAcl,
    NetworkAclEntry,
    PeeredVpc,
    PrefixList,
    PrefixListEntry,
    SecurityGroup,
    SecurityGroupRule,
    Snapshot,
    Subnet,
    TransitGateway,
    TransitGatewayAttachment,
    Vpc,
    VpcPeeringConnection,
    load_inventory,
    write_snapshot,
)
from vpcflow.inventory.snapshots import VERSION, file_name, read_snapshot, seconds_of, snapshot_json

FIXTURES = Path(__file__).parent / "fixtures"
T = 1_700_000_000

EARLIER = snapshot(
    T,
    eni(
        1, "10.0.0.1", "10.0.0.2", interface_type="interface", description="d", subnet_id="subnet-1", az_id="euw1-az1",
        public_addresses=("203.0.113.1",), ipv6_addresses=("2001:db8::1",), ipv4_prefixes=("10.0.1.16/28",),
        ipv6_prefixes=("2001:db8:0:0:1::/80",), attachment_id="eni-attach-1", instance_id="i-1",
        instance_owner_id="123456789012", requester_managed=True, managed_by="amazon-elb",
        source_dest_check=False, connection_tracking=ConnectionTracking(350, None, 30), tags=(("k", "v"),),
    ),
    eni(2, source_dest_check=True, groups=""),
    security_groups=(
        SecurityGroup("sg-a", "a", "all", "123456789012", "eu-west-1", ("vpc-a", "vpc-b"), (("k", ""),)),
    ),
    security_group_rules=(
        SecurityGroupRule(
            "sg-a", "sgr-1", "123456789012", "eu-west-1", protocol=6, from_port=0, to_port=22,
            referenced_group_id="sg-b", referenced_account_id="210987654321", referenced_vpc_id="vpc-b",
            description="d", tags=(("k", "v"),),
        ),
        SecurityGroupRule("sg-a", is_egress=True, ipv4_cidr="0.0.0.0/0"),
    ),
    prefix_lists=(
        PrefixList(
            "pl-1", "offices", "123456789012", "eu-west-1", "IPv4", 3,
            (PrefixListEntry("198.51.100.0/24", "d"),),
        ),
        PrefixList("pl-2", entries=()),
        PrefixList("pl-3"),
    ),
    instances=(Instance("i-1", "123456789012", "eu-west-1", "vpc-a", (("Name", "web-1"),)),),
    subnets=(Subnet("subnet-1", "vpc-a", "123456789012", "eu-west-1a", "euw1-az1", ("10.0.0.0/24",)),),
    vpcs=(Vpc("vpc-a", "123456789012", "eu-west-1", ("10.0.0.0/16",)),),
    flow_logs=(
        FlowLog(
            "fl-1", "vpc-a", "${version}", "ALL", "cloud-watch-logs", "arn:aws:logs:…", "logs", 60, "plain-text",
            (("instance", ("team", "app")),),
        ),
    ),
)  # fmt: skip

FULL = replace(
    EARLIER,
    kinds=EARLIER.kinds
    | {"vpc_peering_connections", "network_acls", "transit_gateways", "transit_gateway_attachments"},
    vpc_peering_connections=(
        VpcPeeringConnection(
            "pcx-1", "active", PeeredVpc("vpc-a", "123456789012", "eu-west-1", ("10.0.0.0/16",)),
            PeeredVpc("vpc-b", "210987654321", "us-east-1"), "123456789012", "eu-west-1", (("k", "v"),),
        ),
        VpcPeeringConnection("pcx-2"),
    ),
    network_acls=(
        NetworkAcl(
            "acl-1", "vpc-a", "123456789012", "eu-west-1", True, ("subnet-1", "subnet-2"),
            (
                NetworkAclEntry(100, False, True, 6, "192.0.2.0/24", 0, 22),
                NetworkAclEntry(32767, True, False, 1, "0.0.0.0/0", None, None, 0, 0),
            ),
        ),
        NetworkAcl("acl-2"),
    ),
    transit_gateways=(TransitGateway("tgw-1", "210987654321", "eu-west-1", "available", False),),
    transit_gateway_attachments=(
        TransitGatewayAttachment(
            "tgw-attach-1", "tgw-1", "vpc-a", "123456789012", "eu-west-1", "available", True, ("subnet-1",),
        ),
        TransitGatewayAttachment("tgw-attach-2"),
    ),
)  # fmt: skip
WRITTEN = {"snapshot-v1.json": EARLIER, "snapshot-v2.json": FULL}


def no_warning(text: str) -> None:
    raise AssertionError(text)


def load(path: Path, **options: Any) -> tuple[Snapshot, ...]:
    """Load snapshots, without where they came from."""
    loaded = load_inventory(path, warn=no_warning, **options).snapshots
    return tuple(replace(one, origin="") for one in loaded)


@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
def test_a_snapshot_is_read_as_it_was_written(tmp_path: Path, name: str) -> None:
    write_snapshot(FULL, tmp_path / name)

    assert load(tmp_path / name) == (FULL,)
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_snapshot_is_read_however_its_json_is_laid_out(tmp_path: Path) -> None:
    parsed = json.loads(snapshot_json(FULL))
    (tmp_path / "a.json").write_text(json.dumps(parsed, indent=2))
    (tmp_path / "b.json").write_text(json.dumps(parsed, separators=(",", ":")))

    assert load(tmp_path) == (FULL, FULL)


def test_a_list_that_was_not_captured_stays_apart_from_an_empty_one(tmp_path: Path) -> None:
    for name, one in (("a", snapshot(T, vpcs=())), ("b", snapshot(T + 1)), ("c", Snapshot(T + 2))):
        write_snapshot(one, tmp_path / f"{name}.json")

    kinds = [one.kinds for one in load(tmp_path)]

    assert kinds == [{"interfaces", "vpcs"}, {"interfaces"}, set()]


def test_equal_snapshots_are_equal_files(tmp_path: Path) -> None:
    write_snapshot(FULL, tmp_path / "a.json.gz")
    write_snapshot(load(tmp_path / "a.json.gz")[0], tmp_path / "b.json.gz")

    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()


def test_a_directory_of_snapshots_is_a_history_by_capture_time(tmp_path: Path) -> None:
    write_snapshot(snapshot(T + 10, eni(1)), tmp_path / "2026" / "a.json.gz")
    write_snapshot(snapshot(T, eni(1)), tmp_path / "2027" / "b.json")

    assert [one.captured_at for one in load(tmp_path)] == [T, T + 10]


@pytest.mark.parametrize("others", [{}, {"flow_logs": ()}])
def test_an_unchanged_object_is_one_object_in_all_of_a_history(
    tmp_path: Path, others: dict[str, Any]
) -> None:
    for i in range(3):
        captured = snapshot(T + i, eni(1), eni(2, groups=f"sg-{i}"), **others)
        write_snapshot(captured, tmp_path / f"{i}.json")

    first, second, third = (one.interfaces for one in load(tmp_path))

    assert first[0] is second[0] is third[0]
    assert first[1] != second[1] != third[1]


def test_a_given_capture_time_goes_before_the_snapshots_own(tmp_path: Path) -> None:
    write_snapshot(FULL, tmp_path / "a.json")

    assert load(tmp_path, captured_at=5.7)[0].captured_at == 5


def test_a_history_takes_no_capture_time(tmp_path: Path) -> None:
    write_snapshot(FULL, tmp_path / "a.json")
    write_snapshot(FULL, tmp_path / "b.json")

    with pytest.raises(InventoryError, match="2 snapshots, each with a time of its own"):
        load(tmp_path, captured_at=5)


@pytest.mark.parametrize("stated", [("210987654321", "us-east-1"), None])
def test_scopes_are_those_stated_else_those_of_the_objects(
    tmp_path: Path, stated: tuple[str, str] | None
) -> None:
    scopes = [stated] if stated else []
    write_snapshot(snapshot(T, eni(1), scopes=scopes), tmp_path / "a.json")

    assert load(tmp_path)[0].scopes == (stated or SCOPE,)


@pytest.mark.parametrize("indent", [None, 1])
def test_gaps_come_back(tmp_path: Path, indent: int | None) -> None:
    gaps = (("instances", SCOPE),)
    given = snapshot(T, eni(1), scopes=[SCOPE], instances=(), gaps=gaps)
    raw = json.loads(snapshot_json(given))
    (tmp_path / "a.json").write_bytes(
        snapshot_json(given) if indent is None else json.dumps(raw, indent=indent).encode()
    )

    found = load(tmp_path)[0]

    assert found.gaps == gaps
    assert found.covers("interfaces", SCOPE)
    assert not found.covers("instances", SCOPE)


@pytest.mark.parametrize(
    ("old", "new"), [(b'"interfaces":[', b'"inter\xfffaces":['), (b'"interfaces":[\n', b"")]
)
def test_a_list_whose_name_is_damaged_or_gone_is_an_error(
    tmp_path: Path, old: bytes, new: bytes
) -> None:
    data = snapshot_json(snapshot(T, eni(1)))
    (tmp_path / "a.json").write_bytes(data.replace(old, new))

    with pytest.raises(InventoryError, match=r"a\.json"):
        load(tmp_path)


@pytest.mark.parametrize("version", [VERSION + 1, 0, "1", None])
def test_a_version_that_is_not_known_is_an_error_that_says_so(
    tmp_path: Path, version: object
) -> None:
    for name, indent in (("a", None), ("b", 1)):
        text = json.dumps(
            {"vpcflow_snapshot": version, "captured_at": "2026-01-01T00:00:00Z"}, indent=indent
        )
        (tmp_path / f"{name}.json").write_text(text)

        with pytest.raises(
            InventoryError, match=rf"{name}.json: snapshot format .* use a newer vpcflow"
        ):
            load(tmp_path / f"{name}.json")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ({"captured_at": "yesterday"}, "damaged snapshot"),
        ({"scopes": [1]}, "damaged snapshot"),
        ({"interfaces": [{"interface_id": "eni-1", "colour": "red"}]}, "damaged snapshot .*colour"),
        ({"interfaces": [{}]}, "damaged snapshot .*interface_id"),
        ({"balloons": []}, "no snapshot has 'balloons'"),
    ],
)
def test_a_damaged_snapshot_is_an_error_that_names_it(damage: dict[str, Any], says: str) -> None:
    raw = {"vpcflow_snapshot": 1, "captured_at": "2026-01-01T00:00:00Z", **damage}

    with pytest.raises(InventoryError, match=f"here: {says}"):
        read_snapshot(raw, "here")


def test_a_snapshot_cut_off_anywhere_is_an_error(tmp_path: Path) -> None:
    data = snapshot_json(FULL)

    for length in range(1, len(data) - 2, 31):
        (tmp_path / "a.json").write_bytes(data[:length])
        with pytest.raises(InventoryError):
            load(tmp_path / "a.json")


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(InventoryError, match="cannot be written"):
        write_snapshot(FULL, tmp_path / "file" / "a.json")


def test_names_of_snapshots_sort_as_their_times() -> None:
    assert file_name(T) == "snapshot-2023-11-14T221320Z.json.gz"


@pytest.mark.parametrize(
    "text",
    [
        "2023-11-14T22:13:20Z",
        "2023-11-14T22:13:20",
        "2023-11-14T23:13:20+01:00",
        "2023-11-14T22:13:20.9Z",
    ],
)
def test_a_time_without_zone_is_utc(text: str) -> None:
    assert seconds_of(text) == T


def test_there_is_a_fixture_for_every_version_of_the_format() -> None:
    names = sorted(file.name for file in FIXTURES.glob("snapshot-v*.json"))

    assert names == [f"snapshot-v{version}.json" for version in range(1, VERSION + 1)]


@pytest.mark.parametrize("file", sorted(FIXTURES.glob("snapshot-v*.json")), ids=lambda f: f.name)
def test_snapshots_of_every_version_still_load(file: Path) -> None:
    (loaded,) = load(file)

    assert loaded == WRITTEN[file.name]


def test_a_snapshot_is_written_as_the_earliest_version_that_can_hold_it() -> None:
    versions = [json.loads(snapshot_json(one))["vpcflow_snapshot"] for one in (EARLIER, FULL)]

    assert versions == [1, 2]


def test_group_names_may_be_missing(tmp_path: Path) -> None:
    nameless = replace(eni(1), groups=(GroupRef("sg-a"),))
    write_snapshot(snapshot(T, nameless), tmp_path / "a.json")

    assert load(tmp_path)[0].interfaces == (nameless,)


def test_a_size_of_a_prefix_list_needs_the_newer_version_of_snapshots() -> None:
    sized = PrefixList("pl-1", max_entries=20)
    unsized = Snapshot(0, kinds=frozenset({"prefix_lists"}), prefix_lists=(PrefixList("pl-1"),))

    written = [snapshot_json(unsized), snapshot_json(replace(unsized, prefix_lists=(sized,)))]

    assert [orjson.loads(one)["vpcflow_snapshot"] for one in written] == [1, 2]
    assert read_snapshot(orjson.loads(written[1]), "x").prefix_lists == (sized,)
