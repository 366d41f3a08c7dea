"""The commands that are measured."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measure import Case
from vpcflow.fields import DEFAULT_LAYOUT, FIELD_BY_NAME

if TYPE_CHECKING:
    from bench.data import Data

COLUMNS = (
    *(FIELD_BY_NAME[name].column for name in DEFAULT_LAYOUT),
    "security_group_ids",
    "direction",
    *(
        f"src_geo_{name}"
        for name in "country_code country_name region_code region_name city latitude longitude".split()
    ),
)
"""What (b) and (c) write, and so do their peers: typed fields, own groups, direction, source geography."""

_PEERS = Path(__file__).with_name("peers")


def vpcflow_cases(data: Data, out: Path) -> list[Case]:
    """Give (a) to (d)."""
    logs, columns = str(data.logs), ("--columns", ",".join(COLUMNS))
    reference = (
        *("--inventory", str(data.inventory), "--inventory-time", str(data.captured_s)),
        *("--geo", str(data.city.path)),
    )
    everything = (
        *("--asn", str(data.lookups / "asn.mmdb")),
        *("--aws-ranges", str(data.lookups / "ip-ranges.json")),
        *("--networks", str(data.lookups / "networks.csv")),
    )

    def case(name: str, title: str, suffix: str, *arguments: str) -> Case:
        path = out / f"{name}.{suffix}"
        return Case(name, title, (*_vpcflow(), *arguments, "--to", str(path)), path)

    enrich = ("enrich", logs, *reference)
    return [
        case("a", "parse → NDJSON", "ndjson", "parse", logs),
        case("b", "enrich → Parquet", "parquet", *enrich, *columns),
        case("c", "enrich → NDJSON", "ndjson", *enrich, *columns),
        case("d", "all enrichers → Parquet", "parquet", *enrich, *everything),
    ]


def peer_cases(data: Data, out: Path) -> list[Case]:
    """Give the floor, and DuckDB and the loop for (b) and for (c)."""
    logs, ranges = str(data.logs), data.city.ranges
    duckdb = ("duckdb_sql.py", logs, str(data.tables), str(ranges))
    loop = (
        "loop.py",
        logs,
        str(data.inventory),
        str(data.city.path),
        str(ranges / "region_codes.json"),
    )
    return [
        _peer("floor", "unzip, write the same text", out / "floor.txt", "floor.py", logs),
        _peer("duckdb_b", "DuckDB SQL → Parquet", out / "duckdb.parquet", *duckdb),
        _peer("loop_b", "Python loop → Parquet", out / "loop.parquet", *loop),
        _peer("duckdb_c", "DuckDB SQL → NDJSON", out / "duckdb.ndjson", *duckdb),
        _peer("loop_c", "Python loop → NDJSON", out / "loop.ndjson", *loop),
    ]


def _peer(name: str, title: str, out: Path, script: str, *arguments: str) -> Case:
    return Case(name, title, (sys.executable, str(_PEERS / script), *arguments, str(out)), out)


def _vpcflow() -> tuple[str, ...]:
    """Give the installed command, else the same from the sources."""
    installed = Path(sys.executable).with_name("vpcflow")
    if installed.exists():
        return (str(installed),)
    return (sys.executable, "-m", "vpcflow")
