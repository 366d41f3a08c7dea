import pytest
from enriching import CAPTURED_AT, added, eni, flows, inventory, snapshot

from vpcflow.enrich import Answers, Reference
from vpcflow.enrich.security_groups import add_security_groups
from vpcflow.inventory import Inventory

ALL = "security_group_ids security_group_names inventory_state inventory_age_s"
ONE = inventory(eni("eni-1", "10.0.0.5", groups="sg-1 sg-2"), eni("eni-2", "10.0.0.6"))


def at(*starts):
    return flows("interface_id start end", *(f"eni-1 {start} {start + 60}" for start in starts))


def test_groups_come_sorted_with_their_names_and_how_sure_that_is():
    rows = added(at(CAPTURED_AT + 100), ALL, Reference(inventory=ONE))

    assert rows == [(["sg-1", "sg-2"], ["name of sg-1", "name of sg-2"], "nearest", 100)]


def test_an_interface_without_groups_has_empty_lists():
    batch = flows("interface_id start", f"eni-2 {CAPTURED_AT}")

    rows = added(batch, ALL, Reference(inventory=ONE))

    assert rows == [([], [], "nearest", 0)]


@pytest.mark.parametrize("interface_id", ["eni-9", "-"])
def test_an_unknown_interface_or_none_is_unknown(interface_id):
    batch = flows("interface_id start", f"{interface_id} {CAPTURED_AT}")

    rows = added(batch, ALL, Reference(inventory=ONE))

    assert rows == [(None, None, "unknown", None)]


def test_without_an_inventory_the_state_is_null_too():
    rows = added(at(CAPTURED_AT), ALL, Reference())

    assert rows == [(None, None, None, None)]


def test_each_flow_has_the_groups_of_its_own_time():
    changed = Inventory(
        [
            snapshot(eni("eni-1", "10.0.0.5", groups="sg-1"), at=CAPTURED_AT),
            snapshot(eni("eni-1", "10.0.0.5", groups="sg-2"), at=CAPTURED_AT + 10_000),
        ]
    )

    rows = added(
        at(CAPTURED_AT - 500, CAPTURED_AT + 500, CAPTURED_AT + 9_000, CAPTURED_AT + 10_500),
        "security_group_ids inventory_state inventory_age_s",
        Reference(inventory=changed),
    )

    assert rows == [
        (["sg-1"], "nearest", -440),
        (["sg-1"], "nearest", 500),
        (["sg-2"], "nearest", -940),
        (["sg-2"], "nearest", 500),
    ]


def test_flows_between_two_agreeing_snapshots_are_exact():
    steady = Inventory(
        [
            snapshot(eni("eni-1", "10.0.0.5", groups="sg-1"), at=CAPTURED_AT),
            snapshot(eni("eni-1", "10.0.0.5", groups="sg-1"), at=CAPTURED_AT + 10_000),
        ]
    )

    rows = added(
        at(CAPTURED_AT + 500), "security_group_ids inventory_state", Reference(inventory=steady)
    )

    assert rows == [(["sg-1"], "exact")]


def test_how_far_an_answer_may_lie_is_the_references_to_say():
    strict = Reference(inventory=ONE, max_age_s=100, max_stale_s=1_000)

    rows = added(
        at(CAPTURED_AT + 100, CAPTURED_AT + 101, CAPTURED_AT + 1_001),
        "security_group_ids inventory_state",
        strict,
    )

    assert rows == [
        (["sg-1", "sg-2"], "nearest"),
        (["sg-1", "sg-2"], "stale"),
        (None, "unknown"),
    ]


@pytest.mark.parametrize("layout", ["interface_id start", "interface_id end"])
def test_one_time_will_do_where_the_layout_lacks_the_other(layout):
    rows = added(
        flows(layout, f"eni-1 {CAPTURED_AT + 7}"),
        "security_group_ids inventory_state inventory_age_s",
        Reference(inventory=ONE),
    )

    assert rows == [(["sg-1", "sg-2"], "nearest", 7)]


def test_flows_without_any_time_are_answered_by_an_only_snapshot():
    rows = added(
        flows("interface_id", "eni-1"),
        "security_group_ids inventory_state",
        Reference(inventory=ONE),
    )

    assert rows == [(["sg-1", "sg-2"], "stale")]


def test_lists_nobody_wants_are_not_taken():
    batch = at(CAPTURED_AT)
    answers = Answers(batch, Reference(inventory=ONE), {"security_group_ids"})

    columns = add_security_groups(batch, answers)

    assert columns["security_group_ids"].to_pylist() == [["sg-1", "sg-2"]]
    assert "security_group_names" not in columns
