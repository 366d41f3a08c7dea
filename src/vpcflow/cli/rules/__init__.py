"""``vpcflow rules``: which security group rules the traffic needs."""

from __future__ import annotations

import importlib
import sys

import typer

_HELP = """
Which security group rules the traffic needs: who opened each connection, and what let it pass.

attribute writes flows with the rules that admitted them; usage tells for every rule what it let through; propose says
which rules can go or be narrowed; replay, what a change of rules would break; explain, why one flow passed or not.

\b
    vpcflow rules attribute --inventory inventory/ --to attributed/ AWSLogs/
    vpcflow rules usage --inventory inventory/ AWSLogs/
"""

COMMANDS = ("attribute", "usage", "propose", "replay", "explain")
"""The commands, in the order of the help; each is the module of its name."""


def __getattr__(name: str) -> typer.Typer:
    """Make ``app`` for the command that is asked for: only its module is imported; all where help is asked for."""
    if name != "app":
        raise AttributeError(name)
    made = typer.Typer(no_args_is_help=True, help=_HELP)
    for command in [named for named in sys.argv[2:3] if named in COMMANDS] or COMMANDS:
        module = importlib.import_module(f"{__name__}.{command}")
        made.command(command, help=module.HELP)(getattr(module, f"{command}_command"))
    return made
