"""Documents of any number of flows to a search server: requests of a good size, a few at a time, in no order."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Protocol

from vpcflow.rejects import reject
from vpcflow.sinks import Settled
from vpcflow.sinks.opensearch.documents import MAX_BYTES, MAX_DOCUMENTS, documents_of, joined

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from vpcflow.json_lines import Encode
    from vpcflow.rejects import Reject
    from vpcflow.sinks.opensearch.bulk import Outcome, Pause
    from vpcflow.sinks.opensearch.documents import Documents, Placing

CONCURRENCY = 4
"""Requests at a time: a small domain's queue holds some hundred, and others write to it too."""

REFUSED = "refused_by_index"


class Send(Protocol):
    """``bulk.Sender``."""

    @property
    def pause(self) -> Pause: ...

    def send(self, documents: Documents, within_s: float, /) -> Outcome: ...


class BulkWriter:
    """
    Writes flows to a search server.

    What became of them ``settled`` tells, once ``flush`` has returned of all. As soon as one request's documents could
    not all be settled within ``within_s()`` seconds the writer ``is_over``: it sends nothing more, and all it has not
    written has failed. In memory are some requests, never more.
    """

    def __init__(
        self,
        sender: Send,
        placing: Placing,
        encode: Encode,
        *,
        within_s: Callable[[], float],
        concurrency: int = CONCURRENCY,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.error = ""
        self._sender = sender
        self._placing = placing
        self._encode = encode
        self._within_s = within_s
        self._concurrency = concurrency
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="bulk")
        self._running: dict[Future[Outcome], Documents] = {}
        self._waiting: list[Documents] = []
        self._waiting_bytes = self._waiting_count = 0
        self._duplicates = self._failed = 0
        self._rejects: list[Reject] = []

    @property
    def is_over(self) -> bool:
        return self._sender.pause.is_over

    def write(self, flows: pa.RecordBatch) -> None:
        """Take flows; waits while as many requests are on their way as may be."""
        for documents in documents_of(flows, self._placing, self._encode):
            size = documents.size_bytes
            if self._waiting and (
                self._waiting_bytes + size > MAX_BYTES
                or self._waiting_count + documents.rows > MAX_DOCUMENTS
            ):
                self._start()
            self._waiting.append(documents)
            self._waiting_bytes += size
            self._waiting_count += documents.rows
        self._collect(at_most=self._concurrency)

    def flush(self) -> None:
        """Write what waits, and wait until all is settled."""
        self._start()
        self._collect(at_most=0)

    def stop(self) -> None:
        """Send nothing more, and wait for what is on its way, which may take as long as a request."""
        self._sender.pause.end()
        self.flush()
        self.close()

    def close(self) -> None:
        """End the threads; after ``flush`` there is nothing more to do."""
        self._threads.shutdown()

    def settled(self) -> Settled:
        """Tell what became of flows that were taken, where that was not delivery, since this was asked last."""
        settled = Settled(self._duplicates, self._failed, tuple(self._rejects))
        self._duplicates = self._failed = 0
        self._rejects.clear()
        return settled

    def _start(self) -> None:
        """Send what waits, as soon as there is room for a request."""
        if not self._waiting:
            return
        # Until there is room they stay here: whatever interrupts the waiting, they are written or counted later.
        self._collect(at_most=self._concurrency - 1)
        documents = joined(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = self._waiting_count = 0
        future = self._threads.submit(self._sender.send, documents, self._within_s())
        self._running[future] = documents

    def _collect(self, *, at_most: int) -> None:
        """Note what has ended, and wait until no more than so many are on their way."""
        done = [future for future in self._running if future.done()]
        while len(self._running) - len(done) > at_most:
            some, _ = wait(self._running.keys() - set(done), return_when=FIRST_COMPLETED)
            done += some
        for future in done:
            self._note(self._running.pop(future), future.result())

    def _note(self, documents: Documents, outcome: Outcome) -> None:
        self._duplicates += outcome.duplicates
        self._failed += outcome.failed
        for place, words in outcome.refused:
            source, number = documents.sources[place].as_py(), documents.numbers[place].as_py()
            self._rejects.append(reject(source or "", number or 0, REFUSED, words.encode()))
        self.counts.update(
            delivered=outcome.delivered,
            duplicates=outcome.duplicates,
            refused=len(outcome.refused),
            failed=outcome.failed,
            doubtful=outcome.doubtful,
            sent_again=outcome.again,
        )
        if outcome.failed and not self.is_over:
            self.error = outcome.error
            self._sender.pause.end()
