"""The inventory function: what it captures, when it need not, and what it does where an account cannot be asked."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ec2_fake import ACCOUNT, FakeEc2, raw_eni
from stores import FakeStore

from vpcflow.aws.ec2 import Ec2, Target
from vpcflow.aws.snapshot_series import newest_snapshot
from vpcflow.errors import AwsError, SettingsError
from vpcflow.inventory import Inventory, Snapshot
from vpcflow.lambdas.capturing import Capturing, Changes, changes_of
from vpcflow.lambdas.settings import load_settings
from vpcflow.object_store import ObjectUrl

if TYPE_CHECKING:
    from collections.abc import Callable

T = 1_700_000_000
OTHER = "210987654321"
ROLE = f"arn:aws:iam::{OTHER}:role/vpcflow"
SCHEDULE = {"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}


class World:
    """Accounts, a bucket, a clock, and the function in an invocation of five minutes."""

    def __init__(self, **environ: str) -> None:
        self.now = float(T)
        self.left_s = 300.0
        self.store = FakeStore({"b": {}})
        self.ec2 = {
            ACCOUNT: FakeEc2(describe_network_interfaces=[raw_eni(1)]),
            OTHER: FakeEc2(describe_network_interfaces=[raw_eni(2, OwnerId=OTHER)]),
        }
        self.said: list[dict[str, Any]] = []
        self.slept: list[float] = []
        self.on_sleep: Callable[[], None] = lambda: None
        settings = load_settings("inventory", {"SNAPSHOTS": "s3://b/p/", **environ})
        self.function = Capturing(
            settings,
            self.store,
            self._open,
            write=lambda line: self.said.append(json.loads(line)),
            clock=lambda: self.now,
            sleep=self._sleep,
        )

    def invoke(self, event: Any = SCHEDULE) -> Any:
        return self.function(event, self)["snapshot"]

    def get_remaining_time_in_millis(self) -> float:
        return self.left_s * 1000

    @property
    def aws_request_id(self) -> str:
        return "00000000-0000-0000-0000-000000000000"

    @property
    def newest(self) -> Snapshot:
        found = newest_snapshot(self.store, ObjectUrl("b", "p/"), self.now)
        assert found is not None
        return found

    @property
    def metrics(self) -> dict[str, Any]:
        return next(line for line in reversed(self.said) if "_aws" in line)

    def _open(self, target: Target) -> Ec2:
        account = OTHER if target.role_arn == ROLE else ACCOUNT
        return Ec2(self.ec2[account], (account, target.region or "eu-west-1"))

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        self.left_s -= seconds
        self.on_sleep()


def change(at: float) -> dict[str, Any]:
    """Make an event as EventBridge has it from CloudTrail."""
    time = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    detail = {"eventSource": "ec2.amazonaws.com", "eventName": "AttachNetworkInterface"}
    kind = "AWS API Call via CloudTrail"
    return {"source": "aws.ec2", "detail-type": kind, "detail": {**detail, "eventTime": time}}


def queued(*events: Any) -> dict[str, Any]:
    return {"Records": [{"messageId": "m", "body": json.dumps(event)} for event in events]}


def test_the_schedule_always_brings_a_snapshot() -> None:
    world = World()

    names = [world.invoke(), world.invoke()]
    world.now += 1
    names.append(world.invoke())

    assert names == ["snapshot-2023-11-14T221320Z.json.gz"] * 2 + [
        "snapshot-2023-11-14T221321Z.json.gz"
    ]
    assert world.newest.scopes == ((ACCOUNT, "eu-west-1"),)
    assert world.slept == []


def test_a_change_is_captured_at_once_where_the_newest_snapshot_is_old_enough() -> None:
    world = World()
    world.invoke()
    world.now += 60

    world.invoke(change(world.now - 20))

    assert world.newest.captured_at == T + 60
    assert world.slept == []


def test_a_change_before_the_newest_snapshot_is_covered_by_it() -> None:
    world = World()
    world.invoke()
    asked = len(world.ec2[ACCOUNT].asked)

    assert world.invoke(change(T - 5)) is None
    assert len(world.ec2[ACCOUNT].asked) == asked
    assert world.metrics["changes_covered"] == 1


def test_a_change_soon_after_a_snapshot_waits_for_the_next_and_is_never_lost() -> None:
    world = World()
    world.invoke()
    world.now += 10
    world.ec2[ACCOUNT].lists["describe_network_interfaces"].append(raw_eni(3))

    world.invoke(change(T + 8))

    assert world.slept == [50]
    assert world.newest.captured_at == T + 60
    assert len(world.newest.interfaces) == 2


def test_of_those_that_wait_only_the_first_captures() -> None:
    world = World()
    world.invoke()
    world.now += 10

    def other_invocation() -> None:
        world.on_sleep = lambda: None
        world.invoke()

    world.on_sleep = other_invocation

    assert world.invoke(change(T + 8)) is None
    assert len(world.store.buckets["b"]) == 2


def test_a_burst_of_a_thousand_changes_in_a_batch_is_one_capture() -> None:
    world = World()
    asked = world.ec2[ACCOUNT].calls

    world.invoke(queued(*(change(T - n) for n in range(6, 1006))))

    assert world.ec2[ACCOUNT].calls["describe_network_interfaces"] == 1
    assert asked["describe_network_interfaces"] == 0
    assert world.metrics["changes"] == 1000


def test_ec2_gets_time_to_know_of_a_change_that_was_just_made() -> None:
    world = World()

    world.invoke(change(T - 1))

    assert world.slept == [4]
    assert world.newest.captured_at == T + 4


@pytest.mark.parametrize("left_s", [100, 150])
def test_without_time_to_wait_a_change_is_captured_at_once(left_s: float) -> None:
    world = World()
    world.invoke()
    world.now += 10
    world.left_s = left_s

    world.invoke(change(T + 4))

    assert world.newest.captured_at == T + 10


def test_a_clock_that_is_ahead_makes_nobody_wait_for_it() -> None:
    world = World()

    world.invoke(change(T + 10_000))

    assert world.slept == [5]


@pytest.mark.parametrize(
    ("event", "changes"),
    [
        (SCHEDULE, Changes(0, None)),
        ({}, Changes(0, None)),
        (None, Changes(0, None)),
        (change(T), Changes(1, T)),
        (queued(change(T), change(T + 5), change(T - 5)), Changes(3, T + 5)),
        (queued(change(T), SCHEDULE), Changes(1, None)),
        ({"Records": [{"body": "{"}]}, Changes(0, None)),
        ({"detail": {"eventTime": "yesterday"}}, Changes(0, None)),
    ],
)
def test_what_an_event_tells(event: Any, changes: Changes) -> None:
    assert changes_of(event) == changes


# Several accounts


def test_all_accounts_and_regions_are_in_one_snapshot() -> None:
    world = World(ROLE_ARNS=ROLE, REGIONS="eu-west-1,us-east-1")

    world.invoke()

    regions = ("eu-west-1", "us-east-1")
    assert world.newest.scopes == tuple((a, r) for a in (ACCOUNT, OTHER) for r in regions)
    assert world.metrics["scopes_captured"] == 4
    assert world.metrics["ec2_calls"] == 4 * 13


def test_an_account_that_cannot_be_asked_is_left_out_and_nothing_of_it_looks_deleted() -> None:
    world = World(ROLE_ARNS=ROLE)
    world.invoke()
    first = world.newest
    world.ec2[OTHER].refused["describe_network_interfaces"] = "UnauthorizedOperation"
    world.now += 600
    world.invoke()
    second = world.newest
    world.ec2[OTHER].refused.clear()
    world.now += 600
    world.invoke()

    history = Inventory([first, second, world.newest]).history

    assert second.scopes == ((ACCOUNT, "eu-west-1"),)
    whole = (T, T + 1200)
    seen = {i: [v[:2] for v in versions] for i, versions in history.interfaces.items()}
    assert seen == {raw_eni(n)["NetworkInterfaceId"]: [whole] for n in (1, 2)}


def test_a_failing_account_is_counted_and_named() -> None:
    world = World(ROLE_ARNS=ROLE)
    world.ec2[OTHER].refused["describe_network_interfaces"] = "UnauthorizedOperation"

    world.invoke()

    assert world.metrics["scopes_failed"] == 1
    assert world.metrics["errors"] == {"UnauthorizedOperation": 1}
    assert f"{ROLE} is not in this snapshot" in world.said[0]["text"]


def test_an_account_that_was_busy_is_asked_once_more() -> None:
    world = World(ROLE_ARNS=ROLE)
    world.ec2[OTHER].refused["describe_vpcs"] = "RequestLimitExceeded"

    world.invoke()

    assert world.ec2[OTHER].calls["describe_network_interfaces"] == 2
    assert world.metrics["scopes_failed"] == 1


def test_an_account_that_takes_all_the_time_is_not_asked_once_more_and_the_others_are_written() -> (
    None
):
    world = World(ROLE_ARNS=ROLE)
    world.ec2[OTHER].refused["describe_vpcs"] = "InternalError"
    world.left_s = 100.0

    world.invoke()

    assert world.ec2[OTHER].calls["describe_network_interfaces"] == 1
    assert [one.interface_id for one in world.newest.interfaces] == [
        raw_eni(1)["NetworkInterfaceId"]
    ]


def test_where_nothing_can_be_captured_the_invocation_fails_and_writes_nothing() -> None:
    world = World()
    world.ec2[ACCOUNT].refused["describe_network_interfaces"] = "UnauthorizedOperation"

    with pytest.raises(AwsError, match="ec2:DescribeNetworkInterfaces"):
        world.invoke()

    assert world.store.buckets == {"b": {}}


def test_entries_of_prefix_lists_are_read_once_even_by_a_new_instance() -> None:
    world = World()
    lists = [{"PrefixListId": "pl-a", "Version": 1, "OwnerId": ACCOUNT}]
    world.ec2[ACCOUNT].lists["describe_managed_prefix_lists"] = lists
    world.ec2[ACCOUNT].entries["pl-a"] = [{"Cidr": "192.0.2.0/24"}]
    world.invoke()
    again = World()
    again.store, again.ec2 = world.store, world.ec2
    again.function._store = world.store

    again.invoke()
    again.invoke()

    assert world.ec2[ACCOUNT].calls["get_managed_prefix_list_entries"] == 1


# Around it


@pytest.mark.parametrize("address", ["b/p/", "/tmp/x", "s3:///p"])
def test_snapshots_go_to_s3_or_the_cold_start_ends_with_a_line_that_says_so(address: str) -> None:
    with pytest.raises(SettingsError, match=r"SNAPSHOTS=.* is no address in S3"):
        World(SNAPSHOTS=address)


def imported(**environ: str) -> subprocess.CompletedProcess[str]:
    program = "import sys, vpcflow.lambdas.inventory; print(*sys.modules)"
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(Path(__file__).parents[2] / "src"), **environ},
    )


def test_importing_the_handler_is_light() -> None:
    done = imported(SNAPSHOTS="s3://b/p/")

    assert done.returncode == 0
    assert {"duckdb", "typer", "rich", "pyspark"}.isdisjoint(done.stdout.split())


def test_a_wrong_setting_stops_the_start_with_one_line() -> None:
    done = imported(SNAPSHOTS="/tmp/x")

    assert done.returncode == 1
    assert json.loads(done.stdout)["event"] == "wrong settings"
