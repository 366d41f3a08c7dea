from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from transforming import (
    KINESIS_ARN,
    STREAM_ARN,
    FakeReferences,
    FakeStream,
    a_set,
    checked,
    cloudwatch,
    documents,
    event,
    line,
    ports,
    results,
    texts,
    transform,
    wrapped,
    zipped,
)

from vpcflow.errors import AwsError
from vpcflow.layout import parse_log_format
from vpcflow.pipeline import Layouts
from vpcflow.transform.unpack import MAX_UNPACKED_BYTES

DENIED = AwsError("cannot put: AccessDenied", code="AccessDeniedException", permanent=True)
V3 = "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${tcp-flags}"
V3_LINE = "3 123456789012 eni-0a1b2c3d4e5f60718 203.0.113.9 10.0.1.24 22 2"


def test_an_event_without_records_is_answered_with_none() -> None:
    assert transform().response == {"records": []}
    assert a_set().transformation({}).response == {"records": []}


def test_each_line_becomes_a_document_ended_by_a_line_feed() -> None:
    done = transform(line(1), line(2) + "\n")

    assert results(done) == ["Ok", "Ok"]
    assert ports(done) == [[1], [2]]
    assert all(text.endswith(b"}\n") and text.count(b"\n") == 1 for text in texts(done))


@pytest.mark.parametrize("end", ["", "\n", "\r\n", " \n", "\n\n"])
@pytest.mark.parametrize("other", [line(9), wrapped(line(9)), "bad"])
def test_a_line_is_the_same_however_it_ends_and_whatever_is_beside_it(end: str, other: str) -> None:
    (document,) = documents(transform(line(1) + "\n"))[0]

    done = transform(line(1) + end, line(1), other)

    assert documents(done)[:2] == [[document], [document]]


@pytest.mark.parametrize(
    "record",
    [
        line(1) + "\n" + line(2),
        line(1) + "\r\n" + line(2) + "\r\n",
        "\ufeff" + line(1) + "\n\n" + line(2),
        line(1) + line(2),
        json.dumps({"message": line(1)}) + json.dumps({"message": line(2)}),
        json.dumps({"message": line(1)}) + "\n" + line(2),
        line(1) + "\n" + json.dumps({"message": line(2)}),
        json.dumps([{"message": line(1)}, {"message": line(2)}]),
        json.dumps({"message": line(1) + "\n" + line(2) + "\n"}),
        json.dumps({"message": line(1) + line(2)}),
        cloudwatch(line(1), line(2)),
        zipped(cloudwatch(line(1), line(2))),
        zipped(cloudwatch(line(1))) + zipped(cloudwatch(line(2))),
        zipped(cloudwatch(line(1)) + cloudwatch(line(2))),
        cloudwatch(line(1)) + cloudwatch(line(2)),
        zipped((line(1) + "\n" + line(2)).encode()),
        wrapped(line(1)) + wrapped(line(2)),
        json.dumps([json.loads(wrapped(line(1))), json.loads(wrapped(line(2)))]),
        wrapped(line(1)) + line(2),
    ],
)
def test_a_record_of_several_lines_becomes_several_documents(record: str | bytes) -> None:
    done = transform(line(7), record, line(8))

    assert ports(done) == [[7], [1, 2], [8]]


@pytest.mark.parametrize(
    "record",
    [line(1), wrapped(line(1), id="5"), json.dumps({"message": line(1)}), cloudwatch(line(1))],
)
def test_the_event_id_is_the_same_by_whatever_way_a_line_comes(record: str | bytes) -> None:
    (document,), (bare,) = documents(transform(record, line(1)))

    assert document["event_id"] == bare["event_id"]


