"""A reader that leaves, and the command as a process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FLOW = (
    b"2 123456789012 eni-0a1b2c3d4e5f60718 203.0.113.12 10.0.1.24 52144 443 6 12 4840"
    b" 1700000000 1700000058 ACCEPT OK\n"
)


def test_a_reader_that_leaves_ends_the_command_quietly(tmp_path: Path) -> None:
    (tmp_path / "flows.log").write_bytes(FLOW * 200_000)
    program = (sys.executable, "-m", "vpcflow", "parse", "flows.log")

    with subprocess.Popen(
        program, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        process.stdout.close()
        words = process.stderr.read()

    assert first.startswith(b'{"version":2')
    assert words == b""
    assert process.returncode == 0
