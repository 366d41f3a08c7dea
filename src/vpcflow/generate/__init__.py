"""Traffic to try things on: a simulated VPC, its inventory, its flow logs and, if asked for, the truth behind them."""

from vpcflow.generate.scenario import (
    LAYOUTS,
    SCENARIOS,
    Scenario,
    SimulationReport,
    parse_layout,
    parse_start,
)
from vpcflow.generate.simulate import simulate

__all__ = [
    "LAYOUTS",
    "SCENARIOS",
    "Scenario",
    "SimulationReport",
    "parse_layout",
    "parse_start",
    "simulate",
]
