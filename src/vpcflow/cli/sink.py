"""Open the output a command's options name."""

from __future__ import annotations

import functools
import time
from pathlib import Path
from typing import TYPE_CHECKING

from vpcflow.aws.extra import open_s3
from vpcflow.errors import FormatError
from vpcflow.object_store import is_object_url
from vpcflow.schemas import SCHEMAS
from vpcflow.schemas.flat import encode_flat
from vpcflow.sinks import Sink, open_sink

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def sink_opener(
    to: str | None, format_: str | None, schema: str, columns: Sequence[str] | None = None
) -> Callable[[], Sink]:
    """
    Give what opens the output; raises ``FormatError`` where the schema is unknown or does not go with the rest.

    ``columns`` None is all columns; the schema is the form of NDJSON documents alone.
    """
    if schema not in SCHEMAS:
        raise FormatError(f"unknown schema {schema!r} (known: {', '.join(SCHEMAS)})")
    chosen = SCHEMAS[schema]
    if chosen.columns is not None and (columns is not None or _is_parquet(to, format_)):
        raise FormatError(
            f"--schema {schema} is a form of NDJSON documents: it goes with neither --columns nor Parquet"
        )
    encode = functools.partial(encode_flat, columns=columns) if columns else chosen.encode
    run_id = f"{time.time_ns():x}"
    return lambda: open_sink(
        to, encode=encode, run_id=run_id, columns=columns, format=format_, store=open_s3
    )


def _is_parquet(to: str | None, format_: str | None) -> bool:
    if format_ is not None:
        return format_ == "parquet"
    return to is not None and (
        to.endswith(("/", ".parquet")) or (not is_object_url(to) and Path(to).is_dir())
    )
