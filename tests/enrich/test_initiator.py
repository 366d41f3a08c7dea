"""Who opened the connection, as far as the record itself tells."""

from __future__ import annotations

import pytest
from enriching import added, flows
from hypothesis import given
from hypothesis import strategies as st

from vpcflow.codes import INITIATOR_BASES, INITIATOR_CONFIDENCE
from vpcflow.enrich import Reference, enrich

COLUMNS = "initiator initiator_basis initiator_confidence"
NOTHING = Reference()
NOT_KNOWN = (None, None, None)
FLAGS = st.integers(0, 63) | st.none()


def told(layout: str, *lines: str) -> list[tuple[object, ...]]:
    return added(flows(layout, *lines), COLUMNS, NOTHING)


@pytest.mark.parametrize("flags", [2, 3, 6, 7, 2 | 64 | 128])
def test_the_end_that_sends_syn_without_ack_opened_the_connection(flags: int) -> None:
    assert told("protocol tcp_flags", f"6 {flags}") == [("src", "flags", 1.0)]


@pytest.mark.parametrize("flags", [18, 19, 22, 23])
def test_the_end_that_sends_syn_with_ack_was_asked(flags: int) -> None:
    assert told("protocol tcp_flags", f"6 {flags}") == [("dst", "flags", 1.0)]


@pytest.mark.parametrize("flags", ["0", "1", "4", "5", "16", "-"])
def test_flags_of_neither_ends_first_packet_tell_nothing(flags: str) -> None:
    assert told("protocol tcp_flags", f"6 {flags}") == [NOT_KNOWN]


@pytest.mark.parametrize("protocol", ["17", "1", "-", "0"])
def test_only_tcp_has_flags(protocol: str) -> None:
    assert told("protocol tcp_flags", f"{protocol} 2") == [NOT_KNOWN]


def test_a_rejected_syn_is_the_openers_all_the_same() -> None:
    assert told("protocol tcp_flags action", "6 2 REJECT") == [("src", "flags", 1.0)]


@pytest.mark.parametrize("layout", ["protocol", "tcp_flags"])
def test_a_layout_without_flags_or_protocol_tells_nothing(layout: str) -> None:
    assert told(layout, "6") == [NOT_KNOWN]


@given(st.lists(st.tuples(st.sampled_from([6, 17, None]), FLAGS), min_size=1, max_size=20))
def test_it_is_as_told_row_by_row(rows: list[tuple[int | None, int | None]]) -> None:
    texts = [" ".join("-" if n is None else str(n) for n in row) for row in rows]

    found = enrich(flows("protocol tcp_flags", *texts), NOTHING, columns={"initiator"})

    assert found["initiator"].to_pylist() == [by_hand(*row) for row in rows]


def by_hand(protocol: int | None, flags: int | None) -> str | None:
    if protocol != 6 or flags is None or not flags & 2:
        return None
    return "dst" if flags & 16 else "src"


def test_each_basis_has_its_confidence_and_the_surest_come_first() -> None:
    confidences = list(INITIATOR_CONFIDENCE.values())

    assert list(INITIATOR_CONFIDENCE) == list(INITIATOR_BASES)
    assert confidences == sorted(confidences, reverse=True)
