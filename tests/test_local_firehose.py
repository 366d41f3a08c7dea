"""The stream of our own does what is known of the service's."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from vpcflow.errors import AwsError
from vpcflow.local_firehose import (
    Buffering,
    Faults,
    FolderBucket,
    HttpDestination,
    LocalFirehose,
    MemoryBucket,
    OpenSearchDestination,
    Quota,
    S3Destination,
    Transformation,
)

NOON = 1_700_049_600.0  # 2023-11-15T12:00:00Z
SMALL = Buffering(100, 60)


class Parts:
    """A stream with all that is around it, at a clock that tests move."""

    def __init__(self, destination: Any = None, **more: Any) -> None:
        self.now = NOON
        self.bucket, self.errors = MemoryBucket(), MemoryBucket()
        self.destination = destination or S3Destination(self.bucket)
        self.stream = LocalFirehose(
            "flows",
            self.destination,
            errors=self.errors,
            **{"buffering": SMALL, "clock": lambda: self.now, **more},
        )

    def failed(self, prefix: str = "") -> list[dict[str, Any]]:
        found = self.errors.below(prefix)
        return [json.loads(line) for data in found for line in data.splitlines()]


def answer(event: dict[str, Any], result: str = "Ok", **more: Any) -> dict[str, Any]:
    return {
        "records": [
            {"recordId": r["recordId"], "result": result, "data": r["data"], **more}
            for r in event["records"]
        ]
    }


def transformed(function: Any, *records: bytes, **more: Any) -> Parts:
    transformation = Transformation(function, **more.pop("transformation", {}))
    parts = Parts(transformation=transformation, **more)
    parts.stream.put(records)
    parts.stream.drain()
    return parts


@pytest.mark.parametrize(
    "records", [[], [b"x"] * 501, [b"x" * 1_024_001], [b"x" * 1_000_000] * 5], ids=lambda r: len(r)
)
def test_a_call_over_a_limit_is_refused_whole_for_good(records: list[bytes]):
    parts = Parts()

    with pytest.raises(AwsError) as caught:
        parts.stream.put(records)

    assert (caught.value.code, caught.value.permanent) == ("InvalidArgumentException", True)
    assert parts.stream.held == 0


def test_records_wait_until_enough_are_there():
    parts = Parts()

    parts.stream.put([b"x" * 40] * 2)
    before = dict(parts.bucket.objects)
    parts.stream.put([b"y" * 40])

    assert before == {}
    assert list(parts.bucket.objects.values()) == [b"x" * 80]
    assert parts.stream.held == 1


def test_records_wait_until_the_oldest_is_old_enough():
    parts = Parts()
    parts.stream.put([b"x"])

    parts.now += 59
    parts.stream.tick()
    before = dict(parts.bucket.objects)
    parts.now += 1
    parts.stream.tick()

    assert before == {}
    assert list(parts.bucket.objects.values()) == [b"x"]


def test_objects_are_named_by_the_hour_and_hold_records_one_after_the_other():
    parts = Parts()

    parts.stream.put([b'{"a":1}\n', b'{"a":2}\n'])
    parts.stream.drain()

    assert parts.bucket.objects == {
        "2023/11/15/12/flows-1-2023-11-15-12-00-00-00000001": b'{"a":1}\n{"a":2}\n'
    }


def test_a_transformation_gets_the_records_as_the_service_sends_them():
    seen: list[dict[str, Any]] = []

    transformed(lambda event: seen.append(event) or answer(event), b"\xff", b"b")

    event = seen[0]
    assert event["deliveryStreamArn"].endswith(":deliverystream/flows")
    assert event["region"] == "eu-west-1"
    assert [base64.b64decode(r["data"]) for r in event["records"]] == [b"\xff", b"b"]
    assert {r["approximateArrivalTimestamp"] for r in event["records"]} == {int(NOON * 1000)}
    assert len({r["recordId"] for r in event["records"]}) == 2


def test_the_new_data_of_a_record_is_delivered_and_a_dropped_record_leaves_no_trace():
    def function(event: dict[str, Any]) -> dict[str, Any]:
        answers = answer(event, data=base64.b64encode(b"new").decode())
        answers["records"][1]["result"] = "Dropped"
        return answers

    parts = transformed(function, b"a", b"b")

    assert parts.bucket.below("") == [b"new"]
    assert parts.errors.objects == {}
    assert (parts.stream.counts["ok"], parts.stream.counts["dropped"]) == (1, 1)


def test_what_a_transformation_calls_failed_is_put_aside_as_it_came():
    parts = transformed(lambda event: answer(event, "ProcessingFailed", data=""), b"\xffbad")

    assert parts.failed("processing-failed/2023/11/15/12/flows-1-") == [
        {
            "rawData": base64.b64encode(b"\xffbad").decode(),
            "errorCode": "Lambda.ProcessingFailedStatus",
            "errorMessage": "ProcessingFailed status set for record",
            "attemptsMade": 1,
            "arrivalTimestamp": int(NOON * 1000),
            "attemptEndingTimestamp": int(NOON * 1000),
            "lambdaARN": "arn:aws:lambda:eu-west-1:123456789012:function:decorator",
        }
    ]


def test_an_invocation_that_fails_is_repeated_three_times_with_the_same_records():
    seen: list[dict[str, Any]] = []

    def function(event: dict[str, Any]) -> dict[str, Any]:
        seen.append(event)
        raise ValueError("no")

    parts = transformed(function, b"a", b"b")

    assert len(seen) == 4
    assert len({event["invocationId"] for event in seen}) == 4
    assert len({json.dumps(event["records"]) for event in seen}) == 1
    assert [(f["errorCode"], f["attemptsMade"]) for f in parts.failed()] == [
        ("Lambda.FunctionError", 4)
    ] * 2


def test_an_invocation_that_works_in_the_end_is_good():
    calls = iter([ValueError("no"), ValueError("no"), None])

    def function(event: dict[str, Any]) -> dict[str, Any]:
        fault = next(calls)
        if fault:
            raise fault
        return answer(event)

    parts = transformed(function, b"a")

    assert parts.bucket.below("") == [b"a"]
    assert parts.stream.counts["invocations"] == 3


def test_a_response_over_6_mb_is_a_failed_invocation():
    large = base64.b64encode(b"x" * 5_000_000).decode()

    parts = transformed(lambda event: answer(event, data=large), b"a")

    assert [f["errorCode"] for f in parts.failed()] == ["Lambda.FunctionError"]


def test_a_request_over_6_mb_is_a_failed_invocation():
    calls: list[object] = []
    transformation = Transformation(calls.append, Buffering(10_000_000, 60))
    parts = Parts(transformation=transformation)

    for _ in range(5):
        parts.stream.put([b"x" * 1_000_000])
    parts.stream.drain()

    assert [f["errorCode"] for f in parts.failed()] == ["Lambda.FunctionError"] * 5
    assert calls == []


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (lambda records: records[1:], ["Lambda.MissingRecordId"]),
        (lambda records: [*records, records[0]], ["Lambda.DuplicatedRecordId"]),
        (lambda records: [{**records[0], "recordId": "x"}, records[1]], ["Lambda.MissingRecordId"]),
        (lambda records: [*records, {"recordId": "x", "result": "Ok"}], []),
        (lambda records: [{**records[0], "data": "%"}, records[1]], ["Lambda.InvalidReturnFormat"]),
        (
            lambda records: [{**records[0], "result": "OK"}, records[1]],
            ["Lambda.InvalidReturnFormat"],
        ),
        (lambda records: None, ["Lambda.MissingRecordId"] * 2),
    ],
)
def test_a_response_out_of_form_fails_the_records_it_is_wrong_about_and_is_not_asked_for_again(
    change: Any, codes: list[str]
):
    parts = transformed(lambda event: {"records": change(answer(event)["records"])}, b"a", b"b")

    assert [f["errorCode"] for f in parts.failed()] == codes
    assert parts.stream.counts["ok"] == 2 - len(codes)
    assert parts.stream.counts["invocations"] == 1


def test_what_a_transformation_puts_back_is_transformed_in_its_turn():
    def function(event: dict[str, Any]) -> dict[str, Any]:
        data = base64.b64decode(event["records"][0]["data"])
        if b"\n" in data:
            parts.stream.put(data.split(b"\n"))
            return answer(event, "Dropped")
        return answer(event)

    parts = Parts(OpenSearchDestination(), transformation=Transformation(function))

    parts.stream.put([b'{"a":1}\n{"a":2}'])
    parts.stream.drain()

    assert parts.destination.documents == [b'{"a":1}', b'{"a":2}']
    assert parts.stream.held == 0


def test_the_records_as_they_came_are_kept_where_there_is_a_backup():
    backup = MemoryBucket()

    transformed(lambda event: answer(event, "Dropped"), b"a\n", b"b\n", backup=backup)

    assert backup.below("source_records/2023/11/15/12/") == [b"a\nb\n"]


@pytest.mark.parametrize("record", [b'{"a":1}\n{"a":2}\n', b"[1]", b"no", b"", b'{"a":1} {"a":2}'])
def test_an_index_takes_one_document_a_record(record: bytes):
    parts = Parts(OpenSearchDestination())

    parts.stream.put([b'{"a":0}\n', record])
    parts.stream.drain()

    assert parts.destination.documents == [b'{"a":0}\n']
    failed = parts.failed("AmazonOpenSearchService_failed/2023/11/15/12/")
    assert [base64.b64decode(one["rawData"]) for one in failed] == [record]
    assert (failed[0]["errorCode"], failed[0]["esIndexName"]) == ("400", "flows-2023-11-15")


def test_an_index_that_comes_back_in_time_gets_all():
    parts = Parts(OpenSearchDestination(retry_s=300, is_down=lambda now: now < NOON + 299))
    parts.stream.put([b"{}"])
    parts.stream.drain()

    for _ in range(299):
        parts.now += 1
        parts.stream.tick()

    assert parts.destination.documents == [b"{}"]
    assert (parts.errors.objects, parts.stream.held) == ({}, 0)


def test_after_the_retry_duration_documents_are_put_aside():
    parts = Parts(OpenSearchDestination(retry_s=300, is_down=lambda _: True))
    parts.stream.put([b"{}"])
    parts.stream.drain()

    held = parts.stream.held
    parts.now += 300
    parts.stream.tick()

    assert (held, parts.stream.held) == (1, 0)
    assert [(f["errorCode"], f["attemptsMade"]) for f in parts.failed()] == [("503", 2)]


def test_a_bucket_that_cannot_be_reached_for_a_day_loses_what_the_stream_held():
    parts = Parts(S3Destination(MemoryBucket(), is_down=lambda _: True))
    parts.stream.put([b"x"])
    parts.stream.drain()

    parts.now += 86_400
    parts.stream.tick()

    assert (parts.stream.counts["lost"], parts.stream.held) == (1, 0)


def test_an_endpoint_gets_records_in_requests_and_what_it_does_not_take_is_put_aside():
    statuses = iter([200, 503, 503])
    requests: list[dict[str, Any]] = []
    parts = Parts(HttpDestination(lambda r: requests.append(r) or next(statuses), retry_s=10))

    parts.stream.put([b"a"])
    parts.stream.drain()
    parts.stream.put([b"b"])
    parts.stream.drain()
    parts.now += 10
    parts.stream.tick()

    assert [r["records"] for r in requests[:2]] == [[{"data": "YQ=="}], [{"data": "Yg=="}]]
    failed = parts.failed("http-endpoint-failed/")
    assert [(f["rawData"], f["errorCode"]) for f in failed] == [
        ("Yg==", "HttpEndpoint.DestinationException")
    ]


def test_over_the_quota_records_are_refused_singly_and_calls_whole():
    parts = Parts(quota=Quota(records=3, calls=2, size_bytes=10))

    first = parts.stream.put([b"xxxx", b"xxxx", b"xxxx"])
    second = parts.stream.put([b"x", b"x"])
    with pytest.raises(AwsError) as caught:
        parts.stream.put([b"x"])
    parts.now += 1

    busy = "ServiceUnavailableException"
    assert (first, second) == ([None, None, busy], [None, busy])
    assert (caught.value.code, caught.value.permanent) == (busy, False)
    assert parts.stream.put([b"x"]) == [None]


@pytest.mark.parametrize(("fault", "held"), [("lose_call", 0), ("lose_answer", 2)])
def test_a_call_without_answer_may_have_been_carried_out(fault: str, held: int):
    parts = Parts(faults=Faults(**{fault: 1}))

    with pytest.raises(AwsError) as caught:
        parts.stream.put([b"a", b"b"])

    assert (caught.value.permanent, parts.stream.held) == (False, held)


def test_the_same_seed_brings_the_same_faults():
    def codes(seed: int) -> list[object]:
        stream = Parts(faults=Faults(seed, refuse=0.5)).stream
        return list(stream.put([b"x"] * 50))

    assert codes(1) == codes(1) != codes(2)


def test_a_bucket_may_be_a_folder(tmp_path: Path):
    FolderBucket(tmp_path).put("a/b/c", b"x")

    assert (tmp_path / "a" / "b" / "c").read_bytes() == b"x"
