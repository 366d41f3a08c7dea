"""The records are what AWS would have written: every layout, and the quirks of its fields."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from urllib.parse import unquote

import pytest
from simulated import Record, Rules, answer, lines_of, log_files, records_of, simulated, truth_of

from vpcflow.fields import FIELD_BY_NAME, VPC_FIELDS
from vpcflow.generate import LAYOUTS, SimulationReport, parse_layout

QUIET = ("srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes", "action", "tcp-flags", "type",
         "pkt-srcaddr", "pkt-dstaddr", "flow-direction", "traffic-path", "next-hop-interface-id")  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_line_of_a_layout_has_a_token_for_each_field(name: str, tmp_path: Path) -> None:
    report = simulated(tmp_path / name, layout=LAYOUTS[name], minutes=1)

    lines = [line for path in log_files(report) for line in lines_of(path)]

    assert {len(line.split(" ")) for line in lines} == {len(LAYOUTS[name])}
    assert not any("  " in line or line.endswith(" ") for line in lines)


def test_any_choice_of_fields_in_any_order_says_the_same(
    company: SimulationReport, tmp_path: Path
) -> None:
    names = tuple(reversed([f.name for f in VPC_FIELDS]))

    turned = simulated(tmp_path / "turned", minutes=7, rate_scale=0.4, layout=names)

    assert records_of(turned) == records_of(company)


def test_a_layout_that_ends_in_a_number_or_holds_constants_only_is_written(tmp_path: Path) -> None:
    numbers = simulated(tmp_path / "numbers", layout=("region", "bytes"), minutes=1)
    constants = simulated(tmp_path / "constants", layout=("region", "version"), minutes=1)

    assert all(r["region"] == "us-east-1" for r in records_of(numbers))
    assert any(r["bytes"].isdecimal() for r in records_of(numbers))
    assert {tuple(r.values()) for r in records_of(constants)} == {("us-east-1", "4")}


def test_values_pass_the_check_of_their_field(company: SimulationReport) -> None:
    records = records_of(company)

    for name, field in FIELD_BY_NAME.items():
        for value in {r[name] for r in records if name in r} - {"-"}:
            if field.kind in ("int32", "int64", "time"):
                assert value.isdecimal(), (name, value)
            if field.kind == "address":
                ipaddress.ip_address(value)
            if field.kind == "tag":
                assert "-" not in value and unquote(value), (name, value)


def test_every_field_that_can_have_a_value_has_one_somewhere(company: SimulationReport) -> None:
    never = {"sublocation-type", "sublocation-id", "ecs-container-instance-arn", "ecs-container-instance-id",
             "reject-reason", "resource-id"}  # fmt: skip
    records = records_of(company)

    empty = {f.name for f in VPC_FIELDS if all(r[f.name] == "-" for r in records)}

    assert empty == never


def test_quiet_records_have_dashes_and_their_interval(company: SimulationReport) -> None:
    quiet = [r for r in records_of(company) if r["log-status"] != "OK"]

    assert {r["log-status"] for r in quiet} == {"NODATA", "SKIPDATA"}
    assert all(r[name] == "-" for r in quiet for name in QUIET)
    assert all(int(r["end"]) - int(r["start"]) == 59 for r in quiet)
    assert (company.nodata, company.skipdata) == tuple(
        sum(r["log-status"] == status for r in quiet) for status in ("NODATA", "SKIPDATA")
    )


def test_an_interval_that_is_skipped_or_without_data_has_no_other_record(
    company: SimulationReport,
) -> None:
    records = records_of(company)
    quiet = [r for r in records if r["log-status"] != "OK"]

    inside = [
        r
        for q in quiet
        for r in records
        if r["interface-id"] == q["interface-id"]
        and r is not q
        and int(q["start"]) <= int(r["end"]) <= int(q["end"])
    ]

    assert inside == []


def test_traffic_to_a_secondary_address_shows_the_primary_one(company: SimulationReport) -> None:
    interfaces = Rules(company).interfaces
    records = [r for r in records_of(company) if r["flow-direction"] == "ingress"]

    hidden = [r for r in records if r["dstaddr"] != r["pkt-dstaddr"] and not _is_nat(r)]

    assert hidden
    for r in hidden:
        assert r["dstaddr"] == interfaces[r["interface-id"]]["PrivateIpAddress"]


def test_a_nat_gateway_logs_four_legs(company: SimulationReport) -> None:
    nat_id = next(r["interface-id"] for r in records_of(company) if _is_nat(r))
    through = [t for t in truth_of(company) if t["via_interface_id"] and t["protocol"] == 6]
    one = next(t for t in through if t["start"] > company.first_s + 60)
    inside, outside = one["initiator_addr"], one["responder_addr"]
    address = answer(company, "describe-network-interfaces")["NetworkInterfaces"]
    nat = next(e["PrivateIpAddress"] for e in address if e["NetworkInterfaceId"] == nat_id)

    legs = {
        tuple(r[n] for n in ("flow-direction", "srcaddr", "dstaddr", "pkt-srcaddr", "pkt-dstaddr"))
        for r in records_of(company)
        if r["interface-id"] == nat_id
        and {r["srcport"], r["dstport"]} & {str(one["initiator_port"]), str(one["via_port"])}
        and {inside, outside} & {r["srcaddr"], r["dstaddr"]}
    }

    assert legs >= {
        ("ingress", inside, nat, inside, outside),
        ("egress", nat, outside, nat, outside),
        ("ingress", outside, nat, outside, nat),
        ("egress", nat, inside, outside, inside),
    }
    assert {t["via_interface_id"] for t in through} == {nat_id}


def test_a_long_connection_has_a_record_an_interval_and_its_flags_where_they_were_sent(
    company: SimulationReport,
) -> None:
    long = next(
        t
        for t in truth_of(company)
        if t["start"] > company.scenario.start_s
        and t["end"] - t["start"] > 130
        and t["end"] < company.last_s - 60
        and t["protocol"] == 6
    )

    flags = [
        (int(r["start"]), r["tcp-flags"])
        for r in records_of(company)
        if r["interface-id"] == long["initiator_interface_id"]
        and r["flow-direction"] == "egress"
        and (r["srcport"], r["dstport"])
        == (str(long["initiator_port"]), str(long["responder_port"]))
    ]
    inner = [flag for _, flag in sorted(flags)[1:-1]]

    assert sorted(flags)[0][1] == "2"
    assert set(inner) == {"0"}
    assert sorted(flags)[-1][1] in ("0", "1")
    assert len(flags) >= 3


def test_connections_older_than_the_recording_show_no_opening(company: SimulationReport) -> None:
    old = {
        (t["initiator_addr"], str(t["initiator_port"]), t["responder_addr"])
        for t in truth_of(company)
        if t["start"] < company.scenario.start_s
    }

    flags = {
        r["tcp-flags"]
        for r in records_of(company)
        if (r["srcaddr"], r["srcport"], r["pkt-dstaddr"]) in old
    }

    assert old
    assert flags == {"0"}


def test_traffic_path_is_of_egress_and_next_hop_of_neighbours(company: SimulationReport) -> None:
    ok = [r for r in records_of(company) if r["log-status"] == "OK"]

    assert {r["traffic-path"] for r in ok if r["flow-direction"] == "ingress"} == {"-"}
    egress = [r for r in ok if r["flow-direction"] == "egress"]
    assert {r["traffic-path"] for r in egress} == {"1", "4", "7", "8"}
    assert all(
        (r["traffic-path"] == "4") == (r["next-hop-vpc-id"] not in ("-", r["vpc-id"]))
        for r in egress
    )
    assert all(r["next-hop-interface-id"] == "-" for r in ok if r["traffic-path"] in ("7", "8"))
    others = {frozenset((r["vpc-id"], r["next-hop-vpc-id"])) for r in ok} - {
        frozenset(pair) for r in ok for pair in ((r["vpc-id"],), (r["vpc-id"], "-"))
    }
    assert len(others) == 1


def test_the_account_of_a_vpc_endpoint_is_unknown(company: SimulationReport) -> None:
    accounts = {(r["interface-type"], r["account-id"]) for r in records_of(company)}

    assert ("vpc_endpoint", "unknown") in accounts
    assert ("-", "123456789012") in accounts


def test_the_version_is_the_highest_among_the_fields(tmp_path: Path) -> None:
    report = simulated(tmp_path / "mixed", minutes=1, layout=parse_layout("version region srcaddr"))

    assert {r["version"] for r in records_of(report)} == {"4"}


def _is_nat(record: Record) -> bool:
    return record["interface-type"] == "nat_gateway"
