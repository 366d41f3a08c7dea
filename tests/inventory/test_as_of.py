from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inventories import answers, column, eni, inventory, seconds, snapshot

from vpcflow.inventory import NO_TIME, Eni, Inventory, Snapshot

WEB = eni(1, "10.0.0.1")
WEB_LATER = eni(1, "10.0.0.1", groups="sg-a sg-b")
T = 100_000


def look_up(
    of: Inventory, start: int, end: int, *, max_age_s: int = 3600, max_stale_s: int | None = None
) -> tuple[Eni | None, str, int]:
    found = of.interfaces_of(
        column("eni-1"), seconds(start), seconds(end), max_age_s=max_age_s, max_stale_s=max_stale_s
    )
    return answers(of, found)[0]


def test_two_snapshots_that_agree_and_enclose_the_flow_by_a_minute_are_exact() -> None:
    known = inventory(snapshot(T, WEB), snapshot(T + 1000, WEB))

    found = look_up(known, T + 60, T + 940)

    assert found == (WEB, "exact", 60)


@pytest.mark.parametrize(("start", "end"), [(T + 59, T + 940), (T + 60, T + 941)])
def test_a_snapshot_less_than_a_minute_away_does_not_enclose_the_flow(start: int, end: int) -> None:
    known = inventory(snapshot(T, WEB), snapshot(T + 1000, WEB))

    found = look_up(known, start, end)

    assert found[:2] == (WEB, "nearest")


def test_snapshots_farther_out_enclose_what_nearer_ones_do_not() -> None:
    known = inventory(*(snapshot(T + dt, WEB) for dt in (-500, 30, 500)))

    found = look_up(known, T, T + 60)

    assert found == (WEB, "exact", 0)


def test_snapshots_that_disagree_are_not_exact_and_the_nearer_answers() -> None:
    known = inventory(snapshot(T, WEB), snapshot(T + 1000, WEB_LATER))

    assert look_up(known, T + 300, T + 400) == (WEB, "nearest", 300)
    assert look_up(known, T + 600, T + 800) == (WEB_LATER, "nearest", -200)


def test_of_two_snapshots_equally_near_the_earlier_answers() -> None:
    known = inventory(snapshot(T, WEB), snapshot(T + 1000, WEB_LATER))

    assert look_up(known, T + 400, T + 600) == (WEB, "nearest", 400)


def test_a_change_and_its_undoing_between_the_outer_snapshots_is_not_exact() -> None:
    known = inventory(snapshot(T, WEB), snapshot(T + 500, WEB_LATER), snapshot(T + 1000, WEB))

    assert look_up(known, T + 100, T + 900) == (WEB_LATER, "nearest", 0)
    assert look_up(known, T + 100, T + 440)[1] == "nearest"


def test_an_absence_between_two_sightings_is_not_exact() -> None:
    known = inventory(snapshot(T, WEB), snapshot(T + 500), snapshot(T + 1000, WEB))

    assert look_up(known, T + 100, T + 900)[:2] == (WEB, "nearest")


def test_a_snapshot_within_the_flow_has_age_zero() -> None:
    known = inventory(snapshot(T, WEB))

    assert look_up(known, T, T + 10) == (WEB, "nearest", 0)
    assert look_up(known, T - 10, T) == (WEB, "nearest", 0)


@pytest.mark.parametrize(("age", "state"), [(3600, "nearest"), (3601, "stale")])
def test_maximal_age_is_included_on_both_sides(age: int, state: str) -> None:
    known = inventory(snapshot(T, WEB))

    assert look_up(known, T + age, T + age + 10) == (WEB, state, age)
    assert look_up(known, T - age - 10, T - age) == (WEB, state, -age)


@pytest.mark.parametrize(("age", "state"), [(7200, "stale"), (7201, "unknown")])
def test_maximal_staleness_is_included_on_both_sides(age: int, state: str) -> None:
    known = inventory(snapshot(T, WEB))

    after = look_up(known, T + age, T + age, max_stale_s=7200)
    before = look_up(known, T - age, T - age, max_stale_s=7200)

    assert after[1] == before[1] == state
    assert after == ((WEB, "stale", 7200) if state == "stale" else (None, "unknown", 0))


def test_maximal_staleness_leaves_exact_answers_alone() -> None:
    known = inventory(snapshot(T, WEB), snapshot(T + 100_000, WEB))

    assert look_up(known, T + 50_000, T + 50_000, max_stale_s=10) == (WEB, "exact", 50_000)


def test_without_a_limit_an_answer_of_any_age_is_stale() -> None:
    known = inventory(snapshot(T, WEB))

    assert look_up(known, 10 * T, 10 * T) == (WEB, "stale", 9 * T)


