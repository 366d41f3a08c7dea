"""
Lookup files for all enrichers: autonomous systems, AWS's ranges, named networks.

They are drawn up for the addresses in the logs: made up, but as large as real ones.
"""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from isal import igzip
from mmdb_writer import MMDBWriter
from netaddr import IPSet

if TYPE_CHECKING:
    from pathlib import Path

_AWS_PREFIXES = 9_000
_AWS_SERVICES = ("AMAZON", "EC2", "S3", "CLOUDFRONT", "GLOBALACCELERATOR", "DYNAMODB")
_AWS_REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-2", "GLOBAL")
_NETWORKS = 300


def write_lookup_files(logs: Path, inventory: Path, folder: Path) -> int:
    """
    Write ``asn.mmdb``, ``ip-ranges.json`` and ``networks.csv``, and ``public.txt`` with the distinct public addresses.

    Gives how many there are: those of the logs that are not of the VPC.
    """
    public = _public_addresses(logs, inventory)
    (folder / "public.txt").write_text("".join(f"{address}\n" for address in public))
    networks = sorted({_network_of(address) for address in public})
    _write_asn(networks, folder / "asn.mmdb")
    rng = np.random.default_rng(1)
    _write_aws_ranges(networks, rng, folder / "ip-ranges.json")
    _write_networks(rng, folder / "networks.csv")
    return len(public)


def _public_addresses(logs: Path, inventory: Path) -> list[str]:
    vpcs = json.loads((inventory / "describe-vpcs.json").read_bytes())["Vpcs"]
    own = [ipaddress.ip_network(c["CidrBlock"]) for v in vpcs for c in v["CidrBlockAssociationSet"]]
    own += [
        ipaddress.ip_network(c["Ipv6CidrBlock"])
        for v in vpcs
        for c in v.get("Ipv6CidrBlockAssociationSet", ())
    ]
    texts: set[str] = set()
    for path in sorted(logs.rglob("*.log.gz")):
        with igzip.open(path) as stream:
            table = pyarrow.csv.read_csv(
                pa.BufferReader(stream.read()),
                parse_options=pyarrow.csv.ParseOptions(delimiter=" "),
                convert_options=pyarrow.csv.ConvertOptions(
                    include_columns=["srcaddr", "dstaddr"],
                    column_types={"srcaddr": pa.string(), "dstaddr": pa.string()},
                ),
            )
        for column in table.columns:
            texts.update(pc.unique(column).to_pylist())
    addresses = [ipaddress.ip_address(text) for text in texts - {"-"}]
    return sorted(str(a) for a in addresses if not any(a in network for network in own))


def _network_of(address: str) -> str:
    bits = 32 if ":" in address else 16
    return str(ipaddress.ip_network(f"{address}/{bits}", strict=False))


def _write_asn(networks: list[str], path: Path) -> None:
    writer = MMDBWriter(
        ip_version=6, ipv4_compatible=True, database_type="Bench-ASN", languages=["en"]
    )
    for number, network in enumerate(networks):
        system = 64_512 + number % 5_000
        record = {
            "autonomous_system_number": system,
            "autonomous_system_organization": f"Network {system}",
        }
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))


def _write_aws_ranges(networks: list[str], rng: np.random.Generator, path: Path) -> None:
    """Make a prefix of every fourth network of the logs, the rest of prefixes that none of them is in."""
    prefixes = []
    for number in range(_AWS_PREFIXES):
        if number % 4 == 0 and number < len(networks):
            prefix = networks[number]
        else:
            prefix = f"15.{rng.integers(256)}.{rng.integers(256)}.0/{rng.integers(20, 25)}"
        network = ipaddress.ip_network(prefix, strict=False)
        prefixes.append((network, _AWS_REGIONS[number % 6], _AWS_SERVICES[number % 5]))
    document = {
        "syncToken": "1",
        "createDate": "2026-01-01-00-00-00",
        "prefixes": [_prefix("ip_prefix", p) for p in prefixes if p[0].version == 4],
        "ipv6_prefixes": [_prefix("ipv6_prefix", p) for p in prefixes if p[0].version == 6],
    }
    path.write_text(json.dumps(document))


def _prefix(key: str, prefix: tuple[object, str, str]) -> dict[str, str]:
    network, region, service = prefix
    return {key: str(network), "region": region, "service": service, "network_border_group": region}


def _write_networks(rng: np.random.Generator, path: Path) -> None:
    lines = ["cidr,name,kind"]
    for number in range(_NETWORKS):
        cidr = f"{rng.integers(60, 126)}.{rng.integers(256)}.{number % 256}.0/24"
        lines.append(f"{cidr},Site {number},{('office', 'partner', 'on-premises')[number % 3]}")
    path.write_text("\n".join(dict.fromkeys(lines)) + "\n")
