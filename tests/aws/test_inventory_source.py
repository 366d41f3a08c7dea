from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from ec2_fake import ACCOUNT, FakeEc2, raw_eni
from inventories import SCOPE, answers, column, eni, seconds, snapshot
from stores import FakeStore

from vpcflow.aws.ec2 import Ec2
from vpcflow.aws.inventory_source import COUNTS, InventorySource, open_inventory_source
from vpcflow.aws.look_ups import FORGET_S, PAUSE_S, LookUps
from vpcflow.aws.origins import BATCH_WAITS_S, FromEc2, FromFiles, FromObjects, Origin
from vpcflow.aws.snapshot_series import DENSE_S
from vpcflow.errors import AwsError
from vpcflow.inventory import (
    FlowLog,
    Instance,
    Inventory,
    Snapshot,
    snapshot_file_name,
    write_snapshot,
)
from vpcflow.inventory.snapshots import snapshot_bytes
from vpcflow.lambdas.settings import load_settings
from vpcflow.lambdas.telemetry import METRIC_BY_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

T = 1_700_000_000
HOUR_S = 3600


class Clock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = float(T)

    def __call__(self) -> float:
        return self.now


class World:
    """A bucket of snapshots, EC2, and a function's inventory source over them."""

    def __init__(self, *, history_s: int = 6 * HOUR_S, per_minute: int = 2) -> None:
        self.clock = Clock()
        self.store = FakeStore({"b": {}})
        self.ec2 = FakeEc2()
        self.said: list[str] = []
        self.counts: Counter[str] = Counter()
        self.history_s = history_s
        self.per_minute = per_minute
        self.source = self.make(self.objects("s3://b/p/"))

    def make(self, origin: Origin) -> InventorySource:
        look_ups = LookUps(
            lambda: Ec2(self.ec2, (None, None)),
            per_minute=self.per_minute,
            clock=self.clock,
            monotonic=self.clock,
            counts=self.counts,
            warn=self.said.append,
        )
        return InventorySource(
            origin,
            look_ups,
            self.counts,
            history_s=self.history_s,
            clock=self.clock,
            monotonic=self.clock,
            warn=self.said.append,
        )

    def objects(self, url: str) -> FromObjects:
        return FromObjects(
            lambda: self.store,
            url,
            60,
            history_s=self.history_s,
            clock=self.clock,
            monotonic=self.clock,
            counts=self.counts,
            warn=self.said.append,
        )

    def put(self, one: Snapshot) -> str:
        name = snapshot_file_name(one.captured_at)
        self.store.put("b", f"p/{name}", snapshot_bytes(one, name))
        return f"p/{name}"

    def wait(self, seconds: float) -> None:
        self.clock.now += seconds


def times(inventory: Inventory) -> list[int]:
    return [one.captured_at - T for one in inventory.snapshots]


def state_of(inventory: Inventory, interface_id: str, at: int) -> str:
    found = inventory.interfaces_of(column(interface_id), seconds(at), seconds(at))
    return answers(inventory, found)[0][1]


# Snapshots in S3


def test_the_history_is_read_at_first_and_later_only_what_is_new() -> None:
    world = World()
    for back in (7 * HOUR_S, HOUR_S, 60):
        world.put(snapshot(T - back, eni(1)))

    first = times(world.source.current())
    world.wait(60)
    world.put(snapshot(T + 30, eni(1), eni(2)))
    second = world.source.current()

    assert first == [-HOUR_S, -60]
    assert times(second) == [-HOUR_S, -60, 30]
    assert second.knows("eni-2")
    assert world.store.calls["read"] == 3
    assert world.store.calls["objects"] == 2


def test_nothing_is_asked_before_a_refresh_is_due() -> None:
    world = World()
    world.put(snapshot(T, eni(1)))
    first = world.source.current()

    world.wait(59)

    assert world.source.current() is first
    assert world.store.calls["objects"] == 1


def test_without_a_newer_snapshot_the_inventory_stays_the_same_object() -> None:
    world = World()
    world.put(snapshot(T, eni(1)))
    first = world.source.current()

    world.wait(60)

    assert world.source.current() is first
    assert world.store.calls["objects"] == 2


