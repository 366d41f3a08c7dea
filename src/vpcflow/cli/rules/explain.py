"""``vpcflow rules explain``: which rules admit a connection, or what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from vpcflow.admission import RuleBook
from vpcflow.cli import options
from vpcflow.cli.explain import Line, find_record
from vpcflow.cli.reference import layouts_for
from vpcflow.cli.rules.inputs import Given, rules_reference
from vpcflow.cli.words import Words
from vpcflow.enrich import enrich
from vpcflow.errors import FormatError
from vpcflow.rules.asked import asked_by, asked_for
from vpcflow.rules.explain import Explainer
from vpcflow.rules.explanation_words import document, lines
from vpcflow.rules.places import places_at, places_between

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpcflow.enrich import Reference
    from vpcflow.rules.explain import Explanation

HELP = """
Explain which security group rules admit a connection at each interface it passes, or what keeps them from it.

RECORD is a flow log line (in quotes), or a file or s3:// object, or - for standard input, of which --line chooses one.
Instead of it --from, the end that opens the connection, and --to tell of a connection that need not exist.

\b
    vpcflow rules explain --inventory inventory/ --line 7 flows.log.gz
    vpcflow rules explain --inventory inventory/ --from 10.0.1.7 --to 10.0.9.3:5432
"""

Record = Annotated[str | None, typer.Argument(metavar="[RECORD]", show_default=False)]
Interface = Annotated[
    str | None,
    typer.Option(
        "--interface",
        metavar="eni-…",
        show_default=False,
        help="With --from and --to: an interface it passes.  [default: those that have the addresses]",
    ),
]
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="ADDRESS[:PORT]",
        show_default=False,
        help="The end that opens the connection, as in the packet.",
    ),
]
ToEnd = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="ADDRESS[:PORT]",
        show_default=False,
        help="The end that is asked; with its port for TCP and UDP.",
    ),
]
Protocol = Annotated[
    str,
    typer.Option("--protocol", metavar="tcp|udp|icmp|icmpv6|NUMBER", help="With --from and --to."),
]
Time = Annotated[
    str | None,
    typer.Option(
        "--time",
        metavar="TIME",
        show_default=False,
        help="When, ISO 8601 (UTC where it names no zone) or Unix seconds.  [default: at the newest snapshot]",
    ),
]
TextOrJson = Annotated[
    str, typer.Option("--format", metavar="text|json", help="Plain words, or one JSON object.")
]


def explain_command(
    record: Record = None,
    line: Line = None,
    interface: Interface = None,
    from_: From = None,
    to: ToEnd = None,
    protocol: Protocol = "tcp",
    time: Time = None,
    inventory: options.InventoryPath = None,
    inventory_time: options.InventoryTime = None,
    inventory_max_age: options.InventoryMaxAge = 3600,
    max_stale: options.MaxStale = None,
    format_: TextOrJson = "text",
    log_format: options.LogFormat = None,
    quiet: options.Quiet = False,
) -> None:
    """Print the explanation on standard output."""
    words = Words(quiet=quiet)
    if format_ not in ("text", "json"):
        raise FormatError(f"unknown format {format_!r} (known: text, json)")
    if (record is None) == (from_ is None) or (from_ is None) != (to is None):
        raise FormatError("give a record, or both --from and --to")
    given = Given([], inventory, inventory_time, inventory_max_age, max_stale, quiet=quiet)
    reference = rules_reference(given, words)
    if record is None:
        assert from_ is not None and to is not None
        _print(*_of_ends(reference, interface, from_, to, protocol, time), format_)
        return
    layouts = layouts_for(log_format or [], reference.inventory, words, [record])
    row = enrich(find_record(record, line, layouts, words), reference).to_pylist()[0]
    _print(*_of_record(reference, row), format_)


def _of_ends(
    reference: Reference,
    interface: str | None,
    from_: str,
    to: str,
    protocol: str,
    time: str | None,
) -> tuple[dict[str, Any], Sequence[Explanation]]:
    explainer = _explainer(reference)
    newest = max(explainer.inventory.capture_times)
    time_s = newest if time is None else int(options.read_time(time))
    question = asked_for(from_, to, protocol, time_s)
    places = (
        places_between(explainer, question)
        if interface is None
        else places_at(explainer, question, interface)
    )
    return {}, [explainer.explain(question, places)]


def _of_record(
    reference: Reference, row: dict[str, Any]
) -> tuple[dict[str, Any], Sequence[Explanation]]:
    explainer = _explainer(reference)
    asked = asked_by(row)
    if row.get("interface_id") is None:
        places = [places_between(explainer, one.question) for one in asked]
    else:
        places = [
            places_at(explainer, one.question, row["interface_id"], one.direction) for one in asked
        ]
    names = "interface_id action direction initiator initiator_basis rule_ids rule_match rule_note reject_cause"
    known = {name: row.get(name) for name in names.split()}
    return known, [explainer.explain(one.question, at) for one, at in zip(asked, places)]


def _explainer(reference: Reference) -> Explainer:
    inventory = reference.inventory
    assert inventory is not None
    age, stale = reference.max_age_s, reference.max_stale_s
    book = RuleBook(inventory, max_age_s=age, max_stale_s=stale)
    return Explainer(inventory, book, max_age_s=age, max_stale_s=stale)


def _print(record: dict[str, Any], explanations: Sequence[Explanation], format_: str) -> None:
    if format_ == "json":
        found = {"record": record or None, "explanations": list(map(document, explanations))}
        typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2))
        return
    if record:
        typer.echo(_record_words(record))
    for explanation in explanations:
        typer.echo("")
        for text in lines(explanation):
            typer.echo(text)


def _record_words(record: dict[str, Any]) -> str:
    """Say what is known of the record: what became of it, and whose packets they are."""
    what = {"ACCEPT": "was accepted", "REJECT": "was rejected"}.get(
        record["action"] or "", "passed"
    )
    text = f"The flow {what} at {record['interface_id'] or 'an interface that is not named'}"
    if record["reject_cause"]:
        text += f" ({record['reject_cause'].replace('_', ' ')})"
    return f"{text}. {_WHOSE[record['initiator']]}"


_WHOSE = {
    "src": "These are packets of the end that opened the connection; they need a rule:",
    "dst": "These are replies, which state lets through: the packets of the other end need a rule.",
    None: "The record doesn't tell who opened the connection; the one and the other are asked about:",
}
