"""
Traffic along the rules of a network of any size: about 70 % of the records inside, 30 % to and from the internet.

A pattern is made for each rule, so what is accepted is admitted by construction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vpcflow.generate.admission import REJECTED_INGRESS, TCP, UDP
from vpcflow.generate.traffic import Pattern, Shape

if TYPE_CHECKING:
    from vpcflow.generate.endpoints import BoolArray, EndpointsBuilder, IntArray

SERVICES = ((TCP, 5432), (TCP, 6379), (TCP, 8080), (TCP, 8443), (TCP, 9092), (TCP, 9200), (TCP, 5672), (TCP, 27017),
            (TCP, 11211), (TCP, 3306), (TCP, 4317), (TCP, 2049), (UDP, 8125), (UDP, 53))  # fmt: skip
NEVER_OPEN = ((TCP, 22), (TCP, 23), (TCP, 445), (TCP, 1433), (TCP, 3389), (TCP, 5900), (UDP, 161), (UDP, 1900),
              (UDP, 5060))  # fmt: skip
KEYWORDS = {TCP: "tcp", UDP: "udp"}

_SHORT = Shape(0.8, 10, 12, 180, 640)
_LONG = Shape(45.0, 160, 180, 190, 700, 1.0)
_PAGE = Shape(2.0, 10, 14, 160, 1_050)
_ANSWER = Shape(0.01, 1, 1, 68, 140, 0.2)

_LONG_PORTS = (5432, 9092, 5672)

# Share of all records, and about how many records a connection makes.
_RULES, _RULES6 = (0.63, 5.0), (0.04, 5.0)
_INWARD, _INWARD6, _OUTWARD = (0.20, 2.1), (0.01, 2.1), (0.06, 6.2)
_SCANS, _TRIES = (0.03, 1.0), (0.03, 2.0)


class Opened(NamedTuple):
    """A rule of one group (``responders``) that lets another reach it; groups are numbers."""

    responders: int
    initiators: int
    protocol: int
    port: int


class Site(NamedTuple):
    """
    What traffic needs to know of the network.

    ``groups_of`` are the group numbers of each ENI; ``is_public`` and ``is_restricted`` (in egress) are by group;
    ``nats`` are the rows of the NAT gateways' ENIs.
    """

    opened: list[Opened]
    groups_of: list[list[int]]
    is_public: BoolArray
    is_restricted: BoolArray
    nats: range

    def members(self) -> list[list[int]]:
        """Give the ENIs of each group."""
        enis: list[list[int]] = [[] for _ in self.is_public]
        for eni, mine in enumerate(self.groups_of):
            for group in mine:
                enis[group].append(eni)
        return enis

    def free_private(self) -> list[int]:
        """Give the ENIs behind a NAT gateway whose groups let them go anywhere."""
        return [
            eni
            for eni, mine in enumerate(self.groups_of)
            if not self.is_restricted[mine].all() and not self.is_public[mine].any()
        ]


def patterns_of(
    builder: EndpointsBuilder,
    site: Site,
    public: dict[str, IntArray],
    rng: np.random.Generator,
    per_minute: float,
) -> tuple[Pattern, ...]:
    """Give all patterns, of about ``per_minute`` records together; ``public`` holds rows by role."""
    members = site.members()
    facing = [members[group] for group in np.flatnonzero(site.is_public) if members[group]]
    ipv4 = [builder.ipv4_of(enis) for enis in members]
    ipv6 = [builder.ipv6_of(enis) for enis in members]
    front = [builder.ipv4_of(enis, primary_only=True) for enis in facing]
    front6 = [builder.ipv6_of(enis) for enis in facing]
    free = site.free_private()
    everyone = builder.ipv4_of(range(len(site.groups_of)), primary_only=True)
    rogues = builder.ipv4_of(free[:40], primary_only=True)

    def rate(share: tuple[float, float]) -> float:
        return per_minute * share[0] / share[1]

    return (
        *_along_rules(site.opened, ipv4, rng, rate(_RULES)),
        *_along_rules(site.opened, ipv6, rng, rate(_RULES6)),
        *_inward(public["visitors"], front, rate(_INWARD)),
        *_inward(public["visitors6"], front6, rate(_INWARD6)),
        *_outward(builder, free, site.nats, public["visitors"], rate(_OUTWARD)),
        *_refused("scanner", public["scanners"], _together(front), rate(_SCANS)),
        *_refused("internal try", rogues, everyone, rate(_TRIES)),
    )


def _along_rules(
    opened: list[Opened], members: list[IntArray], rng: np.random.Generator, per_minute: float
) -> list[Pattern]:
    """Give a pattern for each rule whose groups have members; some rules carry much more than others."""
    used = [o for o in opened if len(members[o.responders]) > 1 and len(members[o.initiators]) > 1]
    weight = rng.lognormal(0, 1.2, len(used))
    return [
        Pattern(
            "east-west",
            members[o.initiators],
            members[o.responders],
            o.protocol,
            o.port,
            per_minute * share,
            _shape(o.protocol, o.port),
        )
        for o, share in zip(used, (weight / weight.sum()).tolist(), strict=True)
    ]


def _shape(protocol: int, port: int) -> Shape:
    if protocol == UDP:
        return _ANSWER
    return _LONG if port in _LONG_PORTS else _SHORT


def _inward(visitors: IntArray, fronts: list[IntArray], per_minute: float) -> list[Pattern]:
    used = [front for front in fronts if len(front)]
    return [
        Pattern("visitor", visitors, front, TCP, 443, per_minute / len(used), _PAGE)
        for front in used
    ]


def _outward(
    builder: EndpointsBuilder, enis: list[int], nats: range, public: IntArray, per_minute: float
) -> list[Pattern]:
    """Let private ENIs reach the internet, each through the NAT gateway of its subnet's zone."""
    shares = [builder.ipv4_of(enis[n :: len(nats)], primary_only=True) for n in range(len(nats))]
    return [
        Pattern("outward", share, public, TCP, 443, per_minute / len(nats), _SHORT, via=nat)
        for nat, share in zip(nats, shares, strict=True)
        if len(share)
    ]


def _refused(
    name: str, initiators: IntArray, responders: IntArray, per_minute: float
) -> list[Pattern]:
    if not len(initiators) or not len(responders):
        return []
    return [
        Pattern(
            name,
            initiators,
            responders,
            protocol,
            port,
            per_minute / len(NEVER_OPEN),
            _SHORT,
            REJECTED_INGRESS,
        )
        for protocol, port in NEVER_OPEN
    ]


def _together(pools: list[IntArray]) -> IntArray:
    return np.unique(np.concatenate(pools)) if pools else np.zeros(0, np.int32)
