"""What the DuckDB peer joins with, out of the AWS CLI's JSON: made beforehand, outside of the measured time."""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def write_interface_tables(inventory: Path, folder: Path) -> None:
    """Write ``groups.parquet`` (interface_id, security_group_ids) and ``addresses.parquet`` (interface_id, address)."""
    interfaces = json.loads((inventory / "describe-network-interfaces.json").read_bytes())
    interfaces = interfaces["NetworkInterfaces"]
    ids = [eni["NetworkInterfaceId"] for eni in interfaces]
    groups = [sorted(group["GroupId"] for group in eni["Groups"]) for eni in interfaces]
    table = pa.table({"interface_id": ids, "security_group_ids": groups})
    pq.write_table(table, folder / "groups.parquet")
    pairs = {(eni["NetworkInterfaceId"], text) for eni in interfaces for text in addresses_of(eni)}
    owners, addresses = zip(*sorted(pairs), strict=True)
    table = pa.table({"interface_id": owners, "address": addresses})
    pq.write_table(table, folder / "addresses.parquet")


def addresses_of(eni: dict[str, Any]) -> Iterator[str]:
    """Give all addresses of an ENI, those of delegated IPv4 prefixes too."""
    for entry in eni.get("PrivateIpAddresses", ()):
        yield entry["PrivateIpAddress"]
        if public := entry.get("Association", {}).get("PublicIp"):
            yield public
    for entry in eni.get("Ipv6Addresses", ()):
        yield entry["Ipv6Address"]
    for entry in eni.get("Ipv4Prefixes", ()):
        yield from map(str, ipaddress.IPv4Network(entry["Ipv4Prefix"]))
