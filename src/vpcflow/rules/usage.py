"""
The usage of every rule of an inventory: what it admitted, and whether it can be said that it admits nothing.

A rule is called unused only where the logs would have shown its use: ``codes.USAGE_REASONS`` has what stands against.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from vpcflow.codes import PROTOCOLS
from vpcflow.dictionaries import numbered, ordered
from vpcflow.rules.peer_places import blocks_of, countries_of
from vpcflow.rules.permissions import names_icmp_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vpcflow.inventory import Inventory, SecurityGroupRule
    from vpcflow.rules.covered import Covered, GroupCover

    Row = dict[str, Any]

MIN_COVERAGE = 0.99
MIN_DAYS = 30.0

_MOST_BLOCKS = 10
_PORTS = 1 << 16
_UNLOGGED = {17: (53, 67, 68, 123), 6: (53, 1688)}
"""Ports of Amazon's resolver, DHCP, time and Windows activation, by protocol."""
_LINK_LOCAL = ip_network("169.254.0.0/16")


class Demands(NamedTuple):
    """What is asked of a recording before a rule is called unused."""

    min_coverage: float = MIN_COVERAGE
    min_days: float = MIN_DAYS


class Usage(NamedTuple):
    """
    What is known: ``rules`` and ``groups``, a dict for each of the inventory, sorted; ``coverage`` of the recording.
    """

    rules: list[Row]
    groups: list[Row]
    coverage: Row


def usage_of(
    inventory: Inventory,
    tables: Mapping[str, pa.Table],
    covered: Covered,
    *,
    demands: Demands,
    country_of: Callable[[pa.StringArray], pa.Array] | None = None,
) -> Usage:
    """
    Tell the usage of all rules and groups; ``tables`` are a tally's.

    ``country_of`` gives the country code of each of distinct addresses, null where it is not known; without it
    countries are left out.
    """
    counted = {row["rule"]: row for row in tables["rules"].to_pylist()}
    peers = _Peers(tables, country_of)
    ports = _grouped(tables["ports"], "port")
    latest = {key: versions[-1] for key, versions in inventory.history.security_group_rules.items()}
    first_seen = {
        key: versions[0].valid_from
        for key, versions in inventory.history.security_group_rules.items()
    }
    of_group: dict[tuple[str, bool], list[SecurityGroupRule]] = defaultdict(list)
    for version in latest.values():
        of_group[version.value.group_id, version.value.is_egress].append(version.value)
    names = {key: v[-1].value.name for key, v in inventory.history.security_groups.items()}
    begins = inventory.capture_times[0] if inventory.capture_times else 0
    rules = []
    cover_of = functools.cache(covered.of_group)
    for key, version in latest.items():
        rule = version.value
        counts = counted.get(key, _NOTHING)
        was_before = (
            first_seen[key]
            if first_seen[key] > begins or len(inventory.capture_times) > 1
            else None
        )
        cover = cover_of(rule.group_id, was_before)
        alike = of_group[rule.group_id, rule.is_egress]
        reasons = _reasons(rule, counts, cover, covered, demands, was_before)
        notes = _notes(rule, alike)
        verdict = _verdict(counts, reasons)
        rules.append(
            {
                **_described(rule, names),
                "connections": counts["connections"],
                "unique_connections": counts["unique_connections"],
                "reply_connections": counts["replies"],
                "unjudged_connections": counts["unjudged"],
                "bytes": counts["bytes"],
                "packets": counts["packets"],
                "first_seen": counts["first"],
                "last_seen": counts["last"],
                **peers.of(key),
                **_ports_of(rule, ports.get(key, {})),
                "verdict": verdict,
                "proven": not reasons,
                "reasons": [*(reasons if verdict == "unproven" else ()), *notes],
                "coverage": cover.share,
                "days": cover.days,
            }
        )
    rules.sort(key=lambda row: (row["group_id"], row["direction"], row["rule_id"]))
    return Usage(rules, _groups(inventory, rules, tables, covered), _coverage(covered))


_NOTHING: Row = dict.fromkeys(
    ("connections", "unique_connections", "replies", "unjudged", "bytes", "packets"), 0
) | {"first": None, "last": None}


def _verdict(counts: Row, reasons: Sequence[str]) -> str:
    if counts["unique_connections"]:
        return "used"
    if counts["connections"]:
        return "redundant"
    return "unproven" if reasons else "unused"


