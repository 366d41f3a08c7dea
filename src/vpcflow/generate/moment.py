"""Times as moment.js writes them, in English and UTC: https://momentjs.com/docs/#/displaying/format/."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEFAULT_FORMAT = "YYYY-MM-DDTHH:mm:ssZ"

MONTHS = (
    "January February March April May June July August September October November December".split()
)
WEEKDAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split()

_TOKEN = re.compile(
    r"\[[^\[]*?\]|\\.|LTS?|L{1,4}|l{1,4}|Mo|M{1,4}|Do|DDDo|D{1,4}|do|d{1,4}|wo|ww?|Wo|WW?|Qo?|Y{5,6}|YYYY|YY|Y"
    r"|gggg|gg|GGGG|GG|[eEaAxX]|hmmss|hmm|Hmmss|Hmm|hh?|HH?|kk?|mm?|ss?|S{1,9}|ZZ?|zz?|."
)


def format_moment(time_s: float, form: str = DEFAULT_FORMAT) -> str:
    """
    Write a time, Unix seconds, in a format of moment.js; what is no token stands for itself.

    >>> format_moment(1769860800, "X, dddd, MMMM Do YYYY, h:mm:ss a [in] Z")
    '1769860800, Saturday, January 31st 2026, 12:00:00 pm in +00:00'
    """
    time_ms = round(time_s * 1000)
    # From milliseconds, so that the second is the same one that ``X`` says.
    time = datetime.fromtimestamp(time_ms // 1000, UTC).replace(microsecond=time_ms % 1000 * 1000)
    return "".join(_write(token, time, time_ms) for token in _TOKEN.findall(form))


def _write(token: str, time: datetime, time_ms: int) -> str:
    if token.startswith("["):
        return token[1:-1]
    if token.startswith("\\"):
        return token[1:]
    if token in _LONG:
        return format_moment(time_ms / 1000, _LONG[token])
    if token[0] == "S":
        return f"{time.microsecond:06}000"[: len(token)]
    if token == "X":
        return str(time_ms // 1000)
    if token == "x":
        return str(time_ms)
    write = _TOKENS.get(token)
    return token if write is None else write(time)


def _ordinal(number: int) -> str:
    """
    Write a number's English ordinal.

    >>> [_ordinal(n) for n in (1, 2, 3, 4, 11, 22)]
    ['1st', '2nd', '3rd', '4th', '11th', '22nd']
    """
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def _weekday(time: datetime) -> int:
    """Give 0 for Sunday, as JavaScript counts."""
    return time.isoweekday() % 7


def _week(time: datetime) -> tuple[int, int]:
    """Give year and week as they are counted in the United States: from Sunday; the first is that of January 1st."""
    day_of_year = time.timetuple().tm_yday
    into_week = _weekday(time.replace(month=1, day=1))
    week = (day_of_year - 1 + into_week) // 7 + 1
    next_year = time.replace(year=time.year + 1, month=1, day=1)
    if (next_year.date() - time.date()).days <= _weekday(next_year):
        return time.year + 1, 1
    return time.year, week


def _half(time: datetime) -> str:
    return "am" if time.hour < 12 else "pm"


def _hour(time: datetime) -> int:
    return time.hour % 12 or 12


def _quarter(time: datetime) -> int:
    return (time.month + 2) // 3


def _day_of_year(time: datetime) -> int:
    return time.timetuple().tm_yday


_LONG: Mapping[str, str] = MappingProxyType(
    {
        "LT": "h:mm A",
        "LTS": "h:mm:ss A",
        "L": "MM/DD/YYYY",
        "LL": "MMMM D, YYYY",
        "LLL": "MMMM D, YYYY h:mm A",
        "LLLL": "dddd, MMMM D, YYYY h:mm A",
        "l": "M/D/YYYY",
        "ll": "MMM D, YYYY",
        "lll": "MMM D, YYYY h:mm A",
        "llll": "ddd, MMM D, YYYY h:mm A",
    }
)
_TOKENS: Mapping[str, Callable[[datetime], str]] = MappingProxyType(
    {
        "M": lambda t: str(t.month),
        "Mo": lambda t: _ordinal(t.month),
        "MM": lambda t: f"{t.month:02}",
        "MMM": lambda t: MONTHS[t.month - 1][:3],
        "MMMM": lambda t: MONTHS[t.month - 1],
        "Q": lambda t: str(_quarter(t)),
        "Qo": lambda t: _ordinal(_quarter(t)),
        "D": lambda t: str(t.day),
        "Do": lambda t: _ordinal(t.day),
        "DD": lambda t: f"{t.day:02}",
        "DDD": lambda t: str(_day_of_year(t)),
        "DDDo": lambda t: _ordinal(_day_of_year(t)),
        "DDDD": lambda t: f"{_day_of_year(t):03}",
        "d": lambda t: str(_weekday(t)),
        "do": lambda t: _ordinal(_weekday(t)),
        "dd": lambda t: WEEKDAYS[_weekday(t)][:2],
        "ddd": lambda t: WEEKDAYS[_weekday(t)][:3],
        "dddd": lambda t: WEEKDAYS[_weekday(t)],
        "e": lambda t: str(_weekday(t)),
        "E": lambda t: str(t.isoweekday()),
        "w": lambda t: str(_week(t)[1]),
        "wo": lambda t: _ordinal(_week(t)[1]),
        "ww": lambda t: f"{_week(t)[1]:02}",
        "W": lambda t: str(t.isocalendar().week),
        "Wo": lambda t: _ordinal(t.isocalendar().week),
        "WW": lambda t: f"{t.isocalendar().week:02}",
        "YY": lambda t: f"{t.year % 100:02}",
        "YYYY": lambda t: f"{t.year:04}",
        "YYYYY": lambda t: f"{t.year:05}",
        "YYYYYY": lambda t: f"+{t.year:06}",
        "Y": lambda t: str(t.year),
        "gg": lambda t: f"{_week(t)[0] % 100:02}",
        "gggg": lambda t: f"{_week(t)[0]:04}",
        "GG": lambda t: f"{t.isocalendar().year % 100:02}",
        "GGGG": lambda t: f"{t.isocalendar().year:04}",
        "A": lambda t: _half(t).upper(),
        "a": lambda t: _half(t),
        "H": lambda t: str(t.hour),
        "HH": lambda t: f"{t.hour:02}",
        "h": lambda t: str(_hour(t)),
        "hh": lambda t: f"{_hour(t):02}",
        "k": lambda t: str(t.hour or 24),
        "kk": lambda t: f"{t.hour or 24:02}",
        "hmm": lambda t: f"{_hour(t)}{t:%M}",
        "hmmss": lambda t: f"{_hour(t)}{t:%M%S}",
        "Hmm": lambda t: f"{t.hour}{t:%M}",
        "Hmmss": lambda t: f"{t.hour}{t:%M%S}",
        "m": lambda t: str(t.minute),
        "mm": lambda t: f"{t.minute:02}",
        "s": lambda t: str(t.second),
        "ss": lambda t: f"{t.second:02}",
        "Z": lambda t: "+00:00",
        "ZZ": lambda t: "+0000",
        "z": lambda t: "UTC",
        "zz": lambda t: "UTC",
    }
)
