from __future__ import annotations

from vpcflow.aws.pace import TokenBucket


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_bucket_gives_what_it_holds_and_then_what_comes_in() -> None:
    clock = Clock()
    bucket = TokenBucket(3, 0.5, clock)

    at_once = [bucket.take() for _ in range(4)]
    clock.sleep(2)

    assert at_once == [True, True, True, False]
    assert [bucket.take(), bucket.take()] == [True, False]


def test_a_bucket_never_holds_more_than_its_most() -> None:
    clock = Clock()
    bucket = TokenBucket(2, 1, clock)

    clock.sleep(100)

    assert [bucket.take() for _ in range(3)] == [True, True, False]


def test_a_bucket_tells_how_long_to_wait_for_a_token() -> None:
    clock = Clock()
    bucket = TokenBucket(8, 0.3, clock)
    at = []

    for _ in range(10):
        clock.sleep(bucket.wait_s())
        assert bucket.take()
        at.append(round(clock.now, 2))

    assert at == [0.0] * 8 + [3.33, 6.67]
