"""Simulations that several tests look at."""

from __future__ import annotations

import pytest
from simulated import simulated

from vpcflow.generate import LAYOUTS, SimulationReport


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> SimulationReport:
    """Seven quiet minutes of the company, all fields, with the truth."""
    to = tmp_path_factory.mktemp("company")
    return simulated(to, minutes=7, rate_scale=0.4, layout=LAYOUTS["v11"], truth=True)


@pytest.fixture(scope="session")
def scale(tmp_path_factory: pytest.TempPathFactory) -> SimulationReport:
    """25,000 records of 300 ENIs, version-5 fields, with the truth."""
    to = tmp_path_factory.mktemp("scale")
    return simulated(
        to, name="scale", minutes=5, records=25_000, enis=300, groups=40, public_addresses=1_000,
        layout=LAYOUTS["v5"], truth=True,
    )  # fmt: skip
