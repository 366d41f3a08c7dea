"""A proxy on this machine before a search server, which refuses, loses and holds up bulk requests as it is told."""

from __future__ import annotations

import gzip
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from search_fake import refusal

BUSY = refusal(429, "rejected_execution_exception")


class Bulk(NamedTuple):
    """A bulk request: its number from 0, and its pairs of lines, action and document."""

    number: int
    pairs: list[tuple[bytes, bytes]]


class Reply(NamedTuple):
    status: int
    body: bytes


Forward = Callable[[list[tuple[bytes, bytes]]], Reply]
"""Has the server carry out some of the pairs."""

Way = Callable[[Bulk, Forward], Reply | None]
"""What happens to a bulk request; None closes the connection without an answer."""


class SearchProxy(ThreadingHTTPServer):
    """Hands all on to a server, bulk requests by ``way``."""

    daemon_threads = True

    def __init__(self, netloc: str, way: Way) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.server_netloc = netloc
        self.way = way
        self.bulks = 0
        self._lock = threading.Lock()

    @property
    def netloc(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def next_number(self) -> int:
        with self._lock:
            self.bulks += 1
            return self.bulks - 1

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients and servers that went away: tests want them to."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: SearchProxy

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "_bulk" not in self.path:
            self._answer(self._forwarded(body))
            return
        lines = gzip.decompress(body).splitlines(keepends=True)
        bulk = Bulk(self.server.next_number(), list(zip(lines[::2], lines[1::2], strict=True)))
        reply = self.server.way(bulk, lambda pairs: self._forwarded(b"".join(map(b"".join, pairs))))
        if reply is None:
            self.close_connection = True
            return
        self._answer(reply)

    do_GET = do_PUT = do_DELETE = do_HEAD = do_POST

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _forwarded(self, body: bytes) -> Reply:
        connection = http.client.HTTPConnection(self.server.server_netloc, timeout=60)
        try:
            kind = self.headers.get("Content-Type", "application/json")
            connection.request(self.command, self.path, body or None, {"Content-Type": kind})
            answer = connection.getresponse()
            return Reply(answer.status, answer.read())
        finally:
            connection.close()

    def _answer(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)


@contextmanager
def search_proxy(netloc: str, way: Way) -> Iterator[SearchProxy]:
    """Run a proxy before a server until the block ends."""
    proxy = SearchProxy(netloc, way)
    thread = threading.Thread(target=proxy.serve_forever, args=[0.05])
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()


def busy_every_other_time(bulk: Bulk, forward: Forward) -> Reply:
    """Refuse half of the requests."""
    if bulk.number % 2 == 0:
        return Reply(429, json.dumps({"error": BUSY["error"], "status": 429}).encode())
    return forward(bulk.pairs)


def busy_for_some(one_in: int) -> Way:
    """Refuse single documents, others each time, and carry out the rest."""

    def way(bulk: Bulk, forward: Forward) -> Reply:
        refused = [p for p in range(len(bulk.pairs)) if (p + bulk.number) % one_in == 0]
        kept = [pair for place, pair in enumerate(bulk.pairs) if place not in set(refused)]
        items = []
        if kept:
            reply = forward(kept)
            if reply.status != 200:
                return reply
            items = json.loads(reply.body)["items"]
        for place in refused:
            items.insert(place, {"index": BUSY})
        return Reply(200, json.dumps({"errors": bool(refused), "items": items}).encode())

    return way


def losing_answers(one_in: int) -> Way:
    """Have a request carried out, and lose its answer."""

    def way(bulk: Bulk, forward: Forward) -> Reply | None:
        reply = forward(bulk.pairs)
        return None if bulk.number % one_in == 0 else reply

    return way
