"""What of a batch goes back on the stream, record by record: all of a record's, or the record fails as it came."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from vpcflow.flow_envelope import Wrapped, wrap, wrap_document
from vpcflow.transform.read import layout_on_the_way
from vpcflow.transform.requeue import fits
from vpcflow.transform.unpack import Bad, Ready

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vpcflow.pipeline import Layouts
    from vpcflow.transform.requeue import Requeue
    from vpcflow.transform.unpack import Unpacked

Piece = int | Bad | Ready
"""A line by its place, something bad, or a document made before."""


class Going(NamedTuple):
    """What of a record goes back, as it goes, and why: the reason for which the record fails if it cannot."""

    reason: str
    records: list[bytes]


class WayBack:
    """
    Gathers what goes back on the stream. ``failed`` has the records of which something cannot, with the reason.

    ``requeue`` is None where the stream takes no puts.
    """

    def __init__(self, unpacked: Unpacked, layouts: Layouts, requeue: Requeue | None) -> None:
        self.failed: dict[int, str] = {}
        self.counts: Counter[str] = Counter()
        self.going: dict[int, Going] = {}
        self._unpacked = unpacked
        self._layouts = layouts
        self._requeue = requeue

    def add(self, record: int, pieces: Sequence[Piece], reason: str) -> None:
        """Let pieces of a record go back, besides those that do; where one cannot, the record fails."""
        wrapped = [self._wrapped(piece) for piece in pieces] if self._is_open() else [None]
        if record in self.failed or None in wrapped:
            self.fail(record, reason)
            return
        before = self.going.setdefault(record, Going(reason, []))
        before.records.extend(one for one in wrapped if one is not None)

    def fail(self, record: int, reason: str) -> None:
        """Let a record fail: none of it goes back."""
        self.failed.setdefault(record, reason)
        self.going.pop(record, None)

    def put(self, remaining_s: Callable[[], float]) -> None:
        """Put all of it; records of which not all is surely taken fail, and keep all that they held."""
        if self._requeue is None or not self.going:
            return
        everything = [one for going in self.going.values() for one in going.records]
        taken = iter(self._requeue.put(everything, remaining_s()))
        for record, going in list(self.going.items()):
            if not all(list(islice(taken, len(going.records)))):
                self.fail(record, going.reason)

    def _is_open(self) -> bool:
        if self._requeue is None:
            self.counts["puts_not_allowed"] = 1
            return False
        if self._requeue.rests:
            self.counts["puts_resting"] = 1
            return False
        return True

    def _wrapped(self, piece: Piece) -> bytes | None:
        """Wrap a piece for its way, None where it may not go: too often been there, or too large for a record."""
        if isinstance(piece, Ready):
            wrapped = wrap_document(piece.document)
        else:
            one = self._as_line(piece)
            if self._requeue is None or not self._requeue.allows(one.attempt):
                self.counts["attempts_spent"] += 1
                return None
            wrapped = wrap(one._replace(attempt=one.attempt + 1))
        return wrapped if fits(wrapped) else None

    def _as_line(self, piece: int | Bad) -> Wrapped:
        if isinstance(piece, Bad):
            return Wrapped(piece.raw.replace(b"\n", b" "), attempt=piece.attempt)
        unpacked = self._unpacked
        return Wrapped(
            unpacked.lines[piece],
            unpacked.event_ids[piece],
            layout_on_the_way(unpacked, self._layouts, piece),
            unpacked.attempts[piece],
        )
