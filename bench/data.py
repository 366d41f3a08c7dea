"""The input: generated once per set of parameters, and kept below ``bench/data``."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING, NamedTuple

from bench.city import City, city_database
from bench.interface_tables import write_interface_tables
from bench.lookup_files import write_lookup_files
from vpcflow.generate.scenario import Scenario
from vpcflow.generate.simulate import simulate

if TYPE_CHECKING:
    from pathlib import Path

SEED = 7
_VERSION = 1
"""Raise it when what is prepared here changes."""


class Data(NamedTuple):
    """
    What the cases read; ``tables`` is what was prepared for the DuckDB peer.

    ``text_bytes`` is the size of the unzipped logs; ``public_addresses`` are the distinct ones found in them.
    """

    logs: Path
    inventory: Path
    captured_s: int
    tables: Path
    lookups: Path
    city: City
    records: int
    files: int
    text_bytes: int
    compressed_bytes: int
    enis: int
    public_addresses: int


def prepare(root: Path, records: int, enis: int, public_addresses: int) -> Data:
    """Make what is missing below ``root``, and say where all of it is."""
    scenario = Scenario(
        name="scale", records=records, enis=enis, public_addresses=public_addresses, seed=SEED
    )
    folder = root / f"scale-{records}-{enis}-{public_addresses}"
    wanted = {"version": _VERSION, **asdict(scenario), "layout": list(scenario.layout)}
    manifest = folder / "manifest.json"
    made = json.loads(manifest.read_bytes()) if manifest.exists() else {}
    if made.get("wanted") != wanted:
        made = {"wanted": wanted, **_generate(scenario, folder)}
        manifest.write_text(json.dumps(made, indent=1))
    return Data(
        logs=folder / "AWSLogs",
        inventory=folder / "inventory",
        captured_s=scenario.capture_s,
        tables=folder / "tables",
        lookups=folder / "lookups",
        city=city_database(root, folder),
        **{name: made[name] for name in Data._fields[6:]},
    )


def _generate(scenario: Scenario, folder: Path) -> dict[str, int]:
    print(f"generating {scenario.records:,} records …", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    report = simulate(scenario, folder)
    for name in ("tables", "lookups"):
        (folder / name).mkdir()
    write_interface_tables(folder / "inventory", folder / "tables")
    public = write_lookup_files(folder / "AWSLogs", folder / "inventory", folder / "lookups")
    return {
        "records": report.records,
        "files": report.files,
        "text_bytes": report.text_bytes,
        "compressed_bytes": report.compressed_bytes,
        "enis": report.enis,
        "public_addresses": public,
    }
