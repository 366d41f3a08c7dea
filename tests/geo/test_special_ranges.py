import pyarrow as pa
import pytest

from vpcflow import special_ranges as special
from vpcflow.addresses import parse_addresses

_EDGES = {
    "9.255.255.255": special.GLOBAL,
    "10.0.0.0": special.PRIVATE,
    "10.255.255.255": special.PRIVATE,
    "11.0.0.0": special.GLOBAL,
    "100.64.0.0": special.PRIVATE,
    "100.128.0.0": special.GLOBAL,
    "172.31.255.255": special.PRIVATE,
    "172.32.0.0": special.GLOBAL,
    "192.168.0.1": special.PRIVATE,
    "fc00::1": special.PRIVATE,
    "fd00:ec2::254": special.PRIVATE,
    "127.0.0.1": special.LINK_LOCAL,
    "169.254.169.254": special.LINK_LOCAL,
    "::1": special.LINK_LOCAL,
    "fe80::1": special.LINK_LOCAL,
    "224.0.0.1": special.MULTICAST,
    "255.255.255.255": special.MULTICAST,
    "ff02::1": special.MULTICAST,
    "192.0.2.1": special.DOCUMENTATION,
    "198.51.100.255": special.DOCUMENTATION,
    "203.0.113.0": special.DOCUMENTATION,
    "2001:db8::1": special.DOCUMENTATION,
    "3fff:fff::1": special.DOCUMENTATION,
    "0.0.0.0": special.RESERVED,
    "192.0.0.8": special.RESERVED,
    "192.0.0.9": special.GLOBAL,
    "198.19.255.255": special.RESERVED,
    "240.0.0.1": special.RESERVED,
    "255.255.255.254": special.RESERVED,
    "::": special.RESERVED,
    "::ffff:8.8.8.8": special.RESERVED,
    "64:ff9b::808:808": special.GLOBAL,
    "2001::1": special.RESERVED,
    "2001:200::1": special.GLOBAL,
    "2002::1": special.RESERVED,
    "2600::1": special.GLOBAL,
    "4000::1": special.RESERVED,
    "no address": special.NO_ADDRESS,
}


@pytest.mark.parametrize(("text", "code"), _EDGES.items())
def test_an_address_has_the_code_of_its_special_range(text, code):
    addresses = parse_addresses(pa.array([text]))

    codes = special.classify(addresses)

    assert codes.tolist() == [code]
