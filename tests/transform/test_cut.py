from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transforming import line

from vpcflow.careful import check_line
from vpcflow.fields import FIELD_BY_NAME, VPC_FIELDS
from vpcflow.layout import DEFAULT, TGW_DEFAULT, Layout, parse_log_format
from vpcflow.plain import plain
from vpcflow.transform.cut import cut

ALPHABETICAL = parse_log_format(
    "account-id action az-id bytes dstaddr dstport end flow-direction instance-id interface-id log-status packets"
    " pkt-dst-aws-service pkt-dstaddr pkt-src-aws-service pkt-srcaddr protocol region srcaddr srcport start"
    " sublocation-id sublocation-type subnet-id tcp-flags traffic-path type version vpc-id"
)
MAXIMAL = Layout(tuple(field.name for field in VPC_FIELDS))
VPC_FIRST = parse_log_format("vpc-id subnet-id srcaddr bytes")
SURE = [DEFAULT, TGW_DEFAULT, ALPHABETICAL, MAXIMAL, VPC_FIRST]
"""Layouts whose records begin with what can be told from all that may stand before it."""

WEAK = [
    parse_log_format("version srcaddr dstaddr srcport dstport log-status"),
    parse_log_format("version srcport bytes"),
    parse_log_format("srcaddr dstaddr bytes"),
    parse_log_format("bytes packets"),
    parse_log_format("action log-status"),
]

_HEX = st.text("0123456789abcdef", min_size=17, max_size=17)
_BY_NAME = {
    "account-id": st.sampled_from(["123456789012", "001234567890", "unknown"]),
    "interface-id": _HEX.map("eni-{}".format),
    "vpc-id": _HEX.map("vpc-{}".format),
    "subnet-id": st.just("-") | _HEX.map("subnet-{}".format),
    "action": st.sampled_from(["ACCEPT", "REJECT"]),
    "log-status": st.just("OK"),
    "az-id": st.just("euw1-az3"),
    "resource-type": st.just("TransitGateway"),
    "tgw-id": st.just("tgw-0123456789abcdef0"),
    "tgw-attachment-id": st.just("tgw-attach-0123456789abcdef0"),
    "srcport": st.integers(0, 65535).map(str),
}
_BY_KIND = {
    "int32": st.just("-") | st.integers(0, 2**31 - 1).map(str),
    "int64": st.just("-") | st.integers(0, 10**12).map(str),
    "time": st.integers(1_600_000_000, 1_800_000_000).map(str),
    "address": st.sampled_from(["10.0.0.5", "203.0.113.9", "2001:db8::1"]),
    "text": st.just("-") | st.sampled_from(["S3", "ingress", "-2"]),
    "tag": st.just("-") | st.sampled_from(["a%20b", "2"]),
}


@st.composite
def records(draw: st.DrawFn, layout: Layout, most: int = 5) -> list[bytes]:
    version = str(max(FIELD_BY_NAME[name].since for name in layout.names))
    found = []
    for _ in range(draw(st.integers(1, most))):
        values = [
            version if name == "version" else draw(_BY_NAME.get(name, _BY_KIND[kind]))
            for name, kind in zip(layout.names, layout.kinds)
        ]
        found.append(" ".join(values).encode())
    return found


@pytest.mark.parametrize("layout", SURE, ids=lambda layout: layout.names[0])
@settings(max_examples=25)
@given(data=st.data())
def test_joined_records_are_cut_where_each_starts(layout: Layout, data: st.DataObject) -> None:
    lines = data.draw(records(layout))

    assert cut(b"".join(lines), [layout]) == lines


@pytest.mark.parametrize("layout", [*SURE, *WEAK], ids=lambda layout: layout.names[0])
@settings(max_examples=25)
@given(data=st.data())
def test_joined_records_are_cut_right_or_not_at_all(layout: Layout, data: st.DataObject) -> None:
    lines = data.draw(records(layout))
    joined = b"".join(lines)

    assert cut(joined, [layout]) in (lines, [joined])


@pytest.mark.parametrize("layout", [*SURE, *WEAK], ids=lambda layout: layout.names[0])
@settings(max_examples=25)
@given(data=st.data())
def test_no_byte_is_lost_or_made_whatever_the_text(layout: Layout, data: st.DataObject) -> None:
    lines = data.draw(records(layout, most=3))
    text = b"".join(lines)
    at = data.draw(st.integers(0, len(text)))
    damaged = text[:at] + data.draw(st.binary(max_size=6)) + text[at:]

    pieces = cut(damaged, [layout])

    assert len(pieces) == 1 or b"".join(pieces).replace(b" ", b"") == bare(damaged)
    assert len(pieces) == 1 or any(isinstance(check_line(p, layout), bytes) for p in pieces)


def bare(text: bytes) -> bytes:
    return plain(text).replace(b" ", b"")


def test_a_damaged_record_among_joined_ones_harms_no_other() -> None:
    first, second, third = (line(n).encode() for n in (1, 2, 3))

    cut_short = cut(first + second[:-22] + third, [DEFAULT])
    garbled = cut(first + b"??" + second + third, [DEFAULT])

    assert cut_short == [first, second[:-22], third]
    assert garbled == [first + b"??", second, third]


def test_a_line_that_is_no_joined_one_stays_whole() -> None:
    for text in (b"", b"bad", line(1).encode(), line(1).encode() + b" more", b"2 " * 40):
        assert cut(text, [DEFAULT]) == [text]


def test_two_ways_to_cut_are_none() -> None:
    layout = parse_log_format("srcaddr dstaddr bytes")

    assert cut(b"192.0.2.1 192.0.2.2 4010.0.0.1 192.0.2.2 40", [layout]) == [
        b"192.0.2.1 192.0.2.2 4010.0.0.1 192.0.2.2 40"
    ]


def test_each_of_several_layouts_is_tried() -> None:
    tgw = b" ".join(
        {"version": b"6", "resource-type": b"TransitGateway", "account-id": b"123456789012"}.get(name, b"-")
        for name in TGW_DEFAULT.names
    )  # fmt: skip

    assert cut(tgw + tgw, [DEFAULT, TGW_DEFAULT]) == [tgw, tgw]
