"""A change of security group rules: those to remove and those to add, as JSON and as rules."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson

from vpcflow.admission import RuleBook
from vpcflow.errors import FormatError
from vpcflow.inventory import ec2
from vpcflow.rules.rule_document import faults_of_rule, rule_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vpcflow.inventory import Inventory, SecurityGroupRule

_KEYS = ("remove", "add")


@dataclass(frozen=True)
class Change:
    """
    Rules to remove, by `SecurityGroupRule.key`, and then rules to add.

    An added rule may carry the id of a removed one, which it then stands in for, or none.
    """

    remove: tuple[str, ...] = ()
    add: tuple[SecurityGroupRule, ...] = ()

    def changed_book(
        self, inventory: Inventory, *, max_age_s: int = 3600, max_stale_s: int | None = None
    ) -> RuleBook:
        """Give the rules as if the change had been made before all times: added rules hold at any time."""
        return RuleBook(
            inventory,
            removed=self.remove,
            added=self.add,
            max_age_s=max_age_s,
            max_stale_s=max_stale_s,
        )

    def faults(self, inventory: Inventory) -> tuple[str, ...]:
        """Say what of the change the inventory does not know, so that its effect cannot be told."""
        known = _Known(inventory)
        removing = (
            f"remove[{place}]: the inventory knows no rule {key!r}"
            for place, key in enumerate(self.remove)
            if key not in known.rules
        )
        adding = (
            f"add[{place}]: {fault}"
            for place, rule in enumerate(self.add)
            for fault in self._faults_of(rule, known)
        )
        return (*removing, *adding)

    def _faults_of(self, rule: SecurityGroupRule, known: _Known) -> Iterator[str]:
        if rule.rule_id in known.rules and rule.rule_id not in self.remove:
            yield f"the inventory has a rule {rule.rule_id!r} already, which is not removed"
        if rule.group_id not in known.groups:
            yield f"the inventory knows no security group {rule.group_id!r}"
        referenced, list_id = rule.referenced_group_id, rule.prefix_list_id
        if referenced is not None and referenced not in known.groups:
            yield f"the inventory knows no security group {referenced!r}, which it refers to"
        if list_id is not None and list_id not in known.prefix_lists:
            yield f"the inventory knows no prefix list {list_id!r}"
        elif list_id is not None and not known.prefix_lists[list_id]:
            yield f"the inventory has no entries of the prefix list {list_id!r}"


class _Known:
    """What an inventory knows, of any time."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self.rules = inventory.history.security_group_rules

    @cached_property
    def groups(self) -> set[str]:
        """Groups that were captured, and those that interfaces or rules have: these are known by what matters here."""
        of_interfaces = (g.group_id for v in self._inventory.versions for g in v.eni.groups)
        of_rules = (version.value.group_id for of_one in self.rules.values() for version in of_one)
        return {*self._inventory.history.security_groups, *of_interfaces, *of_rules}

    @cached_property
    def prefix_lists(self) -> dict[str, bool]:
        """The lists, each with whether its entries are known."""
        return {
            list_id: any(version.value.entries is not None for version in versions)
            for list_id, versions in self._inventory.history.prefix_lists.items()
        }


def read_change(text: bytes) -> Change:
    """
    Read ``{"remove": ["sgr-…"], "add": [rules as describe-security-group-rules writes them]}``; either may be missing.

    Raises ``FormatError`` with all that is wrong, each with its place.
    """
    try:
        read = orjson.loads(text.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as fault:
        raise FormatError(
            f"the change is no JSON: {fault.msg} in line {fault.lineno}, column {fault.colno}"
        ) from None
    if not isinstance(read, dict):
        raise FormatError('the change is no JSON object: write {"remove": […], "add": […]}')
    faults = [*_faults_of_keys(read), *_faults_of_remove(read), *_faults_of_add(read)]
    if faults:
        raise FormatError("; ".join(faults))
    remove = dict.fromkeys(read.get("remove") or ())
    return Change(tuple(remove), tuple(map(_rule, read.get("add") or ())))


def document(change: Change) -> dict[str, list[Any]]:
    """Give the change as what `read_change` reads, once it is JSON."""
    return {"remove": list(change.remove), "add": [rule_document(rule) for rule in change.add]}


def _faults_of_keys(read: dict[str, Any]) -> Iterator[str]:
    if unknown := [key for key in read if key not in _KEYS]:
        yield f"the change has unknown keys: {', '.join(unknown)} (known: {', '.join(_KEYS)})"
    elif not read:
        yield "the change has neither remove nor add"
    for key in _KEYS:
        if not isinstance(read.get(key), list | None):
            yield f"{key} is no list"


def _faults_of_remove(read: dict[str, Any]) -> Iterator[str]:
    for place, key in enumerate(_list(read, "remove")):
        if not isinstance(key, str) or not key:
            yield f"remove[{place}]: {key!r} is no rule id (sgr-…)"


def _faults_of_add(read: dict[str, Any]) -> Iterator[str]:
    at: dict[str, int] = {}
    for place, raw in enumerate(_list(read, "add")):
        yield from (f"add[{place}]: {fault}" for fault in faults_of_rule(raw))
        rule_id = raw.get("SecurityGroupRuleId") if isinstance(raw, dict) else None
        if isinstance(rule_id, str) and (other := at.setdefault(rule_id, place)) != place:
            yield f"add[{place}]: SecurityGroupRuleId is that of add[{other}]: {rule_id!r}"


def _list(read: dict[str, Any], key: str) -> list[Any]:
    found = read.get(key)
    return found if isinstance(found, list) else []


def _rule(raw: dict[str, Any]) -> SecurityGroupRule:
    rule_id, protocol = raw.get("SecurityGroupRuleId") or None, str(raw["IpProtocol"])
    rule = ec2.security_group_rule({**raw, "SecurityGroupRuleId": rule_id, "IpProtocol": protocol})
    if rule.protocol not in (1, 6, 17, 58):
        # "Specifying -1 or another protocol number allows traffic on all ports, regardless of any port range."
        # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
        rule = replace(rule, from_port=None, to_port=None)
    if rule.ipv4_cidr is not None:
        rule = replace(rule, ipv4_cidr=_canonical(rule.ipv4_cidr))
    if rule.ipv6_cidr is not None:
        rule = replace(rule, ipv6_cidr=_canonical(rule.ipv6_cidr))
    return rule


def _canonical(cidr: str) -> str:
    """Write a block as EC2 does, which clears host bits."""
    return str(ipaddress.ip_network(cidr, strict=False))