def _reasons(
    rule: SecurityGroupRule,
    counts: Row,
    cover: GroupCover,
    covered: Covered,
    demands: Demands,
    was_before: int | None,
) -> list[str]:
    """Collect what stands against calling the rule unused."""
    if covered.coverage.since is None:
        return ["no_records"]
    reasons = list(cover.reasons)
    if (covered.until - covered.since) / 86_400 < demands.min_days:
        reasons.append("recording_too_short")
    is_short = cover.share is not None and cover.share < demands.min_coverage
    if is_short:
        reasons.append("coverage_too_low")
    if is_short and was_before is not None and was_before < covered.since:
        reasons.append("log_started_after_rule")
    if not is_short and "records_skipped" in reasons:
        # They are part of what is not covered, and that is little enough.
        reasons.remove("records_skipped")
    if counts["unjudged"]:
        reasons.append("initiator_unknown")
    if "traffic_not_logged" not in reasons and _may_be_unlogged(rule):
        reasons.append("traffic_not_logged")
    return reasons


def _notes(rule: SecurityGroupRule, alike: Sequence[SecurityGroupRule]) -> list[str]:
    notes = ["approximate"] if names_icmp_type(rule) else []
    return notes + (["contained"] if any(_contains(other, rule) for other in alike) else [])


def _contains(wide: SecurityGroupRule, rule: SecurityGroupRule) -> bool:
    """Tell whether another rule of the group admits all that a rule can, by what is written in them."""
    if wide is rule or wide.key == rule.key:
        return False
    if wide.protocol != -1:
        if wide.protocol != rule.protocol:
            return False
        if not _range(wide)[0] <= _range(rule)[0] <= _range(rule)[1] <= _range(wide)[1]:
            return False
    cidrs = [cidr for one in (wide, rule) if (cidr := one.ipv4_cidr or one.ipv6_cidr)]
    if len(cidrs) > 1:
        blocks = [ip_network(cidr, strict=False) for cidr in cidrs]
        return blocks[0].version == blocks[1].version and blocks[1].subnet_of(blocks[0])  # type: ignore[arg-type]
    return wide.counterpart == rule.counterpart


def _range(rule: SecurityGroupRule) -> tuple[int, int]:
    if rule.from_port is None:
        return -1, _PORTS
    # A type of ICMP without a code is all its codes.
    return rule.from_port, _PORTS if rule.to_port is None else rule.to_port


def _may_be_unlogged(rule: SecurityGroupRule) -> bool:
    """Tell whether a rule is about what AWS does not log: those few ports, or link-local addresses."""
    if not rule.is_egress:
        return False
    if rule.ipv4_cidr and ip_network(rule.ipv4_cidr, strict=False).subnet_of(_LINK_LOCAL):  # type: ignore[arg-type]
        return True
    ports = _UNLOGGED.get(rule.protocol, ())
    return rule.from_port is not None and rule.from_port == rule.to_port and rule.from_port in ports


def _described(rule: SecurityGroupRule, names: Mapping[str, str | None]) -> Row:
    return {
        "rule_id": rule.key,
        "group_id": rule.group_id,
        "group_name": names.get(rule.group_id),
        "direction": rule.direction,
        "protocol": "all"
        if rule.protocol == -1
        else PROTOCOLS.get(rule.protocol, str(rule.protocol)),
        "from_port": rule.from_port,
        "to_port": rule.to_port,
        "counterpart": rule.counterpart,
        "counterpart_name": names.get(rule.referenced_group_id or ""),
        "description": rule.description,
    }


def _ports_of(rule: SecurityGroupRule, used: Mapping[int, int]) -> Row:
    allowed = None
    if rule.protocol in (6, 17):
        allowed = _PORTS if rule.from_port is None else (rule.to_port or 0) - rule.from_port + 1
    return {
        "ports": [{"port": p, "connections": n} for p, n in sorted(used.items())],
        "ports_used": len(used),
        "ports_allowed": allowed,
    }


