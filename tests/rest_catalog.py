"""
An Iceberg catalog over HTTP on this machine, as the REST specification has it, over one in a folder.

Only what a writer asks for. ``faults`` are answers to the next commits, given once each has been carried out or not.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from pyiceberg.catalog import Catalog
from pyiceberg.catalog.rest import CreateTableRequest
from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NoSuchNamespaceError,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.table import CommitTableRequest, Table

TOKEN = "hush-hush"
_STATUS = {
    CommitFailedException: 409,
    NamespaceAlreadyExistsError: 409,
    TableAlreadyExistsError: 409,
    NoSuchNamespaceError: 404,
    NoSuchTableError: 404,
}


class Fault(NamedTuple):
    """An answer to a commit: its status, 0 for none at all, and whether the commit is carried out before."""

    status: int
    is_done: bool


class RestCatalog(ThreadingHTTPServer):
    """Serves ``catalog``; ``commits`` counts the requests to commit to a table."""

    daemon_threads = True

    def __init__(self, catalog: Catalog) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.catalog = catalog
        self.faults: list[Fault] = []
        self.commits = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a connection that was cut on purpose."""


class _Handler(BaseHTTPRequestHandler):
    server: RestCatalog

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_HEAD(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def _answer(self, ask: Any) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        path = self.path.partition("?")[0].removeprefix("/v1/").split("/")
        try:
            if path != ["config"] and self.headers["authorization"] != f"Bearer {TOKEN}":
                self._send(401, {"error": {"message": "who?", "type": "x", "code": 401}})
                return
            self._send(200, ask(path, body))
        except tuple(_STATUS) as error:
            status = _STATUS[type(error)]
            message = {"message": str(error), "type": type(error).__name__, "code": status}
            self._send(status, {"error": message})
        except _Instead as instead:
            if instead.status:
                message = {"message": "no answer", "type": "Fault", "code": instead.status}
                self._send(instead.status, {"error": message})
            else:
                self.connection.close()

    def _get(self, path: list[str], _: bytes) -> Any:
        if path == ["config"]:
            return {"defaults": {}, "overrides": {}}
        if "tables" not in path:
            return {
                "namespace": [path[1]],
                "properties": self.server.catalog.load_namespace_properties(path[1]),
            }
        return _shown(self.server.catalog.load_table((path[1], path[3])))

    def _post(self, path: list[str], body: bytes) -> Any:
        catalog = self.server.catalog
        if path == ["namespaces"]:
            catalog.create_namespace(tuple(json.loads(body)["namespace"]))
            return json.loads(body)
        if path[-1] == "tables":
            request = CreateTableRequest.model_validate({"location": None, **json.loads(body)})
            return _shown(
                catalog.create_table(
                    (path[1], request.name),
                    request.table_schema,
                    partition_spec=request.partition_spec,
                    sort_order=request.write_order,
                    properties=request.properties,
                )
            )
        return self._commit((path[1], path[3]), CommitTableRequest.model_validate_json(body))

    def _commit(self, name: tuple[str, str], request: CommitTableRequest) -> Any:
        self.server.commits += 1
        fault = self.server.faults.pop(0) if self.server.faults else None
        if fault is not None and not fault.is_done:
            raise _Instead(fault.status)
        table = self.server.catalog.load_table(name)
        done = self.server.catalog.commit_table(table, request.requirements, request.updates)
        if fault is not None:
            raise _Instead(fault.status)
        return json.loads(done.model_dump_json())

    def _send(self, status: int, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


class _Instead(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


def _shown(table: Table) -> Any:
    return {
        "metadata-location": table.metadata_location,
        "metadata": json.loads(table.metadata.model_dump_json()),
        "config": {},
    }


@contextlib.contextmanager
def rest_catalog(catalog: Catalog) -> Iterator[RestCatalog]:
    """Serve a catalog until the end of the block."""
    with RestCatalog(catalog) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