def test_a_snapshot_older_than_the_history_is_better_than_none() -> None:
    world = World()
    for back_s in (900, 100, 50):
        world.put(snapshot(T - back_s * HOUR_S, eni(1)))

    found = world.source.current()

    assert times(found) == [-50 * HOUR_S]
    assert world.source.age_s == 50 * HOUR_S


def test_of_a_long_history_one_snapshot_for_each_ten_minutes_is_read() -> None:
    world = World()
    for minute in range(6 * 60):
        world.put(snapshot(T - 60 * minute, eni(1)))

    found = times(world.source.current())

    assert found[-21:] == [-60 * minute for minute in range(20, -1, -1)]
    assert 30 <= len(found) - 21 <= 36
    assert found[-1] - found[0] <= 6 * HOUR_S


def test_a_history_that_takes_long_is_read_from_the_newest_on_and_goes_on_later() -> None:
    world = World()
    for back in range(0, 40 * 60, 60):
        world.put(snapshot(T - back, eni(1)))
    read = world.store.read

    def slow(bucket: str, key: str) -> bytes:
        world.clock.now += 4
        return read(bucket, key)

    world.store.read = slow  # type: ignore[method-assign]
    first = times(world.source.current())
    world.wait(60)
    second = times(world.source.current())

    assert 0 < len(first) < len(second)
    assert first == second[-len(first) :]
    assert first[-1] == 0
    assert not world.said
    assert not world.counts


def test_what_has_left_the_history_is_forgotten() -> None:
    world = World(history_s=2 * DENSE_S)
    world.put(snapshot(T, eni(1)))
    world.source.current()

    world.wait(2 * DENSE_S + 60)
    world.put(snapshot(T + 2 * DENSE_S, eni(2)))

    assert times(world.source.current()) == [2 * DENSE_S]
    assert not world.source.current().knows("eni-1")


def test_a_damaged_newest_snapshot_gives_way_to_the_one_before_and_is_counted_once() -> None:
    world = World()
    world.put(snapshot(T - 120, eni(1)))
    world.store.put("b", world.put(snapshot(T - 60, eni(1))), b"\x1f\x8bnonsense")

    found = world.source.current()
    world.wait(60)
    world.source.current()

    assert times(found) == [-120]
    assert world.counts == {"snapshots_damaged": 1}
    assert "cannot be read" in world.said[0]
    assert world.store.calls["read"] == 2


def test_a_damaged_old_snapshot_that_is_all_there_seemed_gives_way_to_an_older_one() -> None:
    world = World()
    world.put(snapshot(T - 50 * HOUR_S, eni(1)))
    world.store.put("b", world.put(snapshot(T - 40 * HOUR_S)), b"{}")

    for _ in range(3):
        assert times(world.source.current()) == [-50 * HOUR_S]
        world.wait(60)

    assert world.counts == {"snapshots_damaged": 1}


def test_a_snapshot_that_cannot_be_read_now_is_read_later() -> None:
    world = World()
    world.put(snapshot(T - 120, eni(1)))
    newest = world.put(snapshot(T - 60, eni(2)))
    world.store.refused.add(newest)
    first = times(world.source.current())

    world.store.refused.clear()
    world.wait(60)

    assert first == [-120]
    assert world.counts == {"snapshots_not_read": 1}
    assert times(world.source.current()) == [-120, -60]


def test_a_capture_that_took_longer_than_a_later_one_is_not_missed() -> None:
    world = World()
    world.put(snapshot(T, eni(1)))
    world.source.current()

    world.wait(60)
    world.put(snapshot(T - 300, eni(2)))

    assert times(world.source.current()) == [-300, 0]


def test_where_nothing_can_be_loaded_all_is_unknown_and_it_is_tried_again() -> None:
    world = World()
    world.store.refused.add("b")
    first = world.source.current()
    world.wait(PAUSE_S)
    world.store.refused.clear()
    world.put(snapshot(T, eni(1)))

    second = world.source.current()

    assert first.snapshots == ()
    assert state_of(first, "eni-1", T) == "unknown"
    assert world.counts == {"refresh_failed": 1}
    assert second.knows("eni-1")
    assert world.source.failure is None


