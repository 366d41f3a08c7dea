"""
Write the events of this folder: ``python tests/events/make.py``. What is expected of each is written by hand, here.

The forms are those that AWS's documentation and runtime show; addresses, accounts and names are examples.
"""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ACCOUNT, REGION = "123456789012", "eu-west-1"
STREAM = f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/VPCFlowLogsToElasticSearch"
V5 = "${version} ${vpc-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${flow-direction}"


def line(port: int, *, source: str = "203.0.113.9", action: str = "ACCEPT") -> str:
    return f"2 {ACCOUNT} eni-0a1b2c3d4e5f60718 {source} 10.0.1.24 {port} 443 6 12 4840 1766000000 1766000059 {action} OK"


NODATA = f"2 {ACCOUNT} eni-0a1b2c3d4e5f60718 - - - - - - - 1766000000 1766000059 - NODATA"
V5_LINE = "5 vpc-0a1b2c3d4e5f60718 eni-0a1b2c3d4e5f60718 203.0.113.9 10.0.1.24 7 443 ingress"


def subscription(*messages: str, kind: str = "DATA_MESSAGE", first: int = 1) -> bytes:
    body = {
        "messageType": kind,
        "owner": ACCOUNT if kind == "DATA_MESSAGE" else "CloudwatchLogs",
        "logGroup": "vpc-flow-logs" if kind == "DATA_MESSAGE" else "",
        "logStream": "eni-0a1b2c3d4e5f60718-all" if kind == "DATA_MESSAGE" else "",
        "subscriptionFilters": ["flow-logs"] if kind == "DATA_MESSAGE" else [],
        "logEvents": [
            {"id": f"{39 * 10**54 + first + i}", "timestamp": 1766000000000, "message": message}
            for i, message in enumerate(messages)
        ],
    }
    return json.dumps(body, separators=(",", ":")).encode()


def zipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def ours(text: str, attempt: int = 0, layout: str | None = None) -> str:
    return (
        json.dumps({"v": 1, "id": "39", "line": text, "layout": layout, "attempt": attempt}) + "\n"
    )


def firehose(
    *records: str | bytes, more: dict[str, Any] | None = None, **top: Any
) -> dict[str, Any]:
    return {
        "invocationId": "8a7f6c5d-0b1e-4c3d-9e2f-001122334455",
        "deliveryStreamArn": STREAM,
        "region": REGION,
        **top,
        "records": [
            {
                "recordId": f"{49546986683135544286507457936321625675700192471156785154 + i}",
                "approximateArrivalTimestamp": 1766000123456 + i,
                **(more or {}),
                "data": base64.b64encode(one.encode() if isinstance(one, str) else one).decode(),
            }
            for i, one in enumerate(records)
        ],
    }  # fmt: skip


KINESIS = {
    "kinesisRecordMetadata": {
        "sequenceNumber": "49546986683135544286507457936321625675700192471156785154",
        "subsequenceNumber": 0,
        "partitionKey": "03",
        "shardId": "shardId-000000000000",
        "approximateArrivalTimestamp": 1766000123456,
    }
}
CONTROL = subscription("CWL CONTROL MESSAGE: Checking health of destination Firehose.", kind="CONTROL_MESSAGE")  # fmt: skip

