"""The command line as a fixture."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import Vpcflow


@pytest.fixture
def vpcflow(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> Vpcflow:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return Vpcflow(monkeypatch, capsysbinary)
