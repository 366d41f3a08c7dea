"""A search server as the rest of this room sees it: requests and answers, whatever client makes them."""

from __future__ import annotations

import random as random_numbers
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from vpcflow.errors import SinkError

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_TEXT = 500
_FIRST_WAIT_S = 0.25
_LONGEST_WAIT_S = 10.0

# What a server says while it starts, has no master, or has no room; the last are those of proxies before it.
_PASSING = frozenset({429, 500, 502, 503, 504})


class Answer(NamedTuple):
    """What a server answered: its status, and its body where that is JSON, else the text."""

    status: int
    body: Any = None

    @property
    def text(self) -> str:
        """The body in at most 500 characters, for an error: of an error its type and reason."""
        error = self.body.get("error") if isinstance(self.body, dict) else None
        if isinstance(error, dict):
            return f"{error.get('type')}: {error.get('reason')}"[:_MOST_TEXT]
        return str(error or self.body or "")[:_MOST_TEXT]

    @property
    def error_type(self) -> str:
        """The server's word for the error, '' where there is none."""
        error = self.body.get("error") if isinstance(self.body, dict) else None
        return str(error.get("type", "")) if isinstance(error, dict) else ""

    @property
    def is_passing(self) -> bool:
        """Tell whether the same request may be answered well later."""
        return self.status in _PASSING


class NoAnswer(SinkError):
    """
    A request found no answer.

    ``sent``: the server may have carried it out. ``permanent``: no repetition can mend it.
    """

    def __init__(self, text: str, *, sent: bool, permanent: bool = False) -> None:
        super().__init__(text)
        self.sent = sent
        self.permanent = permanent


class SearchServer(Protocol):
    """A search server. Neither method repeats a request by itself."""

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """Make one request, with JSON; any status is an answer. Raises ``NoAnswer``."""
        ...

    def bulk(self, path: str, body: bytes) -> Answer:
        """Make one request of gzipped JSON lines; any status is an answer. Raises ``NoAnswer``."""
        ...


class PatientServer:
    """Asks again what may come right by itself, for so long."""

    def __init__(
        self,
        server: SearchServer,
        *,
        within_s: float,
        on_trouble: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = random_numbers.random,
    ) -> None:
        self._server = server
        self._deadline = clock() + within_s
        self._on_trouble = on_trouble
        self._clock = clock
        self._sleep = sleep
        self._random = random

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """Make one request until it is answered; any status is an answer. Raises ``NoAnswer``."""
        tries = 0
        while True:
            tries += 1
            wait_s = back_off_s(tries, self._random)
            is_last = self._clock() + wait_s >= self._deadline
            try:
                answer = self._server.ask(method, path, body)
            except NoAnswer as error:
                if error.permanent or is_last:
                    raise
                self._on_trouble(str(error))
            else:
                if is_last or not answer.is_passing:
                    return answer
                self._on_trouble(f"{answer.status} {answer.text}")
            self._sleep(wait_s)


def back_off_s(tries: int, random: Callable[[], float]) -> float:
    """Say how long to wait after so many tries in vain: twice as long each time, up to 10 s, half of it by chance."""
    longest = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** min(tries - 1, 10))
    return longest * (0.5 + random() / 2)