@pytest.mark.parametrize("record", [wrapped(V3_LINE, id="41", layout=V3), None])
def test_a_layout_that_tells_no_flows_apart_takes_cloudwatchs_id_in(record: str | None) -> None:
    layouts = Layouts([parse_log_format(V3)])
    first, other = cloudwatch(V3_LINE, first_id=41), cloudwatch(V3_LINE, first_id=42)

    done = transform(record or first, first, other, references=FakeReferences(layouts=layouts))

    ids = [one["event_id"] for (one,) in documents(done)]
    assert ids[0] == ids[1]
    assert ids[0] != ids[2]


def test_lines_without_an_id_that_look_the_same_are_two_flows_in_and_across_batches() -> None:
    layouts = FakeReferences(layouts=Layouts([parse_log_format(V3)]))
    other = event(V3_LINE)
    other["records"][0]["recordId"] = "another"

    first = transform(V3_LINE, V3_LINE, references=layouts)
    second = checked(other, a_set(references=layouts))

    ids = [one["event_id"] for (one,) in [*documents(first), *documents(second)]]
    assert len(set(ids)) == 3


@pytest.mark.parametrize("record", ["", "\n", " \r\n\n", "\0\0", zipped(b""), "[]", cloudwatch()])
def test_blank_records_are_dropped(record: str | bytes) -> None:
    done = transform(record, line(1))

    assert results(done) == ["Dropped", "Ok"]
    assert done.books.blanks > 0
    assert done.books.found == 1


@pytest.mark.parametrize("wrap", [bytes, zipped])
def test_control_messages_are_dropped_and_counted(wrap: Any) -> None:
    done = transform(wrap(cloudwatch("CWL CONTROL MESSAGE: Checking health", kind="CONTROL")))

    assert results(done) == ["Dropped"]
    assert done.books.controls == 1
    assert done.books.found == 0


BAD = [
    "no flow record",
    line(1, src="300.1.1.1"),
    "{",
    '{"v": 1, "line": 5}',
    '{"message": 5}',
    "[1, 2]",
    "null",
    b"\xff\xfe\x00",
    zipped(cloudwatch(line(1)))[:-9],
    b"\x1f\x8b nonsense",
    "version account-id srcaddr",
    "x" * 2_000_000,
    wrapped(line(1), layout="no ${layout} at all!"),
    '{"v": 1, "document": "[]"}',
]


@pytest.mark.parametrize("record", BAD)
def test_what_is_no_flow_record_comes_back_unchanged_and_harms_no_other(
    record: str | bytes,
) -> None:
    how = a_set()
    given = event(line(1), record, line(2))

    done = checked(given, how)

    assert results(done) == ["Ok", "ProcessingFailed", "Ok"]
    assert ports(done) == [[1], [], [2]]
    assert done.response["records"][1]["data"] == given["records"][1]["data"]
    assert done.counts["failed_no_flow_record"] == 1
    assert how.stream.calls == []


@pytest.mark.parametrize("data", ["%%%", "AAA", "é", 5, None, "AA=="])
def test_data_that_is_no_base64_fails_or_is_no_record(data: Any) -> None:
    given = event(line(1), line(2))
    given["records"][0]["data"] = data

    done = checked(given, a_set())

    assert results(done) == ["ProcessingFailed" if data != "AA==" else "Dropped", "Ok"]


def test_a_header_tells_the_layout_in_its_own_record_only() -> None:
    header = "version srcaddr srcport"

    done = transform(f"{line(1)}\n{header}\n2 192.0.2.1 5", line(2), f"{header}\n2 192.0.2.1 6")

    assert ports(done) == [[1, 5], [2], [6]]
    assert done.books.headers == 2


def test_a_header_that_names_a_field_twice_spoils_its_own_record_only() -> None:
    how = a_set()

    done = checked(event(line(1), "version version srcaddr\n2 2 192.0.2.1", line(2)), how)

    assert results(done) == ["Ok", "ProcessingFailed", "Ok"]
    assert done.books.rejected == {"ambiguous_layout": 2}


