"""Queues of SQS, as ``vpcflow.redrive.queues`` wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from vpcflow.aws.clients import AT_A_DESK, client
from vpcflow.aws.failures import aws_errors
from vpcflow.errors import FormatError
from vpcflow.redrive.queues import SCHEME, Message

if TYPE_CHECKING:
    from collections.abc import Sequence

_HIDDEN_S = 600
_WAIT_S = 2


def open_queue(address: str) -> SqsQueue:
    """Find a queue by ``sqs://NAME`` or its URL; raises ``AwsError``, and ``FormatError`` for a bad name."""
    if not address.startswith(SCHEME):
        return SqsQueue(_client_at(address), address)
    name = address.removeprefix(SCHEME).rstrip("/")
    if not name or "/" in name:
        raise FormatError(f"{address!r} names no queue: write sqs://NAME")
    sqs = client("sqs", patience=AT_A_DESK)
    with aws_errors(f"find the queue {name!r}"):
        return SqsQueue(sqs, sqs.get_queue_url(QueueName=name)["QueueUrl"])


def _client_at(url: str) -> Any:
    """Make a client of the region that the queue's URL names, as a queue can be asked nowhere else."""
    labels = (urlsplit(url).hostname or "").split(".")
    region = labels[1] if labels[0] == "sqs" and len(labels) > 3 else None
    return client("sqs", region=region, patience=AT_A_DESK)


class SqsQueue:
    """One queue."""

    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs = sqs
        self.url = url

    @property
    def name(self) -> str:
        """The last part of the queue's URL."""
        return self.url.rpartition("/")[2]

    def receive(self) -> Sequence[Message]:
        """Receive up to ten messages; none where none came within two seconds."""
        with aws_errors(f"receive messages of the queue {self.name!r}"):
            answer = self._sqs.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=_HIDDEN_S,
                WaitTimeSeconds=_WAIT_S,
            )
        return [
            Message(one["MessageId"], one["Body"], one["ReceiptHandle"])
            for one in answer.get("Messages", [])
        ]

    def delete(self, message: Message) -> None:
        """Delete a message received."""
        with aws_errors(f"delete a message of the queue {self.name!r}"):
            self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message.receipt)

    def release(self, message: Message) -> None:
        """Let a message received be seen again."""
        with aws_errors(f"release a message of the queue {self.name!r}"):
            self._sqs.change_message_visibility(
                QueueUrl=self.url, ReceiptHandle=message.receipt, VisibilityTimeout=0
            )

    def send(self, body: str) -> str:
        """Send a message, and give its id, which it keeps where it ends among the dead letters."""
        with aws_errors(f"send a message to the queue {self.name!r}"):
            answer = self._sqs.send_message(QueueUrl=self.url, MessageBody=body)
        return str(answer["MessageId"])
