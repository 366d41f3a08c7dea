"""The command line, called as ``main`` calls it."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest

from vpcflow.cli import main


class Outcome(NamedTuple):
    """Exit status, standard output and standard error of a command."""

    status: int
    out: bytes
    err: str

    @property
    def documents(self) -> list[dict[str, object]]:
        return [orjson.loads(line) for line in self.out.splitlines()]


class Vpcflow:
    """Runs commands in a folder of their own, with a data folder that holds no database."""

    def __init__(self, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[bytes]) -> None:
        self._patch = patch
        self._capture = capture

    def __call__(self, *arguments: str | Path, given: bytes = b"") -> Outcome:
        self._patch.setattr(sys, "argv", ["vpcflow", *map(str, arguments)])
        self._patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        self._capture.readouterr()
        try:
            main()
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
        out, err = self._capture.readouterr()
        return Outcome(status, out, err.decode())
