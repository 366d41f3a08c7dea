"""
What network ACLs say of a packet: they guard subnets and keep no state, so replies need to be allowed too.

Of the entries of the packet's direction the first by number that matches decides; what none matches is denied. Packets
between interfaces of a subnet are not looked at.
https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vpcflow.admission.addresses import NOTHING, AddressClasses, distinct_addresses
from vpcflow.admission.bits import Bits
from vpcflow.admission.in_force import ALWAYS_SINCE, ALWAYS_UNTIL, InForce, last_known
from vpcflow.admission.lists import Lists, lists_of
from vpcflow.admission.packets import ICMP, ICMPV6, TCP, UDP
from vpcflow.dictionaries import with_last
from vpcflow.inventory import distinct_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vpcflow.addresses import Addresses
    from vpcflow.admission.packets import Bools, Int8s, Int32s, Int64s
    from vpcflow.inventory import Inventory, NetworkAcl, NetworkAclEntry, Snapshot
    from vpcflow.inventory.model import Scope

ALLOWED, DENIED, NOT_KNOWN = 1, 0, -1

_LAST_PORT = (1 << 16) - 1
_ANY = -1
_NO_ACL = -1
_AT_ONCE = 1 << 14
"""How many cases are compared with entries at once: an ACL has up to 40 a direction."""


class _Guard(NamedTuple):
    """A subnet with its network ACL, as a snapshot shows them."""

    subnet_id: str
    acl: NetworkAcl

    @property
    def scope(self) -> Scope:
        return self.acl.scope


class _Entries(NamedTuple):
    """The entries of all ACLs as columns; ``by_acl`` has those of ``2 * acl + is_egress``, by number."""

    protocol: Int32s
    first_port: Int32s
    last_port: Int32s
    first: Int32s
    last: Int32s
    names_type: Bools
    allow: Bools
    by_acl: Lists


class NetworkAcls:
    """The network ACLs of an inventory: that of a subnet is the one the nearest snapshot shows."""

    def __init__(self, inventory: Inventory) -> None:
        guards = last_known(inventory.snapshots, "network_acls", _guards, lambda g: g.subnet_id)
        acls = list(dict.fromkeys(one.value.acl for one in guards))
        subnets = {subnet: n for n, subnet in enumerate(dict.fromkeys(one.key for one in guards))}
        blocks = _blocks(inventory, subnets)
        cidrs = {entry.cidr for acl in acls for entry in acl.entries if entry.cidr}
        self._classes = AddressClasses(cidrs.union(*blocks.values()))
        self._entries = _entries(acls, self._classes)
        own = [subnets.get(v.eni.subnet_id or "", -1) for v in inventory.versions]
        self._subnet_of_row = with_last(np.array(own, np.int32), -1)
        self._within = Bits(len(subnets) + 1, self._classes.count)
        for subnet, some in blocks.items():
            for cidr in some:
                first, last = self._classes.within(cidr)
                self._within.set(subnet, np.arange(first, last + 1))
        self._times, self._acl_of = _acls_by_time(guards, acls, subnets)

    def verdict(
        self,
        row: Int32s,
        is_egress: Bools,
        protocol: Int32s,
        port: Int32s,
        peer: Addresses,
        time_s: Int64s,
    ) -> Int8s:
        """
        Tell whether the ACL of the interface's subnet let each packet through: 1 where it did, 0 where not, else -1.

        The columns are those of `Packets`. It is not known where no snapshot shows the subnet's ACL, and where that
        turns on the type or code of an ICMP packet, which flow logs do not tell.
        """
        addresses, address = distinct_addresses(peer)
        classes = with_last(self._classes.of(addresses), 0)[address].astype(np.int64)
        subnet = self._subnet_of_row[row]
        moment = np.searchsorted(self._times, time_s, "right")
        acl = self._acl_of[subnet, moment]
        keys, case = distinct_numbers(
            ((acl.astype(np.int64) + 1) * 2 + is_egress) * self._classes.count + classes
        )
        # Two steps: all numbers in one might be too large.
        carried = np.clip(protocol, -1, 255).astype(np.int64) + 1
        carried = carried << 16 | np.clip(port, 0, _LAST_PORT)
        pairs, of_row = distinct_numbers(case << 25 | carried)
        guard, address_class = np.divmod(keys[pairs >> 25], self._classes.count)
        answers = self._answers(guard - 2, address_class, pairs & (1 << 25) - 1)
        found = answers[of_row]
        found[(acl >= 0) & self._within.at(subnet, classes)] = ALLOWED
        return found

    def _answers(self, guard: Int64s, address_class: Int64s, carried: Int64s) -> Int8s:
        found = np.full(len(guard), NOT_KNOWN, np.int8)
        known = np.flatnonzero(guard >= 0)
        for first in range(0, len(known), _AT_ONCE):
            part = known[first : first + _AT_ONCE]
            protocol, port = (carried[part] >> 16) - 1, carried[part] & _LAST_PORT
            found[part] = self._decide(guard[part], address_class[part], protocol, port)
        return found

    def _decide(
        self, guard: Int64s, address_class: Int64s, protocol: Int64s, port: Int64s
    ) -> Int8s:
        """Find what the first entry that matches says, and whether one that may match before says otherwise."""
        entries = self._entries
        which, at = entries.by_acl.expand(guard)
        one = entries.by_acl.values[at]
        here, asked = protocol[which], entries.protocol[one]
        fits = (asked == _ANY) | (asked == here)
        fits &= (entries.first[one] <= address_class[which]) & (
            address_class[which] <= entries.last[one]
        )
        fits &= (
            ((here != TCP) & (here != UDP))
            | (asked == _ANY)
            | ((entries.first_port[one] <= port[which]) & (port[which] <= entries.last_port[one]))
        )
        sure = np.flatnonzero(fits & ~entries.names_type[one])
        end = len(at)
        deciding = np.full(len(guard), end)
        np.minimum.at(deciding, which[sure], sure)
        allow = with_last(entries.allow[one], False)
        verdict = allow[deciding]
        maybe = np.flatnonzero(fits & entries.names_type[one])
        maybe = maybe[maybe < deciding[which[maybe]]]
        doubtful = which[maybe[allow[maybe] != verdict[which[maybe]]]]
        answers = np.where(verdict, np.int8(ALLOWED), np.int8(DENIED))
        answers[doubtful] = NOT_KNOWN
        return answers


def _guards(snapshot: Snapshot) -> Iterator[_Guard]:
    for acl in snapshot.network_acls:
        for subnet_id in acl.subnet_ids:
            yield _Guard(subnet_id, acl)


def _blocks(inventory: Inventory, subnets: dict[str, int]) -> dict[int, set[str]]:
    """Give the CIDR blocks of each subnet, of all times: they are hardly ever changed."""
    found: dict[int, set[str]] = {}
    for snapshot in inventory.snapshots:
        for subnet in snapshot.subnets:
            if subnet.subnet_id in subnets:
                found.setdefault(subnets[subnet.subnet_id], set()).update(subnet.cidrs)
    return found


def _acls_by_time(
    guards: Sequence[InForce[_Guard]], acls: Sequence[NetworkAcl], subnets: dict[str, int]
) -> tuple[Int64s, Int32s]:
    """Give times between which no ACL changes, and each subnet's ACL then; last a row for subnets not known."""
    numbers = {acl: number for number, acl in enumerate(acls)}
    bounds = {one.window.since for one in guards}
    bounds |= {one.window.until + 1 for one in guards if one.window.until < ALWAYS_UNTIL}
    times = np.array(sorted(bounds - {ALWAYS_SINCE}), np.int64)
    found = np.full((len(subnets) + 1, len(times) + 1), _NO_ACL, np.int32)
    for one in guards:
        first, last = np.searchsorted(times, [one.window.since, one.window.until], "right")
        found[subnets[one.key], first : last + 1] = numbers[one.value.acl]
    return times, found


