"""
A small company's account: production behind a load balancer, a staging VPC with the same addresses, shared services.

Its rules are what such accounts have: group references, an office prefix list, a rule that is too wide, rules nobody
needs any more, groups that restrict egress and groups that don't.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vpcflow.generate.company_shared import add_exchange, add_shared_services
from vpcflow.generate.company_traffic import patterns_of
from vpcflow.generate.endpoints import GATEWAY_ENDPOINT, EndpointsBuilder
from vpcflow.generate.network import ACCOUNT_ID, REGION, NetworkBuilder, digest
from vpcflow.generate.public import S3_CIDRS, addresses_in, public_ipv4, public_ipv6
from vpcflow.generate.world import World

if TYPE_CHECKING:
    from vpcflow.generate.endpoints import IntArray
    from vpcflow.generate.scenario import Scenario

_CIDR = "10.20.0.0/16"
_IPV6 = "2600:1f18:4a2b:7c"
_OWN_PUBLIC = ("3.208.0.0/12",)
_PUBLIC_ADDRESSES = 2_000
_SKIP_SHARE = 0.01


class _Subnets(NamedTuple):
    public: tuple[str, str]
    app: tuple[str, str]
    data: tuple[str, str]


def build(scenario: Scenario) -> World:
    """Build the company's network, the public addresses around it, and its patterns of traffic."""
    rng = np.random.default_rng([scenario.seed, 2])
    net = NetworkBuilder(scenario.seed)
    total = scenario.public_addresses or _PUBLIC_ADDRESSES
    public = public_ipv4(rng, total)
    offices = _office_blocks(public[:2])
    net.add_prefix_list("office", tuple((block, "office") for block in offices))
    net.add_prefix_list(f"com.amazonaws.{REGION}.s3", tuple((c, "") for c in S3_CIDRS), "AWS")
    own_public = iter(addresses_in(rng, _OWN_PUBLIC, 8))
    groups = _add_production(net, [next(own_public) for _ in range(4)])
    staging_public = [next(own_public) for _ in range(2)]
    add_exchange(net, next(own_public))
    _add_staging(net, staging_public)
    add_shared_services(net, net.vpcs[0].id, net.vpcs[1].id, groups)
    network = net.build()
    endpoints = EndpointsBuilder(network.enis)
    rows = _add_public(endpoints, rng, public, offices, total)
    return World(network, *patterns_of(network, endpoints, rows), _SKIP_SHARE)


def _office_blocks(addresses: list[str]) -> tuple[str, ...]:
    return tuple(str(ipaddress.IPv4Network(f"{a}/28", strict=False)) for a in addresses)


