"""Addresses agree with the standard library, one by one and many at once."""

from __future__ import annotations

import ipaddress
import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpcflow.addresses import ipv6_number, is_address, parse_addresses


def by_the_standard_library(text: str | None) -> tuple[bool, bool, int]:
    """Say whether a text is an address, whether an IPv4 one, and its number."""
    if text is None or "%" in text or not text.isascii():
        return False, False, 0
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False, False, 0
    return True, address.version == 4, int(address)


def check(texts: list[str | None]) -> None:
    parsed = parse_addresses(pa.array(texts, pa.string()))

    numbers = [int(high) << 64 | int(low) for high, low in zip(parsed.high, parsed.low)]
    found = list(zip(parsed.valid.tolist(), parsed.is_ipv4.tolist(), numbers))
    expected = [by_the_standard_library(text) for text in texts]
    assert dict(zip(texts, found)) == dict(zip(texts, expected))
    for text, (valid, _, _) in zip(texts, expected):
        assert text is None or is_address(text) is valid


IPV4 = st.ip_addresses(v=4).map(str)
IPV6 = st.ip_addresses(v=6).flatmap(
    lambda one: st.sampled_from(
        [str(one), one.exploded, str(one).upper(), f"::ffff:{one.exploded[:9]}"]
    )
)
OCTETS = st.lists(
    st.sampled_from(["0", "1", "9", "10", "99", "255", "256", "00", "01", "", "-1", "x"])
)
GROUPS = st.lists(
    st.sampled_from(["", "0", "1", "ffff", "00001", "g", "1.2.3.4", "01.2.3.4", "%eth0"])
)
NEARLY = st.one_of(
    OCTETS.map(".".join),
    GROUPS.map(":".join),
    st.text(alphabet="0123456789abcdef.:%/ ", max_size=20),
    st.text(max_size=8),
)


@given(st.lists(st.one_of(IPV4, IPV6, NEARLY, st.none()), max_size=20))
def test_any_texts_are_read_as_the_standard_library_reads_them(texts: list[str | None]) -> None:
    check(texts)


@pytest.mark.parametrize(
    "text",
    [
        *("0.0.0.0", "255.255.255.255", "1.2.3.4", "192.0.2.1"),
        *(
            "",
            ".",
            "...",
            "1.2.3",
            "1.2.3.",
            ".1.2.3",
            "1..2.3",
            "1.2.3.4.",
            "1.2.3.4.5",
            "1.2.3.256",
        ),
        *("01.2.3.4", "1.2.3.04", "00.0.0.0", "1.2.3.4 ", " 1.2.3.4", "1.2.3.-4", "1.2.3.4/32"),
        *("0x7f.0.0.1", "2130706433", "1.2.3.4\n", "１.2.3.4", "1.2.3.٤", "999.999.999.999"),
        *("::", "::1", "1::", "2001:db8::1", "::ffff:192.0.2.1", "::192.0.2.1", "1:2:3:4:5:6:7:8"),
        *("1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:192.0.2.1", "FE80::ABCD"),
        *("1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", ":::", ":1", "1:", "12345::", "g::1"),
        *(
            "fe80::1%eth0",
            "::1%",
            "[::1]",
            "::ffff:192.0.2.256",
            "::ffff:192.0.2.01",
            "1:2:3:4:5:6:7:8::",
        ),
        *("::1 ", "::1\0", "::" + "0" * 100, "1" * 5000, ":" * 5000, "::éa"),
    ],
)
def test_what_trips_readers_of_addresses(text: str) -> None:
    check([text])
    check(["10.0.0.1", text, None, "::5"])


def test_many_random_addresses_are_read_exactly() -> None:
    rng = random.Random(3)
    ipv4 = [str(ipaddress.IPv4Address(rng.randrange(1 << 32))) for _ in range(5_000)]
    ipv6 = [str(ipaddress.IPv6Address(rng.randrange(1 << 128))) for _ in range(2_000)]

    check([*ipv4, *ipv6])


@given(st.lists(st.one_of(IPV4, IPV6, NEARLY, st.none()), max_size=12), st.data())
def test_a_slice_is_read_like_its_texts(texts: list[str | None], data: st.DataObject) -> None:
    array = pa.array(texts, pa.string())
    first = data.draw(st.integers(0, len(texts)))
    count = data.draw(st.integers(0, len(texts) - first))

    sliced = parse_addresses(array.slice(first, count))

    whole = parse_addresses(pa.array(texts[first : first + count], pa.string()))
    for one, other in zip(sliced, whole):
        assert np.array_equal(one, other)


def test_an_array_read_before_is_not_taken_for_another() -> None:
    for i in range(300):
        text = f"10.0.{i // 256}.{i % 256}"

        parsed = parse_addresses(pa.array([text]))

        assert parsed.low.tolist() == [int(ipaddress.ip_address(text))]


def test_no_addresses_are_none() -> None:
    parsed = parse_addresses(pa.array([], pa.string()))

    assert [len(part) for part in parsed] == [0, 0, 0, 0]


def test_a_number_of_an_ipv6_address_has_128_bits() -> None:
    assert ipv6_number("ffff" + ":ffff" * 7) == 2**128 - 1
    assert ipv6_number("10.0.0.1") is None
