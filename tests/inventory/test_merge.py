from __future__ import annotations

import pytest
from inventories import ACCOUNT, REGION, SCOPE, eni, snapshot

from vpcflow.errors import InventoryError
from vpcflow.inventory import Subnet, Vpc, merge_snapshots
from vpcflow.inventory.merge import share, within

OTHER = "210987654321"
ELSEWHERE = (OTHER, REGION)
T = 1_700_000_000


def test_scopes_and_objects_of_all_are_in_one_of_the_earliest_time() -> None:
    here = snapshot(T + 5, eni(1))
    there = snapshot(T, eni(2, owner_id=OTHER), scopes=[ELSEWHERE])

    merged = merge_snapshots([here, there], origin="x")

    assert merged.captured_at == T
    assert merged.scopes == (SCOPE, ELSEWHERE)
    assert [one.interface_id for one in merged.interfaces] == ["eni-1", "eni-2"]


def test_a_kind_that_one_account_may_not_show_is_a_gap_there_alone() -> None:
    here = snapshot(T, eni(1), vpcs=(Vpc("vpc-a", ACCOUNT, REGION),))
    there = snapshot(T, scopes=[ELSEWHERE])

    merged = merge_snapshots([here, there], origin="x")

    assert merged.gaps == (("vpcs", ELSEWHERE),)
    assert merged.covers("vpcs", SCOPE)
    assert merged.covers("interfaces", ELSEWHERE)


@pytest.mark.parametrize("owner_first", [True, False])
def test_what_two_accounts_see_is_as_its_owner_sees_it(owner_first: bool) -> None:
    zone = f"{REGION}a"
    tagged = Subnet("subnet-a", owner_id=ACCOUNT, availability_zone=zone, tags=(("Name", "a"),))
    shared = Subnet("subnet-a", owner_id=ACCOUNT, availability_zone=zone)
    views = [snapshot(T, subnets=(tagged,)), snapshot(T, scopes=[ELSEWHERE], subnets=(shared,))]

    merged = merge_snapshots(views if owner_first else views[::-1], origin="x")

    assert merged.subnets == (tagged,)


def test_nothing_captured_is_an_error() -> None:
    with pytest.raises(InventoryError, match="x: no account and region was captured"):
        merge_snapshots([], origin="x")


def test_objects_without_a_region_are_where_they_were_captured() -> None:
    found = within(snapshot(T, vpcs=(Vpc("vpc-a", ACCOUNT),), scopes=[]), SCOPE)

    assert found.scopes == (SCOPE,)
    assert found.vpcs[0].region == REGION


def test_equal_objects_of_two_captures_are_one_in_memory() -> None:
    before, after = snapshot(T, eni(1), eni(2)), snapshot(T + 60, eni(1), eni(2, groups="sg-b"))

    shared = share(after, before)

    assert shared == after
    assert shared.interfaces[0] is before.interfaces[0]
