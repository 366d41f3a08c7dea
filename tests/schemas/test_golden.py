"""
Golden documents: what each schema makes of each kind of flow, and of every flow of the corpus.

Where a schema changes, ``python tests/golden_documents.py`` writes them anew; the difference is to be read.
"""

from __future__ import annotations

import json

import pytest
from golden_documents import CASES, GOLDEN, GROUPS, golden

from vpcflow.schemas import SCHEMAS


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("schema", SCHEMAS)
def test_documents_are_the_golden_ones(schema: str, group: str):
    made = golden(schema, group)

    assert made.split("\n")[:-1] == kept(schema, group)


def kept(schema: str, group: str) -> list[str]:
    return (GOLDEN / schema / f"{group}.ndjson").read_text("utf-8").split("\n")[:-1]


def test_there_are_no_other_golden_documents():
    files = {f"{path.parent.name}/{path.name}" for path in GOLDEN.glob("*/*")}

    assert files == {f"{schema}/{group}.ndjson" for schema in SCHEMAS for group in GROUPS}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_flow_is_one_document(schema: str):
    found = {group: [json.loads(line)["case"] for line in kept(schema, group)] for group in GROUPS}

    assert found["cases"] == list(CASES)
    assert len(found["corpus"]) == 148
