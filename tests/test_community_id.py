"""Community ids: the specification's own vectors, both ways of making them, and where there is none."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpcflow import native
from vpcflow.community_id import community_ids, ids_plainly

V6 = "2001:470:e5bf:dead:4957:2174:e82c:4887"
# https://github.com/corelight/community-id-spec/blob/master/baseline/baseline_deflt.json, all but ICMP.
BASELINE = [
    (6, V6, "2607:f8b0:400c:c03::1a", 63943, 25, "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4="),
    (132, "192.168.170.8", "192.168.170.56", 7, 7, "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs="),
    (6, "128.232.110.120", "66.35.250.204", 34855, 80, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
    (17, "192.168.1.52", "8.8.8.8", 54585, 53, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
    (46, "10.1.12.1", "10.1.12.2", None, None, "1:KHlLkgoJW7ifUTyTSgyVfkFHzKw="),
]  # fmt: skip

Row = tuple[Any, Any, Any, Any, Any]


def ids(rows: list[Row]) -> list[str | None]:
    protocols, sources, destinations, ports, ports_2 = zip(*rows)
    made = community_ids(
        pa.array(sources, pa.string()).dictionary_encode(),
        pa.array(destinations, pa.string()).dictionary_encode(),
        pa.array(ports, pa.int32()),
        pa.array(ports_2, pa.int32()),
        pa.array(protocols, pa.int32()),
    )
    made.validate(full=True)
    return made.to_pylist()  # type: ignore[no-any-return]


def test_ids_are_those_of_the_specification_from_both_ends():
    rows = [(protocol, *ends) for protocol, *ends, _ in BASELINE]
    turned = [(protocol, b, a, port_b, port_a) for protocol, a, b, port_a, port_b in rows]

    found = ids(rows), ids(turned)

    expected = [expected for *_, expected in BASELINE]
    assert found == (expected, expected)


@pytest.mark.parametrize(
    "row",
    [
        (1, "192.0.2.1", "192.0.2.2", 0, 0),
        (58, "2001:db8::1", "2001:db8::2", 0, 0),
        (6, "192.0.2.1", "2001:db8::2", 1, 2),
        (6, None, "192.0.2.2", 1, 2),
        (6, "192.0.2.1", "no address", 1, 2),
        (6, "192.0.2.1", "192.0.2.2", None, 2),
        (17, "192.0.2.1", "192.0.2.2", 1, 65536),
        (None, "192.0.2.1", "192.0.2.2", 1, 2),
        (256, "192.0.2.1", "192.0.2.2", 1, 2),
        (-1, "192.0.2.1", "192.0.2.2", 1, 2),
    ],
    ids=str,
)
def test_what_cannot_be_told_has_no_id(row: Row):
    known = (6, "192.0.2.1", "192.0.2.2", 1, 2)

    found = ids([known, row, known])

    assert found[1] is None
    assert found[0] == found[2] == by_the_standard_library(known)


def test_ports_do_not_count_where_the_protocol_has_none():
    assert len(set(ids([(50, "192.0.2.1", "192.0.2.2", port, 7) for port in (0, 9, None)]))) == 1


ADDRESSES = st.ip_addresses().map(str) | st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1"])
PORTS = st.integers(0, 65535) | st.integers(0, 1)
ROWS = st.tuples(
    st.sampled_from([6, 17, 132, 47, 0, 255]) | st.integers(0, 255),
    ADDRESSES,
    ADDRESSES,
    PORTS,
    PORTS,
)


@given(st.lists(ROWS, min_size=1, max_size=20))
def test_ids_are_those_that_the_standard_library_makes(rows: list[Row]):
    assert ids(rows) == [by_the_standard_library(row) for row in rows]


def by_the_standard_library(row: Row) -> str | None:
    protocol, *addresses, port, port_2 = row
    one, other = (ipaddress.ip_address(address) for address in addresses)
    if one.version != other.version or protocol in (1, 58):
        return None
    has_ports = protocol in (6, 17, 132)
    ends = [(a.packed, p.to_bytes(2) if has_ports else b"") for a, p in ((one, port), (other, port_2))]  # fmt: skip
    (first, first_port), (second, second_port) = sorted(ends)
    hashed = bytes(2) + first + second + bytes([protocol, 0]) + first_port + second_port
    return "1:" + base64.b64encode(hashlib.sha1(hashed).digest()).decode()


def test_both_ways_write_the_same():
    draw = np.random.default_rng(7)
    count, rows = 40, 5_000
    high = draw.integers(2**64, size=count, dtype=np.uint64)
    low = draw.integers(2**64, size=count, dtype=np.uint64)
    is_ipv4 = draw.random(count) < 0.5
    high[is_ipv4] = 0
    low[is_ipv4] >>= np.uint64(32)
    families = [np.flatnonzero(is_ipv4), np.flatnonzero(~is_ipv4)]
    family = draw.integers(2, size=rows)
    ends = [
        native.End(
            np.array([draw.choice(families[one]) for one in family], np.int32),
            high,
            low,
            is_ipv4,
            draw.integers(65536, size=rows, dtype=np.int32),
        )
        for _ in range(2)
    ]
    protocols = draw.choice(np.array([6, 17, 132, 47], np.int32), rows)
    wanted = draw.random(rows) < 0.9

    compiled = native.community_ids(*ends, protocols, wanted)
    plain = ids_plainly(*ends, protocols, wanted)

    assert compiled is not None
    assert compiled.tobytes() == plain.tobytes()
