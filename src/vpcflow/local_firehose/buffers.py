"""What a stream holds: records, until enough or old enough ones are there."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Held(NamedTuple):
    """A record on its way: its number on the stream, its data, and when it arrived, in Unix seconds."""

    number: int
    data: bytes
    arrived_at: float

    @property
    def record_id(self) -> str:
        """An id as long as the service's."""
        return f"{self.number:056d}"


class Buffering(NamedTuple):
    """Hints: records go on when so many bytes are there, or the oldest has waited so long."""

    size_bytes: int
    interval_s: float


class Buffer:
    """Records in the order they came."""

    def __init__(self, hints: Buffering) -> None:
        self._hints = hints
        self._held: deque[tuple[Held, float]] = deque()
        self._size_bytes = 0

    def __len__(self) -> int:
        return len(self._held)

    def add(self, records: Iterable[Held], now: float) -> None:
        """Hold records from now on."""
        for record in records:
            self._held.append((record, now))
            self._size_bytes += len(record.data)

    def take_due(self, now: float, *, whatever_hints: bool = False) -> list[Held]:
        """Take what should go on now: at most as many bytes as the hint says, but at least one record; or nothing."""
        if not self._held:
            return []
        waited_s = now - self._held[0][1]
        full = self._size_bytes >= self._hints.size_bytes
        return self._take() if whatever_hints or full or waited_s >= self._hints.interval_s else []

    def _take(self) -> list[Held]:
        taken: list[Held] = []
        size = 0
        while self._held:
            size += len(self._held[0][0].data)
            if taken and size > self._hints.size_bytes:
                break
            taken.append(self._held.popleft()[0])
        self._size_bytes -= sum(len(record.data) for record in taken)
        return taken
