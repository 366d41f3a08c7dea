"""
ipstack (https://ipstack.com): places of addresses, asked for over https with a key, and remembered.

An answer that is no place leaves the address without one and counts by its reason (``counted.REASONS``). Nothing is
raised, and the key is in nothing but the request.
"""

from __future__ import annotations

import ipaddress
import re
import threading
import time
from collections import Counter, deque
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import quote

import numpy as np
import orjson

from vpcflow.errors import VpcflowError
from vpcflow.geo.allowance import MonthlyBudget, TimeAllowance, month_of
from vpcflow.geo.place import Place, place_of
from vpcflow.geo.place_table import NO_PLACE, Places, PlaceTable
from vpcflow.geo.remembered import RememberedPlaces
from vpcflow.special_ranges import GLOBAL, classify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vpcflow.addresses import Addresses

HOST = "api.ipstack.com"
BULK_LIMIT = 50
"""Addresses in a bulk request, which plans below Professional Plus do not have: https://ipstack.com/documentation."""

CONNECTIONS = 8
_TIME_SHARE = 0.2
# A request that is cut off is paid for all the same: none is begun so short of the end.
_LEAST_S = 0.25
# A request that had less than this says nothing of ipstack when its time is up.
_FAIR_S = 1.0
_HOUR_S = 3600.0
_MINUTE_S = 60.0
_FAILURES_IN_A_ROW = 3

_KEY = re.compile(r"[!-~]+")
_PLACE_FIELDS = (
    "country_code",
    "country_name",
    "region_code",
    "region_name",
    "city",
    "latitude",
    "longitude",
)

_NOT_IN_PLAN = 105
_BULK_NOT_SUPPORTED = 303
_REASON_OF_CODE = {
    101: "geo_key_refused",
    102: "geo_account_inactive",
    104: "geo_quota_spent",
    _NOT_IN_PLAN: "geo_https_not_in_plan",
    106: "geo_address_refused",
}
_REST_S = {
    "geo_key_refused": _HOUR_S,
    "geo_account_inactive": _HOUR_S,
    "geo_https_not_in_plan": _HOUR_S,
    "geo_rate_limited": _MINUTE_S,
}
_FAULTS = frozenset(
    "geo_refused geo_bad_status geo_bad_answer geo_timed_out geo_unreachable".split()
)
"""What, three times in a row, makes it rest for a minute."""

_TIME_SPENT = "geo_time_spent"

Outcome = Place | str
"""A place, or the reason why there is none."""


class Transport(Protocol):
    """GET over https: status and body of a path of ipstack's host; raises ``OSError`` where none came in time."""

    def __call__(self, path: str, within_s: float) -> tuple[int, bytes]: ...


class Limits(NamedTuple):
    """
    What may be asked: addresses in a calendar month, seconds of waiting, and how long an answer is believed.

    ``wait_s`` is what look-ups may take at once, earned again at a fifth of the time that goes by. ``bulk`` is whether
    the plan takes 50 addresses in one request; each counts against the month.
    """

    month: int = 10_000
    wait_s: float = 2.0
    keep_s: float = 86_400.0
    bulk: bool = False
    most_remembered: int = 1 << 17


