from __future__ import annotations

import dataclasses

from vpcflow.cli.reference import enricher_kinds, rule_kinds
from vpcflow.inventory import Snapshot
from vpcflow.inventory.capture import KINDS

ABOUT_THE_SNAPSHOT = {"captured_at", "scopes", "kinds", "origin", "gaps"}
ALL_KINDS = {field.name for field in dataclasses.fields(Snapshot)} - ABOUT_THE_SNAPSHOT


def test_rules_need_all_that_an_inventory_has_but_names_of_instances_for_some_columns_only() -> (
    None
):
    assert rule_kinds() == ALL_KINDS
    assert rule_kinds(frozenset({"initiator"})) == ALL_KINDS - {"instances"}


def test_only_columns_of_rules_need_what_lies_between_vpcs() -> None:
    between = {
        kind
        for key in KINDS
        if key.startswith(("VpcPeering", "NetworkAcl", "TransitGateway"))
        for kind in KINDS[key]
    }

    assert len(between) == 4
    assert enricher_kinds({"direction", "peer_scope"}).isdisjoint(between)
    assert enricher_kinds({"rule_ids"}) >= between
