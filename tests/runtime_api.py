"""
Lambda around a function: the Runtime API, which hands out events and takes answers, and the process that asks it.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import itertools
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

_WAIT_S = 60
_ROOT = "/2018-06-01/runtime"


class Outcome(NamedTuple):
    """What a function made of an event: an answer, or an error as the runtime reports it."""

    answer: Any = None
    error: dict[str, Any] | None = None


class RuntimeApi(ThreadingHTTPServer):
    """Holds the events that wait, and the outcomes; ``init_error`` is what stopped the cold start."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.events: queue.Queue[tuple[str, bytes] | None] = queue.Queue()
        self.outcomes: queue.Queue[Outcome] = queue.Queue()
        self.timeout_s = 60.0
        self.init_error: dict[str, Any] | None = None
        self.ready_at: float | None = None

    def handle_error(self, request: object, client_address: object) -> None:
        """Be silent about a process that was ended in the middle of a connection."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: RuntimeApi
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.server.ready_at is None:
            self.server.ready_at = time.monotonic()
        waiting = self.server.events.get()
        if waiting is None:
            self.close_connection = True
            return
        request_id, body = waiting
        self.send_response(200)
        deadline_ms = int((time.time() + self.server.timeout_s) * 1000)
        for name, value in {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:123456789012:function:flows",
            # The client reads all that Lambda sends, and does not live without.
            "Lambda-Runtime-Trace-Id": "Root=1-00000000-000000000000000000000000;Sampled=0",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = json.loads(self._body() or b"null")
        if self.path == f"{_ROOT}/init/error":
            self.server.init_error = body
            self.server.outcomes.put(Outcome(error=body))
        elif self.path.endswith("/response"):
            self.server.outcomes.put(Outcome(answer=body))
        else:
            self.server.outcomes.put(Outcome(error=body))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _body(self) -> bytes:
        """Read a body, which the client sends in chunks."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"]))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, format: str, *args: object) -> None:
        pass


class Function:
    """A function in a process of its own: its log, how long it took to start, and how it ended if it did."""

    def __init__(self, api: RuntimeApi, process: subprocess.Popen[bytes], log: Path) -> None:
        self._api = api
        self._process = process
        self._log = log
        self._ids = itertools.count()
        self._started = time.monotonic()

    def invoke(self, event: Any) -> Outcome:
        """Hand an event over and wait for the outcome; a start that failed is one."""
        number = next(self._ids)
        request_id = f"00000000-0000-4000-8000-{number:012d}"
        self._api.events.put((request_id, json.dumps(event).encode()))
        until = time.monotonic() + _WAIT_S
        while time.monotonic() < until:
            try:
                return self._api.outcomes.get(timeout=0.2)
            except queue.Empty:
                if self._process.poll() is not None and self._api.outcomes.empty():
                    break
        raise AssertionError(f"no outcome: {self.log}")

    @property
    def start_s(self) -> float:
        """Seconds from the start of the process to its asking for the first event."""
        assert self._api.ready_at is not None
        return self._api.ready_at - self._started

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines of the log that are JSON."""
        return [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]


@contextmanager
def running(
    command: Sequence[str | Path], environment: Mapping[str, str], folder: Path
) -> Iterator[Function]:
    """Run a function's process until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with RuntimeApi() as api:
        thread = threading.Thread(target=api.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        log = folder / "function.log"
        with log.open("wb") as written:
            process = subprocess.Popen(
                [str(word) for word in command],
                env={"AWS_LAMBDA_RUNTIME_API": api.address, **environment},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
            )
        try:
            yield Function(api, process, log)
        finally:
            process.kill()
            process.wait()
            api.events.put(None)
            api.shutdown()
            thread.join()
