import ipaddress

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from vpcflow.addresses import parse_addresses
from vpcflow.prefixes import prefix_table

_BLOCKS = st.one_of(
    st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(
        lambda n: ipaddress.IPv4Network(n, strict=False)
    ),
    st.tuples(st.integers(0, 2**128 - 1), st.integers(0, 128)).map(
        lambda n: ipaddress.IPv6Network(n, strict=False)
    ),
)


@given(st.lists(_BLOCKS, max_size=30, unique=True), st.data())
def test_the_longest_block_that_holds_the_address_wins(blocks, data):
    edges = [end for block in blocks for end in (block[0], block[-1])]
    near = [edge + step for edge in edges for step in (-1, 0, 1) if 0 <= int(edge) + step < 2**32]
    addresses = [
        *edges,
        *near,
        ipaddress.ip_address("192.0.2.1"),
        data.draw(st.ip_addresses()),
    ]
    table = prefix_table((str(block), i) for i, block in enumerate(blocks))

    found = table.lookup(parse_addresses(pa.array([str(a) for a in addresses])))

    def longest(address):
        holding = [(b.prefixlen, i) for i, b in enumerate(blocks) if address in b]
        return max(holding)[1] if holding else -1

    assert found.tolist() == [longest(a) for a in addresses]


def test_of_equal_blocks_the_last_counts():
    table = prefix_table([("192.0.2.0/24", 1), ("192.0.2.0/24", 2)])

    found = table.lookup(
        parse_addresses(pa.array(["192.0.2.9", "198.51.100.1", "no address", None]))
    )

    assert found.tolist() == [2, -1, -1, -1]
