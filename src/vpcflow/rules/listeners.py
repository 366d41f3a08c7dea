"""Which sockets are services: those that many others talk to, and those that surer records show as asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vpcflow.rules.initiator import FLAGS, LESSER, REJECTS, RULES
from vpcflow.rules.sessions import TCP
from vpcflow.rules.spill import Spill

if TYPE_CHECKING:
    from types import TracebackType

    from vpcflow.rules.initiator import Openers
    from vpcflow.rules.sessions import Sessions

Bools = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]

_SCHEMA = pa.schema([("socket", pa.uint64()), ("mark", pa.uint8())])
_BITS = 4
_TOGETHER = 1 << 20


class Listeners(NamedTuple):
    """
    What is known of sockets with more than one partner or a sure role, sorted by socket.

    ``partners`` counts the connections' distinct other sockets; ``asked`` and ``asks`` say that a connection whose
    initiator is known by flags, mirror or rejects was opened to it, or by it.
    """

    sockets: Words
    partners: npt.NDArray[np.int64]
    asked: Bools
    asks: Bools

    def of(self, sockets: Words) -> tuple[npt.NDArray[np.int64], Bools]:
        """Give for each socket how many partners it has (1 where nothing is known), and whether it only is asked."""
        partners, only_asked = np.ones(len(sockets), np.int64), np.zeros(len(sockets), np.bool_)
        if len(self.sockets):
            at = np.minimum(np.searchsorted(self.sockets, sockets), len(self.sockets) - 1)
            known = self.sockets[at] == sockets
            partners[known] = self.partners[at[known]]
            only_asked[known] = (self.asked & ~self.asks)[at[known]]
        return partners, only_asked

    def joined(self, other: Listeners) -> Listeners:
        """Add what is known from elsewhere."""
        sockets, number = np.unique(
            np.concatenate([self.sockets, other.sockets]), return_inverse=True
        )
        partners = np.zeros(len(sockets), np.int64)
        np.add.at(partners, number, np.concatenate([self.partners, other.partners]))
        asked, asks = np.zeros(len(sockets), np.bool_), np.zeros(len(sockets), np.bool_)
        asked[number[np.concatenate([self.asked, other.asked])]] = True
        asks[number[np.concatenate([self.asks, other.asks])]] = True
        return Listeners(sockets, partners, asked, asks)


class Sockets(NamedTuple):
    """
    The TCP sockets of a part: both of each pair that talks, and which are surely asked or asking, in each connection.
    """

    partners: Words
    asked: Words
    asks: Words


def sockets_of(sessions: Sessions, openers: Openers, where: Bools) -> Sockets:
    """Collect the TCP sockets of these connections of a part; no other part has connections of the same two."""
    columns, firsts = sessions.columns, sessions.firsts
    tcp = where & (columns.protocol[firsts] == TCP)
    local, peer = columns.local_socket[firsts], columns.peer_socket[firsts]
    lesser, greater = np.minimum(local, peer), np.maximum(local, peer)
    # Of several connections of the same two sockets one counts.
    anew = np.ones(len(firsts), np.bool_)
    anew[1:] = sessions.key[firsts][1:] != sessions.key[firsts][:-1]
    anew &= tcp
    sure = tcp & np.isin(openers.basis, (FLAGS, REJECTS, RULES))
    lesser_opens = openers.opener == LESSER
    return Sockets(
        np.concatenate([lesser[anew], greater[anew]]),
        np.where(lesser_opens, greater, lesser)[sure],
        np.where(lesser_opens, lesser, greater)[sure],
    )


class ListenerBook:
    """Collects the sockets of all parts, on disk where they are many; a context."""

    def __init__(self, folder: str | None = None) -> None:
        self._spill = Spill(_SCHEMA, _BITS, folder)

    def __enter__(self) -> ListenerBook:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._spill.__exit__(exc_type, exc, traceback)

    def add(self, sockets: Sockets) -> None:
        """Add the sockets of a part."""
        for mark, some in enumerate(sockets):
            marks = np.full(len(some), mark, np.uint8)
            self._spill.add(some, {"socket": some, "mark": marks})

    def listeners(self) -> Listeners:
        """Sum up."""
        self._spill.settle()
        groups = self._spill.groups(_TOGETHER) or [range(1)]
        parts = [_summed(self._spill.read(group)) for group in groups]
        return Listeners(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _summed(columns: dict[str, npt.NDArray[Any]]) -> Listeners:
    sockets, number = np.unique(columns["socket"], return_inverse=True)
    mark = columns["mark"]
    partners, asked, asks = (
        np.bincount(number[mark == m], minlength=len(sockets)) for m in range(len(Sockets._fields))
    )
    # One that only asks, and once, is what nearly all are.
    kept = (partners > 1) | (asked > 0)
    return Listeners(sockets[kept], partners[kept], asked[kept] > 0, asks[kept] > 0)
