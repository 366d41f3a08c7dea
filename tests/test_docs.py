"""What the pages say exists: links lead somewhere, commands and options are those of the program."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    str(page.relative_to(ROOT)) for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
)

_FENCED = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def prose_of(page: str) -> str:
    return _FENCED.sub("", (ROOT / page).read_text())


def anchors_of(text: str) -> set[str]:
    """Give the anchors GitHub makes of headings: lower case, no punctuation, hyphens for spaces."""
    headings = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(text))
    return {heading.strip().replace(" ", "-") for heading in headings}


def shell_lines_of(page: str) -> Iterator[str]:
    for language, text in _FENCED.findall((ROOT / page).read_text()):
        if language == "sh":
            yield from (line.strip() for line in text.replace("\\\n", " ").splitlines())


def commands_of(app: Any) -> dict[str, Any]:
    """Give all commands by their words, as ``inventory show``; hidden ones are left out."""
    import typer

    found: dict[str, Any] = {}

    def visit(command: Any, words: tuple[str, ...]) -> None:
        found[" ".join(words)] = command
        for name, own in getattr(command, "commands", {}).items():
            if not own.hidden:
                visit(own, (*words, name))

    visit(typer.main.get_command(app), ())
    return found


def options_of(command: Any) -> set[str]:
    return {"--help"} | {name for p in command.params for name in [*p.opts, *p.secondary_opts]}


@pytest.fixture(scope="module")
def commands() -> dict[str, Any]:
    from vpcflow.cli import command_line

    return commands_of(command_line())


@pytest.mark.parametrize("page", PAGES)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    links = [link for link in _LINK.findall(prose_of(page)) if "://" not in link]

    for link in links:
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), f"{page} links to {link}"
        if anchor:
            assert anchor in anchors_of(target.read_text()), f"{page} links to {link}"


def test_every_command_has_its_place_in_the_reference(commands: dict[str, Any]) -> None:
    reference = (ROOT / "docs/reference/cli.md").read_text()

    missing = [name for name in commands if name and f"`vpcflow {name}`" not in reference]

    assert missing == []


@pytest.mark.parametrize("page", PAGES)
def test_commands_in_the_pages_are_those_of_the_program(
    page: str, commands: dict[str, Any]
) -> None:
    calls = [
        match.group(1)
        for line in shell_lines_of(page)
        if (match := re.match(r"(?:\.venv/bin/)?vpcflow (.*)", line))
    ]

    for call in calls:
        words = shlex.split(call, comments=True)
        name = " ".join(words[:2]) if " ".join(words[:2]) in commands else words[0]
        options = {word.partition("=")[0] for word in words if word.startswith("-") and word != "-"}
        assert name in commands or words[0].startswith("-"), f"{page}: vpcflow {call}"
        assert options <= options_of(commands.get(name, commands[""])), f"{page}: vpcflow {call}"
