from __future__ import annotations

from inventories import SCOPE, eni, inventory, snapshot

from vpcflow.inventory import (
    FlowLog,
    Instance,
    PrefixList,
    PrefixListEntry,
    SecurityGroup,
    SecurityGroupRule,
    Snapshot,
    Validity,
)

RULE = SecurityGroupRule(
    "sg-a", "sgr-1", "123456789012", "eu-west-1", protocol=6, ipv4_cidr="0.0.0.0/0"
)


def _rules(captured_at: int, *rules: SecurityGroupRule) -> Snapshot:
    return Snapshot(
        captured_at, (SCOPE,), frozenset({"security_group_rules"}), security_group_rules=rules
    )


def test_a_version_is_valid_from_its_first_to_its_last_sighting() -> None:
    closed = SecurityGroupRule(
        "sg-a", "sgr-1", "123456789012", "eu-west-1", protocol=6, ipv4_cidr="10.0.0.0/8"
    )

    known = inventory(_rules(10, RULE), _rules(20, RULE), _rules(30, closed), _rules(40, RULE))

    assert known.history.security_group_rules["sgr-1"] == (
        Validity(10, 20, RULE),
        Validity(30, 30, closed),
        Validity(40, 40, RULE),
    )


def test_an_absence_ends_a_validity() -> None:
    known = inventory(_rules(10, RULE), _rules(20), _rules(30, RULE))

    intervals = known.history.security_group_rules["sgr-1"]

    assert [(v.valid_from, v.valid_to) for v in intervals] == [(10, 10), (30, 30)]


def test_a_snapshot_without_rules_ends_none() -> None:
    known = inventory(_rules(10, RULE), snapshot(20), _rules(30, RULE))

    intervals = known.history.security_group_rules["sgr-1"]

    assert [(v.valid_from, v.valid_to) for v in intervals] == [(10, 30)]


def test_rules_without_id_are_told_apart_by_what_they_allow() -> None:
    web = SecurityGroupRule(
        "sg-a", None, protocol=6, from_port=443, to_port=443, ipv4_cidr="0.0.0.0/0"
    )
    ssh = SecurityGroupRule(
        "sg-a", None, protocol=6, from_port=22, to_port=22, ipv4_cidr="0.0.0.0/0"
    )

    known = inventory(_rules(10, web, ssh))

    assert len(known.history.security_group_rules) == 2


def test_every_kind_of_object_has_its_history() -> None:
    group = SecurityGroup("sg-a", "a", owner_id="123456789012", region="eu-west-1")
    offices = PrefixList("pl-1", entries=(PrefixListEntry("198.51.100.0/24"),))

    known = inventory(snapshot(10, eni(1), security_groups=(group,), prefix_lists=(offices,)))

    assert known.history.security_groups == {"sg-a": (Validity(10, 10, group),)}
    assert known.history.prefix_lists == {"pl-1": (Validity(10, 10, offices),)}
    assert known.history.interfaces == {"eni-1": (Validity(10, 10, eni(1)),)}


def test_a_list_of_awss_own_is_missed_by_a_snapshot_of_its_region_only() -> None:
    s3 = PrefixList("pl-1", owner_id="AWS", region="eu-west-1")
    elsewhere = snapshot(20, scopes=[("123456789012", "us-east-1")], prefix_lists=())

    known = inventory(snapshot(10, prefix_lists=(s3,)), elsewhere, snapshot(30, prefix_lists=(s3,)))

    assert known.history.prefix_lists["pl-1"] == (Validity(10, 30, s3),)


def test_a_renamed_instance_makes_a_new_version_of_its_interface() -> None:
    attached = eni(1, instance_id="i-1")
    names = [Instance("i-1", tags=(("Name", name),)) for name in ("old", "new")]

    known = inventory(*(snapshot(10 * i, attached, instances=(n,)) for i, n in enumerate(names)))

    assert known.interfaces.instance_name.to_pylist() == ["old", "new"]


def test_a_flow_log_is_known_as_it_was_last_seen() -> None:
    old, new = FlowLog("fl-1", log_format="${version}"), FlowLog("fl-1", log_format="${start}")

    known = inventory(
        snapshot(20, flow_logs=(new,)), snapshot(10, flow_logs=(old,)), snapshot(30, flow_logs=())
    )

    assert known.flow_logs == (new,)
