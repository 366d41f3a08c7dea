"""A simulated world: the network, the addresses, and the patterns of their traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from vpcflow.generate.endpoints import Endpoints, IntArray
    from vpcflow.generate.network import Network
    from vpcflow.generate.traffic import Pattern


class World(NamedTuple):
    """
    What a scenario is made of.

    ``skip_share`` is the share of an ENI's intervals whose records AWS skips (SKIPDATA).
    """

    network: Network
    endpoints: Endpoints
    patterns: tuple[Pattern, ...]
    skip_share: float

    @property
    def primary(self) -> IntArray:
        """The endpoint row of each ENI's primary address."""
        own = np.flatnonzero(self.endpoints.eni >= 0)
        _, first = np.unique(self.endpoints.eni[own], return_index=True)
        return own[first].astype(np.int32)
