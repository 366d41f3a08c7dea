"""What ECS itself says of each field we write: the list in npm's ``@elastic/ecs``, fetched by name and version."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from golden_documents import GOLDEN

from vpcflow.schemas import SCHEMAS
from vpcflow.schemas.ecs.computed import ECS_VERSION

pytestmark = pytest.mark.integration

_OURS = ("aws.vpcflow.", "vpcflow.")
_LIST = """
const {EcsFlat} = require(process.argv[1]);
const told = Object.entries(EcsFlat).map(([name, field]) => [name, {
  type: field.type, is_list: field.normalize.includes("array"),
  values: (field.allowed_values || []).map(value => value.name)}]);
console.log(JSON.stringify(Object.fromEntries(told)));
"""


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("ecs")
    npm = ["npm", "pack", "--silent", f"@elastic/ecs@{ECS_VERSION}"]
    packed = subprocess.run(npm, cwd=folder, capture_output=True, text=True, check=True)
    archive = packed.stdout.split()[-1]
    subprocess.run(["tar", "xzf", archive], cwd=folder, check=True)
    listed = folder / "package" / "generated" / "ecs_flat.js"
    node = subprocess.run(["node", "-e", _LIST, listed], capture_output=True, text=True, check=True)
    return json.loads(node.stdout)  # type: ignore[no-any-return]


def test_every_field_is_ecss_own_and_indexed_as_ecs_says(fields: dict[str, dict[str, Any]]):
    written = {
        path: type_
        for path, type_ in leaves(SCHEMAS["ecs"].mapping())
        if not path.startswith(_OURS)
    }

    said = {path: fields.get(path, {}).get("type") for path in written}

    assert len(written) > 50
    assert written == said


def test_events_are_told_in_the_words_ecs_allows(fields: dict[str, dict[str, Any]]):
    told = [document["event"] for document in golden_documents()]

    for name in ("kind", "category", "type", "outcome"):
        words = {word for event in told for word in listed(event.get(name))}
        assert words
        assert words <= set(fields[f"event.{name}"]["values"])


def test_lists_are_what_ecs_calls_a_list(fields: dict[str, dict[str, Any]]):
    lists = {
        path
        for document in golden_documents()
        for path, value in members(document)
        if isinstance(value, list) and not path.startswith(_OURS)
    }

    assert lists == {path for path in lists if fields[path]["is_list"]}
    assert lists >= {"event.category", "event.type", "related.ip"}


def golden_documents() -> list[dict[str, Any]]:
    kept = (GOLDEN / "ecs").iterdir()
    return [
        json.loads(line)["document"]
        for path in kept
        for line in path.read_text("utf-8").splitlines()
    ]


def listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def leaves(properties: Any, before: str = "") -> Iterator[tuple[str, str]]:
    for name, property_ in properties.items():
        if "properties" in property_:
            yield from leaves(property_["properties"], f"{before}{name}.")
        else:
            yield before + name, property_["type"]


def members(document: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        if isinstance(value, dict):
            yield from members(value, f"{before}{name}.")
        else:
            yield before + name, value
