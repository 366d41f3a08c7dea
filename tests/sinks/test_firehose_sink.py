"""Documents on a stream: each a record, at the rate asked for, and an end that says how many it has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from flow_batches import V2, batch, flows

from vpcflow.errors import AwsError, FormatError, SinkError
from vpcflow.flow_envelope import unwrap_document, wrap_document
from vpcflow.schemas import encode_flat
from vpcflow.sinks import Sink, open_sink
from vpcflow.sinks.firehose import (
    MAX_RECORD_BYTES,
    NOT_SENT,
    TOO_LARGE,
    FirehoseSink,
    Sender,
    parse_stream_url,
)

BUSY = "ServiceUnavailableException"


class Stream:
    """Takes ``takes`` calls, then answers with ``then``; tells when each call came."""

    name = "flows"

    def __init__(self, takes: int = 1000, then: str | AwsError = BUSY) -> None:
        self.now = 0.0
        self.calls: list[list[bytes]] = []
        self.times: list[float] = []
        self._takes = takes
        self._then = then

    def put(self, records: Sequence[bytes]) -> Sequence[str | None]:
        self.times.append(self.now)
        if len(self.calls) < self._takes:
            self.calls.append(list(records))
            return [None] * len(records)
        if isinstance(self._then, AwsError):
            raise self._then
        return [self._then] * len(records)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    @property
    def records(self) -> list[bytes]:
        return [record for call in self.calls for record in call]


def sender(stream: Stream, **more: Any) -> Sender:
    return Sender(stream, clock=lambda: stream.now, sleep=stream.sleep, random=lambda: 1.0, **more)


def test_each_flow_is_a_record_of_one_line_in_order():
    stream = Stream()

    with FirehoseSink(sender(stream), encode_flat) as sink:
        taken = sink.write(flows(1200))

    assert taken == 1200
    assert [len(call) for call in stream.calls] == [500, 500, 200]
    documents = [buffer.to_pybytes() for buffer in encode_flat(flows(1200))]
    assert b"".join(stream.records) == b"".join(documents)
    assert {record.count(b"\n") for record in stream.records} == {1}


def test_documents_may_go_in_our_envelope():
    stream = Stream()

    with FirehoseSink(sender(stream), encode_flat, form=wrap_document) as sink:
        sink.write(batch([V2]))

    document = unwrap_document(json.loads(stream.records[0]))
    assert document is not None and json.loads(document)["version"] == 2


def test_no_flows_are_no_records():
    stream = Stream()

    assert FirehoseSink(sender(stream), encode_flat).write(flows(0)) == 0
    assert stream.calls == []


@pytest.mark.parametrize(
    "then", [BUSY, AwsError("no such stream", code="ResourceNotFoundException", permanent=True)]
)
def test_a_stream_that_takes_no_more_ends_it_and_what_it_has_is_said(then: str | AwsError):
    sink = FirehoseSink(sender(Stream(2, then), patience_s=10), encode_flat)

    with pytest.raises(SinkError, match=r"'flows' takes no more \(.*\), and has 1,000 records"):
        sink.write(flows(1200))


def test_a_document_too_large_is_not_taken_and_is_said_and_the_others_are():
    stream, said = Stream(), []
    rows = batch([{"eni_description": "x" * MAX_RECORD_BYTES}, {"eni_description": "y"}])

    taken = FirehoseSink(sender(stream), encode_flat, warn=said.append).write(rows)

    assert (taken, len(stream.records)) == (1, 1)
    assert said == ["documents over 1,024,000 bytes fit in no record"]


def test_what_may_be_there_twice_is_said_at_the_end():
    class Deaf(Stream):
        def put(self, records: Sequence[bytes]) -> Sequence[str | None]:
            answer = super().put(records)
            if len(self.calls) == 1:
                raise AwsError("no answer", code="ReadTimeoutError", permanent=False)
            return answer

    said: list[str] = []

    with FirehoseSink(sender(Deaf()), encode_flat, warn=said.append) as sink:
        assert sink.write(flows(3)) == 3

    assert said == [
        "up to 3 records may be on the stream twice: a call was not answered, and made again"
    ]


def test_a_rate_spreads_records_over_the_time():
    stream = Stream()
    limited = sender(stream, rate=50)

    for _ in range(2):
        limited.send([b"x"] * 120)

    assert [len(call) for call in stream.calls] == [50, 50, 20, 50, 50, 20]
    assert stream.times == pytest.approx([0, 1, 2, 2.4, 3.4, 4.4])


def test_a_rate_below_one_a_second_is_one_record_at_a_time():
    stream = Stream()

    sender(stream, rate=0.5).send([b"x"] * 3)

    assert stream.times == [0, 2, 4]


def test_where_no_progress_is_made_the_rest_is_not_sent():
    stream = Stream(1)

    result = sender(stream, patience_s=10).send([b"x"] * 1500)

    assert result.codes == (None,) * 500 + (BUSY,) * 500 + (NOT_SENT,) * 500
    assert len(result.refused) == 1000


def test_a_record_too_large_stops_nothing():
    result = sender(Stream(), rate=1).send([b"x" * (MAX_RECORD_BYTES + 1), b"y"])

    assert result.codes == (TOO_LARGE, None)


def opened(to: str, **more: Any) -> Sink:
    return open_sink(to, encode=encode_flat, run_id="r", **more)


def test_a_stream_is_opened_by_its_address():
    stream = Stream()

    with opened(
        "firehose://flows", firehose=lambda to, encode: FirehoseSink(sender(stream), encode)
    ) as sink:
        sink.write(flows(1))

    assert len(stream.records) == 1


def test_a_stream_takes_documents_alone():
    with pytest.raises(FormatError, match="takes documents alone, not parquet"):
        opened("firehose://flows", format="parquet")


def test_where_no_stream_can_be_opened_that_is_said():
    with pytest.raises(SinkError, match="not written here"):
        opened("firehose://flows")


@pytest.mark.parametrize("text", ["firehose://", "firehose://a/b", "firehose://a b", "flows"])
def test_an_address_that_names_no_stream_is_an_error(text: str):
    with pytest.raises(FormatError, match="names no Firehose stream"):
        parse_stream_url(text)