def test_an_interface_that_is_in_no_snapshot_is_unknown() -> None:
    known = inventory(snapshot(T, eni(2, "10.0.0.2")))

    assert look_up(known, T, T) == (None, "unknown", 0)


def test_a_null_interface_is_unknown() -> None:
    known = inventory(snapshot(T, WEB))

    found = known.interfaces_of(column(None, "eni-1", None), seconds(T, T, T), seconds(T, T, T))

    assert [state for _, state, _ in answers(known, found)] == ["unknown", "nearest", "unknown"]


def test_without_a_time_only_a_single_snapshot_answers() -> None:
    one, two = snapshot(T, WEB), snapshot(T + 500, WEB)
    never = int(NO_TIME)

    assert look_up(inventory(one), never, T) == (WEB, "stale", 0)
    assert look_up(inventory(one), T, never) == (WEB, "stale", 0)
    assert look_up(inventory(one, two), never, never) == (None, "unknown", 0)


def test_a_snapshot_without_interfaces_is_none_of_several() -> None:
    known = inventory(snapshot(T, WEB), Snapshot(T + 300, kinds=frozenset({"vpcs"})))

    assert look_up(known, int(NO_TIME), T) == (WEB, "stale", 0)


def test_a_start_after_the_end_counts_as_the_other_way_round() -> None:
    known = inventory(snapshot(T, WEB), snapshot(T + 1000, WEB))

    assert look_up(known, T + 940, T + 60) == look_up(known, T + 60, T + 940)


def test_a_snapshot_of_another_account_or_region_says_nothing() -> None:
    elsewhere = [("999999999999", "eu-west-1"), ("123456789012", "us-east-1")]
    others = (snapshot(T + 300 + i, scopes=[scope]) for i, scope in enumerate(elsewhere))
    known = inventory(snapshot(T, WEB), *others, snapshot(T + 1000, WEB))

    assert look_up(known, T + 200, T + 400) == (WEB, "exact", 200)


def test_a_snapshot_without_interfaces_says_nothing_of_them() -> None:
    groups_only = Snapshot(T + 300, kinds=frozenset({"security_groups"}))
    known = inventory(snapshot(T, WEB), groups_only, snapshot(T + 1000, WEB))

    assert look_up(known, T + 200, T + 400) == (WEB, "exact", 200)


def test_an_interface_of_unknown_account_is_missed_by_every_snapshot_without_it() -> None:
    nobodys = eni(1, "10.0.0.1", owner_id=None, availability_zone=None)
    other = snapshot(T + 300, scopes=[("999999999999", "eu-west-1")])
    known = inventory(snapshot(T, nobodys), other, snapshot(T + 1000, nobodys))

    assert look_up(known, T + 200, T + 400)[1] == "nearest"


def test_an_inventory_without_interfaces_knows_none() -> None:
    known = inventory(Snapshot(T, kinds=frozenset({"vpcs"})))

    assert look_up(known, T, T) == (None, "unknown", 0)
    assert known.interfaces.interface_id.to_pylist() == []


def test_no_rows_give_no_answers() -> None:
    known = inventory(snapshot(T, WEB))

    found = known.interfaces_of(column(), seconds(), seconds())

    assert [len(a) for a in found] == [0, 0, 0]


# All rows at once and one by one


class Flow(NamedTuple):
    interface_id: str | None
    start: int
    end: int


ACCOUNTS = ("123456789012", "210987654321")
IDS = tuple(f"eni-{n}" for n in range(4))
NEAR = st.sampled_from([0, 1, 59, 60, 61, 99, 100, 101, 300, 301])
TIMES = st.builds(lambda t, dt: 1000 + 100 * t + dt, st.integers(-9, 25), NEAR)
MOMENTS = TIMES | st.just(int(NO_TIME))


def _eni_of(number: int, version: int) -> Eni:
    return eni(number, f"10.0.0.{number}", groups=f"sg-{version}", owner_id=ACCOUNTS[number % 2])


@st.composite
def _histories(draw: st.DrawFn) -> list[Snapshot]:
    times = draw(st.lists(st.integers(0, 30), min_size=1, max_size=8, unique=True))
    found = []
    for t in sorted(times):
        accounts = draw(st.sets(st.sampled_from(ACCOUNTS), min_size=1))
        versions = draw(st.lists(st.sampled_from([None, 0, 0, 0, 1]), min_size=4, max_size=4))
        glimpsed = draw(st.sets(st.integers(0, 3), max_size=1))
        enis = [
            _eni_of(n, v)
            for n, v in enumerate(versions)
            if v is not None and (ACCOUNTS[n % 2] in accounts or n in glimpsed)
        ]
        scopes = sorted((account, "eu-west-1") for account in accounts)
        found.append(snapshot(1000 + 100 * t, *enis, scopes=scopes))
    return found