def test_a_failing_refresh_keeps_what_is_there_and_is_not_repeated_at_once() -> None:
    world = World()
    world.put(snapshot(T, eni(1)))
    first = world.source.current()
    world.store.refused.add("b")

    for _ in range(10):
        world.wait(60)
        assert world.source.current() is first

    assert world.counts == {"refresh_failed": 2}
    assert world.source.age_s == 600
    assert "AccessDenied" in str(world.source.failure)


# Look-ups

NEW = "eni-" + "0" * 16 + "7"


def test_a_missing_interface_is_looked_up_and_known_from_then_on() -> None:
    world = World()
    world.put(snapshot(T - 60, eni(1)))
    world.ec2.lists["describe_network_interfaces"] = [raw_eni(7)]

    found = world.source.look_up(["eni-1", NEW])

    assert state_of(found, NEW, T - 30) == "nearest"
    assert state_of(found, "eni-1", T - 30) == "nearest"
    assert world.source.current() is found
    assert +world.counts == {"look_ups": 1, "enis_found": 1}
    assert [p["Filters"][0]["Values"] for _, p in world.ec2.asked] == [[NEW]]


def test_an_interface_on_a_later_page_is_found_too() -> None:
    world = World()
    world.ec2 = FakeEc2(fills=1000, describe_network_interfaces=[raw_eni(7), raw_eni(8)])

    found = world.source.look_up([raw_eni(n)["NetworkInterfaceId"] for n in (7, 8)])

    assert [one.eni.interface_id for one in found.versions] == [f"eni-{n:017x}" for n in (7, 8)]


def test_a_look_up_makes_no_other_interface_look_deleted() -> None:
    world = World()
    world.put(snapshot(T - 600, eni(1, owner_id=ACCOUNT)))
    world.ec2.lists["describe_network_interfaces"] = [raw_eni(7)]
    world.source.look_up([NEW])
    world.wait(600)
    world.put(snapshot(T + 600, eni(1, owner_id=ACCOUNT)))

    found = world.source.current()

    assert state_of(found, "eni-1", T) == "exact"
    # The later snapshot lacks it: it is gone, and its look-up alone tells of it.
    assert state_of(found, NEW, T + 10) == "nearest"


def test_an_interface_that_is_nowhere_is_not_asked_for_again_for_a_while() -> None:
    world = World()
    for _ in range(9):
        world.source.look_up([NEW])
        world.wait(60)
    world.wait(FORGET_S)
    world.source.look_up([NEW])

    assert world.ec2.calls == {"describe_network_interfaces": 2}
    assert world.counts["enis_unknown"] == 10


def test_look_ups_are_few_a_minute_and_take_two_hundred_at_most() -> None:
    world = World(per_minute=2)
    ids = [f"eni-{n:017x}" for n in range(500)]

    for _ in range(6):
        world.source.look_up(ids)
        world.wait(10)

    assert [len(p["Filters"][0]["Values"]) for _, p in world.ec2.asked] == [200, 200]
    assert world.counts["look_ups"] == 2
    assert world.counts["look_ups_limited"] == 300 + 4 * 100 + 100


def test_only_what_is_an_id_is_ever_asked_for() -> None:
    world = World()
    world.put(snapshot(T))

    world.source.look_up(["eni-*", "-", "", "eni-1?", "NAT", "ENI-0123456789"])

    assert world.ec2.asked == []
    assert world.counts == {"enis_unknown": 6}


def test_a_refusal_that_stays_is_remembered_for_five_minutes() -> None:
    world = World()
    world.put(snapshot(T))
    world.ec2.refused["describe_network_interfaces"] = "UnauthorizedOperation"

    for _ in range(5):
        world.source.look_up([NEW])
        world.wait(59)
    world.wait(PAUSE_S)
    world.source.look_up([NEW])

    assert world.counts["look_ups_failed"] == world.counts["look_ups"] == 2
    assert world.counts["look_ups_resting"] == 4
    assert "ec2:DescribeNetworkInterfaces" in world.said[0]


