import orjson
import pyarrow as pa
import pytest

from vpcflow.aws_ranges import load_aws_ranges
from vpcflow.enrich.answers import Answers, added_type
from vpcflow.enrich.aws_service import add_aws_service
from vpcflow.enrich.reference import Reference
from vpcflow.fields import ADDED

S3_ADDRESS, EC2_ADDRESS, OTHER_ADDRESS = "192.0.2.1", "198.51.100.1", "203.0.113.1"


@pytest.fixture
def reference(tmp_path):
    document = {
        "createDate": "2026-01-01-00-00-00",
        "prefixes": [
            {"ip_prefix": "192.0.2.0/24", "service": "S3", "region": "us-east-1"},
            {"ip_prefix": "198.51.100.0/24", "service": "EC2", "region": "eu-west-1"},
        ],
        "ipv6_prefixes": [],
    }
    path = tmp_path / "ip-ranges.json"
    path.write_bytes(orjson.dumps(document))
    return Reference(aws_ranges=load_aws_ranges(path))


def added_by(reference, **columns):
    flows = pa.RecordBatch.from_pydict(
        {name: pa.array(texts, pa.string()).dictionary_encode() for name, texts in columns.items()}
    )
    return add_aws_service(flows, Answers(flows, reference))


def test_service_and_region_come_from_the_list_of_ranges(reference):
    added = added_by(
        reference,
        srcaddr=[S3_ADDRESS, OTHER_ADDRESS, None],
        dstaddr=["10.0.0.1", EC2_ADDRESS, S3_ADDRESS],
    )

    assert added["src_aws_service"].to_pylist() == ["S3", None, None]
    assert added["src_aws_region"].to_pylist() == ["us-east-1", None, None]
    assert added["dst_aws_service"].to_pylist() == [None, "EC2", "S3"]
    assert added["dst_aws_region"].to_pylist() == [None, "eu-west-1", "us-east-1"]


def test_the_service_aws_logged_wins_and_the_list_adds_its_region(reference):
    added = added_by(
        reference,
        srcaddr=[EC2_ADDRESS, EC2_ADDRESS, OTHER_ADDRESS],
        pkt_src_aws_service=["EC2_INSTANCE_CONNECT", None, "WORKSPACES_GATEWAYS"],
    )

    assert added["src_aws_service"].to_pylist() == [
        "EC2_INSTANCE_CONNECT",
        "EC2",
        "WORKSPACES_GATEWAYS",
    ]
    assert added["src_aws_region"].to_pylist() == ["eu-west-1", "eu-west-1", None]


def test_the_address_of_the_packet_comes_before_that_of_the_interface(reference):
    added = added_by(
        reference,
        srcaddr=["10.0.0.1", EC2_ADDRESS, S3_ADDRESS],
        pkt_srcaddr=[S3_ADDRESS, None, OTHER_ADDRESS],
    )

    assert added["src_aws_service"].to_pylist() == ["S3", "EC2", None]


def test_without_a_list_the_service_is_what_aws_logged():
    added = added_by(
        Reference(), dstaddr=[S3_ADDRESS, S3_ADDRESS], pkt_dst_aws_service=["S3", None]
    )

    assert added["dst_aws_service"].to_pylist() == ["S3", None]
    assert added["dst_aws_region"].to_pylist() == [None, None]
    assert added["src_aws_service"].to_pylist() == [None, None]


@pytest.mark.parametrize("columns", [{"srcaddr": [S3_ADDRESS]}, {"interface_id": ["eni-1"]}])
@pytest.mark.parametrize("has_list", [False, True])
def test_the_columns_are_those_of_the_table(reference, columns, has_list):
    added = added_by(reference if has_list else Reference(), **columns)

    declared = [a.column for a in ADDED if a.enricher == "aws_service"]
    assert list(added) == declared
    assert [column.type for column in added.values()] == [added_type(c) for c in declared]
    assert {len(column) for column in added.values()} == {1}
