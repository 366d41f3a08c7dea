"""Proposals for the eye, as lines of text, and as a table."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from vpcflow.rules.proposals import KINDS, REASONS
from vpcflow.rules.rule_document import rule_document
from vpcflow.rules.rule_words import rule_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from vpcflow.inventory import SecurityGroupRule
    from vpcflow.rules.proposals import Proposal, Proposed

_TEXTS = pa.list_(pa.string())

PROPOSALS = pa.schema(
    [
        ("kind", pa.string()),
        ("group_id", pa.string()),
        ("group_name", pa.string()),
        ("direction", pa.string()),
        ("remove", _TEXTS),
        ("removed", _TEXTS),
        ("add", _TEXTS),
        ("added", _TEXTS),
        ("others", _TEXTS),
        ("connections", pa.int64()),
        ("unsure", pa.int64()),
        ("replies", pa.int64()),
        ("peers", pa.int64()),
        ("ports", pa.string()),
        ("first", pa.int64()),
        ("last", pa.int64()),
        ("blocked", pa.int64()),
        ("coverage", pa.float64()),
        ("days", pa.float64()),
        ("is_proven", pa.bool_()),
        ("risks", _TEXTS),
    ]
)
"""
A row a proposal.

``remove`` are keys of rules and ``add`` rules as JSON, as ``describe-security-group-rules`` writes them; ``removed``
and ``added`` are both in words. ``others`` are the keys of rules that admit what removed ones did. ``blocked`` are the
recorded connections that it would have refused in a replay, always 0: what would refuse any is left out.
"""


def table_of(proposals: Iterable[Proposal], names: Mapping[str, str]) -> pa.Table:
    """Give proposals as a table; ``names`` are those of the groups."""
    return pa.Table.from_pylist([_row(one, names) for one in proposals], schema=PROPOSALS)


def _row(one: Proposal, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "group_id": one.group_id,
        "group_name": names.get(one.group_id),
        "direction": one.direction,
        "remove": [rule.key for rule in one.remove],
        "removed": [rule_words(rule) for rule in one.remove],
        "add": [orjson.dumps(rule_document(rule)).decode() for rule in one.add],
        "added": [rule_words(rule) for rule in one.add],
        "others": [rule.key for rule in one.others],
        **one.seen._asdict(),
        "blocked": 0,
        "coverage": one.usage.coverage,
        "days": one.usage.days,
        "is_proven": one.usage.is_proven,
        "risks": list(one.risks),
    }


def lines_of(one: Proposal, names: Mapping[str, str]) -> Iterator[str]:
    """Say what a proposal is, what it rests on, and what speaks against it."""
    name = names.get(one.group_id)
    group = f"{one.group_id} ({name})" if name else one.group_id
    yield f"{one.kind}: {group} {one.direction}: {KINDS[one.kind]}"
    yield from (f"  - {rule.key}  {_said(rule)}" for rule in one.remove)
    yield from (f"  + {_said(rule)}" for rule in one.add)
    if one.others:
        yield f"  stays: {', '.join(rule.key for rule in one.others)}"
    yield f"  seen: {_seen(one)}; it would have blocked nothing"
    yield from (f"  risk: {risk}" for risk in one.risks)


def _said(rule: SecurityGroupRule) -> str:
    return rule_words(rule) + (f"  {rule.description!r}" if rule.description else "")


def _seen(one: Proposal) -> str:
    seen, usage = one.seen, one.usage
    parts = [_counted(seen.connections, "connection")]
    if seen.peers:
        parts.append(f"of {_counted(seen.peers, 'peer')}")
    if seen.ports:
        parts.append(f"to {'port' if seen.ports.isdigit() else 'ports'} {seen.ports}")
    if seen.first is not None and seen.last is not None:
        parts.append(f"from {_moment(seen.first)} to {_moment(seen.last)}")
    said = " ".join(parts)
    if usage.coverage is not None:
        over = "" if usage.days is None else f" over {usage.days:,.1f} days"
        said += f"; the logs cover {usage.coverage:.1%} of the time{over}"
    return said


def _moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"


def summary_of(found: Proposed) -> Iterator[str]:
    """Say how much is proposed, and what is left as it is."""
    removed = sum(len(one.remove) for one in found.proposals)
    added = sum(len(one.add) for one in found.proposals)
    yield (
        f"{_counted(len(found.proposals), 'proposal')}: of {_counted(found.rules, 'rule')} {removed:,} go,"
        f" {added:,} come; {_counted(found.connections, 'observed connection')} would all be admitted"
    )
    kinds = Counter(one.kind for one in found.proposals)
    if kinds:
        yield ", ".join(f"{kinds[kind]:,} {kind}" for kind in KINDS if kinds[kind])
    reasons = Counter(one.reason for one in found.left_out)
    for reason in REASONS:
        if reasons[reason]:
            yield f"left as they are: {_counted(reasons[reason], 'rule')}, {reason}: {REASONS[reason]}"
    if found.without_rule:
        yield f"{_counted(found.without_rule, 'connection')} were admitted by rules that are there no more"
    if found.without_interface:
        yield (
            f"{_counted(found.without_interface, 'connection')} were at interfaces the inventory does not know:"
            " proposals do not regard them"
        )


def _counted(count: int, name: str) -> str:
    return f"{count:,} {name}" + ("" if count == 1 else "s")
