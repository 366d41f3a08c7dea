"""The stack, built by sam for the emulator and deployed to it: what a user's commands would make."""

from __future__ import annotations

import base64
import contextlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from emulator import ACCOUNT, ROOT, Emulator

SAM = ROOT / ".venv-sam" / "bin"
_MACHINE = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
TARGET = f"python{sys.version_info.major}.{sys.version_info.minor}-{_MACHINE}"
"""The emulator runs functions in this machine's Python, whatever the template says: the code is built for that."""
NOW = int(time.time())
_LONGEST_S = 900


class Network(NamedTuple):
    """Two interfaces, by what the emulator has given them: ids, addresses and groups."""

    web: str
    web_address: str
    web_groups: list[str]
    database: str
    database_address: str
    database_groups: list[str]


class Stack:
    """A stack of an emulator, by what its template and the service say of it."""

    def __init__(self, emulator: Emulator, name: str) -> None:
        self.emulator = emulator
        self.name = name

    @cached_property
    def outputs(self) -> Mapping[str, str]:
        described = self.emulator.client("cloudformation").describe_stacks(StackName=self.name)
        return {one["OutputKey"]: one["OutputValue"] for one in described["Stacks"][0]["Outputs"]}

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        answer = self.emulator.client("lambda").invoke(
            FunctionName=self.physical_id(function), Payload=orjson.dumps(event)
        )
        payload = orjson.loads(answer["Payload"].read() or b"null")
        assert "FunctionError" not in answer, payload
        return payload

    def physical_id(self, logical_id: str) -> str:
        described = self.emulator.client("cloudformation").describe_stack_resource(
            StackName=self.name, LogicalResourceId=logical_id
        )
        return str(described["StackResourceDetail"]["PhysicalResourceId"])


def line(interface: str, source: str, destination: str, port: int, end: str = "ACCEPT OK") -> str:
    return f"2 {ACCOUNT} {interface} {source} {destination} 49152 {port} 6 4 336 {NOW} {NOW + 30} {end}"


def transformation_event(*records: bytes) -> dict[str, Any]:
    return {
        "invocationId": "1",
        "deliveryStreamArn": f"arn:aws:firehose:eu-west-1:{ACCOUNT}:deliverystream/flows",
        "region": "eu-west-1",
        "records": [
            {
                "recordId": str(place),
                "approximateArrivalTimestamp": NOW * 1000,
                "data": base64.b64encode(record).decode(),
            }
            for place, record in enumerate(records)
        ],
    }


def build(folder: Path) -> Path:
    """Build the template and the functions' code with sam; gives the built template."""
    run(
        *("sam", "build", "--template-file", ROOT / "deploy" / "template.yaml"),
        *("--build-dir", folder / "build"),
        environment={**os.environ, "PATH": f"{SAM}:{os.environ['PATH']}", "SAM_CLI_TELEMETRY": "0"},
    )
    return folder / "build" / "template.yaml"


def deploy(emulator: Emulator, template: Path, name: str, **parameters: str) -> Stack:
    """Deploy a built template; the bucket for its code is made where there is none."""
    s3 = emulator.client("s3")
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(
            Bucket="code", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
    run(
        *("sam", "deploy", "--template-file", template, "--stack-name", name),
        *("--s3-bucket", "code", "--capabilities", "CAPABILITY_IAM", "--no-progressbar"),
        *(
            "--parameter-overrides",
            *(f"{key}={value}" for key, value in parameters.items()),
        ),
        environment=emulator.environment,
    )
    return Stack(emulator, name)


def run(
    *command: object, environment: Mapping[str, str], given: str = "", folder: Path = ROOT
) -> str:
    """Run a command in a folder; gives what it printed. Where it fails, that is in the error."""
    done = subprocess.run(
        [str(word) for word in command],
        env={"VPCFLOW_TARGET": TARGET, **environment},
        input=given,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_LONGEST_S,
    )
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout
