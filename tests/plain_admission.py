"""
Which rules and ACLs admit a packet, written plainly: one packet, one rule, one snapshot after the other.

What the arrays of `vpcflow.admission` answer is compared with this. It shares the model with them and nothing else.
"""

from __future__ import annotations

import functools
import ipaddress
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from asking import Asks

    from vpcflow.inventory import (
        Eni,
        NetworkAcl,
        NetworkAclEntry,
        PrefixList,
        SecurityGroupRule,
        Snapshot,
    )
    from vpcflow.inventory.model import Scope

TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58

_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
_NEVER_OF_INTERFACES = "169.254.0.0/16 127.0.0.0/8 224.0.0.0/4 fe80::/10 ff00::/8"
_PRIVATE = "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10"


class Answer(NamedTuple):
    """The rules that admit a packet, with the flags of `Admitted`; ``peer`` is the interface found."""

    rules: list[SecurityGroupRule]
    approximate: bool
    uncertain: bool
    peer: Eni | None


class Observed(NamedTuple):
    """What a snapshot says of an object: a version of it, or None, that it was not there."""

    time_s: int
    value: Any


class PlainRules:
    """Answers for the rules of some snapshots, no two of which are of the same time."""

    def __init__(
        self,
        snapshots: Iterable[Snapshot],
        removed: Iterable[str] = (),
        added: Sequence[SecurityGroupRule] = (),
    ) -> None:
        self.snapshots = sorted(snapshots, key=lambda s: s.captured_at)
        self.added = list(added)
        self._known: dict[str, dict[str, list[Observed]]] = {}
        self.observed = {
            key: seen
            for key, seen in self._observe("security_group_rules", lambda r: r.key).items()
            if key not in set(removed)
        }

    def admit(self, eni: Eni | None, asks: Asks) -> Answer:
        """Find the rules in force at the packet's time that admit it, of the groups of ``eni``."""
        peer, is_missing = self._peer(eni, asks)
        sure, maybe, uncertain = [], [], eni is None
        groups = {g.group_id for g in eni.groups} if eni else set()
        uncertain |= any(not self._is_captured(group) for group in groups)
        for near, around in self._rules(asks.time_s):
            lists = _near_and_around(self._list(near.prefix_list_id) if near else [], asks.time_s)
            if near and near.group_id in groups and _fits(near, asks):
                if near.prefix_list_id and not self._list(near.prefix_list_id):
                    uncertain = True
                if near.referenced_group_id and is_missing:
                    uncertain = True
                if _lets_through(near, lists[0], asks, peer):
                    sure.append(near)
            for rule in around:
                if rule and rule.group_id in groups and _fits(rule, asks):
                    versions = self._list(rule.prefix_list_id)
                    for one in _near_and_around(versions, asks.time_s)[1]:
                        if _lets_through(rule, one, asks, peer) and rule not in maybe:
                            maybe.append(rule)
        found = sure or maybe
        return Answer(found, any(map(_names_icmp_type, found)), uncertain, peer)

    def admit_ever(self, eni: Eni | None, asks: Asks) -> list[SecurityGroupRule]:
        """Find the versions of rules, of any time, that would admit a packet."""
        peer, _ = self._peer(eni, asks)
        groups = {g.group_id for g in eni.groups} if eni else set()
        return [
            rule
            for rule, entries_of in self._ever
            if rule.group_id in groups and _fits(rule, asks)
            if _lets_through(rule, entries_of, asks, peer)
        ]

    def reply(
        self, eni: Eni | None, asks: Asks, initiator_port: int, admitted: Answer
    ) -> list[SecurityGroupRule]:
        """Find the rules that admit the reply, if the connection is not tracked."""
        back = asks._replace(is_egress=not asks.is_egress, port=initiator_port)
        opened = any(_is_open(rule) for rule in admitted.rules)
        if eni is None or asks.protocol not in (TCP, UDP) or not opened:
            return []
        types = [eni.interface_type, admitted.peer.interface_type if admitted.peer else None]
        if "nat_gateway" in types or "network_load_balancer" in types:
            return []
        if admitted.peer is None and not eni.public_addresses and _is_on_the_internet(asks.peer):
            return []
        found = self.admit(eni, back).rules
        whole = [r for r in found if _is_open(r) and _has_all_ports(r)]
        return found if whole else []

    @functools.cached_property
    def _ever(self) -> set[tuple[SecurityGroupRule, PrefixList | None]]:
        """The versions of rules, each with what its prefix list may have been while it may have been in force."""
        times = [s.captured_at for s in self.snapshots]
        return {
            (rule, entries_of)
            for time_s in range(min(times) - 1, max(times) + 2)
            for _, around in self._rules(time_s)
            for rule in around
            if rule is not None
            for entries_of in _near_and_around(self._list(rule.prefix_list_id), time_s)[1]
        }

    def _rules(
        self, time_s: int
    ) -> list[tuple[SecurityGroupRule | None, list[SecurityGroupRule | None]]]:
        return [_near_and_around(seen, time_s) for seen in self.observed.values()] + [
            (rule, [rule]) for rule in self.added
        ]

    def _observe(
        self, kind: str, key: Callable[[Any], str], *, absence: bool = True
    ) -> dict[str, list[Observed]]:
        """Give for each object what each snapshot says of it; those that say nothing are left out."""
        if kind not in self._known:
            self._known[kind] = self._read(kind, key, absence=absence)
        return self._known[kind]

    def _read(
        self, kind: str, key: Callable[[Any], str], *, absence: bool
    ) -> dict[str, list[Observed]]:
        scopes: dict[str, Scope] = {}
        for snapshot in self.snapshots:
            scopes.update({key(one): one.scope for one in getattr(snapshot, kind)})
        found: dict[str, list[Observed]] = {k: [] for k in scopes}
        for snapshot in self.snapshots:
            here = {key(one): one for one in getattr(snapshot, kind)}
            for k, scope in scopes.items():
                if k in here:
                    found[k].append(Observed(snapshot.captured_at, here[k]))
                elif absence and snapshot.covers(kind, scope):
                    found[k].append(Observed(snapshot.captured_at, None))
        return found

    def _list(self, prefix_list_id: str | None) -> list[Observed]:
        seen = self._observe("prefix_lists", lambda one: one.prefix_list_id, absence=False)
        return [one for one in seen.get(prefix_list_id or "", []) if one.value.entries is not None]

    def _is_captured(self, group_id: str) -> bool:
        scopes = [
            g.scope for s in self.snapshots for g in s.security_groups if g.group_id == group_id
        ]
        for rule in self._every_rule():
            if group_id in (rule.group_id, rule.referenced_group_id):
                scopes.append(rule.scope)
        if not scopes:
            enis = [e for s in self.snapshots for e in s.interfaces]
            scopes = [e.scope for e in enis if group_id in {g.group_id for g in e.groups}]
            if any(s.covers("security_groups", one) for s in self.snapshots for one in scopes):
                return False
            is_captured = [self._has_rules_of(one) for one in scopes]
            return all(is_captured)
        return self._has_rules_of(scopes[0])

    def _has_rules_of(self, scope: Scope) -> bool:
        return any(s.covers("security_group_rules", scope) for s in self.snapshots)

    def _every_rule(self) -> list[SecurityGroupRule]:
        return [r for s in self.snapshots for r in s.security_group_rules] + self.added

    def _peer(self, eni: Eni | None, asks: Asks) -> tuple[Eni | None, bool]:
        """Find the interface the peer's address belongs to, and whether one is there that is not known."""
        if eni is None or eni.vpc_id is None or asks.peer is None:
            return None, False
        address = ipaddress.ip_address(asks.peer)
        reached = self._reached(eni.vpc_id, asks)
        held = {v for v in reached if any(_holders(s, v, address) for s in self.snapshots)}
        found = None
        if eni.vpc_id in held or len(held) == 1:
            place = eni.vpc_id if eni.vpc_id in held else held.pop()
            seen = [Observed(s.captured_at, _holders(s, place, address)) for s in self.snapshots]
            holders = _near_and_around([one for one in seen if one.value], asks.time_s)[0]
            found = holders[0] if len(holders) == 1 else None
        return found, found is None and self._may_be_in(reached, address)

    def _may_be_in(self, reached: set[str], address: _Ip) -> bool:
        blocks: dict[str, set[str]] = {}
        for snapshot in self.snapshots:
            for vpc in snapshot.vpcs:
                blocks.setdefault(vpc.vpc_id, set()).update(vpc.cidrs)
        inside = {cidr for vpc_id in reached for cidr in blocks.get(vpc_id, ())}
        for snapshot in self.snapshots:
            inside |= {c for s in snapshot.subnets if s.vpc_id in reached for c in s.cidrs}
        if any(_is_in(address, cidr) for cidr in inside):
            return True
        private = _PRIVATE if address.version == 4 else "::/0"
        could_be = any(_is_in(address, cidr) for cidr in private.split()) and not any(
            _is_in(address, cidr) for cidr in _NEVER_OF_INTERFACES.split()
        )
        return could_be and any(vpc_id not in blocks for vpc_id in reached)

    def _reached(self, vpc_id: str, asks: Asks) -> set[str]:
        now = asks.time_s
        reached = {vpc_id}
        for peering in self._at(
            "vpc_peering_connections", lambda p: f"{p.peering_id}{p.scope}", now
        ):
            ends = [peering.requester, peering.accepter]
            vpc_ids = {ends[0].vpc_id, ends[1].vpc_id}
            is_open = peering.status == "active" and ends[0].region == ends[1].region
            if is_open and vpc_id in vpc_ids:
                reached |= vpc_ids
        if not asks.is_egress:
            refusing = [
                g.transit_gateway_id
                for g in self._at("transit_gateways", lambda g: g.transit_gateway_id, now)
                if g.security_group_referencing is False
            ]
            attached = [
                a
                for a in self._at("transit_gateway_attachments", lambda a: a.attachment_id, now)
                if a.state == "available" and a.security_group_referencing is not False
            ]
            for own in attached:
                if own.vpc_id == vpc_id and own.transit_gateway_id not in refusing:
                    reached |= {
                        a.vpc_id for a in attached if a.transit_gateway_id == own.transit_gateway_id
                    }
        for other in self._referred(vpc_id, is_egress=asks.is_egress):
            kind = "transit_gateway_attachments"
            lacks_peering = not self._covers("vpc_peering_connections", vpc_id)
            lacks_gateways = not (self._covers(kind, vpc_id) and self._covers(kind, other))
            if lacks_peering or (lacks_gateways and not asks.is_egress):
                reached.add(other)
        return reached

    def _referred(self, vpc_id: str, *, is_egress: bool) -> set[str]:
        vpcs: dict[str, set[str]] = {}
        for snapshot in self.snapshots:
            for group in snapshot.security_groups:
                vpcs.setdefault(group.group_id, set()).update(group.vpc_ids)
            for eni in snapshot.interfaces:
                for ref in eni.groups:
                    vpcs.setdefault(ref.group_id, set()).add(eni.vpc_id or "")
        found: set[str] = set()
        every = [one.value for seen in self.observed.values() for one in seen if one.value]
        for rule in every + self.added:
            is_of_vpc = vpc_id in vpcs.get(rule.group_id, ())
            if is_of_vpc and rule.is_egress == is_egress and rule.referenced_group_id:
                found |= vpcs.get(rule.referenced_group_id, set())
        return found

    def _covers(self, kind: str, vpc_id: str) -> bool:
        scopes = [v.scope for s in self.snapshots for v in s.vpcs if v.vpc_id == vpc_id]
        scopes += [e.scope for s in self.snapshots for e in s.interfaces if e.vpc_id == vpc_id]
        return bool(scopes) and any(s.covers(kind, scopes[0]) for s in self.snapshots)

    def _at(self, kind: str, key: Callable[[Any], str], time_s: int) -> list[Any]:
        every = self._observe(kind, key).values()
        return [one for seen in every if (one := _near_and_around(seen, time_s)[0]) is not None]


