from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from commands import Outcome, Vpcflow

ACCOUNT = "123456789012"
HEADER = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action"
    " log-status tcp-flags flow-direction"
)


def eni(number: int, address: str, *groups: str) -> dict[str, Any]:
    return {
        "NetworkInterfaceId": f"eni-{number}",
        "InterfaceType": "interface",
        "OwnerId": ACCOUNT,
        "VpcId": "vpc-1",
        "AvailabilityZone": "eu-west-1a",
        "PrivateIpAddress": address,
        "PrivateIpAddresses": [{"PrivateIpAddress": address, "Primary": True}],
        "Ipv6Addresses": [{"Ipv6Address": f"2001:db8::{number}"}],
        "Groups": [{"GroupId": group, "GroupName": group} for group in groups],
    }


def rule(
    number: int, group: str, protocol: str = "tcp", port: int = -1, **counterpart: Any
) -> dict[str, Any]:
    return {
        "SecurityGroupRuleId": f"sgr-{number}",
        "GroupId": group,
        "GroupOwnerId": ACCOUNT,
        "IsEgress": False,
        "IpProtocol": protocol,
        "FromPort": port,
        "ToPort": port,
        **counterpart,
    }


HTTPS = rule(1, "sg-web", port=443, CidrIpv4="0.0.0.0/0")
HTTPS6 = rule(2, "sg-web", port=443, CidrIpv6="::/0")
QUERIES = rule(3, "sg-db", port=5432, ReferencedGroupInfo={"GroupId": "sg-web"})
PINGS = rule(4, "sg-db", "icmp", CidrIpv4="10.0.0.0/16")
ANSWERS = {
    "interfaces": {
        "NetworkInterfaces": [eni(1, "10.0.0.1", "sg-web"), eni(2, "10.0.0.2", "sg-db")]
    },
    "groups": {
        "SecurityGroups": [
            {"GroupId": g, "GroupName": g, "OwnerId": ACCOUNT, "VpcId": "vpc-1"}
            for g in ("sg-web", "sg-db")
        ]
    },
    "rules": {"SecurityGroupRules": [HTTPS, HTTPS6, QUERIES, PINGS]},
}


def flow(
    interface_id: str, src: str, dst: str, ports: str, protocol: int = 6, action: str = "ACCEPT"
) -> str:
    """Write a record of the end that opens, where a flag tells: of TCP alone."""
    flags = 2 if protocol == 6 else 0
    return f"5 {ACCOUNT} {interface_id} {src} {dst} {ports} {protocol} 5 400 1000 1060 {action} OK {flags} ingress"


VISIT = flow("eni-1", "198.51.100.7", "10.0.0.1", "50000 443")
VISIT6 = flow("eni-1", "2001:db8:1::7", "2001:db8::1", "50000 443")
QUERY = flow("eni-2", "10.0.0.1", "10.0.0.2", "40000 5432")
PING = flow("eni-2", "10.0.5.5", "10.0.0.2", "0 0", 1)
TALK = flow("eni-1", "198.51.100.7", "10.0.0.1", "7 9", 17)
SSH = flow("eni-1", "192.0.2.7", "10.0.0.1", "50000 22", action="REJECT")
BROKEN = "5 what is this"


@pytest.fixture
def replay(vpcflow: Vpcflow, tmp_path: Path) -> Any:
    folder = tmp_path / "inventory"
    folder.mkdir()
    for name, answer in ANSWERS.items():
        (folder / f"{name}.json").write_text(json.dumps(answer))

    def run(*arguments: str, flows: list[str], change: Any = None) -> Outcome:
        (tmp_path / "flows.log").write_text("\n".join([HEADER, *flows, ""]))
        if change is not None:
            (tmp_path / "change.json").write_text(json.dumps(change))
            arguments = ("--change", "change.json", *arguments)
        return vpcflow(
            "rules", "replay", "--inventory", "inventory", "--inventory-time", "1000", *arguments,
            "flows.log",
        )  # fmt: skip

    return run


def found(done: Outcome) -> dict[str, Any]:
    return json.loads(done.out)  # type: ignore[no-any-return]


def test_connections_that_would_be_cut_are_listed_and_the_status_is_4(replay: Any) -> None:
    done = replay("--remove", "sgr-3", "--format", "json", flows=[QUERY, VISIT])

    (refused,) = found(done)["refused"]
    assert done.status == 4
    assert {
        "initiator_addr": "10.0.0.1",
        "initiator_port": 40000,
        "responder_addr": "10.0.0.2",
        "responder_port": 5432,
        "protocol": 6,
        "interface_id": "eni-2",
        "direction": "ingress",
        "first": 1000,
        "last": 1060,
        "rules_before": ["sgr-3"],
    }.items() <= refused.items()
    assert (found(done)["admitted"], found(done)["incomplete"]) == ([], [])
    assert found(done)["counts"] == {
        "connections": 2,
        "refused": 1,
        "admitted": 0,
        "unjudged": 0,
        "unexplained": 0,
    }


