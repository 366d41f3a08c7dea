"""
Why a connection is let through or not: what the rules, network ACLs and the state say at each interface it passes.

Asked of one opening packet, so one rule at a time, not of columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from vpcflow.addresses import parse_addresses
from vpcflow.admission import NetworkAcls, Packets
from vpcflow.rules.near_misses import NearMiss, near_misses

if TYPE_CHECKING:
    from vpcflow.admission import Admitted, RuleBook
    from vpcflow.inventory import Eni, Inventory, SecurityGroupRule

ADMITTED, NOT_ADMITTED, UNKNOWN, NO_GROUPS = "admitted", "not_admitted", "unknown", "no_security_groups"  # fmt: skip


class Question(NamedTuple):
    """
    A packet that opens a connection, at a time in Unix seconds.

    Ports are 0 for protocols without; ``initiator_port`` is None where it is not known.
    """

    protocol: int
    initiator_addr: str
    initiator_port: int | None
    responder_addr: str
    responder_port: int
    time_s: int


class Side(NamedTuple):
    """
    What an interface makes of it.

    ``verdict`` is ``admitted``, ``not_admitted``, ``unknown`` (the inventory doesn't know enough) or
    ``no_security_groups``. ``rules`` admit it; ``near_misses`` are told where none does, with ``other_rules`` that miss
    by more. ``reply_rules`` are those that its replies need, as it is not tracked; empty where it is. The network ACL
    says ``allow`` or ``deny`` to packet and reply, or None where that is not known.
    """

    eni: Eni
    direction: str
    verdict: str
    rules: tuple[SecurityGroupRule, ...]
    is_approximate: bool
    near_misses: tuple[NearMiss, ...]
    other_rules: int
    reply_rules: tuple[SecurityGroupRule, ...]
    network_acl: str | None
    network_acl_reply: str | None


class Explanation(NamedTuple):
    """What is to say of a question: a side for each interface concerned, the initiator's first."""

    question: Question
    sides: tuple[Side, ...]
    notes: tuple[str, ...] = ()


class Place(NamedTuple):
    """An interface, by its row in ``Inventory.interfaces``, and how the packet passes it."""

    row: int
    is_egress: bool


class Places(NamedTuple):
    """The interfaces concerned, the initiator's first, and what is to be said of those left out."""

    places: tuple[Place, ...]
    notes: tuple[str, ...] = ()


class Explainer:
    """Answers questions about the rules of an inventory; ``max_age_s`` and ``max_stale_s`` as the rule book's."""

    def __init__(
        self,
        inventory: Inventory,
        book: RuleBook,
        *,
        max_age_s: int = 3600,
        max_stale_s: int | None = None,
    ) -> None:
        self.inventory = inventory
        self._book = book
        self._acls = NetworkAcls(inventory)
        self._limits = max_age_s, max_stale_s

    def explain(self, question: Question, places: Places) -> Explanation:
        """Say what each of these interfaces makes of it."""
        sides = tuple(self._side(question, place) for place in places.places)
        return Explanation(question, sides, places.notes)

    def peer_of(self, question: Question, place: Place) -> int:
        """Give the row of the interface at the other end, where group references reach it; else -1."""
        return int(self._book.admit(_packets(question, place)).peer_row[0])

    def _side(self, question: Question, place: Place) -> Side:
        packets = _packets(question, place)
        admitted = self._book.admit(packets)
        rules = tuple(self._book.rules[i] for i in admitted.rules)
        eni = self.inventory.versions[place.row].eni
        verdict = _verdict(eni, admitted)
        missed: tuple[NearMiss, ...] = ()
        others = 0
        if not rules and eni.groups:
            missed, others = near_misses(
                self.inventory, self._book, packets, int(admitted.peer_row[0]), *self._limits
            )
        return Side(
            eni=eni,
            direction="egress" if place.is_egress else "ingress",
            verdict=verdict,
            rules=rules,
            is_approximate=bool(admitted.approximate[0]),
            near_misses=missed,
            other_rules=others,
            reply_rules=self._reply_rules(question, packets, admitted),
            network_acl=self._acl_says(packets),
            network_acl_reply=self._acl_says_to_reply(question, packets),
        )

    def _reply_rules(
        self, question: Question, packets: Packets, admitted: Admitted
    ) -> tuple[SecurityGroupRule, ...]:
        # Whether a connection is tracked doesn't depend on the port; which reply rules admit hardly ever does.
        port = np.array([question.initiator_port or 0], np.int32)
        return tuple(self._book.rules[i] for i in self._book.reply(packets, port, admitted).rules)

    def _acl_says_to_reply(self, question: Question, packets: Packets) -> str | None:
        if question.initiator_port is None:
            return None
        port = np.array([question.initiator_port], np.int32)
        return self._acl_says(packets._replace(is_egress=~packets.is_egress, port=port))

    def _acl_says(self, packets: Packets) -> str | None:
        return ("deny", "allow", None)[int(self._acls.verdict(*packets)[0])]


def _packets(question: Question, place: Place) -> Packets:
    peer = question.responder_addr if place.is_egress else question.initiator_addr
    return Packets(
        row=np.array([place.row], np.int32),
        is_egress=np.array([place.is_egress]),
        protocol=np.array([question.protocol], np.int32),
        port=np.array([question.responder_port], np.int32),
        peer=parse_addresses(pa.array([peer])),
        time_s=np.array([question.time_s], np.int64),
    )


def _verdict(eni: Eni, admitted: Admitted) -> str:
    if not eni.groups:
        return NO_GROUPS
    if len(admitted.rules):
        return ADMITTED
    return UNKNOWN if admitted.uncertain[0] else NOT_ADMITTED
