"""Lines: what the sources hand to the parser."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from vpcflow.rejects import Reject


@dataclass(frozen=True)
class Lines:
    """
    A block of whole lines of one source.

    ``numbers`` are the lines' numbers in the source, from 1, one for each line of ``data``; ``event_ids`` the ids
    CloudWatch Logs gave them, or None. What the wrappers around the lines gave besides stands in ``rejects``,
    ``controls`` (CloudWatch's control messages) and ``headers`` (of a CSV export); ``log_group`` is where the lines
    were, if the wrapper says so.
    """

    data: bytes
    source: str
    numbers: npt.NDArray[np.int64]
    event_ids: Sequence[str | None] | None = None
    log_group: str | None = None
    rejects: tuple[Reject, ...] = ()
    controls: int = 0
    headers: int = 0

    def before(self, at: int) -> Lines:
        """Give the lines before a place; what the wrappers gave besides stays with them."""
        ids = None if self.event_ids is None else self.event_ids[:at]
        data = b"".join(line + b"\n" for line in self._raw_lines[:at])
        return replace(self, data=data, numbers=self.numbers[:at], event_ids=ids)

    def only(self, places: npt.NDArray[np.integer]) -> Lines:
        """Give the lines at these places, without what the wrappers gave besides."""
        at = places.tolist()
        ids = None if self.event_ids is None else [self.event_ids[i] for i in at]
        data = b"".join(self._raw_lines[i] + b"\n" for i in at)
        return Lines(data, self.source, self.numbers[places], ids, self.log_group)

    def raw(self, at: int) -> bytes:
        """Give the raw line at a place in the block, counted from 0."""
        return self._raw_lines[at]

    @functools.cached_property
    def _raw_lines(self) -> list[bytes]:
        return self.data.split(b"\n")