def test_where_nothing_is_cut_the_status_is_0(replay: Any) -> None:
    narrower = QUERIES | {"SecurityGroupRuleId": "sgr-3", "CidrIpv4": "10.0.0.0/28"}
    del narrower["ReferencedGroupInfo"]

    done = replay(
        "--format", "json", flows=[QUERY], change={"remove": ["sgr-3"], "add": [narrower]}
    )

    assert (done.status, found(done)["refused"]) == (0, [])


def test_what_a_change_admits_cuts_nothing(replay: Any) -> None:
    ssh = rule(9, "sg-web", port=22, CidrIpv4="192.0.2.0/24")

    done = replay("--format", "json", flows=[SSH], change={"add": [ssh]})

    (admitted,) = found(done)["admitted"]
    assert done.status == 0
    assert (admitted["initiator_addr"], admitted["rules_after"]) == ("192.0.2.7", ["sgr-9"])


def test_a_rule_the_inventory_does_not_know_is_told_and_the_status_is_1(replay: Any) -> None:
    done = replay("--remove", "sgr-9", "--format", "json", flows=[VISIT])

    assert done.status == 1
    assert found(done)["incomplete"] == ["remove[0]: the inventory knows no rule 'sgr-9'"]


@pytest.mark.parametrize(
    ("removed", "flows", "status"),
    [
        (["sgr-4"], [VISIT, BROKEN], 3),
        (["sgr-3"], [QUERY, BROKEN], 4),
        (["sgr-3", "sgr-9"], [QUERY, BROKEN], 1),
        (["sgr-9"], [VISIT, BROKEN], 1),
        (["sgr-4"], [BROKEN], 1),
    ],
)
def test_1_comes_before_4_and_4_before_3(
    replay: Any, removed: list[str], flows: list[str], status: int
) -> None:
    removals = [word for rule_id in removed for word in ("--remove", rule_id)]

    assert replay(*removals, flows=flows).status == status


def test_connections_nobody_knows_the_opener_of_do_not_change_the_status(replay: Any) -> None:
    both = rule(8, "sg-web", "udp", CidrIpv4="0.0.0.0/0") | {"FromPort": 0, "ToPort": 65535}
    unknown = flow("eni-1", "198.51.100.7", "10.0.0.9", "7 9", 17)

    done = replay("--format", "json", flows=[unknown], change={"add": [both]})

    assert done.status == 0
    assert [one["peer_addr"] for one in found(done)["unjudged"]] == ["198.51.100.7"]


def test_pings_and_ipv6_are_replayed(replay: Any) -> None:
    removals = ("--remove", "sgr-4", "--remove", "sgr-2")

    done = replay(*removals, "--format", "json", flows=[PING, VISIT6, VISIT])

    ends = [
        (one["initiator_addr"], one["protocol"], one["responder_port"])
        for one in found(done)["refused"]
    ]
    assert sorted(ends) == [("10.0.5.5", 1, 0), ("2001:db8:1::7", 6, 443)]


def test_a_table_tells_by_group_peer_and_port(replay: Any) -> None:
    done = replay("--remove", "sgr-3", flows=[QUERY, VISIT])

    lines = done.out.decode().splitlines()
    assert [line.split() for line in lines[:3]] == [
        ["would", "be", "refused"],
        ["group", "direction", "peer", "port", "connections", "first", "and", "last"],
        ["sg-db", "ingress", "sg-web", "tcp", "5432", "1", "1970-01-01", "00:16"],
    ]
    assert "1 would be refused, 0 newly admitted" in " ".join(done.out.decode().split())


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_csv_and_parquet_have_a_row_a_connection_with_its_outcome(
    replay: Any, tmp_path: Path, name: str
) -> None:
    done = replay("--remove", "sgr-3", "--to", name, flows=[QUERY])

    assert done.status == 4
    if name.endswith("csv"):
        header, row = (tmp_path / name).read_text().splitlines()
        assert header.startswith('"outcome","initiator_addr","initiator_port"')
        assert row.startswith('"refused","10.0.0.1",40000,"10.0.0.2",5432,6,"eni-2","ingress"')
    else:
        (entry,) = pq.read_table(tmp_path / name).to_pylist()
        assert (entry["outcome"], entry["rules_before"]) == ("refused", ["sgr-3"])


