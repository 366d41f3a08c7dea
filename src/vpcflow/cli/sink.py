"""Open the output a command's options name."""

from __future__ import annotations

import functools
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vpcflow.aws.extra import open_firehose, open_s3
from vpcflow.errors import FormatError
from vpcflow.flow_envelope import wrap_document
from vpcflow.object_store import is_object_url
from vpcflow.schemas import SCHEMAS
from vpcflow.schemas.flat import encode_flat
from vpcflow.sinks import Sink, open_sink
from vpcflow.sinks.firehose import FirehoseSink, Sender, is_stream_url, parse_stream_url

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vpcflow.json_lines import Encode


class Sending(NamedTuple):
    """How records go to a stream: at most ``rate`` a second, in our envelope or bare; ``warn`` is told of doubts."""

    rate: float | None = None
    is_wrapped: bool = False
    warn: Callable[[str], None] = lambda _: None


def sink_opener(
    to: str | None,
    format_: str | None,
    schema: str,
    columns: Sequence[str] | None = None,
    sending: Sending | None = None,
) -> Callable[[], Sink]:
    """
    Give what opens the output; raises ``FormatError`` where the schema is unknown or does not go with the rest.

    ``columns`` None is all columns; the schema is the form of NDJSON documents alone.
    """
    sending = sending or Sending()
    if not is_stream_url(to) and (sending.rate is not None or sending.is_wrapped):
        raise FormatError("--rate and --wrap go with --to firehose://NAME alone")
    if schema not in SCHEMAS:
        raise FormatError(f"unknown schema {schema!r} (known: {', '.join(SCHEMAS)})")
    chosen = SCHEMAS[schema]
    if chosen is not SCHEMAS["flat"] and (columns is not None or _is_parquet(to, format_)):
        raise FormatError(
            f"--schema {schema} is a form of NDJSON documents: it goes with neither --columns nor Parquet"
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
    )


def open_sender(to: str, *, rate: float | None = None) -> Sender:
    """Open ``firehose://NAME`` to send records to; raises ``FormatError`` and ``AwsError``."""
    return Sender(open_firehose(parse_stream_url(to)), rate=rate)


def _stream_sink(to: str, encode: Encode, sending: Sending) -> Sink:
    sender = open_sender(to, rate=sending.rate)
    if sending.is_wrapped:
        return FirehoseSink(sender, encode, form=wrap_document, warn=sending.warn)
    return FirehoseSink(sender, encode, warn=sending.warn)


def _is_parquet(to: str | None, format_: str | None) -> bool:
    if format_ is not None:
        return format_ == "parquet"
    return to is not None and (
        to.endswith(("/", ".parquet")) or (not is_object_url(to) and Path(to).is_dir())
    )
