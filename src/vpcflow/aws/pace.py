"""How often calls may be made: a bucket of tokens that fills up with time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_HAIR = 1e-6
_LEAST_S = 1e-3


class TokenBucket:
    """Holds up to ``most`` tokens, full at first, and gets ``per_s`` a second; ``monotonic`` is its clock."""

    def __init__(self, most: float, per_s: float, monotonic: Callable[[], float]) -> None:
        self._most = self._tokens = most
        self._per_s = per_s
        self._monotonic = monotonic
        self._at = monotonic()

    def take(self) -> bool:
        """Take a token; false where there is none."""
        if self.wait_s() > 0:
            return False
        self._tokens -= 1
        return True

    def wait_s(self) -> float:
        """Give the seconds until there is a token: 0 where there is one."""
        now = self._monotonic()
        self._tokens = min(self._most, self._tokens + (now - self._at) * self._per_s)
        self._at = now
        missing = 1 - self._tokens
        # A sum of many small steps never quite makes a whole token, and a clock may not count what is shorter.
        return max(missing / self._per_s, _LEAST_S) if missing > _HAIR else 0.0
