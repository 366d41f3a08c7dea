"""What to simulate, and what came of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from vpcflow.errors import FormatError
from vpcflow.fields import DEFAULT_LAYOUT, VPC_FIELDS

if TYPE_CHECKING:
    from pathlib import Path

SCENARIOS = {
    "company": "a small company's VPC, a staging VPC with the same addresses, and shared services peered with it",
    "scale": "any number of network interfaces and public addresses, for benchmarks",
}

LAYOUTS: dict[str, tuple[str, ...]] = {
    f"v{version}": tuple(f.name for f in VPC_FIELDS if f.since <= version)
    for version in (2, 3, 4, 5, 7, 8, 9, 10, 11)
}
"""All fields up to a version, in AWS's order, by the names ``--log-format`` takes."""

SLOT_S = 300
"""Seconds of traffic in one log file: AWS publishes every five minutes."""

INTERVAL_S = 60
"""The maximum aggregation interval: a longer connection gives one record an interval."""

_MAX_ENIS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """
    What to simulate; the same values give the same bytes.

    ``start_s`` is Unix seconds, and a multiple of 300. Traffic lasts ``minutes``, or until ``records`` records are
    written, at a rate that takes about ``minutes`` for them; ``rate_scale`` multiplies the scenario's own rate and
    has no effect with ``records``. ``enis``, ``groups`` and ``rules_per_group`` shape ``scale`` only.
    Raises ``FormatError`` for values that make no sense.
    """

    name: str = "company"
    seed: int = 1
    start_s: int = 1_768_467_600
    minutes: int = 10
    records: int | None = None
    layout: tuple[str, ...] = DEFAULT_LAYOUT
    rate_scale: float = 1.0
    public_addresses: int | None = None
    enis: int = 5_000
    groups: int = 400
    rules_per_group: int = 6
    records_per_file: int = 250_000
    truth: bool = False

    def __post_init__(self) -> None:
        if self.name not in SCENARIOS:
            raise FormatError(f"unknown scenario {self.name!r} (known: {', '.join(SCENARIOS)})")
        bounds: tuple[tuple[str, float | None, float, float], ...] = (
            ("seed", self.seed, 0, 2**63),
            ("minutes", self.minutes, 1, 60 * 24 * 366),
            ("records", self.records, 1, 10**12),
            ("rate scale", self.rate_scale, 1e-6, 1e6),
            ("public addresses", self.public_addresses, 100, 5_000_000),
            ("ENIs", self.enis, 10, _MAX_ENIS),
            ("groups", self.groups, 10, 10_000),
            ("rules per group", self.rules_per_group, 2, 60),
            ("records per file", self.records_per_file, 1, 10**9),
        )
        for what, value, low, high in bounds:
            if value is not None and not low <= value <= high:
                raise FormatError(f"{what} must be from {low:,} to {high:,}, not {value!r}")
        if self.start_s % SLOT_S:
            raise FormatError(f"the start must be a multiple of five minutes, not {self.start_s!r}")
        check_layout(self.layout)

    @property
    def capture_s(self) -> int:
        """When the inventory was captured: in the middle of the planned traffic, Unix seconds."""
        return self.start_s + self.minutes * 30


class SimulationReport(NamedTuple):
    """
    What a simulation wrote; ``records`` = ``accepted`` + ``rejected`` + ``nodata`` + ``skipdata``.

    Times are Unix seconds: the first record's start and the last one's end. ``truth`` is None unless asked for.
    """

    scenario: Scenario
    inventory: Path
    logs: Path
    truth: Path | None
    connections: int
    records: int
    accepted: int
    rejected: int
    nodata: int
    skipdata: int
    files: int
    compressed_bytes: int
    text_bytes: int
    enis: int
    public_addresses: int
    first_s: int
    last_s: int


def parse_layout(text: str) -> tuple[str, ...]:
    """
    Read ``--log-format``: ``v2`` to ``v11`` for all fields up to that version, else names or AWS's ``${…}`` spelling.

    >>> parse_layout("${srcaddr} ${dstaddr} ${action}")
    ('srcaddr', 'dstaddr', 'action')
    """
    if text in LAYOUTS:
        return LAYOUTS[text]
    names = tuple(re.sub(r"^\$\{(.*)\}$", r"\1", token) for token in text.split())
    check_layout(names)
    return names


def check_layout(names: tuple[str, ...]) -> None:
    """Raise ``FormatError`` where a name is unknown or stands twice, or there is none."""
    known = {f.name for f in VPC_FIELDS}
    unknown = [name for name in names if name not in known]
    if unknown:
        layouts = ", ".join(LAYOUTS)
        raise FormatError(
            f"unknown flow log fields: {', '.join(unknown)} (known: run `vpcflow fields`, or one of {layouts})"
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FormatError(f"flow log fields named twice: {', '.join(twice)}")
    if not names:
        raise FormatError("a log format must name at least one field")


def parse_start(text: str) -> int:
    """Read an ISO 8601 time as Unix seconds; a time without a zone is UTC. Raises ``FormatError``."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise FormatError(f"{text!r} is no time (write it like 2026-01-15T09:00:00Z)") from None
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())


def utc(time_s: float) -> datetime:
    """Give Unix seconds as a time in UTC."""
    return datetime.fromtimestamp(time_s, UTC)