def test_bad_lines_go_back_singly_and_the_good_ones_of_their_record_are_delivered() -> None:
    how = a_set()

    done = checked(event(f"{line(1)}\nbad one\n{line(2)}\nbad two", line(3)), how)

    assert ports(done) == [[1, 2], [3]]
    assert [(one["line"], one["attempt"]) for one in how.stream.taken] == [
        ("bad one", 1),
        ("bad two", 1),
    ]
    assert (done.books.delivered, done.books.requeued) == (3, 2)


def test_what_went_back_ends_as_processing_failed() -> None:
    how = a_set()
    checked(event(f"{line(1)}\nbad"), how)

    done = checked(event(*how.stream.calls[0]), how)

    assert results(done) == ["ProcessingFailed"]
    assert done.books.rejected == {"too_few_fields": 1}
    assert len(how.stream.calls) == 1


def test_an_envelope_with_a_broken_event_is_parted_too() -> None:
    how = a_set()
    body = json.loads(cloudwatch(line(1), line(2)))
    body["logEvents"][0] = {"id": "1"}

    done = checked(event(json.dumps(body)), how)
    again = checked(event(*how.stream.calls[0]), how)

    assert ports(done) == [[2]]
    assert results(again) == ["ProcessingFailed"]


@pytest.mark.parametrize(
    "source",
    [
        {"sourceKinesisStreamArn": KINESIS_ARN},
        {"sourceMSKArn": "arn:aws:kafka:eu-west-1:123456789012:cluster/c/1"},
    ],
)
def test_where_the_source_refuses_puts_the_whole_record_fails(source: dict[str, str]) -> None:
    how = a_set()
    given = event(f"{line(1)}\nbad", line(2), **source)

    done = checked(given, how)

    assert results(done) == ["ProcessingFailed", "Ok"]
    assert done.response["records"][0]["data"] == given["records"][0]["data"]
    assert (done.books.failed, done.books.rejected.total()) == (1, 1)
    assert done.counts["failed_with_bad_lines"] == 1
    assert done.counts["puts_not_allowed"] == 1
    assert how.stream.calls == []


def test_records_of_a_stream_tell_that_the_source_is_one() -> None:
    given = event(f"{line(1)}\nbad")
    given["records"][0]["kinesisRecordMetadata"] = {"shardId": "shardId-000000000000"}

    assert results(checked(given, a_set())) == ["ProcessingFailed"]


def test_records_of_kafka_have_their_data_under_another_name() -> None:
    given = event(line(1), "bad")
    for record in given["records"]:
        record["kafkaRecordValue"] = record.pop("data")

    done = a_set().transformation(given)

    good, bad = done.response["records"]
    assert json.loads(base64.b64decode(good["kafkaRecordValue"]))["srcport"] == 1
    assert bad["kafkaRecordValue"] == given["records"][1]["kafkaRecordValue"]
    assert "data" not in good


@pytest.mark.parametrize("answer", ["ServiceUnavailableException", DENIED])
def test_a_record_is_dropped_or_delivered_only_once_its_puts_are_confirmed(answer: Any) -> None:
    how = a_set(stream=FakeStream(answer))

    done = checked(event(f"{line(1)}\nbad"), how, remaining_s=8)

    assert results(done) == ["ProcessingFailed"]
    assert done.books.requeued == 0


def test_only_the_record_whose_put_is_refused_fails() -> None:
    stream = FakeStream(lambda one: "InternalFailure" if b"worse" in one else None)
    how = a_set(stream=stream)

    done = checked(event(f"{line(1)}\nbad", f"{line(2)}\nworse"), how, remaining_s=8)

    assert results(done) == ["Ok", "ProcessingFailed"]
    assert (done.books.delivered, done.books.requeued, done.books.failed) == (1, 1, 1)


def test_one_document_a_record_lets_the_further_lines_go_back_singly() -> None:
    how = a_set(one_document=True)

    done = checked(event(zipped(cloudwatch(line(1), line(2), line(3))), line(4)), how)
    again = checked(event(*how.stream.calls[0]), how)

    assert ports(done) == [[1], [4]]
    assert ports(again) == [[2], [3]]
    assert [one["id"] for one in how.stream.taken] == ["2", "3"]
    assert all(b"\n" not in text for text in texts(done))
    assert done.books.requeued == 2