def test_what_a_look_up_found_keeps_the_name_of_its_instance() -> None:
    world = World()
    web = Instance("i-a", ACCOUNT, "eu-west-1", tags=(("Name", "web"),))
    world.put(snapshot(T - 60, instances=(web,)))
    attached = raw_eni(7, Attachment={"InstanceId": "i-a"})
    world.ec2.lists["describe_network_interfaces"] = [attached]

    found = world.source.look_up([NEW])

    assert [version.instance_name for version in found.versions] == ["web"]


# EC2 itself, and files


def cli(*interfaces: Any) -> bytes:
    return json.dumps({"NetworkInterfaces": interfaces}).encode()


@pytest.mark.parametrize(
    ("key", "url"), [("p/enis.json", "s3://b/p"), ("p/enis.json", "s3://b/p/enis.json"), ("x/y/a.json", "s3://b")]
)  # fmt: skip
def test_what_is_no_series_of_snapshots_is_fetched_whole_and_again_when_it_is_another(
    key: str, url: str
) -> None:
    world = World()
    world.store.put("b", key, cli(raw_eni(7)))
    source = world.make(world.objects(url))
    first = source.current()
    world.wait(60)
    second = source.current()
    world.store.put("b", key, cli(raw_eni(7), {"NetworkInterfaceId": "eni-1"}))
    world.wait(60)

    assert first.knows(NEW)
    assert second is first
    assert source.current().knows("eni-1")


@pytest.mark.parametrize(
    "odd",
    [
        {"Description": {"text": 1}},
        {"Ipv6Prefixes": [{"Ipv6Prefix": 1}]},
        {"PrivateIpAddresses": [{"PrivateIpAddress": 7}]},
        {"Groups": [{"GroupId": 5}]},
        {"TagSet": [{"Key": "a", "Value": 1.5}]},
    ],
)
def test_a_file_with_values_of_wrong_types_is_a_failure_and_no_more(
    tmp_path: Path, odd: dict[str, Any]
) -> None:
    world = World()
    (tmp_path / "a.json").write_bytes(cli({**raw_eni(7), **odd}))
    source = world.make(FromFiles(str(tmp_path), world.said.append))

    found = source.look_up([NEW])

    assert found.snapshots == ()
    assert world.counts["refresh_failed"] == 1
    assert "makes no inventory" in (source.failure or "")


def test_nothing_there_is_a_failure_and_what_comes_later_is_taken() -> None:
    world = World()
    first = world.source.current()
    world.put(snapshot(T, eni(1)))
    world.wait(PAUSE_S)

    assert first.snapshots == ()
    assert world.counts == {"refresh_failed": 1}
    assert world.source.current().knows("eni-1")


def test_ec2_itself_is_asked_when_an_answer_is_too_old_and_its_answers_are_a_history() -> None:
    world = World()
    world.ec2.lists["describe_network_interfaces"] = [raw_eni(7)]
    source = world.make(_from_ec2(world))

    states = []
    for _ in range(9):
        states.append(state_of(source.current(), NEW, int(world.clock.now) - 600))
        world.wait(HOUR_S / 2)

    assert world.ec2.calls["describe_network_interfaces"] == 5
    assert times(source.current())[0] == 0
    assert "unknown" not in states
    assert state_of(source.current(), NEW, T + HOUR_S + 600) == "exact"


def test_a_capture_that_takes_too_long_goes_on_with_the_next_batch() -> None:
    world = World()
    world.ec2 = FakeEc2(
        fills=200, describe_network_interfaces=[raw_eni(n) for n in range(200)]
    )  # 40 pages, and a call of each other kind
    source = world.make(_from_ec2(world))
    begun = world.clock.now

    waits, known = [], []
    for _ in range(3):
        before = world.clock.now
        known.append(source.current().knows(NEW))
        waits.append(world.clock.now - before)
    calls = sum(world.ec2.calls.values())
    world.wait(60)
    source.current()

    assert known == [False, True, True]
    assert waits[0] <= BATCH_WAITS_S
    assert waits[2] == 0
    assert calls == sum(world.ec2.calls.values()) == 44
    assert source.current().capture_times == (int(begun),)
    assert source.counts == {}


def test_a_capture_that_was_left_for_long_begins_anew() -> None:
    world = World()
    world.ec2 = FakeEc2(fills=200, describe_network_interfaces=[raw_eni(n) for n in range(200)])
    source = world.make(_from_ec2(world))
    source.current()

    world.wait(HOUR_S)
    while not source.current().knows(NEW):
        pass

    assert source.current().capture_times[0] >= T + HOUR_S


