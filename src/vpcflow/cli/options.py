"""The options that several commands share, each spelt once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from vpcflow.errors import FormatError
from vpcflow.fields import ADDED_BY_COLUMN, FIELD_BY_COLUMN
from vpcflow.time_range import TimeRange

Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUT...",
        show_default=False,
        help="Files, directories (recursively), globs, or - for standard input, which is also the default;"
        " s3:// addresses of objects, folders, buckets and globs. Text (plain, .gz, .zst), Parquet, CloudWatch's and"
        " Firehose's JSON, and NDJSON (schema flat) or CSV that vpcflow wrote; what it is shows the content.",
    ),
]
LogFormat = Annotated[
    list[str] | None,
    typer.Option(
        "--log-format",
        metavar="FORMAT",
        show_default=False,
        help="Layout of lines without a header, as AWS shows it ('${version} ${srcaddr} …') or as names; aws asks the"
        " account's flow logs; may be given more than once."
        "  [default: what the inventory's flow logs say, else version 2's]",
    ),
]
Rejects = Annotated[
    str | None,
    typer.Option(
        "--rejects",
        metavar="FILE",
        show_default=False,
        help="Write what is no flow record here, a file or s3:// object: source, line, reason and text, one JSON"
        " object a line.",
    ),
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="TIME",
        show_default=False,
        help="Only records that ended at this time or later: ISO 8601 (UTC where it names no zone) or Unix seconds."
        " In S3 only objects of that time are listed and read.  [default: all]",
    ),
]
Until = Annotated[
    str | None,
    typer.Option(
        "--until",
        metavar="TIME",
        show_default=False,
        help="Only records that ended before this time.  [default: all]",
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="No summary, progress or hints on standard error.")
]
To = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="PATH",
        show_default=False,
        help="File (.ndjson, .jsonl, .csv, each also .gz or .zst; .parquet) or directory/ (a Parquet dataset"
        " by day and hour), here or in S3 (s3://BUCKET/…), firehose://NAME, a stream,"
        " opensearch+https://HOST[:PORT]/NAME, indexes of OpenSearch or Elasticsearch, or an Iceberg table,"
        " iceberg://CATALOG/NAMESPACE.TABLE or iceberg:///FOLDER/NAMESPACE.TABLE; - is standard output."
        "  [default: NDJSON on standard output]",
    ),
]
Rate = Annotated[
    float | None,
    typer.Option(
        "--rate",
        metavar="N",
        min=0.1,
        show_default=False,
        help="To a stream: at most so many records a second.  [default: as many as it takes]",
    ),
]
Wrap = Annotated[
    bool,
    typer.Option(
        "--wrap",
        help="To a stream: documents in an envelope, which vpcflow's decorator takes off and hands them on as they are."
        " Without it they go bare, for a stream that has no decorator.",
    ),
]
Index = Annotated[
    str,
    typer.Option(
        "--index",
        metavar="daily|rollover|stream|single",
        help="To a search server: an index for each UTC day of the flows' end, NAME-YYYY.MM.DD with the alias NAME;"
        " indexes that a policy rolls over by size; a data stream; or one index NAME. In rollover and stream a repeated"
        " delivery may double.",
    ),
]
RetryFor = Annotated[
    int,
    typer.Option(
        "--retry-for",
        metavar="SECONDS",
        min=1,
        help="To a search server: how long to try again what it does not take, or while it is away.",
    ),
]
NoTemplate = Annotated[
    bool,
    typer.Option(
        "--no-template",
        help="To a search server: leave its index templates alone. Without this, those of the schema are put there"
        " where they are missing or older.",
    ),
]
CaFile = Annotated[
    str | None,
    typer.Option(
        "--ca-file",
        metavar="FILE",
        show_default=False,
        help="To a search server: trust the certificates that these (PEM) have signed.  [default: the system's]",
    ),
]
Sign = Annotated[
    str | None,
    typer.Option(
        "--sign",
        metavar="es|aoss",
        show_default=False,
        help="To a search server: sign requests with AWS credentials, for a domain (es) or a serverless"
        " collection (aoss)."
        "  [default: as the host's name says, unless VPCFLOW_OPENSEARCH_USER or VPCFLOW_OPENSEARCH_API_KEY is set]",
    ),
]
BatchId = Annotated[
    str | None,
    typer.Option(
        "--batch-id",
        metavar="TEXT",
        show_default=False,
        help="To an Iceberg table: add these flows unless a batch of this id is in it; with other flows it is an error."
        "  [default: made of the flows, so that the same are not added twice]",
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="ndjson|parquet|csv",
        show_default=False,
        help="Format of the output, whatever its suffix.",
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="NAMES",
        show_default=False,
        help="Only these columns, divided by commas; only what they need is computed.  [default: all]",
    ),
]
InventoryPath = Annotated[
    str | None,
    typer.Option(
        "--inventory",
        metavar="PATH|aws",
        show_default=False,
        help="Directory of what `aws ec2 describe-…` printed, a snapshot, or a directory of snapshots; here or in S3."
        " aws asks EC2, as it is now, with your credentials and region."
        "  [default: none; the columns it would fill are null]",
    ),
]
InventoryTime = Annotated[
    str | None,
    typer.Option(
        "--inventory-time",
        metavar="TIME",
        show_default=False,
        help="When the inventory was captured: ISO 8601 (UTC where it names no zone) or Unix seconds."
        "  [default: what a snapshot says, else the files' modification time]",
    ),
]
InventoryMaxAge = Annotated[
    int,
    typer.Option(
        "--inventory-max-age",
        metavar="SECONDS",
        min=0,
        help="How far from a snapshot an answer still counts as nearest, not stale.",
    ),
]
MaxStale = Annotated[
    int | None,
    typer.Option(
        "--max-stale",
        metavar="SECONDS",
        min=0,
        show_default=False,
        help="Answers from farther away than this become unknown.  [default: no limit]",
    ),
]
Geo = Annotated[
    str | None,
    typer.Option(
        "--geo",
        metavar="FILE|off",
        show_default=False,
        help="City database (MMDB), here or in S3, or off.  [default: the one `vpcflow geo fetch` got, if any]",
    ),
]
Asn = Annotated[
    str | None,
    typer.Option(
        "--asn",
        metavar="FILE",
        show_default=False,
        help="Database of autonomous systems (MMDB), here or in S3.",
    ),
]
AwsRanges = Annotated[
    str | None,
    typer.Option(
        "--aws-ranges",
        metavar="FILE",
        show_default=False,
        help="AWS's ip-ranges.json, here or in S3, for aws_service.",
    ),
]
Networks = Annotated[
    str | None,
    typer.Option(
        "--networks",
        metavar="FILE",
        show_default=False,
        help="Named networks, here or in S3: CSV with the header cidr,name,kind, or a JSON list of such objects.",
    ),
]


def read_time(text: str) -> float:
    """
    Read an ISO 8601 time, UTC where it names no zone, or Unix seconds.

    Raises ``typer.BadParameter`` for anything else.
    """
    try:
        return float(text)
    except ValueError:
        pass
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no time: write 2026-01-31T12:00:00Z or Unix seconds"
        ) from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def read_times(since: str | None, until: str | None) -> TimeRange:
    """Read --since and --until; raises as ``read_time`` does, and ``FormatError`` where nothing lies between them."""
    first, end = (None if text is None else read_time(text) for text in (since, until))
    if first is not None and end is not None and first >= end:
        raise FormatError(
            f"nothing lies between --since {since} and --until {until}, which is excluded"
        )
    return TimeRange(first, end)


def column_names(text: str | None) -> tuple[str, ...] | None:
    """Read --columns; raises ``FormatError`` naming all that are no column."""
    if text is None:
        return None
    names = tuple(
        dict.fromkeys(name.strip().replace("-", "_") for name in text.split(",") if name.strip())
    )
    unknown = [n for n in names if n not in FIELD_BY_COLUMN and n not in ADDED_BY_COLUMN]
    if unknown or not names:
        raise FormatError(
            f"--columns names no column: {', '.join(unknown) or text!r} (known: run `vpcflow fields`)"
        )
    return names
