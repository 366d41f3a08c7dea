"""``vpcflow parse``: typed fields, nothing added."""

from __future__ import annotations

from vpcflow.cli import options
from vpcflow.cli.reference import layouts_for
from vpcflow.cli.run import Work, exit_with, run
from vpcflow.cli.sink import needed_columns, sink_opener
from vpcflow.cli.words import Words
from vpcflow.errors import FormatError

HELP = """
Parse flow logs: typed fields under AWS's names with underscores, nothing added.

INPUT is text (plain, gzip or zstd; bare lines, CloudWatch Logs or Firehose envelopes, console exports) or Parquet,
known by content. A header line states the layout; where there is none, give --log-format.

\b
    vpcflow parse flows.log.gz
    vpcflow parse --since 2026-01-31T12:00Z s3://example-logs/AWSLogs/ --to flows.parquet
    zcat flows.log.gz | vpcflow parse --log-format '${srcaddr} ${dstaddr} ${bytes}' --to flows.parquet
"""


def parse_command(
    inputs: options.Inputs = None,
    to: options.To = None,
    format_: options.Format = None,
    log_format: options.LogFormat = None,
    since: options.Since = None,
    until: options.Until = None,
    rejects: options.Rejects = None,
    quiet: options.Quiet = False,
) -> None:
    """Parse the inputs, and end with the exit status the books call for."""
    words = Words(quiet=quiet)
    if needed_columns(to):
        raise FormatError(f"{to!r} takes enriched flows alone: use `vpcflow enrich`")
    work = Work(
        inputs=inputs or [],
        to=to,
        open_sink=sink_opener(to, format_, "flat"),
        layouts=layouts_for(log_format or [], None, words, inputs or ()),
        times=options.read_times(since, until),
        rejects=rejects,
    )
    exit_with(run(work, words, quiet=quiet))
