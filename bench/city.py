"""The city database: the one ``vpcflow geo fetch`` gets, or where it cannot be had, one built for this data."""

from __future__ import annotations

import ipaddress
import json
import os
from typing import TYPE_CHECKING, NamedTuple

import maxminddb
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from bench.geo_ranges import write_ranges
from vpcflow.errors import ReferenceDataError
from vpcflow.geo.fetch import data_folder, default_geo_path, fetch_geo

if TYPE_CHECKING:
    from pathlib import Path

_NETWORKS = 200_000
_VERSION = 1
_COUNTRIES = (("DE", "Germany", "Hesse"), ("US", "United States", "Ohio"), ("JP", "Japan", "Tokyo"),
              ("BR", "Brazil", "Bahia"), ("GB", "United Kingdom", "England"))  # fmt: skip


class City(NamedTuple):
    """The database, what it is in words, and the folder of the ranges made of it for peers."""

    path: Path
    description: str
    ranges: Path


def city_database(root: Path, folder: Path) -> City:
    """Give the fetched database, else the built one in ``folder``, with its ranges made where they are missing."""
    fetched = _fetched()
    path = fetched or folder / "city.mmdb"
    if not path.exists():
        print("building a city database instead …", flush=True)
        _build((folder / "lookups" / "public.txt").read_text().split(), path)
    metadata = maxminddb.open_database(path).metadata()
    ranges = (root if fetched else folder) / f"ranges-{path.stem}"
    stamp = {"version": _VERSION, "bytes": path.stat().st_size, "epoch": metadata.build_epoch}
    done = ranges / "done.json"
    if not done.exists() or json.loads(done.read_bytes()) != stamp:
        print(f"laying {path.name} out as ranges for the peers …", flush=True)
        ranges.mkdir(parents=True, exist_ok=True)
        write_ranges(path, ranges)
        done.write_text(json.dumps(stamp))
    kind = "" if fetched else ", built for this run"
    nodes = f"{metadata.node_count:,} nodes, {path.stat().st_size / 1e6:.0f} MB"
    return City(path, f"{metadata.database_type} ({nodes}{kind})", ranges)


def _fetched() -> Path | None:
    try:
        return default_geo_path() or fetch_geo(data_folder(os.environ))
    except ReferenceDataError as error:
        print(error)
        return None


def _build(public: list[str], path: Path) -> None:
    """Make a database of about 200,000 networks, the /24 (IPv6: /48) of each address among them."""
    networks = {
        ipaddress.ip_network(f"{text}/{48 if ':' in text else 24}", strict=False) for text in public
    }
    step = (223 - 1 << 24) // (_NETWORKS - len(networks))
    for number in range(_NETWORKS - len(networks)):
        address = ipaddress.IPv4Address((1 << 24) + number * step & ~0xFF)
        if address.is_global:
            networks.add(ipaddress.ip_network(f"{address}/24"))
    writer = MMDBWriter(
        ip_version=6, ipv4_compatible=True, database_type="Bench-City", languages=["en"]
    )
    for number, network in enumerate(sorted(networks, key=lambda n: (n.version, n))):
        writer.insert_network(IPSet([str(network)]), _record(number))
    writer.to_db_file(str(path))


def _record(number: int) -> dict[str, object]:
    """Give one of some 8,000 places, as many as the fetched database has for the generated addresses."""
    code, country, region = _COUNTRIES[number % 5]
    place = number % 8_191
    return {
        "country": {"iso_code": code, "names": {"en": country}},
        "subdivisions": [{"names": {"en": region}}],
        "city": {"names": {"en": f"City {place}"}},
        "location": {"latitude": place % 900 / 10, "longitude": place % 1800 / 10},
    }
