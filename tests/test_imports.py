"""What a command imports, and what it must not: start-up is part of every run."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "pandas",
    "duckdb",
    "polars",
    "pyspark",
    "starlette",
    "boto3",
    "pyiceberg",
    "opensearchpy",
    "concurrent.futures.thread",
    "pycountry",
    "pyarrow.dataset",
)


@pytest.mark.parametrize("module", ["vpcflow", "vpcflow.cli"])
def test_importing_pulls_in_nothing_heavy(module: str) -> None:
    program = f"import sys, {module}; print(*sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert not set(HEAVY).intersection(done.stdout.split())


def test_no_command_imports_what_others_need() -> None:
    """Arrow would import pandas, at the first array it makes, wherever that is installed."""
    flow = "2 123456789012 eni-0a1b2c3d 203.0.113.9 10.0.1.24 1 22 6 1 40 1700000001 1700000059 REJECT OK"
    program = (
        "import sys; sys.argv = ['vpcflow', 'enrich', '-q', '--geo', 'off']\n"
        "from vpcflow.__main__ import main\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "print(*{'pandas', 'botocore', 'opensearchpy', 'vpcflow.sources.objects'}.intersection(sys.modules))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], input=flow, capture_output=True, text=True, check=True
    )

    document, imported = done.stdout.splitlines()
    assert "203.0.113.9" in document
    assert imported == ""