def acl_verdict(snapshots: Iterable[Snapshot], eni: Eni | None, asks: Asks) -> bool | None:
    """Tell whether the ACL of the interface's subnet lets a packet through; None where that is not known."""
    ordered = sorted(snapshots, key=lambda s: s.captured_at)
    subnet_id = eni.subnet_id if eni else None
    seen = [
        Observed(s.captured_at, acl)
        for s in ordered
        for acl in s.network_acls
        if subnet_id in acl.subnet_ids
    ]
    if not seen:
        return None
    subnets = [b for s in ordered for b in s.subnets if b.subnet_id == subnet_id]
    address = ipaddress.ip_address(asks.peer) if asks.peer else None
    if address and any(_is_in(address, cidr) for b in subnets for cidr in b.cidrs):
        return True
    acl: NetworkAcl = _near_and_around(seen, asks.time_s)[0]
    possible = set()
    for entry in sorted(acl.entries, key=lambda e: e.number):
        if entry.is_egress == asks.is_egress and _entry_fits(entry, asks, address):
            possible.add(entry.allow)
            if entry.icmp_type is None and entry.icmp_code is None:
                break
    else:
        possible.add(False)
    return possible.pop() if len(possible) == 1 else None


def _entry_fits(entry: NetworkAclEntry, asks: Asks, address: _Ip | None) -> bool:
    if address is None or entry.cidr is None or not _is_in(address, entry.cidr):
        return False
    if entry.protocol != -1 and entry.protocol != asks.protocol:
        return False
    if entry.protocol in (TCP, UDP) and entry.from_port is not None:
        assert entry.to_port is not None
        return entry.from_port <= asks.port <= entry.to_port
    return True


