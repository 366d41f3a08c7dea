"""
The methods of the Kinesis Data Generator's templates: ``METHODS``, by the names it has for them.

What they give has its form there, drawn from words of our own. Numbers, addresses and times, which flow logs are made
of, are drawn as it draws them: https://awslabs.github.io/amazon-kinesis-data-generator/web/help.html
"""

from __future__ import annotations

import base64
import math
import re
import string
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from random import Random
from types import MappingProxyType
from typing import NamedTuple

from vpcflow.errors import FormatError
from vpcflow.generate.moment import MONTHS, WEEKDAYS, format_moment
from vpcflow.generate.words import COMPOSED, WORDS

_DAY_S = 86_400
_LOWER_AND_DIGITS = string.digits + string.ascii_lowercase
_METHOD = re.compile(r"\{([a-z]+\.[A-Za-z]+)\}")


class Draw(NamedTuple):
    """What a record is drawn from: the source of chance, and the record's time in Unix seconds."""

    random: Random
    time_s: float


Method = Callable[[Draw, object], object]
"""Gives a value for an argument, which is None where there is none; raises ``FormatError`` for one without sense."""


def _number(draw: Draw, argument: object) -> object:
    """Give a whole number from ``min`` to ``max``, both included, or one in steps of ``precision``."""
    given = {} if argument is None else argument
    if _is_number(given):
        given = {"max": given}
    if not isinstance(given, dict) or not all(_is_number(value) for value in given.values()):
        raise FormatError(f'the argument may be a number or {{"min":1,"max":6}}, not {argument!r}')
    least, most, step = given.get("min", 0), given.get("max", 99_999), given.get("precision", 1)
    if most < least or step <= 0:
        raise FormatError(f"there is no number from {least} to {most} in steps of {step}")
    first, last = least / step, (most + step) / step
    value = step * int((first + draw.random.random() * (last - first)) // 1)
    return round(value, 10)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value)


def _array_element(draw: Draw, argument: object) -> object:
    elements = ["a", "b", "c"] if argument is None else argument
    if not isinstance(elements, list) or not elements:
        raise FormatError(f'the argument has to be a list like ["a","b"], not {argument!r}')
    return draw.random.choice(elements)


def _weighted_array_element(draw: Draw, argument: object) -> object:
    given = {"weights": [0.5, 0.5], "data": ["dog", "cat"]} if argument is None else argument
    form = f'the argument has to be like {{"weights":[0.9,0.1],"data":["a","b"]}}, not {argument!r}'
    if not isinstance(given, dict):
        raise FormatError(form)
    weights, data = given.get("weights"), given.get("data")
    if not isinstance(weights, list) or not isinstance(data, list) or not data:
        raise FormatError(form)
    if len(weights) != len(data):
        raise FormatError(f"there are {len(weights)} weights for {len(data)} data")
    if not all(_is_number(weight) and weight >= 0 for weight in weights) or not sum(weights):
        raise FormatError("weights have to be numbers, none below 0 and one above")
    return draw.random.choices(data, weights)[0]


def _object_element(draw: Draw, argument: object) -> object:
    given = {"foo": "bar", "too": "car"} if argument is None else argument
    if not isinstance(given, dict) or not given:
        raise FormatError(f'the argument has to be like {{"a":"b"}}, not {argument!r}')
    return draw.random.choice(list(given.values()))


def _uuid(draw: Draw, _: object) -> object:
    return str(uuid.UUID(int=draw.random.getrandbits(128), version=4))


def _boolean(draw: Draw, _: object) -> object:
    return draw.random.random() < 0.5


def _alpha_numeric(draw: Draw, argument: object) -> object:
    return "".join(draw.random.choices(_LOWER_AND_DIGITS, k=_count(argument, 1)))


def _count(argument: object, default: int) -> int:
    if argument is None:
        return default
    if isinstance(argument, bool) or not isinstance(argument, int) or not 0 <= argument <= 10_000:
        raise FormatError(f"the argument has to be a whole number up to 10,000, not {argument!r}")
    return argument


def _several(name: str, default: int, joint: str) -> Method:
    """Give so many of another method's, as the argument says."""

    def several(draw: Draw, argument: object) -> object:
        count = _count(argument, default)
        return joint.join(str(METHODS[name](draw, None)) for _ in range(count))

    return several


