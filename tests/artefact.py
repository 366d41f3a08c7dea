"""
What is deployed: the functions' code, built by sam, and run as Lambda runs it.

The interpreter sees the built tree and Lambda's runtime client, and nothing else.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import platform
import re
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

from aws_stub import INTERFACE_ADDRESS, INTERFACE_ID, Aws
from build_code import MACHINES, find_interpreter
from deployed import SAM, run
from runtime_api import Function, running

ROOT = Path(__file__).parents[1]

# The default, or the running one where this machine has not got it.
PYTHON = "3.13" if find_interpreter("3.13") else f"3.{sys.version_info.minor}"
OWN = next((name for name, machine in MACHINES.items() if machine == platform.machine()), "x86_64")

LINE = (
    f"2 123456789012 {INTERFACE_ID} 203.0.113.12 {INTERFACE_ADDRESS} 52144 443 6 12 4840"
    " 1700000000 1700000058 ACCEPT OK"
)
HEADER = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end"
    " action log-status"
)
STREAM = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/flows"


class Built(NamedTuple):
    template: Path
    python: Path
    architecture: str


_BUILT: dict[str, Built] = {}


def build(architecture: str, folder: Path) -> Built:
    if architecture in _BUILT:
        return _BUILT[architecture]
    folder.mkdir(parents=True, exist_ok=True)
    target = f"python{PYTHON}-{architecture}"
    run(
        *(SAM / "sam", "build", "--template-file", ROOT / "deploy" / "template.yaml"),
        *("--build-dir", folder / "build"),
        *("--parameter-overrides", f"Architecture={architecture}"),
        environment={**os.environ, "SAM_CLI_TELEMETRY": "0", "VPCFLOW_TARGET": target},
        folder=folder,
    )
    _BUILT[architecture] = Built(
        folder / "build" / "template.yaml", folder / "build" / "Code" / "python", architecture
    )
    return _BUILT[architecture]


def install_client(folder: Path) -> Path:
    """Install the runtime client for that Python: the locked versions, as Lambda has them beside the function."""
    locked = (ROOT / "requirements" / "dev.txt").read_text()
    wanted = "".join(
        re.search(rf"^{name}==.*\n(?: +--hash.*\n)+", locked, re.MULTILINE)[0]  # type: ignore[index]
        for name in ("awslambdaric", "simplejson", "snapshot-restore-py")
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "requirements.txt").write_text(wanted)
    machine = platform.machine()
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"),
            *("--no-deps", "--only-binary=:all:", f"--python-version={PYTHON}"),
            *(f"--platform=manylinux{glibc}_{machine}" for glibc in ("2014", "_2_28")),
            *("--require-hashes", "--requirement", folder / "requirements.txt"),
            *("--target", folder / "packages"),
        ],
        check=True,
        capture_output=True,
    )
    return folder / "packages"


def start(
    function: str, built: Built, client: Path, aws: Aws, folder: Path, **settings: str
) -> AbstractContextManager[Function]:
    """Start a function as Lambda does: its handler, its environment, and only its own code on the path."""
    program = (
        f"import sys; sys.path[:0] = [{str(built.python)!r}, {str(client)!r}]\n"
        "from awslambdaric.__main__ import main; main(['', sys.argv[1]])"
    )
    interpreter = find_interpreter(PYTHON)
    assert interpreter is not None
    return running(
        [interpreter, "-I", "-B", "-c", program, f"vpcflow.lambdas.{function}.handler"],
        {**aws.environment(), "AWS_LAMBDA_FUNCTION_NAME": function, **settings},
        folder / function,
    )


def subscription(*lines: str) -> dict[str, Any]:
    events = [{"id": str(i), "timestamp": 0, "message": line} for i, line in enumerate(lines)]
    body = {
        "messageType": "DATA_MESSAGE",
        "logGroup": "flows",
        "logStream": "s",
        "logEvents": events,
    }
    return {
        "awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(body).encode())).decode()}
    }


def transformation(*lines: str) -> dict[str, Any]:
    return {
        "invocationId": "1",
        "deliveryStreamArn": STREAM,
        "region": "eu-west-1",
        "records": [
            {
                "recordId": str(i),
                "approximateArrivalTimestamp": 1700000060000,
                "data": base64.b64encode(line.encode()).decode(),
            }
            for i, line in enumerate(lines)
        ],
    }
