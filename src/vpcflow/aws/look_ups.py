"""Look-ups of single interfaces in EC2: in batches, few a minute, and never twice for what is not there."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

from vpcflow.aws.describe import LOOK_UP_LIMIT, interfaces_by_id
from vpcflow.errors import AwsError
from vpcflow.inventory import Snapshot

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable

    from vpcflow.aws.ec2 import Ec2

    Warn = Callable[[str], None]

FORGET_S = 600
"""For how long an interface that EC2 does not know is not asked for again."""

PAUSE_S = 300
"""For how long nothing is asked after a failure that no retry can mend."""

# Nothing else goes into a filter: "*" and "?" are wildcards there.
_ID = re.compile(r"eni-[0-9a-f]{8,40}")


class LookUps:
    """
    At most ``per_minute`` calls in any minute, each for up to 200 interfaces; ``open_ec2`` is called at the first.

    Counts ``look_ups``, ``look_ups_failed``, and of interfaces ``look_ups_limited`` (not asked for: no call was left),
    ``look_ups_resting`` (the same, after a failure that stays) and ``enis_found``.
    """

    def __init__(
        self,
        open_ec2: Callable[[], Ec2],
        *,
        per_minute: int,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        counts: Counter[str],
        warn: Warn = lambda _: None,
    ) -> None:
        self._open_ec2 = open_ec2
        self._ec2: Ec2 | None = None
        self._clock = clock
        self._monotonic = monotonic
        self._counts = counts
        self._warn = warn
        self._calls: deque[float] = deque([float("-inf")] * per_minute, maxlen=per_minute)
        self._not_found: dict[str, float] = {}
        self._paused_until = float("-inf")

    def find(self, interface_ids: Iterable[str]) -> Snapshot | None:
        """
        Look interfaces up that are not known, as far as the limits allow; None where nothing was found.

        The snapshot shows those found and covers nothing: it says of no other interface that it is not there.
        """
        now = self._monotonic()
        wanted = self._wanted(interface_ids, now)
        if not wanted:
            return None
        if now < self._paused_until:
            self._counts["look_ups_resting"] += len(wanted)
            return None
        if now - self._calls[0] < 60:
            self._counts["look_ups_limited"] += len(wanted)
            return None
        self._counts["look_ups_limited"] += len(wanted[LOOK_UP_LIMIT:])
        self._calls.append(now)
        self._counts["look_ups"] += 1
        return self._ask(wanted[:LOOK_UP_LIMIT], now)

    def _wanted(self, interface_ids: Iterable[str], now: float) -> list[str]:
        self._not_found = {one: until for one, until in self._not_found.items() if until > now}
        distinct = dict.fromkeys(interface_ids)
        return [one for one in distinct if _ID.fullmatch(one) and one not in self._not_found]

    def _ask(self, wanted: list[str], now: float) -> Snapshot | None:
        at = int(self._clock())
        try:
            if self._ec2 is None:
                self._ec2 = self._open_ec2()
            found = interfaces_by_id(self._ec2, wanted)
        except AwsError as error:
            self._counts["look_ups_failed"] += 1
            self._warn(str(error))
            if error.permanent:
                self._paused_until = now + PAUSE_S
            return None
        there = {one.interface_id for one in found}
        missing = [one for one in wanted if one not in there]
        self._not_found.update(dict.fromkeys(missing, now + FORGET_S))
        self._counts["enis_found"] += len(there)
        if not found:
            return None
        scopes = tuple(sorted({one.scope for one in found}, key=str))
        return Snapshot(
            captured_at=at,
            scopes=scopes,
            gaps=tuple(("interfaces", scope) for scope in scopes),
            kinds=frozenset({"interfaces"}),
            interfaces=tuple(sorted(found, key=lambda one: one.interface_id)),
            origin="look-up",
        )
