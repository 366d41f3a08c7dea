"""
Describe: capture what EC2 knows of an account and region, or of some of its network interfaces.

Every call is paginated explicitly, with the largest page its operation takes: without, EC2 refuses accounts with many
interfaces, and answers all others out of a smaller budget.
https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from vpcflow.aws.ec2 import permission
from vpcflow.errors import AwsError
from vpcflow.inventory.capture import KINDS, Page, snapshot_of
from vpcflow.inventory.ec2 import eni
from vpcflow.inventory.merge import within

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from typing import TypeVar

    from vpcflow.aws.ec2 import Ec2
    from vpcflow.inventory import Eni, PrefixList, PrefixListEntry, Snapshot

    T = TypeVar("T")
    Steps = Generator[None, None, T]
    Warn = Callable[[str], None]

LOOK_UP_LIMIT = 200
"""Values that one filter of a Describe call takes."""

# The role may not, or EC2 there does not know the call; an emulator may say so with no answer of EC2's at all.
_REFUSED = {
    "AccessDenied",
    "AccessDeniedException",
    "InvalidAction",
    "ResponseParserError",
    "UnauthorizedOperation",
    "UnsupportedOperation",
}


class Question(NamedTuple):
    """A call that lists things: its name in boto3, the list in its answer, its largest page, what goes without it."""

    operation: str
    key: str
    page_size: int
    without: str
    more: dict[str, Any] = {}  # noqa: RUF012  # never changed


_MANAGED = {"IncludeManagedResources": True}
INTERFACES = Question("describe_network_interfaces", "NetworkInterfaces", 1000, "", _MANAGED)
GROUPS = Question("describe_security_groups", "SecurityGroups", 1000, "")
PREFIX_LISTS = Question(
    "describe_managed_prefix_lists", "PrefixLists", 100, "what prefix lists hold is not known"
)
FLOW_LOGS = Question(
    "describe_flow_logs", "FlowLogs", 1000, "layouts of lines without a header are not known"
)
_NAMES = (
    Question("describe_instances", "Reservations", 1000, "names of instances are not known", _MANAGED),
    Question("describe_subnets", "Subnets", 1000, "ids of Availability Zones may not be known"),
    Question("describe_vpcs", "Vpcs", 1000, "CIDR blocks of VPCs are not known"),
)  # fmt: skip
_CONNECTIVITY = (
    Question(
        "describe_vpc_peering_connections", "VpcPeeringConnections", 1000,
        "which groups of peered VPCs rules can refer to is not known",
    ),
    Question("describe_network_acls", "NetworkAcls", 1000, "what network ACLs deny is not known"),
    Question(
        "describe_transit_gateways", "TransitGateways", 1000,
        "which of them let rules refer to groups of other VPCs is not known",
    ),
    Question(
        "describe_transit_gateway_vpc_attachments", "TransitGatewayVpcAttachments", 1000,
        "which VPCs a transit gateway connects is not known",
    ),
)  # fmt: skip

ALL = (
    INTERFACES,
    GROUPS,
    Question("describe_security_group_rules", "SecurityGroupRules", 1000, "rules have no ids"),
    Question(
        "describe_security_group_vpc_associations", "SecurityGroupVpcAssociations", 1000,
        "of groups that several VPCs use only the first is known",
    ),
    *_NAMES,
    FLOW_LOGS,
    *_CONNECTIVITY,
    PREFIX_LISTS,
)  # fmt: skip
"""
All that a snapshot holds. Interfaces come first: how close their time is to the snapshot's is what matters most.