def _one_by_one(
    seen: list[tuple[int, Eni | None]], flow: Flow, max_age_s: int, max_stale_s: int | None
) -> tuple[Eni | None, str, int]:
    """Look one flow up in what the snapshots that cover its interface show, as the rules say it."""
    if int(NO_TIME) in (flow.start, flow.end):
        return None, "unknown", 0
    start, end = sorted((flow.start, flow.end))
    present = [(t, version) for t, version in seen if version is not None]
    if not present:
        return None, "unknown", 0
    t, nearest = min(present, key=lambda o: (max(start - o[0], o[0] - end, 0), o[0]))
    age_s = start - t if t < start else min(end - t, 0)
    before = [i for i, (t, _) in enumerate(seen) if t <= start - 60]
    after = [i for i, (t, _) in enumerate(seen) if t >= end + 60]
    if before and after:
        between = {version for _, version in seen[before[-1] : after[0] + 1]}
        if len(between) == 1 and None not in between:
            return nearest, "exact", age_s
    if max_stale_s is not None and abs(age_s) > max_stale_s:
        return None, "unknown", 0
    return nearest, "nearest" if abs(age_s) <= max_age_s else "stale", age_s


@given(
    _histories(),
    st.lists(
        st.builds(Flow, st.sampled_from([*IDS, "eni-x", None]), MOMENTS, MOMENTS), max_size=30
    ),
    st.sampled_from([100, 301]),
    st.sampled_from([None, 50, 500]),
)
def test_all_rows_at_once_get_what_each_would_get_alone(
    snapshots: list[Snapshot], flows: list[Flow], max_age_s: int, max_stale_s: int | None
) -> None:
    # A second snapshot, of nothing, keeps "only one snapshot" out of this.
    known = inventory(*snapshots, snapshot(10**9, scopes=[("000000000000", "eu-west-1")]))
    expected = []
    for flow in flows:
        seen: list[tuple[int, Eni | None]] = []
        if flow.interface_id in IDS:
            account = ACCOUNTS[IDS.index(flow.interface_id) % 2]
            for one in snapshots:
                by_id = {e.interface_id: e for e in one.interfaces}
                if (account, "eu-west-1") in one.scopes or flow.interface_id in by_id:
                    seen.append((one.captured_at, by_id.get(flow.interface_id)))
        expected.append(_one_by_one(seen, flow, max_age_s, max_stale_s))

    found = known.interfaces_of(
        column(*(f.interface_id for f in flows)),
        seconds(*(f.start for f in flows)),
        seconds(*(f.end for f in flows)),
        max_age_s=max_age_s,
        max_stale_s=max_stale_s,
    )

    assert answers(known, found) == expected


@given(
    st.integers(0, 30),
    st.lists(st.builds(Flow, st.sampled_from([*IDS, "eni-x", None]), TIMES, TIMES), max_size=30),
    st.sampled_from([0, 100, 301]),
    st.sampled_from([None, 50, 500]),
)
def test_an_only_snapshot_answers_as_one_of_several(
    time: int, flows: list[Flow], max_age_s: int, max_stale_s: int | None
) -> None:
    scopes = [(account, "eu-west-1") for account in ACCOUNTS]
    only = snapshot(1000 + 100 * time, *(_eni_of(n, 0) for n in range(3)), scopes=scopes)
    other = snapshot(10**9, scopes=[("000000000000", "eu-west-1")])

    found = [
        known.interfaces_of(
            column(*(f.interface_id for f in flows)),
            seconds(*(f.start for f in flows)),
            seconds(*(f.end for f in flows)),
            max_age_s=max_age_s,
            max_stale_s=max_stale_s,
        )
        for known in (inventory(only), inventory(only, other))
    ]

    assert [one.tolist() for one in found[0]] == [one.tolist() for one in found[1]]


def test_an_only_snapshot_answers_without_a_time_whatever_the_limit() -> None:
    known = inventory(snapshot(T, WEB))

    assert look_up(known, int(NO_TIME), 9 * T, max_stale_s=10) == (WEB, "stale", 0)


# Addresses in VPCs

VPCS = ("vpc-a", "vpc-b")
PLACES = ("10.0.0.1", "10.0.0.2", "10.0.0.17", "2001:db8::1")


