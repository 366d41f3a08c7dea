"""``vpcflow rules propose``: the smallest change of the rules that keeps every observed connection."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from vpcflow.cli import options
from vpcflow.cli.here import here
from vpcflow.cli.rules.inputs import Given, Heard, hear
from vpcflow.cli.rules.output import Result, ResultTo, Table, open_output
from vpcflow.cli.rules.usage import MinCoverage, MinDays
from vpcflow.cli.run import status_of
from vpcflow.cli.words import Words
from vpcflow.errors import FormatError, SourceError
from vpcflow.rules.aws_commands import script
from vpcflow.rules.change import document
from vpcflow.rules.coverage import CoverageBuilder
from vpcflow.rules.covered import covered_of
from vpcflow.rules.exceptions import NONE, in_force, read_exemptions
from vpcflow.rules.narrowing import Bounds
from vpcflow.rules.present import Present
from vpcflow.rules.proposal_words import lines_of, summary_of, table_of
from vpcflow.rules.proposals import KINDS, RuleUsage, Step, change_of, in_steps
from vpcflow.rules.proposing import Limits, propose
from vpcflow.rules.quotas import GROUPS_PER_INTERFACE, RULES_PER_GROUP, Quotas
from vpcflow.rules.sources import Widest
from vpcflow.rules.tally import Tally
from vpcflow.rules.usage import MIN_COVERAGE, MIN_DAYS, Demands, usage_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from vpcflow.cli.rules.output import Output
    from vpcflow.rules.exceptions import Exemption, Exemptions
    from vpcflow.rules.proposals import Proposal, Proposed

HELP = """
Propose the smallest change of security group rules that keeps every observed connection.

Unused and redundant rules go, wide CIDRs become the peers' security groups or narrower CIDRs, ports are narrowed to
those used, and rules that permit the same together are merged. Each proposal tells what it rests on and what speaks
against it; all were replayed on the recording, and any can be made without the others. INPUT is what `vpcflow enrich`
takes, or what `vpcflow rules attribute` wrote.

As json it is the change that `vpcflow rules replay --change` takes; as aws-cli a shell script of AWS CLI commands:
sh FILE makes the change, sh FILE undo takes it back.

\b
    vpcflow rules propose --inventory inventory/ AWSLogs/
    vpcflow rules propose --inventory inventory/ --exceptions keep.toml --to change.sh AWSLogs/
