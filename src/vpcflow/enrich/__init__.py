"""
Enrichers: functions of (flows, answers) to new columns. They only add: row *i* out is row *i* in.

``ENRICHERS`` is their order. An enricher may read the columns that earlier ones wrote (``needs``).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from vpcflow.enrich.answers import Answers
from vpcflow.enrich.aws_service import add_aws_service
from vpcflow.enrich.direction import add_direction
from vpcflow.enrich.eni import add_eni
from vpcflow.enrich.geo import add_dst_geo, add_src_geo
from vpcflow.enrich.identity import add_identity
from vpcflow.enrich.initiator import add_initiator
from vpcflow.enrich.names import add_names
from vpcflow.enrich.peer import add_peer
from vpcflow.enrich.reference import Reference
from vpcflow.enrich.rules import add_rules
from vpcflow.enrich.security_groups import add_security_groups
from vpcflow.fields import ADDED
from vpcflow.linewise import BY_PLACE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["ASKING_RULES", "ENRICHED", "ENRICHERS", "Answers", "Enricher", "Reference", "enrich"]


class Enricher(NamedTuple):
    """``name`` is what ``fields.ADDED`` calls it; ``needs`` are the columns of earlier enrichers that ``add`` reads."""

    name: str
    add: Callable[[pa.RecordBatch, Answers], dict[str, pa.Array]]
    needs: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it adds, in table order."""
        return _columns_of(self.name)


@functools.cache
def _columns_of(enricher: str) -> tuple[str, ...]:
    return tuple(added.column for added in ADDED if added.enricher == enricher)


ENRICHERS: tuple[Enricher, ...] = (
    Enricher("identity", add_identity),
    Enricher("eni", add_eni),
    Enricher("security_groups", add_security_groups),
    Enricher("direction", add_direction),
    Enricher("peer", add_peer, needs=("direction",)),
    Enricher("initiator", add_initiator, needs=("direction",)),
    Enricher("rules", add_rules, needs=("direction",)),
    Enricher("src_geo", add_src_geo),
    Enricher("dst_geo", add_dst_geo),
    Enricher("aws_service", add_aws_service),
    Enricher("names", add_names),
)

ENRICHED = frozenset(column for enricher in ENRICHERS for column in enricher.columns)
"""The columns that enrichers add: those of ``fields.ADDED`` that tell of a record by itself."""

ASKING_RULES = frozenset({*_columns_of("initiator"), *_columns_of("rules")})
"""The columns for which security group rules are asked: without rules in the inventory they tell less, or nothing."""


def enrich(
    flows: pa.RecordBatch, reference: Reference, *, columns: Collection[str] | None = None
) -> pa.RecordBatch:
    """
    Append the added columns to a batch of flows, in the order of ``fields.ADDED``; rows stay as they are.

    ``columns`` are those wanted, None for all that an enricher adds; only what they need is computed. Raises
    ValueError where one is added by no enricher, or is in the flows already.
    """
    wanted = set(ENRICHED if columns is None else columns)
    _refuse("no enricher adds", wanted.difference(ENRICHED))
    _refuse("the flows have already", wanted.intersection(flows.schema.names))
    answers = Answers(flows, reference, wanted)
    added: dict[str, pa.Array] = {}
    for enricher in _needed(wanted):
        seen = flows
        for column in enricher.needs:
            seen = seen.append_column(column, added[column])
        added |= enricher.add(seen, answers)
    if "event_id" in wanted and BY_PLACE in flows.schema.names:
        # The parser's mark has served its purpose.
        flows = flows.drop_columns(BY_PLACE)
    kept = {a.column: added[a.column] for a in ADDED if a.column in wanted}
    return pa.RecordBatch.from_arrays(
        [*flows.columns, *kept.values()], names=[*flows.schema.names, *kept]
    )


def _refuse(why: str, columns: Iterable[str]) -> None:
    names = sorted(columns)
    if names:
        raise ValueError(f"{why}: {', '.join(names)}")


def _needed(wanted: set[str]) -> list[Enricher]:
    """Choose the enrichers to run, in order: each that adds a wanted column, or one that a chosen one needs."""
    chosen: list[Enricher] = []
    for enricher in reversed(ENRICHERS):
        if wanted.intersection(enricher.columns):
            wanted = wanted.union(enricher.needs)
            chosen.append(enricher)
    return chosen[::-1]
