"""All flows of a run to a search server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpcflow.errors import SinkError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    import pyarrow as pa

    from vpcflow.sinks import Settled
    from vpcflow.sinks.opensearch.writer import BulkWriter


class OpenSearchSink:
    """
    Write documents to a search server, each under the id and in the index that any repetition gives it too.

    ``prepare`` is called before the first write. What became of the flows is known later: see ``settled``. Where the
    server takes no more, ``write`` or ``close`` raises ``SinkError``, which says how many are not written.
    """

    def __init__(
        self,
        writer: BulkWriter,
        server: str,
        *,
        prepare: Callable[[], None] = lambda: None,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._writer = writer
        self._server = server
        self._prepare: Callable[[], None] | None = prepare
        self._warn = warn

    def write(self, flows: pa.RecordBatch) -> int:
        """Take all flows; raises ``SinkError`` where the server takes no more, and then none."""
        if self._prepare is not None:
            self._prepare()
            self._prepare = None
        if self._writer.is_over:
            raise self._end(not_taken=flows.num_rows)
        self._writer.write(flows)
        return int(flows.num_rows)

    def close(self) -> None:
        """Wait until all is settled; raises ``SinkError`` where not all of it could be."""
        try:
            self._writer.flush()
        except BaseException:
            # Its threads would try for as long as they may, and the process wait for them to end.
            self._writer.stop()
            raise
        self._writer.close()
        self._say_doubts()
        if self._writer.is_over:
            raise self._end()

    def abort(self) -> None:
        """Send nothing more; what the server has cannot be taken back."""
        self._writer.stop()
        self._say_doubts()

    def settled(self) -> Settled:
        """Tell what became of flows that were taken, where that was not delivery, since this was asked last."""
        return self._writer.settled()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _end(self, not_taken: int = 0) -> SinkError:
        self._writer.stop()
        failed = self._writer.counts["failed"] + not_taken
        return SinkError(
            f"{self._server} takes no more ({self._writer.error}): {failed:,} documents that were read are not"
            " written; run it again, what is written will be met again"
        )

    def _say_doubts(self) -> None:
        if refused := self._writer.counts["refused"]:
            self._warn(f"{self._server} refused {refused:,} documents; --rejects FILE says why")
        if doubtful := self._writer.counts["doubtful"]:
            self._warn(
                f"up to {doubtful:,} of the delivered documents may have been there before: a request was not answered,"
                " and made again"
            )
