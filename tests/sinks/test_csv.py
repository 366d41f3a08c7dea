"""CSV: exact text, nulls apart from empty text, and one header for all layouts."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pyarrow as pa
import pytest
from flow_batches import array, batch

from vpcflow.errors import SinkError
from vpcflow.sinks.csv import CsvFileSink, CsvSink

AWKWARD = ['a"b', "a,b", "line\nbreak", "", "é", None, " x ", "=1+1"]


def test_text_survives_whatever_it_holds(tmp_path: Path):
    path = tmp_path / "flows.csv"
    rows = pa.RecordBatch.from_arrays(
        [array("eni_description", AWKWARD)], names=["eni_description"]
    )

    with CsvFileSink(path) as sink:
        sink.write(rows)

    with path.open(newline="", encoding="utf-8") as file:
        found = list(csv.reader(file))
    assert found[0] == ["eni_description"]
    assert [row[0] if row else "" for row in found[1:]] == [text or "" for text in AWKWARD]


def test_null_is_nothing_and_empty_text_is_quoted():
    stream = io.BytesIO()

    with CsvSink(stream) as sink:
        sink.write(batch([{"version": 2, "action": ""}, {"version": 3}]))

    assert stream.getvalue() == b'"version","action"\n2,""\n3,\n'


def test_lists_and_tags_are_json_text():
    stream = io.BytesIO()
    row = {"eni_tags": [{"key": "Name", "value": "web"}], "security_group_ids": ["sg-1", "sg-2"]}

    with CsvSink(stream) as sink:
        sink.write(batch([row, {}]))

    rows = list(csv.reader(io.StringIO(stream.getvalue().decode())))
    assert rows == [
        ["eni_tags", "security_group_ids"],
        ['{"Name":"web"}', '["sg-1","sg-2"]'],
        ["", ""],
    ]


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_rows_written_before_new_columns_came_are_the_same_under_the_full_header(
    suffix: str, tmp_path: Path
):
    path = tmp_path / f"flows.csv{suffix}"
    first = {"version": 2, "action": "", "eni_description": 'a "b",\nc', "src_geo_latitude": 1.5}

    with CsvFileSink(path) as sink:
        for row in (first, {"version": 3, "tcp_flags": 18}, {"version": 2, "x_y": "z"}):
            sink.write(batch([row]))

    with pa.input_stream(str(path), compression="detect") as stream:
        assert stream.read().decode() == (
            '"version","action","tcp_flags","eni_description","src_geo_latitude","x_y"\n'
            '2,"",,"a ""b"",\nc",1.5,\n'
            "3,,18,,,\n"
            '2,,,,,"z"\n'
        )


def test_a_stream_cannot_take_new_columns_after_its_header():
    sink = CsvSink(io.BytesIO())
    sink.write(batch([{"version": 2}]))

    with pytest.raises(SinkError, match="new columns: tcp_flags"):
        sink.write(batch([{"version": 3, "tcp_flags": 2}]))


def test_a_stream_with_stated_columns_takes_every_layout():
    stream = io.BytesIO()
    sink = CsvSink(stream, ["version", "tcp_flags"])

    sink.write(batch([{"version": 2, "srcport": 1}]))
    sink.write(batch([{"version": 3, "tcp_flags": 2}]))

    assert stream.getvalue() == b'"version","tcp_flags"\n2,\n3,2\n'
