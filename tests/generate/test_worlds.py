"""The worlds: who talks, how much of it crosses the border, and from where."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import numpy as np
import pytest
from simulated import Rules, answer, records_of, simulated, truth_of

from vpcflow.generate import SimulationReport
from vpcflow.generate.public import public_ipv4, public_ipv6

OWN = [ipaddress.ip_network(cidr) for cidr in ("10.0.0.0/8", "2600:1f18::/32")]


def is_own(address: str) -> bool:
    return any(ipaddress.ip_address(address) in block for block in OWN)


def test_public_addresses_are_global_distinct_and_from_many_blocks() -> None:
    ipv4 = public_ipv4(np.random.default_rng(1), 20_000)
    ipv6 = public_ipv6(np.random.default_rng(1), 2_000)

    assert all(ipaddress.ip_address(address).is_global for address in [*ipv4, *ipv6])
    assert (len(set(ipv4)), len(set(ipv6))) == (20_000, 2_000)
    assert len({address.split(".")[0] for address in ipv4}) > 100


def test_every_public_address_asked_for_shows_up(tmp_path: Path) -> None:
    report = simulated(
        tmp_path / "all", name="scale", enis=100, groups=20, records=60_000, public_addresses=2_000
    )

    found = {r[side] for r in records_of(report) for side in ("srcaddr", "dstaddr")} - {"-"}

    assert len([address for address in found if not is_own(address)]) == 2_000


def test_seven_records_of_ten_stay_inside(scale: SimulationReport) -> None:
    records = [r for r in records_of(scale) if r["log-status"] == "OK"]

    inside = sum(is_own(r["pkt-srcaddr"]) and is_own(r["pkt-dstaddr"]) for r in records)

    assert 0.66 < inside / len(records) < 0.74


def test_the_network_has_the_size_and_the_mix_asked_for(tmp_path: Path) -> None:
    report = simulated(tmp_path / "big", name="scale", enis=2_000, records=1_000)
    found = answer(report, "describe-network-interfaces")["NetworkInterfaces"]
    instances = [eni for eni in found if eni["InterfaceType"] == "interface"]

    several = [e for e in instances if len(e["PrivateIpAddresses"]) > 1 or "Ipv4Prefixes" in e]

    assert len(instances) == 2_000
    assert {len(e["Groups"]) for e in instances} == {1, 2, 3, 4, 5}
    assert 0.12 < len(several) / 2_000 < 0.18
    assert len(answer(report, "describe-security-groups")["SecurityGroups"]) == 400


@pytest.mark.parametrize("enis", [10, 13_000])
def test_small_and_large_networks_have_addresses_enough(enis: int, tmp_path: Path) -> None:
    report = simulated(tmp_path / "sized", name="scale", enis=enis, groups=10, records=500)

    rules = Rules(report)
    addresses = [e["PrivateIpAddress"] for e in rules.interfaces.values()]

    assert len(set(addresses)) == len(addresses) == report.enis


def test_the_company_has_everything_it_is_to_show(company: SimulationReport) -> None:
    records = records_of(company)

    patterns = {t["pattern"] for t in truth_of(company)}

    assert patterns >= {
        "visitor to shop",
        "scanner",
        "web tries database",
        "monitoring pings",
        "name lookup",
        "time",
    }
    assert {r["protocol"] for r in records} == {"1", "6", "17", "58", "-"}
    assert {r["type"] for r in records} == {"IPv4", "IPv6", "-"}
    assert {"1", "2", "3", "4", "18", "19"} <= {r["tcp-flags"] for r in records}
    assert {r["pkt-dst-aws-service"] for r in records} == {"S3", "-"}


def test_no_port_is_out_of_range_and_no_interface_talks_to_itself(
    company: SimulationReport,
) -> None:
    truth = truth_of(company)

    assert all(0 <= t[f"{end}_port"] < 65_536 for t in truth for end in ("initiator", "responder"))
    assert all(t["initiator_interface_id"] != t["responder_interface_id"] for t in truth)