"""

AWS_CLI = "aws-cli"

ProposalFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="table|json|csv|parquet|aws-cli",
        show_default=False,
        help="Form of the result; json is the change alone, csv and parquet have a row a proposal, aws-cli is a shell"
        " script.  [default: what --to ends with (.sh is aws-cli), else table]",
    ),
]
Exceptions = Annotated[
    str | None,
    typer.Option(
        "--exceptions",
        metavar="FILE",
        show_default=False,
        help="Rules and groups to leave as they are, here or in S3: TOML, JSON or CSV of rule or group, reason and"
        " expires, a day.",
    ),
]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--kind",
        metavar="|".join(KINDS),
        show_default=False,
        help="Only proposals of this kind; may be given more than once.  [default: all]",
    ),
]
Groups = Annotated[
    list[str] | None,
    typer.Option(
        "--group",
        metavar="sg-…",
        show_default=False,
        help="Only proposals for this group; may be given more than once.  [default: all]",
    ),
]
Proven = Annotated[
    bool,
    typer.Option(
        "--proven",
        help="Only proposals that rest on as much of a recording as --min-coverage and --min-days ask for, and such as"
        " rest on none (duplicate, merge).",
    ),
]
WidestIpv4 = Annotated[
    int,
    typer.Option(
        "--widest-ipv4",
        metavar="BITS",
        min=1,
        max=32,
        help="Prefix length of the widest IPv4 CIDR to propose; rules' wider ones are to be narrowed.",
    ),
]
WidestIpv6 = Annotated[
    int,
    typer.Option("--widest-ipv6", metavar="BITS", min=1, max=128, help="The same for IPv6."),
]
MostRules = Annotated[
    int, typer.Option("--most-rules", metavar="N", min=1, help="Rules that may take the place of one.")
]  # fmt: skip
MostPortRanges = Annotated[
    int,
    typer.Option(
        "--most-port-ranges",
        metavar="N",
        min=1,
        help="Port ranges that may take the place of one.",
    ),
]
RulesPerGroup = Annotated[
    int,
    typer.Option(
        "--rules-per-group",
        metavar="N",
        min=1,
        help="AWS's quota of rules a group, of each direction and address family.",
    ),
]
GroupsPerInterface = Annotated[
    int,
    typer.Option(
        "--groups-per-interface",
        metavar="N",
        min=1,
        help="AWS's quota of groups an interface; the two times each other are 1,000 at most.",
    ),
]


def propose_command(
    inputs: options.Inputs = None,
    inventory: options.InventoryPath = None,
    inventory_time: options.InventoryTime = None,
    inventory_max_age: options.InventoryMaxAge = 3600,
    max_stale: options.MaxStale = None,
    to: ResultTo = None,
    format_: ProposalFormat = None,
    exceptions: Exceptions = None,
    kinds: Kinds = None,
    groups: Groups = None,
    proven: Proven = False,
    min_coverage: MinCoverage = MIN_COVERAGE,
    min_days: MinDays = MIN_DAYS,
    widest_ipv4: WidestIpv4 = 24,
    widest_ipv6: WidestIpv6 = 64,
    most_rules: MostRules = 10,
    most_port_ranges: MostPortRanges = 4,
    rules_per_group: RulesPerGroup = RULES_PER_GROUP,
    groups_per_interface: GroupsPerInterface = GROUPS_PER_INTERFACE,
    log_format: options.LogFormat = None,
    since: options.Since = None,
    until: options.Until = None,
    rejects: options.Rejects = None,
    quiet: options.Quiet = False,
) -> None:
    """Propose, write what is proposed, and end with the exit status the books call for."""
    words = Words(quiet=quiet)
    output = open_output(to, format_, {".sh": AWS_CLI})
    quotas = Quotas(rules_per_group, groups_per_interface)
    bounds = Bounds(Widest(widest_ipv4, widest_ipv6), most_rules, most_port_ranges)
    wanted = _Wanted(_kinds(kinds or []), frozenset(groups or []), proven)
    exempt = () if exceptions is None else _read(exceptions)
    given = Given(
        inputs=inputs or [],
        inventory=inventory,
        inventory_time=inventory_time,
        inventory_max_age=inventory_max_age,
        max_stale=max_stale,
        log_format=log_format or [],
        times=options.read_times(since, until),
        rejects=rejects,
        quiet=quiet,
    )
    coverage = CoverageBuilder()
    with hear(given, words, coverage.add) as heard:
        present = Present(heard.inventory)
        exemptions = _in_force(exempt, datetime.now(UTC).date(), present, words)
        found = propose(
            heard.inventory,
            heard.book,
            heard.connections,
            _usage(heard, coverage, Demands(min_coverage, min_days)),
            Limits(bounds, quotas, exemptions),
        )
        names = {g.group_id: g.name for g in present.groups.values() if g.name}
        output.write(_result(wanted.of(found), names, output))
        status = status_of(heard.books)
    if output.format != "table":
        for line in summary_of(found):
            words.say(line)
    if status:
        raise typer.Exit(status)


def _usage(heard: Heard, coverage: CoverageBuilder, demands: Demands) -> dict[str, RuleUsage]:
    """Tell the usage of each rule, by key."""
    tally = Tally(heard.book)
    for batch in heard.connections():
        tally.add(batch)
    covered = covered_of(heard.inventory, coverage.coverage(heard.inventory))
    usage = usage_of(heard.inventory, tally.tables(), covered, demands=demands)
    return {
        row["rule_id"]: RuleUsage(
            row["verdict"], row["coverage"], row["days"], row["proven"], tuple(row["reasons"])
        )
        for row in usage.rules
    }


class _Wanted(NamedTuple):
    """Which proposals are asked for."""

    kinds: frozenset[str]
    groups: frozenset[str]
    proven: bool

    def of(self, found: Proposed) -> Proposed:
        return found._replace(proposals=tuple(filter(self._is_wanted, found.proposals)))

    def _is_wanted(self, one: Proposal) -> bool:
        is_proven = one.usage.is_proven or one.kind in ("duplicate", "merge")
        return (
            (not self.kinds or one.kind in self.kinds)
            and (not self.groups or one.group_id in self.groups)
            and (is_proven or not self.proven)
        )


def _kinds(given: Sequence[str]) -> frozenset[str]:
    if unknown := [kind for kind in given if kind not in KINDS]:
        raise FormatError(f"unknown kinds: {', '.join(unknown)} (known: {', '.join(KINDS)})")
    return frozenset(given)


def _read(path: str) -> tuple[Exemption, ...]:
    try:
        with here(path) as local:
            return read_exemptions(Path(local.path).read_bytes(), path)
    except OSError as fault:
        raise SourceError(f"cannot read {path!r}: {fault.strerror}") from fault


def _in_force(
    exempt: Sequence[Exemption], today: date, present: Present, words: Words
) -> Exemptions:
    if not exempt:
        return NONE
    groups = {*present.groups, *(rule.group_id for rule in present.rules)}
    found = in_force(exempt, today, present.numbers, groups)
    for text in found.words:
        words.say(text)
    return found


def _result(found: Proposed, names: Mapping[str, str], output: Output) -> Result:
    if output.format == AWS_CLI:
        return Result({}, text=script(_steps(found.proposals, names)))
    if output.format == "json":
        return Result({}, facts=document(change_of(found.proposals)))
    notes = [line for one in found.proposals for line in (*lines_of(one, names), "")]
    return Result(
        {"proposals": Table(table_of(found.proposals, names))},
        notes=[*notes, *summary_of(found)],
    )


def _steps(proposals: Iterable[Proposal], names: Mapping[str, str]) -> list[Step]:
    return [Step([*lines_of(one, names)], one.remove, one.add) for one in in_steps(proposals)]
