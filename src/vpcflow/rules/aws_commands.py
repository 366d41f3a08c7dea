"""
A change as commands of the AWS CLI, with those that undo it.

Rules are added before others are removed, so that nothing is cut in between; what only goes, goes first, to make room.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vpcflow.inventory import SecurityGroupRule
    from vpcflow.rules.proposals import Step

_NAMES = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6"}
_TCP_UDP, _ICMP = (6, 17), (1, 58)


def script(steps: Sequence[Step]) -> str:
    """
    Write a shell script that makes the change, or takes it back where its argument is ``undo``.

    Each command is a line of its own, ``aws ec2 …``. Undoing goes on where a command is refused, since what it would do
    was perhaps never undone or done; rules come back with their descriptions and tags and under new ids.
    """
    lines = [
        "#!/bin/sh",
        "# sh FILE makes the change, sh FILE undo takes it back.",
        'export AWS_PAGER=""',
        "apply() {",
        "set -e",
        *_lines(steps),
        "}",
        "undo() {",
        *_lines([step.undone for step in reversed(steps)]),
        "}",
        'case "${1:-apply}" in',
        'apply | undo) "${1:-apply}" ;;',
        '*) echo "usage: sh $0 [apply|undo]" >&2; exit 2 ;;',
        "esac",
    ]
    return "\n".join(lines) + "\n"


def commands(steps: Iterable[Step]) -> Iterator[str]:
    """Give the commands that make the change, in their order."""
    return (line for line in _lines(steps) if not line.startswith("#"))


def undo_commands(steps: Sequence[Step]) -> Iterator[str]:
    """Give the commands that take the change back, in their order."""
    return commands(step.undone for step in reversed(steps))


def _lines(steps: Iterable[Step]) -> list[str]:
    found = []
    for step in steps:
        found += [f"# {word}" for words in step.words for word in words.splitlines()]
        found += [_authorize(rules) for rules in _batches(step.add, by_tags=True)]
        found += [_revoke(rules) for rules in _batches(step.remove, by_tags=False)]
    # An empty function is none.
    return found or [":"]


def _batches(
    rules: Iterable[SecurityGroupRule], *, by_tags: bool
) -> Iterator[list[SecurityGroupRule]]:
    """Put together what one command can do: rules of a group and direction, and of equal tags or all with ids."""
    found: dict[Any, list[SecurityGroupRule]] = defaultdict(list)
    for rule in rules:
        apart = rule.tags if by_tags else rule.rule_id is None
        found[rule.group_id, rule.is_egress, apart].append(rule)
    yield from found.values()


def _authorize(rules: Sequence[SecurityGroupRule]) -> str:
    words = [*_beginning("authorize", rules[0]), "--ip-permissions", _permissions(rules)]
    if rules[0].tags:
        tags = [{"Key": key, "Value": value} for key, value in rules[0].tags]
        words += ["--tag-specifications", _json([{"ResourceType": "security-group-rule", "Tags": tags}])]  # fmt: skip
    return shlex.join(words)


def _revoke(rules: Sequence[SecurityGroupRule]) -> str:
    words = _beginning("revoke", rules[0])
    ids = [rule.rule_id for rule in rules if rule.rule_id is not None]
    if ids:
        return shlex.join([*words, "--security-group-rule-ids", *ids])
    return shlex.join([*words, "--ip-permissions", _permissions(rules)])


def _beginning(verb: str, rule: SecurityGroupRule) -> list[str]:
    region = ["--region", rule.region] if rule.region else []
    operation = f"{verb}-security-group-{rule.direction}"
    return ["aws", "ec2", operation, *region, "--group-id", rule.group_id]


def _permissions(rules: Iterable[SecurityGroupRule]) -> str:
    """Write ``IpPermissions``: one for each protocol and port range, with all that may come or go there."""
    found: dict[Any, dict[str, Any]] = {}
    for rule in rules:
        heading = _heading(rule)
        permission = found.setdefault(tuple(heading.items()), heading)
        kind, value = _counterpart(rule)
        if rule.description:
            value["Description"] = rule.description
        permission.setdefault(kind, []).append(value)
    return _json(list(found.values()))


def _heading(rule: SecurityGroupRule) -> dict[str, Any]:
    heading: dict[str, Any] = {"IpProtocol": _NAMES.get(rule.protocol, str(rule.protocol))}
    if rule.protocol in _TCP_UDP:
        whole = rule.from_port is None
        heading |= {
            "FromPort": 0 if whole else rule.from_port,
            "ToPort": 65535 if whole else rule.to_port,
        }
    elif rule.protocol in _ICMP:
        heading["FromPort"] = -1 if rule.from_port is None else rule.from_port
        heading["ToPort"] = -1 if rule.to_port is None else rule.to_port
    return heading


def _counterpart(rule: SecurityGroupRule) -> tuple[str, dict[str, Any]]:
    if rule.ipv4_cidr is not None:
        return "IpRanges", {"CidrIp": rule.ipv4_cidr}
    if rule.ipv6_cidr is not None:
        return "Ipv6Ranges", {"CidrIpv6": rule.ipv6_cidr}
    if rule.prefix_list_id is not None:
        return "PrefixListIds", {"PrefixListId": rule.prefix_list_id}
    pair = {"GroupId": rule.referenced_group_id, "UserId": rule.referenced_account_id}
    return "UserIdGroupPairs", {name: value for name, value in pair.items() if value is not None}


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
