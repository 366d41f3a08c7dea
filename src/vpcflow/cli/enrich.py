"""``vpcflow enrich``: flows with their meaning."""

from __future__ import annotations

from typing import Annotated

import typer

from vpcflow.cli import options
from vpcflow.cli.reference import (
    ReferenceOptions,
    enricher_kinds,
    layouts_for,
    load_reference,
)
from vpcflow.cli.run import Work, exit_with, run
from vpcflow.cli.sink import Searching, Sending, needed_columns, sink_opener
from vpcflow.cli.words import Words
from vpcflow.enrich import ENRICHED
from vpcflow.errors import FormatError
from vpcflow.schemas import SCHEMAS

HELP = """
Enrich flow logs: security groups, direction, peer, geography and names for each record.

INPUT is text (plain, gzip or zstd; bare lines, CloudWatch Logs or Firehose envelopes, console exports) or Parquet,
known by content. Without --to, one JSON document a line on standard output, in input order.

\b
    vpcflow enrich --inventory inventory/ flows.log.gz > flows.ndjson
    vpcflow enrich --inventory inventory/ --geo GeoLite2-City.mmdb --to enriched/ AWSLogs/
    vpcflow enrich --inventory s3://example-snapshots/ --to s3://example-lake/flows/ s3://example-logs/AWSLogs/
    vpcflow enrich --inventory inventory/ --to iceberg:///data/lake/network.flows AWSLogs/
"""

Schema = Annotated[
    str,
    typer.Option(
        "--schema",
        metavar="|".join(SCHEMAS),
        help="Form of NDJSON documents; with ocsf a folder becomes a security lake.",
    ),
]


def enrich_command(
    inputs: options.Inputs = None,
    inventory: options.InventoryPath = None,
    inventory_time: options.InventoryTime = None,
    inventory_max_age: options.InventoryMaxAge = 3600,
    max_stale: options.MaxStale = None,
    geo: options.Geo = None,
    asn: options.Asn = None,
    aws_ranges: options.AwsRanges = None,
    networks: options.Networks = None,
    schema: Schema = "flat",
    columns: options.Columns = None,
    to: options.To = None,
    format_: options.Format = None,
    log_format: options.LogFormat = None,
    since: options.Since = None,
    until: options.Until = None,
    rate: options.Rate = None,
    wrap: options.Wrap = False,
    index: options.Index = "daily",
    retry_for: options.RetryFor = 900,
    no_template: options.NoTemplate = False,
    ca_file: options.CaFile = None,
    sign: options.Sign = None,
    batch_id: options.BatchId = None,
    rejects: options.Rejects = None,
    quiet: options.Quiet = False,
) -> None:
    """Enrich the inputs, and end with the exit status the books call for."""
    words = Words(quiet=quiet)
    names = _without_connections(options.column_names(columns))
    times = options.read_times(since, until)
    sending = Sending(rate, wrap, words.say)
    searching = Searching(index, retry_for, not no_template, ca_file, sign, words.say)
    open_sink = sink_opener(to, format_, schema, names, sending, searching, batch_id)
    wanted = names or SCHEMAS[schema].columns
    ours = None if wanted is None else ENRICHED.intersection([*wanted, *needed_columns(to)])
    reference = load_reference(
        ReferenceOptions(
            inventory,
            inventory_time,
            inventory_max_age,
            max_stale,
            geo,
            asn,
            aws_ranges,
            networks,
            times,
            enricher_kinds(ours),
        ),
        words,
    )
    work = Work(
        inputs=inputs or [],
        to=to,
        open_sink=open_sink,
        layouts=layouts_for(log_format or [], reference.inventory, words, inputs or ()),
        reference=reference,
        columns=ours,
        times=times,
        rejects=rejects,
    )
    exit_with(run(work, words, quiet=quiet))


def _without_connections(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Raise ``FormatError`` where a column is wanted that one record alone cannot have."""
    if names is not None and "connection_id" in names:
        raise FormatError("connection_id takes the whole recording: use `vpcflow rules attribute`")
    return names
