"""The inventory: what the AWS CLI would print, and what the records speak of."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from simulated import Rules, addresses_of, answer, records_of, simulated

from vpcflow.cli.reference import rule_kinds
from vpcflow.generate import LAYOUTS, SimulationReport
from vpcflow.inventory import load_inventory

KEYS = {
    "describe-network-interfaces": "NetworkInterfaces",
    "describe-security-groups": "SecurityGroups",
    "describe-security-group-rules": "SecurityGroupRules",
    "describe-instances": "Reservations",
    "describe-subnets": "Subnets",
    "describe-vpcs": "Vpcs",
    "describe-managed-prefix-lists": "PrefixLists",
    "describe-flow-logs": "FlowLogs",
    "describe-vpc-peering-connections": "VpcPeeringConnections",
    "describe-network-acls": "NetworkAcls",
    "describe-transit-gateways": "TransitGateways",
    "describe-transit-gateway-vpc-attachments": "TransitGatewayVpcAttachments",
}
NOT_THERE = {"describe-transit-gateways", "describe-transit-gateway-vpc-attachments"}


def test_each_file_has_the_key_of_its_command(company: SimulationReport) -> None:
    found = {path.stem for path in company.inventory.iterdir()}

    assert {name for name, key in KEYS.items() if not answer(company, name)[key]} == NOT_THERE
    lists = [
        p["PrefixListId"] for p in answer(company, "describe-managed-prefix-lists")["PrefixLists"]
    ]
    assert found == {*KEYS, *(f"get-managed-prefix-list-entries_{id}" for id in lists)}


def test_the_inventory_loads_without_a_word(company: SimulationReport) -> None:
    words: list[str] = []

    inventory = load_inventory(
        company.inventory, captured_at=company.scenario.capture_s, warn=words.append
    )

    assert words == []
    assert inventory.interfaces.interface_id.dictionary is not None
    assert {log.log_format for log in inventory.flow_logs} == {
        " ".join(f"${{{name}}}" for name in LAYOUTS["v11"])
    }


def test_every_record_is_of_an_interface_of_the_inventory_and_holds_one_of_its_addresses(
    company: SimulationReport,
) -> None:
    rules = Rules(company)

    for r in records_of(company):
        eni = rules.interfaces[r["interface-id"]]
        side = "srcaddr" if r["flow-direction"] == "egress" else "dstaddr"
        assert r["log-status"] != "OK" or r[side] in addresses_of(eni)
        assert (r["vpc-id"], r["subnet-id"]) == (eni["VpcId"], eni["SubnetId"])


def test_what_one_file_refers_to_another_describes(company: SimulationReport) -> None:
    groups = {
        g["GroupId"]: g["VpcId"]
        for g in answer(company, "describe-security-groups")["SecurityGroups"]
    }
    subnets = {s["SubnetId"]: s for s in answer(company, "describe-subnets")["Subnets"]}
    instances = {
        i["InstanceId"]
        for r in answer(company, "describe-instances")["Reservations"]
        for i in r["Instances"]
    }
    rules = answer(company, "describe-security-group-rules")["SecurityGroupRules"]

    for eni in answer(company, "describe-network-interfaces")["NetworkInterfaces"]:
        subnet = subnets[eni["SubnetId"]]
        assert all(groups[g["GroupId"]] == eni["VpcId"] == subnet["VpcId"] for g in eni["Groups"])
        assert eni.get("Attachment", {}).get("InstanceId") in {None, *instances}
        for address in addresses_of(eni):
            blocks = (
                subnet["CidrBlock"],
                subnet["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"],
            )
            assert any(ipaddress.ip_address(address) in ipaddress.ip_network(b) for b in blocks)
    assert {r["GroupId"] for r in rules} == groups.keys()
    assert {
        r["ReferencedGroupInfo"]["GroupId"] for r in rules if "ReferencedGroupInfo" in r
    } <= groups.keys()


def test_production_and_staging_share_addresses_and_shared_services_have_their_own(
    company: SimulationReport,
) -> None:
    names = {
        vpc["VpcId"]: vpc["Tags"][0]["Value"] for vpc in answer(company, "describe-vpcs")["Vpcs"]
    }
    found = answer(company, "describe-network-interfaces")["NetworkInterfaces"]
    by_vpc: dict[str, set[str]] = {}
    for eni in found:
        by_vpc.setdefault(names[eni["VpcId"]], set()).update(addresses_of(eni))

    assert by_vpc["production"] & by_vpc["staging"]
    assert not by_vpc["shared"] & (by_vpc["production"] | by_vpc["staging"])


def test_every_subnet_has_one_network_acl_and_every_vpc_one_default(
    company: SimulationReport,
) -> None:
    acls = answer(company, "describe-network-acls")["NetworkAcls"]
    subnets = answer(company, "describe-subnets")["Subnets"]

    guarded = [a["SubnetId"] for acl in acls for a in acl["Associations"]]

    assert sorted(guarded) == sorted(s["SubnetId"] for s in subnets)
    assert sorted(a["VpcId"] for a in acls if a["IsDefault"]) == sorted(
        {s["VpcId"] for s in subnets}
    )


def test_a_scaled_network_has_its_default_network_acl_and_no_peering(
    scale: SimulationReport,
) -> None:
    (acl,) = answer(scale, "describe-network-acls")["NetworkAcls"]

    assert acl["IsDefault"]
    assert answer(scale, "describe-vpc-peering-connections")["VpcPeeringConnections"] == []


def test_peering_is_told_as_the_model_reads_it(company: SimulationReport) -> None:
    inventory = load_inventory(company.inventory, captured_at=0, warn=lambda _: None)

    found = {p.status: p for p in inventory.snapshots[0].vpc_peering_connections}

    assert found.keys() == {"active", "deleted"}
    assert "10.30.0.0/16" in found["active"].accepter.cidrs
    assert found["deleted"].accepter.cidrs == ()
    assert inventory.snapshots[0].kinds >= rule_kinds()


def test_rules_and_permissions_say_the_same(company: SimulationReport) -> None:
    rules = answer(company, "describe-security-group-rules")["SecurityGroupRules"]
    permissions = sum(
        len(p[key])
        for g in answer(company, "describe-security-groups")["SecurityGroups"]
        for side in ("IpPermissions", "IpPermissionsEgress")
        for p in g[side]
        for key in ("IpRanges", "Ipv6Ranges", "UserIdGroupPairs", "PrefixListIds")
    )

    assert permissions == len(rules)


def test_tag_fields_are_described_where_the_layout_has_them(tmp_path: Path) -> None:
    with_tags = simulated(tmp_path / "tags", minutes=1, layout=LAYOUTS["v11"])
    without = simulated(tmp_path / "plain", minutes=1)

    tagged = answer(with_tags, "describe-flow-logs")["FlowLogs"][0]["TagFieldSpecifications"]
    plain = answer(without, "describe-flow-logs")["FlowLogs"][0]

    assert {t["ResourceType"] for t in tagged} == {
        "instance",
        "network-interface",
        "auto-scaling-group",
    }
    assert "TagFieldSpecifications" not in plain