# The source ports of each record's documents, or why it has none; and the lines that go back on the stream.
DECORATOR: dict[str, tuple[dict[str, Any], list[Any], list[str]]] = {
    "bare-lines": (firehose(line(1), line(2) + "\n", f"{line(3)}\n{line(4)}\n"), [[1], [2], [3, 4]], []),
    "our-envelope": (firehose(ours(line(1)), ours(V5_LINE, layout=V5)), [[1], [7]], []),
    "messages": (
        firehose(json.dumps({"message": line(1)}), "".join(json.dumps({"message": line(n)}) for n in (2, 3))),
        [[1], [2, 3]],
        [],
    ),
    "cloudwatch-zipped": (
        firehose(zipped(subscription(line(1), line(2))), zipped(subscription(line(3))) + zipped(subscription(line(4)))),
        [[1, 2], [3, 4]],
        [],
    ),
    "cloudwatch-decompressed": (firehose(subscription(line(1), line(2)) + b"\n"), [[1, 2]], []),
    "messages-extracted": (firehose(line(1) + line(2) + line(3), NODATA + line(4)), [[1, 2, 3], [None, 4]], []),
    "control-message": (firehose(zipped(CONTROL), line(1)), ["Dropped", [1]], []),
    "blank": (firehose("", "\n", " \r\n", line(1)), ["Dropped", "Dropped", "Dropped", [1]], []),
    "no-records": (firehose(), [], []),
    "good-and-bad-lines": (firehose(f"{line(1)}\nnot a flow\n{line(2)}", line(3)), [[1, 2], [3]], ["not a flow"]),
    "from-kinesis": (
        firehose(f"{line(1)}\nnot a flow", line(2), more=KINESIS, sourceKinesisStreamArn=f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/flow-logs"),
        ["ProcessingFailed", [2]],
        [],
    ),
    "damaged": (
        firehose("not a flow", line(1, source="300.0.113.9"), zipped(subscription(line(2)))[:-9], b"\x00\xff", '{"message": 5}', "{", line(3)),
        ["ProcessingFailed"] * 6 + [[3]],
        [],
    ),
    "attempts-spent": (firehose(ours("not a flow", attempt=3), ours(line(1), attempt=3)), ["ProcessingFailed", [1]], []),
}  # fmt: skip


def logs(payload: bytes) -> dict[str, Any]:
    return {"awslogs": {"data": base64.b64encode(payload).decode()}}


# The lines that go on the stream, or None where the invocation fails and CloudWatch Logs sends the event again.
INGESTOR: dict[str, tuple[dict[str, Any], list[str] | None]] = {
    "subscription": (logs(zipped(subscription(line(1), line(2)))), [line(1), line(2)]),
    "control-message": (logs(zipped(CONTROL)), []),
    "several-envelopes": (logs(zipped(subscription(line(1)) + subscription(line(2)))), [line(1), line(2)]),
    "several-members": (logs(zipped(subscription(line(1))) + zipped(subscription(line(2)))), [line(1), line(2)]),
    "envelopes-a-line-each": (
        logs(zipped(subscription(line(1)) + b"\n" + subscription(line(2)) + b"\n")),
        [line(1), line(2)],
    ),
    "envelopes-in-an-array": (logs(zipped(b"[" + subscription(line(1)) + b"," + subscription(line(2)) + b"]")), [line(1), line(2)]),
    "pretty-printed": (logs(zipped(json.dumps(json.loads(subscription(line(1))), indent=2).encode())), [line(1)]),
    "not-zipped": (logs(subscription(line(1))), [line(1)]),
    "bare-lines": (logs(zipped(f"{line(1)}\n{NODATA}\n".encode())), [line(1), NODATA]),
    "several-lines-in-a-message": (
        logs(zipped(subscription(f"{line(1)}\n\n{line(2)}\r\n", line(3) + "\n"))),
        [line(1), line(2), line(3)],
    ),
    "control-among-data": (logs(zipped(subscription(line(1))) + zipped(CONTROL) + zipped(subscription(line(2)))), [line(1), line(2)]),
    "message-like-a-control": (
        logs(zipped(subscription("CWL CONTROL MESSAGE: Checking health of destination Lambda."))),
        ["CWL CONTROL MESSAGE: Checking health of destination Lambda."],
    ),
    "message-that-is-no-text": (logs(zipped(b'{"logEvents":[{"id":"1","message":5}]}')), ['{"id":"1","message":5}']),
    "json-that-is-no-envelope": (logs(zipped(b'{"hello":"world"}')), ['{"hello":"world"}']),
    "letters-of-many-kinds": (logs(zipped(subscription('é 流 \U0001f600 "quoted" \\ \t'))), ['é 流 \U0001f600 "quoted" \\ \t']),
    "no-events": (logs(zipped(subscription())), []),
    "empty-payload": (logs(zipped(b"")), []),
    "empty-data": (logs(b""), []),
    "no-flow-lines": (logs(zipped(subscription("", "START RequestId: 1"))), ["START RequestId: 1"]),
    "cut-short": (logs(zipped(subscription(line(1)))[:-9]), None),
    "wrong-checksum": (logs(zipped(subscription(line(1)))[:-8] + bytes(8)), None),
    "data-that-is-no-text": ({"awslogs": {"data": 5}}, None),
    "no-base64": ({"awslogs": {"data": "%"}}, None),
    "another-event": ({"Records": []}, None),
    "test-event-of-the-console": ({"key1": "value1", "key2": "value2", "key3": "value3"}, None),
}  # fmt: skip


def s3_notice(key: str, name: str = "ObjectCreated:Put") -> dict[str, Any]:
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": REGION,
        "eventTime": "2025-12-17T19:35:00.000Z",
        "eventName": name,
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": "flow-logs", "arn": "arn:aws:s3:::flow-logs"},
            "object": {"key": key, "size": 1024, "eTag": "d41d8cd98f00b204e9800998ecf8427e"},
        },
    }


