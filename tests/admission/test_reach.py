from __future__ import annotations

from typing import Any

import pytest
from asking import Asks, packets, rule
from inventories import ACCOUNT, REGION, SCOPE, eni, inventory, snapshot

from vpcflow.admission import RuleBook
from vpcflow.inventory import (
    Inventory,
    PeeredVpc,
    Snapshot,
    TransitGateway,
    TransitGatewayAttachment,
    Vpc,
    VpcPeeringConnection,
)

OWN = eni(1, "10.0.0.1")
FAR = eni(2, "10.1.0.2", groups="sg-b", vpc_id="vpc-b")
BOTH_WAYS = (rule(1, "sg-b"), rule(2, "sg-b", is_egress=True))
ASKED = (Asks(0, "10.1.0.2"), Asks(0, "10.1.0.2", is_egress=True))


def peering(status: str = "active", region: str = REGION) -> VpcPeeringConnection:
    return VpcPeeringConnection(
        "pcx-1",
        status,
        PeeredVpc("vpc-a", ACCOUNT, REGION),
        PeeredVpc("vpc-b", ACCOUNT, region),
        *SCOPE,
    )


def attachment(vpc_id: str, **fields: Any) -> TransitGatewayAttachment:
    return TransitGatewayAttachment(
        f"tgw-attach-{vpc_id}",
        **{
            "transit_gateway_id": "tgw-1",
            "vpc_id": vpc_id,
            "owner_id": ACCOUNT,
            "region": REGION,
            "state": "available",
            **fields,
        },
    )


def between(**captured: Any) -> Inventory:
    given = {"vpc_peering_connections": (), "transit_gateway_attachments": (), **captured}
    return inventory(snapshot(0, OWN, FAR, security_group_rules=BOTH_WAYS, **given))


def admits(of: Inventory) -> tuple[bool, bool]:
    """Tell whether the reference admits the far interface inbound, and outbound."""
    inbound, outbound = RuleBook(of).admit(packets(ASKED)).counts.tolist()
    return bool(inbound), bool(outbound)


def test_references_reach_no_vpc_without_a_way_to_it() -> None:
    assert admits(between()) == (False, False)


def test_references_reach_over_active_peering_connections_both_ways() -> None:
    assert admits(between(vpc_peering_connections=(peering(),))) == (True, True)


@pytest.mark.parametrize("closed", [peering("deleted"), peering(region="eu-north-1")])
def test_peering_that_is_over_or_leads_to_another_region_does_not_count(
    closed: VpcPeeringConnection,
) -> None:
    assert admits(between(vpc_peering_connections=(closed,))) == (False, False)


def test_over_transit_gateways_only_inbound_references_reach() -> None:
    attached = (attachment("vpc-a"), attachment("vpc-b", security_group_referencing=True))
    gateways = (TransitGateway("tgw-1", ACCOUNT, REGION, "available", True),)

    found = admits(between(transit_gateway_attachments=attached, transit_gateways=gateways))

    assert found == (True, False)


@pytest.mark.parametrize(
    ("attached", "is_enabled"),
    [
        ((attachment("vpc-a"), attachment("vpc-b")), False),
        ((attachment("vpc-a"), attachment("vpc-b", security_group_referencing=False)), True),
        ((attachment("vpc-a", state="deleted"), attachment("vpc-b")), True),
        ((attachment("vpc-a"), attachment("vpc-b", transit_gateway_id="tgw-2")), True),
    ],
)
def test_transit_gateways_need_referencing_enabled_everywhere(
    attached: tuple[TransitGatewayAttachment, ...], is_enabled: bool
) -> None:
    gateways = (TransitGateway("tgw-1", ACCOUNT, REGION, "available", is_enabled),)

    found = admits(between(transit_gateway_attachments=attached, transit_gateways=gateways))

    assert found == (False, False)


def test_where_ways_were_not_captured_a_rule_is_evidence_enough() -> None:
    captured = inventory(snapshot(0, OWN, FAR, security_group_rules=BOTH_WAYS))

    assert admits(captured) == (True, True)


def test_a_peering_connection_counts_at_its_time() -> None:
    def at(time_s: int, *peerings: VpcPeeringConnection) -> Snapshot:
        return snapshot(
            time_s, OWN, FAR, security_group_rules=BOTH_WAYS,
            vpc_peering_connections=peerings, transit_gateway_attachments=(),
        )  # fmt: skip

    book = RuleBook(inventory(at(100, peering()), at(200)))

    found = book.admit(packets(Asks(0, "10.1.0.2", time_s=t) for t in (0, 150, 151)))

    assert found.counts.tolist() == [1, 1, 0]
    assert found.peer_row.tolist() == [1, 1, -1]


def test_the_own_vpc_comes_before_others_that_hold_the_same_address() -> None:
    twin = eni(3, "10.1.0.2", groups="sg-c")
    known = snapshot(
        0, OWN, FAR, twin, security_group_rules=BOTH_WAYS, vpc_peering_connections=(peering(),)
    )

    found = RuleBook(inventory(known)).admit(packets(ASKED[:1]))

    assert (found.counts.tolist(), found.peer_row.tolist()) == ([0], [2])


def test_an_address_that_two_reached_vpcs_hold_is_nobodys_and_uncertain() -> None:
    twin = eni(3, "10.1.0.2", groups="sg-b", vpc_id="vpc-c")
    other = VpcPeeringConnection(
        "pcx-2",
        "active",
        PeeredVpc("vpc-c", ACCOUNT, REGION),
        PeeredVpc("vpc-a", ACCOUNT, REGION),
        *SCOPE,
    )
    known = snapshot(
        0,
        OWN,
        FAR,
        twin,
        security_group_rules=BOTH_WAYS,
        vpc_peering_connections=(peering(), other),
    )

    found = RuleBook(inventory(known)).admit(packets(ASKED[:1]))

    assert found.counts.tolist() == [0]
    assert found.peer_row.tolist() == [-1]
    assert found.uncertain.tolist() == [True]


def test_an_unknown_interface_in_a_vpc_that_is_reached_makes_references_uncertain() -> None:
    vpcs = (Vpc("vpc-a", *SCOPE, ("10.0.0.0/16",)), Vpc("vpc-b", *SCOPE, ("10.1.0.0/16",)))
    known = between(vpcs=vpcs, vpc_peering_connections=(peering(),))
    peers = ("10.0.0.9", "10.1.0.9", "10.2.0.9", "192.0.2.9", "10.0.0.1")

    found = RuleBook(known).admit(packets(Asks(0, peer) for peer in peers))

    assert found.uncertain.tolist() == [True, True, False, False, False]


def test_in_a_vpc_whose_blocks_are_not_known_any_private_address_may_be_a_member() -> None:
    found = RuleBook(between()).admit(
        packets(Asks(0, peer) for peer in ("10.0.0.9", "192.0.2.9", "2001:db8::9"))
    )

    assert found.uncertain.tolist() == [True, False, True]
