"""From a CloudWatch Logs subscription to a stream: one record a line, none lost."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from typing import Any

import pytest

from vpcflow.errors import SinkError, SourceError
from vpcflow.flow_envelope import unwrap
from vpcflow.ingest import Records, TooLong, bare, decode_event, enveloped, ingest, refuse_loss
from vpcflow.layout import DEFAULT
from vpcflow.sinks.firehose import MAX_RECORD_BYTES, PutResult, Stream

LINE = "2 123456789012 eni-1 192.0.2.1 198.51.100.1 1 2 6 1 40 1700000000 1700000060 ACCEPT OK"


def envelope(*messages: str, kind: str = "DATA_MESSAGE", first: int = 1) -> dict[str, Any]:
    return {
        "messageType": kind,
        "owner": "123456789012",
        "logGroup": "flows",
        "logStream": "eni-1-all",
        "subscriptionFilters": ["all"],
        "logEvents": [
            {"id": f"{number:056}", "timestamp": 1_700_000_000_000, "message": message}
            for number, message in enumerate(messages, first)
        ],
    }


def event(*members: bytes) -> dict[str, Any]:
    return {"awslogs": {"data": base64.b64encode(b"".join(map(gzip.compress, members))).decode()}}


def dumped(*values: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(value).encode() for value in values)


def lines_of(found: Records) -> list[tuple[str | None, str]]:
    wrapped = [unwrap(json.loads(record)) for record in found.records]
    return [(one.event_id, one.line.decode()) for one in wrapped if one]


def wrapped(*messages: str) -> Records:
    return enveloped(dumped(envelope(*messages)), None)


def test_each_line_is_a_record_with_the_id_of_its_event():
    found = enveloped(decode_event(event(dumped(envelope(LINE, LINE + "x")))), None)

    assert lines_of(found) == [(f"{1:056}", LINE), (f"{2:056}", LINE + "x")]


def test_the_layout_is_told_where_it_is_known():
    payload = dumped(envelope(LINE))

    layouts = [
        json.loads(enveloped(payload, known).records[0])["layout"] for known in (DEFAULT, None)
    ]

    assert layouts == [str(DEFAULT), None]


def test_bare_lines_are_ended_by_a_line_feed():
    found = bare(dumped(envelope(LINE, f"{LINE}\r\n")))

    assert found.records == [f"{LINE}\n".encode()] * 2


def test_a_control_message_is_no_record_whatever_it_says():
    payload = dumped(envelope(LINE, kind="CONTROL_MESSAGE"), envelope("CWL CONTROL MESSAGE: hi"))

    found = enveloped(payload, None)

    assert lines_of(found) == [(f"{1:056}", "CWL CONTROL MESSAGE: hi")]
    assert found.controls == 1


def test_members_envelopes_and_values_may_follow_one_another():
    one, two, three = (dumped(envelope(LINE, first=number)) for number in (1, 2, 3))

    found = enveloped(decode_event(event(one + two, b"\n" + three, b"[" + one + b"]")), None)

    assert [event_id for event_id, _ in lines_of(found)] == [f"{n:056}" for n in (1, 2, 3, 1)]


@pytest.mark.parametrize("payload", [b"", b" \n", b"[]", dumped(envelope())])
def test_an_event_without_lines_is_fine(payload: bytes):
    assert enveloped(decode_event(event(payload)), None) == Records([], [], 0, 0)


def test_blank_messages_are_counted_and_sent_nowhere():
    found = wrapped("", " \t ", LINE, f"{LINE}\n\n{LINE}")

    assert (len(found.records), found.blanks) == (3, 3)


def test_a_message_of_several_lines_is_as_many_records_each_with_an_id_of_its_own():
    found = wrapped(f"{LINE}\n{LINE}\r\n{LINE}\n")

    assert lines_of(found) == [(f"{1:056}{end}", LINE) for end in ("", ":2", ":3")]


def test_the_same_event_gives_the_same_records():
    given = event(dumped(envelope(LINE, f"{LINE}\n{LINE}")))

    first, second = (enveloped(decode_event(given), None) for _ in range(2))

    assert first == second


def test_what_is_no_flow_record_is_not_judged_here():
    odd = {"messageType": "DATA_MESSAGE", "logEvents": [{"id": "1", "message": 5}]}

    found = enveloped(dumped(odd, {"hello": "world"}, envelope("not a flow")), None)

    assert [line for _, line in lines_of(found)] == [
        '{"id":"1","message":5}',
        '{"hello": "world"}',
        "not a flow",
    ]


def test_bytes_that_are_no_utf_8_arrive_as_they_are():
    payload = dumped(envelope("PLACE")).replace(b"PLACE", b"2 \xff\xfe")

    found = enveloped(payload, None)

    one = unwrap(json.loads(found.records[0]))
    assert one is not None and one.line == b"2 \xff\xfe"


def test_a_line_that_no_record_can_hold_is_named_and_the_others_go_on():
    found = wrapped(LINE, "x" * MAX_RECORD_BYTES, LINE)

    assert len(found.records) == 2
    assert found.too_long == [TooLong("flows", f"{2:056}", MAX_RECORD_BYTES)]


def test_json_too_long_for_a_record_that_nothing_else_keeps_is_refused():
    with pytest.raises(SourceError, match=r"1,024,0\d\d bytes of JSON that are no envelope"):
        enveloped(dumped({"hello": "x" * MAX_RECORD_BYTES}), None)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({}, "has no awslogs.data"),
        ({"Records": []}, "has no awslogs.data"),
        (None, "has no awslogs.data"),
        ({"awslogs": {"data": "%%"}}, "is no base64"),
        (
            {"awslogs": {"data": base64.b64encode(gzip.compress(b"{}")[:-9]).decode()}},
            "ends in the middle of its gzip data",
        ),
        ({"awslogs": {"data": base64.b64encode(b"\x1f\x8b" + b"x" * 30).decode()}}, "gzip data"),
    ],
)
def test_a_damaged_event_is_refused_whole(given: object, fault: str):
    with pytest.raises(SourceError, match=fault):
        decode_event(given)


class Fake:
    name = "flows"

    def put(self, records: Sequence[bytes]) -> Sequence[str | None]:
        raise AssertionError("not in these tests")


def taking(*codes: str | None):
    def put(stream: Stream, records: Sequence[bytes]) -> PutResult:
        return PutResult(codes)

    return put


def test_the_books_balance_over_what_was_taken_and_what_was_not():
    found = wrapped(LINE, "x" * MAX_RECORD_BYTES, LINE, "")

    books, _ = ingest(found, Fake(), taking(None, "InternalFailure"))

    assert (books.found, books.delivered, books.failed) == (3, 1, 1)
    assert (books.rejected, books.blanks) == ({"line_too_long": 1}, 1)


def test_an_event_of_which_a_record_was_not_taken_fails_and_says_how_many_and_why():
    found = wrapped(LINE, LINE, LINE)

    _, result = ingest(found, Fake(), taking(None, "InternalFailure", "InternalFailure"))

    with pytest.raises(
        SinkError, match=r"'flows' has not taken 2 of 3 records \(2 InternalFailure"
    ):
        refuse_loss(result, Fake())


def test_an_event_that_was_taken_whole_is_done():
    _, result = ingest(wrapped(LINE), Fake(), taking(None))

    refuse_loss(result, Fake())
