"""
From new objects to documents in the indexes of a search server, under the ids that any repetition gives them.

So an object that comes twice changes nothing, which no stream can promise: Firehose cannot set a document's id.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from vpcflow.enrich import ENRICHED
from vpcflow.object_delivery import Taken
from vpcflow.sinks.opensearch.bulk import Sender
from vpcflow.sinks.opensearch.writer import CONCURRENCY, BulkWriter

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from vpcflow.object_store import ObjectUrl
    from vpcflow.rejects import Reject
    from vpcflow.schemas import Schema
    from vpcflow.sinks.opensearch.documents import Placing
    from vpcflow.sinks.opensearch.server import SearchServer
    from vpcflow.sinks.opensearch.writer import Send

REQUEST_S = 20.0
"""For a request; none begins that could last beyond the time there is."""

# The id of a document, and what it held: no log may have them.
_QUOTED = re.compile(r"'[^']*'")


class SearchOutput:
    """
    Documents of flows in the indexes of their days.

    What the server refuses for good counts as rejected, and its object comes again: what is there is met again then,
    and the queue of dead letters keeps the notice of what stays refused. ``warn`` hears the server's reasons.
    """

    def __init__(
        self,
        server: SearchServer,
        placing: Placing,
        schema: Schema,
        *,
        warn: Callable[[str], None] = lambda _: None,
        sender: Callable[[SearchServer, str], Send] = Sender,
    ) -> None:
        wanted = None if schema.columns is None else ENRICHED.intersection(schema.columns)
        self._columns = None if wanted is None else wanted | {"event_id"}
        self.counts: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self._server = server
        self._placing = placing
        self._encode = schema.encode
        self._warn = warn
        self._sender = sender

    @property
    def columns(self) -> frozenset[str] | None:
        return self._columns

    def holds(self, _: ObjectUrl) -> bool:
        return False

    def open(self, source: ObjectUrl, remaining_s: Callable[[], float]) -> _Written:
        writer = BulkWriter(
            self._sender(self._server, self._placing.path),
            self._placing,
            self._encode,
            within_s=lambda: max(remaining_s() - REQUEST_S, 0),
            concurrency=CONCURRENCY,
        )
        return _Written(self, writer)

    def note(self, writer: BulkWriter, refused: tuple[Reject, ...]) -> None:
        """Count what moved, and say why what did not."""
        counts = writer.counts
        self.counts.update(
            output_records=counts["delivered"],
            puts_refused=counts["sent_again"],
            delivered_doubtful=counts["doubtful"],
        )
        counts.clear()
        for one in refused:
            words = _QUOTED.sub("'…'", one.text)
            self.errors[_camel(words.partition(":")[0])] += 1
            self._warn(f"the index refused a document: {words}")
        if writer.is_over and writer.error:
            self.errors["NotWritten"] += 1
            self._warn(f"the index takes no more: {_QUOTED.sub('…', writer.error)}")


class _Written:
    """The documents of one object: what the server has cannot be taken back."""

    def __init__(self, output: SearchOutput, writer: BulkWriter) -> None:
        self._output = output
        self._writer = writer

    def write(self, flows: pa.RecordBatch) -> Taken:
        """Write the documents, and wait until all are settled."""
        self._writer.write(flows)
        self._writer.flush()
        settled = self._writer.settled()
        delivered = self._writer.counts["delivered"]
        self._output.note(self._writer, settled.rejects)
        return Taken(delivered, settled.duplicates, len(settled.rejects))

    def close(self) -> None:
        self._writer.close()

    def abort(self) -> int:
        self._writer.stop()
        return 0


def _camel(name: str) -> str:
    """
    Write a server's word for an error as those of AWS are.

    >>> _camel("mapper_parsing_exception")
    'MapperParsingException'
    """
    return "".join(part.capitalize() for part in name.split("_"))
