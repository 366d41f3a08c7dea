"""Security group rules and what they are about, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpcflow.codes import PROTOCOLS
from vpcflow.rules.rule_document import ICMP, ICMPV6, TCP, UDP

if TYPE_CHECKING:
    from vpcflow.inventory import SecurityGroupRule


def protocol_name(protocol: int) -> str:
    """
    Name a protocol, as EC2 does where it has a name.

    >>> protocol_name(6), protocol_name(58), protocol_name(-1), protocol_name(250)
    ('tcp', 'icmpv6', 'all protocols', 'protocol 250')
    """
    if protocol == -1:
        return "all protocols"
    return "icmpv6" if protocol == ICMPV6 else PROTOCOLS.get(protocol, f"protocol {protocol}")


def is_for_ports(protocol: int) -> bool:
    """Tell whether rules of this protocol have ports: of others EC2 ignores them, and ICMP has types in their place."""
    return protocol in (TCP, UDP)


def ports_of(rule: SecurityGroupRule) -> str:
    """Say for which ports, or ICMP types, a rule is."""
    first, last = rule.from_port, rule.to_port
    if first is None:
        return "all"
    if rule.protocol in (ICMP, ICMPV6):
        return f"type {first}" + ("" if last is None else f" code {last}")
    return str(first) if last in (None, first) else f"{first}-{last}"


def rule_words(rule: SecurityGroupRule) -> str:
    """Say what a rule allows: ``tcp 443 from 192.0.2.0/24``."""
    parts = [protocol_name(rule.protocol)]
    if is_for_ports(rule.protocol) or rule.protocol in (ICMP, ICMPV6):
        parts.append(
            "all ports"
            if rule.from_port is None and is_for_ports(rule.protocol)
            else ports_of(rule)
        )
    return f"{' '.join(parts)} {'to' if rule.is_egress else 'from'} {rule.counterpart}"