class _Peers:
    """Peers of each rule: how many, and the most by group, by block of addresses and by country."""

    def __init__(
        self,
        tables: Mapping[str, pa.Table],
        country_of: Callable[[pa.StringArray], pa.Array] | None,
    ) -> None:
        peers = tables["peers"]
        self._distinct = _counts(peers, "peer", "count")
        self._groups = _most(tables["peer_groups"], "group_id", "group_id")
        self._blocks = _most(blocks_of(peers), "block", "cidr")
        self._countries = (
            None
            if country_of is None
            else _most(countries_of(peers, country_of), "country", "country")
        )

    def of(self, key: str) -> Row:
        found: Row = {
            "peers": self._distinct.get(key, 0),
            "peers_by_group": self._groups.get(key, []),
            "peers_by_cidr": self._blocks.get(key, []),
        }
        if self._countries is not None:
            found["peers_by_country"] = self._countries.get(key, [])
        return found


def _most(table: pa.Table, column: str, name: str) -> dict[str, list[Row]]:
    """Give for each rule the values with most connections, of equals the first by name; a value stands there once."""
    rules, rule = numbered(table.column("rule"))
    values, value = numbered(table.column(column))
    count = table.column("connections").to_numpy()
    order = np.lexsort((ordered(values, value), -count, rule))
    rule = rule[order]
    first = np.flatnonzero(np.diff(rule, prepend=-1))
    place = np.arange(len(rule)) - np.repeat(first, np.diff(first, append=len(rule)))
    kept = order[place < _MOST_BLOCKS]
    found: dict[str, list[Row]] = defaultdict(list)
    for key, text, connections in zip(
        rules.take(pa.array(rule[place < _MOST_BLOCKS])).to_pylist(),
        values.take(pa.array(value[kept])).to_pylist(),
        count[kept].tolist(),
        strict=True,
    ):
        found[key].append({name: text, "connections": connections})
    return found


def _counts(table: pa.Table, column: str, how: str) -> dict[str, int]:
    found = table.group_by("rule").aggregate([(column, how)])
    return dict(
        zip(
            found.column("rule").to_pylist(),
            found.column(f"{column}_{how}").to_pylist(),
            strict=True,
        )
    )


def _grouped(table: pa.Table, column: str) -> dict[str, dict[Any, int]]:
    found: dict[str, dict[Any, int]] = defaultdict(dict)
    columns = (table.column(name).to_pylist() for name in ("rule", column, "connections"))
    for rule, value, count in zip(*columns, strict=True):
        found[rule][value] = found[rule].get(value, 0) + count
    return found


def _groups(
    inventory: Inventory, rules: Sequence[Row], tables: Mapping[str, pa.Table], covered: Covered
) -> list[Row]:
    """Tell of each group what it is attached to, whether anything goes on there, and who refers to it."""
    busy = dict(zip(*(tables["interfaces"].column(i).to_pylist() for i in (0, 1)), strict=True))
    referenced = defaultdict(list)
    count: dict[str, int] = defaultdict(int)
    for key, versions in inventory.history.security_group_rules.items():
        rule = versions[-1].value
        count[rule.group_id] += 1
        if rule.referenced_group_id is not None and rule.referenced_group_id != rule.group_id:
            referenced[rule.referenced_group_id].append(key)
    ids = {*inventory.history.security_groups, *count, *covered.members}
    unused: dict[str, int] = defaultdict(int)
    for row in rules:
        unused[row["group_id"]] += row["verdict"] == "unused"
    found = []
    for group_id in sorted(ids):
        known = inventory.history.security_groups.get(group_id)
        interfaces = covered.members.get(group_id, {})
        connections = sum(busy.get(interface_id, 0) for interface_id in interfaces)
        status = "attached to nothing" if not interfaces else "in use" if connections else "idle"
        found.append(
            {
                "group_id": group_id,
                "group_name": None if known is None else known[-1].value.name,
                "status": status,
                "interfaces": len(interfaces),
                "connections": connections,
                "rules": count[group_id],
                "rules_unused": unused[group_id],
                "referenced_by": sorted(referenced[group_id]),
                "coverage": covered.of_group(group_id).share,
            }
        )
    return found


def _coverage(covered: Covered) -> Row:
    coverage = covered.coverage
    every = {interface_id for of in covered.members.values() for interface_id in of}
    return {
        "since": coverage.since,
        "until": coverage.until,
        "days": (covered.until - covered.since) / 86_400,
        "share": covered.share,
        "interfaces": len(every),
        "interfaces_without_records": sorted(every - set(coverage.seen)),
        "skipped_records": sum(one.skipped for one in coverage.seen.values()),
        "missing_fields": sorted(
            {*coverage.missing, *(f for one in coverage.seen.values() for f in one.missing)}
        ),
    }