Interfaces and groups must be answered; of the others what the role may not ask is left out, with a warning.
"""

WHAT_FLOWS_NEED = (INTERFACES, *_NAMES, FLOW_LOGS)
"""What the columns of enriched flows are made of: no rules, and names of groups come with the interfaces."""

_REQUIRED = (INTERFACES, GROUPS)


def capture(
    ec2: Ec2,
    *,
    clock: Callable[[], float],
    warn: Warn,
    questions: Sequence[Question] = ALL,
    optional: bool = True,
    known: Sequence[PrefixList] = (),
) -> Snapshot:
    """
    Ask EC2 and give a snapshot of the account and region, dated when the first call began.

    ``known`` are prefix lists of before: those of a version that is still in force are not read again. Raises
    ``AwsError`` where a required call is refused (all are, where not ``optional``), or any is not answered in the end.
    """
    return _taken(
        capture_by_steps(
            ec2, clock=clock, warn=warn, questions=questions, optional=optional, known=known
        )
    )


def capture_by_steps(
    ec2: Ec2,
    *,
    clock: Callable[[], float],
    warn: Warn,
    questions: Sequence[Question] = ALL,
    optional: bool = True,
    known: Sequence[PrefixList] = (),
) -> Steps[Snapshot]:
    """Do what `capture` does, and stop before each call: who takes the steps says when it is made, if ever."""
    captured_at = int(clock())
    pages: list[Page] = []
    for question in questions:
        required = question in _REQUIRED or not optional
        found = yield from _answered(ec2, question, warn, required=required)
        if found is None:
            continue
        pages.append(Page(question.key, found, permission(question.operation)))
        if question is PREFIX_LISTS:
            pages.extend((yield from _entries(ec2, found, known, warn)))
    origin = "/".join(map(str, ec2.scope))
    snapshot = snapshot_of(pages, captured_at=captured_at, origin=origin, warn=warn)
    return _with_gaps(within(snapshot, ec2.scope), questions)


def interfaces_by_id(ec2: Ec2, interface_ids: Sequence[str]) -> tuple[Eni, ...]:
    """
    Describe at most `LOOK_UP_LIMIT` interfaces, in one call as a rule; ones that do not exist are left out.

    They go as a filter: as ``NetworkInterfaceIds`` a single unknown one would fail the call. Raises ``AwsError``.
    """
    wanted = list(interface_ids[:LOOK_UP_LIMIT])
    # EC2 may answer with less than a page and a token all the same.
    steps = _objects(
        ec2,
        INTERFACES.operation,
        INTERFACES.key,
        Filters=[{"Name": "network-interface-id", "Values": wanted}],
        MaxResults=INTERFACES.page_size,
        **INTERFACES.more,
    )
    return tuple(map(eni, _taken(steps)))


def _taken(steps: Steps[T]) -> T:
    """Take all steps at once."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            return result


def _answered(
    ec2: Ec2, question: Question, warn: Warn, *, required: bool
) -> Steps[list[dict[str, Any]] | None]:
    """Give all objects; None, with a warning, where the call is refused and not required."""
    try:
        return (
            yield from _objects(
                ec2,
                question.operation,
                question.key,
                MaxResults=question.page_size,
                **question.more,
            )
        )
    except AwsError as error:
        if required or error.code not in _REFUSED:
            raise
        warn(f"without {permission(question.operation)} {question.without}: {error}")
        return None


def _objects(ec2: Ec2, operation: str, key: str, **parameters: Any) -> Steps[list[dict[str, Any]]]:
    """Ask page by page until there is no further one."""
    found: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        yield
        answer = ec2.ask(operation, **parameters, **token)
        found.extend(map(_slim, answer[key]))
        if not answer.get("NextToken"):
            return found
        token = {"NextToken": answer["NextToken"]}


def _slim(raw: dict[str, Any]) -> dict[str, Any]:
    """Leave out of a reservation what nobody reads: an instance's description is several kilobytes."""
    if "Instances" not in raw:
        return raw
    wanted = ("InstanceId", "Placement", "VpcId", "Tags")
    instances = [{k: one[k] for k in wanted if k in one} for one in raw["Instances"]]
    return {"OwnerId": raw.get("OwnerId"), "Instances": instances}


def _entries(
    ec2: Ec2, lists: Sequence[dict[str, Any]], known: Sequence[PrefixList], warn: Warn
) -> Steps[list[Page]]:
    """Give the entries of each list: from ``known`` where its version is still the same, else from EC2."""
    operation = "get_managed_prefix_list_entries"
    versions: dict[tuple[str, int | None], Sequence[PrefixListEntry]] = {
        (one.prefix_list_id, one.version): one.entries
        for one in known
        if one.version is not None and one.entries is not None
    }
    pages: list[Page] = []
    for raw in lists:
        list_id = raw["PrefixListId"]
        before = versions.get((list_id, raw.get("Version")))
        if before is not None:
            same = [{"Cidr": e.cidr, "Description": e.description} for e in before]
            pages.append(Page("Entries", same, permission(operation), list_id))
            continue
        try:
            found = yield from _objects(
                ec2, operation, "Entries", PrefixListId=list_id, MaxResults=PREFIX_LISTS.page_size
            )
        except AwsError as error:
            if error.code in _REFUSED:
                warn(f"without {permission(operation)} {PREFIX_LISTS.without}: {error}")
                break
            if error.code != "InvalidPrefixListID.NotFound":
                raise
            continue
        pages.append(Page("Entries", found, permission(operation), list_id))
    return pages


def _with_gaps(snapshot: Snapshot, questions: Sequence[Question]) -> Snapshot:
    """Note what was asked for and refused: other scopes of a merged snapshot may have it."""
    asked = {kind for question in questions for kind in KINDS[question.key]}
    gaps = ((kind, scope) for kind in asked - snapshot.kinds for scope in snapshot.scopes)
    return replace(snapshot, gaps=tuple(sorted(gaps)))