def test_one_document_where_nothing_can_go_back_fails_and_never_gives_only_the_first() -> None:
    how = a_set(one_document=True)

    done = checked(event(cloudwatch(line(1), line(2)), sourceKinesisStreamArn=KINESIS_ARN), how)

    assert results(done) == ["ProcessingFailed"]
    assert done.books.failed == 2
    assert done.counts["failed_several_documents"] == 1


def test_one_document_counts_only_what_passes_the_filters() -> None:
    how = a_set(one_document=True, actions=frozenset({"REJECT"}))

    done = checked(event(f"{line(1)}\n{line(2, action='REJECT')}\n{line(3)}"), how)

    assert ports(done) == [[2]]
    assert how.stream.calls == []
    assert done.books.filtered == 2


def test_what_a_setting_leaves_out_is_dropped_and_counted() -> None:
    how = a_set(log_statuses=frozenset({"OK"}), actions=frozenset({"REJECT"}))
    nodata = "2 123456789012 eni-0a1b2c3d4e5f60718 - - - - - - - 1700000001 1700000059 - NODATA"

    done = checked(event(line(1), nodata, line(2, action="REJECT")), how)

    assert results(done) == ["Dropped", "Dropped", "Ok"]
    assert done.books.filtered == 2
    assert done.books.log_status == {"NODATA": 1}


def test_a_record_of_bad_lines_and_ones_left_out_is_dropped_once_the_bad_went_back() -> None:
    how = a_set(actions=frozenset({"REJECT"}))

    done = checked(event(f"{line(1)}\nbad"), how)

    assert results(done) == ["Dropped"]
    assert (done.books.filtered, done.books.requeued) == (1, 1)


def test_records_without_an_action_pass_a_filter_of_actions() -> None:
    nodata = "2 123456789012 eni-0a1b2c3d4e5f60718 - - - - - - - 1700000001 1700000059 - NODATA"

    done = transform(nodata, actions=frozenset({"REJECT"}))

    assert results(done) == ["Ok"]


def test_the_envelopes_layout_goes_before_the_stated_one_and_that_before_the_groups() -> None:
    stated = parse_log_format("version srcaddr srcport")
    of_group = {"flow-logs": (parse_log_format("version dstaddr dstport"),)}
    lines = (
        wrapped("2 192.0.2.1 1", layout="${version} ${dstaddr} ${bytes}"),
        cloudwatch("2 192.0.2.1 2"),
    )

    with_both = transform(*lines, references=FakeReferences(layouts=Layouts([stated])))
    of_groups = transform(lines[1], references=FakeReferences(layouts=Layouts(of_group=of_group)))

    (first,), (second,) = documents(with_both)
    assert (first["bytes"], second["srcport"]) == (1, 2)
    assert documents(of_groups)[0][0]["dstport"] == 2


def test_lines_go_back_with_the_layout_of_their_log_group() -> None:
    of_group = {"flow-logs": (parse_log_format("version srcaddr srcport"),)}
    how = a_set(one_document=True, references=FakeReferences(layouts=Layouts(of_group=of_group)))

    checked(event(cloudwatch("2 192.0.2.1 1", "2 192.0.2.1 2")), how)
    again = checked(event(*how.stream.calls[0]), a_set())

    assert ports(again) == [[2]]


def test_a_line_of_two_possible_layouts_goes_back_and_is_not_guessed_at() -> None:
    two = (parse_log_format("version srcaddr srcport"), parse_log_format("version srcaddr dstport"))
    how = a_set(references=FakeReferences(layouts=Layouts(of_group={"flow-logs": two})))
    clear = cloudwatch("2 192.0.2.1 1", group="flow-logs")

    done = checked(event(clear + line(1).encode()), how)
    again = checked(event(*how.stream.calls[0]), a_set())

    assert ports(done) == [[1]]
    assert results(again) == ["ProcessingFailed"]
    assert again.books.rejected == {"ambiguous_layout": 1}