def _near_and_around(seen: Sequence[Observed], time_s: int) -> tuple[Any, list[Any]]:
    """Give what the nearest says, of two equally near the earlier, and what those on both sides of the time say."""
    if not seen:
        return None, [None]
    earlier = [one for one in seen if one.time_s <= time_s][-1:]
    later = [one for one in seen if one.time_s > time_s][:1]
    if earlier and earlier[0].time_s == time_s:
        later = []
    nearest = min(earlier + later, key=lambda one: (abs(one.time_s - time_s), one.time_s))
    return nearest.value, [one.value for one in earlier + later]


def _fits(rule: SecurityGroupRule, asks: Asks) -> bool:
    if rule.is_egress != asks.is_egress or rule.protocol not in (-1, asks.protocol):
        return False
    if rule.protocol in (TCP, UDP) and rule.from_port is not None:
        assert rule.to_port is not None
        return rule.from_port <= asks.port <= rule.to_port
    return True


def _lets_through(
    rule: SecurityGroupRule, entries_of: PrefixList | None, asks: Asks, peer: Eni | None
) -> bool:
    if asks.peer is None:
        return False
    if rule.referenced_group_id:
        return peer is not None and rule.referenced_group_id in {g.group_id for g in peer.groups}
    cidrs = [rule.ipv4_cidr or rule.ipv6_cidr]
    if rule.prefix_list_id:
        cidrs = [e.cidr for e in entries_of.entries or ()] if entries_of else []
    address = ipaddress.ip_address(asks.peer)
    return any(cidr is not None and _is_in(address, cidr) for cidr in cidrs)


