"""
What its owner wants kept: an exceptions file, of rules and groups that no proposal touches.

Each exception names a rule or a group, a reason, and perhaps the day up to which it holds. TOML, JSON or CSV: which
one it is, the beginning of the text tells.

::

    [[keep]]                              rule,group,reason,expires
    rule = "sgr-0123456789abcdef0"        sgr-0123456789abcdef0,,yearly audit,2027-01-31
    reason = "yearly audit"               ,sg-0123456789abcdef0,failover site,
    expires = 2027-01-31
"""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from vpcflow.errors import ReferenceDataError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_NAMES = ("rule", "group", "reason", "expires")
_HINT = "give rule or group, reason, and perhaps expires"


class Exemption(NamedTuple):
    """
    A rule (by its key) or a group that is kept; the other of the two is null.

    ``expires`` is the last day it holds, null where it always does. ``place`` is where it stands, "line 3".
    """

    rule: str | None
    group: str | None
    reason: str
    expires: date | None
    place: str

    def holds(self, today: date) -> bool:
        return self.expires is None or today <= self.expires

    @property
    def named(self) -> str:
        """The rule or group."""
        return self.rule or self.group or ""


class Exemptions(NamedTuple):
    """All exceptions of a file, those in force by the rule or group they name, and what is to be said of the others."""

    rules: dict[str, Exemption]
    groups: dict[str, Exemption]
    words: tuple[str, ...]


NONE = Exemptions({}, {}, ())


def read_exemptions(data: bytes, origin: str) -> tuple[Exemption, ...]:
    """Read an exceptions file. Raises ``ReferenceDataError`` with every fault and its line."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ReferenceDataError(f"exceptions file {origin!r} is no UTF-8: {error}") from error
    found: list[Exemption] = []
    faults: list[str] = []
    try:
        for line, raw in _entries(text):
            place = f"line {line}"
            if fault := _fault(raw):
                faults.append(f"{place}: {fault}")
            else:
                found.append(_exemption(raw, place))
    except ValueError as error:
        faults.append(str(error))
    if faults:
        raise ReferenceDataError(f"exceptions file {origin!r}: {'; '.join(faults)} ({_HINT})")
    return tuple(found)


def in_force(
    exemptions: Collection[Exemption],
    today: date,
    known_rules: Collection[str],
    known_groups: Collection[str],
) -> Exemptions:
    """Sort exceptions out: which hold on that day, and words for those that expired or name what there is not."""
    rules: dict[str, Exemption] = {}
    groups: dict[str, Exemption] = {}
    words: list[str] = []
    for one in exemptions:
        known = known_groups if one.rule is None else known_rules
        what = "group" if one.rule is None else "rule"
        if not one.holds(today):
            words.append(
                f"the exception for {one.named} ({one.place}: {one.reason}) expired on {one.expires}"
            )
        elif one.named not in known:
            words.append(f"the inventory has no {what} {one.named!r}, an exception ({one.place})")
        else:
            (groups if one.rule is None else rules).setdefault(one.named, one)
    return Exemptions(rules, groups, tuple(words))


def _entries(text: str) -> Iterator[tuple[int, Any]]:
    """Give each entry with the number of its first line."""
    start = text.lstrip()
    if start.startswith("{") or re.match(r"\[\s*[\]{\d\"]", start):
        return _from_json(text)
    first = next((line for line in text.splitlines() if line.strip()), "")
    names = {name.strip().lower() for name in first.split(",")}
    return _from_csv(text) if names & {"rule", "group"} else _from_toml(text)


def _from_csv(text: str) -> Iterator[tuple[int, Any]]:
    rows = csv.reader(io.StringIO(text), strict=True)
    header: list[str] | None = None
    try:
        for row in rows:
            values = [value.strip() for value in row]
            if not any(values):
                continue
            if header is None:
                header = [name.lower() for name in values]
                if unknown := [name for name in header if name not in _NAMES]:
                    raise ValueError(f"line {rows.line_num}: unknown columns {', '.join(unknown)}")
            elif len(values) > len(header):
                raise ValueError(f"line {rows.line_num}: {len(values)} values, not {len(header)}")
            else:
                yield rows.line_num, {k: v for k, v in zip(header, values, strict=False) if v}
    except csv.Error as error:
        raise ValueError(f"line {rows.line_num}: {error}") from error


def _from_toml(text: str) -> Iterator[tuple[int, Any]]:
    # Its own errors name the line.
    read = tomllib.loads(text)
    if unknown := [name for name in read if name != "keep"]:
        raise ValueError(f"line 1: unknown {', '.join(unknown)}: write [[keep]] before each")
    entries = read.get("keep", [])
    heads = [m.start() for m in re.finditer(r"^[ \t]*\[\[[ \t]*keep[ \t]*\]\]", text, re.MULTILINE)]
    if not isinstance(entries, list) or len(entries) != len(heads):
        raise ValueError("line 1: keep is no list of tables: write [[keep]] before each")
    yield from ((_line(text, at), entry) for at, entry in zip(heads, entries, strict=True))


def _from_json(text: str) -> Iterator[tuple[int, Any]]:
    at = _skip(text, 0)
    if text[at] == "{":
        found = re.compile(r'\{\s*"keep"\s*:\s*').match(text, at)
        if found is None:
            raise ValueError(f'line {_line(text, at)}: no {{"keep": […]}}')
        at = found.end()
    if text[at : at + 1] != "[":
        raise ValueError(f"line {_line(text, at)}: no list of exceptions")
    at = _skip(text, at + 1)
    while text[at : at + 1] != "]":
        try:
            entry, end = json.JSONDecoder().raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise ValueError(f"line {error.lineno}: {error.msg}") from error
        yield _line(text, at), entry
        at = _skip(text, end)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "]":
            raise ValueError(f"line {_line(text, at)}: a comma or ] is missing")


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _fault(raw: Any) -> str | None:
    if not isinstance(raw, dict):
        return f"{raw!r} is no exception"
    if unknown := [name for name in raw if name not in _NAMES]:
        return f"unknown {', '.join(unknown)} (known: {', '.join(_NAMES)})"
    for name in ("rule", "group", "reason"):
        if not isinstance(raw.get(name, ""), str):
            return f"{name} is no text: {raw[name]!r}"
    if bool(raw.get("rule")) == bool(raw.get("group")):
        return "names both a rule and a group" if raw.get("rule") else "names no rule and no group"
    if not str(raw.get("reason", "")).strip():
        return "gives no reason"
    try:
        _day(raw.get("expires"))
    except ValueError:
        return f"expires is no day: {raw['expires']!r}, write 2027-01-31"
    return None


def _day(value: Any) -> date | None:
    """Read a day; ValueError where it is none."""
    if value is None or value == "":
        return None
    if isinstance(value, date):
        return value.date() if isinstance(value, datetime) else value
    if not isinstance(value, str):
        raise ValueError(value)
    return date.fromisoformat(value)


def _exemption(raw: dict[str, Any], place: str) -> Exemption:
    expires = _day(raw.get("expires"))
    return Exemption(
        raw.get("rule") or None, raw.get("group") or None, raw["reason"].strip(), expires, place
    )
