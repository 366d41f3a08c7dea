"""What a user installs: the wheel, with the core requirements alone, away from the source tree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import vpcflow

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[1]
FLOW = (
    "2 123456789012 eni-0a1b2c3d4e5f60718 203.0.113.12 10.0.1.24 52144 443 6 12 4840"
    " 1700000000 1700000058 ACCEPT OK\n"
)


def run(*command: str | Path, cwd: Path, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command as a new user would: without this test run's settings, and with no data folder yet."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    environment["XDG_DATA_HOME"] = str(cwd / "data")
    return subprocess.run(
        command, cwd=cwd, input=given, env=environment, capture_output=True, text=True, check=False
    )


def done(*command: str | Path, cwd: Path, given: str = "") -> str:
    result = run(*command, cwd=cwd, given=given)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    done(
        *pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT, cwd=folder
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def home(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and ``requirements/core.txt``; the commands are in its ``bin``."""
    folder = tmp_path_factory.mktemp("home")
    done(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    pip = (folder / "venv/bin/pip", "--quiet", "--disable-pip-version-check", "install")
    core = ROOT / "requirements" / "core.txt"
    done(*pip, "--no-compile", "--require-hashes", "--requirement", core, cwd=folder)
    done(*pip, "--no-compile", "--no-deps", wheel, cwd=folder)
    return folder


def test_the_wheel_holds_the_package_its_types_and_its_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read(f"vpcflow-{vpcflow.__version__}.dist-info/METADATA").decode()

    assert {"vpcflow/__init__.py", "vpcflow/fields.py", "vpcflow/py.typed"} <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith(("tests", "tools", "docs", "bench")) for name in names)
    assert "License-Expression: Apache-2.0" in metadata
    assert "Requires-Python: >=3.11" in metadata


def test_the_core_requirements_are_all_the_wheel_asks_for(home: Path) -> None:
    answer = done(home / "venv/bin/pip", "check", cwd=home)

    assert "No broken requirements" in answer


def test_the_installed_command_names_its_version(home: Path) -> None:
    answer = done(home / "venv/bin/vpcflow", "--version", cwd=home)

    assert vpcflow.__version__ in answer


def test_the_installed_command_enriches_a_flow(home: Path) -> None:
    answer = done(home / "venv/bin/vpcflow", "enrich", cwd=home, given=FLOW)

    (document,) = [json.loads(line) for line in answer.splitlines()]
    assert document["srcaddr"] == "203.0.113.12"
    assert document["protocol_name"] == "tcp"
    assert len(document["event_id"]) == 32


def test_the_installed_command_writes_a_dataset_and_says_what_was_bad(home: Path) -> None:
    (home / "flows.log").write_text(FLOW + "this is no flow\n" + FLOW.replace("52144", "52145"))

    result = run(
        home / "venv/bin/vpcflow",
        "enrich",
        "flows.log",
        "--to",
        "out/",
        "--rejects",
        "rejects.ndjson",
        cwd=home,
    )

    assert result.returncode == 3, result.stderr
    assert list((home / "out").rglob("*.parquet"))
    (reject,) = [json.loads(line) for line in (home / "rejects.ndjson").read_text().splitlines()]
    assert reject["reason"] == "too_few_fields"


def test_the_installed_command_generates_what_it_can_enrich(home: Path) -> None:
    vpcflow_command = home / "venv/bin/vpcflow"
    done(
        vpcflow_command,
        *("generate", "--simulate", "company", "--seed", "7", "--minutes", "10", "--to", "demo/"),
        cwd=home,
    )

    answer = done(
        vpcflow_command,
        *("enrich", "demo/AWSLogs", "--inventory", "demo/inventory", "--to", "-"),
        cwd=home,
    )

    flows = [json.loads(line) for line in answer.splitlines()]
    assert len(flows) > 1_000
    assert any(flow["security_group_ids"] for flow in flows)
