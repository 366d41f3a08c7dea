"""
Which rules observed connections need: those that can go, and which of those that stay answers for which connections.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from vpcflow.rules.evidence import Cover


def dispensable(
    covers: Iterable[Cover], breadths: Sequence[float], may_go: Collection[int]
) -> frozenset[int]:
    """
    Find the rules that can go together, so that each cover keeps a rule.

    The widest goes first, and none for one that is wider: that one is to be narrowed down to what others do not admit.
    """
    covers_of = defaultdict(list)
    for cover in covers:
        for rule in cover.rules:
            covers_of[rule].append(cover)
    gone: set[int] = set()
    for rule in sorted(may_go & covers_of.keys(), key=lambda r: (-breadths[r], r)):
        stand_in = (
            not cover.needs_all
            and any(
                other != rule and other not in gone and breadths[other] <= breadths[rule]
                for other in cover.rules
            )
            for cover in covers_of[rule]
        )
        if all(stand_in):
            gone.add(rule)
    return frozenset(gone)


def answerable(
    covers: Sequence[Cover], breadths: Sequence[float], gone: Collection[int]
) -> tuple[tuple[int, ...], ...]:
    """Choose for each cover the rule that has to go on admitting its connections: the least wide of those that stay."""
    return tuple(_answering(cover, breadths, gone) for cover in covers)


def _answering(cover: Cover, breadths: Sequence[float], gone: Collection[int]) -> tuple[int, ...]:
    staying = cover.rules.difference(gone)
    if cover.needs_all:
        return tuple(sorted(staying))
    return (min(staying, key=lambda rule: (breadths[rule], rule)),) if staying else ()
