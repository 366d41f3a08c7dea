"""Sources are done with when all of them was taken, and not before; the books balance."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from stores import FakeStore

from vpcflow.errors import AwsError, SinkError, SourceError
from vpcflow.object_store import parse_object_url
from vpcflow.redrive import Redriven, redrive
from vpcflow.redrive.files import Done, local_files, stored_files
from vpcflow.redrive.queues import Message, count_messages, hand_on, messages
from vpcflow.sinks.firehose import TOO_LARGE, PutResult
from vpcflow.stats import Books


def file(*records: bytes) -> bytes:
    return b"".join(
        json.dumps({"rawData": base64.b64encode(record).decode()}).encode() + b"\n"
        for record in records
    )


class Sent:
    """Takes records, but for those given."""

    def __init__(self, *refused: bytes, permanent: bool = False, code: str = "Busy") -> None:
        self.records: list[bytes] = []
        self._refused = refused
        self._code = code
        self._error = AwsError("no", code="X", permanent=True) if permanent else None

    def __call__(self, records: Sequence[bytes]) -> PutResult:
        self.records += records
        codes = tuple(self._code if record in self._refused else None for record in records)
        return PutResult(codes, possible_duplicates=1, error=self._error)


class FakeQueue:
    """A queue that hands its messages out again, once they are released; two at a time."""

    def __init__(self, name: str, *bodies: str) -> None:
        self.name = self.url = name
        self.visible = [Message(str(i), body, f"r{i}") for i, body in enumerate(bodies)]
        self.hidden: list[Message] = []

    @property
    def bodies(self) -> list[str]:
        return [message.body for message in self.visible]

    def receive(self) -> Sequence[Message]:
        given, self.visible = self.visible[:2], self.visible[2:]
        self.hidden += given
        return given

    def delete(self, message: Message) -> None:
        self.hidden.remove(message)

    def release(self, message: Message) -> None:
        self.hidden.remove(message)
        self.visible.append(message)

    def send(self, body: str) -> str:
        self.visible.append(Message(body, body, body))
        return body


def notice(key: str) -> str:
    return json.dumps({"Records": [{"s3": {"object": {"key": key}}}]})


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("done", "left"),
    [("move", ["redriven/x/a", "redriven/x/b"]), ("delete", []), ("keep", ["x/a", "x/b"])],
)
def test_a_file_that_was_taken_whole_is_moved_deleted_or_kept(
    done: Done, left: list[str], tmp_path: Path
):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a").write_bytes(file(b"1", b"2"))
    (tmp_path / "x" / "b").write_bytes(file(b"3"))
    sent, books = Sent(), Books()

    result = redrive(local_files(str(tmp_path), done), sent, books)

    assert sent.records == [b"1", b"2", b"3"]
    assert tree(tmp_path) == left
    assert (result.done, result.left, result.possible_duplicates) == (2, 0, 2)
    assert (books.found, books.delivered, books.inputs) == (3, 3, 2)
    books.check()


def test_a_second_run_finds_nothing_of_the_first(tmp_path: Path):
    (tmp_path / "a").write_bytes(file(b"1"))
    redrive(local_files(str(tmp_path), "move"), Sent(), Books())

    again = Sent()
    redrive(local_files(str(tmp_path), "move"), again, Books())

    assert again.records == []


def test_a_file_of_which_a_record_was_not_taken_is_left_whole_and_that_is_said(tmp_path: Path):
    (tmp_path / "a").write_bytes(file(b"1", b"2"))
    (tmp_path / "b").write_bytes(file(b"3"))
    books, said = Books(), []

    result = redrive(local_files(str(tmp_path), "delete"), Sent(b"2"), books, say=said.append)

    assert tree(tmp_path) == ["a"]
    assert (result.done, result.left) == (1, 1)
    assert (books.delivered, books.failed) == (2, 1)
    assert said == [f"{tmp_path}/a is left: 1 of its records not taken (Busy)"]


def test_a_file_with_what_is_no_record_is_left_and_the_records_in_it_are_sent(tmp_path: Path):
    (tmp_path / "a").write_bytes(file(b"1") + b"what?\n")
    sent, books = Sent(), Books()

    redrive(local_files(str(tmp_path), "delete"), sent, books)

    assert (sent.records, tree(tmp_path)) == ([b"1"], ["a"])
    assert (books.found, books.delivered, books.rejected) == (2, 1, {"bad_envelope": 1})
    books.check()


def test_a_damaged_file_is_a_fault_and_holds_no_other_up(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"\x1f\x8bno")
    (tmp_path / "b").write_bytes(file(b"1"))
    sent, books = Sent(), Books()

    result = redrive(local_files(str(tmp_path), "delete"), sent, books)

    assert (sent.records, result.left) == ([b"1"], 1)
    assert [fault.source for fault in books.faults] == [f"{tmp_path}/a"]


def test_a_stream_that_refuses_for_good_ends_it_with_the_files_as_they_are(tmp_path: Path):
    for name in "ab":
        (tmp_path / name).write_bytes(file(b"1"))
    sent, books = Sent(b"1", permanent=True), Books()

    with pytest.raises(AwsError):
        redrive(local_files(str(tmp_path), "delete"), sent, books)

    assert (sent.records, tree(tmp_path)) == ([b"1"], ["a", "b"])
    books.check()


def test_a_stream_that_takes_nothing_ends_it_at_the_first_source(tmp_path: Path):
    for name in "ab":
        (tmp_path / name).write_bytes(file(b"1"))
    sent, books = Sent(b"1"), Books()

    with pytest.raises(SinkError, match=r"takes no more \(Busy\): the rest is left"):
        redrive(local_files(str(tmp_path), "delete"), sent, books)

    assert (sent.records, tree(tmp_path)) == ([b"1"], ["a", "b"])
    books.check()


def test_a_record_too_large_for_the_stream_holds_no_other_up(tmp_path: Path):
    (tmp_path / "a").write_bytes(file(b"1"))
    (tmp_path / "b").write_bytes(file(b"2"))
    sent = Sent(b"1", code=TOO_LARGE)

    result = redrive(local_files(str(tmp_path), "delete"), sent, Books())

    assert (sent.records, tree(tmp_path)) == ([b"1", b"2"], ["a"])
    assert (result.done, result.left) == (1, 1)


def test_what_does_not_exist_is_an_error(tmp_path: Path):
    with pytest.raises(SourceError, match="no such file or directory"):
        list(local_files(str(tmp_path / "none"), "keep"))


@pytest.mark.parametrize(
    ("done", "left"),
    [
        ("move", ["other/c", "redriven/failed/2026/a"]),
        ("delete", ["other/c"]),
        ("keep", ["failed/2026/a", "other/c"]),
    ],
)
def test_objects_are_moved_to_the_beginning_of_their_bucket(done: Done, left: list[str]):
    store = FakeStore({"flows": {"failed/2026/a": file(b"1"), "other/c": file(b"2")}})
    url, sent = parse_object_url("s3://flows/failed/"), Sent()

    redrive(stored_files(store, url, done), sent, Books())

    assert sent.records == [b"1"]
    assert sorted(store.buckets["flows"]) == left


def test_what_was_moved_is_not_read_even_with_the_whole_bucket():
    store = FakeStore({"flows": {"redriven/a": file(b"1"), "b": file(b"2")}})
    sent = Sent()

    redrive(stored_files(store, parse_object_url("s3://flows"), "move"), sent, Books())

    assert sent.records == [b"2"]


def test_an_address_below_which_nothing_is_is_an_error():
    store = FakeStore({"flows": {}})

    with pytest.raises(SourceError, match="no objects below 's3://flows/failed/'"):
        list(stored_files(store, parse_object_url("s3://flows/failed/"), "move"))


def test_messages_are_deleted_once_their_lines_are_taken_and_others_seen_again():
    event = {"awslogs": {"data": base64.b64encode(b"2 1\n2 2").decode()}}
    queue = FakeQueue("dead", json.dumps(event), notice("k"), "what?")
    sent, books, said = Sent(), Books(), []

    result = redrive(messages(queue, is_done_deleted=True), sent, books, say=said.append)

    assert len(sent.records) == 2
    assert sorted(queue.bodies) == sorted([notice("k"), "what?"])
    assert queue.hidden == []
    assert (result.done, result.left) == (1, 2)
    assert (books.found, books.delivered, books.failed, books.missed) == (4, 2, 1, 2)
    assert said[0] == "message 1 of dead is left: a notice of S3 goes to a queue, not to a stream"
    books.check()


def test_messages_that_are_kept_are_each_sent_once():
    event = {"awslogs": {"data": base64.b64encode(b"2 1").decode()}}
    queue = FakeQueue("dead", *[json.dumps(event)] * 5)
    sent = Sent()

    redrive(messages(queue, is_done_deleted=False), sent, Books())

    assert (len(sent.records), len(queue.visible)) == (5, 5)


class ForgetfulQueue(FakeQueue):
    """A queue that lets messages received be seen again, as after a while, once its others were handed out."""

    def __init__(self, name: str, *bodies: str) -> None:
        super().__init__(name, *bodies)
        self._is_forgetting = True

    def receive(self) -> Sequence[Message]:
        if self._is_forgetting and self.hidden:
            self._is_forgetting = False
            again = [m._replace(receipt=f"{m.receipt} again") for m in self.hidden]
            self.hidden = again
            return again
        return super().receive()


def test_messages_seen_again_in_a_long_run_hide_no_others_and_are_released_by_their_last_receipt():
    event = {"awslogs": {"data": base64.b64encode(b"2 1").decode()}}
    queue = ForgetfulQueue("dead", *[json.dumps(event)] * 5)
    sent = Sent()

    redrive(messages(queue, is_done_deleted=False), sent, Books())

    assert len(sent.records) == 5
    assert (len(queue.visible), queue.hidden) == (5, [])


class StubbornQueue(FakeQueue):
    """A queue that releases nothing."""

    def release(self, message: Message) -> None:
        raise AwsError("it is not in flight", code="MessageNotInflight", permanent=False)


def test_a_message_that_cannot_be_released_is_no_fault():
    event = {"awslogs": {"data": base64.b64encode(b"2 1").decode()}}

    result = redrive(
        messages(StubbornQueue("dead", json.dumps(event)), is_done_deleted=False), Sent(), Books()
    )

    assert result.done == 1


def test_messages_are_handed_on_to_another_queue_as_they_are():
    source, target, books, paces = FakeQueue("dead", notice("k"), "x"), FakeQueue("q"), Books(), []

    hand_on(source, target, books, pace=paces.append)

    assert target.bodies == [notice("k"), "x"]
    assert (source.visible, source.hidden, paces) == ([], [], [1, 1])
    assert (books.found, books.delivered) == (2, 2)


class FailingQueue(FakeQueue):
    """A queue whose reader fails at once: what is sent to it ends among the dead letters, under its id."""

    def __init__(self, dead_letters: FakeQueue) -> None:
        super().__init__("q")
        self._dead_letters = dead_letters

    def send(self, body: str) -> str:
        return self._dead_letters.send(body)


def test_a_message_that_comes_back_is_not_handed_on_again():
    source, books = FakeQueue("dead", "x", "y", "z"), Books()

    hand_on(source, FailingQueue(source), books)

    assert (books.found, books.delivered) == (3, 3)
    assert [message.body for message in source.hidden] == ["x", "y", "z"]


def test_messages_that_are_counted_stay():
    queue, books = FakeQueue("dead", "a", "b", "c"), Books()

    count_messages(queue, books)

    assert (books.found, sorted(queue.bodies)) == (3, ["a", "b", "c"])


def test_nothing_to_do_is_fine():
    assert redrive([], Sent(), Books()) == Redriven(0, 0, 0)
