"""What the arrays answer is what a plain reading of rules, groups and snapshots does, on random ones."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from admission_worlds import RULES, history, questions, rule
from asking import packets
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_admission import PlainRules, acl_verdict

from vpcflow.admission import NetworkAcls, RuleBook
from vpcflow.inventory import Inventory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asking import Asks

    from vpcflow.admission import Admitted
    from vpcflow.inventory import Eni, SecurityGroupRule

SEEDS = st.integers(0, 2**32)


def asked_of(rng: Random, known: Inventory) -> list[tuple[Asks, Eni | None]]:
    """Make packets, each with its interface."""
    every = questions(rng, len(known.versions))
    return [(one, known.versions[one.row].eni if one.row >= 0 else None) for one in every]


def rules_of(book: RuleBook, found: Admitted) -> Iterator[set[SecurityGroupRule]]:
    """Give the rules of each packet, having seen that they are in order and no rule is there twice."""
    for first, last in pairwise(found.offsets.tolist()):
        mine = found.rules[first:last].tolist()
        assert mine == sorted(set(mine))
        yield {book.rules[one] for one in mine}


def check_admit(seed: int) -> None:
    rng = Random(seed)
    snapshots = history(rng)
    known, plain = Inventory(snapshots), PlainRules(snapshots)
    asked = asked_of(rng, known)
    book = RuleBook(known)

    found = book.admit(packets(one for one, _ in asked))

    for place, rules in enumerate(rules_of(book, found)):
        one, eni = asked[place]
        expected = plain.admit(eni, one)
        peer = int(found.peer_row[place])
        assert rules == set(expected.rules), (one, eni)
        assert (known.versions[peer].eni if peer >= 0 else None) == expected.peer, (one, eni)
        assert found.approximate[place] == expected.approximate, (one, eni)
        assert found.uncertain[place] == expected.uncertain, (one, eni)


def check_changed(seed: int) -> None:
    rng = Random(seed)
    snapshots = history(rng)
    removed = [f"sgr-{n}" for n in rng.sample(range(RULES), 4)]
    added = [rule(rng, int(removed[0].removeprefix("sgr-"))), rule(rng, 100)]
    known, plain = Inventory(snapshots), PlainRules(snapshots, removed, added)
    asked = asked_of(rng, known)
    book = RuleBook(known, removed=removed, added=added)

    now = book.admit(packets(one for one, _ in asked))
    ever = book.admit_ever(packets(one for one, _ in asked))

    assert list(rules_of(book, now)) == [set(plain.admit(eni, one).rules) for one, eni in asked]
    assert list(rules_of(book, ever)) == [set(plain.admit_ever(eni, one)) for one, eni in asked]


def check_reply(seed: int) -> None:
    rng = Random(seed)
    snapshots = history(rng)
    known, plain = Inventory(snapshots), PlainRules(snapshots)
    asked = asked_of(rng, known)
    ports = [rng.choice((80, 1024, 65535)) for _ in asked]
    book = RuleBook(known)
    opening = packets(one for one, _ in asked)

    found = book.reply(opening, np.array(ports, np.int32), book.admit(opening))

    expected = [
        set(plain.reply(eni, one, port, plain.admit(eni, one)))
        for (one, eni), port in zip(asked, ports)
    ]
    assert list(rules_of(book, found)) == expected


def check_acls(seed: int) -> None:
    rng = Random(seed)
    snapshots = history(rng)
    known = Inventory(snapshots)
    asked = asked_of(rng, known)
    p = packets(one for one, _ in asked)

    found = NetworkAcls(known).verdict(p.row, p.is_egress, p.protocol, p.port, p.peer, p.time_s)

    expected = [acl_verdict(snapshots, eni, one) for one, eni in asked]
    assert [{1: True, 0: False, -1: None}[one] for one in found.tolist()] == expected


CHECKS = (check_admit, check_changed, check_reply, check_acls)


@pytest.mark.parametrize("check", CHECKS)
def test_answers_are_those_of_a_plain_reading(check: Any) -> None:
    @settings(max_examples=15, deadline=None)
    @given(seed=SEEDS)
    def holds(seed: int) -> None:
        check(seed)

    holds()


@pytest.mark.soak
@pytest.mark.parametrize("check", CHECKS)
def test_answers_are_those_of_a_plain_reading_in_thousands_of_accounts(check: Any) -> None:
    for seed in range(1000):
        check(seed)
