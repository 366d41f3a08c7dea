"""Flows that dashboards are tried on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet
from simulated import simulated

import vpcflow
from vpcflow.file_schema import TEXT
from vpcflow.generate import LAYOUTS
from vpcflow.geo import open_geo
from vpcflow.inventory import load_inventory

PLACES = {
    "0.0.0.0/2": ("US", "United States", "Seattle", 47.6, -122.3, 64496, "Example West"),
    "64.0.0.0/2": ("DE", "Germany", "Berlin", 52.5, 13.4, 64497, "Example East"),
    "128.0.0.0/2": ("JP", "Japan", "Tokyo", 35.7, 139.7, 64498, "Example Far East"),
}
"""The rest of the world has no place."""


@pytest.fixture(scope="session")
def batches(tmp_path_factory: pytest.TempPathFactory) -> list[pa.RecordBatch]:
    """Flows of a company, with all that can be told of them, and some causes that no simulation has."""
    folder = tmp_path_factory.mktemp("company")
    report = simulated(folder, records=3_000, layout=LAYOUTS["v11"])
    inventory = load_inventory(
        report.inventory, captured_at=report.scenario.capture_s, warn=lambda _: None
    )
    reference = vpcflow.Reference(
        inventory=inventory,
        geo=open_geo(database(folder / "city.mmdb", "Test-City", city)),
        asn=open_geo(database(folder / "asn.mmdb", "Test-ASN", system)),
    )
    return [
        with_causes(vpcflow.enrich(batch, reference)) for batch in vpcflow.read(str(report.logs))
    ]


def city(place: tuple[Any, ...]) -> dict[str, Any]:
    return {
        "country": {"iso_code": place[0], "names": {"en": place[1]}},
        "city": {"names": {"en": place[2]}},
        "location": {"latitude": place[3], "longitude": place[4]},
    }


def system(place: tuple[Any, ...]) -> dict[str, Any]:
    return {"autonomous_system_number": place[5], "autonomous_system_organization": place[6]}


def database(path: Path, type_: str, record: Callable[[tuple[Any, ...]], dict[str, Any]]) -> Path:
    writer = MMDBWriter(4, type_, languages=["en"], description="test", float_type="f64")
    for cidr, place in PLACES.items():
        writer.insert_network(IPSet([cidr]), record(place))
    writer.to_db_file(str(path))
    return path


def with_causes(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Say of some rejects that AWS named the cause, of some records that there was no traffic or interface."""
    rng = np.random.default_rng(batch.num_rows)
    rejected = np.array([action == "REJECT" for action in batch["action"].to_pylist()])
    cause = np.where(rejected, rng.choice(["", "BPA", "EC"], batch.num_rows), "")
    batch = replaced(batch, "reject_reason", pa.array(cause, mask=cause == ""))
    for name, value in (("inventory_state", "unknown"), ("log_status", "NODATA")):
        few = rng.random(batch.num_rows) < 0.02
        values = [value if other else v for v, other in zip(batch[name].to_pylist(), few)]
        batch = replaced(batch, name, pa.array(values))
    return batch


def replaced(batch: pa.RecordBatch, name: str, values: pa.Array) -> pa.RecordBatch:
    column = values.dictionary_encode().cast(TEXT)
    return batch.set_column(batch.schema.get_field_index(name), name, column)
