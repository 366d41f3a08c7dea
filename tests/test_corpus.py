"""
The golden corpus: what the reader makes of each file in ``corpus/``.

A case is an input (``<case>.log``, ``.json`` or ``.csv``) and ``<case>.expected.json``: the flows with their line
numbers and without nulls, the rejects, the marks, the faults, and the warnings where there are any. Expected values are
written by hand after AWS's documentation; a case that fails is not mended by copying what came out.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vpcflow.codes import REJECT_REASONS
from vpcflow.layout import parse_log_format
from vpcflow.linewise import BY_PLACE
from vpcflow.pipeline import Layouts, read_flows
from vpcflow.rejects import Reject
from vpcflow.sources.files import find_inputs, read_input
from vpcflow.stats import Books

CORPUS = Path(__file__).parent / "corpus"
CASES = sorted(path.name.removesuffix(".expected.json") for path in CORPUS.glob("*.expected.json"))


def input_of(case: str) -> Path:
    inputs = [CORPUS / f"{case}.{suffix}" for suffix in ("log", "json", "csv")]
    [found] = [path for path in inputs if path.exists()]
    return found


def outcome_of(path: Path, options: dict[str, Any]) -> tuple[dict[str, Any], list[Reject], Books]:
    layouts = Layouts([parse_log_format(text) for text in options.get("log_format", [])])
    books, rejects, warnings = Books(), list[Reject](), list[str]()
    flows = [
        {name: value for name, value in row.items() if value is not None}
        for source in find_inputs([str(path)])
        for batch in read_flows(
            read_input(source),
            books,
            layouts=layouts,
            on_rejects=rejects.extend,
            warn=warnings.append,
        )
        for row in batch.to_pylist()
    ]
    for flow in flows:
        assert flow.pop("source_object") == str(path)
        flow.pop(BY_PLACE, None)
    outcome = {
        "flows": flows,
        "rejects": [{"line": reject.line, "reason": reject.reason} for reject in rejects],
        "headers": books.headers,
        "blanks": books.blanks,
        "controls": books.controls,
        "faults": [{"reason": fault.reason, "lost": fault.lost} for fault in books.faults],
        "warnings": list(dict.fromkeys(warnings)),
    }
    return outcome, rejects, books


@pytest.mark.parametrize("case", CASES)
def test_the_reader_makes_of_a_file_what_aws_means(case: str) -> None:
    expected = json.loads((CORPUS / f"{case}.expected.json").read_text("utf-8"))
    options = expected.pop("options", {})

    outcome, rejects, books = outcome_of(input_of(case), options)

    assert outcome == {"warnings": [], **expected}
    assert books.found == len(outcome["flows"]) + len(rejects) + books.failed
    assert all(len(reject.text.encode()) <= 4096 for reject in rejects)


def test_every_file_of_the_corpus_belongs_to_a_case() -> None:
    expected = {f"{case}.expected.json" for case in CASES} | {input_of(case).name for case in CASES}

    assert {path.name for path in CORPUS.iterdir()} - {".gitattributes"} == expected


def test_the_corpus_has_every_reason_for_a_reject() -> None:
    reasons = {
        reject["reason"]
        for case in CASES
        for reject in json.loads((CORPUS / f"{case}.expected.json").read_text("utf-8"))["rejects"]
    }

    # A line of more than a mebibyte is no file to keep: test_sources has it.
    assert reasons == set(REJECT_REASONS) - {"line_too_long", "refused_by_index"}
