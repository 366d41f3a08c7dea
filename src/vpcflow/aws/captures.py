"""Captures of several accounts and regions, some at a time; what fails in one does not touch the others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from vpcflow.aws.describe import ALL, capture
from vpcflow.aws.ec2 import Target, open_ec2
from vpcflow.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vpcflow.aws.describe import Question
    from vpcflow.aws.ec2 import Ec2
    from vpcflow.inventory import PrefixList, Snapshot

    Warn = Callable[[str], None]

_AT_ONCE = 8
"""Each account and region has EC2 buckets of its own; in one, calls are made one after the other."""


class Failure(NamedTuple):
    """An account and region that could not be captured, and why."""

    target: Target
    error: AwsError


class Captures(NamedTuple):
    """A snapshot of each account and region that was captured, in the order asked; ``calls`` of EC2, of all."""

    snapshots: list[Snapshot]
    failures: list[Failure]
    calls: int


def targets(
    regions: Sequence[str], role_arns: Sequence[str | None], external_id: str | None = None
) -> list[Target]:
    """Give each region of each role, None being no role; without regions the environment's. Each once."""
    found = (
        Target(region, role, external_id if role else None)
        for role in role_arns
        for region in regions or (None,)
    )
    return list(dict.fromkeys(found))


def capture_all(
    wanted: Sequence[Target],
    *,
    clock: Callable[[], float],
    warn: Warn,
    open_: Callable[[Target], Ec2] = open_ec2,
    questions: Sequence[Question] = ALL,
    known: Sequence[PrefixList] = (),
    done: Callable[[Snapshot], None] = lambda _: None,
) -> Captures:
    """
    Capture them all; ``done`` is called as each is ready, from the thread that did it.

    A kind of failure that is ours (an answer EC2 never gives) is raised; AWS's are given.
    """

    def one(target: Target) -> tuple[Snapshot | Failure, int]:
        try:
            ec2 = open_(target)
        except AwsError as error:
            return Failure(target, error), 0
        before = ec2.calls
        try:
            found = capture(ec2, clock=clock, warn=warn, questions=questions, known=known)
        except AwsError as error:
            return Failure(target, error), ec2.calls - before
        done(found)
        return found, ec2.calls - before

    with ThreadPoolExecutor(min(_AT_ONCE, max(len(wanted), 1))) as pool:
        results = list(pool.map(one, wanted))
    calls = sum(count for _, count in results)
    snapshots = [result for result, _ in results if not isinstance(result, Failure)]
    failures = [result for result, _ in results if isinstance(result, Failure)]
    return Captures(snapshots, failures, calls)
