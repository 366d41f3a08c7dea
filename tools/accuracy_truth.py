"""What `vpcflow generate --truth` says of each flow record, and how answers compare with it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pyarrow as pa

RIGHT, WRONG, NULL = "right", "wrong", "null"
PROTOCOLS = {6: "TCP", 17: "UDP", 1: "ICMP", 58: "ICMP"}
KEY = ("interface_id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol")
ASKED = (*KEY, "start", "end", "action")

# A record's times are whole seconds, a connection's are not.
_SLACK_S = 1.0

Key = tuple[Any, ...]


class Leg(NamedTuple):
    """
    What an interface sees of one direction of a connection.

    ``initiator`` is the side of the record that opened it. ``rules`` are those that admit what opens it at this
    interface, none of replies and at interfaces without groups.
    """

    first: float
    last: float
    connection: int
    initiator: str
    rules: frozenset[str]
    is_reply: bool
    has_groups: bool
    reject_cause: str | None


class Expected(NamedTuple):
    """The legs a record may be of: several where connections between the same ports overlap, or ICMP both ways."""

    legs: tuple[Leg, ...]
    is_accepted: bool

    @property
    def initiators(self) -> frozenset[str]:
        return frozenset(leg.initiator for leg in self.legs)

    @property
    def rule_sets(self) -> frozenset[frozenset[str]]:
        """The rules that admitted the record: of replies and of rejected records none."""
        return frozenset(leg.rules if self.is_accepted else frozenset() for leg in self.legs)

    @property
    def causes(self) -> frozenset[str | None]:
        return frozenset(leg.reject_cause for leg in self.legs)


class Truth:
    """The legs of all connections of a simulation, by what a record of them says."""

    def __init__(self, path: Path) -> None:
        self._legs: dict[Key, list[Leg]] = defaultdict(list)
        with path.open("rb") as file:
            for line in file:
                for key, leg in _legs(orjson.loads(line)):
                    self._legs[key].append(leg)

    def of(self, record: dict[str, Any]) -> Expected | None:
        """Say what is expected of a record with traffic; None where no connection fits."""
        legs = self._legs.get(tuple(record[name] for name in KEY), [])
        near = [
            leg
            for leg in legs
            if leg.first - _SLACK_S <= record["end"] and record["start"] <= leg.last + _SLACK_S
        ]
        return Expected(tuple(near), record["action"] == "ACCEPT") if near else None


def _legs(one: dict[str, Any]) -> Iterator[tuple[Key, Leg]]:
    asks, asked = one["initiator_addr"], one["responder_addr"]
    port, service = one["initiator_port"], one["responder_port"]
    own, far, via = (one[f"{who}_interface_id"] for who in ("initiator", "responder", "via"))

    def leg(
        eni: str, src: str, dst: str, ports: tuple[int, int], *, reply: bool, rules: Any
    ) -> tuple[Key, Leg]:
        is_stopped = one["rejected_interface_id"] == eni and (one["rejected"] == "reply") == reply
        found = Leg(
            one["start"],
            one["end"],
            one["connection"],
            "dst" if reply else "src",
            frozenset() if reply else frozenset(rules or ()),
            reply,
            eni != via,
            one["reject_cause"] if is_stopped else None,
        )
        return (eni, src, dst, *ports, one["protocol"]), found

    out, back = (port, service), (service, port)
    if own is not None:
        shown = one["initiator_logged_addr"]
        yield leg(own, asks, asked, out, reply=False, rules=one["egress_rule_ids"])
        yield leg(own, asked, shown, back, reply=True, rules=None)
    if far is not None:
        shown = one["responder_logged_addr"]
        yield leg(far, asks, shown, out, reply=False, rules=one["ingress_rule_ids"])
        yield leg(far, asked, asks, back, reply=True, rules=None)
    if via is not None:
        gateway, translated = one["via_addr"], one["via_port"]
        yield leg(via, asks, gateway, out, reply=False, rules=None)
        yield leg(via, gateway, asked, (translated, service), reply=False, rules=None)
        yield leg(via, asked, gateway, (service, translated), reply=True, rules=None)
        yield leg(via, gateway, asks, back, reply=True, rules=None)


class Tally(Counter[str]):
    """How many answers were right, wrong and null."""

    @property
    def all(self) -> int:
        return self.total()

    def share(self, verdict: str) -> float:
        return self[verdict] / self.all if self.all else 0.0

    @property
    def precision(self) -> float:
        """Of the answers given, those that are right."""
        given = self[RIGHT] + self[WRONG]
        return self[RIGHT] / given if given else 1.0

    @property
    def recall(self) -> float:
        """Of all records, those with the right answer."""
        return self.share(RIGHT)


Scores = dict[str, dict[str, Tally]]
"""Tallies by what was asked (``initiator``, ``rules``, ``reject_cause``) and protocol."""


class Miss(NamedTuple):
    """An answer that is not right: what was asked, the record, what was expected, and how it was judged."""

    asked: str
    verdict: str
    record: dict[str, Any]
    expected: Expected


def judge_initiator(record: dict[str, Any], expected: Expected) -> str:
    """Compare ``initiator``."""
    if record["initiator"] is None:
        return NULL
    return RIGHT if record["initiator"] in expected.initiators else WRONG


def judge_rules(record: dict[str, Any], expected: Expected) -> str | None:
    """
    Compare ``rule_ids`` and ``rule_match`` of an accepted record at an interface with groups; None for others.

    The whole set has to be the same. That nothing admits the record is an answer too, and is wrong.
    """
    if not expected.is_accepted or not expected.legs[0].has_groups:
        return None
    match = record["rule_match"]
    if match in (None, "unknown"):
        return NULL
    if match == "response":
        given: frozenset[str] = frozenset()
        return RIGHT if any(leg.is_reply for leg in expected.legs) else WRONG
    if record["rule_note"] == "untracked_reply":
        return RIGHT if any(leg.is_reply for leg in expected.legs) else WRONG
    given = frozenset(record["rule_ids"] or ())
    sets = {leg.rules for leg in expected.legs if not leg.is_reply}
    return RIGHT if match != "none" and given in sets else WRONG


def judge_cause(record: dict[str, Any], expected: Expected) -> str | None:
    """Compare ``reject_cause`` of a rejected record; what leaves open whether a packet came late is null."""
    if expected.is_accepted:
        return None
    cause = record["reject_cause"]
    if cause in (None, "unknown", "network_acl_or_late_packet"):
        return (
            WRONG
            if cause == "network_acl_or_late_packet" and "network_acl" not in expected.causes
            else NULL
        )
    return RIGHT if cause in expected.causes else WRONG


JUDGES = {"initiator": judge_initiator, "rules": judge_rules, "reject_cause": judge_cause}
ANSWERS = ("initiator", "initiator_basis", "rule_ids", "rule_match", "rule_note", "reject_cause")


def score(
    truth: Truth, batches: Iterable[pa.RecordBatch], *, misses: list[Miss] | None = None
) -> tuple[Scores, int]:
    """Compare all records with traffic; also count those that belong to no connection. Misses are collected."""
    scores: Scores = {asked: defaultdict(Tally) for asked in JUDGES}
    strangers = 0
    for record in records_of(batches, (*ASKED, *ANSWERS)):
        expected = truth.of(record)
        if expected is None:
            strangers += 1
            continue
        protocol = PROTOCOLS.get(record["protocol"], "other")
        for asked, judge in JUDGES.items():
            verdict = judge(record, expected)
            if verdict is not None:
                scores[asked][protocol][verdict] += 1
                if misses is not None and verdict != RIGHT:
                    misses.append(Miss(asked, verdict, record, expected))
    return scores, strangers


def records_of(
    batches: Iterable[pa.RecordBatch], names: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    """Give the records with traffic, with these columns, null where a batch lacks one."""
    for batch in batches:
        known = [name for name in names if name in batch.schema.names]
        nothing = dict.fromkeys(names)
        for record in batch.select(known).to_pylist():
            if record["action"] is not None:
                yield nothing | record
