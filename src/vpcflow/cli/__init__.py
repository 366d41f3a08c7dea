"""
The command line: ``vpcflow <verb>``. Data to standard output, words to standard error.

Exit status: 0 done, 1 could not, 2 wrong usage, 3 done with rejects.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from vpcflow.cli import demo, enrich, explain, fields, generate, geo, inventory, parse
from vpcflow.cli.versions import print_versions
from vpcflow.errors import FormatError, VpcflowError

_HELP = """
Understand and tighten AWS network traffic: VPC Flow Logs with their meaning.

Exit status: 0 done, 1 could not, 2 wrong usage, 3 done with rejects.

\b
    vpcflow enrich --inventory inventory/ flows.log.gz > flows.ndjson
    vpcflow enrich --inventory inventory/ --to enriched/ AWSLogs/
"""

app = typer.Typer(
    name="vpcflow",
    help=_HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _vpcflow(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=print_versions,
            is_eager=True,
            help="Show the versions of the engine and the dates of the data, and exit.",
        ),
    ] = False,
) -> None:
    pass


app.command("parse", help=parse.HELP)(parse.parse_command)
app.command("enrich", help=enrich.HELP)(enrich.enrich_command)
app.command("explain", help=explain.HELP)(explain.explain_command)
app.command("fields", help=fields.HELP)(fields.fields_command)
app.add_typer(inventory.app, name="inventory")
app.add_typer(geo.app, name="geo")
app.command("generate", help=generate.HELP)(generate.generate_command)
app.command("demo", help=demo.HELP)(demo.demo_command)


def main() -> None:
    """Run the command line; the one place where errors become words and an exit status."""
    try:
        app()
    except VpcflowError as error:
        print(f"vpcflow: {error}", file=sys.stderr)
        # A format error that gets this far is about an option: one in a file is a fault of that file.
        sys.exit(2 if isinstance(error, FormatError) else 1)
    except KeyboardInterrupt:
        print("vpcflow: interrupted", file=sys.stderr)
        sys.exit(130)
