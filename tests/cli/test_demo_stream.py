"""The demo's stream loses nothing, whatever goes wrong on it."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from faulty import lines

from vpcflow.cli.demo_stream import first_lines, pass_through
from vpcflow.enrich import Reference
from vpcflow.layout import DEFAULT


@pytest.mark.parametrize("seed", [1, 7])
def test_every_record_of_the_demo_ends_in_the_index(seed: int):
    records = [line.encode() for line in lines(1500)]

    passage = pass_through(records, DEFAULT, Reference(), seed=seed)

    assert passage.documents == passage.records == 1500
    assert passage.refused > 0
    assert passage.redriven >= 1500


def test_the_first_lines_are_those_after_the_headers(tmp_path: Path):
    for name, text in {
        "b": b"header\n3\n4\n",
        "a": b"header\n1\n2\n",
        "c": b"",
        "d": b"h\n5\n",
    }.items():
        (tmp_path / f"{name}.log.gz").write_bytes(gzip.compress(text))

    assert first_lines(tmp_path, 4) == [b"1", b"2", b"3", b"4"]
    assert len(first_lines(tmp_path)) == 5
