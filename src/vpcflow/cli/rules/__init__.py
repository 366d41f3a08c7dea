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

COMMANDS = ("attribute",)
"""The commands, in the order of the help; each is the module of its name."""

app = typer.Typer(no_args_is_help=True, help=_HELP)


def _named() -> tuple[str, ...]:
    """Give the command that is asked for: only its module is imported; all where help is asked for."""
    return tuple(name for name in sys.argv[2:3] if name in COMMANDS) or COMMANDS


for _name in _named():
    _module = importlib.import_module(f"{__name__}.{_name}")
    app.command(_name, help=_module.HELP)(getattr(_module, f"{_name}_command"))
