"""What a user installs: the wheel, with the core requirements alone, away from the source tree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from build_hook import own_platform

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
    (built,) = build_wheel(tmp_path_factory.mktemp("wheel"), "")
    return built


def build_wheel(folder: Path, platform: str) -> list[Path]:
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "wheel")
    how = ("--no-deps", "--no-build-isolation", "--wheel-dir", folder)
    done("env", f"VPCFLOW_PLATFORM={platform}", *pip, *how, ROOT, cwd=folder)
    return list(folder.glob("*.whl"))


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


def test_the_wheel_is_for_this_platform_and_has_its_compiled_reader(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    assert "vpcflow/native/vpcflow.so" in names
    assert "vpcflow/native/read_columns.c" not in names
    assert wheel.stem.split("-", 2)[2] == f"py3-none-{own_platform()}"


@pytest.mark.parametrize(
    ("platform", "machine"),
    [("manylinux_2_17_x86_64", 0x3E), ("manylinux_2_17_aarch64", 0xB7)],
)
def test_a_wheel_can_be_made_for_another_platform(
    platform: str, machine: int, tmp_path: Path
) -> None:
    (built,) = build_wheel(tmp_path, platform)

    with zipfile.ZipFile(built) as archive:
        library = archive.read("vpcflow/native/vpcflow.so")
    assert platform in built.name
    # The header of an ELF file names the machine: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
    assert library[:4] == b"\x7fELF"
    assert int.from_bytes(library[18:20], "little") == machine


def test_a_wheel_for_any_platform_has_no_compiled_reader(tmp_path: Path) -> None:
    (built,) = build_wheel(tmp_path, "any")

    with zipfile.ZipFile(built) as archive:
        assert not [name for name in archive.namelist() if name.endswith(".so")]
    assert built.name.endswith("-py3-none-any.whl")


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
