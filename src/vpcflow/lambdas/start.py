"""The start of a function: what it reads from its environment, or the one line that says why it does not start."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import orjson

from vpcflow.errors import SettingsError, VpcflowError
from vpcflow.lambdas.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from vpcflow.lambdas.settings import Settings


def settings_at_start(
    function: str, *, check: Callable[[Settings], object] = lambda _: None
) -> Settings:
    """
    Read a function's settings as its module is imported.

    Where they make no sense, or ``check`` raises, one line says so and ``SettingsError`` stops the cold start.
    """
    try:
        settings = load_settings(function, os.environ)
        check(settings)
    except VpcflowError as error:
        words = {"function": function, "level": "ERROR", "event": "wrong settings"}
        sys.stdout.write(orjson.dumps({**words, "error": str(error)}).decode() + "\n")
        raise SettingsError(str(error)) from None
    return settings
