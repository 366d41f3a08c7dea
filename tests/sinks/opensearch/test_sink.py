"""All flows of a run to a search server: the books of what became of them, and the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest
from flow_batches import flows
from search_fake import FakeSearchServer, answering, raising, refusal, refusing

from vpcflow.errors import SinkError
from vpcflow.pipeline import deliver, settle
from vpcflow.rejects import Reject
from vpcflow.schemas import encode_flat
from vpcflow.sinks import Settled
from vpcflow.sinks.opensearch import writer as module
from vpcflow.sinks.opensearch.documents import Placing
from vpcflow.sinks.opensearch.server import NoAnswer
from vpcflow.sinks.opensearch.sink import OpenSearchSink
from vpcflow.sinks.opensearch.writer import BulkWriter
from vpcflow.stats import Books

MAPPING = refusal(400, "mapper_parsing_exception", "failed to parse field [a]")


def identified(count: int, first: int = 0) -> pa.RecordBatch:
    ids = [f"{i:032x}" for i in range(first, first + count)]
    given = flows(count, source_object="a.log").append_column("event_id", pa.array(ids))
    return given.append_column("source_line", pa.array(range(first + 1, first + count + 1)))


def opened(server: FakeSearchServer, retry_for_s: float = 60, **more: Any) -> OpenSearchSink:
    writer = BulkWriter(
        server.sender(),
        Placing("flows"),
        encode_flat,
        within_s=lambda: retry_for_s,
        concurrency=more.pop("concurrency", 4),
    )
    return OpenSearchSink(writer, "https://search.example.com:443", **more)


@pytest.fixture
def small_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten documents a request."""
    monkeypatch.setattr(module, "MAX_DOCUMENTS", 10)


def run(
    sink: OpenSearchSink,
    batches: Iterator[pa.RecordBatch] | list[pa.RecordBatch],
    on_rejects: Callable[[Any], None] = lambda _: None,
) -> Books:
    """Deliver as a command does; the books are given when all is known."""
    books = Books()

    def counted() -> Iterator[pa.RecordBatch]:
        for one in batches:
            books.count_flows(one)
            yield one

    try:
        with sink:
            deliver(counted(), sink, books, on_rejects=on_rejects)
    except SinkError as error:
        books.faults.append(error)
    settle(sink, books, on_rejects)
    books.check()
    return books


def test_all_flows_are_delivered_when_it_is_closed():
    server = FakeSearchServer()

    books = run(opened(server), [identified(500), identified(30, 500)])

    assert (books.delivered, books.duplicates, len(server.kept)) == (530, 0, 530)


def test_flows_of_many_small_batches_share_a_request():
    server = FakeSearchServer()

    run(opened(server), [identified(3, 3 * i) for i in range(50)])

    assert server.sizes == [150]


def test_a_run_that_is_repeated_changes_nothing_and_counts_duplicates():
    server = FakeSearchServer()
    run(opened(server), [identified(40)])

    books = run(opened(server), [identified(50)])

    assert (books.delivered, books.duplicates, books.missed) == (10, 40, 0)
    assert len(server.kept) == 50


def test_a_record_that_is_twice_in_the_input_is_there_once():
    server = FakeSearchServer()

    books = run(opened(server), [identified(10), identified(10)])

    assert (books.delivered, books.duplicates) == (10, 10)


def test_what_the_server_refuses_for_good_is_a_reject_with_its_place():
    rejects: list[Reject] = []
    server = FakeSearchServer(refusing(MAPPING, 2))

    books = run(opened(server), [identified(5)], on_rejects=rejects.extend)

    assert (books.delivered, dict(books.rejected)) == (4, {"refused_by_index": 1})
    assert rejects == [
        Reject(
            "a.log",
            3,
            "refused_by_index",
            "mapper_parsing_exception: failed to parse field [a]",
        )
    ]


@pytest.mark.usefixtures("small_requests")
def test_no_more_requests_than_allowed_are_on_their_way():
    lock, now, most = threading.Lock(), 0, 0
    both = threading.Barrier(2)

    class Slow(FakeSearchServer):
        def bulk(self, path: str, body: bytes) -> Any:
            nonlocal now, most
            with lock:
                now, most = now + 1, max(most, now + 1)
            both.wait(60)
            with lock:
                now -= 1
            return super().bulk(path, body)

    server = Slow()
    books = run(opened(server, concurrency=2), [identified(10, 10 * i) for i in range(20)])

    assert (most, books.delivered, len(server.requests)) == (2, 200, 20)


