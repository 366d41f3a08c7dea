"""
A real OpenSearch or Elasticsearch on this machine: a Java process, on a loopback port, with its data in a folder.

`make integration` and `make soak` copy what Java runs to ``.opensearch`` and ``.elasticsearch``. It has no security, no
index life-cycle and no SQL: those are plugins of the products, which are not to be had this way.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from emulator import eventually

ROOT = Path(__file__).parents[1]

# The program takes the first free port after the one it is given, and refuses one from 9300 on: there nodes meet.
_FIRST_PORT, _LAST_PORT = 9201, 9299

# Alone: else it would wait for others, and look for them on this machine, where those of other tests are. The disk may
# be full of other things, which is no reason to refuse to write.
_SETTINGS = """
discovery.type: single-node
cluster.routing.allocation.disk.threshold_enabled: false
"""


class Product(NamedTuple):
    """What Java is to run: the folder with its jars, the class, the name of its file of settings."""

    name: str
    jars: Path
    main: str
    made_by: str

    def check(self) -> None:
        """Skip the test where it cannot be run, which CI takes for a failure."""
        if shutil.which("java") is None:
            pytest.skip(f"{self.name} needs Java, which is not installed")
        if not (self.jars / ".installed").exists():
            pytest.skip(f"{self.jars} is missing: run `make {self.made_by}`")


OPENSEARCH = Product(
    "opensearch",
    ROOT / ".opensearch",
    "org.codelibs.opensearch.runner.OpenSearchRunner",
    "integration",
)
ELASTICSEARCH = Product(
    "elasticsearch",
    ROOT / ".elasticsearch",
    "org.codelibs.elasticsearch.runner.ElasticsearchClusterRunner",
    "soak",
)


class Refused(Exception):
    """The server answered with a status from 400 on."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


class OpenSearchServer:
    """A server with its data in a folder; ``url`` stays the same over ``kill`` and ``start``."""

    def __init__(self, product: Product, folder: Path, *, heap_mb: int = 512) -> None:
        product.check()
        self.product = product
        self.log = folder / "server.log"
        self.url = ""
        self._folder = folder
        self._heap_mb = heap_mb
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def netloc(self) -> str:
        """``127.0.0.1:PORT``, as in ``opensearch+http://127.0.0.1:PORT/NAME``."""
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it with what is in the folder, and give when it answers."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start it, and do not wait: until it answers, connections are refused, or answered with 503."""
        assert not self.running
        settings = self._folder / "node_1" / "config" / f"{self.product.name}.yml"
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(_SETTINGS)
        self.url = f"http://{self.netloc}"
        with self.log.open("ab") as written:
            self._process = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=written, stderr=subprocess.STDOUT
            )

    def wait(self) -> None:
        """Wait until it answers, and has found again what it had."""
        eventually(self._answers, within_s=120)

    def kill(self) -> None:
        """End it as a power cut would: ``start`` finds what was answered for."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it."""
        if self.running:
            self._end(signal.SIGTERM)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Make one request and give what the answer holds; raises ``Refused``."""
        request = urllib.request.Request(
            f"{self.url}/{path}",
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return _read(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(error.code, _read(error.read())) from None

    def clear(self) -> None:
        """Delete all indexes, data streams and templates."""
        self.ask("DELETE", "_data_stream/*")
        self.ask("DELETE", "*?expand_wildcards=all")
        self.ask("DELETE", "_index_template/*")
        self.ask("DELETE", "_component_template/*")

    def _command(self) -> list[str]:
        return [
            "java",
            f"-Xmx{self._heap_mb}m",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            f"{self.product.jars}/*",
            self.product.main,
            *("-basePath", str(self._folder)),
            *("-numOfNode", "1"),
            *("-baseHttpPort", str(self._port - 1)),
            *("-clusterName", self._cluster),
            "-printOnFailure",
        ]

    @property
    def _cluster(self) -> str:
        """A name by which it is told from those of other tests."""
        return f"test-{os.getpid()}-{self._port}"

    def _answers(self) -> bool:
        assert self.running, f"{self.product.name} ended: {self.log.read_text()[-4000:]}"
        try:
            health = self.ask("GET", "_cluster/health?wait_for_status=yellow&timeout=10s")
        except (OSError, Refused):
            return False
        assert health["cluster_name"] == self._cluster, f"another server has port {self._port}"
        return not health["timed_out"]

    def _end(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def running_server(
    product: Product, folder: Path, *, heap_mb: int = 512
) -> Iterator[OpenSearchServer]:
    """Start a server, and end it when the block ends."""
    server = OpenSearchServer(product, folder, heap_mb=heap_mb)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _free_port() -> int:
    """Find a port where nothing listens; processes that run at once begin to look at different ones."""
    count = _LAST_PORT - _FIRST_PORT + 1
    for place in range(count):
        port = _FIRST_PORT + (os.getpid() + place) % count
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise AssertionError(f"no port from {_FIRST_PORT} to {_LAST_PORT} is free")


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode()
