"""
AWS on this machine: MiniStack in a process of its own, on a loopback port, holding nothing at first.

It runs in ``.venv-emulator``, which `make integration` makes, and so do the functions deployed to it: with boto3, as in
AWS, and with nothing of ours but what was deployed.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import boto3

ROOT = Path(__file__).parents[1]
ENVIRONMENT = ROOT / ".venv-emulator" / "bin"
COMMANDS = (ROOT / ".venv" / "bin", ENVIRONMENT, ROOT / ".venv-sam" / "bin")
ACCOUNT = "123456789012"
REGION = "eu-west-1"

T = TypeVar("T")


class Emulator(NamedTuple):
    """An emulator that runs: its address, the environment that leads commands to it, and what it logs."""

    url: str
    environment: Mapping[str, str]
    log: Path

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="none",
        )


@contextmanager
def running_emulator(folder: Path) -> Iterator[Emulator]:
    """Start an emulator that keeps its files in the folder; it ends, with all it started, when the block does."""
    folder.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    url, log = f"http://127.0.0.1:{port}", folder / "emulator.log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [ENVIRONMENT / "ministack"],
            env=_environment_of_the_emulator(folder, port),
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        eventually(lambda: _answers(process, url, log))
        yield Emulator(url, _environment_of_its_users(url, folder), log)
    finally:
        _end(process)


def eventually(look: Callable[[], T | None], *, within_s: float = 60) -> T:
    """Give what ``look`` finds as soon as it finds anything: the emulator, as AWS, does much after it has answered."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"nothing within {within_s} s"
        # Another process, which tells nobody when it is done: the one place that can only look again.
        time.sleep(0.1)
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment_of_the_emulator(folder: Path, port: int) -> dict[str, str]:
    return {
        "PATH": f"{ENVIRONMENT}:{os.environ['PATH']}",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": REGION,
        "IOT_MTLS_ENABLED": "0",
        "PERSIST_STATE": "0",
        "PYTHONUNBUFFERED": "1",
        # Nothing listens there: functions reach this machine and no other.
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }


def _environment_of_its_users(url: str, folder: Path) -> dict[str, str]:
    """
    Lead the AWS CLI, sam and boto3 to the emulator, past whatever else they are set to on this machine.

    The account is the access key's: MiniStack takes twelve digits there as its number.
    """
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "PATH": ":".join([*map(str, COMMANDS), os.environ["PATH"]]),
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": str(folder / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
        "SAM_CLI_TELEMETRY": "0",
        "__SAM_CLI_APP_DIR": str(folder),
    }


def _answers(process: subprocess.Popen[bytes], url: str, log: Path) -> bool:
    assert process.poll() is None, f"the emulator ended: {log.read_text()}"
    try:
        with urllib.request.urlopen(f"{url}/_ministack/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it and the functions it runs: they are of its process group."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
