"""What goes on in the company: who talks to whom, how often, and what is turned away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vpcflow.generate.admission import ICMP, ICMPV6, TCP, UDP, Admission
from vpcflow.generate.endpoints import INTERNET_GATEWAY
from vpcflow.generate.traffic import Pattern, Shape

if TYPE_CHECKING:
    from vpcflow.generate.endpoints import Endpoints, EndpointsBuilder, IntArray
    from vpcflow.generate.network import Network

_PAGE = Shape(2.0, 10, 14, 160, 1_050)
_REQUEST = Shape(0.4, 8, 9, 240, 620)
_POOL = Shape(240.0, 900, 900, 190, 640, 0.5)
_QUERY = Shape(0.6, 10, 12, 150, 700)
_SCRAPE = Shape(0.3, 6, 18, 110, 1_300, 0.3)
_SHELL = Shape(420.0, 600, 700, 92, 180, 1.0)
_UPLOAD = Shape(6.0, 220, 90, 1_350, 60, 1.0)
_DOWNLOAD = Shape(5.0, 60, 260, 70, 1_400, 1.0)
_ANSWER = Shape(0.01, 1, 1, 68, 140, 0.2)
_PING = Shape(3.0, 4, 4, 84, 84, 0.1)

_SCANNED_TCP = {22: 60, 23: 50, 80: 18, 443: 14, 445: 24, 1433: 8, 3306: 8, 3389: 36, 5432: 6, 5900: 8, 6379: 10,
                8080: 16, 8443: 8, 9200: 6, 27017: 5}  # fmt: skip
_SCANNED_UDP = {53: 6, 123: 6, 161: 8, 1900: 8, 5060: 12}
"""Tries a minute, by port."""


def patterns_of(
    network: Network, builder: EndpointsBuilder, public: dict[str, IntArray]
) -> tuple[Endpoints, tuple[Pattern, ...]]:
    """Give the address table and all patterns; ``public`` holds the rows of public addresses by role."""
    rows = {role: _of_role(network, role) for role in _ROLES}
    ipv4 = {role: builder.ipv4_of(enis) for role, enis in rows.items()}
    own = {role: builder.ipv4_of(enis, primary_only=True) for role, enis in rows.items()}
    ipv6 = {role: builder.ipv6_of(enis) for role, enis in rows.items()}
    endpoints = builder.build()
    talk = _Talk(network, endpoints)
    _add_shop(talk, public, ipv4, own, ipv6)
    _add_operations(talk, public, ipv4, own, ipv6)
    _add_shared_services(talk, ipv4, own)
    _add_exchange(talk, public, own)
    _add_unwanted(talk, public, ipv4, own)
    return endpoints, tuple(talk.patterns)


_ROLES = ("load-balancer", "nat", "web", "app", "worker", "jobs", "database", "cache", "bastion", "monitoring", "dns",
          "endpoint", "staging-web", "staging-database", "directory", "registry", "collector", "deploy",
          "exchange")  # fmt: skip


def _of_role(network: Network, role: str) -> list[int]:
    return [
        row
        for row, eni in enumerate(network.enis)
        if eni.name == role or eni.name.rstrip("0123456789") == f"{role}-"
    ]


class _Talk:
    """Collects patterns; the rules decide what comes of each, and the routes whether it passes the NAT gateway."""

    def __init__(self, network: Network, endpoints: Endpoints) -> None:
        self._admission = Admission(network, endpoints)
        self._endpoints = endpoints
        public = {subnet.id for subnet in network.subnets if subnet.public}
        self._nats = {e.vpc_id: n for n, e in enumerate(network.enis) if e.type == "nat_gateway"}
        self._routes = [
            -1 if eni.subnet_id in public else self._nats.get(eni.vpc_id, -1)
            for eni in network.enis
        ]
        self.patterns: list[Pattern] = []

    def add(
        self,
        name: str,
        initiators: IntArray,
        responders: IntArray,
        protocol: int,
        port: int,
        per_minute: float,
        shape: Shape,
        *,
        standing: int = 0,
    ) -> None:
        """Add a pattern for each pair of ENIs: its verdict is the rules', its rate its share of the addresses."""
        for some in self._alike(initiators):
            for others in self._alike(responders):
                verdict = self._admission.verdict(
                    int(some[0]), int(others[0]), protocol=protocol, port=port
                )
                share = len(some) * len(others) / (len(initiators) * len(responders))
                if _is_same(self._endpoints, some, others):
                    continue
                replies = self._admission.reply_verdicts(
                    int(some[0]), int(others[0]), protocol=protocol
                )
                self.patterns.append(
                    Pattern(
                        name,
                        some,
                        others,
                        protocol,
                        port,
                        per_minute * share,
                        shape,
                        verdict,
                        self._via(int(some[0]), int(others[0])),
                        round(standing * share),
                        replies,
                    )
                )

    def _alike(self, rows: IntArray) -> list[IntArray]:
        """Part rows by their ENI; public addresses of one role are all alike to the rules."""
        enis = self._endpoints.eni[rows]
        if len(rows) and enis[0] < 0:
            return [rows]
        return [rows[enis == eni] for eni in np.unique(enis)]

    def _via(self, initiator: int, responder: int) -> int:
        own = int(self._endpoints.eni[initiator])
        outside = int(self._endpoints.path[responder]) == INTERNET_GATEWAY
        if own < 0 or not outside or self._endpoints.ipv6[responder]:
            return -1
        return self._routes[own]


