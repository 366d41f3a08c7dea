"""What speaks against a proposal, in words: what a recording does not show."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from vpcflow.rules.permissions import block_of, is_within
from vpcflow.rules.ports import look_dynamic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vpcflow.inventory import SecurityGroupRule
    from vpcflow.rules.evidence import Evidence
    from vpcflow.rules.present import Present
    from vpcflow.rules.proposals import Proposal

_FEW_CONNECTIONS = 10
_PRIVATE = [
    ipaddress.ip_network(cidr)
    for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
]


def risks_of(proposal: Proposal, present: Present, rows: Evidence | None) -> Iterator[str]:
    """Say what could go wrong; ``rows`` are the connections that a narrowed rule has to admit."""
    if proposal.kind in ("duplicate", "merge"):
        return
    yield from _of_recording(proposal)
    yield from _of_connections(proposal)
    if proposal.kind == "redundant":
        yield from _of_other_groups(proposal)
    if proposal.kind == "groups":
        yield from _of_groups(proposal, present)
    if rows is not None:
        yield from _of_peers(proposal, rows)


def _of_recording(proposal: Proposal) -> Iterator[str]:
    cut = "is cut" if not proposal.add else "is cut where it comes from elsewhere or to other ports"
    yield (
        "what did not run while it was recorded, such as rare jobs (at a month's or year's end)"
        f" and failover paths, {cut}"
    )
    usage = proposal.usage
    if not usage.is_proven:
        known = []
        if usage.coverage is not None:
            known.append(f"{usage.coverage:.1%} of the time of the group's interfaces")
        if usage.days is not None:
            known.append(f"{usage.days:,.1f} days")
        covers = " over ".join(known) or "a time that is not known"
        said = f" ({', '.join(usage.reasons)})" if usage.reasons else ""
        yield f"the recording is short or has gaps: it covers {covers}{said}"


def _of_connections(proposal: Proposal) -> Iterator[str]:
    seen = proposal.seen
    if 0 < seen.connections < _FEW_CONNECTIONS:
        yield f"few connections were seen: {seen.connections}"
    if seen.unsure:
        yield (
            f"{seen.unsure:,} connections more, whose initiator is not known, may have been the rule's:"
            " they are kept too"
        )
    if seen.replies:
        yield (
            f"it lets the replies of {seen.replies:,} untracked connections through: such as are open at the change"
            " may be cut, later ones are tracked, and an instance can track so many"
        )
    elif any((block := block_of(rule)) and not block.prefixlen for rule in proposal.remove):
        yield "connections it admits may be untracked: such as are open at the change may be cut"


def _of_other_groups(proposal: Proposal) -> Iterator[str]:
    elsewhere = sorted({r.group_id for r in proposal.others if r.group_id != proposal.group_id})
    if elsewhere:
        yield (
            f"rules of {', '.join(elsewhere)} stand in:"
            f" an interface that has {proposal.group_id} without these is cut off"
        )


def _of_groups(proposal: Proposal, present: Present) -> Iterator[str]:
    groups = [r.referenced_group_id for r in proposal.add if r.referenced_group_id]
    yield "a peer that comes without these groups is cut off, and one that gets them is let in"
    versions: set[int] = {block.version for rule in proposal.remove if (block := block_of(rule))}
    if any(_has_other_family(group, versions, present) for group in groups):
        yield f"members are let in at their IPv{'6' if 4 in versions else '4'} addresses too"
    if any(rule.referenced_vpc_id for rule in proposal.add):
        yield "the groups are in another VPC: they count only while the two VPCs are connected"


def _has_other_family(group_id: str, versions: set[int], present: Present) -> bool:
    return any(
        bool(eni.ipv6_addresses or eni.ipv6_prefixes)
        if 4 in versions
        else bool(eni.private_addresses)
        for eni in present.members.get(group_id, ())
    )


def _of_peers(proposal: Proposal, rows: Evidence) -> Iterator[str]:
    if proposal.kind == "cidrs" and _are_public(proposal.add):
        yield "peers have public addresses, which may change"
    if _narrows_ports(proposal) and look_dynamic(rows.port):
        yield "some ports look like those that systems hand out: the next may be others"


def _are_public(rules: tuple[SecurityGroupRule, ...]) -> bool:
    blocks = [block for rule in rules if (block := block_of(rule)) is not None]
    return not all(any(is_within(block, one) for one in _PRIVATE) for block in blocks)


def _narrows_ports(proposal: Proposal) -> bool:
    before = {(r.protocol, r.from_port, r.to_port) for r in proposal.remove}
    return {(r.protocol, r.from_port, r.to_port) for r in proposal.add} != before
