"""
Templates of the Kinesis Data Generator: text with ``{{module.method(argument)}}``, one record each time it is rendered.

As there: line breaks are taken out, a placeholder ends at the first ``}}`` and its argument at the first ``)``; the
argument is JSON, or else text. What the generator would send as it stands (braces out of balance) or refuse at the
first record (unknown methods) is an error here, which shows the place. ``<<NAME>>`` is filled in before.
"""

from __future__ import annotations

import json
import re
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from vpcflow.errors import FormatError
from vpcflow.generate.fakes import METHODS, Draw

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vpcflow.generate.fakes import Method

_BLANK = re.compile(r"<<([^<>{}\s]+)>>")
_PLACEHOLDER = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_CALL = re.compile(r"([a-zA-Z]\w*)\.([a-zA-Z]\w*)(?:\(([^)]+)\))?")
# Of one whose closing braces are incomplete or missing: what was meant all the same.
_MEANT = re.compile(r"\{\{([a-zA-Z]\w*\.[a-zA-Z]\w*(?:\([^){}]*(?:\{[^{}]*\}[^){}]*)?\))?)\}?")
_OLD_TIMESTAMP = "{{current.timestamp}}"

# What an error shows of a long template before and behind the place.
_SHOWN_BEFORE, _SHOWN_BEHIND = 60, 40


class _Placeholder(NamedTuple):
    method: Method
    argument: object


class Template(NamedTuple):
    """A template that can be rendered: texts and placeholders in turn."""

    parts: Sequence[str | _Placeholder]

    def render(self, random: Random, time_s: float) -> str:
        """Make a record without its line break; ``time_s``, Unix seconds, is the time that it tells."""
        draw = Draw(random, time_s)
        return "".join(
            part if isinstance(part, str) else written(part.method(draw, part.argument))
            for part in self.parts
        )


def parse_template(text: str, values: Mapping[str, str]) -> Template:
    """
    Read a template, with values for its ``<<NAME>>``.

    Raises ``FormatError`` for braces out of balance, names without a value, values without a name, unknown methods and
    arguments that make no sense.

    >>> parse_template("2 <<ACCOUNT_ID>> OK", {"ACCOUNT_ID": "123456789012"}).render(Random(1), 0)
    '2 123456789012 OK'
    """
    text = re.sub(r"[\r\n]", "", text.strip()).replace(_OLD_TIMESTAMP, "{{date.now}}")
    if not text:
        raise FormatError("the template is empty")
    _check_braces(text)
    text = _fill_in(text, values)
    parts: list[str | _Placeholder] = []
    end = 0
    for found in _PLACEHOLDER.finditer(text):
        parts += [text[end : found.start()], _read(text, found)]
        end = found.end()
    return Template([part for part in [*parts, text[end:]] if part != ""])


def written(value: object) -> str:
    """Write a value as JavaScript writes it into a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list):
        return ",".join("" if one is None else written(one) for one in value)
    return "[object Object]" if isinstance(value, dict) else str(value)


def _check_braces(text: str) -> None:
    """
    Raise ``FormatError`` at the first brace that has no counterpart.

    Outside of placeholders single braces, as of a JSON record, have to be in balance.
    """
    opened: list[int] = []
    at = 0
    while at < len(text):
        if text.startswith("{{", at):
            end = text.find("}}", at)
            if end < 0 or "{{" in text[at + 2 : end]:
                raise _unclosed(text, at)
            at = end + 2
            continue
        if text[at] == "{":
            opened.append(at)
        elif text[at] == "}":
            if not opened:
                raise _unbalanced(text, at, "'}' closes nothing")
            opened.pop()
        at += 1
    if opened:
        raise _unbalanced(text, opened[-1], "'{' is not closed")


def _unclosed(text: str, at: int) -> FormatError:
    """Say that a placeholder is not closed: where the brace is missing and the line with it, if that is plain."""
    meant = _MEANT.match(text, at)
    if meant is None:
        return _unbalanced(text, at, "'{{' is not closed by '}}'")
    corrected = f"{text[:at]}{{{{{meant[1]}}}}}{text[meant.end() :]}"
    error = _unbalanced(text, meant.end() - 1, f"{meant[0]!r} is not closed by '}}}}'")
    try:
        _check_braces(corrected)
    except FormatError:
        return error
    return FormatError(f"{error}\n\nit should be\n\n    {corrected}\n")


def _unbalanced(text: str, at: int, what: str) -> FormatError:
    return FormatError(_shown(text, at, f"the braces of the template are not in balance: {what}"))


def _fill_in(text: str, values: Mapping[str, str]) -> str:
    names = dict.fromkeys(_BLANK.findall(text))
    unused = [name for name in values if name not in names]
    if unused:
        has = ", ".join(f"<<{name}>>" for name in names) or "none"
        raise FormatError(
            f"--set names what the template does not have: {', '.join(unused)} (it has: {has})"
        )
    for name, value in values.items():
        if "{" in value or "}" in value:
            raise FormatError(f"--set {name}={value!r}: a value must not have braces")
    missing = [name for name in names if name not in values]
    if missing:
        options = " ".join(f"--set {name}=…" for name in missing)
        raise FormatError(
            f"the template has no value for {', '.join(f'<<{n}>>' for n in missing)}: give {options}"
        )
    return _BLANK.sub(lambda found: values[found[1]], text)


def _read(text: str, found: re.Match[str]) -> _Placeholder:
    call = _CALL.fullmatch(found[1])
    if call is None:
        what = (
            f"{found[0]!r} is no placeholder: write {{{{module.method}}}} or {{{{module.method(argument)}}}},"
            " without spaces around, and without ')' in the argument"
        )
        raise FormatError(_shown(text, found.start(), what))
    module, name, argument = call.groups()
    method = METHODS.get(f"{module}.{name}")
    if method is None:
        raise FormatError(_shown(text, found.start(), _unknown(module, name)))
    value = _argument(argument)
    try:
        # Once for nothing: what is wrong with an argument shows before the first record is sent.
        method(Draw(Random(0), 0.0), value)
    except FormatError as error:
        raise FormatError(_shown(text, found.start(), f"{module}.{name}: {error}")) from None
    return _Placeholder(method, value)


def _unknown(module: str, name: str) -> str:
    """Say it as the generator does, and what there is."""
    methods = [known for known in METHODS if known.startswith(f"{module}.")]
    if methods:
        return f"Invalid method: {module}.{name} (known: {', '.join(methods)})"
    modules = dict.fromkeys(known.partition(".")[0] for known in METHODS)
    return f"Invalid module: {module} (known: {', '.join(modules)})"


def _argument(text: str | None) -> object:
    if text is None:
        return None
    try:
        return json.loads(text, parse_constant=_no_number)
    except ValueError:
        return text


def _no_number(text: str) -> None:
    raise ValueError(text)


def _shown(text: str, at: int, what: str) -> str:
    """Say what is wrong, and show where with a caret below."""
    start, end = max(0, at - _SHOWN_BEFORE), at + _SHOWN_BEHIND
    before = "…" if start else ""
    behind = "…" if end < len(text) else ""
    line = f"{before}{text[start:end]}{behind}"
    return f"{what}\n\n    {line}\n    {' ' * (len(before) + at - start)}^"
