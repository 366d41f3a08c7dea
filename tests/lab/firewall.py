"""
Security groups as nftables: every rule becomes one of the kernel's, which says in its log when it matches.

All rules of an interface are asked of every packet that opens a connection, none of them ending the search; what any
admits is accepted then, all else dropped. What belongs to a connection the kernel tracks is accepted before. Each
packet is logged once more with what became of it, after what the rules said of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.kernel_log import COPIED, GROUP
from lab.vpc import ALL, ICMP, ICMPV6, TCP, UDP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.vpc import Interface, Rule, Vpc

RULE, ACCEPT, REJECT = "rule", "accept", "reject"
"""What the words of a log message begin with; the rule's id follows, or how the kernel knows the connection."""

_LOG = f"group {GROUP} snaplen {COPIED} queue-threshold 1"
_NAMES = {TCP: "tcp", UDP: "udp"}
_NEIGHBOURS = (
    "nd-router-solicit nd-router-advert nd-neighbor-solicit nd-neighbor-advert"
    " mld-listener-query mld-listener-report mld2-listener-report"
).split()
_ADMITTED = "0x1"


def guard(vpc: Vpc, interface: Interface) -> str:
    """Write the nftables script of an interface."""
    if not interface.group_ids:
        return _nat_gateway(interface)
    rules = vpc.rules_of(interface)
    return f"""
table inet guard {{
{"".join(_sets(vpc, rules))}
    chain not-tracked-in {{
        type filter hook prerouting priority raw; policy accept;
{_lines(_not_tracked(rules, is_egress=False))}
    }}
    chain not-tracked-out {{
        type filter hook output priority raw; policy accept;
{_lines(_not_tracked(rules, is_egress=True))}
    }}
    chain in {{
        type filter hook input priority filter; policy drop;
        iifname "lo" accept
{_lines(_verdicts(rules, is_egress=False))}
    }}
    chain out {{
        type filter hook output priority filter; policy drop;
        oifname "lo" accept
{_lines(_verdicts(rules, is_egress=True))}
    }}
}}
"""


def _nat_gateway(interface: Interface) -> str:
    """
    Write what a NAT gateway does: nothing is refused, what comes from elsewhere leaves with its address.

    Packets are logged as they are on the wire: before their addresses are changed, or after.
    """
    return f"""
table inet guard {{
    chain in {{
        type filter hook prerouting priority raw; policy accept;
        iifname "eth0" meta l4proto != icmpv6 log prefix "{ACCEPT} in" {_LOG}
    }}
    chain translated {{
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr != {interface.ipv4[0]} oifname "eth0" ct direction original masquerade
    }}
    chain out {{
        type filter hook postrouting priority srcnat + 10; policy accept;
        oifname "eth0" meta l4proto != icmpv6 log prefix "{ACCEPT} out" {_LOG}
    }}
}}
"""


def _verdicts(rules: tuple[Rule, ...], *, is_egress: bool) -> Iterator[str]:
    """Yield the rules of a chain."""
    # Neighbour discovery is not for security groups, as ARP is not, and no flow log has it.
    yield f"icmpv6 type {{ {', '.join(_NEIGHBOURS)} }} accept"
    yield "meta l4proto igmp drop"
    for direction in ("original", "reply"):
        yield (
            f"ct state established ct direction {direction}"
            f' log prefix "{ACCEPT} {direction}" {_LOG} accept'
        )
    yield f'ct state related log prefix "{ACCEPT} related" {_LOG} accept'
    for one in rules:
        if one.is_egress == is_egress:
            for match in _matches(one):
                log = f'log prefix "{RULE} {one.id}" {_LOG}'
                yield f'{match} {log} meta mark set {_ADMITTED} counter comment "{one.id}"'
    for state in ("new", "untracked"):
        words = "original" if state == "new" else "untracked"
        yield (
            f'meta mark {_ADMITTED} ct state {state} log prefix "{ACCEPT} {words}" {_LOG} accept'
        )
    yield f'log prefix "{REJECT}" {_LOG} drop'


def _matches(rule: Rule) -> Iterator[str]:
    """Yield what a rule asks of a packet, for each family it is about."""
    end = "daddr" if rule.is_egress else "saddr"
    for family, letter in (("ip", "4"), ("ip6", "6")):
        if "/" in rule.counterpart:
            if (":" in rule.counterpart) != (letter == "6"):
                continue
            address = rule.counterpart
        else:
            address = f"@{_set_name(rule.counterpart, letter)}"
        if not (rule.protocol == ICMP and letter == "6") and not (
            rule.protocol == ICMPV6 and letter == "4"
        ):
            yield f"{family} {end} {address} {_protocol(rule)}"


def _protocol(rule: Rule) -> str:
    if rule.protocol == ALL:
        return ""
    if rule.protocol in _NAMES:
        return f"{_NAMES[rule.protocol]} dport {rule.first_port}-{rule.last_port}"
    if rule.protocol in (ICMP, ICMPV6):
        name = "icmp" if rule.protocol == ICMP else "icmpv6"
        parts = [f"meta l4proto {rule.protocol}"]
        if rule.first_port not in (None, -1):
            parts.append(f"{name} type {rule.first_port}")
        if rule.last_port not in (None, -1):
            parts.append(f"{name} code {rule.last_port}")
        return " ".join(parts)
    return f"meta l4proto {rule.protocol}"


def _sets(vpc: Vpc, rules: tuple[Rule, ...]) -> Iterator[str]:
    """Yield the sets of addresses that stand for groups and prefix lists: of groups the private addresses alone."""
    for name in dict.fromkeys(one.counterpart for one in rules if "/" not in one.counterpart):
        members = vpc.prefix_lists.get(name)
        if members is None:
            members = tuple(a for one in vpc.members(name) for a in one.addresses)
        for letter, kind in (("4", "ipv4_addr"), ("6", "ipv6_addr")):
            own = [member for member in members if (":" in member) == (letter == "6")]
            elements = f"elements = {{ {', '.join(own)} }}" if own else ""
            yield (
                f"    set {_set_name(name, letter)}"
                f" {{ type {kind}; flags interval; {elements}\n    }}\n"
            )


def _not_tracked(rules: tuple[Rule, ...], *, is_egress: bool) -> Iterator[str]:
    """
    Yield what takes packets out of tracking: an open rule admits them, and another all that answers them.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html#untracked-connections
    """
    for one in rules:
        for protocol, name in _NAMES.items():
            if not one.is_open or one.protocol not in (protocol, ALL):
                continue
            if not any(_admits_all_replies(other, one, protocol) for other in rules):
                continue
            family = "ipv6" if ":" in one.counterpart else "ipv4"
            first, last = one.first_port or 0, one.last_port or 65535
            # The reply has the ports the other way round.
            end = "dport" if one.is_egress == is_egress else "sport"
            yield f"meta nfproto {family} {name} {end} {first}-{last} notrack"


def _admits_all_replies(other: Rule, one: Rule, protocol: int) -> bool:
    return (
        other.is_egress != one.is_egress
        and other.counterpart == one.counterpart
        and other.protocol in (protocol, ALL)
        and (other.protocol == ALL or (other.first_port, other.last_port) == (0, 65535))
    )


def _set_name(counterpart: str, letter: str) -> str:
    return f"{counterpart.replace('-', '_')}_{letter}"


def _lines(rules: Iterator[str]) -> str:
    return "\n".join(f"        {one}" for one in rules)
