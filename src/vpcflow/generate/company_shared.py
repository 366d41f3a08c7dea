"""
The company's shared services, a VPC of their own that is peered with production, and the host that partners reach.

Both have a network ACL such as people write: one forgets a subnet, the other some replies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpcflow.generate.network import REGION, NetworkAclEntry

if TYPE_CHECKING:
    from vpcflow.generate.network import NetworkBuilder

_CIDR, _IPV6 = "10.30.0.0/16", "2600:1f18:4a2b:7e"
_PRODUCTION, _APP_B = "10.20.0.0/16", "10.20.11.0/24"
_ANYWHERE = "0.0.0.0/0"

_PLATFORM = (("team", "platform"),)


def add_shared_services(
    net: NetworkBuilder, production_id: str, staging_id: str, production: dict[str, str]
) -> None:
    """Add the VPC, its peering connections, and rules at both ends; ``production`` are its groups by name."""
    shared_id = net.add_vpc("shared", (_CIDR,), f"{_IPV6}00::/56")
    net.add_peering("production to shared services", production_id, shared_id)
    net.add_peering("staging to shared services", staging_id, shared_id, status="deleted")
    subnets = [
        net.add_subnet(f"shared-{side}", f"10.30.{n + 1}.0/24", f"{_IPV6}{n:02x}::/64",
                       f"{REGION}{side}", public=False)
        for n, side in enumerate("ab")
    ]  # fmt: skip
    _add_subnet_acl(net, subnets[1])
    groups = _add_groups(net, production)
    for n, subnet_id in enumerate(subnets):
        for role, size in (("directory", "m7g.large"), ("registry", "t4g.large")):
            net.add_eni(f"{role}-{n + 1}", subnet_id, (groups[role],), instance_type=size, tags=_PLATFORM)  # fmt: skip
    net.add_eni("collector", subnets[0], (groups["collector"],), instance_type="m7g.large",
                tags=_PLATFORM)  # fmt: skip
    net.add_eni("deploy", subnets[1], (groups["deploy"],), instance_type="t4g.small",
                tags=_PLATFORM)  # fmt: skip


def _add_groups(net: NetworkBuilder, production: dict[str, str]) -> dict[str, str]:
    g = {
        name: net.add_group(name, description)
        for name, description in (
            ("directory", "LDAP"),
            ("registry", "Packages and images"),
            ("collector", "Traces and metrics"),
            ("deploy", "Deployments"),
        )
    }
    for role in ("app", "worker"):
        net.allow(g["directory"], "tcp", 636, production[role], "Over the peering connection")
        net.allow(production[role], "tcp", 636, g["directory"], egress=True)
    net.allow(g["directory"], "tcp", 88, production["app"], "Kerberos, never used")
    net.allow(g["directory"], "tcp", 389, g["directory"], "Replication")
    net.allow(g["registry"], "tcp", 443, _PRODUCTION)
    net.allow(g["registry"], "tcp", 443, g["deploy"])
    for role in ("web", "app"):
        net.allow(g["collector"], "tcp", 4317, production[role], "Traces")
    net.allow(production["app"], "tcp", 4317, g["collector"], egress=True)
    net.allow(g["collector"], "udp", 8125, production["worker"], "Metrics")
    net.allow(production["worker"], "udp", 8125, g["collector"], egress=True)
    net.allow(g["deploy"], "tcp", 22, production["bastion"], "SSH by way of the bastion")
    net.allow(production["app"], "tcp", 22, g["deploy"], "Deployments")
    for role in ("directory", "collector", "deploy"):
        net.allow_all_egress(g[role])
    return g


def _add_subnet_acl(net: NetworkBuilder, subnet_id: str) -> None:
    """Let in all but LDAP from one subnet of production."""
    entries = [NetworkAclEntry(90, False, False, "tcp", 636, 636, _APP_B)]
    for number, cidr in ((100, _PRODUCTION), (110, _CIDR)):
        entries += [
            NetworkAclEntry(number, egress, True, "-1", -1, -1, cidr) for egress in (False, True)
        ]
    net.add_network_acl("shared-b", (subnet_id,), tuple(entries))


def add_exchange(net: NetworkBuilder, public: str) -> None:
    """
    Add the host that partners reach, in a subnet of production, which must be the VPC added last.

    Its network ACL lets replies out to Linux's ports alone, while partners come from any; and none to UDP in.
    """
    subnet_id = net.add_subnet("production-exchange-a", "10.20.30.0/24", "2600:1f18:4a2b:7c06::/64",
                               f"{REGION}a", public=True)  # fmt: skip
    group_id = net.add_group("exchange", "File exchange with partners")
    net.allow(group_id, "tcp", 22, _ANYWHERE, "SFTP of partners")
    net.allow_all_egress(group_id)
    net.add_eni("exchange", subnet_id, (group_id,), instance_type="t4g.small", public=public,
                tags=_PLATFORM)  # fmt: skip
    net.add_network_acl(
        "exchange",
        (subnet_id,),
        (
            NetworkAclEntry(100, False, True, "tcp", 22, 22, _ANYWHERE),
            NetworkAclEntry(110, False, True, "tcp", 1_024, 65_535, _ANYWHERE),
            NetworkAclEntry(120, False, True, "-1", -1, -1, _PRODUCTION),
            NetworkAclEntry(100, True, True, "tcp", 443, 443, _ANYWHERE),
            NetworkAclEntry(110, True, True, "tcp", 32_768, 65_535, _ANYWHERE),
            NetworkAclEntry(120, True, True, "-1", -1, -1, _PRODUCTION),
            NetworkAclEntry(130, True, True, "udp", 123, 123, _ANYWHERE),
        ),
    )
