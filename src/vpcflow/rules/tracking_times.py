"""How long network interfaces remember connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vpcflow.inventory import ConnectionTracking
from vpcflow.rules.sessions import Timeouts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpcflow.inventory import Inventory

TCP_ESTABLISHED_S = 432_000
UDP_STREAM_S = 180
UDP_S = 30
"""
AWS's defaults. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html

Instances of the newest Nitro generation forget TCP connections after 350 s; which do, the inventory does not tell, and
the longer time is the safer: it never takes a connection's next packet for the first of another.
"""


def timeouts_of(inventory: Inventory, interfaces: Sequence[str]) -> Timeouts:
    """Give the idle times of each interface, by number: its own where it has them, the longest of all times."""
    own: dict[str, list[ConnectionTracking]] = {}
    for version in inventory.versions:
        if version.eni.connection_tracking is not None:
            own.setdefault(version.eni.interface_id, []).append(version.eni.connection_tracking)
    rows = []
    for interface_id in (*interfaces, ""):
        settings = own.get(interface_id, [ConnectionTracking()])
        rows.append(
            (
                max(s.tcp_established_timeout_s or TCP_ESTABLISHED_S for s in settings),
                max(s.udp_timeout_s or UDP_S for s in settings),
                max(s.udp_stream_timeout_s or UDP_STREAM_S for s in settings),
            )
        )
    return Timeouts(*np.array(rows, np.int64).T)
