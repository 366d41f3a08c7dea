"""``vpcflow enrich``: what the options do, on an inventory of two interfaces as the AWS CLI prints it."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from commands import Vpcflow
from ocsf_events import faults

OWN, PEER = "eni-0a1b2c3d4e5f60718", "eni-0b1b2c3d4e5f60718"
FLOW = f"2 123456789012 {OWN} 10.0.1.24 10.0.2.9 52144 5432 6 12 4840 1700000000 1700000058 ACCEPT OK\n"
STRANGER = FLOW.replace(OWN, "eni-0c1b2c3d4e5f60718")


def interface(ident: str, address: str, group: str) -> dict[str, object]:
    return {
        "NetworkInterfaceId": ident,
        "VpcId": "vpc-0a1b2c3d4e5f60718",
        "SubnetId": "subnet-0a1b2c3d4e5f60718",
        "OwnerId": "123456789012",
        "InterfaceType": "interface",
        "PrivateIpAddresses": [{"Primary": True, "PrivateIpAddress": address}],
        "Groups": [{"GroupId": f"sg-{group}", "GroupName": group}],
        "TagSet": [],
    }


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    folder = tmp_path / "inventory"
    folder.mkdir()
    answer = {
        "NetworkInterfaces": [interface(OWN, "10.0.1.24", "app"), interface(PEER, "10.0.2.9", "db")]
    }
    (folder / "describe-network-interfaces.json").write_text(json.dumps(answer))
    return folder


def test_both_ends_are_named(vpcflow: Vpcflow, inventory: Path) -> None:
    done = vpcflow(
        "enrich", "--inventory", inventory, "--inventory-time", "1700000000", given=FLOW.encode()
    )

    (document,) = done.documents
    assert done.status == 0
    assert document["security_group_ids"] == ["sg-app"]
    assert document["security_group_names"] == ["app"]
    assert document["direction"] == "egress"
    assert document["direction_basis"] == "address"
    assert document["peer_security_group_ids"] == ["sg-db"]
    assert document["peer_interface_id"] == PEER
    assert document["inventory_state"] == "nearest"
    assert document["protocol_name"] == "tcp"
    assert len(str(document["event_id"])) == 32


def test_an_unknown_interface_is_a_document_all_the_same(vpcflow: Vpcflow, inventory: Path) -> None:
    done = vpcflow("enrich", "--inventory", inventory, given=STRANGER.encode())

    (document,) = done.documents
    assert done.status == 0
    assert document["inventory_state"] == "unknown"
    assert "security_group_ids" not in document


def test_without_an_inventory_a_hint_is_said_once(vpcflow: Vpcflow) -> None:
    done = vpcflow("enrich", given=(FLOW * 2).encode())

    assert done.status == 0
    assert done.err.count("no --inventory") == 1
    assert all("inventory_state" not in document for document in done.documents)


@pytest.mark.parametrize(
    ("time", "options", "state"),
    [
        ("2023-11-14T22:13:20Z", (), "nearest"),
        ("1700007258", (), "stale"),
        ("1700007258", ("--inventory-max-age", "7200"), "nearest"),
        ("1700007258", ("--max-stale", "7199"), "unknown"),
    ],
)
def test_the_time_of_the_inventory_decides_its_state(
    vpcflow: Vpcflow, inventory: Path, time: str, options: tuple[str, ...], state: str
) -> None:
    done = vpcflow(
        "enrich", "--inventory", inventory, "--inventory-time", time, *options, given=FLOW.encode()
    )

    assert done.documents[0]["inventory_state"] == state


def test_the_time_of_the_inventory_must_be_a_time(vpcflow: Vpcflow, inventory: Path) -> None:
    done = vpcflow("enrich", "--inventory", inventory, "--inventory-time", "yesterday", given=b"")

    assert done.status == 2
    assert "'yesterday' is no time" in done.err


def test_columns_choose_and_order(vpcflow: Vpcflow, inventory: Path) -> None:
    done = vpcflow(
        "enrich", "--inventory", inventory, "--columns", "direction,srcaddr", given=FLOW.encode()
    )

    assert done.out == b'{"direction":"egress","srcaddr":"10.0.1.24"}\n'


def test_an_unknown_column_is_named(vpcflow: Vpcflow) -> None:
    done = vpcflow("enrich", "--columns", "srcaddr,colour", given=FLOW.encode())

    assert done.status == 2
    assert "names no column: 'colour'" in done.err


def test_the_appender_schema_keeps_the_original_keys(vpcflow: Vpcflow, inventory: Path) -> None:
    done = vpcflow("enrich", "--inventory", inventory, "--schema", "appender", given=FLOW.encode())

    (document,) = done.documents
    assert document["@timestamp"] == "2023-11-14T22:14:18.000Z"
    assert document["destaddr"] == "10.0.2.9"
    assert document["direction"] == "outbound"
    assert document["source-city"] == ""
    assert "source-location" not in document


def test_the_appender_schema_is_no_parquet(vpcflow: Vpcflow) -> None:
    done = vpcflow("enrich", "--schema", "appender", "--to", "out.parquet", given=FLOW.encode())

    assert done.status == 2
    assert "goes with neither --columns nor Parquet" in done.err


def test_the_ocsf_schema_writes_events(vpcflow: Vpcflow, inventory: Path) -> None:
    done = vpcflow("enrich", "--inventory", inventory, "--schema", "ocsf", given=FLOW.encode())

    (event,) = done.documents
    assert faults(event) == []
    assert event["src_endpoint"]["interface_uid"] == OWN
    assert event["enrichments"][0]["data"]["security_group_ids"] == ["sg-app"]


def test_a_directory_of_ocsf_is_a_lake_that_can_be_read_again(
    vpcflow: Vpcflow, inventory: Path, tmp_path: Path
) -> None:
    ocsf = ("--schema", "ocsf", "--to", "lake/")

    written = vpcflow("enrich", "--inventory", inventory, *ocsf, given=FLOW.encode())
    read = vpcflow("enrich", "lake/")
    direct = vpcflow("enrich", given=FLOW.encode())

    assert written.status == 0
    [path] = tmp_path.glob("lake/*/*/*/*.parquet")
    assert path.parent.name == "eventDay=20231114"
    assert read.documents == direct.documents


def test_a_directory_is_a_dataset_by_day_and_hour(
    vpcflow: Vpcflow, inventory: Path, tmp_path: Path
) -> None:
    done = vpcflow(
        "enrich", "--inventory", inventory, "--to", "enriched/", given=(FLOW + STRANGER).encode()
    )

    files = f"{tmp_path}/enriched/*/*/*.parquet"
    rows = duckdb.sql(
        f"select interface_id, day::text, hour::int, security_group_ids from '{files}' order by 1"
    ).fetchall()
    assert done.status == 0
    assert rows == [
        (OWN, "2023-11-14", 22, ["sg-app"]),
        ("eni-0c1b2c3d4e5f60718", "2023-11-14", 22, None),
    ]


def test_lines_without_header_have_the_layout_of_the_inventorys_flow_log(
    vpcflow: Vpcflow, inventory: Path
) -> None:
    flow_log = {"FlowLogId": "fl-0a1b2c3d4e5f60718", "LogFormat": "${srcaddr} ${interface-id}"}
    (inventory / "describe-flow-logs.json").write_text(json.dumps({"FlowLogs": [flow_log]}))

    done = vpcflow("enrich", "--inventory", inventory, given=f"10.0.1.24 {OWN}\n".encode())

    assert done.documents[0]["srcaddr"] == "10.0.1.24"
    assert done.documents[0]["direction"] == "egress"


def test_an_inventory_with_what_is_no_text_is_a_clear_error(
    vpcflow: Vpcflow, tmp_path: Path
) -> None:
    odd = {**interface(OWN, "10.0.1.24", "app"), "Description": {"text": 1}}
    (tmp_path / "enis.json").write_text(json.dumps({"NetworkInterfaces": [odd]}))

    done = vpcflow("enrich", "--inventory", tmp_path, given=FLOW.encode())

    assert done.status == 1
    assert "has {'text': 1} where EC2 gives text" in done.err


def test_a_missing_inventory_is_status_1(vpcflow: Vpcflow) -> None:
    done = vpcflow("enrich", "--inventory", "nowhere/", given=FLOW.encode())

    assert done.status == 1
    assert "nowhere" in done.err