def queue(*bodies: Any) -> dict[str, Any]:
    return {
        "Records": [
            {
                "messageId": f"19dd0b57-b21e-4ac1-bd88-0123456789{i:02d}",
                "receiptHandle": "MessageReceiptHandle",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": {"ApproximateReceiveCount": "1"},
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:flow-logs",
                "awsRegion": REGION,
            }
            for i, body in enumerate(bodies)
        ]
    }


KEY = f"AWSLogs/{ACCOUNT}/vpcflowlogs/{REGION}/2025/12/17/{ACCOUNT}_vpcflowlogs_{REGION}_fl-1234abcd_20251217T1935Z_c0ffee00.log.gz"
HIVE = f"AWSLogs/aws-account-id={ACCOUNT}/aws-service=vpcflowlogs/aws-region={REGION}/year=2025/month=12/day=17/x.log.gz"

# The objects that each message tells of, None where it makes no sense.
OBJECTS: dict[str, tuple[dict[str, Any], list[list[str] | None]]] = {
    "created": (queue({"Records": [s3_notice(KEY)]}), [[f"s3://flow-logs/{KEY}"]]),
    "hive-key-encoded": (queue({"Records": [s3_notice(HIVE.replace("=", "%3D"))]}), [[f"s3://flow-logs/{HIVE}"]]),
    "test-event": (queue({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "flow-logs"}), [[]]),
    "removed": (queue({"Records": [s3_notice(KEY, "ObjectRemoved:Delete")]}), [[]]),
    "damaged": (queue("{", {"Records": [s3_notice(KEY)]}), [None, [f"s3://flow-logs/{KEY}"]]),
}  # fmt: skip


def change(name: str, time: str) -> dict[str, Any]:
    return {
        "version": "0",
        "id": "12345678-1234-1234-1234-123456789012",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.ec2",
        "account": ACCOUNT,
        "time": time,
        "region": REGION,
        "resources": [],
        "detail": {"eventSource": "ec2.amazonaws.com", "eventName": name, "eventTime": time},
    }


SCHEDULE = {
    "version": "0",
    "id": "12345678-1234-1234-1234-123456789012",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": ACCOUNT,
    "time": "2025-12-17T19:35:00Z",
    "region": REGION,
    "resources": [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/inventory"],
    "detail": {},
}

# How many changes an event tells of, and when the last one was.
INVENTORY: dict[str, tuple[dict[str, Any], list[int | None]]] = {
    "schedule": (SCHEDULE, [0, None]),
    "interface-created": (change("CreateNetworkInterface", "2025-12-17T19:35:00Z"), [1, 1766000100]),
    "queued-changes": (
        queue(change("AuthorizeSecurityGroupIngress", "2025-12-17T19:35:00Z"), change("DeleteNetworkInterface", "2025-12-17T19:36:00Z")),
        [2, 1766000160],
    ),
}  # fmt: skip


def main() -> None:
    for name, (event, answers, back) in DECORATOR.items():
        _write("decorator", name, event, {"answers": answers, "back": back})
    for function, cases in (
        ("ingestor", INGESTOR),
        ("objects", OBJECTS),
        ("inventory", INVENTORY),
    ):
        for name, (event, expected) in cases.items():
            _write(function, name, event, expected)


def _write(function: str, name: str, event: Any, expected: Any) -> None:
    folder = HERE / function
    folder.mkdir(exist_ok=True)
    for suffix, value in (("json", event), ("expected.json", expected)):
        text = json.dumps(value, indent=1, ensure_ascii=False)
        (folder / f"{name}.{suffix}").write_text(f"{text}\n")


if __name__ == "__main__":
    main()
