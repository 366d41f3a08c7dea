"""A search server in memory: it keeps the highest version of each document, and fails as it is told."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable
from typing import Any

from vpcflow.sinks.opensearch.bulk import Pause, Sender
from vpcflow.sinks.opensearch.server import Answer

Fault = Callable[["FakeSearchServer", list[Any]], Answer]
"""What a request gets instead of its answer, by the server and its pairs of action and document; may raise."""


class FakeSearchServer:
    """
    Answers bulk requests as OpenSearch does; ``faults`` come first, one a request, None for none.

    ``clock`` is moved by ``wait`` alone.
    """

    def __init__(self, *faults: Fault | None) -> None:
        self.kept: dict[tuple[str, str], tuple[int, Any]] = {}
        self.requests: list[tuple[str, list[Any]]] = []
        self.asked: list[tuple[str, str]] = []
        self.now = 0.0
        self.waits: list[float] = []
        self.faults = list(faults)
        self._lock = threading.Lock()

    @property
    def sizes(self) -> list[int]:
        return [len(pairs) for _, pairs in self.requests]

    @property
    def documents(self) -> list[Any]:
        return [document for _, document in self.kept.values()]

    @property
    def indexes(self) -> set[str]:
        return {index for index, _ in self.kept}

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        self.asked.append((method, path))
        return Answer(200, {})

    def bulk(self, path: str, body: bytes) -> Answer:
        lines = [json.loads(line) for line in gzip.decompress(body).splitlines()]
        pairs = list(zip(lines[::2], lines[1::2], strict=True))
        with self._lock:
            self.requests.append((path, pairs))
            fault = self.faults.pop(0) if self.faults else None
            return self.carry_out(pairs) if fault is None else fault(self, pairs)

    def carry_out(self, pairs: list[Any]) -> Answer:
        items = [self._put(*pair) for pair in pairs]
        errors = any("error" in result for item in items for result in item.values())
        return Answer(200, {"errors": errors, "items": items})

    def sender(self, path: str = "_bulk", **more: Any) -> Sender:
        return Sender(
            self,
            path,
            pause=FakePause(self),
            clock=lambda: self.now,
            random=lambda: 1.0,
            **more,
        )

    def _put(self, action: Any, document: Any) -> Any:
        ((name, where),) = action.items()
        key = where.get("_index", ""), where.get("_id", str(len(self.kept)))
        version = where.get("version", 1)
        stored, _ = self.kept.get(key, (0, None))
        if version <= stored:
            return {name: refusal(409, "version_conflict_engine_exception", conflict(stored))}
        self.kept[key] = (version, document)
        return {name: {"status": 201}}


class FakePause(Pause):
    """Moves the server's clock instead of waiting."""

    def __init__(self, server: FakeSearchServer) -> None:
        super().__init__()
        self._server = server

    def wait(self, seconds: float) -> None:
        self._server.waits.append(seconds)
        self._server.now += seconds


def conflict(stored: int) -> str:
    """Refuse in the server's words."""
    return f"[1]: version conflict, current version [{stored}] is higher or equal to the one provided [1]"


def refusal(status: int, kind: str, reason: str = "no reason") -> Any:
    return {"status": status, "error": {"type": kind, "reason": reason}}


def answering(status: int, kind: str = "") -> Fault:
    """Refuse a whole request."""
    return lambda _, __: Answer(status, {"error": {"type": kind, "reason": "none"}} if kind else "")


def refusing(result: Any, *places: int) -> Fault:
    """Refuse the documents of some places, and carry the others out."""

    def fault(server: FakeSearchServer, pairs: list[Any]) -> Answer:
        kept = [pair for place, pair in enumerate(pairs) if place not in places]
        items = server.carry_out(kept).body["items"]
        for place in sorted(places):
            items.insert(place, {"index": result})
        return Answer(200, {"errors": True, "items": items})

    return fault


def raising(error: Exception, *, carried_out: bool = False) -> Fault:
    """Lose the answer, or the request before it."""

    def fault(server: FakeSearchServer, pairs: list[Any]) -> Answer:
        if carried_out:
            server.carry_out(pairs)
        raise error

    return fault
