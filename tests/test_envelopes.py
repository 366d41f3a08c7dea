"""Envelopes: events out of JSON in any arrangement, and nothing lost where it is broken."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpcflow.envelopes import Broken, Control, Event, Unfinished, events, unwrap
from vpcflow.errors import SourceError
from vpcflow.plain import MAX_LINE_BYTES

Found = Event | Broken | Control | Unfinished

ENVELOPE = {
    "messageType": "DATA_MESSAGE",
    "owner": "123456789012",
    "logGroup": "/vpc/flow",
    "logStream": "eni-0a-all",
    "subscriptionFilters": ["vpcflow"],
    "logEvents": [
        {"id": "38", "timestamp": 1766000000000, "message": "2 a"},
        {"id": "39", "timestamp": 1766000000000, "message": "2 b"},
    ],
}
EVENTS = [Event(b"2 a", "38", "/vpc/flow"), Event(b"2 b", "39", "/vpc/flow")]


def events_of(*pieces: bytes) -> list[Found]:
    return list(events(iter(pieces)))


def cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[first:end] for first, end in itertools.pairwise(bounds)]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("between", ["", "\n", "\r\n\r\n", " \t", "\0\n", ",", ",\n"])
def test_envelopes_may_be_joined_by_anything_or_nothing(indent: int | None, between: str) -> None:
    text = between.join([json.dumps(ENVELOPE, indent=indent)] * 3).encode()

    assert events_of(text) == EVENTS * 3


@pytest.mark.parametrize(
    ("value", "event"),
    [
        ({"message": "2 a"}, Event(b"2 a")),
        ({"message": "2 a", "id": "7"}, Event(b"2 a", "7")),
        ({"message": "2 a", "id": 7}, Event(b"2 a")),
        ({"@message": "2 a"}, Event(b"2 a")),
        ({"events": [{"message": "2 a", "eventId": "7"}]}, Event(b"2 a", "7")),
        ([{"message": "2 é"}], Event("2 é".encode())),
        ({"messageType": "CONTROL_MESSAGE", "logEvents": [{"message": "x"}]}, Control()),
        ({"message": ["2 a"]}, Broken(b'{"message": ["2 a"]}')),
        ({"text": "2 a"}, Broken(b'{"text": "2 a"}')),
        ({"logEvents": "2 a"}, Broken(b'{"logEvents": "2 a"}')),
        ({"logEvents": [5]}, Broken(b"5")),
        ([[{"message": "2 a"}]], Broken(b'[[{"message": "2 a"}]]')),
        ([1, {"message": "2 a"}], Broken(b"1")),
        ({}, Broken(b"{}")),
    ],
)
def test_what_a_value_holds(value: object, event: Found) -> None:
    text = json.dumps(value, ensure_ascii=False).encode()

    assert events_of(text)[0] == events_of(text + b"\n")[0] == event
    assert next(unwrap(value, text)) == event


def test_an_envelope_without_events_is_empty() -> None:
    assert events_of(b'{"logEvents": []}[]') == []


def test_bare_lines_stand_among_values() -> None:
    text = b'{"message": "2 a"}\n2 b\n\n  2 c\r\n[{"message": "2 d"}] 2 e\n2 f'

    found = events_of(text)

    assert [e.message for e in found if isinstance(e, Event)] == [
        b"2 a",
        b"2 b",
        b"2 c\r",
        b"2 d",
        b"2 e",
        b"2 f",
    ]


@pytest.mark.parametrize(
    "bad",
    [
        b"{",
        b"[",
        b'{"message": "2',
        b"{]",
        b'{"message": "2 \x01"}',
        b'{"a": 1,',
        b"[nul]",
        b"{{}}",
    ],
)
def test_a_broken_value_costs_its_own_line_alone(bad: bytes) -> None:
    found = events_of(b'{"message": "2 a"}\n' + bad + b'\n{"message": "2 b"}\n2 c\n')

    assert found == [Event(b"2 a"), Broken(bad), Event(b"2 b"), Event(b"2 c")]


def test_bytes_that_are_no_utf_8_and_lone_surrogates_come_through() -> None:
    found = events_of(b'{"message": "2 \xff\xc3"}\n{"message": "2 \\ud800"}\n2 \xe2\x82\n')

    assert found == [Event(b"2 \xff\xc3"), Event(b"2 \xed\xa0\x80"), Event(b"2 \xe2\x82")]


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["message", "logEvents", "events", "id", "messageType", "x"]), inner
        )
    ),
    max_leaves=8,
)
FRAGMENTS = st.lists(
    st.one_of(
        ANY_JSON.map(lambda value: json.dumps(value).encode()),
        ANY_JSON.map(lambda value: json.dumps(value, indent=1, ensure_ascii=False).encode()),
        st.just(json.dumps(ENVELOPE).encode()),
        st.sampled_from(
            [b"\n", b"\n", b" ", b"2 a", b"{", b"[", b'"', b"}", b"\\u12", b"\xff", b","]
        ),
        st.binary(max_size=4),
    ),
    max_size=8,
).map(b"".join)


@given(FRAGMENTS, st.lists(st.integers(0, 10_000), max_size=6))
def test_whatever_pieces_the_text_comes_in_the_events_are_the_same(
    data: bytes, places: list[int]
) -> None:
    whole = events_of(data)

    assert events_of(*cut(data, places)) == whole
    assert events_of(*(bytes([byte]) for byte in data)) == whole


@given(st.binary(max_size=200))
def test_no_bytes_are_too_strange(data: bytes) -> None:
    found = events_of(b"{" + data)

    assert len(found) >= 1


def broken_off(data: bytes, pieces: list[int]) -> Iterator[bytes]:
    yield from cut(data, pieces)
    raise SourceError("ends in the middle")


@pytest.mark.parametrize("pieces", [[], [10], [3, 20, 40, 41, 80]])
@pytest.mark.parametrize(
    ("rest", "begun"),
    [
        (b"", False),
        (b"\n", False),
        (b"2 c", True),
        (b"2 c\n", False),
        (b'{"message": "2 ', True),
        (b'{"message": "2 c"}', False),
    ],
)
def test_all_that_came_before_a_fault_is_given_and_then_the_fault(
    rest: bytes, begun: bool, pieces: list[int]
) -> None:
    data = b'{"message": "2 a"}\n{"message": "2 b"}\n' + rest
    found: list[Found] = []

    with pytest.raises(SourceError, match="ends in the middle"):
        for event in events(broken_off(data, pieces)):
            found.append(event)

    assert found[:2] == [Event(b"2 a"), Event(b"2 b")]
    assert found[2:] == ([Unfinished()] if begun else [Event(b"2 c")] if b"c" in rest else [])


@pytest.mark.parametrize(
    "bomb",
    [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 900 + b"]" * 900, b'{"message":' * 900],
    ids=["lists", "objects", "deep list", "deep object"],
)
def test_deep_nesting_is_one_broken_value(bomb: bytes) -> None:
    for text in (bomb, bomb + b"\n", b"[0, " + bomb[:-900] + b"]\n"):
        found = events_of(text, b'\n{"message": "2 a"}')

        assert found[-1] == Event(b"2 a")
        assert 1 <= len(found) - 1 <= 2
        assert all(isinstance(event, Broken) for event in found[:-1])


def test_many_values_that_break_off_are_not_read_again_and_again() -> None:
    text = b"[\n" * 500 + b"1,\n" * 5_000 + b'{"message": "2 a"}\n{"message":\n"2 b"}\n'

    found = list(events(iter([text]), max_value_chars=2_000))

    assert found[:500] == [Broken(b"[")] * 500
    # By now a value has to be whole in its line.
    assert Event(b"2 a") in found
    assert Event(b"2 b") not in found


def test_an_array_too_large_to_be_one_value_is_read_item_by_item() -> None:
    answer = {"events": [{"message": f"2 {i}", "eventId": str(i)} for i in range(100)]}

    text = json.dumps(answer, indent=4).encode()

    found = list(events(iter([text]), max_value_chars=2_000))

    assert [e for e in found if isinstance(e, Event) and e.event_id] == [
        Event(b"2 %d" % i, str(i)) for i in range(100)
    ]
    assert len(found) < 105


def test_of_a_line_without_an_end_no_more_is_kept_than_tells_that_it_is_too_long() -> None:
    found = events_of(b'{"message": "2 a"}\n', *[b"x" * (1 << 18)] * 40, b"\n2 b\n")

    assert found[0] == Event(b"2 a")
    assert found[2] == Event(b"2 b")
    assert isinstance(found[1], Event)
    assert MAX_LINE_BYTES < len(found[1].message) <= MAX_LINE_BYTES + (1 << 18) + 1
