from datetime import UTC, datetime

import orjson
import pyarrow as pa
import pytest

from vpcflow.addresses import parse_addresses
from vpcflow.aws_ranges import load_aws_ranges
from vpcflow.errors import ReferenceDataError


def write(folder, *entries):
    """Write a file of pairs of block and service, all in us-east-1 unless a region is given."""
    prefixes = {"prefixes": [], "ipv6_prefixes": []}
    for block, service, *region in entries:
        name, key = ("ipv6_prefixes", "ipv6_prefix") if ":" in block else ("prefixes", "ip_prefix")
        prefixes[name].append(
            {
                key: block,
                "region": region[0] if region else "us-east-1",
                "service": service,
                "network_border_group": "us-east-1",
            }
        )
    path = folder / "ip-ranges.json"
    document = {"syncToken": "1767225600", "createDate": "2026-01-01-00-00-00", **prefixes}
    path.write_bytes(orjson.dumps(document))
    return path


def look_up(ranges, *texts):
    return [
        (
            ranges.services[ranges.service_of[pair]].as_py(),
            ranges.regions[ranges.region_of[pair]].as_py(),
        )
        if pair >= 0
        else None
        for pair in ranges.lookup(parse_addresses(pa.array(texts)))
    ]


def test_the_file_says_when_it_was_made(tmp_path):
    ranges = load_aws_ranges(write(tmp_path))

    assert ranges.created == datetime(2026, 1, 1, tzinfo=UTC)


def test_addresses_outside_of_all_ranges_are_not_of_aws(tmp_path):
    ranges = load_aws_ranges(
        write(tmp_path, ("192.0.2.0/25", "S3"), ("2001:db8:1::/48", "S3", "eu-west-1"))
    )

    found = look_up(ranges, "192.0.2.127", "192.0.2.128", "2001:db8:1::9", "2001:db8:2::", "-")

    assert found == [("S3", "us-east-1"), None, ("S3", "eu-west-1"), None, None]


def test_the_longest_range_of_a_service_of_its_own_decides(tmp_path):
    ranges = load_aws_ranges(
        write(
            tmp_path,
            ("192.0.2.0/24", "EC2"),
            ("192.0.2.0/26", "EC2_INSTANCE_CONNECT", "eu-west-1"),
            ("192.0.2.128/25", "AMAZON", "GLOBAL"),
            ("198.51.100.0/24", "AMAZON", "GLOBAL"),
        )
    )

    found = look_up(ranges, "192.0.2.1", "192.0.2.64", "192.0.2.200", "198.51.100.1")

    assert found == [
        ("EC2_INSTANCE_CONNECT", "eu-west-1"),
        ("EC2", "us-east-1"),
        ("EC2", "us-east-1"),
        ("AMAZON", "GLOBAL"),
    ]


@pytest.mark.parametrize("order", [1, -1])
def test_of_services_with_the_same_range_the_first_by_name_counts_and_ec2_last(tmp_path, order):
    entries = [
        ("192.0.2.0/24", "EC2"),
        ("192.0.2.0/24", "S3"),
        ("192.0.2.0/24", "AMAZON"),
        ("198.51.100.0/24", "ROUTE53"),
        ("198.51.100.0/24", "CLOUDFRONT"),
    ]
    ranges = load_aws_ranges(write(tmp_path, *entries[::order]))

    found = look_up(ranges, "192.0.2.1", "198.51.100.1")

    assert [service for service, _ in found] == ["S3", "CLOUDFRONT"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"<html>", "not AWS's file"),
        (b"[]", "no createDate"),
        (b'{"createDate": "yesterday"}', "yesterday"),
        (b'{"createDate": "2026-01-01-00-00-00"}', "no list of prefixes"),
        (
            b'{"createDate": "2026-01-01-00-00-00", "prefixes": [{"ip_prefix": "192.0.2.0/24"}]}',
            "entry 1 of prefixes",
        ),
        (
            b'{"createDate": "2026-01-01-00-00-00", "ipv6_prefixes": [], "prefixes":'
            b' [{"ip_prefix": "192.0.2.1/24", "service": "S3", "region": "x"}]}',
            r"192\.0\.2\.1/24",
        ),
    ],
)
def test_another_file_is_an_error_that_says_what_is_wrong(tmp_path, content, fault):
    path = tmp_path / "ranges.json"
    path.write_bytes(content)

    with pytest.raises(ReferenceDataError, match=fault) as error:
        load_aws_ranges(path)

    assert "ranges.json" in str(error.value)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(ReferenceDataError, match="cannot be read"):
        load_aws_ranges(tmp_path / "ranges.json")
