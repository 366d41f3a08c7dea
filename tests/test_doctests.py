"""The examples in docstrings do what they say."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"


def modules_with_examples() -> list[str]:
    files = [file for file in SRC.rglob("*.py") if ">>> " in file.read_text()]
    return sorted(
        ".".join(file.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")
        for file in files
    )


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_in_docstrings_hold(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)

    result = doctest.testmod(importlib.import_module(name))

    assert result.attempted > 0
    assert result.failed == 0
