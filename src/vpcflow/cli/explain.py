"""``vpcflow explain``: one record in plain words."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from vpcflow.aws.extra import open_s3
from vpcflow.cli import options
from vpcflow.cli.reference import ReferenceOptions, layouts_for, load_reference
from vpcflow.cli.words import Words
from vpcflow.codes import (
    INITIATOR_BASES,
    PEER_SCOPES,
    REJECT_CAUSES,
    REJECT_REASONS,
    RULE_MATCHES,
    RULE_NOTES,
)
from vpcflow.enrich import enrich
from vpcflow.errors import SourceError
from vpcflow.object_store import is_object_url
from vpcflow.pipeline import Layouts, read_flows
from vpcflow.sources import Input
from vpcflow.sources.files import STDIN, find_inputs, read_input
from vpcflow.stats import Books

HELP = """
Explain one record in plain words: what happened, between whom, through which groups.

RECORD is a flow log line (in quotes), or a file or s3:// object, or - for standard input, of which --line chooses one.

\b
    vpcflow explain '2 123456789012 eni-0a1b2c3d 198.51.100.7 10.0.1.24 52144 22 6 1 40 1700000000 1700000058 REJECT OK'
    vpcflow explain --inventory inventory/ --line 7 flows.log.gz
"""

Record = Annotated[str, typer.Argument(metavar="RECORD", show_default=False)]
Line = Annotated[
    int | None,
    typer.Option(
        "--line",
        min=1,
        show_default=False,
        help="Line (row) in the file.  [default: the first record]",
    ),
]

_VERBS: dict[tuple[Any, Any], str] = {
    ("ACCEPT", "ingress"): "let in", ("ACCEPT", "egress"): "let out", ("ACCEPT", None): "let through",
    ("REJECT", "ingress"): "turned away", ("REJECT", "egress"): "kept from leaving", ("REJECT", None): "rejected",
}  # fmt: skip
_LOST = {
    "packets_lost_no_route": "for want of a route",
    "packets_lost_blackhole": "to a black hole route",
    "packets_lost_mtu_exceeded": "for being larger than the MTU",
    "packets_lost_ttl_expired": "to an expired time to live",
}
_QUIET_WORDS = {
    "NODATA": "saw no traffic",
    "SKIPDATA": "had records skipped by AWS (capacity or an internal error); what passed is not known",
}


def explain_command(
    record: Record = STDIN,
    line: Line = None,
    inventory: options.InventoryPath = None,
    inventory_time: options.InventoryTime = None,
    inventory_max_age: options.InventoryMaxAge = 3600,
    max_stale: options.MaxStale = None,
    geo: options.Geo = None,
    asn: options.Asn = None,
    aws_ranges: options.AwsRanges = None,
    networks: options.Networks = None,
    log_format: options.LogFormat = None,
    quiet: options.Quiet = False,
) -> None:
    """Print the sentences on standard output."""
    words = Words(quiet=quiet)
    reference = load_reference(
        ReferenceOptions(
            inventory, inventory_time, inventory_max_age, max_stale, geo, asn, aws_ranges, networks
        ),
        words,
    )
    layouts = layouts_for(log_format or [], reference.inventory, words, [record])
    flow = find_record(record, line, layouts, words)
    for sentence in explain(enrich(flow, reference).to_pylist()[0]):
        typer.echo(sentence)


def find_record(record: str, line: int | None, layouts: Layouts, words: Words) -> Any:
    """Give the batch of the one flow; raises ``SourceError`` with the reason where there is none."""
    source = _input_of(record)
    books = Books()
    rejects: list[Any] = []
    blocks = read_input(source)
    for batch in read_flows(
        blocks, books, layouts=layouts, on_rejects=rejects.extend, warn=words.say
    ):
        numbers = batch.column("source_line").to_pylist()
        if line is None or line in numbers:
            return batch.slice(0 if line is None else numbers.index(line), 1)
    for reject in rejects:
        if line in (None, reject.line):
            raise SourceError(
                f"line {reject.line} of {source.name} is no flow record: {REJECT_REASONS[reject.reason]}"
            )
    for fault in books.faults:
        raise SourceError(f"{fault.source} {fault.reason}")
    raise SourceError(f"{source.name} has no flow record" + (f" in line {line}" if line else ""))


def explain(row: dict[str, Any]) -> list[str]:
    """Say what an enriched flow tells, a sentence an item; what is not known is left out."""
    eni = _own_end(row)
    if row.get("log_status") in _QUIET_WORDS:
        return [f"{_when(row)}, {eni} {_QUIET_WORDS[row['log_status']]}."]
    verb = _verb(row)
    who = f" at {eni}" if row.get("interface_id") or row.get("resource_id") else ""
    sentences = [
        f"{_when(row)}, {_traffic(row)} from {_end(row, 'src')} to {_end(row, 'dst')} was {verb}{who}."
    ]
    sentences += [
        text
        for text in (
            _gateway(row),
            _lost(row),
            _groups(row),
            _peer(row),
            _path(row),
            _rules(row),
            _why(row),
            _basis(row),
        )
        if text
    ]
    return sentences


def _verb(row: dict[str, Any]) -> str:
    action = row.get("action") or ("REJECT" if row.get("reject_reason") else None)
    if action is None:
        return "recorded"
    return _VERBS.get((action, row.get("direction"))) or f"recorded with the action {action!r}"


def _input_of(record: str) -> Input:
    if is_object_url(record):
        # Only this import what reads from S3.
        from vpcflow.sources.objects import find_objects

        return find_objects(open_s3(), record)[0]
    if record == STDIN or Path(record).exists():
        return find_inputs([record])[0]
    if " " not in record.strip() and "\t" not in record.strip():
        raise SourceError(f"{record!r} is neither a file nor a flow log line")
    return Input("the record", len(record), lambda: io.BytesIO(record.encode()))


def _when(row: dict[str, Any]) -> str:
    start, end = row.get("start"), row.get("end")
    if start is None or end is None:
        return "At an unknown time"
    first, last = (datetime.fromtimestamp(t, UTC) for t in (start, end))
    return f"On {first:%Y-%m-%d} from {first:%H:%M:%S} to {last:%H:%M:%S} UTC"


def _traffic(row: dict[str, Any]) -> str:
    protocol = (row.get("protocol_name") or f"protocol {row.get('protocol')}").upper()
    if row.get("protocol") is None:
        protocol = "traffic"
    sizes = [
        f"{row[n]:,} {n if row[n] != 1 else n[:-1]}"
        for n in ("packets", "bytes")
        if row.get(n) is not None
    ]
    flags = f" with {'+'.join(row['tcp_flag_names']).upper()}" if row.get("tcp_flag_names") else ""
    return f"{protocol}{flags}" + (f" ({', '.join(sizes)})" if sizes else "")


def _end(row: dict[str, Any], side: str) -> str:
    address, port = row.get(f"{side}addr"), row.get(f"{side}port")
    text = address or "an unknown address"
    if port:
        text += f" port {port}"
    packet = row.get(f"pkt_{side}addr")
    notes = [f"in the packet {packet}"] if packet and packet != address else []
    place = [
        row.get(f"{side}_geo_city"),
        row.get(f"{side}_geo_country_name") or row.get(f"{side}_geo_country_code"),
    ]
    notes += [", ".join(p for p in place if p)] if any(place) else []
    notes += (
        [f"AS{row[f'{side}_as_number']} {row.get(f'{side}_as_org') or ''}".strip()]
        if row.get(f"{side}_as_number")
        else []
    )
    notes += [f"AWS {row[f'{side}_aws_service']}"] if row.get(f"{side}_aws_service") else []
    return text + (f" ({'; '.join(notes)})" if notes else "")


def _own_end(row: dict[str, Any]) -> str:
    name = row.get("interface_id") or row.get("resource_id") or "a network interface"
    notes = [
        row.get("eni_type") if row.get("eni_type") not in (None, "interface") else None,
        row.get("eni_description"),
        _instance(row, "eni"),
    ]
    said = "; ".join(note for note in notes if note)
    return name + (f" ({said})" if said else "")


def _instance(row: dict[str, Any], side: str) -> str | None:
    ident, name = row.get(f"{side}_instance_id"), row.get(f"{side}_instance_name")
    return f"instance {name or ''} {ident}".replace("  ", " ") if ident else None


def _gateway(row: dict[str, Any]) -> str | None:
    """Say through which attachments of a transit gateway it went, from which VPC to which."""
    if not row.get("tgw_id"):
        return None
    source, destination = (_attached_vpc(row, side) for side in ("src", "dst"))
    attachment, pair = row.get("tgw_attachment_id"), row.get("tgw_pair_attachment_id")
    said = f"It was seen at transit gateway {row['tgw_id']}"
    said += f", attachment {attachment}" if attachment else ""
    said += f" (the other side's is {pair})" if pair else ""
    is_known = row.get("tgw_src_vpc_id") or row.get("tgw_dst_vpc_id")
    return f"{said}, from {source} to {destination}." if is_known else f"{said}."


def _attached_vpc(row: dict[str, Any], side: str) -> str:
    vpc, account = row.get(f"tgw_{side}_vpc_id"), row.get(f"tgw_{side}_vpc_account_id")
    if vpc is None:
        return "outside any VPC"
    return f"{vpc} of account {account}" if account else str(vpc)


def _lost(row: dict[str, Any]) -> str | None:
    lost = [f"{row[column]:,} {why}" for column, why in _LOST.items() if row.get(column)]
    return f"Packets were lost: {', '.join(lost)}." if lost else None


def _groups(row: dict[str, Any]) -> str | None:
    ids = row.get("security_group_ids")
    if ids is None:
        state = row.get("inventory_state")
        return "The inventory does not know that network interface." if state == "unknown" else None
    names = row.get("security_group_names") or []
    said = ", ".join(
        f"{n} ({i})" if n else i for i, n in zip(ids, names or [None] * len(ids), strict=False)
    )
    return f"Its security groups then: {said or 'none'}. {_confidence(row)}"


def _confidence(row: dict[str, Any]) -> str:
    age, state = row.get("inventory_age_s"), row.get("inventory_state")
    if state == "exact":
        return "Snapshots before and after agree."
    side = "after" if (age or 0) >= 0 else "before"
    return (
        f"The inventory's answer is {state}: the flow came {abs(age or 0):,} s {side} the snapshot."
    )


def _peer(row: dict[str, Any]) -> str | None:
    if not row.get("peer_addr"):
        return None
    scope = PEER_SCOPES.get(row.get("peer_scope") or "unknown")
    notes = [row.get("peer_interface_id"), _instance(row, "peer"), row.get("peer_network_name")]
    if row.get("peer_security_group_ids"):
        notes.append("security groups " + ", ".join(row["peer_security_group_ids"]))
    said = "; ".join(note for note in notes if note)
    return f"The peer {row['peer_addr']} is {scope}" + (f": {said}." if said else ".")


def _path(row: dict[str, Any]) -> str | None:
    path = row.get("traffic_path_name")
    return f"It left by: {path.replace('_', ' ')}." if path else None


def _why(row: dict[str, Any]) -> str | None:
    reason = row.get("reject_reason")
    if row.get("action") != "REJECT" and not reason:
        return None
    if reason:
        named = {"BPA": "VPC Block Public Access", "EC": "encryption controls"}.get(reason, reason)
        return f"AWS gives the reason: {named}."
    cause = REJECT_CAUSES.get(row.get("reject_cause") or "")
    if cause is None or row["reject_cause"] == "unknown":
        return "A security group or network ACL did not allow it, or the connection was closed already."
    return f"It was rejected because {cause}."


def _rules(row: dict[str, Any]) -> str | None:
    """Say who opened the connection, and what admitted it."""
    said = []
    if row.get("initiator"):
        end = "source" if row["initiator"] == "src" else "destination"
        said.append(f"The {end} opened the connection: {INITIATOR_BASES[row['initiator_basis']]}.")
    match = row.get("rule_match")
    if row.get("rule_ids"):
        said.append(f"Admitted by {', '.join(row['rule_ids'])}.")
    elif match in ("response", "none"):
        said.append(f"Of rules: {RULE_MATCHES[match]}.")
    if match is not None and row.get("rule_note"):
        said.append(f"{RULE_NOTES[row['rule_note']].capitalize()}.")
    return " ".join(said) or None


def _basis(row: dict[str, Any]) -> str | None:
    basis = row.get("direction_basis")
    if basis == "address":
        return f"That it is {row['direction']} follows from the interface's addresses; the log does not say it."
    return None