def _entries(acls: Sequence[NetworkAcl], classes: AddressClasses) -> _Entries:
    by_acl: list[list[int]] = [[] for _ in range(2 * len(acls))]
    entries: list[NetworkAclEntry] = []
    for number, acl in enumerate(acls):
        for entry in sorted(acl.entries, key=lambda e: e.number):
            by_acl[2 * number + entry.is_egress].append(len(entries))
            entries.append(entry)
    blocks = [classes.within(e.cidr) if e.cidr else NOTHING for e in entries]
    ports = [_ports(e) for e in entries]
    return _Entries(
        protocol=np.array([e.protocol for e in entries], np.int32),
        first_port=np.array([low for low, _ in ports], np.int32),
        last_port=np.array([high for _, high in ports], np.int32),
        first=np.array([first for first, _ in blocks], np.int32),
        last=np.array([last for _, last in blocks], np.int32),
        names_type=np.array([_names_type(e) for e in entries], np.bool_),
        allow=np.array([e.allow for e in entries], np.bool_),
        by_acl=lists_of(by_acl),
    )


def _ports(entry: NetworkAclEntry) -> tuple[int, int]:
    return (
        0 if entry.from_port is None else entry.from_port,
        _LAST_PORT if entry.to_port is None else entry.to_port,
    )


def _names_type(entry: NetworkAclEntry) -> bool:
    named = entry.icmp_type is not None or entry.icmp_code is not None
    return entry.protocol in (ICMP, ICMPV6) and named