def _is_same(endpoints: Endpoints, some: IntArray, others: IntArray) -> bool:
    own = int(endpoints.eni[some[0]])
    return own >= 0 and own == int(endpoints.eni[others[0]])


_Rows = dict[str, "IntArray"]


def _add_shop(talk: _Talk, public: _Rows, ipv4: _Rows, own: _Rows, ipv6: _Rows) -> None:
    add = talk.add
    add("visitor to shop", public["visitors"], own["load-balancer"], TCP, 443, 420, _PAGE)
    add("visitor to shop", public["visitors6"], ipv6["load-balancer"], TCP, 443, 70, _PAGE)
    add("visitor redirected", public["visitors"], own["load-balancer"], TCP, 80, 40, _ANSWER)
    add("load balancer to web", own["load-balancer"], own["web"], TCP, 8080, 380, _REQUEST)
    add("web to orders", own["web"], ipv4["app"], TCP, 9000, 320, _REQUEST)
    add("orders to database", ipv4["app"], own["database"], TCP, 5432, 24, _POOL, standing=32)
    add("orders to cache", ipv4["app"], own["cache"], TCP, 6379, 60, _QUERY, standing=16)
    add("worker to database", own["worker"], own["database"], TCP, 5432, 12, _POOL, standing=6)
    add("worker to cache", own["worker"], own["cache"], TCP, 6379, 24, _QUERY)
    add("worker to storage", own["worker"], public["storage"], TCP, 443, 30, _UPLOAD)
    add("orders to partner", ipv4["app"], public["partners"], TCP, 443, 60, _REQUEST)
    add("nightly job to database", own["jobs"], own["database"], TCP, 5432, 6, _QUERY)


def _add_operations(talk: _Talk, public: _Rows, ipv4: _Rows, own: _Rows, ipv6: _Rows) -> None:
    add = talk.add
    instances = [own[role] for role in ("web", "app", "bastion", "dns")]
    watched = np.concatenate(instances)
    add("monitoring scrapes", own["monitoring"], watched, TCP, 9100, 44, _SCRAPE)
    add("monitoring pings", own["monitoring"], watched, ICMP, 0, 11, _PING)
    add("monitoring pings", ipv6["monitoring"], ipv6["web"], ICMPV6, 0, 4, _PING)
    add("office to bastion", public["offices"], own["bastion"], TCP, 22, 1.2, _SHELL, standing=3)
    for role, rate in (("web", 0.5), ("app", 0.8), ("monitoring", 0.2)):
        add("bastion to instance", own["bastion"], own[role], TCP, 22, rate, _SHELL, standing=1)
    add("dashboards", own["bastion"], own["monitoring"], TCP, 3000, 6, _PAGE)
    add("visitor pings", public["visitors"], own["bastion"], ICMP, 0, 3, _PING)
    for role in ("web", "app", "worker"):
        add("name lookup", own[role], own["dns"], UDP, 53, 60, _ANSWER)
        add("to AWS's endpoints", own[role], own["endpoint"], TCP, 443, 10, _REQUEST)
        add("time", own[role], public["time"], UDP, 123, 4, _ANSWER)
    add("resolver upstream", own["dns"], public["resolvers"], UDP, 53, 50, _ANSWER)
    add("updates", own["web"], public["mirrors"], TCP, 443, 5, _DOWNLOAD)
    add("updates", ipv6["web"], public["mirrors6"], TCP, 443, 5, _DOWNLOAD)
    add("office to staging", public["offices"], own["staging-web"], TCP, 443, 8, _PAGE)
    add("staging to its database", own["staging-web"], own["staging-database"], TCP, 5432, 5,
        _POOL, standing=4)  # fmt: skip
    add("staging among themselves", own["staging-web"], own["staging-web"], TCP, 7946, 4, _QUERY)


