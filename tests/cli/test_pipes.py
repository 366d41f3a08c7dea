"""A reader that leaves, and the command as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from vpcflow.cli.run import Work, run
from vpcflow.cli.words import Words
from vpcflow.errors import SinkError
from vpcflow.pipeline import Layouts

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


def test_who_no_longer_hears_the_words_ends_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    words = Words(quiet=False)

    with os.fdopen(writer, "w", buffering=1) as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        words.say("one")
        words.say("two")

    assert stream.closed


def test_a_connection_that_breaks_is_no_reader_that_leaves(tmp_path: Path) -> None:
    class Broken:
        def write(self, _: pa.RecordBatch) -> int:
            raise BrokenPipeError(32, "Broken pipe")

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    log = tmp_path / "flows.log"
    log.write_bytes(FLOW)
    work = Work([str(log)], "opensearch+https://search.example.com/flows", Broken, Layouts())

    with pytest.raises(SinkError, match="before all was delivered"):
        run(work, Words(quiet=True), quiet=True)