class IpStack:
    """
    Places as ipstack knows them, each public address asked for once and then remembered.

    ``key`` gives the key, or raises ``VpcflowError``. ``counts`` gets the reasons, and ``geo_requests``. Look-ups may
    come from several threads; calls are made on ``executor``'s, and an answer that is late serves the next look-up.
    """

    def __init__(
        self,
        key: Callable[[], str],
        transport: Transport,
        *,
        limits: Limits,
        counts: Counter[str],
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        executor: Executor | None = None,
    ) -> None:
        self._key = key
        self._transport = transport
        self._counts = counts
        self._clock = clock
        self._monotonic = monotonic
        self._executor = executor or ThreadPoolExecutor(CONNECTIONS, "ipstack")
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._remembered = RememberedPlaces(limits.most_remembered, limits.keep_s, clock)
        self._budget = MonthlyBudget(limits.month, clock)
        self._time = TimeAllowance(limits.wait_s, _TIME_SHARE, monotonic)
        self._least_s = min(_LEAST_S, limits.wait_s / 4)
        self._at_once = BULK_LIMIT if limits.bulk else 1
        self._rests: tuple[float, str] = (0.0, "")
        self._failures = 0

    def places(self, addresses: Addresses) -> Places:
        """Look addresses up; private, reserved and documentation ones have no place, and are not asked for."""
        rows = np.full(len(addresses.valid), NO_PLACE, np.intp)
        at = np.flatnonzero(classify(addresses) == GLOBAL)
        numbers = _numbers(addresses.take(at))
        distinct = list(dict.fromkeys(numbers))
        reasons: Mapping[int, str] = {}
        row_of, table = self._find(distinct)
        if None in row_of.values():
            # One look-up asks at a time: the next may find remembered what it wanted to ask for.
            with self._asking:
                new = [number for number, row in self._find(distinct)[0].items() if row is None]
                reasons = self._ask(new) if new else {}
            row_of, table = self._find(distinct)
        self._count(row_of, reasons)
        rows[at] = [row_of[number] or NO_PLACE for number in numbers]
        return Places(rows, rows, table)

    def _find(self, numbers: Sequence[int]) -> tuple[dict[int, int | None], PlaceTable]:
        with self._lock:
            found = self._remembered.find(numbers)
            return dict(zip(numbers, found, strict=True)), self._remembered.table()

    def _ask(self, numbers: Sequence[int]) -> Mapping[int, str]:
        """Ask for addresses, in the time there is; give the reason for each that got no answer."""
        began_s = self._monotonic()
        with self._lock:
            reason = self._resting()
            ends_s = began_s + self._time.left_s()
        if reason:
            return dict.fromkeys(numbers, reason)
        key = self._read_key()
        if key is None:
            return dict.fromkeys(numbers, "geo_no_key")
        asked = _Asked(deque(numbers), ends_s)
        workers = min(CONNECTIONS, -(-len(numbers) // self._at_once))
        futures = [self._executor.submit(self._work, asked, key) for _ in range(workers)]
        # Names are looked up without a time limit: who hangs there is left to itself.
        wait(futures, timeout=max(0.0, ends_s - self._monotonic()))
        with self._lock:
            self._time.spend(self._monotonic() - began_s)
            found = self._remembered.find(numbers)
            left = (number for number, row in zip(numbers, found, strict=True) if row is None)
            return dict.fromkeys(left, asked.stopped) | asked.reasons

    def _read_key(self) -> str | None:
        try:
            key = self._key().strip()
        except VpcflowError:
            return None
        return key if _KEY.fullmatch(key) else None

    def _work(self, asked: _Asked, key: str) -> None:
        while True:
            with self._lock:
                group = self._next(asked)
            if not group:
                return
            outcomes = self._request(group, key, asked.ends_s)
            with self._lock:
                self._settle(asked, group, outcomes)

    def _next(self, asked: _Asked) -> list[int]:
        """Take the addresses of the next request; none where all are taken, or something is against more."""
        wanted = min(len(asked.queue), self._at_once)
        if not wanted:
            return []
        reason = self._resting()
        if not reason and asked.ends_s - self._monotonic() <= self._least_s:
            reason = _TIME_SPENT
        granted = 0 if reason else self._budget.take(wanted)
        if not granted:
            asked.stopped = reason or "geo_budget_spent"
            return []
        self._counts["geo_requests"] += 1
        return [asked.queue.popleft() for _ in range(granted)]

    def _request(self, group: Sequence[int], key: str, ends_s: float) -> Sequence[Outcome] | None:
        """Make a request; None where ipstack does not take several addresses at once."""
        texts = ",".join(str(ipaddress.ip_address(number)) for number in group)
        within_s = ends_s - self._monotonic()
        try:
            status, body = self._transport(f"/{texts}?access_key={quote(key, safe='')}", within_s)
        except TimeoutError:
            return [_TIME_SPENT if within_s < _FAIR_S else "geo_timed_out"] * len(group)
        except OSError:
            return ["geo_unreachable"] * len(group)
        return read_answer(status, body, group)

    def _settle(
        self, asked: _Asked, group: Sequence[int], outcomes: Sequence[Outcome] | None
    ) -> None:
        if outcomes is None:
            self._at_once = 1
            self._budget.give_back(len(group) - 1)
            asked.queue.extendleft(reversed(group))
            return
        for number, outcome in zip(group, outcomes, strict=True):
            if isinstance(outcome, Place):
                self._remembered.remember(number, outcome)
                continue
            asked.reasons[number] = outcome
            if outcome == "geo_address_refused":
                # To ask again would cost a request and bring the same.
                self._remembered.remember(number, Place())
        self._rest_where_due({outcome for outcome in outcomes if isinstance(outcome, str)})

    def _rest_where_due(self, reasons: set[str]) -> None:
        now_s = self._clock()
        rests = [(now_s + _REST_S[reason], reason) for reason in reasons if reason in _REST_S]
        if "geo_quota_spent" in reasons:
            rests.append((month_of(now_s)[1], "geo_quota_spent"))
        faults = reasons & _FAULTS
        self._failures = self._failures + 1 if faults else 0
        if self._failures >= _FAILURES_IN_A_ROW:
            self._failures = 0
            rests.append((now_s + _MINUTE_S, min(faults)))
        self._rests = max([self._rests, *rests])

    def _resting(self) -> str:
        """Give the reason for which nothing is asked at the moment, '' where there is none."""
        until_s, reason = self._rests
        return reason if self._clock() < until_s else ""

    def _count(self, row_of: Mapping[int, int | None], reasons: Mapping[int, str]) -> None:
        blank = [number for number, row in row_of.items() if row is None or row == NO_PLACE]
        if blank:
            with self._lock:
                self._counts["geo_misses"] += len(blank)
                self._counts.update(reasons.get(number, "geo_unknown") for number in blank)


@dataclass
class _Asked:
    """Addresses of a look-up that wait to be asked for, until when they may, and what came of it so far."""

    queue: deque[int]
    ends_s: float
    reasons: dict[int, str] = field(default_factory=dict)
    stopped: str = _TIME_SPENT


def read_answer(status: int, body: bytes, group: Sequence[int]) -> Sequence[Outcome] | None:
    """
    Read an answer of ipstack to a request for these addresses; None where several at once are not in the plan.

    Errors come with status 200 or another: their code decides where there is one. That https is not in the plan is
    only believed of a request for one address, as the same code (105) says that bulk is not.
    """
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    code = _error_code(answer)
    if len(group) > 1 and code in (_NOT_IN_PLAN, _BULK_NOT_SUPPORTED):
        return None
    if code is not None and (status == 200 or code in _REASON_OF_CODE):
        return [_REASON_OF_CODE.get(code, "geo_refused")] * len(group)
    if status != 200:
        return ["geo_rate_limited" if status == 429 else "geo_bad_status"] * len(group)
    records = answer if isinstance(answer, list) else [answer]
    if len(records) != len(group):
        return ["geo_bad_answer"] * len(group)
    return [_read(record, number) for record, number in zip(records, group, strict=True)]


def _error_code(answer: object) -> int | None:
    """Give the code of an error, 0 where it has none that is a number; None where the answer is no error."""
    if not isinstance(answer, dict):
        return None
    error = answer.get("error")
    if answer.get("success") is not False and not isinstance(error, dict):
        return None
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) else 0


def _read(record: object, number: int) -> Outcome:
    code = _error_code(record)
    if code is not None:
        return _REASON_OF_CODE.get(code, "geo_refused")
    if not isinstance(record, dict) or "country_code" not in record or not _is_of(record, number):
        return "geo_bad_answer"
    return place_of(**{name: record.get(name) for name in _PLACE_FIELDS})


def _is_of(record: Mapping[str, object], number: int) -> bool:
    try:
        return int(ipaddress.ip_address(str(record.get("ip")))) == number
    except ValueError:
        return False


def _numbers(addresses: Addresses) -> list[int]:
    """Give each address as one number. No public IPv6 address is as small as an IPv4 one."""
    halves = zip(addresses.high.tolist(), addresses.low.tolist(), strict=True)
    return [high << 64 | low for high, low in halves]