def test_the_stream_of_the_event_is_asked_for_layouts() -> None:
    references = FakeReferences()

    transform(line(1), references=references)

    assert references.asked == [STREAM_ARN]


def test_a_document_made_before_is_handed_on_as_it_is() -> None:
    text = '{"event_id": "0123", "srcport": 5}'
    envelope = json.dumps({"v": 1, "document": text})

    done = transform(envelope, line(1))

    assert texts(done)[0] == text.encode() + b"\n"
    assert done.books.delivered == 2


def test_a_line_that_is_not_utf_8_goes_back_and_ends_as_it_began() -> None:
    how = a_set()
    bad = b"2 \xff\xfe bad"

    checked(event(line(1).encode() + b"\n" + bad), how)
    again = checked(event(*how.stream.calls[0]), how)

    assert results(again) == ["ProcessingFailed"]
    assert "\udcff\udcfe" in how.stream.taken[0]["line"]


def test_all_layouts_of_all_records_may_differ() -> None:
    layouts = ["version srcaddr srcport", "srcport bytes version srcaddr", "srcport tgw-id"]
    lines = ["2 192.0.2.1 1", "2 100 2 192.0.2.1", "3 tgw-1"]

    done = transform(*(wrapped(one, layout=of) for one, of in zip(lines, layouts)), line(4))

    assert ports(done) == [[1], [2], [3], [4]]


def test_the_appenders_documents_are_those_of_the_file_pipeline() -> None:
    ((document,),) = documents(transform(line(1), schema="appender"))

    assert document["source-city"] == ""
    assert document["destaddr"] == "10.0.1.24"
    assert "event_id" not in document


def test_a_record_of_which_one_line_is_not_surely_back_fails_whole() -> None:
    stream = FakeStream(lambda one: "InternalFailure" if b"worse" in one else None)

    done = checked(event(f"{line(1)}\nbad\nworse"), a_set(stream=stream), remaining_s=8)

    assert results(done) == ["ProcessingFailed"]
    assert (done.books.failed, done.books.rejected.total(), done.books.requeued) == (1, 2, 0)


def test_a_document_alone_that_does_not_fit_fails_and_does_not_go_round() -> None:
    how = a_set(response_limit_bytes=300)
    large = json.dumps({"v": 1, "document": json.dumps({"text": "x" * 400})})

    done = checked(event(large), how)

    assert results(done) == ["ProcessingFailed"]
    assert how.stream.calls == []


def test_documents_of_one_record_that_do_not_fit_go_back_singly() -> None:
    how = a_set(response_limit_bytes=300)
    bodies = [json.dumps({"n": n, "x": "x" * 90}) for n in (1, 2)]
    two = "".join(json.dumps({"v": 1, "document": body}) for body in bodies)

    done = checked(event(two), how)

    assert results(done) == ["Dropped"]
    assert [json.loads(one["document"])["n"] for one in how.stream.taken] == [1, 2]


def test_lines_of_one_event_have_ids_of_their_own_as_the_ingestor_gives_them() -> None:
    layouts = FakeReferences(layouts=Layouts([parse_log_format(V3)]))

    done = transform(cloudwatch(f"{V3_LINE}\n{V3_LINE}", first_id=41), references=layouts)

    first, second = documents(done)[0]
    assert (first["cloudwatch_event_id"], second["cloudwatch_event_id"]) == ("41", "41:2")
    assert first["event_id"] != second["event_id"]


def test_a_record_that_unzips_to_more_than_any_batch_holds_fails() -> None:
    done = transform(zipped(b"\n" * (MAX_UNPACKED_BYTES + 1)), line(1))

    assert results(done) == ["ProcessingFailed", "Ok"]
