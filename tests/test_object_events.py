"""Messages about new objects, by every way they come."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vpcflow.errors import FormatError
from vpcflow.object_events import new_objects
from vpcflow.object_store import ObjectUrl

HIVE_KEY = "AWSLogs/aws-account-id=123456789012/year=2026/a b+c%é.log.gz"
HIVE_ENCODED = "AWSLogs/aws-account-id%3D123456789012/year%3D2026/a+b%2Bc%25%C3%A9.log.gz"


def s3_record(key: str, event: str = "ObjectCreated:Put") -> dict[str, Any]:
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": event,
        "s3": {"bucket": {"name": "logs"}, "object": {"key": key, "size": 9}},
    }


def s3_message(*records: dict[str, Any]) -> str:
    return json.dumps({"Records": records})


def sns_message(message: str) -> str:
    return json.dumps({"Type": "Notification", "MessageId": "1", "Message": message})


def eventbridge_message(key: str, kind: str = "Object Created") -> str:
    return json.dumps(
        {
            "version": "0",
            "detail-type": kind,
            "source": "aws.s3",
            "detail": {"bucket": {"name": "logs"}, "object": {"key": key, "size": 9}},
        }
    )


@pytest.mark.parametrize(
    "message",
    [
        s3_message(s3_record(HIVE_ENCODED)),
        s3_message(s3_record(HIVE_ENCODED, "ObjectCreated:CompleteMultipartUpload")),
        s3_message(s3_record(HIVE_ENCODED, "s3:ObjectCreated:Put")),
        s3_message(s3_record(HIVE_ENCODED), s3_record(HIVE_ENCODED)),
        sns_message(s3_message(s3_record(HIVE_ENCODED))),
        eventbridge_message(HIVE_KEY),
        sns_message(eventbridge_message(HIVE_KEY)),
    ],
)
def test_keys_are_as_they_are_in_the_bucket(message: str) -> None:
    assert new_objects(message) == [ObjectUrl("logs", HIVE_KEY)]


def test_a_message_may_name_several_objects() -> None:
    assert [one.key for one in new_objects(s3_message(*map(s3_record, "abc")))] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "message",
    [
        '{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"logs","RequestId":"1"}',
        sns_message('{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"logs"}'),
        s3_message(s3_record("a", "ObjectRemoved:Delete")),
        s3_message(s3_record("a", "ObjectRestore:Completed")),
        eventbridge_message("a", "Object Deleted"),
        s3_message(),
    ],
)
def test_what_tells_of_no_new_object_names_none(message: str) -> None:
    assert new_objects(message) == []


@pytest.mark.parametrize(
    "message",
    [
        "",
        "neither",
        "[]",
        "7",
        "null",
        "{}",
        '{"Records": 7}',
        '{"Records": [7]}',
        '{"Records": [{"eventName": "ObjectCreated:Put"}]}',
        '{"Records": [{"eventName": null, "s3": {}}]}',
        '{"Type": "Notification"}',
        sns_message("neither"),
        '{"source": "aws.s3"}',
        '{"source": "aws.s3", "detail-type": "Object Created", "detail": []}',
    ],
)
def test_any_other_message_is_an_error(message: str) -> None:
    with pytest.raises(FormatError, match="none of S3's"):
        new_objects(message)
