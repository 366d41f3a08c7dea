"""The account itself as an inventory: asked with the credentials and the region of the environment."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from vpcflow.aws.extra import aws_extra, open_s3
from vpcflow.errors import FormatError
from vpcflow.inventory import (
    Inventory,
    merge_snapshots,
    snapshot_file_name,
    text_of_time,
    write_snapshot,
)
from vpcflow.inventory.snapshots import snapshot_bytes
from vpcflow.object_store import is_object_url, parse_object_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpcflow.aws.describe import Question
    from vpcflow.cli.words import Words
    from vpcflow.inventory import FlowLog, Snapshot

AWS = "aws"
"""What ``--inventory`` and ``--log-format`` take for the account itself; a directory of that name is ``./aws``."""


def live_inventory(words: Words) -> Inventory:
    """Ask EC2 for what flows are enriched from, and say of when that is; raises ``AwsError``."""
    with aws_extra("--inventory aws"):
        from vpcflow.aws.describe import WHAT_FLOWS_NEED
    return _asked(words, WHAT_FLOWS_NEED)


def live_inventory_with_rules(words: Words) -> Inventory:
    """Ask EC2 for all it tells, and say of when that is; raises ``AwsError``."""
    with aws_extra("--inventory aws"):
        from vpcflow.aws.describe import ALL
    return _asked(words, ALL)


def _asked(words: Words, questions: Sequence[Question]) -> Inventory:
    from vpcflow.aws.describe import capture
    from vpcflow.aws.ec2 import Target, open_ec2

    ec2 = open_ec2(Target())
    snapshot = capture(ec2, clock=time.time, warn=words.say, questions=questions)
    words.say(
        f"asked EC2 for the inventory: {_found(snapshot)}, in {ec2.calls:,} calls; it is of"
        f" {text_of_time(snapshot.captured_at)}, and inventory_age_s says how far off each record is"
    )
    return Inventory([snapshot])


def live_flow_logs(words: Words) -> tuple[FlowLog, ...]:
    """Ask EC2 for the flow logs alone; raises ``AwsError``."""
    with aws_extra("--log-format aws"):
        from vpcflow.aws.describe import FLOW_LOGS, capture
        from vpcflow.aws.ec2 import Target, open_ec2
    snapshot = capture(
        open_ec2(Target()), clock=time.time, warn=words.say, questions=(FLOW_LOGS,), optional=False
    )
    return snapshot.flow_logs


def capture_to(
    to: str, regions: Sequence[str], role_arns: Sequence[str], external_id: str | None, words: Words
) -> bool:
    """
    Capture accounts and regions to one snapshot; true where that is all of them.

    Raises ``VpcflowError`` where none can be captured, or the snapshot cannot be written.
    """
    if external_id and not role_arns:
        raise FormatError("--external-id goes with a role: give --role-arn too")
    with aws_extra("vpcflow inventory capture"):
        from vpcflow.aws.captures import capture_all, targets
    started = time.monotonic()
    wanted = targets(regions, role_arns or (None,), external_id)
    found = capture_all(
        wanted, clock=time.time, warn=words.say, done=lambda one: words.say(_found(one))
    )
    if not found.snapshots:
        for failure in found.failures[1:]:
            words.say(f"{failure.target}: {failure.error}")
        raise found.failures[0].error
    snapshot = merge_snapshots(found.snapshots, origin=to)
    path = _write(snapshot, to)
    words.say(
        f"wrote {path}: {len(snapshot.interfaces):,} network interfaces,"
        f" {len(snapshot.security_groups):,} security groups, in {found.calls:,} calls to EC2"
        f" and {time.monotonic() - started:,.1f} s"
    )
    for failure in found.failures:
        words.say(f"{failure.target} is not in it: {failure.error}")
    return not found.failures


def _found(snapshot: Snapshot) -> str:
    where = ", ".join(f"{account} in {region}" for account, region in snapshot.scopes)
    return f"{where}: {len(snapshot.interfaces):,} network interfaces"


def _write(snapshot: Snapshot, to: str) -> str:
    """Write to a file, or into a directory or folder under the name of its time; gives where."""
    name = snapshot_file_name(snapshot.captured_at)
    if not is_object_url(to):
        path = Path(to) / name if to.endswith("/") or Path(to).is_dir() else Path(to)
        write_snapshot(snapshot, path)
        return str(path)
    place = parse_object_url(to)
    if not place.key.endswith((".json", ".json.gz")):
        place = place._replace(key=place.folder + name)
    open_s3().put(place.bucket, place.key, snapshot_bytes(snapshot, place.key))
    return str(place)
