"""A small VPC and its flow records, judged: what tests of initiators, rules and causes are written with."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.inventories import ACCOUNT, REGION, eni
from vpcflow.admission import RuleBook
from vpcflow.codes import INITIATOR_BASES, REJECT_CAUSES, RULE_MATCHES, RULE_NOTES
from vpcflow.enrich import Reference
from vpcflow.inventory import Inventory, SecurityGroup, SecurityGroupRule, Snapshot, Vpc
from vpcflow.pipeline import read_flows
from vpcflow.rules.recording import Recording
from vpcflow.sources import Input
from vpcflow.sources.files import read_input
from vpcflow.stats import Books

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

T0 = 1_700_000_000
WEB, DATABASE, LONER = "eni-1", "eni-2", "eni-3"
HEADER = (
    "version interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
    " tcp-flags flow-direction pkt-srcaddr pkt-dstaddr reject-reason"
)
NO_FLAGS = HEADER.replace(" tcp-flags flow-direction pkt-srcaddr pkt-dstaddr reject-reason", "")


def rule(rule_id: str, group_id: str, **fields: Any) -> SecurityGroupRule:
    """Make a TCP rule; ``port`` stands for both ends of the range."""
    port = fields.pop("port", None)
    given = {
        "protocol": 6,
        "from_port": port,
        "to_port": port,
        "group_owner_id": ACCOUNT,
        "region": REGION,
    }
    return SecurityGroupRule(group_id=group_id, rule_id=rule_id, **{**given, **fields})


RULES = (
    rule("sgr-https", "sg-web", port=443, ipv4_cidr="0.0.0.0/0"),
    rule("sgr-office", "sg-web", port=443, ipv4_cidr="198.51.100.0/24"),
    rule("sgr-to-db", "sg-web", port=5432, referenced_group_id="sg-db", is_egress=True),
    rule("sgr-dns", "sg-web", port=53, protocol=17, ipv4_cidr="10.0.0.0/16", is_egress=True),
    rule("sgr-from-web", "sg-db", port=5432, referenced_group_id="sg-web"),
    rule("sgr-ping", "sg-db", protocol=1, from_port=8, ipv4_cidr="10.0.0.0/16"),
    rule("sgr-all", "sg-loner", protocol=-1, ipv4_cidr="10.0.0.0/16"),
    rule("sgr-all-out", "sg-loner", protocol=-1, ipv4_cidr="10.0.0.0/16", is_egress=True),
)


def small_vpc(*, captured_at: int = T0, rules: Sequence[SecurityGroupRule] = RULES) -> Snapshot:
    """A web server, a database and a host that may all, in a VPC of 10.0.0.0/16."""
    groups = ("sg-db", "sg-loner", "sg-web")
    return Snapshot(
        captured_at,
        scopes=((ACCOUNT, REGION),),
        kinds=frozenset(
            "interfaces security_groups security_group_rules prefix_lists vpcs subnets".split()
        ),
        interfaces=(
            eni(1, "10.0.1.10", "10.0.1.11", groups="sg-web"),
            eni(2, "10.0.1.20", groups="sg-db"),
            eni(3, "10.0.1.30", groups="sg-loner"),
        ),
        security_groups=tuple(SecurityGroup(g, owner_id=ACCOUNT, region=REGION) for g in groups),
        security_group_rules=tuple(sorted(rules, key=lambda r: r.key)),
        vpcs=(Vpc("vpc-a", ACCOUNT, REGION, ("10.0.0.0/16",)),),
    )


def record(interface_id: str, source: str, destination: str, **fields: Any) -> str:
    """
    Write a line of `HEADER`: sockets as ``10.0.1.10:443``; ``out`` is the direction, ``at`` seconds after ``T0``.
    """
    (srcaddr, srcport), (dstaddr, dstport) = (_socket(one) for one in (source, destination))
    at = T0 + fields.get("at", 0)
    values = {
        "version": 5,
        "interface-id": interface_id,
        "srcaddr": srcaddr,
        "dstaddr": dstaddr,
        "srcport": srcport,
        "dstport": dstport,
        "protocol": fields.get("protocol", 6),
        "packets": fields.get("packets", 10),
        "bytes": fields.get("size", 1000),
        "start": at,
        "end": at + fields.get("lasts", 10),
        "action": fields.get("action", "ACCEPT"),
        "log-status": "OK",
        "tcp-flags": fields.get("flags", 0),
        "flow-direction": "egress" if fields["out"] else "ingress",
        "pkt-srcaddr": fields.get("pkt_src", srcaddr),
        "pkt-dstaddr": fields.get("pkt_dst", dstaddr),
        "reject-reason": fields.get("reason", "-"),
    }
    return " ".join(str(values[name]) for name in HEADER.split())


def quiet(interface_id: str, status: str, at: int, lasts: int = 59) -> str:
    """Write a NODATA or SKIPDATA line."""
    values = dict.fromkeys(HEADER.split(), "-")
    values |= {
        "version": "5",
        "interface-id": interface_id,
        "start": str(T0 + at),
        "end": str(T0 + at + lasts),
        "log-status": status,
    }
    return " ".join(values[name] for name in HEADER.split())


def watched(interface_id: str, first: int = -600, last: int = 600) -> list[str]:
    """Write NODATA lines for each minute: the interface was watched all the time."""
    return [quiet(interface_id, "NODATA", at) for at in range(first, last, 60)]


def without_flags(lines: Sequence[str]) -> list[str]:
    """Leave of lines of `HEADER` what version 2's fields tell."""
    names = HEADER.split()
    return [
        " ".join(
            token
            for name, token in zip(names, line.split(), strict=True)
            if name in NO_FLAGS.split()
        )
        for line in lines
    ]