def _names_icmp_type(rule: SecurityGroupRule) -> bool:
    return rule.protocol in (ICMP, ICMPV6) and (rule.from_port, rule.to_port) != (None, None)


def _is_open(rule: SecurityGroupRule) -> bool:
    return rule.ipv4_cidr == "0.0.0.0/0" or rule.ipv6_cidr == "::/0"


def _has_all_ports(rule: SecurityGroupRule) -> bool:
    every = (rule.from_port, rule.to_port) in ((None, None), (0, 65535))
    return rule.protocol == -1 or (rule.protocol in (TCP, UDP) and every)


def _is_on_the_internet(peer: str | None) -> bool:
    address = ipaddress.ip_address(peer) if peer else None
    if address is None or address.version == 6:
        return False
    return not any(_is_in(address, c) for c in f"{_PRIVATE} {_NEVER_OF_INTERFACES}".split())


def _holders(snapshot: Snapshot, vpc_id: str, address: _Ip) -> list[Eni]:
    """Give the interfaces that hold an address as their own, else those that have it in their longest prefix."""
    here = [eni for eni in snapshot.interfaces if eni.vpc_id == vpc_id]
    exact = [e for e in here if str(address) in {*_private(e), *e.ipv6_addresses}]
    if exact:
        return exact
    prefixes = {
        cidr for e in here for cidr in (*e.ipv4_prefixes, *e.ipv6_prefixes) if _is_in(address, cidr)
    }
    if not prefixes:
        return []
    longest = max(prefixes, key=lambda cidr: ipaddress.ip_network(cidr).prefixlen)
    return [e for e in here if longest in (*e.ipv4_prefixes, *e.ipv6_prefixes)]


@functools.cache
def _network(cidr: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(cidr)


def _private(eni: Eni) -> set[str]:
    return {one.address for one in eni.private_addresses}


def _is_in(address: _Ip, cidr: str) -> bool:
    network = _network(cidr)
    return address.version == network.version and address in network
