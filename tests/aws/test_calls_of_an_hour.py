"""
How much of EC2's budget an account with 20,000 interfaces and 50 decorators takes, over a simulated hour.

The interfaces are 100 in pages of five: as many calls as for 20,000 in pages of a thousand. Paginated Describe calls of
an account and region share a bucket of 100 calls that fills up with 20 a second:
https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ec2_fake import ACCOUNT, FakeEc2, raw_eni
from stores import FakeStore

from vpcflow.aws.ec2 import Ec2
from vpcflow.aws.inventory_source import InventorySource
from vpcflow.aws.look_ups import LookUps
from vpcflow.aws.origins import FromEc2, FromObjects
from vpcflow.inventory.snapshots import time_of_name
from vpcflow.lambdas.capturing import Capturing
from vpcflow.lambdas.settings import load_settings

if TYPE_CHECKING:
    from vpcflow.aws.origins import Origin

T = 1_700_000_000.0
HOUR_S = 3600
SCOPE = (ACCOUNT, "eu-west-1")
DECORATORS = 50
BATCH_S = 20
MOST, PER_S = 100, 20


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class SlowEc2(FakeEc2):
    """EC2 that notes when it was asked, and takes a third of a second for each answer."""

    def __init__(self, clock: Clock, calls: list[float]) -> None:
        enis = [raw_eni(n) for n in range(100)]
        super().__init__(fills=200, describe_network_interfaces=enis)
        self._clock = clock
        self._at = calls

    def _answer(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self._at.append(self._clock.now)
        self._clock.now += 0.3
        return super()._answer(operation, parameters)


class StoreOfNow(FakeStore):
    """A store in which an object is seen from the time in its name on."""

    def __init__(self, buckets: dict[str, dict[str, bytes]], clock: Clock) -> None:
        super().__init__(buckets)
        self._clock = clock

    def _in_order(self, bucket: str) -> list[tuple[str, bytes]]:
        found = super()._in_order(bucket)
        return [(k, d) for k, d in found if (time_of_name(k[2:]) or 0) <= self._clock.now]


class Context:
    aws_request_id = None

    def get_remaining_time_in_millis(self) -> int:
        return 300_000


def lowest_level(calls: list[float]) -> float:
    """Let a bucket as EC2's run with these calls, and tell how little was in it at worst."""
    level, lowest, last = float(MOST), float(MOST), 0.0
    for at in sorted(calls):
        level = min(MOST, level + (at - last) * PER_S) - 1
        last = at
        lowest = min(lowest, level)
    return lowest


def decorate(number: int, start: float, origin: Origin, clock: Clock, calls: list[float]) -> None:
    """Be a decorator for an hour: a batch every twenty seconds, each with interfaces that nobody knows."""
    counts: Counter[str] = Counter()
    look_ups = LookUps(
        lambda: Ec2(SlowEc2(clock, calls), SCOPE),
        per_minute=2, clock=clock, monotonic=clock, counts=counts,
    )  # fmt: skip
    source = InventorySource(
        origin, look_ups, counts, history_s=600, clock=clock, monotonic=clock
    )  # fmt: skip
    batch = 0
    while clock.now < start + HOUR_S:
        source.look_up([f"eni-{batch:08x}{number:09x}"])
        batch += 1
        clock.now = max(clock.now, start + batch * BATCH_S)
    assert source.current().knows(raw_eni(7)["NetworkInterfaceId"])


def test_with_snapshots_ec2_hardly_notices_the_decorators() -> None:
    calls: list[float] = []
    clock = Clock(T)
    bucket: dict[str, bytes] = {}
    settings = load_settings("inventory", {"SNAPSHOTS": "s3://b/p/"})
    function = Capturing(
        settings, FakeStore({"b": bucket}), lambda _: Ec2(SlowEc2(clock, calls), SCOPE),
        write=lambda _: None, clock=clock, sleep=clock.sleep,
    )  # fmt: skip
    while clock.now < T + HOUR_S:
        # There is always something that has just changed.
        function({"detail": {"eventTime": _text(clock.now - 6)}}, Context())
    captures = len(bucket)
    assert captures >= HOUR_S / 90

    for number in range(DECORATORS):
        own = Clock(T + 60 + number * 0.2)
        store = StoreOfNow({"b": bucket}, own)
        # How often they look for snapshots makes no difference to EC2, and all to how long this takes.
        origin = FromObjects(
            lambda s=store: s, "s3://b/p/", 600,
            history_s=120, clock=own, monotonic=own, counts=Counter(), warn=print,
        )  # fmt: skip
        decorate(number, own.now, origin, own, calls)

    # 32 calls for each capture (20 pages of interfaces), two look-ups a minute for each decorator.
    assert len(calls) <= captures * 32 + DECORATORS * 2 * 60
    assert len(calls) / HOUR_S < PER_S / 8
    assert lowest_level(calls) > MOST / 2


def test_decorators_that_ask_ec2_themselves_stay_within_the_budget() -> None:
    calls: list[float] = []

    for number in range(DECORATORS):
        own = Clock(T + number * 2.4)
        ec2 = Ec2(SlowEc2(own, calls), SCOPE)
        origin = FromEc2(
            lambda e=ec2: e, HOUR_S,
            history_s=HOUR_S, clock=own, monotonic=own, sleep=own.sleep, warn=print,
        )  # fmt: skip
        decorate(number, own.now, origin, own, calls)

    assert len(calls) / HOUR_S < PER_S / 8
    assert lowest_level(calls) > MOST / 4


def _text(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
