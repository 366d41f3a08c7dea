"""What goes wrong on a stream, by chance out of a seed: the same seed, the same faults."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Faults:
    """
    How likely each fault is, from 0 to 1, each time it could happen.

    ``refuse`` a record of a call; ``throttle`` a whole call; ``lose_call``: not carried out and not answered;
    ``lose_answer``: carried out and not answered; ``duplicate``: a record taken is on the stream twice.
    ``fail_invocation``: the transformation is not called and fails; ``lose_response``: it is called, does what it does,
    and its response is lost; ``oversize_response``: the same since the response is too large. ``repeat_delivery``: a
    batch delivered is delivered again, its acknowledgement being lost.
    """

    seed: int = 0
    refuse: float = 0
    throttle: float = 0
    lose_call: float = 0
    lose_answer: float = 0
    duplicate: float = 0
    fail_invocation: float = 0
    lose_response: float = 0
    oversize_response: float = 0
    repeat_delivery: float = 0
    _random: random.Random = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_random", random.Random(self.seed))

    def strikes(self, likelihood: float) -> bool:
        """Tell whether a fault of this likelihood happens now."""
        return likelihood > 0 and self._random.random() < likelihood


NO_FAULTS = Faults()