@st.composite
def _holders(draw: st.DrawFn) -> list[Snapshot]:
    times = draw(st.lists(st.integers(0, 20), min_size=1, max_size=6, unique=True))
    found = []
    for t in sorted(times):
        enis = []
        for number in range(3):
            addresses = draw(st.sets(st.sampled_from(PLACES[:3]), max_size=2))
            ipv6 = ("2001:db8::1",) if draw(st.booleans()) else ()
            prefixes = draw(st.sampled_from([(), (), ("10.0.0.16/28",), ("10.0.0.0/28",)]))
            vpc_id = VPCS[number % 2]
            enis.append(
                eni(
                    number,
                    *sorted(addresses),
                    ipv6_addresses=ipv6,
                    ipv4_prefixes=prefixes,
                    vpc_id=vpc_id,
                )
            )
        found.append(snapshot(1000 + 100 * t, *enis))
    return found


AMBIGUOUS = eni(99)


def _holder(of: Snapshot, vpc_id: str | None, address: str) -> Eni | None:
    here = [e for e in of.interfaces if e.vpc_id == vpc_id]
    holders = [e for e in here if address in e.addresses]
    if not holders and address in PLACES[:3]:
        network = "10.0.0.16/28" if address == "10.0.0.17" else "10.0.0.0/28"
        holders = [e for e in here if network in e.ipv4_prefixes]
    if len(holders) > 1:
        return AMBIGUOUS
    return holders[0] if holders else None


@given(
    _holders(),
    st.lists(
        st.tuples(st.sampled_from([*VPCS, "vpc-x", None]), st.sampled_from(PLACES), TIMES, TIMES),
        max_size=20,
    ),
)
def test_an_address_is_looked_up_at_once_as_alone(
    snapshots: list[Snapshot], flows: list[tuple[str | None, str, int, int]]
) -> None:
    known = inventory(*snapshots)
    expected = []
    for vpc_id, address, start, end in flows:
        seen = [(one.captured_at, _holder(one, vpc_id, address)) for one in snapshots]
        alone = _one_by_one(seen, Flow(None, start, end), 100, None)
        expected.append((None, "unknown", 0) if alone[0] == AMBIGUOUS else alone)

    found = known.interfaces_at(
        column(*(f[0] for f in flows)),
        column(*(f[1] for f in flows)),
        seconds(*(f[2] for f in flows)),
        seconds(*(f[3] for f in flows)),
        max_age_s=100,
    )

    assert answers(known, found) == expected


@given(_histories(), st.integers(0, 3), st.integers(0, 1))
def test_rows_own_the_addresses_of_their_version(
    snapshots: list[Snapshot], number: int, version: int
) -> None:
    known = inventory(*snapshots)
    rows = np.arange(-1, len(known.versions), dtype=np.int32)

    owned = known.owns(rows, column(*[f"10.0.0.{number}"] * len(rows)))

    assert owned.tolist() == [False] + [
        f"10.0.0.{number}" in v.eni.addresses for v in known.versions
    ]


# Snapshots that show an interface of a scope they do not cover

GLIMPSE = {"gaps": [("interfaces", ("123456789012", "eu-west-1"))]}


def test_a_glimpse_of_one_interface_says_nothing_of_others() -> None:
    other = eni(2, "10.0.0.2")
    known = inventory(
        snapshot(T, WEB), snapshot(T + 500, other, **GLIMPSE), snapshot(T + 1000, WEB)
    )

    assert look_up(known, T + 300, T + 700) == (WEB, "exact", 300)


def test_a_glimpse_and_a_snapshot_that_agree_are_exact_between() -> None:
    known = inventory(snapshot(T), snapshot(T + 500, WEB, **GLIMPSE), snapshot(T + 1000, WEB))

    assert look_up(known, T + 560, T + 940) == (WEB, "exact", 60)
    assert look_up(known, T + 300, T + 400) == (WEB, "nearest", -100)


def test_ages_are_counted_from_the_glimpse_that_saw_the_interface() -> None:
    first = inventory(snapshot(T, WEB, **GLIMPSE), snapshot(T + 1000, WEB))
    last = inventory(snapshot(T, WEB), snapshot(T + 200, WEB, **GLIMPSE), snapshot(T + 9000))

    assert look_up(first, T + 30, T + 40) == (WEB, "nearest", 30)
    assert look_up(last, T + 190, T + 195) == (WEB, "nearest", -5)


def test_an_address_is_held_where_a_glimpse_saw_it() -> None:
    known = inventory(snapshot(T, WEB), snapshot(T + 200, WEB, eni(3, "10.0.0.1"), **GLIMPSE))
    one = seconds(T + 190)

    found = known.interfaces_at(column("vpc-a"), column("10.0.0.1"), one, one)

    assert answers(known, found)[0][1] == "unknown"
