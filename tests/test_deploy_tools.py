"""What reads the template has nothing against it: cfn-lint and checkov; sam builds it in `test_artefact`."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "deploy" / "template.yaml"


def run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command],
        env={**os.environ, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "eu-west-1"},
        capture_output=True,
        text=True,
        cwd=ROOT / "deploy",
    )


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1"])
def test_cfn_lint_finds_nothing(region: str):
    done = run(ROOT / ".venv" / "bin" / "cfn-lint", "--regions", region, "--", TEMPLATE)

    assert (done.stdout, done.returncode) == ("", 0), done.stdout + done.stderr


def test_checkov_finds_nothing_that_is_not_accounted_for_in_place():
    done = run(
        *(ROOT / ".venv-checkov" / "bin" / "checkov", "--file", TEMPLATE),
        *("--framework", "cloudformation", "--skip-download", "--compact", "--quiet"),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Failed checks: 0" in done.stdout


def test_every_exception_has_its_reason():
    skips = re.findall(r"# checkov:skip=(\w+):?(.*)", TEMPLATE.read_text())

    assert skips
    assert all(len(reason) > 20 for _, reason in skips)