def _ip(draw: Draw, _: object) -> object:
    """Give any four octets: private, multicast, 0.x and 255.x are among them."""
    return ".".join(str(octet) for octet in draw.random.randbytes(4))


def _mac(draw: Draw, _: object) -> object:
    return draw.random.randbytes(6).hex(":")


def _color(draw: Draw, _: object) -> object:
    return f"#{draw.random.randbytes(3).hex()}"


def _password(draw: Draw, argument: object) -> object:
    letters = string.ascii_letters + string.digits + "_"
    return "".join(draw.random.choices(letters, k=_count(argument, 15)))


def _session(draw: Draw, _: object) -> object:
    return draw.random.randrange(10**15 + 7_199_254_740_991, 2**53)


def _now(draw: Draw, argument: object) -> object:
    return (
        format_moment(draw.time_s)
        if argument is None
        else format_moment(draw.time_s, str(argument))
    )


def _utc(draw: Draw, argument: object) -> object:
    return _now(draw, "YYYY-MM-DDTHH:mm:ss[Z]" if argument is None else argument)


def _date(least_days: float, most_days: float) -> Method:
    """Give a date as JavaScript writes it, so many days from now."""

    def date(draw: Draw, _: object) -> object:
        time_s = draw.time_s + draw.random.uniform(least_days, most_days) * _DAY_S
        return f"{datetime.fromtimestamp(time_s, UTC):%a %b %d %Y %H:%M:%S} GMT+0000 (Coordinated Universal Time)"

    return date


def _decimal(least: float, most: float, digits: int) -> Method:
    return lambda draw, _: f"{draw.random.uniform(least, most):.{digits}f}"


def _digits(draw: Draw, argument: object) -> object:
    return "".join(draw.random.choices(string.digits, k=_count(argument, 8)))


def _bitcoin_address(draw: Draw, _: object) -> object:
    text = base64.b32encode(draw.random.randbytes(20)).decode()
    return f"{draw.random.choice('13')}{text}"


def _words(texts: tuple[str, ...]) -> Method:
    return lambda draw, _: draw.random.choice(texts)


def _composed(form: str) -> Method:
    """Put together what other methods give: their names in braces, and a digit for each ``#``."""

    def composed(draw: Draw, _: object) -> object:
        text = _METHOD.sub(lambda found: str(METHODS[found[1]](draw, None)), form)
        return re.sub("#", lambda _: draw.random.choice(string.digits), text)

    return composed


_CALCULATED: Mapping[str, Method] = {
    "random.number": _number,
    "random.arrayElement": _array_element,
    "random.weightedArrayElement": _weighted_array_element,
    "random.objectElement": _object_element,
    "random.uuid": _uuid,
    "random.boolean": _boolean,
    "random.words": _several("random.word", 2, " "),
    "random.alphaNumeric": _alpha_numeric,
    "internet.ip": _ip,
    "internet.mac": _mac,
    "internet.color": _color,
    "internet.password": _password,
    "internet.session": _session,
    "date.now": _now,
    "date.utc": _utc,
    "date.simTime": _now,
    "date.past": _date(-365, 0),
    "date.future": _date(0, 365),
    "date.between": _date(-365, 365),
    "date.recent": _date(-1, 0),
    "date.month": _words(tuple(MONTHS)),
    "date.weekday": _words(tuple(WEEKDAYS)),
    "address.latitude": _decimal(-90, 90, 4),
    "address.longitude": _decimal(-180, 180, 4),
    "finance.account": _digits,
    "finance.mask": lambda draw, argument: _digits(draw, 4 if argument is None else argument),
    "finance.amount": _decimal(0, 1000, 2),
    "finance.bitcoinAddress": _bitcoin_address,
    "lorem.words": _several("lorem.word", 3, " "),
    "lorem.sentences": _several("lorem.sentence", 3, " "),
    "lorem.paragraph": _several("lorem.sentence", 3, " "),
    "lorem.paragraphs": _several("lorem.paragraph", 3, " "),
    "lorem.text": _several("lorem.sentence", 5, " "),
    "lorem.lines": _several("lorem.sentence", 3, " "),
    "commerce.price": _decimal(0, 1000, 2),
}
METHODS: Mapping[str, Method] = MappingProxyType(
    dict(
        sorted(
            {
                **_CALCULATED,
                **{name: _words(tuple(texts.split("|"))) for name, texts in WORDS.items()},
                **{name: _composed(form) for name, form in COMPOSED.items()},
            }.items()
        )
    )
)
