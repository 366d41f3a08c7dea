"""
Write the golden documents of every schema, ``python tests/golden_documents.py``, into ``tests/schemas/golden``.

They are made by what they test: each line is to be read before it is kept. ``cases`` are the flows below, enriched from
a small inventory and places made up; ``corpus`` is every flow of ``tests/corpus``, enriched from nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from vpcflow.enrich import Reference, enrich
from vpcflow.fields import DEFAULT_LAYOUT, TGW_LAYOUT
from vpcflow.geo.place import Place
from vpcflow.geo.place_table import NO_PLACE, Places, PlaceTableBuilder
from vpcflow.inventory import (
    Eni,
    GroupRef,
    Instance,
    Inventory,
    NetworkAcl,
    NetworkAclEntry,
    PrivateAddress,
    SecurityGroup,
    SecurityGroupRule,
    Snapshot,
    Subnet,
    Vpc,
)
from vpcflow.layout import parse_log_format
from vpcflow.lines import Lines
from vpcflow.parse import parse
from vpcflow.pipeline import Layouts, read_flows
from vpcflow.schemas import SCHEMAS
from vpcflow.sources.files import find_inputs, read_input
from vpcflow.stats import Books

if TYPE_CHECKING:
    from vpcflow.addresses import Addresses

CORPUS = Path(__file__).parent / "corpus"
GOLDEN = Path(__file__).parent / "schemas" / "golden"
GROUPS = ("cases", "corpus")

ACCOUNT = "123456789012"
WEB, DATABASE, ELSEWHERE = "eni-0a1b2c3d4e5f60718", "eni-0b1b2c3d4e5f60718", "eni-0c1b2c3d4e5f60718"
SUBNET = "subnet-0a1b2c3d4e5f60718"
WEBS_GROUPS = ("sg-01b2c3d4e5f607182", "sg-0a1b2c3d4e5f60718")
DATABASES_GROUP = "sg-02b2c3d4e5f607182"
START_S, END_S = 1766000000, 1766000058

V2 = " ".join(DEFAULT_LAYOUT)
V5 = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
    " vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr region az-id sublocation-type sublocation-id"
    " pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path"
)
V3 = f"{V2} tcp-flags"
V8 = f"{V2} flow-direction reject-reason"
V9 = f"{V2} flow-direction resource-id"

CASES: dict[str, tuple[str, str]] = {
    "ok": (V2, f"2 {ACCOUNT} {WEB} 198.51.100.7 10.0.1.24 52144 443 6 12 4840 {START_S} {END_S} ACCEPT OK"),
    "ok_egress": (V2, f"2 {ACCOUNT} {WEB} 10.0.1.24 198.51.100.7 443 52144 6 15 5000000000 {START_S} {END_S} ACCEPT OK"),
    "to_a_known_peer": (V2, f"2 {ACCOUNT} {WEB} 10.0.1.24 10.0.2.30 40112 5432 6 4 320 {START_S} {END_S} ACCEPT OK"),
    "unknown_interface": (V2, f"2 {ACCOUNT} {ELSEWHERE} 192.0.2.9 10.0.9.9 40112 53 17 1 60 {START_S} {END_S} ACCEPT OK"),
    "nodata": (V2, f"2 {ACCOUNT} {WEB} - - - - - - - {START_S} {END_S} - NODATA"),
    "skipdata": (V2, f"2 {ACCOUNT} {WEB} - - - - - - - {START_S} {END_S} - SKIPDATA"),
    "ipv6": (V2, f"2 {ACCOUNT} {WEB} 2001:db8:1::7 2001:db8:2::24 52144 443 6 12 4840 {START_S} {END_S} ACCEPT OK"),
    "icmp": (V2, f"2 {ACCOUNT} {WEB} 198.51.100.7 10.0.1.24 0 0 1 4 336 {START_S} {END_S} ACCEPT OK"),
    "reject": (V2, f"2 {ACCOUNT} {WEB} 203.0.113.9 10.0.1.24 51000 22 6 1 40 {START_S} {END_S} REJECT OK"),
    "reject_with_a_reason": (V8, f"8 {ACCOUNT} {WEB} 203.0.113.9 10.0.1.24 51000 443 6 1 - {START_S} {END_S} REJECT OK ingress BPA"),
    "opened_by_the_peer": (V3, f"3 {ACCOUNT} {WEB} 198.51.100.7 10.0.1.24 52144 443 6 12 4840 {START_S} {END_S} ACCEPT OK 2"),
    "answer_to_the_peer": (V3, f"3 {ACCOUNT} {WEB} 10.0.1.24 198.51.100.7 443 52144 6 15 9840 {START_S} {END_S} ACCEPT OK 18"),
    "opened_by_the_interface": (V3, f"3 {ACCOUNT} {WEB} 10.0.1.24 10.0.2.30 40112 5432 6 4 320 {START_S} {END_S} ACCEPT OK 3"),
    "amid_a_connection": (V3, f"3 {ACCOUNT} {WEB} 10.0.1.24 10.0.2.30 40112 5432 6 4 320 {START_S} {END_S} ACCEPT OK 0"),
    "no_rule_admits_it": (V3, f"3 {ACCOUNT} {WEB} 198.51.100.7 10.0.1.24 52144 8080 6 12 4840 {START_S} {END_S} ACCEPT OK 2"),
    "reject_by_a_group": (V3, f"3 {ACCOUNT} {WEB} 203.0.113.9 10.0.1.24 51000 22 6 1 40 {START_S} {END_S} REJECT OK 2"),
    "reject_by_a_network_acl": (V3, f"3 {ACCOUNT} {WEB} 203.0.113.9 10.0.1.24 51000 443 6 1 40 {START_S} {END_S} REJECT OK 2"),
    "reject_of_what_rules_admit": (V3, f"3 {ACCOUNT} {WEB} 198.51.100.7 10.0.1.24 51000 443 6 1 40 {START_S} {END_S} REJECT OK 2"),
    "nat": (V5, f"5 {ACCOUNT} {WEB} 10.0.3.5 10.0.1.24 52144 443 6 12 4840 {START_S} {END_S} ACCEPT OK vpc-0a1b2c3d4e5f60718 subnet-0a1b2c3d4e5f60718 i-0a1b2c3d4e5f60718 19 IPv4 198.51.100.7 10.0.1.24 eu-west-1 euw1-az1 - - - - ingress -"),
    "nat_egress": (V5, f"5 {ACCOUNT} {WEB} 10.0.1.24 10.0.3.5 40112 443 6 12 4840 {START_S} {END_S} ACCEPT OK vpc-0a1b2c3d4e5f60718 subnet-0a1b2c3d4e5f60718 i-0a1b2c3d4e5f60718 3 IPv4 10.0.1.24 203.0.113.80 eu-west-1 - outpost op-0a1b2c3d4e5f60718 - S3 egress 8"),
    "regional_nat_gateway": (V9, f"9 {ACCOUNT} - 10.0.1.24 203.0.113.80 40112 443 6 1 60 {START_S} {END_S} ACCEPT OK egress nat-0a1b2c3d4e5f60718"),
    "transit_gateway": (" ".join(TGW_LAYOUT), f"6 TransitGateway {ACCOUNT} tgw-0a1b2c3d4e5f60718 tgw-attach-0a1b2c3d4e5f60718 {ACCOUNT} {ACCOUNT} vpc-0a1b2c3d4e5f60718 vpc-0b1b2c3d4e5f60718 subnet-0a1b2c3d4e5f60718 subnet-0b1b2c3d4e5f60718 eni-0d1b2c3d4e5f60718 eni-0e1b2c3d4e5f60718 euw1-az1 euw1-az2 tgw-attach-0b1b2c3d4e5f60718 10.0.1.24 10.1.0.9 43210 443 6 10 1200 {START_S} {END_S} OK IPv4 0 1 0 0 19 eu-west-1 ingress - S3"),
    "transit_gateway_nodata": (" ".join(TGW_LAYOUT), f"6 TransitGateway {ACCOUNT} tgw-0a1b2c3d4e5f60718 tgw-attach-0a1b2c3d4e5f60718 - - - - - - - - - - - - - - - - - - {START_S} {END_S} NODATA - - - - - - - - - -"),
}  # fmt: skip
"""Layout and line of each case."""


class MadeUpPlaces:
    """Places for two addresses, and none for all others."""

    def places(self, addresses: Addresses) -> Places:
        table = PlaceTableBuilder()
        known = [
            Place("US", "United States", "WA", "Washington", "Seattle", 47.6062, -122.3321),
            Place("DE", "Germany", as_number=64496, as_org="Example"),
        ]
        rows = np.full(len(addresses.valid), NO_PLACE, np.intp)
        for number, row in zip((0xC6336407, 0xCB007109), table.add(known)):
            rows[addresses.is_ipv4 & (addresses.low == number)] = row
        return Places(rows, rows, table.table())


def reference() -> Reference:
    web = Eni(
        WEB,
        "interface",
        ACCOUNT,
        "vpc-0a1b2c3d4e5f60718",
        SUBNET,
        az_id="euw1-az1",
        description="web",
        private_addresses=(PrivateAddress("10.0.1.24", True),),
        ipv6_addresses=("2001:db8:2::24",),
        groups=(
            GroupRef(WEBS_GROUPS[0], "web"),
            GroupRef(WEBS_GROUPS[1], 'say "hi"'),
        ),
        instance_id="i-0a1b2c3d4e5f60718",
        tags=(("Name", "web-1"), ("team", "shop")),
    )
    database = Eni(
        DATABASE,
        "interface",
        ACCOUNT,
        "vpc-0a1b2c3d4e5f60718",
        private_addresses=(PrivateAddress("10.0.2.30", True),),
        groups=(GroupRef(DATABASES_GROUP, "database"),),
        instance_id="i-0b1b2c3d4e5f60718",
    )
    instances = tuple(
        Instance(number, ACCOUNT, "eu-west-1", tags=(("Name", name),))
        for number, name in (
            ("i-0a1b2c3d4e5f60718", "web-1"),
            ("i-0b1b2c3d4e5f60718", "database-1"),
        )
    )
    snapshot = Snapshot(
        START_S - 60,
        scopes=((ACCOUNT, "eu-west-1"),),
        kinds=frozenset(
            {
                "interfaces",
                "instances",
                "vpcs",
                "subnets",
                "security_groups",
                "security_group_rules",
                "network_acls",
            }
        ),
        interfaces=(web, database),
        instances=instances,
        security_groups=tuple(
            SecurityGroup(group_id, None, None, ACCOUNT, "eu-west-1", ("vpc-0a1b2c3d4e5f60718",))
            for group_id in (*WEBS_GROUPS, DATABASES_GROUP)
        ),
        security_group_rules=(
            rule(1, "0.0.0.0/0", 443),
            rule(2, "198.51.100.0/24", 443, group_id=WEBS_GROUPS[1]),
            rule(3, "203.0.113.9/32", 443),
            rule(4, DATABASES_GROUP, 5432, is_egress=True),
            rule(5, WEBS_GROUPS[0], 5432, group_id=DATABASES_GROUP),
        ),
        subnets=(
            Subnet(SUBNET, "vpc-0a1b2c3d4e5f60718", ACCOUNT, "eu-west-1a", cidrs=("10.0.1.0/24",)),
        ),
        network_acls=(
            NetworkAcl(
                "acl-0a1b2c3d4e5f60718",
                "vpc-0a1b2c3d4e5f60718",
                ACCOUNT,
                "eu-west-1",
                subnet_ids=(SUBNET,),
                entries=(
                    NetworkAclEntry(50, cidr="203.0.113.0/24"),
                    NetworkAclEntry(100, allow=True, cidr="0.0.0.0/0"),
                    NetworkAclEntry(100, is_egress=True, allow=True, cidr="0.0.0.0/0"),
                ),
            ),
        ),
        vpcs=(
            Vpc(
                "vpc-0a1b2c3d4e5f60718",
                ACCOUNT,
                "eu-west-1",
                cidrs=("10.0.0.0/16", "2001:db8:2::/64"),
            ),
        ),
    )
    places = MadeUpPlaces()
    return Reference(Inventory([snapshot]), geo=places, asn=places)


def rule(number: int, counterpart: str, port: int, **fields: Any) -> SecurityGroupRule:
    """Make a rule of TCP, of the first group of ``WEB`` if nothing else is said."""
    kind = "referenced_group_id" if counterpart.startswith("sg-") else "ipv4_cidr"
    given = {
        "group_id": WEBS_GROUPS[0],
        "group_owner_id": ACCOUNT,
        "region": "eu-west-1",
        "protocol": 6,
        "from_port": port,
        "to_port": port,
        kind: counterpart,
    }
    return SecurityGroupRule(rule_id=f"sgr-{number:017}", **{**given, **fields})


def cases() -> Iterator[tuple[str, pa.RecordBatch]]:
    """Yield the cases above with their flows, enriched."""
    known = reference()
    for case, (layout, line) in CASES.items():
        block = Lines(line.encode() + b"\n", f"{case}.log", np.array([1]))
        (batch,) = parse(block, layout=parse_log_format(layout)).batches
        yield case, enrich(batch, known)


def corpus() -> Iterator[tuple[str, pa.RecordBatch]]:
    """Yield the files of the corpus with their flows, enriched from nothing."""
    for expected in sorted(CORPUS.glob("*.expected.json")):
        case = expected.name.removesuffix(".expected.json")
        (path,) = (one for one in CORPUS.glob(f"{case}.*") if one != expected)
        options = json.loads(expected.read_text("utf-8")).get("options", {})
        layouts = Layouts([parse_log_format(text) for text in options.get("log_format", [])])
        (source,) = find_inputs([str(path)])
        for batch in read_flows(read_input(source), Books(), layouts=layouts):
            yield case, enrich(_without_folder(batch, path.name), Reference())


def _without_folder(batch: pa.RecordBatch, name: str) -> pa.RecordBatch:
    """Name the file alone: where a layout tells no flows apart, the event id is of the place, too."""
    at = batch.schema.get_field_index("source_object")
    column = pa.array([name] * batch.num_rows, pa.string()).dictionary_encode()
    return batch.set_column(at, "source_object", column)


def golden(schema: str, group: str) -> str:
    """Write the documents of a group, each with the name of its case."""
    return "".join(
        f'{{"case":{json.dumps(case)},"document":{document}}}\n'
        for case, flows in {"cases": cases, "corpus": corpus}[group]()
        for document in b"".join(SCHEMAS[schema].encode(flows)).decode().splitlines()
    )


def main() -> None:
    for schema in SCHEMAS:
        (GOLDEN / schema).mkdir(parents=True, exist_ok=True)
        for group in GROUPS:
            (GOLDEN / schema / f"{group}.ndjson").write_text(golden(schema, group), "utf-8")


if __name__ == "__main__":
    main()