@pytest.mark.usefixtures("small_requests")
def test_a_server_that_takes_no_more_ends_the_run_and_is_counted():
    server = FakeSearchServer(None, None, *[answering(503)] * 1000)
    read = 0

    def endless() -> Iterator[pa.RecordBatch]:
        nonlocal read
        while True:
            read += 10
            yield identified(10, read)

    books = run(opened(server, concurrency=1), endless())

    (error,) = books.faults
    assert f"takes no more (503): {books.failed:,} documents" in str(error)
    assert (books.delivered, books.found) == (20, read)
    assert books.failed == read - 20


def test_a_server_that_does_not_take_the_last_flows_fails_the_end():
    sink = opened(FakeSearchServer(*[answering(503)] * 1000))

    with pytest.raises(SinkError, match=r"takes no more \(503\): 10 documents"), sink:
        sink.write(identified(10))

    assert sink.settled() == Settled(failed=10)


def test_what_waits_at_an_end_with_an_exception_is_not_sent():
    server = FakeSearchServer()
    sink = opened(server)

    with pytest.raises(ZeroDivisionError), sink:
        sink.write(identified(10))
        raise ZeroDivisionError

    assert server.requests == []
    assert sink.settled() == Settled(failed=10)


def test_a_lost_answer_is_no_duplicate_and_is_said():
    said: list[str] = []
    lost = NoAnswer("the connection was closed", sent=True)
    server = FakeSearchServer(raising(lost, carried_out=True))

    books = run(opened(server, warn=said.append), [identified(10)])

    assert (books.delivered, books.duplicates) == (10, 0)
    assert "up to 10 of the delivered documents may have been there before" in said[0]


def test_refused_documents_are_said():
    said: list[str] = []

    run(opened(FakeSearchServer(refusing(MAPPING, 0, 1)), warn=said.append), [identified(3)])

    assert "refused 2 documents; --rejects FILE says why" in said[0]


def test_what_has_to_be_there_is_put_before_the_first_document_and_once():
    server = FakeSearchServer()
    prepared: list[int] = []

    sink = opened(server, prepare=lambda: prepared.append(len(server.requests)))
    run(sink, [identified(10), identified(10)])

    assert prepared == [0]


def test_nothing_is_put_where_nothing_is_written():
    prepared: list[int] = []

    run(opened(FakeSearchServer(), prepare=lambda: prepared.append(1)), [])

    assert prepared == []


def test_a_fault_of_ours_is_not_swallowed_by_a_thread():
    server = FakeSearchServer(raising(ZeroDivisionError()))

    with pytest.raises(ZeroDivisionError), opened(server) as sink:
        sink.write(identified(10))


@pytest.mark.usefixtures("small_requests")
def test_no_more_is_read_than_a_few_requests_ahead():
    encoded: list[int] = []
    too_far, patience = threading.Event(), 0.2

    def counting(given: pa.RecordBatch) -> Iterator[pa.Buffer]:
        for start in range(0, given.num_rows, 10):
            encoded.append(start)
            if len(encoded) > 4:
                too_far.set()
            yield from encode_flat(given.slice(start, 10))

    class Stuck(FakeSearchServer):
        def bulk(self, path: str, body: bytes) -> Any:
            if not self.requests:
                too_far.wait(patience)
                seen.append(too_far.is_set())
            return super().bulk(path, body)

    seen: list[bool] = []
    server = Stuck()
    writer = BulkWriter(
        server.sender(), Placing("flows"), counting, within_s=lambda: 60, concurrency=1
    )

    with OpenSearchSink(writer, "https://search.example.com") as sink:
        sink.write(identified(500))

    assert seen == [False]
    assert (len(encoded), len(server.kept)) == (50, 500)


def test_an_interruption_at_the_end_sends_nothing_more():
    server = FakeSearchServer(*[answering(503)] * 1000)
    writer = Interrupted(
        server.sender(), Placing("flows"), encode_flat, within_s=lambda: 1e6, concurrency=1
    )
    sink = OpenSearchSink(writer, "https://search.example.com")

    with pytest.raises(KeyboardInterrupt), sink:
        sink.write(identified(10))

    assert writer.is_over
    assert sink.settled() == Settled(failed=10)


class Interrupted(BulkWriter):
    """Is interrupted the first time that all is waited for."""

    def flush(self) -> None:
        if not self.is_over:
            self._start()
            raise KeyboardInterrupt
        super().flush()
