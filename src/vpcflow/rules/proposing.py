"""
Find the smallest change of the rules that keeps every observed connection.

Every proposal replaces rules by such as permit less. So each can be made without the others: rules that stay as they
are permit at least what proposals would have left of them.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vpcflow.rules.cover import answerable, dispensable
from vpcflow.rules.evidence import Cover, Evidence, EvidenceBuilder
from vpcflow.rules.exceptions import NONE
from vpcflow.rules.fitting_together import Draft, checked_by_replay, fitted
from vpcflow.rules.merging import merges
from vpcflow.rules.narrowing import Bounds, Narrower
from vpcflow.rules.permissions import breadth_of
from vpcflow.rules.ports import text_of_ports
from vpcflow.rules.present import Present
from vpcflow.rules.proposals import (
    REASONS,
    UNKNOWN_USAGE,
    LeftOut,
    Proposal,
    Proposed,
    Seen,
)
from vpcflow.rules.quotas import Quotas
from vpcflow.rules.risks import risks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from vpcflow.admission import RuleBook
    from vpcflow.inventory import Inventory, SecurityGroupRule
    from vpcflow.rules.exceptions import Exemptions
    from vpcflow.rules.fitting_together import Connections
    from vpcflow.rules.proposals import RuleUsage


class Limits(NamedTuple):
    """What proposals have to respect."""

    bounds: Bounds = Bounds()
    quotas: Quotas = Quotas()
    exemptions: Exemptions = NONE


def propose(
    inventory: Inventory,
    book: RuleBook,
    connections: Connections,
    usage: Mapping[str, RuleUsage],
    limits: Limits,
) -> Proposed:
    """
    Propose changes of the rules the newest snapshots show.

    ``connections`` gives batches of ``CONNECTIONS`` whose rules are those of ``book``, and is asked for them twice or
    more; their order does not matter. ``usage`` has the usage of each rule, by key.
    """
    present = Present(inventory)
    builder = EvidenceBuilder(book, present)
    for batch in connections():
        builder.add(batch)
    evidence = builder.evidence()
    proposing = _Proposing(present, evidence, usage, limits)
    found, over = fitted(proposing.drafts(), present, limits.quotas, proposing.exempt)
    checked, refused = checked_by_replay(found, inventory, book, connections)
    return Proposed(
        tuple(sorted(checked, key=lambda p: p.order)),
        _once_each([*proposing.left_out, *over, *refused]),
        rules=len(present.rules),
        connections=int(evidence.connections[evidence.is_sure].sum()),
        without_rule=evidence.without_rule,
        without_interface=evidence.without_interface,
    )


class _Proposing:
    def __init__(
        self,
        present: Present,
        evidence: Evidence,
        usage: Mapping[str, RuleUsage],
        limits: Limits,
    ) -> None:
        self._present = present
        self._evidence = evidence
        self._usage = usage
        self._narrower = Narrower(present, limits.bounds)
        self._exempt = {
            number
            for number, rule in enumerate(present.rules)
            if rule.key in limits.exemptions.rules or rule.group_id in limits.exemptions.groups
        }
        self._breadths = [breadth_of(rule, present.sizes) for rule in present.rules]
        self.left_out: list[LeftOut] = []

    def drafts(self) -> list[Draft]:
        gone = dispensable(self._covers, self._breadths, self._open)
        answering = answerable(self._covers, self._breadths, gone)
        drafts = [*self._unused(), *self._redundant(gone), *self._narrowed(answering)]
        touched = {key for draft in drafts for key in draft.keys}
        return [*drafts, *self._merged(touched)]

    @property
    def exempt(self) -> set[str]:
        """The keys of the rules that are there by exception."""
        return {self._present.rules[number].key for number in self._exempt}

    @cached_property
    def _covers(self) -> tuple[Cover, ...]:
        """What has to stay, without leaning on rules that are there by exception, and may go with it."""
        return tuple(
            cover
            if cover.needs_all
            else cover._replace(rules=cover.rules - self._exempt or cover.rules)
            for cover in self._evidence.covers
        )

    @cached_property
    def _open(self) -> set[int]:
        """The rules that may be changed for what was observed."""
        altered = {self._present.numbers[key] for key in self._present.altered}
        for reason, numbers in (
            ("exception", self._exempt),
            ("altered", altered),
            ("inventory_gap", self._evidence.uncertain),
        ):
            self.left_out += [LeftOut(self._present.rules[n], reason) for n in sorted(numbers)]
        return set(range(len(self._present.rules))) - self._exempt - altered - self._evidence.uncertain  # fmt: skip

    @cached_property
    def _used(self) -> set[int]:
        """The rules that admitted connections, or may have."""
        return {number for cover in self._evidence.covers for number in cover.rules}

    def _unused(self) -> Iterator[Draft]:
        for number in sorted(self._open):
            rule, usage = self._present.rules[number], self._usage_of(number)
            if number in self._used:
                continue
            if self._evidence.replies[number]:
                self.left_out.append(LeftOut(rule, "only_replies"))
            elif usage.verdict == "unused":
                yield self._draft("unused", [rule], (), usage, Seen())

    def _redundant(self, gone: Iterable[int]) -> Iterator[Draft]:
        rules = self._present.rules
        for number in sorted(gone):
            others = {
                other
                for cover in self._covers
                if number in cover.rules
                for other in cover.rules - set(gone)
            }
            rows = self._rows(lambda cover, n=number: n in cover.rules)  # type: ignore[misc]
            yield self._draft(
                "redundant", [rules[number]], (), self._usage_of(number),
                self._seen(rows, [number]), [rules[other] for other in sorted(others)],
            )  # fmt: skip

    def _narrowed(self, answering: Sequence[tuple[int, ...]]) -> Iterator[Draft]:
        of_rule: dict[int, list[int]] = defaultdict(list)
        for cover, numbers in enumerate(answering):
            for number in numbers:
                of_rule[number].append(cover)
        for number in sorted(of_rule.keys() & self._open):
            rule = self._present.rules[number]
            rows = self._evidence.rows(np.isin(self._evidence.cover, of_rule[number]))
            ways = [*self._narrower.ways(rule, rows)]
            if ways and not rows.is_sure.any():
                self.left_out.append(LeftOut(rule, "initiator_unknown"))
            elif ways:
                usage, seen = self._usage_of(number), self._seen(rows, [number])
                proposals = (
                    self._proposal(way.kind, [rule], way.rules, usage, seen, rows=rows)
                    for way in ways
                )
                yield Draft(tuple(proposals))

    def _merged(self, touched: set[str]) -> Iterator[Draft]:
        untouched = [
            rule
            for number, rule in enumerate(self._present.rules)
            if rule.key not in touched and number not in self._exempt
        ]
        for merge in merges(untouched):
            numbers = [self._present.numbers[rule.key] for rule in merge.remove]
            rows = self._rows(lambda cover, some=set(numbers): not some.isdisjoint(cover.rules))  # type: ignore[misc]
            seen, usage = self._seen(rows, numbers), self._usage_of(numbers[0])
            if merge.add is None:
                kept = [merge.kept] if merge.kept else []
                yield self._draft("duplicate", merge.remove, (), usage, seen, kept)
            else:
                yield self._draft("merge", merge.remove, (merge.add,), usage, seen)

    def _draft(self, *given: Any) -> Draft:
        return Draft((self._proposal(*given),))

    def _proposal(
        self,
        kind: str,
        remove: Sequence[SecurityGroupRule],
        add: Sequence[SecurityGroupRule],
        usage: RuleUsage,
        seen: Seen,
        others: Sequence[SecurityGroupRule] = (),
        rows: Evidence | None = None,
    ) -> Proposal:
        proposal = Proposal(kind, tuple(remove), tuple(add), seen, usage, tuple(others))
        return proposal._replace(risks=tuple(risks_of(proposal, self._present, rows)))

    def _usage_of(self, number: int) -> RuleUsage:
        return self._usage.get(self._present.rules[number].key, UNKNOWN_USAGE)

    def _rows(self, wanted: Callable[[Cover], bool]) -> Evidence:
        covers = [n for n, cover in enumerate(self._evidence.covers) if wanted(cover)]
        return self._evidence.rows(np.isin(self._evidence.cover, covers))

    def _seen(self, rows: Evidence, numbers: Iterable[int]) -> Seen:
        replies = sum(self._evidence.replies[number] for number in numbers)
        if not rows.size:
            return Seen(replies=replies)
        sure = int(rows.connections[rows.is_sure].sum())
        ports = rows.port[(rows.protocol == 6) | (rows.protocol == 17)]
        return Seen(
            connections=sure,
            unsure=int(rows.connections.sum()) - sure,
            replies=replies,
            peers=len(np.unique(rows.peer)),
            ports=text_of_ports(ports),
            first=int(rows.first.min()),
            last=int(rows.last.max()),
        )


def _once_each(left_out: Iterable[LeftOut]) -> tuple[LeftOut, ...]:
    """Keep for each rule the first of its reasons, sorted by rule."""
    order = [*REASONS]
    found = {
        one.rule.key: one
        for one in sorted(left_out, key=lambda o: (order.index(o.reason), o.words), reverse=True)
    }
    return tuple(found[key] for key in sorted(found))
