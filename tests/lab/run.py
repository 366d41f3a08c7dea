"""
``python -m lab.run FOLDER``: build the lab, make its calls, and write down what the kernel logged.

For the rules as they are and for each change a network of its own is built and the same calls are made in it. It is a
process of its own because it goes in and out of namespaces, and because tests have no network.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from lab.calls import CALLS
from lab.changes import CHANGES
from lab.firewall import guard
from lab.network import Network
from lab.packets import Packet
from lab.traffic import Traffic
from lab.vpc import LAB, Vpc

UNCHANGED = "unchanged"


class Run(NamedTuple):
    """What was recorded once: the packets, and which calls of ``CALLS`` arrived."""

    packets: list[Packet]
    arrived: list[bool]


def why_not() -> str | None:
    """Say why there can be no lab here; null where there can."""
    if not sys.platform.startswith("linux"):
        return "network namespaces are Linux's"
    if os.geteuid() != 0:
        return "network namespaces and nftables need root"
    if missing := [
        name for name in ("ip", "nft", "conntrack", "unshare") if shutil.which(name) is None
    ]:
        return f"not installed: {', '.join(missing)} (apt-get install iproute2 nftables conntrack)"
    # Root of a container may lack the right, or the kernel its parts.
    probe = ["unshare", "--net", "nft", "list", "ruleset"]
    done = subprocess.run(probe, capture_output=True, text=True, check=False)
    return f"`{' '.join(probe)}`: {done.stderr.strip()}" if done.returncode else None


def record(vpc: Vpc) -> Run:
    """Make all calls in a VPC."""
    with Network(vpc) as network:
        for one in vpc.interfaces:
            network.load_rules(one.name, guard(vpc, one))
        with Traffic(network) as traffic:
            outcomes = traffic.make(CALLS)
            return Run(traffic.packets, [one.arrived for one in outcomes])


def read_run(path: Path) -> Run:
    """Read what ``main`` wrote."""
    packets, arrived = json.loads(path.read_text())
    return Run([Packet(*row[:5], tuple(row[5]), *row[6:]) for row in packets], arrived)


def main(folder: Path) -> None:
    """Write a file for the rules as they are, and one for each change."""
    vpcs = {UNCHANGED: LAB} | {
        name: LAB.changed(remove=change.remove, add=change.add) for name, change in CHANGES.items()
    }
    for name, vpc in vpcs.items():
        (folder / f"{name}.json").write_text(json.dumps(record(vpc)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
