"""Read ahead: what an iterator gives is made by a thread while the last of it is worked on."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")

_LOOK_S = 0.1


class _End:
    """Stands behind the last item, with what ended the iterator."""

    def __init__(self, fault: BaseException | None) -> None:
        self.fault = fault


def read_ahead(items: Iterable[T], most: int = 4) -> Iterator[T]:
    """
    Yield the items, up to ``most`` of them made in advance; what making them raises is raised here.

    Reading and parsing are Arrow's and compiled code's work, which leaves Python to others meanwhile.
    """
    ready: queue.Queue[T | _End] = queue.Queue(most)
    stopped = threading.Event()

    def put(item: T | _End) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=_LOOK_S)
            except queue.Full:
                continue
            return True
        return False

    def make() -> None:
        fault: BaseException | None = None
        try:
            for item in items:
                if not put(item):
                    return
        except BaseException as raised:  # noqa: BLE001  # it is raised again where the items are taken
            fault = raised
        put(_End(fault))

    thread = threading.Thread(target=make, name="vpcflow-read-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item = ready.get()
            if isinstance(item, _End):
                if item.fault is not None:
                    raise item.fault
                return
            yield item
    finally:
        stopped.set()
        thread.join()
