"""The ports that were used, as few ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

Ports = tuple[int, int]
"""The first and the last port of a range."""

_EPHEMERAL = 32768
"""From here on Linux hands ports out; other systems begin lower or higher, but few services listen here."""


class UsedPorts(NamedTuple):
    """The ranges that hold all used ports, and how many ports were used."""

    ranges: tuple[Ports, ...]
    used: int

    @property
    def size(self) -> int:
        """How many ports are in the ranges."""
        return sum(last - first + 1 for first, last in self.ranges)


def used_ports(ports: npt.NDArray[np.integer], most: int) -> UsedPorts:
    """
    Cover ports with at most ``most`` ranges, so that these hold as few ports that were not used as can be.

    >>> used_ports(np.array([22, 8080, 8081, 80]), 2)
    UsedPorts(ranges=((22, 80), (8080, 8081)), used=4)
    """
    used = np.unique(np.asarray(ports, np.int64))
    if not len(used):
        return UsedPorts((), 0)
    gaps = np.diff(used)
    # Ranges end at the widest gaps; of gaps of one width the first ones count, so that the order of flows does not.
    widest = np.argsort(-gaps, kind="stable")[: max(most, 1) - 1]
    cuts = np.sort(widest[gaps[widest] > 1])
    firsts = used[np.concatenate([[0], cuts + 1])]
    lasts = used[np.concatenate([cuts, [len(used) - 1]])]
    return UsedPorts(tuple(zip(firsts.tolist(), lasts.tolist(), strict=True)), len(used))


def look_dynamic(ports: npt.NDArray[np.integer]) -> bool:
    """Tell whether the ports look like those a system hands out: tomorrow's would be others."""
    used = np.unique(ports)
    return bool(np.count_nonzero(used >= _EPHEMERAL) > 2)


def text_of_ports(ports: npt.NDArray[np.integer], most: int = 8) -> str:
    """
    Write the used ports as text: each run of neighbours as a range, after the first ``most`` how many more there are.

    >>> text_of_ports(np.array([443, 80, 81, 82]))
    '80-82, 443'
    """
    found = used_ports(ports, LAST_RANGES).ranges
    texts = [str(first) if first == last else f"{first}-{last}" for first, last in found[:most]]
    more = [f"{len(found) - most:,} ranges more"] if len(found) > most else []
    return ", ".join(texts + more)


LAST_RANGES = 1 << 16
"""As many ranges as there can be ports: then only neighbours are put together."""
