"""``vpcflow fields``: the table of fields."""

from __future__ import annotations

from typing import Annotated

import orjson
import typer

from vpcflow.errors import FormatError
from vpcflow.fields import ADDED, FIELDS

HELP = """
Show the fields of flow log records, and the columns vpcflow adds.

NAME narrows it to fields whose name or column contains the text; --version to what a version of the format brought.

\b
    vpcflow fields
    vpcflow fields --version 11
    vpcflow fields --json aws-service
"""


def fields_command(
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)] = "",
    version: Annotated[
        int | None,
        typer.Option(
            "--version", min=2, show_default=False, help="Only fields new in this version."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Print the table, AWS's fields first."""
    rows = [row for row in _rows() if name.replace("-", "_").lower() in str(row["column"])]
    rows = [row for row in rows if version is None or row["since"] == version]
    if not rows:
        raise FormatError("no field is of that name and version (all: run `vpcflow fields`)")
    for row in rows:
        if as_json:
            typer.echo(orjson.dumps({k: v for k, v in row.items() if v is not None}))
        else:
            origin = f"v{row['since']}" if row["since"] else row["enricher"]
            typer.echo(f"{row['column']:<28} {row['type']:<12} {origin:<16} {row['description']}")


def _rows() -> list[dict[str, object]]:
    aws: list[dict[str, object]] = [
        {
            "column": f.column, "name": f.name, "type": str(f.type), "since": f.since, "enricher": None,
            "description": f.description, "null": f.dash, "ecs": f.ecs, "ocsf": f.ocsf,
        }
        for f in FIELDS
    ]  # fmt: skip
    added: list[dict[str, object]] = [
        {
            "column": a.column,
            "type": _short(str(a.type)),
            "since": None,
            "enricher": a.enricher,
            "description": a.description,
            "ecs": a.ecs,
            "ocsf": a.ocsf,
        }
        for a in ADDED
    ]
    return [*aws, *added]


def _short(type_: str) -> str:
    return {"list<item: string>": "list<string>"}.get(type_, "map" if "key" in type_ else type_)