def test_csv_of_nothing_has_its_header(replay: Any) -> None:
    done = replay("--remove", "sgr-4", "--format", "csv", flows=[VISIT])

    assert (done.status, done.out.count(b"\n")) == (0, 1)


def test_where_the_table_is_a_file_what_is_incomplete_is_said(replay: Any) -> None:
    done = replay("--remove", "sgr-9", "--format", "csv", flows=[VISIT])

    assert "the inventory knows no rule 'sgr-9'" in done.err


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([], 2, "nothing is to be changed: give --change FILE or --remove sgr-…"),
        (["--change", "no.json"], 1, "cannot read 'no.json': No such file or directory"),
        (["--change", "bad.json"], 2, "bad.json: add[0]: IpProtocol is missing"),
        (["--remove", "sgr-1", "--format", "xml"], 2, "unknown format 'xml'"),
    ],
)
def test_what_cannot_be_replayed_is_told(
    replay: Any, tmp_path: Path, arguments: list[str], status: int, words: str
) -> None:
    wrong = {key: value for key, value in HTTPS.items() if key != "IpProtocol"}
    (tmp_path / "bad.json").write_text(json.dumps({"add": [wrong]}))

    done = replay(*arguments, flows=[VISIT])

    assert (done.status, done.out) == (status, b"")
    assert words in done.err


def test_without_an_inventory_nothing_is_replayed(vpcflow: Vpcflow) -> None:
    done = vpcflow("rules", "replay", "--remove", "sgr-1", given=VISIT.encode())

    assert done.status == 2
    assert "--inventory is needed" in done.err


@pytest.fixture
def explain(vpcflow: Vpcflow, replay: Any) -> Any:
    def run(*arguments: str, given: bytes = b"") -> Outcome:
        return vpcflow(
            "rules", "explain", "--inventory", "inventory", "--inventory-time", "1000", *arguments,
            given=given,
        )  # fmt: skip

    return run


def test_two_ends_are_explained(explain: Any) -> None:
    done = explain("--from", "10.0.0.1", "--to", "10.0.0.2:5432")

    lines = done.out.decode().splitlines()
    assert done.status == 0
    assert "leaving eni-1 (sg-web)" in lines
    assert "  its groups have no egress rules" in lines
    assert "  admitted by sgr-3 of sg-db, tcp 5432 from sg-web" in lines


@pytest.mark.parametrize("way", ["line", "file", "standard input"])
def test_a_record_is_explained(explain: Any, tmp_path: Path, way: str) -> None:
    text = "\n".join([HEADER, VISIT, SSH, ""])
    (tmp_path / "some.log").write_text(text)
    layout = ["--log-format", HEADER]
    arguments = {
        "line": [*layout, SSH],
        "file": ["--line", "3", "some.log"],
        "standard input": ["--line", "3", "-"],
    }[way]

    done = explain(*arguments, "--format", "json", given=text.encode())

    (explanation,) = found(done)["explanations"]
    (interface,) = explanation["interfaces"]
    assert found(done)["record"]["action"] == "REJECT"
    assert (explanation["initiator_addr"], explanation["time"]) == ("192.0.2.7", 1000)
    assert (interface["interface_id"], interface["verdict"]) == ("eni-1", "not_admitted")
    assert [miss["rule_id"] for miss in interface["near_misses"]] == ["sgr-1"]


def test_a_record_that_tells_no_opener_is_explained_both_ways(explain: Any) -> None:
    done = explain("--log-format", HEADER, TALK)

    text = done.out.decode()
    assert "The record doesn't tell who opened the connection" in text
    assert "udp from 198.51.100.7:7 to 10.0.0.1:9 at" in text
    assert "udp from 10.0.0.1:9 to 198.51.100.7:7 at" in text


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([], 2, "give a record, or both --from and --to"),
        (["--from", "10.0.0.1"], 2, "give a record, or both --from and --to"),
        (["--from", "10.0.0.1", "--to", "10.0.0.2:1", "some.log"], 2, "give a record, or both"),
        (["--from", "10.0.0.8", "--to", "10.0.0.9:1"], 1, "knows no interface that had 10.0.0.8"),
        (["--from", "10.0.0.1", "--to", "10.0.0.2"], 2, "to which port of 10.0.0.2"),
        (["--format", "csv", "some.log"], 2, "unknown format 'csv' (known: text, json)"),
    ],
)
def test_what_cannot_be_explained_is_told(
    explain: Any, arguments: list[str], status: int, words: str
) -> None:
    done = explain(*arguments)

    assert (done.status, done.out) == (status, b"")
    assert words in done.err