def _add_public(
    endpoints: EndpointsBuilder,
    rng: np.random.Generator,
    public: list[str],
    offices: tuple[str, ...],
    total: int,
) -> dict[str, IntArray]:
    """Add ``total`` public addresses: a few of each role, the rest visitors, an eighth of them by IPv6."""
    blocks = [ipaddress.IPv4Network(block) for block in offices]
    apart = [a for a in public if not any(ipaddress.IPv4Address(a) in b for b in blocks)]
    counts = {"partners": 6, "mirrors": 5, "time": 4, "resolvers": 2, "scanners": total // 25 + 6}
    rows = {
        "offices": endpoints.add_public(addresses_in(rng, offices, 5)),
        "storage": endpoints.add_public(
            addresses_in(rng, S3_CIDRS, 8), path=GATEWAY_ENDPOINT, service="S3"
        ),
        "mirrors6": endpoints.add_public(public_ipv6(rng, 3)),
    }
    for role, count in counts.items():
        rows[role] = endpoints.add_public(apart[:count])
        apart = apart[count:]
    visitors = total - sum(len(part) for part in rows.values())
    rows["visitors6"] = endpoints.add_public(public_ipv6(rng, visitors // 8))
    rows["visitors"] = endpoints.add_public(apart[: visitors - visitors // 8])
    return rows


def _add_vpc(net: NetworkBuilder, name: str, ipv6: str) -> _Subnets:
    net.add_vpc(name, (_CIDR,), f"{ipv6}00::/56")
    pairs = []
    for number, (role, third) in enumerate((("public", 0), ("app", 10), ("data", 20))):
        pairs.append(
            tuple(
                net.add_subnet(
                    f"{name}-{role}-{'ab'[side]}",
                    f"10.20.{third + side}.0/24",
                    f"{ipv6}{number * 2 + side:02x}::/64",
                    f"{REGION}{'ab'[side]}",
                    public=role == "public",
                )
                for side in (0, 1)
            )
        )
    return _Subnets(*pairs)  # type: ignore[arg-type]


def _add_production_groups(net: NetworkBuilder) -> dict[str, str]:
    """Add the groups and their rules; all that a name refers to exists before the first rule."""
    g = {
        name: net.add_group(name, description)
        for name, description in (
            ("load-balancer", "Public entry to the shop"),
            ("web", "Web servers of the shop"),
            ("app", "Order service"),
            ("worker", "Background jobs on Fargate"),
            ("jobs", "Nightly jobs on Lambda"),
            ("database", "PostgreSQL"),
            ("cache", "Redis"),
            ("bastion", "The way in for people"),
            ("monitoring", "Metrics and dashboards"),
            ("monitored", "Lets the monitoring look at an instance"),
            ("dns", "Internal resolvers"),
            ("endpoints", "Interface endpoints of AWS services"),
            ("legacy", "Old reporting server"),
            ("old-vpn", "VPN concentrator, replaced by the bastion"),
        )
    }
    office, storage = (prefix_list.id for prefix_list in net.prefix_lists)
    for anywhere in ("0.0.0.0/0", "::/0"):
        net.allow(g["load-balancer"], "tcp", 443, anywhere, "HTTPS from anywhere")
        net.allow(g["load-balancer"], "tcp", 80, anywhere, "Redirect to HTTPS")
    net.allow(g["load-balancer"], "tcp", 8080, g["web"], egress=True)
    net.allow(g["web"], "tcp", 8080, g["load-balancer"], "From the load balancer")
    net.allow(g["app"], "tcp", 9000, g["web"], "Orders")
    net.allow(g["app"], "tcp", (8000, 9999), _CIDR, "Temporary, for the migration")
    for role in ("web", "app", "dns", "monitoring"):
        net.allow(g[role], "tcp", 22, g["bastion"], "SSH by way of the bastion")
    for role in ("app", "worker", "jobs", "bastion"):
        net.allow(g["database"], "tcp", 5432, g[role])
    for role in ("app", "worker"):
        net.allow(g["cache"], "tcp", 6379, g[role])
        net.allow(g[role], "tcp", 5432, g["database"], egress=True)
        net.allow(g[role], "tcp", 6379, g["cache"], egress=True)
        net.allow(g[role], "tcp", 443, "0.0.0.0/0", "Partners and AWS", egress=True)
        net.allow(g[role], "udp", 53, g["dns"], egress=True)
        net.allow(g[role], "udp", 123, "0.0.0.0/0", egress=True)
    net.allow(g["worker"], "tcp", 443, storage, "Uploads", egress=True)
    net.allow(g["bastion"], "tcp", 22, office, "SSH from the offices")
    net.allow(g["bastion"], "icmp", (8, -1), "0.0.0.0/0", "Ping")
    net.allow(g["bastion"], "udp", 51820, office, "WireGuard, never set up")
    net.allow(g["monitoring"], "tcp", 3000, g["bastion"], "Dashboards")
    net.allow(g["monitoring"], "tcp", 3000, office, "Dashboards, before there was a bastion")
    net.allow(g["monitored"], "tcp", 9100, g["monitoring"], "Node exporter")
    net.allow(g["monitored"], "icmp", (8, -1), g["monitoring"], "Ping")
    net.allow(g["monitored"], "icmpv6", (128, -1), f"{_IPV6}00::/56", "Ping")
    for protocol in ("udp", "tcp"):
        net.allow(g["dns"], protocol, 53, _CIDR)
        net.allow(g["dns"], protocol, 53, "0.0.0.0/0", egress=True)
    net.allow(g["endpoints"], "tcp", 443, _CIDR)
    net.allow(g["legacy"], "tcp", 8443, "0.0.0.0/0", "Reports")
    net.allow(g["legacy"], "tcp", 3389, "10.0.0.0/8", "Remote desktop")
    net.allow(g["old-vpn"], "udp", (500, 500), "0.0.0.0/0")
    for role in ("web", "jobs", "bastion", "monitoring", "legacy", "old-vpn"):
        net.allow_all_egress(g[role])
    return g


def _add_production(net: NetworkBuilder, public: list[str]) -> dict[str, str]:
    """Add production with all its network interfaces, and give its groups by name."""
    subnets = _add_vpc(net, "production", _IPV6)
    g = _add_production_groups(net)
    _add_managed(net, subnets, g, public)
    shop, platform = (("team", "shop"),), (("team", "platform"),)
    watched = g["monitored"]
    for n in range(4):
        net.add_eni(f"web-{n + 1}", subnets.app[n % 2], (g["web"], watched), instance_type="t4g.medium",
                    ipv6=True, asg="web-asg", tags=shop)  # fmt: skip
    for n in range(4):
        # One app server has secondary addresses, another runs containers on addresses of a delegated prefix.
        net.add_eni(f"app-{n + 1}", subnets.app[n % 2], (g["app"], watched), instance_type="m7g.large",
                    secondary=2 if n == 2 else 0, prefixes=1 if n == 3 else 0, tags=shop)  # fmt: skip
    for n in range(3):
        net.add_eni(f"worker-{n + 1}", subnets.app[n % 2], (g["worker"],), requester=ACCOUNT_ID,
                    description=_ecs_attachment(n), ecs=_ecs_task(n))  # fmt: skip
    net.add_eni("bastion", subnets.public[0], (g["bastion"], watched), instance_type="t4g.micro",
                ipv6=True, public=public[3], tags=platform)  # fmt: skip
    net.add_eni("monitoring", subnets.app[0], (g["monitoring"],), instance_type="m7g.large",
                ipv6=True, tags=platform)  # fmt: skip
    for n in range(2):
        net.add_eni(f"dns-{n + 1}", subnets.data[n], (g["dns"], watched), instance_type="t4g.small",
                    tags=platform)  # fmt: skip
    net.add_eni("reports – old", subnets.data[1], (g["legacy"],), instance_type="t3.small")
    net.add_eni("spare", subnets.app[1], (g["legacy"],), attached=False)
    return g


def _add_managed(
    net: NetworkBuilder, subnets: _Subnets, g: dict[str, str], public: list[str]
) -> None:
    """Add the network interfaces AWS services keep in the VPC."""
    for n in range(2):
        net.add_eni(f"load-balancer-{n + 1}", subnets.public[n], (g["load-balancer"],), ipv6=True,
                    description="ELB app/shop/50dc6c495c0c9188", requester="amazon-elb", public=public[n])  # fmt: skip
    net.add_eni("nat", subnets.public[0], (), type="nat_gateway", requester="amazon-nat", public=public[2],
                description=f"Interface for NAT Gateway {net.new_id('nat')}")  # fmt: skip
    for n in range(2):
        net.add_eni(f"database-{n + 1}", subnets.data[n], (g["database"],),
                    description="RDSNetworkInterface", requester="amazon-rds")  # fmt: skip
        net.add_eni(f"cache-{n + 1}", subnets.data[n], (g["cache"],),
                    description=f"ElastiCache sessions-00{n + 1}", requester="amazon-elasticache")  # fmt: skip
        net.add_eni(f"endpoint-{n + 1}", subnets.app[n], (g["endpoints"],), type="vpc_endpoint",
                    description=f"VPC Endpoint Interface {net.new_id('vpce')}", requester="amazon-vpce",
                    account_id="unknown")  # fmt: skip
    net.add_eni("jobs", subnets.app[1], (g["jobs"],), type="lambda", requester="amazon-lambda",
                description="AWS Lambda VPC ENI-nightly-jobs-6b6a2c1e")  # fmt: skip


def _add_staging(net: NetworkBuilder, public: list[str]) -> None:
    subnets = _add_vpc(net, "staging", _IPV6[:-2] + "7d")
    office = net.prefix_lists[0].id
    web = net.add_group("web", "Staging of the shop")
    database = net.add_group("database", "Staging's PostgreSQL")
    for port in (22, 443):
        net.allow(web, "tcp", port, office)
    net.allow(web, "-1", -1, web, "Everything among themselves")
    net.allow(database, "tcp", 5432, web)
    net.allow_all_egress(web)
    for n in range(2):
        net.add_eni(f"staging-web-{n + 1}", subnets.public[n], (web,), instance_type="t4g.small",
                    public=public[n], tags=(("team", "shop"),))  # fmt: skip
    net.add_eni("staging-database", subnets.data[0], (database,), instance_type="t4g.small",
                tags=(("team", "shop"),))  # fmt: skip


def _ecs_attachment(task: int) -> str:
    d = digest(f"attachment/{task}", 32)
    return f"arn:aws:ecs:{REGION}:{ACCOUNT_ID}:attachment/{d[:8]}-{d[8:12]}-{d[12:16]}-{d[16:20]}-{d[20:]}"


def _ecs_task(task: int) -> dict[str, str]:
    arn = f"arn:aws:ecs:{REGION}:{ACCOUNT_ID}"
    task_id = digest(f"task/{task}", 32)
    return {
        "ecs-cluster-arn": f"{arn}:cluster/shop",
        "ecs-cluster-name": "shop",
        "ecs-container-id": f"{task_id}-{int(digest(f'container/{task}', 8), 16)}",
        "ecs-second-container-id": f"{task_id}-{int(digest(f'sidecar/{task}', 8), 16)}",
        "ecs-service-name": "worker",
        "ecs-task-definition-arn": f"{arn}:task-definition/worker:17",
        "ecs-task-arn": f"{arn}:task/shop/{task_id}",
        "ecs-task-id": task_id,
    }
