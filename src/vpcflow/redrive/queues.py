"""Dead-letter queues: messages as sources, and messages handed on to another queue."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from vpcflow.errors import AwsError
from vpcflow.redrive.put_aside import Found, read_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vpcflow.layout import Layout
    from vpcflow.stats import Books


SCHEME = "sqs://"


def is_queue_address(text: str) -> bool:
    """Tell whether something names a queue: ``sqs://NAME``, or a queue's URL."""
    return text.startswith((SCHEME, "https://", "http://"))


class Message(NamedTuple):
    """A message received: its id, its body, and what its deletion takes."""

    message_id: str
    body: str
    receipt: str


class Queue(Protocol):
    """A queue of SQS. Every call raises ``AwsError``."""

    @property
    def name(self) -> str: ...

    @property
    def url(self) -> str: ...

    def receive(self) -> Sequence[Message]:
        """Receive up to ten messages, which nobody else sees for some minutes; none where there are none."""
        ...

    def delete(self, message: Message) -> None:
        """Delete a message received."""
        ...

    def release(self, message: Message) -> None:
        """Let others see a message received again at once."""
        ...

    def send(self, body: str) -> str:
        """Send a message; when this returns, the queue has it, under the id given."""
        ...


def messages(
    queue: Queue, *, is_done_deleted: bool, layout: Layout | None = None
) -> Iterator[QueuedMessage]:
    """
    Give the messages of a queue until it has no more; those left or kept are seen by others again at the end.

    A message is given once, even where the queue hands it out again: in a long run those held are seen by others, and
    by this one, before the end.
    """
    seen: set[str] = set()
    held: dict[str, Message] = {}
    try:
        while received := queue.receive():
            for message in received:
                if message.message_id in held:
                    # Only what the queue gave with the last receipt can be released.
                    held[message.message_id] = message
                if message.message_id not in seen:
                    seen.add(message.message_id)
                    yield QueuedMessage(queue, message, is_done_deleted, layout, held)
    finally:
        for message in held.values():
            # Where that is refused, the message is seen again by itself.
            with suppress(AwsError):
                queue.release(message)


@dataclass(frozen=True)
class QueuedMessage:
    """A message as a source."""

    queue: Queue
    message: Message
    is_done_deleted: bool
    layout: Layout | None
    held: dict[str, Message]

    @property
    def name(self) -> str:
        return f"message {self.message.message_id} of {self.queue.name}"

    def read(self) -> Found:
        """Give the records in it."""
        return read_message(self.name, self.message.body, self.layout)

    def done(self) -> None:
        """Delete it, or let it be."""
        if self.is_done_deleted:
            self.queue.delete(self.message)
        else:
            self.left()

    def left(self) -> None:
        """Let it be seen again when all is done."""
        self.held[self.message.message_id] = self.message


def hand_on(
    source: Queue,
    target: Queue,
    books: Books,
    *,
    pace: Callable[[int], None] = lambda _: None,
) -> None:
    """
    Send each message of a queue to another as it is, and then delete it; the books count messages.

    One that fails again meanwhile, and comes back under the id it was sent with, is left: else this would never end.
    """
    sent: set[str] = set()
    while received := source.receive():
        for message in received:
            if message.message_id in sent:
                continue
            pace(1)
            sent.add(target.send(message.body))
            source.delete(message)
            books.found += 1
            books.delivered += 1


def count_messages(queue: Queue, books: Books) -> None:
    """Count the messages of a queue as found and delivered; all are seen by others again."""
    for message in messages(queue, is_done_deleted=False):
        message.left()
        books.found += 1
        books.delivered += 1
