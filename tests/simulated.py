"""What tests of the simulation are written with: it, its files read back, naive matchers of rules and network ACLs."""

from __future__ import annotations

import gzip
import ipaddress
import json
from functools import cache
from pathlib import Path
from typing import Any

from vpcflow.generate import Scenario, SimulationReport, simulate

Record = dict[str, str]


def simulated(to: Path, **scenario: Any) -> SimulationReport:
    """Simulate with the values given, else three minutes of the company."""
    return simulate(Scenario(**{"minutes": 3, **scenario}), to)


def log_files(report: SimulationReport) -> list[Path]:
    return sorted(report.logs.rglob("*.log.gz"))


def lines_of(path: Path) -> list[str]:
    return gzip.decompress(path.read_bytes()).decode().splitlines()


@cache
def records_of(report: SimulationReport) -> list[Record]:
    """Read all records, naming fields by the header lines."""
    records = []
    for path in log_files(report):
        header, *lines = lines_of(path)
        names = header.split(" ")
        records += [dict(zip(names, line.split(" "), strict=True)) for line in lines]
    return records


@cache
def truth_of(report: SimulationReport) -> list[dict[str, Any]]:
    assert report.truth is not None
    return [json.loads(line) for line in report.truth.read_text().splitlines()]


def answer(report: SimulationReport, name: str) -> Any:
    """Read one file of the inventory, by its name without suffix."""
    return json.loads((report.inventory / f"{name}.json").read_text())


class Rules:
    """Matches connections against the rules of an inventory, one by one, knowing nothing of the simulator."""

    def __init__(self, report: SimulationReport) -> None:
        found = answer(report, "describe-network-interfaces")["NetworkInterfaces"]
        self.interfaces = {eni["NetworkInterfaceId"]: eni for eni in found}
        self._rules = answer(report, "describe-security-group-rules")["SecurityGroupRules"]
        self._lists = {
            path.stem.split("_")[1]: [e["Cidr"] for e in json.loads(path.read_text())["Entries"]]
            for path in report.inventory.glob("get-managed-prefix-list-entries_*.json")
        }
        self._known: dict[tuple[str, str, int, int, bool], tuple[str, ...]] = {}
        self._owners = {
            (eni["VpcId"], address): eni for eni in found for address in addresses_of(eni)
        }
        self._reached = {eni["VpcId"]: [eni["VpcId"]] for eni in found}
        for peering in answer(report, "describe-vpc-peering-connections")["VpcPeeringConnections"]:
            ends = [peering[f"{end}VpcInfo"]["VpcId"] for end in ("Requester", "Accepter")]
            if peering["Status"]["Code"] == "active":
                for here, there in (ends, ends[::-1]):
                    self._reached[here].append(there)

    def admitting(
        self, interface_id: str, peer: str, protocol: int, port: int, egress: bool
    ) -> tuple[str, ...]:
        """Give the sorted ids of the rules that admit it; an ICMP connection is an echo request."""
        key = (interface_id, peer, protocol, port, egress)
        if key not in self._known:
            self._known[key] = self._match(*key)
        return self._known[key]

    def _match(
        self, interface_id: str, peer: str, protocol: int, port: int, egress: bool
    ) -> tuple[str, ...]:
        eni = self.interfaces[interface_id]
        groups = {group["GroupId"] for group in eni["Groups"]}
        owners = (self._owners.get((vpc_id, peer)) for vpc_id in self._reached[eni["VpcId"]])
        owner = next(filter(None, owners), None)
        peers = {group["GroupId"] for group in owner["Groups"]} if owner else set()
        return tuple(
            sorted(
                rule["SecurityGroupRuleId"]
                for rule in self._rules
                if rule["GroupId"] in groups
                and rule["IsEgress"] is egress
                and self._is_peer(rule, peer, peers)
                and _is_protocol(rule, protocol, port)
            )
        )

    def _is_peer(self, rule: dict[str, Any], peer: str, groups: set[str]) -> bool:
        if "ReferencedGroupInfo" in rule:
            return rule["ReferencedGroupInfo"]["GroupId"] in groups
        blocks = self._lists.get(rule.get("PrefixListId", ""), [])
        blocks = [*blocks, *(rule[key] for key in ("CidrIpv4", "CidrIpv6") if key in rule)]
        return any(ipaddress.ip_address(peer) in ipaddress.ip_network(block) for block in blocks)


class NetworkAcls:
    """Tries packets on the network ACLs of an inventory, entry by entry, knowing nothing of the simulator."""

    def __init__(self, report: SimulationReport) -> None:
        self._acls = {
            association["SubnetId"]: acl
            for acl in answer(report, "describe-network-acls")["NetworkAcls"]
            for association in acl["Associations"]
        }
        self._subnets = answer(report, "describe-subnets")["Subnets"]

    def allow(
        self, eni: dict[str, Any], peer: str, protocol: int, port: int, egress: bool, *, reply: bool
    ) -> bool:
        """Tell whether a packet to that port passes where it leaves or reaches the ENI; ICMP is an echo."""
        address = ipaddress.ip_address(peer)
        (own,) = (subnet for subnet in self._subnets if subnet["SubnetId"] == eni["SubnetId"])
        if any(address in block for block in _blocks(own)):
            return True
        for entry in sorted(self._acls[eni["SubnetId"]]["Entries"], key=lambda e: e["RuleNumber"]):
            block = ipaddress.ip_network(entry.get("CidrBlock") or entry["Ipv6CidrBlock"])
            if entry["Egress"] is not egress or address not in block:
                continue
            if entry["Protocol"] not in ("-1", str(protocol)):
                continue
            if "PortRange" in entry:
                if not entry["PortRange"]["From"] <= port <= entry["PortRange"]["To"]:
                    continue
            elif "IcmpTypeCode" in entry:
                echo = {1: (8, 0), 58: (128, 129)}[protocol][reply]
                if entry["IcmpTypeCode"]["Type"] not in (-1, echo):
                    continue
            return bool(entry["RuleAction"] == "allow")
        return False


def _blocks(subnet: dict[str, Any]) -> list[Any]:
    ipv6 = [one["Ipv6CidrBlock"] for one in subnet["Ipv6CidrBlockAssociationSet"]]
    return [ipaddress.ip_network(block) for block in (subnet["CidrBlock"], *ipv6)]


def _is_protocol(rule: dict[str, Any], protocol: int, port: int) -> bool:
    name = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6"}[protocol]
    if rule["IpProtocol"] == "-1":
        return True
    if rule["IpProtocol"] != name:
        return False
    if protocol in (1, 58):
        return rule["FromPort"] in (-1, 8 if protocol == 1 else 128)
    return bool(rule["FromPort"] <= port <= rule["ToPort"])


def addresses_of(eni: dict[str, Any]) -> list[str]:
    """Give all addresses of an interface as ``describe-network-interfaces`` has it, delegated prefixes' too."""
    return [
        *(a["PrivateIpAddress"] for a in eni["PrivateIpAddresses"]),
        *(a["Ipv6Address"] for a in eni["Ipv6Addresses"]),
        *(
            str(a)
            for p in eni.get("Ipv4Prefixes", [])
            for a in ipaddress.ip_network(p["Ipv4Prefix"])
        ),
    ]
