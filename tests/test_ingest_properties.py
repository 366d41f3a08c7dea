"""Whatever CloudWatch Logs sends, each line goes on once, with an id of its own, and nothing else raises."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vpcflow.errors import SourceError
from vpcflow.flow_envelope import unwrap
from vpcflow.ingest import bare, decode_event, enveloped

MESSAGES = st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=6)


def envelope(messages: list[str], kind: str = "DATA_MESSAGE") -> dict[str, Any]:
    events = [{"id": f"e{i}", "timestamp": 0, "message": m} for i, m in enumerate(messages)]
    return {"messageType": kind, "logGroup": "flows", "logEvents": events}


def lines_of(messages: list[str]) -> list[bytes]:
    lines = [line for m in messages for line in m.encode().rstrip(b"\r\n").split(b"\n")]
    return [line.rstrip(b"\r") for line in lines if line.strip()]


@given(st.lists(MESSAGES, max_size=4), st.sampled_from([b"", b"\n", b" "]), st.booleans())
def test_every_line_goes_on_once_and_as_it_is(
    batches: list[list[str]], between: bytes, are_members: bool
):
    texts = [json.dumps(envelope(messages)).encode() for messages in batches]
    packed = (
        b"".join(gzip.compress(text + between) for text in texts)
        if are_members
        else gzip.compress(between.join(texts))
    )
    event = {"awslogs": {"data": base64.b64encode(packed).decode()}}

    found = enveloped(decode_event(event), None)

    wrapped = [unwrap(json.loads(record)) for record in found.records]
    assert [one.line for one in wrapped if one] == [
        line for messages in batches for line in lines_of(messages)
    ]


@given(MESSAGES)
def test_ids_are_all_there_and_no_two_are_the_same(messages: list[str]):
    found = enveloped(json.dumps(envelope(messages)).encode(), None)

    ids = [json.loads(record)["id"] for record in found.records]
    assert None not in ids
    assert len(set(ids)) == len(ids)


@given(MESSAGES)
def test_bare_lines_are_the_same_lines(messages: list[str]):
    found = bare(json.dumps(envelope(messages)).encode())

    assert found.records == [line + b"\n" for line in lines_of(messages)]


@given(st.binary())
def test_any_payload_gives_records_or_is_refused(payload: bytes):
    for packed in (payload, gzip.compress(payload)):
        try:
            text = decode_event({"awslogs": {"data": base64.b64encode(packed).decode()}})
        except SourceError:
            continue
        for found in (enveloped(text, None), bare(text)):
            assert all(record.endswith(b"\n") for record in found.records)
            assert all(record.count(b"\n") == 1 for record in found.records)


@given(
    st.recursive(
        st.none() | st.text() | st.integers(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
    )
)
def test_any_event_gives_a_payload_or_is_refused(event: Any):
    try:
        decode_event(event)
    except SourceError:
        return
    raise AssertionError("an event without awslogs.data was taken")
