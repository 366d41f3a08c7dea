import ipaddress
import random

import pyarrow as pa
import pytest
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


def test_blocks_are_read_as_the_standard_library_reads_them() -> None:
    draw = random.Random(7)
    good = 0
    for _ in range(20_000):
        cidr = draw.choice(("10.0.0.0/8", "192.0.2.128/25", "0.0.0.0/0", "2001:db8::/32", "::/0"))
        for _ in range(draw.choice((0, 1, 1, 2, 3))):
            at = draw.randrange(len(cidr))
            cidr = cidr[:at] + draw.choice("0123456789./:a%") + cidr[at + draw.randint(0, 1) :]
        try:
            network = ipaddress.ip_network(cidr)
        except ValueError:
            with pytest.raises(ValueError):
                prefix_table([(cidr, 7)])
            continue
        found = prefix_table([(cidr, 7)])
        intervals = found.ipv4 if network.version == 4 else found.ipv6
        first = int(network.network_address)
        starts = [
            start if network.version == 4 else int.from_bytes(start.ljust(16, b"\0"))
            for start in intervals.starts.tolist()
        ]
        assert [s for s, v in zip(starts, intervals.values.tolist()) if v == 7] == [first]
        assert intervals.values.tolist().count(7) == 1
        good += 1
    assert good > 3_000
