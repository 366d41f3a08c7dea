"""What an option names, as a local path: where it is in S3, fetched for the time it is read."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vpcflow.aws.extra import open_s3
from vpcflow.object_store import is_object_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from vpcflow.fetched import Fetched
    from vpcflow.object_store import StoredObject
    from vpcflow.time_range import TimeRange

_NEAR_S = 3600
"""A record that ended in a range may have begun before it, and be matched there."""


class Local(NamedTuple):
    """A path that is what it is."""

    path: Path

    def named(self, text: str) -> str:
        """Give the text as it is."""
        return text


@contextlib.contextmanager
def here(
    given: str, choose: Callable[[Sequence[StoredObject]], Iterable[StoredObject]] = lambda all: all
) -> Iterator[Local | Fetched]:
    """
    Give the path of what is given; of a folder in S3 those objects that ``choose`` chooses are fetched.

    Raises ``SourceError`` and ``AwsError`` as ``fetched`` does.
    """
    if not is_object_url(given):
        yield Local(Path(given))
        return
    # Few runs read from S3: only these import what does.
    from vpcflow.fetched import fetched

    with fetched(open_s3(), given, choose=choose) as local:
        yield local


def snapshots_of(found: Sequence[StoredObject], times: TimeRange) -> list[StoredObject]:
    """
    Choose the snapshots that tell of a time range: those taken in it or near, the last before and the first after.

    What is not named as a snapshot is always chosen.
    """
    from vpcflow.inventory.snapshots import time_of_name

    taken = [(time_of_name(one.key.rpartition("/")[2]), one) for one in found]
    at = [time for time, _ in taken if time is not None]
    first = last = None
    if times.since is not None:
        first = max((time for time in at if time <= times.since - _NEAR_S), default=None)
    if times.until is not None:
        last = min((time for time in at if time >= times.until + _NEAR_S), default=None)
    return [
        one
        for time, one in taken
        if time is None or ((first is None or time >= first) and (last is None or time <= last))
    ]
