from enriching import added, eni, flows, snapshot

from vpcflow.enrich import Reference
from vpcflow.inventory import Instance, Inventory

INVENTORY = Inventory(
    [
        snapshot(
            eni(
                "eni-1",
                "10.0.0.5",
                interface_type="interface",
                owner_id="123456789012",
                description="web server",
                instance_id="i-1",
                subnet_id="subnet-1",
                az_id="use1-az1",
                tags=(("Name", "web"), ("team", "blue")),
            ),
            eni("eni-2", "10.0.0.6"),
            instances=(Instance("i-1", tags=(("Name", "web-1"),)),),
        )
    ]
)


def test_an_interface_is_described():
    batch = flows("interface_id start end", "eni-1 1700000000 1700000060")

    rows = added(
        batch,
        "eni_type eni_owner_id eni_description eni_instance_id eni_instance_name eni_vpc_id"
        " eni_subnet_id eni_az_id eni_tags",
        Reference(inventory=INVENTORY),
    )

    tags = [{"key": "Name", "value": "web"}, {"key": "team", "value": "blue"}]
    assert rows == [
        (
            "interface",
            "123456789012",
            "web server",
            "i-1",
            "web-1",
            "vpc-a",
            "subnet-1",
            "use1-az1",
            tags,
        )
    ]


def test_what_is_not_known_of_an_interface_is_null_and_no_tags_are_an_empty_list():
    batch = flows("interface_id start", "eni-2 1700000000")

    rows = added(
        batch, "eni_type eni_instance_name eni_vpc_id eni_tags", Reference(inventory=INVENTORY)
    )

    assert rows == [(None, None, "vpc-a", [])]


def test_unknown_interfaces_are_null_and_stand_between_known_ones():
    batch = flows(
        "interface_id start",
        "eni-1 1700000000",
        "eni-9 1700000000",
        "- 1700000000",
        "eni-2 1700000000",
    )

    rows = added(batch, "eni_vpc_id eni_tags", Reference(inventory=INVENTORY))

    assert [vpc_id for vpc_id, _ in rows] == ["vpc-a", None, None, "vpc-a"]
    assert rows[1] == rows[2] == (None, None)


def test_without_an_inventory_all_is_null():
    batch = flows("interface_id start", "eni-1 1700000000")

    rows = added(batch, "eni_vpc_id eni_tags", Reference())

    assert rows == [(None, None)]


def test_a_transit_gateway_flow_has_the_interface_of_its_source_attachment():
    batch = flows(
        "resource_type tgw_src_eni tgw_dst_eni start", "TransitGateway eni-1 eni-2 1700000000"
    )

    rows = added(batch, "eni_description eni_vpc_id", Reference(inventory=INVENTORY))

    assert rows == [("web server", "vpc-a")]
