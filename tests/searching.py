"""Flow logs on their way to a real search server, and what it has of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
from opensearch_server import OpenSearchServer

from vpcflow.enrich import Reference, enrich
from vpcflow.pipeline import deliver, read_flows, settle
from vpcflow.schemas import encode_flat
from vpcflow.sinks.opensearch.bulk import Sender
from vpcflow.sinks.opensearch.client import open_server
from vpcflow.sinks.opensearch.documents import Placing
from vpcflow.sinks.opensearch.sink import OpenSearchSink
from vpcflow.sinks.opensearch.url import parse_search_url
from vpcflow.sinks.opensearch.writer import BulkWriter
from vpcflow.sources.files import find_inputs, read_input
from vpcflow.stats import Books

NAME = "flows"
MIDNIGHT = 1_768_521_600
"""2026-01-16T00:00Z; half of the flows of a log end on the day before."""

INDEXES = [f"{NAME}-2026.01.15", f"{NAME}-2026.01.16"]


def url_of(netloc: str) -> str:
    return f"opensearch+http://{netloc}/{NAME}"


def log_file(path: Path, flows: int) -> Path:
    """Write a flow log, each line another flow, the ends around a midnight."""
    with path.open("w") as file:
        for i in range(flows):
            end = MIDNIGHT + 7 * i % 1200 - 600
            file.write(
                f"2 123456789012 eni-0a1b2c3d4e5f6071{i % 10} 198.51.100.{i % 250} 10.0.1.24 {1024 + i % 60_000}"
                f" 443 6 {i} {40 + 97 * i} {end - 58} {end} ACCEPT OK\n"
            )
    return path


def deliver_log(
    log: Path,
    netloc: str,
    *,
    retry_for_s: float = 120,
    rows: int = 1000,
    at: Callable[[int], None] = lambda _: None,
) -> Books:
    """
    Deliver a log as a command does, so many rows at a time; ``at`` is told how many flows were taken so far.

    Books that do not balance are an error, as is a server that takes no more.
    """
    books = Books()
    url = parse_search_url(url_of(netloc))
    server, placing = open_server(url), Placing(NAME)
    writer = BulkWriter(
        Sender(server, placing.path), placing, encode_flat, within_s=lambda: retry_for_s
    )
    sink = OpenSearchSink(writer, url.server)
    try:
        with sink:
            for flows in _enriched(log, books, rows):
                deliver([flows], sink, books)
                at(books.delivered + books.duplicates)
    finally:
        settle(sink, books)
        server.close()
    books.check()
    return books


def count(server: OpenSearchServer) -> int:
    """Say how many documents there are; what was written is to be found from now on."""
    server.ask("POST", f"{NAME}*/_refresh")
    return int(server.ask("GET", f"{NAME}*/_count")["count"])


def event_ids(server: OpenSearchServer) -> list[str]:
    """Give the ids of all documents, as the documents themselves have them."""
    server.ask("POST", f"{NAME}*/_refresh")
    body = {"size": 10_000, "_source": False, "docvalue_fields": ["event_id.keyword"]}
    page = server.ask("POST", f"{NAME}*/_search?scroll=1m", body)
    found: list[str] = []
    while page["hits"]["hits"]:
        found += [hit["fields"]["event_id.keyword"][0] for hit in page["hits"]["hits"]]
        page = server.ask(
            "POST", "_search/scroll", {"scroll": "1m", "scroll_id": page["_scroll_id"]}
        )
    server.ask("DELETE", "_search/scroll", {"scroll_id": page["_scroll_id"]})
    return found


def ids_of(log: Path) -> list[str]:
    """Give the ids that the flows of a log have."""
    batches = _enriched(log, Books(), 100_000)
    return [value for flows in batches for value in flows.column("event_id").to_pylist()]


def _enriched(log: Path, books: Books, rows: int) -> Iterator[pa.RecordBatch]:
    (source,) = find_inputs([str(log)], warn=lambda _: None)
    for flows in read_flows(read_input(source), books):
        for start in range(0, flows.num_rows, rows):
            yield enrich(flows.slice(start, rows), Reference(), columns={"event_id"})
