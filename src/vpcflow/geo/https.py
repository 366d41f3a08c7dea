"""
GET over https to one host: connections that are kept, certificates that are checked, an end to all waiting.

Whatever fails is an ``OSError`` that says nothing of the request, whose path may hold a key.
"""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECT_TIMEOUT_S = 1.0
READ_TIMEOUT_S = 2.0
_LIMIT_BYTES = 4 * 1024 * 1024
_PIECE_BYTES = 65_536
# A function may be frozen between two requests while the other side, or a NAT gateway, drops the connection unheard.
_MOST_IDLE_S = 30.0


class Https:
    """
    Requests to one host, from several threads, each with a connection of its own meanwhile.

    Calling it gives status and body, and raises ``TimeoutError`` where no connection was made within a second, nothing
    came for two, or all was not done in the time given; another ``OSError`` for anything else. No redirect is followed.
    """

    def __init__(
        self,
        host: str,
        port: int = http.client.HTTPS_PORT,
        *,
        context: ssl.SSLContext | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host = host
        self._port = port
        self._context = context
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._idle: list[tuple[http.client.HTTPSConnection, float]] = []

    def __call__(self, path: str, within_s: float) -> tuple[int, bytes]:
        """Ask for a path, with its query; ``within_s`` is for all of it."""
        ends_s = self._monotonic() + within_s
        kept = self._take_idle()
        if kept is not None:
            answer = self._try(kept, path, ends_s)
            if answer is not None:
                return answer
        answer = self._try(self._connect(ends_s), path, ends_s)
        if answer is None:
            raise ConnectionError("the connection was closed before an answer came")
        return answer

    def close(self) -> None:
        """Close the connections that are kept."""
        with self._lock:
            while self._idle:
                self._idle.pop()[0].close()

    def _connect(self, ends_s: float) -> http.client.HTTPSConnection:
        timeout_s = min(CONNECT_TIMEOUT_S, self._left_s(ends_s))
        if self._context is None:
            # What vouches for certificates takes some 20 ms to read: a cold start need not wait for it.
            self._context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(
            self._host, self._port, timeout=timeout_s, context=self._context
        )
        try:
            connection.connect()
        except OSError:
            connection.close()
            raise
        return connection

    def _try(
        self, connection: http.client.HTTPSConnection, path: str, ends_s: float
    ) -> tuple[int, bytes] | None:
        """Make a request on a connection, which is kept where it can be; None where it was closed meanwhile."""
        fault: OSError | None = None
        try:
            answer, is_kept = self._exchange(connection, path, ends_s)
        except TimeoutError:
            fault = TimeoutError("no answer in time")
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            connection.close()
            return None
        except (http.client.HTTPException, OSError, ValueError) as error:
            # Of what http.client says of a request, nothing may go further: some of it quotes the path.
            fault = ConnectionError(f"no usable answer: {type(error).__name__}")
        if fault is not None:
            connection.close()
            # Outside of the handler, so that the error has no context with the path in it either.
            raise fault
        if is_kept:
            with self._lock:
                self._idle.append((connection, self._monotonic()))
        else:
            connection.close()
        return answer

    def _exchange(
        self, connection: http.client.HTTPSConnection, path: str, ends_s: float
    ) -> tuple[tuple[int, bytes], bool]:
        socket = connection.sock
        socket.settimeout(min(READ_TIMEOUT_S, self._left_s(ends_s)))
        connection.request("GET", path, headers={"Accept": "application/json"})
        response = connection.getresponse()
        body = bytearray()
        # The connection lets go of its socket where the server says it will close: the response still reads from it.
        while piece := response.read1(_PIECE_BYTES):
            body += piece
            if len(body) > _LIMIT_BYTES:
                raise ValueError("the answer is too long")
            socket.settimeout(min(READ_TIMEOUT_S, self._left_s(ends_s)))
        if response.length:
            raise http.client.IncompleteRead(b"")
        is_kept = not response.will_close
        response.close()
        return (response.status, bytes(body)), is_kept

    def _take_idle(self) -> http.client.HTTPSConnection | None:
        with self._lock:
            while self._idle:
                connection, since_s = self._idle.pop()
                if self._monotonic() - since_s < _MOST_IDLE_S:
                    return connection
                connection.close()
        return None

    def _left_s(self, ends_s: float) -> float:
        left_s = ends_s - self._monotonic()
        if left_s <= 0:
            raise TimeoutError("no answer in time")
        return left_s
