"""An explanation in plain words, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vpcflow.inventory import text_of_time
from vpcflow.rules.explain import ADMITTED, NO_GROUPS, UNKNOWN
from vpcflow.rules.rule_words import protocol_name, rule_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vpcflow.inventory import SecurityGroupRule
    from vpcflow.rules.explain import Explanation, Question, Side
    from vpcflow.rules.near_misses import NearMiss

_MOST = 8


def lines(explanation: Explanation) -> Iterator[str]:
    """Say it, a line each; what belongs to an interface is indented."""
    yield question_words(explanation.question) + ":"
    for side in explanation.sides:
        yield from _side(side, explanation.question)
    yield from (f"note: {note}" for note in explanation.notes)


def question_words(question: Question) -> str:
    """
    Say what is asked about.

    >>> from vpcflow.rules.explain import Question
    >>> question_words(Question(6, "192.0.2.1", None, "2001:db8::1", 443, 1_700_000_000))
    'tcp from 192.0.2.1 to [2001:db8::1]:443 at 2023-11-14T22:13:20Z'
    """
    here = _end(question.initiator_addr, question.initiator_port)
    there = _end(question.responder_addr, question.responder_port)
    time = text_of_time(question.time_s)
    return f"{protocol_name(question.protocol)} from {here} to {there} at {time}"


def _end(address: str, port: int | None) -> str:
    if not port:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _side(side: Side, question: Question) -> Iterator[str]:
    way = "leaving" if side.direction == "egress" else "entering"
    groups = ", ".join(group.group_id for group in side.eni.groups)
    yield f"{way} {side.eni.interface_id}" + (f" ({groups})" if groups else "")
    yield from (f"  {text}" for text in _verdict(side, question))
    yield from (f"  {text}" for text in _acl(side))


def _verdict(side: Side, question: Question) -> Iterator[str]:
    if side.verdict == NO_GROUPS:
        yield "it has no security groups: no rule stands in the way"
        return
    if side.verdict == ADMITTED:
        for rule in side.rules:
            yield f"admitted by {_rule(rule)}"
        if side.is_approximate:
            yield "a rule names an ICMP type or code, which flow logs don't tell: it may be another's"
        yield from _tracking(side)
        return
    if side.verdict == UNKNOWN:
        yield "no rule that is known admits it; the inventory doesn't know enough to say that none does"
    else:
        yield "no rule admits it"
    yield from _misses(side)


def _tracking(side: Side) -> Iterator[str]:
    if not side.reply_rules:
        yield "the connection is tracked: its replies need no rule"
        return
    yield "the connection is not tracked: its replies need a rule too"
    for rule in side.reply_rules:
        yield f"replies are admitted by {_rule(rule)}"


def _misses(side: Side) -> Iterator[str]:
    for miss in side.near_misses[:_MOST]:
        reasons = "; ".join(reason.text for reason in miss.reasons)
        yield f"not by {_rule(miss.rule)}: {reasons}"
    if (more := len(side.near_misses) - _MOST) > 0:
        yield f"… and {more} more that miss by as little"
    if side.other_rules:
        yield f"{side.other_rules} more rules of this direction miss by more"
    if not side.near_misses:
        yield f"its groups have no {side.direction} rules"


def _acl(side: Side) -> Iterator[str]:
    if side.network_acl is None and side.network_acl_reply is None:
        yield "what the network ACL says is not known"
        return
    verbs = {"allow": "allows", "deny": "denies"}
    for what, said in (("it", side.network_acl), ("the reply", side.network_acl_reply)):
        if said is not None:
            yield f"the network ACL {verbs[said]} {what}"


def _rule(rule: SecurityGroupRule) -> str:
    text = f"{rule.rule_id or 'a rule'} of {rule.group_id}, {rule_words(rule)}"
    return f"{text} ({rule.description})" if rule.description else text


def document(explanation: Explanation) -> dict[str, Any]:
    """Give it as JSON has it."""
    question = explanation.question
    return {
        "protocol": question.protocol,
        "initiator_addr": question.initiator_addr,
        "initiator_port": question.initiator_port,
        "responder_addr": question.responder_addr,
        "responder_port": question.responder_port,
        "time": question.time_s,
        "interfaces": [_side_document(side) for side in explanation.sides],
        "notes": list(explanation.notes),
    }


def _side_document(side: Side) -> dict[str, Any]:
    return {
        "interface_id": side.eni.interface_id,
        "direction": side.direction,
        "group_ids": [group.group_id for group in side.eni.groups],
        "verdict": side.verdict,
        "rules": [_rule_document(rule) for rule in side.rules],
        "is_approximate": side.is_approximate,
        "near_misses": [_miss_document(miss) for miss in side.near_misses],
        "other_rules": side.other_rules,
        "is_tracked": None if side.verdict != ADMITTED else not side.reply_rules,
        "reply_rules": [_rule_document(rule) for rule in side.reply_rules],
        "network_acl": side.network_acl,
        "network_acl_reply": side.network_acl_reply,
    }


def _miss_document(miss: NearMiss) -> dict[str, Any]:
    reasons = [reason._asdict() for reason in miss.reasons]
    return _rule_document(miss.rule) | {"reasons": reasons}


def _rule_document(rule: SecurityGroupRule) -> dict[str, Any]:
    return {
        "rule_id": rule.key,
        "group_id": rule.group_id,
        "direction": rule.direction,
        "protocol": rule.protocol,
        "from_port": rule.from_port,
        "to_port": rule.to_port,
        "counterpart": rule.counterpart,
        "description": rule.description,
    }
