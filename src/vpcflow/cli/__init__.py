"""
The command line: ``vpcflow <verb>``. Data to standard output, words to standard error.

Exit status: 0 done, 1 could not, 2 wrong usage, 3 done with rejects.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from vpcflow.errors import FormatError, VpcflowError

if TYPE_CHECKING:
    from collections.abc import Iterable

_HELP = """
Understand and tighten AWS network traffic: VPC Flow Logs with their meaning.

Exit status: 0 done, 1 could not, 2 wrong usage, 3 done with rejects.

\b
    vpcflow enrich --inventory inventory/ flows.log.gz > flows.ndjson
    vpcflow enrich --inventory inventory/ --to enriched/ AWSLogs/
"""

COMMANDS = (
    "parse",
    "enrich",
    "explain",
    "rules",
    "fields",
    "inventory",
    "geo",
    "generate",
    "dashboards",
    "redrive",
    "demo",
)
"""The commands, in the order of the help; each is the module of its name."""


def command_line(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """Make the command line with these commands; only their modules are imported."""
    app = typer.Typer(
        name="vpcflow",
        help=_HELP,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_vpcflow)
    for name in names:
        module = importlib.import_module(f"{__name__}.{name}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name)
        else:
            app.command(name, help=module.HELP)(getattr(module, f"{name}_command"))
    return app


def main() -> None:
    """Run the command line; the one place where errors become words and an exit status."""
    named = [name for name in sys.argv[1:2] if name in COMMANDS]
    try:
        # What no command is named for (help, completion, a wrong name) needs to know all.
        command_line(named or COMMANDS)()
    except VpcflowError as error:
        print(f"vpcflow: {error}", file=sys.stderr)
        # A format error that gets this far is about an option: one in a file is a fault of that file.
        sys.exit(2 if isinstance(error, FormatError) else 1)
    except KeyboardInterrupt:
        print("vpcflow: interrupted", file=sys.stderr)
        sys.exit(130)


def _print_versions(wanted: bool) -> None:
    if wanted:
        from vpcflow.cli.versions import print_versions

        print_versions()


def _vpcflow(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_versions,
            is_eager=True,
            help="Show the versions of the engine and the dates of the data, and exit.",
        ),
    ] = False,
) -> None:
    pass
