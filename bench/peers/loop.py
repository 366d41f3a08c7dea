"""
The same columns in a plain loop over the lines, with caches in dictionaries.

    python loop.py LOGS INVENTORY DATABASE REGION_CODES OUT

OUT is Parquet or, with any other suffix, JSON lines. REGION_CODES has the codes that the database lacks.
"""

import ipaddress
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import maxminddb
import orjson
from isal import igzip

_ROWS = 131_072
_COLUMNS = (
    "version account_id interface_id srcaddr dstaddr srcport dstport protocol packets bytes start end action"
    " log_status security_group_ids direction"
).split()
_PLACE_COLUMNS = "country_code country_name region_code region_name city latitude longitude".split()
_NOWHERE = (None,) * len(_PLACE_COLUMNS)


def flows(logs: Path, inventory: Path, database: str, region_codes: Path) -> Iterator[tuple]:
    """Give the values of each flow, in the order of all columns."""
    owners = _owners(inventory)
    reader = maxminddb.open_database(database)
    codes = json.loads(region_codes.read_bytes())
    places = {"-": _NOWHERE}
    for path in sorted(logs.rglob("*.log.gz")):
        with igzip.open(path, "rt", encoding="ascii", newline="\n") as lines:
            next(lines)
            for line in lines:
                (version, account, eni, src, dst, srcport, dstport, protocol, packets, size,
                 start, end, action, status) = line.split()  # fmt: skip
                groups, addresses = owners.get(eni, (None, ()))
                sent, got = src in addresses, dst in addresses
                direction = None if sent == got else "egress" if sent else "ingress"
                if src not in places:
                    places[src] = _place(reader, codes, src)
                if src == "-":
                    yield (int(version), account, eni, *(None,) * 7, int(start), int(end), None, status,
                           groups, None, *_NOWHERE)  # fmt: skip
                    continue
                yield (int(version), account, eni, src, dst, int(srcport), int(dstport), int(protocol),
                       int(packets), int(size), int(start), int(end), action, status, groups, direction,
                       *places[src])  # fmt: skip


def _owners(inventory: Path) -> dict[str, tuple[list[str], frozenset[str]]]:
    """Give groups and addresses by ENI."""
    described = orjson.loads((inventory / "describe-network-interfaces.json").read_bytes())
    owners = {}
    for eni in described["NetworkInterfaces"]:
        addresses = [entry["Ipv6Address"] for entry in eni["Ipv6Addresses"]]
        for entry in eni["PrivateIpAddresses"]:
            addresses.append(entry["PrivateIpAddress"])
            if "Association" in entry:
                addresses.append(entry["Association"]["PublicIp"])
        for entry in eni.get("Ipv4Prefixes", ()):
            addresses += map(str, ipaddress.ip_network(entry["Ipv4Prefix"]))
        groups = sorted(group["GroupId"] for group in eni["Groups"])
        owners[eni["NetworkInterfaceId"]] = groups, frozenset(addresses)
    return owners


def _place(reader: maxminddb.Reader, codes: dict[str, str], text: str) -> tuple:
    found = reader.get(text) if ipaddress.ip_address(text).is_global else None
    if not found:
        return _NOWHERE
    country, location = found.get("country", {}), found.get("location", {})
    code, regions = country.get("iso_code"), found.get("subdivisions")
    region = regions[0]["names"]["en"] if regions else None
    return (
        code,
        country.get("names", {}).get("en"),
        codes.get(f"{code}/{region}"),
        region,
        found.get("city", {}).get("names", {}).get("en"),
        location.get("latitude"),
        location.get("longitude"),
    )


def write_json_lines(rows: Iterator[tuple], names: list[str], out: Path) -> None:
    dumps, option = orjson.dumps, orjson.OPT_APPEND_NEWLINE
    with out.open("wb", buffering=1 << 20) as file:
        for row in rows:
            document = {k: v for k, v in zip(names, row, strict=True) if v is not None}
            file.write(dumps(document, option=option))


def write_parquet(rows: Iterator[tuple], names: list[str], out: Path) -> None:
    import itertools

    import pyarrow as pa
    import pyarrow.parquet as pq

    types = dict.fromkeys(names, pa.string())
    types |= dict.fromkeys(["version", "srcport", "dstport", "protocol"], pa.int32())
    types |= dict.fromkeys(["packets", "bytes", "start", "end"], pa.int64())
    types |= dict.fromkeys(["src_geo_latitude", "src_geo_longitude"], pa.float64())
    types["security_group_ids"] = pa.list_(pa.string())
    schema = pa.schema(types.items())
    with pq.ParquetWriter(out, schema) as writer:
        while held := list(itertools.islice(rows, _ROWS)):
            columns = [
                pa.array(c, kind)
                for c, kind in zip(zip(*held, strict=True), types.values(), strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def main(logs: str, inventory: str, database: str, region_codes: str, out: str) -> None:
    rows = flows(Path(logs), Path(inventory), database, Path(region_codes))
    names = [*_COLUMNS, *(f"src_geo_{name}" for name in _PLACE_COLUMNS)]
    write = write_parquet if Path(out).suffix == ".parquet" else write_json_lines
    write(rows, names, Path(out))


if __name__ == "__main__":
    main(*sys.argv[1:])
