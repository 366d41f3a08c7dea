"""Open the output a command's options name."""

from __future__ import annotations

import functools
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vpcflow.aws.extra import open_firehose, open_s3
from vpcflow.errors import FormatError, SinkError
from vpcflow.flow_envelope import wrap_document
from vpcflow.object_store import is_object_url
from vpcflow.schemas import SCHEMAS
from vpcflow.schemas.flat import encode_flat
from vpcflow.sinks import Output, Sink, open_sink
from vpcflow.sinks.firehose import FirehoseSink, Sender, is_stream_url, parse_stream_url
from vpcflow.sinks.iceberg.address import is_table_url, parse_table_url
from vpcflow.sinks.opensearch.url import is_search_url

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vpcflow.json_lines import Encode
    from vpcflow.sinks.dataset import Form


class Sending(NamedTuple):
    """How records go to a stream: at most ``rate`` a second, in our envelope or bare; ``warn`` is told of doubts."""

    rate: float | None = None
    is_wrapped: bool = False
    warn: Callable[[str], None] = lambda _: None


class Searching(NamedTuple):
    """How documents go to a search server: see the options that are named alike; ``warn`` is told of doubts."""

    layout: str = "daily"
    retry_for_s: float = 900
    has_template: bool = True
    ca_file: str | None = None
    sign: str | None = None
    warn: Callable[[str], None] = lambda _: None

    @property
    def is_plain(self) -> bool:
        """Tell whether no option was given that only a search server needs."""
        return self._replace(warn=Searching().warn)._asdict() == Searching()._asdict()


def sink_opener(
    to: str | None,
    format_: str | None,
    schema: str,
    columns: Sequence[str] | None = None,
    sending: Sending | None = None,
    searching: Searching | None = None,
    batch_id: str | None = None,
) -> Callable[[], Sink]:
    """
    Give what opens the output; raises ``FormatError`` where the schema is unknown or does not go with the rest.

    ``columns`` None is all columns; the schema is the form of NDJSON documents, ``ocsf`` also of a folder of Parquet.
    """
    sending = sending or Sending()
    searching = searching or Searching()
    if not is_stream_url(to) and (sending.rate is not None or sending.is_wrapped):
        raise FormatError("--rate and --wrap go with --to firehose://NAME alone")
    _check_searching(to, searching)
    _check_table(to, batch_id)
    if schema not in SCHEMAS:
        raise FormatError(f"unknown schema {schema!r} (known: {', '.join(SCHEMAS)})")
    chosen = SCHEMAS[schema]
    is_lake = schema == "ocsf" and _is_folder(to) and columns is None
    is_plain = columns is None and not _is_parquet(to, format_)
    if chosen is not SCHEMAS["flat"] and not is_plain and not is_lake:
        raise FormatError(
            f"--schema {schema} is a form of NDJSON documents: it goes with neither --columns nor Parquet,"
            " but for ocsf in a folder"
        )
    encode = functools.partial(encode_flat, columns=columns) if columns else chosen.encode
    run_id = f"{time.time_ns():x}"
    return lambda: open_sink(
        to,
        encode=encode,
        run_id=run_id,
        columns=columns,
        format=format_,
        store=open_s3,
        firehose=lambda url, encode: _stream_sink(url, encode, sending),
        search=lambda url, encode: _search_sink(url, encode, schema, searching),
        table=lambda url, output: _table_sink(url, output, batch_id, sending.warn),
        form=_lake() if is_lake else None,
    )


def needed_columns(to: str | None) -> tuple[str, ...]:
    """Give the columns an output needs besides those asked for."""
    return ("event_id",) if is_search_url(to) or is_table_url(to) else ()


def open_sender(to: str, *, rate: float | None = None) -> Sender:
    """Open ``firehose://NAME`` to send records to; raises ``FormatError`` and ``AwsError``."""
    return Sender(open_firehose(parse_stream_url(to)), rate=rate)


def _stream_sink(to: str, encode: Encode, sending: Sending) -> Sink:
    sender = open_sender(to, rate=sending.rate)
    if sending.is_wrapped:
        return FirehoseSink(sender, encode, form=wrap_document, warn=sending.warn)
    return FirehoseSink(sender, encode, warn=sending.warn)


def _check_searching(to: str | None, searching: Searching) -> None:
    """Only an output on a search server needs what knows how to open one."""
    if is_search_url(to):
        from vpcflow.cli.search import check_searching

        check_searching(to or "", searching)
    elif not searching.is_plain:
        raise FormatError(
            "--index, --retry-for, --no-template, --ca-file and --sign go with --to opensearch+https://… alone"
        )


def _search_sink(to: str, encode: Encode, schema: str, searching: Searching) -> Sink:
    from vpcflow.cli.search import search_sink

    return search_sink(to, encode, schema, searching)


def _check_table(to: str | None, batch_id: str | None) -> None:
    if is_table_url(to):
        parse_table_url(to or "")
    elif batch_id is not None:
        raise FormatError("--batch-id goes with --to iceberg://… alone")


def _table_sink(to: str, output: Output, batch_id: str | None, warn: Callable[[str], None]) -> Sink:
    try:
        from vpcflow.sinks.iceberg.sink import open_iceberg_sink
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("vpcflow"):
            raise
        raise SinkError(
            "iceberg:// needs pyiceberg, which is not installed: run `pip install 'vpcflow[iceberg]'`"
        ) from error
    return open_iceberg_sink(
        parse_table_url(to), output.run_id, columns=output.columns, batch_id=batch_id, say=warn
    )


def _lake() -> Form:
    # Only a lake needs the nested rows.
    from vpcflow.sinks.lake import Lake

    return Lake()


def _is_folder(to: str | None) -> bool:
    return to is not None and (to.endswith("/") or (not is_object_url(to) and Path(to).is_dir()))


def _is_parquet(to: str | None, format_: str | None) -> bool:
    if format_ is not None:
        return format_ == "parquet"
    if is_table_url(to):
        return True
    return _is_folder(to) or (to is not None and to.endswith(".parquet"))
