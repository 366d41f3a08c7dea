"""
What a proposal is: rules that can go, rules instead of them, and what speaks for it and against it.

How it is written, as a change, as commands or otherwise, is for others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vpcflow.rules.change import Change

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from vpcflow.inventory import SecurityGroupRule

KINDS: Mapping[str, str] = {
    "unused": "nothing was let through by the rule",
    "redundant": "others admit all that it let through",
    "duplicate": "another rule of the group permits all that it does",
    "groups": "the peers' security groups instead of a wide CIDR",
    "cidrs": "narrower CIDRs instead of a wide one",
    "ports": "the ports and protocols that were used instead of more",
    "merge": "one rule instead of several that permit the same together",
}
"""What a proposal can be, in the order they are made, and in words."""

REASONS: Mapping[str, str] = {
    "exception": "its owner wants it kept",
    "altered": "it permitted something else before, within the inventory's history",
    "inventory_gap": "the inventory may lack peers that it lets through",
    "initiator_unknown": "it may have let connections through whose initiator is not known",
    "only_replies": "it lets replies of connections through that are not tracked, and nothing else",
    "quota": "more rules were needed than the group may have",
    "would_block": "a replay of the recording would have refused connections",
    "would_admit": "a replay of the recording would have admitted connections that were rejected",
}
"""Why a rule was left as it is though something could have been proposed, and in words."""


class RuleUsage(NamedTuple):
    """
    What the usage of a rule says: its verdict, one of usage's.

    ``coverage`` is the part of the time of the group's interfaces that the recording covers, over ``days``; null where
    not known. ``is_proven`` tells whether both are as much as was asked, and nothing else speaks against it.
    """

    verdict: str
    coverage: float | None = None
    days: float | None = None
    is_proven: bool = False
    reasons: tuple[str, ...] = ()


UNKNOWN_USAGE = RuleUsage("unproven")


class Seen(NamedTuple):
    """
    What of the recording a proposal rests on: what the removed rules have to go on admitting.

    ``unsure`` connections are those whose initiator is not known: they may have been these rules'. ``replies`` count
    connections that are not tracked, whose replies the rules let through. ``first`` and ``last`` are Unix seconds.
    """

    connections: int = 0
    unsure: int = 0
    replies: int = 0
    peers: int = 0
    ports: str = ""
    first: int | None = None
    last: int | None = None


class Proposal(NamedTuple):
    """
    A change of one group's rules in one direction; any of all proposals can be made without the others.

    What is added permits nothing that what is removed did not. ``kind`` is one of `KINDS`; ``others`` are the rules
    that admit, or permit, what a removed one did.
    """

    kind: str
    remove: tuple[SecurityGroupRule, ...]
    add: tuple[SecurityGroupRule, ...]
    seen: Seen
    usage: RuleUsage
    others: tuple[SecurityGroupRule, ...] = ()
    risks: tuple[str, ...] = ()

    @property
    def group_id(self) -> str:
        return self.remove[0].group_id

    @property
    def direction(self) -> str:
        return self.remove[0].direction

    @property
    def keys(self) -> frozenset[str]:
        """The keys of the rules that go."""
        return frozenset(rule.key for rule in self.remove)

    @property
    def order(self) -> tuple[int, str, list[str]]:
        """Where it stands among others."""
        return [*KINDS].index(self.kind), self.group_id, sorted(self.keys)


class Step(NamedTuple):
    """Rules that take the place of others, as it is written somewhere; ``words`` say why, a line each."""

    words: Sequence[str]
    remove: Sequence[SecurityGroupRule]
    add: Sequence[SecurityGroupRule]

    @property
    def undone(self) -> Step:
        return Step(self.words, self.add, self.remove)


class LeftOut(NamedTuple):
    """A rule that stays as it is, with one of `REASONS` and more words, if there are any."""

    rule: SecurityGroupRule
    reason: str
    words: str = ""


class Proposed(NamedTuple):
    """
    All proposals, and what was left out.

    Of the ``connections`` with a known rule, ``without_rule`` were admitted by rules that are there no more;
    ``without_interface`` more were seen at interfaces the inventory does not know.
    """

    proposals: tuple[Proposal, ...]
    left_out: tuple[LeftOut, ...]
    rules: int
    connections: int
    without_rule: int
    without_interface: int


def change_of(proposals: Iterable[Proposal]) -> Change:
    """Give proposals as one change."""
    found = tuple(proposals)
    return Change(
        tuple(rule.key for one in found for rule in one.remove),
        tuple(rule for one in found for rule in one.add),
    )


def in_steps(proposals: Iterable[Proposal]) -> list[Proposal]:
    """
    Put proposals in the order they are made in: first what only goes, then what needs the least room.
    """
    return sorted(
        proposals, key=lambda p: (bool(p.add), len(p.add) - len(p.remove), p.group_id, p.order)
    )
