"""
Make single proposals go together: no permission added twice, no group over its quota, and nothing blocked.

What does not fit is made in another way, else left out: a rule left as it is permits more, never less.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from vpcflow.rules.permissions import contains, permission_of
from vpcflow.rules.proposals import LeftOut, Proposal, Seen, change_of, in_steps
from vpcflow.rules.quotas import Quotas, sides_of
from vpcflow.rules.replay import replay

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    import pyarrow as pa

    from vpcflow.admission import RuleBook
    from vpcflow.inventory import Inventory, SecurityGroupRule
    from vpcflow.rules.permissions import Permission
    from vpcflow.rules.present import Present

    Connections = Callable[[], Iterable[pa.RecordBatch]]


class Draft(NamedTuple):
    """What may become a proposal, in other ways too: the best first, all for the same rules."""

    ways: tuple[Proposal, ...]

    @property
    def keys(self) -> frozenset[str]:
        """The keys of the rules it removes."""
        return self.ways[0].keys


def fitted(
    drafts: Iterable[Draft], present: Present, quotas: Quotas, lent: Collection[str]
) -> tuple[list[Proposal], list[LeftOut]]:
    """
    Choose a way for each draft, so that all go together, one after the other as `in_steps` puts them.

    ``lent`` are the keys of rules that may not stay, such as exceptions, and so stand in for no other.
    """
    rules: dict[tuple[str, bool], list[SecurityGroupRule]] = defaultdict(list)
    for rule in present.rules:
        rules[rule.group_id, rule.is_egress].append(rule)
    sides: dict[tuple[str, bool], list[Draft]] = defaultdict(list)
    for draft in drafts:
        first = draft.ways[0].remove[0]
        sides[first.group_id, first.is_egress].append(draft)
    found: list[Proposal] = []
    left_out: list[LeftOut] = []
    for side, of_side in sides.items():
        there = _There(rules[side], frozenset(lent))
        proposals, over = _fit_side(of_side, there, present, quotas)
        found += proposals
        left_out += over
    return found, left_out


class _There(NamedTuple):
    """The rules of a group in a direction, and which of them are lent."""

    rules: Sequence[SecurityGroupRule]
    lent: frozenset[str]


def _fit_side(
    drafts: Sequence[Draft], there: _There, present: Present, quotas: Quotas
) -> tuple[list[Proposal], list[LeftOut]]:
    left, over = list(drafts), list[LeftOut]()
    while True:
        proposals = _without_doubles([draft.ways[0] for draft in left], there)
        too_much = _first_over(proposals, there.rules, present, quotas)
        if too_much is None:
            return proposals, over
        following = []
        for draft in left:
            if draft.keys <= too_much.keys:
                if len(draft.ways) == 1:
                    words = f"{len(too_much.add)} rules more, of {quotas.rules_per_group} at most"
                    over += [LeftOut(rule, "quota", words) for rule in draft.ways[0].remove]
                    continue
                draft = Draft(draft.ways[1:])
            following.append(draft)
        left = following


def _first_over(
    proposals: Iterable[Proposal],
    rules: Sequence[SecurityGroupRule],
    present: Present,
    quotas: Quotas,
) -> Proposal | None:
    """Find the first proposal that has no room, as they are made one after the other, each adding before it removes."""
    counts = sides_of(rules, present.prefix_lists)
    for proposal in in_steps(proposals):
        added = sides_of(proposal.add, present.prefix_lists)
        if any(counts[side] + added[side] > quotas.rules_per_group for side in added):
            return proposal
        counts.update(added)
        counts.subtract(sides_of(proposal.remove, present.prefix_lists))
    return None


def _without_doubles(proposals: Sequence[Proposal], there: _There) -> list[Proposal]:
    """
    Let each permission be added by one proposal, and by none where a rule that stays has it, or more.

    EC2 refuses what is there already. Proposals that add the same become one; where a proposal adds just what another
    removes, that other is left out, for its rule is as narrow as it should be.
    """
    removed = {rule.key for one in proposals for rule in one.remove}
    added = {permission_of(rule) for one in proposals for rule in one.add}
    back = {r.key for r in there.rules if r.key in removed and permission_of(r) in added}
    staying = [rule for rule in there.rules if rule.key not in removed or rule.key in back]
    left = (one for one in proposals if one.keys.isdisjoint(back))
    return [*_joined([_without(one, staying, there.lent) for one in left])]


def _without(
    proposal: Proposal, staying: Iterable[SecurityGroupRule], lent: Collection[str]
) -> Proposal:
    """Take out of a proposal what rules that stay permit."""
    there = {
        new: rule
        for new in proposal.add
        for rule in staying
        if permission_of(rule) == permission_of(new)
        or (rule.key not in lent and contains(rule, new))
    }
    if not there:
        return proposal
    needed = tuple(rule for rule in proposal.add if rule not in there)
    others = tuple(dict.fromkeys([*proposal.others, *there.values()]))
    kind = proposal.kind if needed else "redundant"
    return proposal._replace(kind=kind, add=needed, others=others)


def _joined(proposals: Sequence[Proposal]) -> Iterator[Proposal]:
    """Make one of those that add a permission in common, directly or over others."""
    heads: dict[int, int] = {}
    first_with: dict[Permission, int] = {}
    for place, proposal in enumerate(proposals):
        heads[place] = place
        for permission in map(permission_of, proposal.add):
            other = first_with.setdefault(permission, place)
            one, two = _head(heads, place), _head(heads, other)
            heads[max(one, two)] = min(one, two)
    together: dict[int, list[Proposal]] = defaultdict(list)
    for place, proposal in enumerate(proposals):
        together[_head(heads, place)].append(proposal)
    yield from (some[0] if len(some) == 1 else _one_of(some) for some in together.values())


def _head(heads: dict[int, int], place: int) -> int:
    while heads[place] != place:
        place = heads[place]
    return place


def _one_of(proposals: Sequence[Proposal]) -> Proposal:
    some = sorted(proposals, key=lambda p: p.order)
    adds = {permission_of(rule): rule for one in reversed(some) for rule in one.add}
    firsts = [one.seen.first for one in some if one.seen.first is not None]
    lasts = [one.seen.last for one in some if one.seen.last is not None]
    seen = Seen(
        connections=sum(one.seen.connections for one in some),
        unsure=sum(one.seen.unsure for one in some),
        replies=sum(one.seen.replies for one in some),
        peers=max(one.seen.peers for one in some),
        ports="; ".join(dict.fromkeys(one.seen.ports for one in some if one.seen.ports)),
        first=min(firsts, default=None),
        last=max(lasts, default=None),
    )
    return Proposal(
        some[0].kind,
        tuple(rule for one in some for rule in one.remove),
        tuple(adds[permission] for permission in sorted(adds)),
        seen,
        min((one.usage for one in some), key=lambda u: (u.is_proven, u.coverage or 0.0)),
        tuple(dict.fromkeys(rule for one in some for rule in one.others)),
        tuple(dict.fromkeys(risk for one in some for risk in one.risks)),
    )


def checked_by_replay(
    proposals: Sequence[Proposal],
    inventory: Inventory,
    book: RuleBook,
    connections: Connections,
) -> tuple[list[Proposal], list[LeftOut]]:
    """Replay the recording with all proposals made; leave out what refuses a connection, or admits a rejected one."""
    left, left_out = list(proposals), []
    while left:
        found = replay(inventory, book, change_of(left), connections())
        refusing = _keys_in(found.refused, "rules_before")
        admitting = _keys_in(found.admitted, "rules_after")
        faulty = {
            one: "would_block" if not one.keys.isdisjoint(refusing) else "would_admit"
            for one in left
            if not one.keys.isdisjoint(refusing)
            or not admitting.isdisjoint({rule.key for rule in one.add})
        }
        if not faulty:
            break
        left_out += [LeftOut(r, reason) for one, reason in faulty.items() for r in one.remove]
        left = [one for one in left if one not in faulty]
    return left, left_out


def _keys_in(table: pa.Table, name: str) -> set[str]:
    return {key for chunk in table.column(name).chunks for key in chunk.flatten().to_pylist()}