def test_ec2_that_refuses_is_left_alone_for_five_minutes_and_all_is_unknown() -> None:
    world = World()
    world.ec2.refused["describe_network_interfaces"] = "UnauthorizedOperation"
    source = world.make(_from_ec2(world))

    for _ in range(10):
        assert source.current().snapshots == ()
        world.wait(59)

    assert world.ec2.calls["describe_network_interfaces"] == 2
    assert source.counts == {"refresh_failed": 2}


def test_files_that_came_with_the_function_are_read_once(tmp_path: Path) -> None:
    world = World()
    write_snapshot(snapshot(T, eni(1)), tmp_path / "a.json")
    source = world.make(FromFiles(str(tmp_path), world.said.append))
    source.current()
    (tmp_path / "a.json").unlink()

    world.wait(HOUR_S)

    assert source.current().knows("eni-1")


def _from_ec2(world: World) -> FromEc2:
    return FromEc2(
        lambda: Ec2(world.ec2, SCOPE),
        HOUR_S,
        history_s=world.history_s,
        clock=world.clock,
        monotonic=world.clock,
        sleep=world.wait,
        warn=world.said.append,
    )


# Layouts

STREAM = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/flows"
FLOW_LOGS = (
    FlowLog("fl-1", log_format="${srcaddr}", log_group_name="flows"),
    FlowLog("fl-2", log_format="${dstaddr}", log_destination=STREAM),
    FlowLog("fl-3", log_format="${srcport}", log_destination="arn:aws:s3:::bucket"),
    FlowLog("fl-4", log_format="${???}"),
)


@pytest.mark.parametrize(
    ("stream", "group", "columns"),
    [
        (None, "flows", [("srcaddr",)]),
        (STREAM, "flows", [("srcaddr",)]),
        (STREAM, None, [("dstaddr",)]),
        (None, None, [("srcaddr",), ("dstaddr",), ("srcport",)]),
        (STREAM + "-2", None, [("srcaddr",), ("dstaddr",), ("srcport",)]),
    ],
)
def test_layouts_are_those_of_the_flow_logs_that_lead_here(
    stream: str | None, group: str | None, columns: Sequence[tuple[str, ...]]
) -> None:
    world = World()
    world.put(snapshot(T, flow_logs=FLOW_LOGS))

    layouts = world.source.layouts(stream)

    assert [one.columns for one in layouts.possible(group)] == columns
    assert "fl-4" in world.said[0]


# What the settings make


def settings(**environ: str) -> Any:
    return load_settings("decorator", {"DELIVERY_STREAM_NAME": "flows", **environ})


def test_a_source_is_made_without_a_client_and_its_counts_are_metrics(tmp_path: Path) -> None:
    answer = {"NetworkInterfaces": [raw_eni(7)]}
    (tmp_path / "enis.json").write_text(json.dumps(answer))

    source = open_inventory_source(
        settings(INVENTORY=str(tmp_path), INVENTORY_LOOK_UPS="false", LOG_FORMAT="${srcaddr}")
    )

    assert source.current().knows(NEW)
    assert source.look_up(["eni-0123456789"]) is source.current()
    assert [one.columns for one in source.layouts().possible("any")] == [("srcaddr",)]
    assert set(COUNTS) <= METRIC_BY_NAME.keys()


def test_an_inventory_that_is_not_there_is_no_reason_to_raise() -> None:
    said: list[str] = []

    source = open_inventory_source(settings(INVENTORY="/nowhere"), warn=said.append)

    assert source.current().snapshots == ()
    assert source.age_s is None
    assert "no such file" in said[0]


def test_a_refresh_that_was_throttled_is_tried_again_when_the_next_is_due() -> None:
    class Throttled:
        every_s = 60.0

        def refresh(self) -> Sequence[Snapshot]:
            raise AwsError("throttled", code="RequestLimitExceeded", permanent=False)

    world = World()
    source = world.make(Throttled())

    source.current()
    world.wait(60)
    source.current()

    assert source.counts["refresh_failed"] == 2
