"""
Any number of ENIs in one VPC, for benchmarks: random groups, and rules between them.

Its rules leave some ports shut everywhere (``scale_traffic.NEVER_OPEN``): what is sent there is rejected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vpcflow.generate.endpoints import EndpointsBuilder
from vpcflow.generate.network import ZONES, NetworkBuilder
from vpcflow.generate.public import addresses_in, public_ipv4, public_ipv6
from vpcflow.generate.scale_traffic import KEYWORDS, SERVICES, Opened, Site, patterns_of
from vpcflow.generate.world import World

if TYPE_CHECKING:
    from vpcflow.generate.endpoints import IntArray
    from vpcflow.generate.scenario import Scenario

_PUBLIC_ADDRESSES = 25_000
_ENIS_PER_BLOCK = 12_000
_GROUPS_OF_ENI = (0.30, 0.30, 0.20, 0.12, 0.08)
_RECORDS_PER_ENI_MINUTE = 40.0
_SKIP_SHARE = 0.0005
_NAT_GATEWAYS = 2
_ROLES = "web api orders search stock billing mail media auth stream batch report".split()


def build(scenario: Scenario) -> World:
    """Build the network, the public addresses, and a pattern for each rule."""
    rng = np.random.default_rng([scenario.seed, 3])
    net = NetworkBuilder(scenario.seed)
    public_subnets, private_subnets = _add_vpc(net, scenario.enis)
    group_ids = [
        net.add_group(f"{_ROLES[n % len(_ROLES)]}-{n:03}", f"Group {n} of the simulation")
        for n in range(scenario.groups)
    ]
    is_public = rng.random(scenario.groups) < 0.1
    is_public[0] = True
    restricted = (rng.random(scenario.groups) < 0.2) & ~is_public
    opened = _add_rules(net, rng, group_ids, is_public, restricted, scenario.rules_per_group)
    groups_of = [
        sorted(set(rng.integers(0, scenario.groups, size).tolist()))
        for size in (rng.choice(len(_GROUPS_OF_ENI), scenario.enis, p=_GROUPS_OF_ENI) + 1).tolist()
    ]
    _add_enis(net, rng, group_ids, groups_of, is_public, (public_subnets, private_subnets))
    nats = range(len(net.enis), len(net.enis) + _NAT_GATEWAYS)
    for n, _ in enumerate(nats):
        net.add_eni(f"nat-{n}", public_subnets[n], (), type="nat_gateway", requester="amazon-nat",
                    description=f"Interface for NAT Gateway {net.new_id('nat')}",
                    public=f"3.224.0.{n + 1}")  # fmt: skip
    network = net.build()
    builder = EndpointsBuilder(network.enis)
    site = Site(opened, groups_of, is_public, restricted, nats)
    public = _add_public(builder, rng, scenario.public_addresses or _PUBLIC_ADDRESSES)
    per_minute = _RECORDS_PER_ENI_MINUTE * scenario.enis
    patterns = patterns_of(builder, site, public, rng, per_minute)
    return World(network, builder.build(), patterns, _SKIP_SHARE)


def _add_vpc(net: NetworkBuilder, enis: int) -> tuple[list[str], list[str]]:
    """Add a VPC of as many /16 blocks as the ENIs need, each of two public and two private /18 subnets."""
    blocks = range(1 + enis // _ENIS_PER_BLOCK)
    net.add_vpc("scale", tuple(f"10.{b}.0.0/16" for b in blocks), "2600:1f18:5c00:4400::/56")
    zones = list(ZONES)
    subnets: tuple[list[str], list[str]] = ([], [])
    for block in blocks:
        for quarter in range(4):
            kind = "public" if quarter < 2 else "private"
            subnet_id = net.add_subnet(
                f"{kind}-{block}-{quarter % 2}",
                f"10.{block}.{quarter * 64}.0/18",
                f"2600:1f18:5c00:44{block * 4 + quarter:02x}::/64",
                zones[quarter % 2],
                public=quarter < 2,
            )
            subnets[quarter // 2].append(subnet_id)
    return subnets


def _add_rules(
    net: NetworkBuilder,
    rng: np.random.Generator,
    group_ids: list[str],
    is_public: np.ndarray[tuple[int], np.dtype[np.bool_]],
    restricted: np.ndarray[tuple[int], np.dtype[np.bool_]],
    per_group: int,
) -> list[Opened]:
    """
    Let each group be reached by some others, and public ones by everybody.

    A restricted group's egress is what other groups let it reach, the rest has AWS's default. Every tenth group also
    has a wide rule that overlaps the narrow ones.
    """
    opened = []
    for number, group_id in enumerate(group_ids):
        others = rng.integers(0, len(group_ids), per_group - 1).tolist()
        services = rng.integers(0, len(SERVICES), per_group - 1).tolist()
        for other, service in sorted(set(zip(others, services, strict=True))):
            protocol, port = SERVICES[service]
            net.allow(group_id, KEYWORDS[protocol], port, group_ids[other])
            if restricted[other]:
                net.allow(group_ids[other], KEYWORDS[protocol], port, group_id, egress=True)
            opened.append(Opened(number, other, protocol, port))
        if is_public[number]:
            net.allow(group_id, "tcp", 443, "0.0.0.0/0")
            net.allow(group_id, "tcp", 443, "::/0")
        if number % 10 == 9:
            net.allow(group_id, "tcp", (8000, 8999), "10.0.0.0/8", "Wide")
        if not restricted[number]:
            net.allow_all_egress(group_id)
    return opened


def _add_enis(
    net: NetworkBuilder,
    rng: np.random.Generator,
    group_ids: list[str],
    groups_of: list[list[int]],
    is_public: np.ndarray[tuple[int], np.dtype[np.bool_]],
    subnets: tuple[list[str], list[str]],
) -> None:
    """
    Add the ENIs, each with an instance.

    15 % have more than one IPv4 address: secondary ones, or a delegated prefix. A fifth has IPv6. An ENI of a public
    group is in a public subnet and has a public address.
    """
    count = len(groups_of)
    extra, has_ipv6 = rng.random(count), rng.random(count) < 0.2
    own_public = addresses_in(rng, ("3.208.0.0/12",), count)
    for n, mine in enumerate(groups_of):
        public = bool(is_public[mine].any())
        side = subnets[0] if public else subnets[1]
        net.add_eni(
            f"{_ROLES[mine[0] % len(_ROLES)]}-{n:05}",
            side[n % len(side)],
            tuple(group_ids[g] for g in mine),
            instance_type="m7g.large",
            secondary=1 + n % 4 if extra[n] < 0.12 else 0,
            prefixes=1 if 0.12 <= extra[n] < 0.15 else 0,
            ipv6=bool(has_ipv6[n]),
            public=own_public[n] if public else None,
            tags=(("team", f"team-{mine[0] % 23}"),),
        )


def _add_public(
    builder: EndpointsBuilder, rng: np.random.Generator, total: int
) -> dict[str, IntArray]:
    """Add ``total`` public addresses: a fiftieth scan, a twenty-fifth of the visitors come by IPv6."""
    by_ipv6, scanners = total // 25, max(total // 50, 5)
    texts = public_ipv4(rng, total - by_ipv6)
    return {
        "scanners": builder.add_public(texts[:scanners]),
        "visitors": builder.add_public(texts[scanners:]),
        "visitors6": builder.add_public(public_ipv6(rng, by_ipv6)),
    }
