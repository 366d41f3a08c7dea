"""Commands that send to a stream, as moto's server has it, over HTTP."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from commands import Vpcflow
from moto_server import moto_server

pytestmark = pytest.mark.integration

LINE = b"2 123456789012 eni-1 192.0.2.1 198.51.100.1 1 2 6 1 40 1700000000 1700000060 ACCEPT OK"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as url:
        yield url


class Account:
    """An account with a stream ``flows`` to a bucket, another bucket for what failed, and two queues."""

    def __init__(self) -> None:
        self.firehose = boto3.client("firehose")
        self.delivered = boto3.resource("s3").Bucket("example-delivered")
        self.aside = boto3.resource("s3").Bucket("example-aside")
        sqs = boto3.resource("sqs")
        self.dead, self.queue = (sqs.create_queue(QueueName=name) for name in ("dead", "objects"))
        for bucket in (self.delivered, self.aside):
            bucket.create()
        self.firehose.create_delivery_stream(
            DeliveryStreamName="flows",
            ExtendedS3DestinationConfiguration={
                "RoleARN": "arn:aws:iam::123456789012:role/delivery",
                "BucketARN": "arn:aws:s3:::example-delivered",
            },
        )

    def close(self) -> None:
        self.firehose.delete_delivery_stream(DeliveryStreamName="flows")
        for bucket in (self.delivered, self.aside):
            bucket.objects.delete()
            bucket.delete()
        for queue in (self.dead, self.queue):
            queue.delete()

    def records(self) -> list[Any]:
        text = b"".join(one.get()["Body"].read() for one in self.delivered.objects.all())
        return [json.loads(line) for line in text.splitlines()]

    def bodies(self, queue: Any) -> list[str]:
        return [message.body for message in queue.receive_messages(MaxNumberOfMessages=10)]


@pytest.fixture
def account(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    account = Account()
    yield account
    account.close()


def put_aside(*records: bytes, **more: str) -> bytes:
    entries = ({"rawData": base64.b64encode(record).decode(), **more} for record in records)
    return b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)


def subscription(*messages: str) -> str:
    events = [{"id": str(i), "message": message} for i, message in enumerate(messages)]
    body = json.dumps({"messageType": "DATA_MESSAGE", "logEvents": events}).encode()
    return json.dumps({"awslogs": {"data": base64.b64encode(gzip.compress(body)).decode()}})


def test_enriched_documents_go_to_a_stream(vpcflow: Vpcflow, account: Account):
    done = vpcflow("enrich", "--geo", "off", "--to", "firehose://flows", given=LINE + b"\n" + LINE)

    assert done.status == 0
    assert [record["srcaddr"] for record in account.records()] == ["192.0.2.1"] * 2
    assert "2 records found = 2 delivered" in done.err


def test_a_stream_that_does_not_exist_is_said_and_nothing_is_delivered(
    vpcflow: Vpcflow, account: Account
):
    done = vpcflow("enrich", "--geo", "off", "--to", "firehose://none", given=LINE)

    assert done.status == 1
    assert "'none'" in done.err and "ResourceNotFoundException" in done.err


def test_rate_and_wrap_are_of_a_stream_alone(vpcflow: Vpcflow):
    done = vpcflow("enrich", "--rate", "5", given=LINE)

    assert (done.status, "firehose://NAME alone" in done.err) == (2, True)


def test_an_outage_of_the_index_is_healed_by_one_command(vpcflow: Vpcflow, account: Account):
    key = "AmazonOpenSearchService_failed/2026/01/31/12/flows-1"
    documents = [b'{"event_id":"a"}', b'{"event_id":"b"}\n']
    account.aside.put_object(Key=key, Body=put_aside(*documents, esIndexName="flows"))
    command = (
        "redrive",
        "--to",
        "firehose://flows",
        "s3://example-aside/AmazonOpenSearchService_failed/",
    )

    dry = vpcflow(*command, "--dry-run")
    before = (account.records(), [one.key for one in account.aside.objects.all()])
    done = vpcflow(*command)
    again = vpcflow(*command)

    assert (dry.status, before) == (0, ([], [key]))
    assert "2 records found = 2 delivered" in dry.err and "nothing was sent" in dry.err
    assert done.status == 0
    assert "2 records found = 2 delivered" in done.err and "1 sent whole, 0 left" in done.err
    sent = account.records()
    assert [json.loads(record["document"])["event_id"] for record in sent] == ["a", "b"]
    assert [one.key for one in account.aside.objects.all()] == [f"redriven/{key}"]
    assert (again.status, "no objects below" in again.err) == (1, True)


def test_files_here_are_sent_again_and_kept_or_not(
    vpcflow: Vpcflow, account: Account, tmp_path: Path
):
    file = tmp_path / "failed"
    file.write_bytes(put_aside(b'{"v":1,"id":"7","line":"2 x","layout":null,"attempt":3}\n'))

    kept = vpcflow("redrive", "--to", "firehose://flows", "--done", "keep", file)
    deleted = vpcflow("redrive", "--to", "firehose://flows", "--done", "delete", tmp_path)

    assert (kept.status, deleted.status, file.exists()) == (0, 0, False)
    assert (
        account.records() == [{"v": 1, "id": "7", "line": "2 x", "layout": None, "attempt": 0}] * 2
    )


def test_a_file_with_what_cannot_be_sent_is_left_and_the_status_says_so(
    vpcflow: Vpcflow, account: Account, tmp_path: Path
):
    file = tmp_path / "failed"
    file.write_bytes(put_aside(b"{}\n") + b"what?\n")

    done = vpcflow("redrive", "--to", "firehose://flows", file)

    assert (done.status, file.exists()) == (3, True)
    assert "1 delivered + 0 filtered + 1 rejected" in done.err
    assert "is left: 1 of its entries no record that failed" in done.err


def test_a_dry_run_counts_what_no_record_can_hold_as_failed(
    vpcflow: Vpcflow, account: Account, tmp_path: Path
):
    file = tmp_path / "failed"
    file.write_bytes(put_aside(b"{}\n", b"x" * 1_024_001))

    done = vpcflow("redrive", "--to", "firehose://flows", "--dry-run", file)

    assert (done.status, account.records()) == (3, [])
    assert "1 delivered + 0 filtered + 0 rejected + 1 failed" in done.err


def test_a_stream_that_refuses_for_good_leaves_the_files(
    vpcflow: Vpcflow, account: Account, tmp_path: Path
):
    file = tmp_path / "failed"
    file.write_bytes(put_aside(b"{}\n"))

    done = vpcflow("redrive", "--to", "firehose://none", file)

    assert (done.status, file.exists()) == (1, True)
    assert "ResourceNotFoundException" in done.err and "1 failed" in done.err


@pytest.mark.parametrize("by_url", [False, True])
def test_events_of_a_dead_letter_queue_are_sent_line_by_line(
    vpcflow: Vpcflow, account: Account, by_url: bool
):
    account.dead.send_message(MessageBody=subscription("2 a", "2 b"))

    address = account.dead.url if by_url else "sqs://dead"
    done = vpcflow("redrive", "--to", "firehose://flows", "--log-format", "version x", address)

    assert done.status == 0
    assert [(r["id"], r["line"], r["layout"]) for r in account.records()] == [
        ("0", "2 a", "${version} ${x}"),
        ("1", "2 b", "${version} ${x}"),
    ]
    assert account.bodies(account.dead) == []


def test_notices_of_s3_are_handed_on_to_their_queue(vpcflow: Vpcflow, account: Account):
    notice = json.dumps({"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": "k"}}}]})
    account.dead.send_message(MessageBody=notice)

    to_stream = vpcflow("redrive", "--to", "firehose://flows", "sqs://dead")
    dry = vpcflow("redrive", "--to", "sqs://objects", "--dry-run", "sqs://dead")
    done = vpcflow("redrive", "--to", "sqs://objects", "sqs://dead")

    assert (to_stream.status, dry.status, done.status) == (1, 0, 0)
    assert "goes to a queue, not to a stream" in to_stream.err
    assert account.bodies(account.queue) == [notice]
    assert account.bodies(account.dead) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--to", "s3://x/", "y"), "neither firehose://NAME nor sqs://NAME"),
        (("--to", "sqs://objects", "y"), "'y' is no queue"),
        (("--to", "sqs://objects", "sqs://objects"), "is one of the sources"),
        (("--to", "firehose://a b", "y"), "names no Firehose stream"),
        (("--to", "firehose://a", "--done", "burn", "y"), "--done 'burn' is not known"),
    ],
)
def test_wrong_usage_is_said(
    vpcflow: Vpcflow,
    account: Account,
    arguments: tuple[str, ...],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "y").write_bytes(put_aside(b"{}"))

    done = vpcflow("redrive", *arguments)

    assert (done.status, words in done.err) == (2, True)


def test_a_queue_that_does_not_exist_is_said(vpcflow: Vpcflow, account: Account):
    done = vpcflow("redrive", "--to", "firehose://flows", "sqs://none")

    assert (done.status, "'none'" in done.err) == (1, True)
