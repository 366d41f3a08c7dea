"""The locked requirements: hashed, of one version each, with no address in them, and not behind ``pyproject.toml``."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = ("checkov", "core", "dev", "emulator", "lambda", "sam", "spark")


def locked(name: str) -> dict[str, set[str]]:
    """Give the versions of each package in a lock; more than one where Pythons need different ones."""
    found: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([\w.-]+)==(\S+)", lock_text(name), re.MULTILINE):
        found.setdefault(canonicalize_name(package), set()).add(version)
    return found


def lock_text(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text()


def asked_for() -> dict[str, list[Requirement]]:
    """Give what ``pyproject.toml`` asks for, by the lock it has to be in."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    core, extras = project["project"]["dependencies"], project["project"]["optional-dependencies"]
    without_java = [text for extra, texts in extras.items() if extra != "spark" for text in texts]
    asked = {
        "core": core,
        "dev": [*core, *without_java, *project["dependency-groups"]["dev"]],
        "spark": [*core, *extras["spark"]],
        "sam": project["dependency-groups"]["sam"],
        "lambda": [*core, *extras["aws"], *extras["opensearch"]],
        "checkov": project["dependency-groups"]["checkov"],
        "emulator": project["dependency-groups"]["emulator"],
    }
    return {lock: [Requirement(text) for text in texts] for lock, texts in asked.items()}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_address(lock: str) -> None:
    text = lock_text(lock)

    assert "://" not in text
    assert not re.search(r"^\s*-", text.replace("    --hash=", ""), re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_version_has_its_hashes(lock: str) -> None:
    requirements = re.split(r"^(?=[\w.-]+==)", lock_text(lock), flags=re.MULTILINE)[1:]

    assert requirements
    assert all("--hash=sha256:" in requirement for requirement in requirements)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_what_the_project_asks_for(lock: str) -> None:
    versions = locked(lock)

    for requirement in asked_for()[lock]:
        held = versions.get(canonicalize_name(requirement.name), set())
        assert held, f"{requirement} is not in {lock}.txt: run `make lock`"
        assert all(requirement.specifier.contains(v) for v in held), requirement


@pytest.mark.parametrize("lock", ["core", "lambda", "spark"])
def test_what_is_tested_is_what_is_installed(lock: str) -> None:
    tested, installed = locked("dev"), locked(lock)

    assert {n: v for n, v in installed.items() if n in tested} == {
        n: v for n, v in tested.items() if n in installed
    }
