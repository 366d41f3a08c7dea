"""``vpcflow rules attribute``: flows with who opened their connection, and the rules that admitted it."""

from __future__ import annotations

import functools

from vpcflow.admission import RuleBook
from vpcflow.cli import options
from vpcflow.cli.reference import layouts_for
from vpcflow.cli.rules.inputs import Given, rules_reference
from vpcflow.cli.run import Work, exit_with, run
from vpcflow.cli.sink import Searching, Sending, needed_columns, sink_opener
from vpcflow.cli.words import Words
from vpcflow.fields import ADDED
from vpcflow.rules.attribution import attribute

HELP = """
Attribute flows: who opened each connection, which security group rules let it pass, and why it was rejected.

All inputs are read before the first flow is written, as one record may tell what another means: give the whole time
that matters. Flows come out enriched, in input order, as from `vpcflow enrich` with the schema flat.

\b
    vpcflow rules attribute --inventory inventory/ AWSLogs/ > attributed.ndjson
    vpcflow rules attribute --inventory s3://example-snapshots/ --to attributed/ AWSLogs/
"""

_OURS = frozenset(a.column for a in ADDED if a.enricher != "reader")


def attribute_command(
    inputs: options.Inputs = None,
    inventory: options.InventoryPath = None,
    inventory_time: options.InventoryTime = None,
    inventory_max_age: options.InventoryMaxAge = 3600,
    max_stale: options.MaxStale = None,
    geo: options.Geo = None,
    asn: options.Asn = None,
    aws_ranges: options.AwsRanges = None,
    networks: options.Networks = None,
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
    """Attribute the inputs, and end with the exit status the books call for."""
    words = Words(quiet=quiet)
    names = options.column_names(columns)
    times = options.read_times(since, until)
    sending = Sending(rate, wrap, words.say)
    searching = Searching(index, retry_for, not no_template, ca_file, sign, words.say)
    open_sink = sink_opener(to, format_, "flat", names, sending, searching, batch_id)
    given = Given(
        inputs or [],
        inventory,
        inventory_time,
        inventory_max_age,
        max_stale,
        geo,
        asn,
        aws_ranges,
        networks,
        log_format or [],
        times,
        rejects,
        quiet,
    )
    reference = rules_reference(given, words)
    assert reference.inventory is not None
    ours = None if names is None else _OURS.intersection([*names, *needed_columns(to)])
    work = Work(
        inputs=given.inputs,
        to=to,
        open_sink=open_sink,
        layouts=layouts_for(given.log_format, reference.inventory, words, given.inputs),
        times=times,
        rejects=rejects,
        attribute=functools.partial(
            attribute, reference=reference, book=RuleBook(reference.inventory), columns=ours
        ),
    )
    exit_with(run(work, words, quiet=quiet))
