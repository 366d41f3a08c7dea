"""What ``vpcflow --version`` says."""

from __future__ import annotations

import platform
from importlib.metadata import version

import typer

import vpcflow
from vpcflow import native

_ENGINE = ("pyarrow", "numpy", "maxminddb", "orjson", "isal")
_DATA = {
    "flow log fields": "2026-08-20 (version 11)",
    "protocol numbers": "2025-06-01 (IANA)",
}


def print_versions() -> None:
    """Print the versions of the engine and the dates of the data, and end."""
    typer.echo(f"vpcflow {vpcflow.__version__}")
    engine = ", ".join(f"{name} {version(name)}" for name in _ENGINE)
    typer.echo(f"engine  Python {platform.python_version()}, {engine}")
    compiled = "yes" if native.is_available() else "no: all is done the plain way"
    typer.echo(f"compiled part  {compiled}")
    for name, date in {**_DATA, "geolocation": _geolocation()}.items():
        typer.echo(f"data    {name}: {date}")
    raise typer.Exit


def _geolocation() -> str:
    # Opening a database costs more than the rest together, and is of no use to other commands.
    from vpcflow.geo import open_geo
    from vpcflow.geo.fetch import default_geo_path

    path = default_geo_path()
    if path is None:
        return "none (run `vpcflow geo fetch`)"
    database = open_geo(path)
    return f"{database.build_date} ({database.type})"
