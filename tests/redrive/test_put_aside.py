"""The forms in which records are put aside, and what is sent for each."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from vpcflow.errors import SourceError
from vpcflow.flow_envelope import Wrapped, unwrap, unwrap_document, wrap, wrap_document
from vpcflow.layout import DEFAULT
from vpcflow.redrive import Found, read_file, read_message

LINE = b"2 123456789012 eni-1 192.0.2.1 198.51.100.1 1 2 6 1 40 1700000000 1700000060 ACCEPT OK"


def failed(data: bytes, **more: Any) -> dict[str, Any]:
    return {
        "rawData": base64.b64encode(data).decode(),
        "errorCode": "Lambda.FunctionError",
        "attemptsMade": 4,
        "lambdaARN": "arn:aws:lambda:eu-west-1:123456789012:function:decorator",
        **more,
    }


def lines(*values: object) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def cloudwatch(*messages: str) -> dict[str, Any]:
    events = [{"id": str(i), "message": message} for i, message in enumerate(messages)]
    body = json.dumps({"messageType": "DATA_MESSAGE", "logEvents": events}).encode()
    return {"awslogs": {"data": base64.b64encode(gzip.compress(body)).decode()}}


@pytest.mark.parametrize(
    "record", [LINE + b"\n", b'{"message":"2 x"}', gzip.compress(b"{}"), b"\xff", b"{no", b""]
)
def test_what_was_not_transformed_goes_as_it_came(record: bytes):
    assert read_file("f", lines(failed(record))) == Found([record])


def test_a_line_in_our_envelope_begins_anew_and_keeps_its_id():
    spent = Wrapped(LINE, "37", "${version}", attempt=3)

    found = read_file("f", lines(failed(wrap(spent))))

    assert found.records == [wrap(spent._replace(attempt=0))]


@pytest.mark.parametrize(
    "more",
    [
        {"esDocumentId": "1.0", "esIndexName": "flows", "errorCode": "503"},
        {"osDocumentId": "1.0", "osIndexName": "flows"},
        {"errorCode": "HttpEndpoint.DestinationException"},
        {"subsequenceNumber": 0, "dataId": "1.0"},
        {"lastErrorCode": "DataFormatConversion.ParseError", "dataCatalogTable": {}},
    ],
)
def test_a_document_goes_in_an_envelope_that_the_decorator_takes_off(more: dict[str, Any]):
    document = b'{"event_id":"a","bytes":1.0}'

    found = read_file("f", lines(failed(document + b"\n", **more)))

    assert [unwrap_document(json.loads(record)) for record in found.records] == [document]


def test_documents_that_were_one_record_are_a_record_each():
    found = read_file("f", lines(failed(b'{"a":1}\n{"a":2}\n', esIndexName="x")))

    assert [unwrap_document(json.loads(r)) for r in found.records] == [b'{"a":1}', b'{"a":2}']


@pytest.mark.parametrize(
    ("data", "sent"),
    [
        (LINE, LINE),
        (wrap(Wrapped(LINE, "1", None, 2)), wrap(Wrapped(LINE, "1"))),
        (wrap_document(b"{}"), wrap_document(b"{}").strip()),
    ],
)
def test_what_a_destination_refused_and_is_no_document_goes_as_it_came(data: bytes, sent: bytes):
    assert read_file("f", lines(failed(data, esIndexName="x"))).records == [sent]


def test_documents_may_go_bare():
    found = read_file("f", lines(failed(b"{}", esIndexName="x")), document=lambda d: d + b"\n")

    assert found.records == [b"{}\n"]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("between", [b"\n", b"", b" ", b"\r\n"])
def test_entries_may_follow_one_another_in_any_way(pack: Any, between: bytes):
    text = between.join(lines(failed(record)).strip() for record in (b"a", b"b", b"c"))

    assert read_file("f", pack(text)).records == [b"a", b"b", b"c"]


def test_what_is_no_record_that_failed_is_a_reject_with_its_text_and_costs_no_other():
    text = lines(failed(b"a")) + b"hello\n{}\n[1]\n" + lines({"rawData": "%"}, failed(b"b"))

    found = read_file("f", text)

    assert found.records == [b"a", b"b"]
    assert [(r.line, r.text) for r in found.rejects] == [
        (2, "hello"),
        (3, "{}"),
        (4, "[1]"),
        (5, '{"rawData": "%"}'),
    ]
    assert {r.reason for r in found.rejects} == {"bad_envelope"}


def test_a_file_that_breaks_off_is_refused():
    with pytest.raises(SourceError, match="ends in the middle of its gzip data"):
        read_file("f", gzip.compress(lines(failed(b"a")))[:-9])


def test_an_empty_file_holds_nothing():
    assert read_file("f", b"") == Found([])


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_event_of_an_ingestor_that_failed_is_its_lines(wrapped: bool):
    event = cloudwatch(LINE.decode(), "", "x")
    body = {"requestPayload": event, "responseContext": {}} if wrapped else event

    found = read_message("m", json.dumps(body), DEFAULT)

    again = [unwrap(json.loads(record)) for record in found.records]
    assert again == [Wrapped(LINE, "0", str(DEFAULT)), Wrapped(b"x", "2", str(DEFAULT))]
    assert found.blanks == 1


def test_a_notice_of_s3_is_told_and_its_test_event_is_nothing():
    notice = {"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": "k"}}}]}

    assert read_message("m", json.dumps(notice)) == Found([], notices=1)
    assert read_message("m", '{"Event":"s3:TestEvent"}') == Found([], controls=1)


@pytest.mark.parametrize("body", ["", "hello", "[]", "{}", '{"awslogs":{"data":"%"}}'])
def test_a_message_that_is_neither_is_a_reject(body: str):
    found = read_message("m", body)

    assert [(r.reason, r.text) for r in found.rejects] == [("bad_envelope", body)]


def test_a_line_too_long_for_a_record_is_a_reject():
    found = read_message("m", json.dumps(cloudwatch("x" * 1_100_000)))

    assert [r.reason for r in found.rejects] == ["line_too_long"]