class Answer(NamedTuple):
    """What is known of one line, in words."""

    initiator: str | None
    basis: str | None
    match: str | None
    rules: list[str] | None
    note: str | None
    cause: str | None
    connection_id: str | None


def judge(
    lines: Sequence[str], *snapshots: Snapshot, header: str = HEADER, cuts: Sequence[int] = ()
) -> list[Answer]:
    """Judge lines together, read in pieces cut at these lines; of the small VPC unless snapshots are given."""
    reference = Reference(inventory=Inventory(snapshots or (small_vpc(),)))
    assert reference.inventory is not None
    book = RuleBook(reference.inventory)
    with Recording(reference) as recording:
        for batch in batches(lines, header, cuts):
            recording.add(batch)
        the_judge = recording.judge(book)
        found: dict[int, Answer] = {}
        parts = list(recording.answers(the_judge))
        causes = [*REJECT_CAUSES, *recording.reasons.values]
        sets = [sorted(book.keys[r].as_py() for r in s) for s in the_judge.sets.members]
        for part in parts:
            for i, row in enumerate(part.row.tolist()):
                found[row] = Answer(
                    _word(("src", "dst"), part.initiator[i]),
                    _word(tuple(INITIATOR_BASES), part.basis[i]),
                    _word(tuple(RULE_MATCHES), part.match[i]),
                    None if part.rules[i] < 0 else sets[part.rules[i]],
                    _word(tuple(RULE_NOTES), part.note[i]),
                    _word(tuple(causes), part.cause[i]),
                    f"{part.id_high[i]:016x}{part.id_low[i]:016x}",
                )
    nothing = Answer(*(None,) * len(Answer._fields))
    return [found.get(row, nothing) for row in range(len(lines))]


def batches(
    lines: Sequence[str], header: str = HEADER, cuts: Sequence[int] = ()
) -> Iterator[pa.RecordBatch]:
    """Parse lines, in pieces cut at these lines."""
    edges = [0, *cuts, len(lines)]
    for first, last in pairwise(edges):
        text = "\n".join([header, *lines[first:last], ""]).encode()
        source = Input("lines", len(text), lambda text=text: io.BytesIO(text))
        yield from read_flows(read_input(source), Books())


def _word(words: Sequence[str], number: Any) -> str | None:
    return None if number < 0 else words[number]


def _socket(text: str) -> tuple[str, str]:
    address, _, port = text.rpartition(":")
    return (address, port) if address else (text, "0")