def _add_shared_services(talk: _Talk, ipv4: _Rows, own: _Rows) -> None:
    """Add what crosses the peering connection; the network ACL of one subnet turns some of it away."""
    add = talk.add
    add("orders to directory", ipv4["app"], own["directory"], TCP, 636, 24, _QUERY)
    add("worker to directory", own["worker"], own["directory"], TCP, 636, 9, _QUERY)
    add("directory replication", own["directory"], own["directory"], TCP, 389, 3, _QUERY)
    add("web to registry", own["web"], own["registry"], TCP, 443, 4, _DOWNLOAD)
    for role in ("web", "app"):
        add("traces", own[role], own["collector"], TCP, 4317, 6, _POOL, standing=4)
    add("worker metrics", own["worker"], own["collector"], UDP, 8125, 30, _ANSWER)
    add("bastion to instance", own["bastion"], own["deploy"], TCP, 22, 0.4, _SHELL, standing=1)
    add("deploy to orders", own["deploy"], own["app"], TCP, 22, 2, _QUERY)
    add("web tries directory", own["web"], own["directory"], TCP, 636, 2, _QUERY)
    add("deploy tries database", own["deploy"], own["database"], TCP, 5432, 1, _QUERY)


def _add_exchange(talk: _Talk, public: _Rows, own: _Rows) -> None:
    """Add the traffic of the host whose network ACL forgets some replies."""
    add = talk.add
    add("partner to exchange", public["partners"], own["exchange"], TCP, 22, 14, _UPLOAD)
    add("exchange to storage", own["exchange"], public["storage"], TCP, 443, 6, _UPLOAD)
    add("exchange asks for time", own["exchange"], public["time"], UDP, 123, 3, _ANSWER)
    add("exchange tries mail", own["exchange"], public["partners"], TCP, 25, 3, _QUERY)


def _add_unwanted(talk: _Talk, public: _Rows, ipv4: _Rows, own: _Rows) -> None:
    """Add what the rules turn away: scanners, and internal tries that are not allowed."""
    add = talk.add
    facing = ("load-balancer", "bastion", "exchange", "staging-web")
    open_to_all = np.concatenate([own[role] for role in facing])
    for protocol, ports in ((TCP, _SCANNED_TCP), (UDP, _SCANNED_UDP)):
        for port, rate in ports.items():
            shape = _ANSWER if protocol == UDP else _QUERY
            add("scanner", public["scanners"], open_to_all, protocol, port, rate / 2, shape)
    add("scanner pings", public["scanners"], own["staging-web"], ICMP, 0, 6, _PING)
    add("web tries database", own["web"], own["database"], TCP, 5432, 2, _QUERY)
    add("web tries cache", own["web"], own["cache"], TCP, 6379, 1, _QUERY)
    add("worker tries mail", own["worker"], public["partners"], TCP, 25, 3, _QUERY)
    add("database tries updates", own["database"], public["mirrors"], TCP, 443, 2, _DOWNLOAD)
    add("job tries orders", own["jobs"], ipv4["app"], TCP, 22, 1, _QUERY)
    add("monitoring pings cache", own["monitoring"], own["cache"], ICMP, 0, 2, _PING)
